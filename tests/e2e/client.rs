//! The same walk with `skyway login`, `search`, `book`, `trips`, `trip` and `cancel`.

use crate::support::cluster::Up;
use crate::support::day;
use crate::support::terminal::Terminal;

#[tokio::test]
async fn search_book_see_and_cancel() {
    let up = Up::shared().await;
    let terminal = Terminal::new(&up, "correct horse battery");
    terminal
        .prints(&["login", "terminal@example.com", "--sign-up"])
        .await;
    let table = terminal
        .prints(&[
            "search",
            "JFK",
            "SEA",
            &day(30),
            "--passengers",
            "2",
            "--max-stops",
            "0",
        ])
        .await;
    assert!(
        table.contains("JFK") && table.contains("SEA") && table.contains("USD"),
        "{table}"
    );

    let booked = terminal
        .json(&[
            "book",
            "1",
            "--passenger",
            "Ada Lovelace",
            "--passenger",
            "Grace Hopper",
        ])
        .await;
    assert_eq!(booked["state"], "CONFIRMED");
    let id = booked["tripId"].as_str().unwrap();
    let trips = terminal.prints(&["trips"]).await;
    assert!(trips.contains(id) && trips.contains("CONFIRMED"), "{trips}");
    let trip = terminal.prints(&["trip", id]).await;
    for part in [
        booked["bookings"][0]["locator"].as_str().unwrap(),
        "Ada Lovelace",
        "trip.confirmed",
    ] {
        assert!(trip.contains(part), "{part} in {trip}");
    }
    let cancelled = terminal.json(&["cancel", id]).await;
    assert_eq!(cancelled["state"], "CANCELLED");
    terminal.prints(&["logout"]).await;
    let refused = terminal.run(&["trips"]).await;
    assert_eq!(refused.code, Some(1), "{}", refused.stdout);
    assert!(
        refused.stderr.contains("skyway login"),
        "{}",
        refused.stderr
    );
}

#[tokio::test]
async fn a_refusal_is_one_line() {
    let up = Up::shared().await;
    let terminal = Terminal::new(&up, "correct horse battery");
    let refused = terminal.run(&["search", "JFK", "JFK1", &day(3)]).await;
    assert_eq!(refused.code, Some(1));
    assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("destination"), "{}", refused.stderr);
}
