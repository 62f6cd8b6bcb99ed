//! What mailing needs of the world: a record of mails, somebody who takes them, somebody who knows flights.

use super::{
    audit::Check,
    error::{FlightsUnavailable, SendError, StoreError},
    event::Flight,
    letter::Letter,
    mail::{Claim, Cursor, Mail, NewMail, Viewer},
};

/// The sent-log: every mail that was ever taken from the queue. Each method is atomic and may be
/// called again after a failure. Times are Unix milliseconds.
pub trait Mails: Send + Sync + 'static {
    /// Records mails that are not recorded yet, as QUEUED, and gives all of these as they are recorded.
    fn record(
        &self,
        mails: &[NewMail],
        now: i64,
    ) -> impl Future<Output = Result<Vec<Mail>, StoreError>> + Send;

    /// Claims a mail for sending, until `until`. `owner` is never used for another claim. `seen` is its id and how many
    /// attempts there had been when it was seen last; where there have been more since, that costs some time.
    fn claim(
        &self,
        seen: (&str, u32),
        owner: &str,
        now: i64,
        until: i64,
    ) -> impl Future<Output = Result<Claim, StoreError>> + Send;

    /// The mail server has accepted it, whoever has claimed it meanwhile.
    fn sent(&self, id: &str, now: i64) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// It was not accepted and is to be tried again. Nothing happens where the claim is no longer the owner's.
    fn failed(
        &self,
        id: &str,
        owner: &str,
        error: &str,
        now: i64,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// It is given up, unless it has been accepted.
    fn dead(
        &self,
        id: &str,
        error: &str,
        now: i64,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// One that was given up at `died` is QUEUED again, its attempts counted anew. Nothing happens where that is no
    /// longer so: it may have been tried, and given up once more, meanwhile.
    fn revive(
        &self,
        id: &str,
        died: i64,
        now: i64,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// One that the viewer may see.
    fn mail(
        &self,
        viewer: &Viewer,
        id: &str,
    ) -> impl Future<Output = Result<Option<Mail>, StoreError>> + Send;

    /// Those that the viewer may see, the newest first, behind a cursor.
    fn mails(
        &self,
        viewer: &Viewer,
        after: Option<&Cursor>,
        limit: u64,
    ) -> impl Future<Output = Result<Vec<Mail>, StoreError>> + Send;

    /// Those about a trip, the oldest first.
    fn trip_mails(
        &self,
        trip: &str,
        limit: u64,
    ) -> impl Future<Output = Result<Vec<Mail>, StoreError>> + Send;

    /// Which of these are sent or dead.
    fn settled(
        &self,
        ids: &[String],
    ) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;

    /// Forgets mails that were sent or given up before this time, at most some; gives how many, and
    /// whether there may be more.
    fn purge(&self, before: i64) -> impl Future<Output = Result<(u64, bool), StoreError>> + Send;

    /// Checks what is promised of mails against what is recorded.
    fn audit(&self, now: i64) -> impl Future<Output = Result<Vec<Check>, StoreError>> + Send;
}

/// Somebody who takes mails: a mail server, or a directory.
pub trait Sender: Send + Sync + 'static {
    /// Hands a mail over, and gives what was said. It ends within [`SEND_TIMEOUT_MS`].
    fn send(&self, letter: &Letter) -> impl Future<Output = Result<String, SendError>> + Send;
}

/// The longest that handing over a mail may take, milliseconds.
pub const SEND_TIMEOUT_MS: i64 = 20_000;
/// How long a claim lasts, milliseconds: longer than handing over, with room for what is written then.
pub const CLAIM_MS: i64 = 30_000;

/// Somebody who knows flights.
pub trait Flights: Send + Sync + 'static {
    /// Flights in the order of their ids; none for those that there are not, or not any more.
    fn flights(
        &self,
        ids: &[String],
    ) -> impl Future<Output = Result<Vec<Option<Flight>>, FlightsUnavailable>> + Send;
}
