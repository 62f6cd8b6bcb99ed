//! Messages from the types of the domain.

use contracts::{
    mail::v1::{
        DeadLetter as DeadLetterMessage, Mail as MailMessage, MailKind, MailQueue, MailState,
    },
    operations::v1::AuditCheck,
};
use durable::queue::{DeadLetter, Depth};
use prost_types::Timestamp;

use crate::domain::{
    audit::Check,
    mail::{Kind, Mail, State},
};

pub(super) fn mail(mail: Mail) -> MailMessage {
    MailMessage {
        mail_id: mail.id,
        kind: mail.kind.map_or(MailKind::Unspecified, kind).into(),
        state: state(mail.state).into(),
        trip_id: mail.trip,
        recipient: mail.recipient,
        subject: mail.subject,
        attempts: mail.attempts,
        last_error: mail.last_error,
        create_time: Some(timestamp(mail.created)),
        update_time: Some(timestamp(mail.updated)),
        send_time: mail.sent.map(timestamp),
        trace_id: mail.trace.unwrap_or_default(),
    }
}

pub(super) fn mails(mails: Vec<Mail>) -> Vec<MailMessage> {
    mails.into_iter().map(mail).collect()
}

pub(super) fn depth(depth: &Depth, rate: f64) -> MailQueue {
    MailQueue {
        waiting: depth.waiting,
        delayed: depth.delayed,
        in_flight: depth.taken,
        dead: depth.dead,
        oldest_time: depth.oldest.map(timestamp),
        rate_per_second: rate,
    }
}

pub(super) fn dead_letter(letter: DeadLetter) -> DeadLetterMessage {
    DeadLetterMessage {
        id: letter.id,
        reason: letter.reason,
        attempts: letter.attempts,
        enqueue_time: Some(timestamp(letter.enqueued)),
        death_time: Some(timestamp(letter.died)),
        payload: letter.payload.into(),
    }
}

pub(super) fn check(check: Check) -> AuditCheck {
    AuditCheck {
        name: check.name.to_owned(),
        promise: check.promise.to_owned(),
        rows: check.rows,
        violations: check.violations,
        examples: check.examples,
    }
}

const fn kind(kind: Kind) -> MailKind {
    match kind {
        Kind::TripConfirmed => MailKind::TripConfirmed,
        Kind::TripCancelled => MailKind::TripCancelled,
        Kind::DepartureReminder => MailKind::DepartureReminder,
    }
}

const fn state(state: State) -> MailState {
    match state {
        State::Queued => MailState::Queued,
        State::Sending => MailState::Sending,
        State::Sent => MailState::Sent,
        State::Dead => MailState::Dead,
    }
}

fn timestamp(milliseconds: i64) -> Timestamp {
    Timestamp {
        seconds: milliseconds.div_euclid(1_000),
        nanos: i32::try_from(milliseconds.rem_euclid(1_000) * 1_000_000).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::mail::testing;

    #[test]
    fn only_a_mail_that_was_accepted_says_when() {
        let queued = mail(testing::mail("m"));
        assert_eq!(
            (queued.state(), queued.send_time),
            (MailState::Queued, None)
        );
        let sent = mail(Mail {
            state: State::Sent,
            sent: Some(1_500),
            ..testing::mail("m")
        });
        let accepted = Timestamp {
            seconds: 1,
            nanos: 500_000_000,
        };
        assert_eq!(sent.send_time, Some(accepted));
    }

    #[test]
    fn a_message_that_could_not_be_read_has_no_kind() {
        let poison = mail(Mail {
            kind: None,
            ..testing::mail("m")
        });
        assert_eq!(poison.kind(), MailKind::Unspecified);
    }
}
