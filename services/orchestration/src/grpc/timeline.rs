//! A trip's timeline: the lines of its log, with its mails between them where they belong.

use contracts::{
    mail::v1::{Mail, MailState},
    orchestration::v1::{TimelineEntry, TripState},
};
use prost_types::Timestamp;

/// Puts an entry for each mail behind the last line that is not later. Lines keep their order, also
/// where the clocks of the replicas that wrote them disagree.
pub(super) fn with_mails(mut timeline: Vec<TimelineEntry>, mails: &[Mail]) -> Vec<TimelineEntry> {
    for mail in mails {
        let mut entry = entry(mail);
        let time = instant(entry.time.as_ref());
        let before = |line: &TimelineEntry| instant(line.time.as_ref()) <= time;
        let place = timeline.iter().rposition(before).map_or(0, |last| last + 1);
        if let Some(last) = place.checked_sub(1).and_then(|last| timeline.get(last)) {
            entry.state = last.state;
        }
        timeline.insert(place, entry);
    }
    timeline
}

fn instant(time: Option<&Timestamp>) -> (i64, i32) {
    time.map_or((0, 0), |time| (time.seconds, time.nanos))
}

/// How far a mail is, as something that happened.
fn entry(mail: &Mail) -> TimelineEntry {
    let event = match mail.state() {
        MailState::Unspecified | MailState::Queued => "mail.queued",
        MailState::Sending => "mail.sending",
        MailState::Sent => "mail.sent",
        MailState::Dead => "mail.dead",
    };
    let detail = match mail.state() {
        MailState::Dead => &mail.last_error,
        _ => &mail.subject,
    };
    TimelineEntry {
        time: mail.send_time.or(mail.update_time).or(mail.create_time),
        event: event.to_owned(),
        state: TripState::Unspecified.into(),
        attempt: mail.attempts.max(1),
        detail: detail.clone(),
        trace_id: mail.trace_id.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp { seconds, nanos: 0 }
    }

    fn line(seconds: i64, event: &str, state: TripState) -> TimelineEntry {
        TimelineEntry {
            time: Some(at(seconds)),
            event: event.to_owned(),
            state: state.into(),
            ..TimelineEntry::default()
        }
    }

    fn mail(state: MailState, seconds: i64) -> Mail {
        Mail {
            state: state.into(),
            subject: "subject".to_owned(),
            last_error: "error".to_owned(),
            update_time: Some(at(seconds)),
            ..Mail::default()
        }
    }

    #[test]
    fn mails_stand_where_they_belong() {
        let lines = vec![
            line(10, "trip.confirmed", TripState::Confirmed),
            // Written by a replica whose clock is behind.
            line(9, "cancel", TripState::Cancelling),
            line(20, "trip.cancelled", TripState::Cancelled),
        ];
        let mails = [
            mail(MailState::Sent, 10),
            mail(MailState::Dead, 30),
            mail(MailState::Sending, 5),
        ];
        let timeline = with_mails(lines, &mails);
        let told: Vec<_> = timeline
            .iter()
            .map(|entry| (&*entry.event, entry.state(), &*entry.detail))
            .collect();
        assert_eq!(
            told,
            [
                ("mail.sending", TripState::Unspecified, "subject"),
                ("trip.confirmed", TripState::Confirmed, ""),
                ("cancel", TripState::Cancelling, ""),
                ("mail.sent", TripState::Cancelling, "subject"),
                ("trip.cancelled", TripState::Cancelled, ""),
                ("mail.dead", TripState::Cancelled, "error"),
            ]
        );
    }
}
