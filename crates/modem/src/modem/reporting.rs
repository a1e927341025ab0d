//! Why something did not work: told to the log, and kept for AT+MAILERR?.
//!
//! Not here: the result codes, which say what did not work.

use super::{Modem, Output};
use crate::inbox::saving::NotSaved;
use crate::limits::REASON_OCTETS_MAX;

/// The last outcome that was no success.
#[derive(Default)]
pub(crate) struct LastFailure {
    /// The result code, without the application before it.
    words: String,
    reason: String,
}

impl LastFailure {
    /// For a field of a response: no quotes inside, and no octet that ends a line.
    pub(crate) fn fields(&self) -> [String; 2] {
        [&self.words, &self.reason].map(|field| field.replace('"', "'").replace(char::is_control, " "))
    }
}

impl Modem {
    /// Reports `words`, a result code, with its reason. `mail`: which one it is about.
    fn report(&mut self, words: &str, mut reason: String, mail: &str) {
        let words = words.split_once(": ").map_or(words, |(_, words)| words).to_owned();
        reason.truncate(reason.floor_char_boundary(REASON_OCTETS_MAX));
        let about = if mail.is_empty() { String::new() } else { format!(" ({mail})") };
        self.outputs.push_back(Output::Report(format!("{words}: {reason}{about}")));
        self.last_failure = LastFailure { words, reason };
    }

    /// Why a mail does not go, or not to somebody: what the server did.
    pub(super) fn report_sending(&mut self, words: &str, deed: &str) {
        let reason = format!("{}:{} {deed}", self.outbox.server.name, self.outbox.server.port);
        let recipient = self.outbox.draft.recipients.iter().next();
        let recipient = recipient.map_or("", |(_, _, mailbox)| mailbox.address.as_str());
        let mail = format!("mail {} to {recipient}", self.mails_composed);
        self.report(words, reason, &mail);
    }

    /// Why a mail, or a session, could not even begin.
    pub(crate) fn report_not_begun(&mut self, words: &str, reason: impl Into<String>) {
        self.report(words, reason.into(), "");
    }

    /// Why a session ended, or a request was refused: what the server did.
    pub(super) fn report_session(&mut self, words: &str, deed: &str) {
        let account = self.inbox.account.as_ref();
        let place = account.map(|account| format!("{}:{}", account.server, account.port));
        self.report(words, format!("{} {deed}", place.unwrap_or_default()), "");
    }

    /// Why a file did not get across the line: for the log alone, since it is no outcome of a mail.
    pub(super) fn report_transfer(&mut self, reason: &str) {
        self.outputs.push_back(Output::Report(format!("FILE TRANSFER: {reason}")));
    }

    /// Why a mail is not saved.
    pub(super) fn report_not_saved(&mut self, words: &str, reason: NotSaved, id: u32) {
        self.report(words, reason.to_string(), &format!("message {id}"));
    }
}
