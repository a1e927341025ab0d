//! What became of mails, and why something did not work: told to the log, the latter also kept for AT+MAILERR?.
//!
//! Not here: the result codes, which say what did not work.

use super::{Modem, Output};
use crate::drive::path::Path;
use crate::inbox::saving::NotSaved;
use crate::limits::REASON_OCTETS_MAX;
use crate::outbox::Outbox;
use crate::{inbox, outbox};

/// What became of a mail.
#[derive(Default)]
pub(crate) struct Outcome {
    /// The result code, without the application before it.
    words: String,
    /// Why, or where it is now.
    reason: String,
}

impl Outcome {
    fn new(words: &str, mut reason: String) -> Self {
        reason.truncate(reason.floor_char_boundary(REASON_OCTETS_MAX));
        Self { words: words.split_once(": ").map_or(words, |(_, words)| words).to_owned(), reason }
    }

    /// For the log. `mail`: which one it is about, if one is.
    fn line(&self, mail: &str) -> String {
        let Self { words, reason } = self;
        if mail.is_empty() { format!("{words}: {reason}") } else { format!("{words}: {reason} ({mail})") }
    }

    /// For a field of a response: no quotes inside, and no octet that ends a line.
    pub(crate) fn fields(&self) -> [String; 2] {
        [&self.words, &self.reason].map(|field| field.replace('"', "'").replace(char::is_control, " "))
    }
}

impl Modem {
    /// Reports `words`, a result code, with its reason. `mail`: which one it is about.
    fn report(&mut self, words: &str, reason: String, mail: &str) {
        let failure = Outcome::new(words, reason);
        self.outputs.push_back(Output::Report(failure.line(mail)));
        self.last_failure = failure;
    }

    /// That a mail went, by what the server said to it.
    pub(super) fn report_sent(&mut self, reply: &str) {
        let where_to = self.server_that(&format!("took it: {reply}"));
        let line = Outcome::new(outbox::outcome::SUCCESS, where_to).line(&self.mail_composed_last());
        self.outputs.push_back(Output::Done(line));
    }

    /// That a mail is saved, with its attachments beside it.
    pub(super) fn report_saved(&mut self, file: &Path, id: u32) {
        let line = Outcome::new(inbox::outcome::SUCCESS, format!("saved as {file}")).line(&message(id));
        self.outputs.push_back(Output::Done(line));
    }

    /// Why a mail does not go, or not to somebody: what the server did.
    pub(super) fn report_sending(&mut self, words: &str, deed: &str) {
        let reason = self.server_that(deed);
        self.report(words, reason, &self.mail_composed_last());
    }

    fn server_that(&self, deed: &str) -> String {
        let Outbox { called, server, .. } = &self.outbox;
        match called {
            Some(called) => format!("{called} {deed}"),
            None => format!("{}:{} {deed}", server.name, server.port),
        }
    }

    fn mail_composed_last(&self) -> String {
        let recipient = self.outbox.draft.recipients.iter().next();
        let recipient = recipient.map_or("", |(_, _, mailbox)| mailbox.address.as_str());
        format!("mail {} to {recipient}", self.mails_composed)
    }

    /// Why a mail, or a session, could not even begin.
    pub(crate) fn report_not_begun(&mut self, words: &str, reason: impl Into<String>) {
        self.report(words, reason.into(), "");
    }

    /// Why a session ended, or a request was refused: what the server did.
    pub(super) fn report_session(&mut self, words: &str, deed: &str) {
        let account = self.inbox.account.as_ref();
        let named = account.map(|account| format!("{}:{}", account.server, account.port));
        let called = self.inbox.called.clone().or(named).unwrap_or_default();
        self.report(words, format!("{called} {deed}"), "");
    }

    /// Why a file did not get across the line: for the log alone, since it is no outcome of a mail.
    pub(super) fn report_transfer(&mut self, reason: &str) {
        self.outputs.push_back(Output::Report(format!("FILE TRANSFER: {reason}")));
    }

    /// Why a mail is not saved.
    pub(super) fn report_not_saved(&mut self, words: &str, reason: NotSaved, id: u32) {
        self.report(words, reason.to_string(), &message(id));
    }
}

fn message(id: u32) -> String {
    format!("message {id}")
}
