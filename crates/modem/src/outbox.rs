//! What goes out: the mail being composed, and the one being sent.
//!
//! Not here: the commands that set it ([`crate::command`]), and SMTP itself ([`mail::smtp`]).

pub(crate) mod draft;
pub(crate) mod outcome;

use crate::modem::LinkId;
use crate::route::Letter;
use draft::{Draft, Server};
use mail::machine::Instant;
use mail::mime::header::Mailbox;
use mail::sasl::Credentials;
use mail::smtp::client::Client;

pub(crate) struct Outbox {
    /// Survives every send, as do the next two.
    pub(crate) server: Server,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) sender: Option<Mailbox>,
    /// The charset of the draft's octets (+SMTPBCH).
    pub(crate) charset: String,
    /// Cleared by a success, kept by any failure.
    pub(crate) draft: Draft,
    pub(crate) sending: Option<Sending>,
    /// Who was called for the mail that was sent last, if not the server.
    pub(crate) called: Option<String>,
}

/// A mail under way.
pub(crate) struct Sending {
    pub(crate) link: LinkId,
    pub(crate) stage: Stage,
}

/// How far it is.
pub(crate) enum Stage {
    /// The link is being opened, until then at the latest.
    Opening(Box<Letter>, Instant),
    Sending(Box<Client>),
}

impl Sending {
    pub(crate) fn client(&self) -> Option<&Client> {
        match &self.stage {
            Stage::Opening(..) => None,
            Stage::Sending(client) => Some(client),
        }
    }
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self {
            server: Server::default(),
            credentials: None,
            sender: None,
            charset: draft::CHARSET.to_owned(),
            draft: Draft::default(),
            sending: None,
            called: None,
        }
    }

    /// Whether a mail is being sent.
    pub(crate) const fn is_sending(&self) -> bool {
        self.sending.is_some()
    }

    pub(crate) fn reset_charset(&mut self) {
        draft::CHARSET.clone_into(&mut self.charset);
    }
}
