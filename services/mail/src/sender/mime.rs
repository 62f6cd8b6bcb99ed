//! Letters as MIME messages (RFC 5322, 2045, 2046).
//!
//! The same letter gives the same bytes, boundaries included, and its Message-ID follows from the mail's id: a mail
//! server or a reader that gets it twice can tell.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lettre::{
    Message,
    message::{
        Attachment, Mailbox, MultiPart, SinglePart,
        header::{ContentType, Header, HeaderName, HeaderValue},
    },
};

use crate::domain::{
    error::SendError,
    letter::{Letter, domain_of},
};

/// Whom all mails come from.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The sender.
    pub from: Mailbox,
    /// Where answers go; to the sender where there is none.
    pub reply_to: Option<Mailbox>,
}

impl Envelope {
    /// The sender's domain.
    pub(super) fn domain(&self) -> String {
        domain_of(self.from.email.as_ref())
    }

    /// Where people answer.
    fn answers(&self) -> &str {
        self.reply_to.as_ref().unwrap_or(&self.from).email.as_ref()
    }

    /// Wraps a letter.
    ///
    /// # Errors
    /// Where its recipient is no address.
    pub fn wrap(&self, letter: &Letter) -> Result<Message, SendError> {
        let to: lettre::Address = letter
            .recipient
            .parse()
            .map_err(|_| SendError::impossible("the recipient is no address"))?;
        let mut builder = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject.clone())
            .date(date(letter.date))
            .message_id(Some(self.message_id(&letter.mail)))
            .header(Field::<AutoSubmitted>::new("auto-generated"));
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        if letter.unsubscribable {
            let way = format!("<mailto:{}?subject=unsubscribe>", self.answers());
            builder = builder.header(Field::<ListUnsubscribe>::new(&way));
        }
        let parts = MultiPart::alternative()
            .boundary(boundary("alternative", &letter.mail))
            .singlepart(SinglePart::plain(letter.text.clone()))
            .singlepart(SinglePart::html(letter.html.clone()));
        let parts = match &letter.calendar {
            None => parts,
            Some(calendar) => {
                let kind = format!("text/calendar; charset=utf-8; method={}", calendar.method);
                let kind = ContentType::parse(&kind).map_err(unwrappable)?;
                MultiPart::mixed()
                    .boundary(boundary("mixed", &letter.mail))
                    .multipart(parts)
                    .singlepart(
                        Attachment::new("trip.ics".to_owned()).body(calendar.text.clone(), kind),
                    )
            }
        };
        builder.multipart(parts).map_err(unwrappable)
    }

    /// The Message-ID of a mail.
    #[must_use]
    pub fn message_id(&self, mail: &str) -> String {
        format!("<{}@{}>", atom(mail), self.domain())
    }
}

fn unwrappable(error: impl std::fmt::Display) -> SendError {
    SendError::impossible(format!("the mail cannot be written: {error}"))
}

/// An id as it can stand in a header: what an id has seldom is written as its code.
pub(super) fn atom(id: &str) -> String {
    let encoded = |byte: u8| {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            char::from(byte).to_string()
        } else {
            format!("={byte:02X}")
        }
    };
    id.bytes().map(encoded).collect()
}

/// At most 70 characters, as RFC 2046 has it; no line of a text begins with it by chance.
fn boundary(part: &str, mail: &str) -> String {
    let id: String = mail
        .chars()
        .filter(|character| character.is_ascii_alphanumeric() || *character == '-')
        .take(48)
        .collect();
    format!("_{part}_{id}_")
}

fn date(milliseconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default())
}

/// A header that lettre does not know.
#[derive(Clone)]
struct Field<N> {
    value: String,
    name: std::marker::PhantomData<N>,
}

impl<N> Field<N> {
    fn new(value: &str) -> Self {
        Self {
            value: value.to_owned(),
            name: std::marker::PhantomData,
        }
    }
}

/// The name of a header.
trait Name: Clone {
    const NAME: &'static str;
}

/// Tells automatic answerers not to answer (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Name for AutoSubmitted {
    const NAME: &'static str = "Auto-Submitted";
}

/// How to get no more mails of this kind (RFC 2369).
#[derive(Clone)]
struct ListUnsubscribe;

impl Name for ListUnsubscribe {
    const NAME: &'static str = "List-Unsubscribe";
}

impl<N: Name> Header for Field<N> {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str(N::NAME)
    }

    fn parse(value: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self::new(value))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Letter {
        Letter {
            mail: "t-1-confirmed".to_owned(),
            recipient: "ada@example.com".to_owned(),
            subject: "Hello".to_owned(),
            text: "Hello".to_owned(),
            html: "<p>Hello</p>".to_owned(),
            calendar: None,
            unsubscribable: false,
            date: 1_796_000_000_000,
        }
    }

    fn wrapped(letter: &Letter) -> Result<String, SendError> {
        let envelope = Envelope {
            from: "Skyway <trips@skyway.example>".parse().unwrap(),
            reply_to: Some("help@skyway.example".parse().unwrap()),
        };
        let message = envelope.wrap(letter)?;
        Ok(String::from_utf8(message.formatted()).unwrap())
    }

    /// The headers before the empty line, continued lines joined.
    fn headers(message: &str) -> Vec<String> {
        let head = message.split("\r\n\r\n").next().unwrap();
        let joined = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        joined.split("\r\n").map(str::to_owned).collect()
    }

    #[test]
    fn no_text_becomes_a_header() {
        let attack = "x\r\nBcc: eve@example.com\r\n\r\nbody";
        for letter in [
            Letter {
                subject: attack.to_owned(),
                ..letter()
            },
            Letter {
                mail: attack.to_owned(),
                ..letter()
            },
            Letter {
                text: attack.to_owned(),
                ..letter()
            },
            Letter {
                html: attack.to_owned(),
                ..letter()
            },
        ] {
            let message = wrapped(&letter).unwrap();
            let names: Vec<_> = headers(&message)
                .iter()
                .map(|line| line.split(':').next().unwrap().to_owned())
                .collect();
            let expected = [
                "From",
                "To",
                "Subject",
                "Date",
                "Message-ID",
                "Auto-Submitted",
                "Reply-To",
                "MIME-Version",
                "Content-Type",
            ];
            assert_eq!(names, expected, "{message}");
        }
        let refused = wrapped(&Letter {
            recipient: attack.to_owned(),
            ..letter()
        });
        assert_eq!(refused.unwrap_err().message, "the recipient is no address");
    }

    #[test]
    fn message_ids_are_the_same_for_every_attempt_and_different_for_every_mail() {
        let later = Letter {
            date: 1_796_000_100_000,
            ..letter()
        };
        for letter in [letter(), later] {
            let headers = headers(&wrapped(&letter).unwrap());
            assert!(
                headers.contains(&"Message-ID: <t-1-confirmed@skyway.example>".to_owned()),
                "{headers:?}"
            );
        }
        assert_eq!(atom("a.b<c>@d\n"), "a=2Eb=3Cc=3E=40d=0A");
    }

    #[test]
    fn only_what_nobody_asked_for_says_how_to_unsubscribe() {
        let has = |letter| {
            wrapped(&letter)
                .unwrap()
                .contains("List-Unsubscribe: <mailto:help@skyway.example?subject=unsubscribe>")
        };
        assert!(!has(letter()));
        assert!(has(Letter {
            unsubscribable: true,
            ..letter()
        }));
    }
}
