//! What is kept of a mail beside its octets: from whom, to whom by which way, and how far it has come.
//!
//! Not here: where it is kept ([`super::spool`]).

use jiff::Timestamp;
use modem::modem::Protocol;
use modem::route::Call;
use serde::{Deserialize, Serialize};

/// The envelope of a queued mail, as it is written beside it. It holds no password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Envelope {
    /// The name of the rule it goes by.
    pub(crate) upstream: String,
    /// The line it came from.
    pub(crate) line: String,
    /// The server that the terminal named.
    pub(crate) server: String,
    /// Its port.
    pub(crate) port: u16,
    /// How the modem called itself.
    pub(crate) hello_name: String,
    /// The envelope's sender; empty for the null path.
    pub(crate) sender: String,
    /// Its recipients, each once.
    pub(crate) recipients: Vec<Recipient>,
    /// Size of the message.
    pub(crate) octets: u64,
    /// Whether it has octets above 127.
    pub(crate) eight_bit: bool,
    /// When it was taken.
    pub(crate) accepted_at: Timestamp,
    /// Since when it is tried: since it was taken, or since its owner had it tried again.
    pub(crate) tried_since: Timestamp,
    /// How often it was tried.
    pub(crate) attempts: u32,
    /// When it is tried next.
    pub(crate) next_try_at: Timestamp,
    /// Why it did not go the last time.
    pub(crate) words: Option<String>,
}

/// One of a mail's recipients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recipient {
    /// The bare address.
    pub(crate) address: String,
    /// What became of it.
    pub(crate) fate: Fate,
    /// Why it was refused the last time, or for good.
    pub(crate) words: Option<String>,
}

/// What became of the mail for one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Fate {
    /// It is still to be sent, if the mail's own fate is not unknown.
    Waiting,
    /// The server has it.
    Sent,
    /// It never will be.
    Failed,
}

impl Envelope {
    /// The recipients of this fate.
    pub(crate) fn having(&self, fate: Fate) -> impl Iterator<Item = &Recipient> {
        self.recipients.iter().filter(move |recipient| recipient.fate == fate)
    }

    /// Whether somebody is still to get it.
    pub(crate) fn waits(&self) -> bool {
        self.having(Fate::Waiting).next().is_some()
    }

    /// Whether somebody never will.
    pub(crate) fn has_failed(&self) -> bool {
        self.having(Fate::Failed).next().is_some()
    }

    /// The call to those who are still to get it.
    pub(crate) fn call(&self) -> Call {
        Call {
            protocol: Protocol::Smtp,
            server: self.server.clone(),
            port: self.port,
            user: None,
            sender: (!self.sender.is_empty()).then(|| self.sender.clone()),
            recipients: self.having(Fate::Waiting).map(|recipient| recipient.address.clone()).collect(),
        }
    }
}
