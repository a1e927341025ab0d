//! Store and forward: mail for an upstream with `delivery = "queued"` is taken when it is safe on the disk, and sent by
//! itself.
//!
//! The modem speaks SMTP with [`intake`], a server in this process that writes what it hears to the [`spool`]. A
//! [`worker`] sends it, tries again what did not go, and gives up at a deadline. What failed is told in the log and in a
//! file ([`bounce`]). The owner's [`orders`] come through the directory, from `mailmodem queue` ([`command`]).
//!
//! **Never twice for one acceptance.** Before the last octets of a message go out, with the dot that ends it, the disk
//! says that they may have gone. That word is taken back when the server's answer is known. What is found with it after
//! a crash, or whose answer never came, is held: its fate is unknown, and only the owner has it sent again.
//!
//! All of it asks nothing of the machine but what [`place`] has, so that the simulation can take the power from it.
//!
//! Not here: how a mail is carried to a server ([`crate::outgoing`]).

mod attempt;
mod bounce;
pub mod command;
mod entrance;
mod envelope;
mod index;
mod intake;
mod orders;
pub mod place;
mod spool;
mod verdict;
pub mod worker;

#[cfg(test)]
mod tests;

pub use attempt::Attempt;
pub use entrance::Entrance;
pub use index::Queue;
pub use spool::{BadId, Id};

use crate::limits::{
    QUEUE_DEADLINE, QUEUE_MAILS_MAX, QUEUE_OCTETS_MAX, QUEUE_RETRY_WAIT_MAX, QUEUE_RETRY_WAIT_MIN,
};
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// How a queue is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where.
    pub directory: PathBuf,
    /// Most mails in it.
    pub mails_max: usize,
    /// Most octets of mails in it; what failed and is kept beside its report may take as many again.
    pub octets_max: u64,
    /// How long a mail is tried.
    pub deadline: Duration,
    /// How soon it is tried again; the wait doubles each time.
    pub retry_wait_min: Duration,
    /// How long such a wait becomes.
    pub retry_wait_max: Duration,
    /// What becomes of a mail that may have been taken.
    pub when_fate_unknown: WhenFateUnknown,
}

impl Settings {
    /// A queue in this directory, as it is when nothing is said.
    #[must_use]
    pub const fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            mails_max: QUEUE_MAILS_MAX,
            octets_max: QUEUE_OCTETS_MAX,
            deadline: QUEUE_DEADLINE,
            retry_wait_min: QUEUE_RETRY_WAIT_MIN,
            retry_wait_max: QUEUE_RETRY_WAIT_MAX,
            when_fate_unknown: WhenFateUnknown::Hold,
        }
    }
}

/// What becomes of a mail that the server may have taken, and may not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenFateUnknown {
    /// It is held for its owner to decide.
    #[default]
    Hold,
    /// It is sent again: better twice than never.
    Resend,
}
