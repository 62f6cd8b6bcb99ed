//! Path templates of `google.api.http`.
//!
//! The grammar, as `google/api/http.proto` has it:
//!
//! ```text
//! Template  = "/" [ Segments ] [ Verb ] ;
//! Segments  = Segment { "/" Segment } ;
//! Segment   = "*" | "**" | LITERAL | Variable ;
//! Variable  = "{" FieldPath [ "=" Segments ] "}" ;
//! FieldPath = IDENT { "." IDENT } ;
//! Verb      = ":" LITERAL ;
//! IDENT     = [A-Za-z_] { [A-Za-z0-9_] } ;
//! LITERAL   = { [A-Za-z0-9-._~!$&'()+,;@] | "%" HEX HEX } ;      (not empty)
//! ```
//!
//! Beyond the grammar: `**` is last before the verb, a variable holds no variable, and no
//! variable occurs twice. `{v}` means `{v=*}`. `/` alone is the root: the original grammar leaves
//! it out, yet every gateway takes it.

use std::fmt;

/// A parsed template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// The path, segment by segment, with variables flattened into what they match.
    pub segments: Vec<Segment>,
    /// The variables in the order of the template.
    pub variables: Vec<Variable>,
    /// Custom verb behind the last colon.
    pub verb: Option<String>,
}

/// One segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Exactly this text.
    Literal(String),
    /// `*`: one segment.
    One,
    /// `**`: all remaining segments, none included.
    Rest,
}

/// A variable and the segments that it spans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Field names from the request message inwards.
    pub path: Vec<String>,
    /// First segment.
    pub start: usize,
    /// Segment after the last.
    pub end: usize,
}

/// Why a text is not a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where the fault is, in characters from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.message)
    }
}

impl std::error::Error for SyntaxError {}

impl Template {
    /// What the template matches, without the names of its variables: two templates with the same
    /// shape match the same paths.
    #[must_use]
    pub fn shape(&self) -> String {
        let mut shape = String::new();
        for segment in &self.segments {
            shape.push('/');
            shape.push_str(match segment {
                Segment::Literal(text) => text,
                Segment::One => "*",
                Segment::Rest => "**",
            });
        }
        if let Some(verb) = &self.verb {
            shape.push(':');
            shape.push_str(verb);
        }
        shape
    }
}

/// Parses a template.
///
/// # Errors
/// Fails at the first character that the grammar or one of the rules above does not allow.
pub fn parse(text: &str) -> Result<Template, SyntaxError> {
    let mut parser = Parser {
        text,
        position: 0,
        template: Template::default(),
    };
    parser.template()?;
    Ok(parser.template)
}

struct Parser<'a> {
    text: &'a str,
    /// Byte offset of the next character.
    position: usize,
    template: Template,
}

impl<'a> Parser<'a> {
    fn template(&mut self) -> Result<(), SyntaxError> {
        if !self.take('/') {
            return self.unexpected("'/'");
        }
        if self.rest().is_empty() {
            return Ok(());
        }
        self.segments(false)?;
        if self.take(':') {
            let verb = self.literal("a verb")?;
            self.template.verb = Some(verb.to_owned());
        }
        if self.rest().is_empty() {
            Ok(())
        } else {
            self.unexpected("the end")
        }
    }

    fn segments(&mut self, inside_variable: bool) -> Result<(), SyntaxError> {
        loop {
            self.segment(inside_variable)?;
            if !self.take('/') {
                return Ok(());
            }
        }
    }

    fn segment(&mut self, inside_variable: bool) -> Result<(), SyntaxError> {
        if self.template.segments.last() == Some(&Segment::Rest) {
            return self.fail(self.position, "'**' must be the last segment");
        }
        match self.peek() {
            Some('*') => {
                self.take('*');
                let segment = if self.take('*') {
                    Segment::Rest
                } else {
                    Segment::One
                };
                self.template.segments.push(segment);
                Ok(())
            }
            Some('{') if inside_variable => {
                self.fail(self.position, "a variable cannot hold a variable")
            }
            Some('{') => self.variable(),
            _ => {
                let literal = self.literal("a segment")?.to_owned();
                self.template.segments.push(Segment::Literal(literal));
                Ok(())
            }
        }
    }

    fn variable(&mut self) -> Result<(), SyntaxError> {
        self.take('{');
        let position = self.position;
        let path = self.field_path()?;
        let start = self.template.segments.len();
        if self.take('=') {
            self.segments(true)?;
        } else {
            self.template.segments.push(Segment::One);
        }
        if !self.take('}') {
            return self.unexpected("'}'");
        }
        if self
            .template
            .variables
            .iter()
            .any(|other| other.path == path)
        {
            return self.fail(position, format!("'{}' is bound twice", path.join(".")));
        }
        let end = self.template.segments.len();
        self.template.variables.push(Variable { path, start, end });
        Ok(())
    }

    fn field_path(&mut self) -> Result<Vec<String>, SyntaxError> {
        let mut path = vec![self.identifier()?];
        while self.take('.') {
            path.push(self.identifier()?);
        }
        Ok(path)
    }

    fn identifier(&mut self) -> Result<String, SyntaxError> {
        let length = self
            .rest()
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let length = length.unwrap_or(self.rest().len());
        let name = self.rest()[..length].to_owned();
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return self.unexpected("a field name");
        }
        self.position += length;
        Ok(name)
    }

    fn literal(&mut self, wanted: &str) -> Result<&'a str, SyntaxError> {
        let start = self.position;
        while let Some(next) = self.peek() {
            if next == '%' {
                let hex = self.rest().as_bytes().get(1..3);
                if !hex.is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) {
                    return self.fail(self.position, "'%' must be followed by two hex digits");
                }
                self.position += 3;
            } else if next.is_ascii_alphanumeric() || "-._~!$&'()+,;@".contains(next) {
                self.position += 1;
            } else {
                break;
            }
        }
        if self.position == start {
            return self.unexpected(wanted);
        }
        Ok(&self.text[start..self.position])
    }

    fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.position += wanted.len_utf8();
        }
        found
    }

    fn unexpected<T>(&self, wanted: &str) -> Result<T, SyntaxError> {
        let found = self
            .peek()
            .map_or("the end".to_owned(), |c| format!("'{c}'"));
        self.fail(self.position, format!("expected {wanted}, found {found}"))
    }

    fn fail<T>(&self, position: usize, message: impl Into<String>) -> Result<T, SyntaxError> {
        let column = self.text[..position].chars().count() + 1;
        Err(SyntaxError {
            column,
            message: message.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn accepts(text: &str, shape: &str, variables: &[(&str, usize, usize)]) {
        let template = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(template.shape(), shape, "{text}");
        let found: Vec<_> = template
            .variables
            .iter()
            .map(|v| (v.path.join("."), v.start, v.end))
            .collect();
        let wanted: Vec<_> = variables
            .iter()
            .map(|v| (v.0.to_owned(), v.1, v.2))
            .collect();
        assert_eq!(found, wanted, "{text}");
    }

    #[test]
    fn takes_every_form_of_the_grammar() {
        accepts("/", "", &[]);
        accepts("/v1/airports", "/v1/airports", &[]);
        accepts("/v1/itineraries:search", "/v1/itineraries:search", &[]);
        accepts(
            "/v1/flights/{flight_id}",
            "/v1/flights/*",
            &[("flight_id", 2, 3)],
        );
        accepts(
            "/v1/flights/{flight_id}:watch",
            "/v1/flights/*:watch",
            &[("flight_id", 2, 3)],
        );
        accepts("/v1/{name=messages/*}", "/v1/messages/*", &[("name", 1, 3)]);
        accepts(
            "/{x=a/*}/b/{y=*}/c",
            "/a/*/b/*/c",
            &[("x", 0, 2), ("y", 3, 4)],
        );
        accepts("/{x=**}:verb", "/**:verb", &[("x", 0, 1)]);
        accepts(
            "/v3/{path.of.field=files/**}",
            "/v3/files/**",
            &[("path.of.field", 1, 3)],
        );
        accepts("/*/a~b_c.d-e/%7Bx/**", "/*/a~b_c.d-e/%7Bx/**", &[]);
    }

    #[test]
    fn refuses_what_the_grammar_does_not_allow() {
        let cases = [
            ("", "column 1: expected '/', found the end"),
            ("//", "column 2: expected a segment, found '/'"),
            ("a/b", "column 1: expected '/', found 'a'"),
            ("v1/{name}", "column 1: expected '/', found 'v'"),
            ("/a/", "column 4: expected a segment, found the end"),
            ("/a//b", "column 4: expected a segment, found '/'"),
            ("/{}", "column 3: expected a field name, found '}'"),
            ("/a/{", "column 5: expected a field name, found the end"),
            ("/a/{var", "column 8: expected '}', found the end"),
            ("/a/{var.", "column 9: expected a field name, found the end"),
            ("/{name..x}", "column 8: expected a field name, found '.'"),
            ("/{field-name}", "column 8: expected '}', found '-'"),
            ("/{1}", "column 3: expected a field name, found '1'"),
            ("/{field.1}", "column 9: expected a field name, found '1'"),
            ("/:verb", "column 2: expected a segment, found ':'"),
            ("/a/:verb", "column 4: expected a segment, found ':'"),
            ("/a/{x=var:verb}", "column 10: expected '}', found ':'"),
            (
                "/foo/bar:baz/buzz",
                "column 13: expected the end, found '/'",
            ),
            ("/{var}:", "column 8: expected a verb, found the end"),
            (
                "/{id}:verb:subverb",
                "column 11: expected the end, found ':'",
            ),
            ("/a{x}", "column 3: expected the end, found '{'"),
            ("/{x}b", "column 5: expected the end, found 'b'"),
            ("/a{x}b", "column 3: expected the end, found '{'"),
            ("/{x}a{y}", "column 5: expected the end, found 'a'"),
            ("/a/{var=/b}", "column 9: expected a segment, found '/'"),
            ("/foo/bar*", "column 9: expected the end, found '*'"),
            ("/foo/bar/***", "column 12: expected the end, found '*'"),
            ("/a/**/**", "column 7: '**' must be the last segment"),
            ("/a/**/*", "column 7: '**' must be the last segment"),
            ("/a/**/foo/**", "column 7: '**' must be the last segment"),
            ("/foo/**/bar", "column 9: '**' must be the last segment"),
            ("/{x=**}/b", "column 9: '**' must be the last segment"),
            ("/foo?a=b", "column 5: expected the end, found '?'"),
            ("/foo bar", "column 5: expected the end, found ' '"),
            ("%", "column 1: expected '/', found '%'"),
            ("%2", "column 1: expected '/', found '%'"),
            ("/%2", "column 2: '%' must be followed by two hex digits"),
            ("/a%2z", "column 3: '%' must be followed by two hex digits"),
            ("/é", "column 2: expected a segment, found 'é'"),
            (
                "/{var=a/{nested=b}}",
                "column 9: a variable cannot hold a variable",
            ),
            ("/{a}/{a}", "column 7: 'a' is bound twice"),
        ];
        for (text, wanted) in cases {
            let error = parse(text).expect_err(text);
            assert_eq!(error.to_string(), wanted, "{text}");
        }
    }
}
