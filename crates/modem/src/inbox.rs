//! What comes in: the account, the session, and the mail being saved.
//!
//! Not here: the commands ([`crate::command`]), and POP3 itself ([`mail::pop3`]).

pub(crate) mod outcome;
pub(crate) mod saving;

use crate::drive::Letter;
use crate::drive::path::Path;
use crate::modem::LinkId;
use mail::machine::Instant;
use mail::mime::extract::{Extractor, Piece, Summary};
use mail::pop3::client::Client;
use mail::sasl::Credentials;
use saving::Saving;

#[derive(Default)]
pub(crate) struct Inbox {
    /// Survives every session.
    pub(crate) account: Option<Account>,
    pub(crate) session: Session,
    /// Who was called for the last session, if not the account's server.
    pub(crate) called: Option<String>,
    /// The second that names the folder of the mail being saved.
    pub(crate) folder_second: Instant,
    /// Where the last mail was saved, and the second that its folder is named by.
    pub(crate) last_folder: Option<(Letter, Instant)>,
    /// The mail saved last, for AT+POP3READ.
    pub(crate) last_saved: Option<Path>,
}

/// What AT+POP3SRV sets.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) server: String,
    pub(crate) port: u16,
    pub(crate) credentials: Credentials,
}

impl Account {
    /// Where POP3 servers listen when nothing else is said (RFC 1939 §3).
    pub(crate) const PORT: u16 = 110;
}

#[derive(Default)]
pub(crate) enum Session {
    #[default]
    None,
    /// The link is being opened, until then at the latest.
    Opening(LinkId, Instant),
    Open(Box<Open>),
    /// It ended while nothing was asked of it, and the terminal has not been told: the line to tell it with.
    Over(String),
}

pub(crate) struct Open {
    pub(crate) link: LinkId,
    pub(crate) client: Client,
    /// What the text that comes in is for.
    pub(crate) text: Text,
}

/// What becomes of a text that the server sends.
pub(crate) enum Text {
    /// None is due.
    None,
    /// Its header is shown.
    Header(Box<HeaderReader>),
    /// The message of this number is saved.
    Saved(u32, Box<Saving>),
}

impl Inbox {
    pub(crate) fn open(&mut self) -> Option<&mut Open> {
        match &mut self.session {
            Session::Open(open) => Some(open),
            Session::None | Session::Opening(..) | Session::Over(_) => None,
        }
    }

    /// Whether there is a session, logging in included.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.session, Session::Opening(..) | Session::Open(_))
    }

    /// Which message AT+POP3GET is saving, and on which drive, while it runs.
    pub(crate) fn saving(&self) -> Option<(u32, Letter)> {
        match &self.session {
            Session::Open(open) => match &open.text {
                Text::Saved(id, saving) => Some((*id, saving.letter())),
                Text::None | Text::Header(_) => None,
            },
            Session::None | Session::Opening(..) | Session::Over(_) => None,
        }
    }

    /// Whether AT+POP3GET runs.
    pub(crate) fn is_getting(&self) -> bool {
        self.saving().is_some()
    }
}

/// Reads a header section that arrives in portions.
#[derive(Default)]
pub(crate) struct HeaderReader {
    extractor: Extractor,
    summary: Summary,
}

impl HeaderReader {
    pub(crate) fn push(&mut self, octets: &[u8]) {
        let Self { extractor, summary } = self;
        extractor.push(octets, &mut |piece| keep_summary(summary, piece));
    }

    pub(crate) fn finish(self) -> Summary {
        let Self { extractor, mut summary } = self;
        extractor.finish(&mut |piece| keep_summary(&mut summary, piece));
        summary
    }
}

fn keep_summary(summary: &mut Summary, piece: Piece<'_>) {
    if let Piece::Header(header) = piece {
        *summary = header;
    }
}

/// `Subject: text`, or the bare tag of a field that is missing.
pub(crate) fn header_line(tag: &str, value: &str) -> String {
    if value.is_empty() { format!("{tag}:") } else { format!("{tag}: {value}") }
}
