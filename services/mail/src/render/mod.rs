//! Writes mails: subject, text, HTML and calendar from what happened.
//!
//! A mail is a folder below `templates/`. Templates are checked when this is compiled, and HTML is escaped
//! by its ending; nothing in it is fetched from anywhere, so that it looks the same in a client that shows no images.

mod calendar;
mod view;
mod zone;

use askama::Template;

use self::view::View;
use crate::domain::{
    event::{Event, Flight},
    letter::{Calendar, Letter, one_line},
    mail::Kind,
};

macro_rules! template {
    ($name:ident, $path:tt) => {
        #[derive(Template)]
        #[template(path = $path)]
        struct $name<'a> {
            view: &'a View,
        }
    };
}

template!(ConfirmedSubject, "trip_confirmed/subject.txt");
template!(ConfirmedText, "trip_confirmed/body.txt");
template!(ConfirmedHtml, "trip_confirmed/body.html");
template!(CancelledSubject, "trip_cancelled/subject.txt");
template!(CancelledText, "trip_cancelled/body.txt");
template!(CancelledHtml, "trip_cancelled/body.html");
template!(ReminderSubject, "departure_reminder/subject.txt");
template!(ReminderText, "departure_reminder/body.txt");
template!(ReminderHtml, "departure_reminder/body.html");

/// The subject line of the mail about an event. It depends on the event alone, so that it can be recorded
/// before anybody is asked for the flights.
///
/// # Errors
/// Where the template fails.
pub fn subject(event: &Event) -> Result<String, askama::Error> {
    let view = &View::new(event, &[]);
    let subject = match event.kind {
        Kind::TripConfirmed => ConfirmedSubject { view }.render(),
        Kind::TripCancelled => CancelledSubject { view }.render(),
        Kind::DepartureReminder => ReminderSubject { view }.render(),
    };
    Ok(one_line(&subject?))
}

/// What a letter needs beside its event.
#[derive(Clone, Copy, Debug)]
pub struct Occasion<'a> {
    /// Id of the mail.
    pub mail: &'a str,
    /// Address of the sender, who organises what is in the calendar.
    pub sender: &'a str,
    /// When the event happened, Unix milliseconds.
    pub created: i64,
    /// When the letter is written, Unix milliseconds.
    pub date: i64,
}

/// Writes the mail about an event. There is one flight, or none that is known, for each of its bookings.
///
/// # Errors
/// Where a template fails.
pub fn letter(
    occasion: &Occasion<'_>,
    event: &Event,
    flights: &[Option<Flight>],
) -> Result<Letter, askama::Error> {
    let calendar = calendar(occasion, event, flights);
    let view = View {
        title: subject(event)?,
        calendar: calendar.is_some(),
        ..View::new(event, flights)
    };
    let view = &view;
    let (text, html) = match event.kind {
        Kind::TripConfirmed => (
            ConfirmedText { view }.render()?,
            ConfirmedHtml { view }.render()?,
        ),
        Kind::TripCancelled => (
            CancelledText { view }.render()?,
            CancelledHtml { view }.render()?,
        ),
        Kind::DepartureReminder => (
            ReminderText { view }.render()?,
            ReminderHtml { view }.render()?,
        ),
    };
    Ok(Letter {
        mail: occasion.mail.to_owned(),
        recipient: event.trip.recipient.clone(),
        subject: view.title.clone(),
        text,
        html,
        calendar,
        unsubscribable: event.kind == Kind::DepartureReminder,
        date: occasion.date,
    })
}

fn calendar(
    occasion: &Occasion<'_>,
    event: &Event,
    flights: &[Option<Flight>],
) -> Option<Calendar> {
    let purpose = match event.kind {
        Kind::TripConfirmed => calendar::Purpose::Publish,
        Kind::TripCancelled => calendar::Purpose::Cancel,
        Kind::DepartureReminder => return None,
    };
    let text = calendar::write(purpose, occasion, &event.trip, flights)?;
    Some(Calendar {
        method: purpose.method(),
        text,
    })
}
