//! Users, and the addresses that they sign in with.

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Made at sign-up; never changes.
    pub id: String,
    /// Mail address in small letters.
    pub email: String,
    /// Whether the user may see and do everything.
    pub admin: bool,
    /// When the user signed up.
    pub created: i64,
}

/// The one spelling of an address under which it is stored and looked for. Strictly, a mail server
/// may tell `Ada@` from `ada@`; none that people use does, and people do not either.
#[must_use]
pub fn normal_email(email: &str) -> String {
    email.to_lowercase()
}

/// Whether the first administrator's address and password are such as sign-up takes.
#[must_use]
pub fn acceptable(email: &str, password: &str) -> bool {
    let parts = email.split_once('@');
    let odd = |letter: char| letter.is_whitespace() || letter.is_control();
    parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'))
        && !email.contains(odd)
        && email.chars().count() <= 254
        && (8..=128).contains(&password.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capitals_do_not_matter() {
        assert_eq!(normal_email("Ada@Example.COM"), "ada@example.com");
        assert_eq!(normal_email("Ärzte@example.com"), "ärzte@example.com");
    }

    #[test]
    fn an_administrator_has_an_address_and_a_password() {
        for (email, password, good) in [
            ("ada@example.com", "12345678", true),
            ("ada@localhost", "12345678", true),
            ("ada", "12345678", false),
            ("@example.com", "12345678", false),
            ("ada@", "12345678", false),
            ("a@b@c", "12345678", false),
            ("a da@example.com", "12345678", false),
            ("ada@example.com", "1234567", false),
            ("ada@example.com", &*"x".repeat(129), false),
        ] {
            assert_eq!(acceptable(email, password), good, "{email} {password}");
        }
    }
}
