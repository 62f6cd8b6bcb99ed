//! `mails`: what has been written to the traveller, and how far it is.

use serde_json::Value;

use super::format::instant;
use super::rest::Call;
use super::{Client, items, show, text};
use crate::cli::Mails;
use crate::table::{Align, Table};

impl Client<'_> {
    /// Lists mails.
    pub(super) async fn mails(&self, mails: &Mails) -> anyhow::Result<()> {
        let session = self.sessions.current(&self.rest).await?;
        let query = vec![("pageSize", mails.limit.to_string())];
        let call = Call::get("/v1/mails", query).by(&session.access_token);
        let answer = self.rest.call(&call).await?;
        show(mails.gateway.json, &answer, listing)
    }
}

/// A line per mail.
fn listing(answer: &Value) -> String {
    let mails = items(answer, "mails");
    if mails.is_empty() {
        return "No mails yet.".to_owned();
    }
    let mut table = Table::new([
        ("ORDERED (UTC)", Align::Left),
        ("STATE", Align::Left),
        ("TRIES", Align::Right),
        ("TO", Align::Left),
        ("SUBJECT", Align::Left),
        ("LAST ERROR", Align::Left),
    ]);
    for mail in mails {
        table.row([
            instant(&mail["createTime"]),
            text(mail, "state").to_owned(),
            mail["attempts"].as_u64().unwrap_or_default().to_string(),
            text(mail, "recipient").to_owned(),
            text(mail, "subject").to_owned(),
            text(mail, "lastError").to_owned(),
        ]);
    }
    let mut listing = table.text();
    if !text(answer, "nextPageToken").is_empty() {
        listing.push_str("There are older ones: --limit lists up to 100.\n");
    }
    listing
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn mails_have_a_line_each() {
        assert_eq!(listing(&json!({})), "No mails yet.");
        let mail = json!({
            "mailId": "t1-confirmed", "state": "QUEUED", "recipient": "ada@example.com", "attempts": 2,
            "subject": "Your trip to SEA", "lastError": "451 later", "createTime": "2026-12-01T15:00:00Z",
        });
        let listing = listing(&json!({"mails": [mail], "nextPageToken": "n"}));
        let lines: Vec<&str> = listing.lines().collect();
        assert_eq!(
            lines[1],
            "2026-12-01 15:00:00  QUEUED      2  ada@example.com  Your trip to SEA  451 later"
        );
        assert_eq!(lines[2], "There are older ones: --limit lists up to 100.");
    }
}
