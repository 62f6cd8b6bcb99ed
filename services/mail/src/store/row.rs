//! Rows to and from the types of the domain.

use sea_orm::{ActiveValue::Set, DbErr};

use super::entity::mail;
use crate::domain::mail::{Mail, NewMail, State};

/// Characters of an error that are kept.
const MOST_ERROR: usize = 500;

pub(super) fn mail(row: mail::Model) -> Result<Mail, DbErr> {
    let unknown = |name: &str| DbErr::Type(format!("{name:?} is no kind and no state of a mail"));
    let kind = match row.kind.as_str() {
        "" => None,
        name => Some(name.parse().map_err(|()| unknown(name))?),
    };
    Ok(Mail {
        kind,
        state: row.state.parse().map_err(|()| unknown(&row.state))?,
        id: row.mail_id,
        trip: row.trip_id,
        recipient: row.recipient,
        subject: row.subject,
        attempts: attempts(row.attempts),
        last_error: row.last_error,
        created: row.created,
        updated: row.updated,
        sent: row.sent,
        trace: row.trace_id,
    })
}

pub(super) fn mails(rows: Vec<mail::Model>) -> Result<Vec<Mail>, DbErr> {
    rows.into_iter().map(mail).collect()
}

/// Texts are cut to what their columns hold: a message that could not be read may hold anything.
pub(super) fn new_mail(mail: &NewMail, now: i64) -> mail::ActiveModel {
    mail::ActiveModel {
        mail_id: Set(mail.id.clone()),
        kind: Set(mail.kind.map_or("", |kind| kind.as_str()).to_owned()),
        state: Set(State::Queued.as_str().to_owned()),
        trip_id: Set(cut(&mail.trip, 64)),
        user_id: Set(cut(&mail.user, 64)),
        recipient: Set(cut(&mail.recipient, 320)),
        subject: Set(cut(&mail.subject, 200)),
        attempts: Set(0),
        unclear: Set(0),
        last_error: Set(String::new()),
        created: Set(mail.created),
        updated: Set(now),
        sent: Set(None),
        trace_id: Set(mail.trace.as_deref().map(|trace| cut(trace, 32))),
        claim_owner: Set(String::new()),
        claim_until: Set(0),
    }
}

/// An error as its column holds it.
pub(super) fn error(text: &str) -> String {
    cut(text, MOST_ERROR)
}

/// It only ever grows from zero.
pub(super) fn attempts(number: i32) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

/// The first characters of a text. PostgreSQL holds no NUL.
fn cut(text: &str, most: usize) -> String {
    text.chars()
        .filter(|character| *character != '\0')
        .take(most)
        .collect()
}
