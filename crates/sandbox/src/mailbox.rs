//! Where mail goes: a message is written as it comes, and is there only when it is whole.
//!
//! Not here: mailboxes in directories, which are the program's. [`MemoryMailboxes`] is for tests and for a console
//! that shall leave nothing behind.

use crate::limits::MEMORY_OCTETS_MAX;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who sent a message, and to whom, as MAIL and RCPT said (RFC 5321 §2.3.1). Not part of its octets: whoever stores it
/// may add `Return-Path` and the like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Without angle brackets; empty for the null path.
    pub sender: String,
    /// Those accepted, in their order, at least one; without angle brackets. One may be there twice.
    pub recipients: Vec<String>,
}

/// Why a message cannot be stored. The sender is told 451, and may try again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotStored(pub String);

/// All mailboxes of the provider; each address has one.
pub trait Mailboxes: Send + Sync {
    /// Begins a delivery to each recipient of `envelope`.
    ///
    /// # Errors
    /// There is no place to write to.
    fn begin(&self, envelope: Envelope) -> Result<Box<dyn Delivery>, NotStored>;
}

/// A message that is coming in. Dropped before [`Self::commit`], it leaves no trace.
pub trait Delivery: Send {
    /// Adds a portion of the message: its octets as the client sent them, line ends CRLF.
    ///
    /// # Errors
    /// It could not be written; the message is lost, and the delivery should be dropped.
    fn write(&mut self, octets: &[u8]) -> Result<(), NotStored>;

    /// The message is whole: from here on it is in all its mailboxes.
    ///
    /// # Errors
    /// It is in none of them.
    fn commit(self: Box<Self>) -> Result<(), NotStored>;
}

/// A message as it was delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Who sent it to whom.
    pub envelope: Envelope,
    /// What was sent, octet for octet.
    pub octets: Vec<u8>,
}

/// Mailboxes in memory. A clone is one more handle of the same.
#[derive(Clone, Debug)]
pub struct MemoryMailboxes {
    mails: Arc<Mutex<Vec<Mail>>>,
    octets_max: usize,
}

impl Default for MemoryMailboxes {
    fn default() -> Self {
        Self::with_room(MEMORY_OCTETS_MAX)
    }
}

impl MemoryMailboxes {
    /// Mailboxes that hold `octets_max` of messages together.
    #[must_use]
    pub fn with_room(octets_max: usize) -> Self {
        Self { mails: Arc::default(), octets_max }
    }

    /// All messages, in the order in which they became whole.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.locked().clone()
    }

    /// The messages to `address`, letter case apart.
    #[must_use]
    pub fn mails_to(&self, address: &str) -> Vec<Mail> {
        let is_to = |mail: &&Mail| mail.envelope.recipients.iter().any(|to| to.eq_ignore_ascii_case(address));
        self.locked().iter().filter(is_to).cloned().collect()
    }

    /// A list is whole between any two calls on it, even if a thread that had it panicked.
    fn locked(&self) -> MutexGuard<'_, Vec<Mail>> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mailboxes for MemoryMailboxes {
    fn begin(&self, envelope: Envelope) -> Result<Box<dyn Delivery>, NotStored> {
        let mail = Mail { envelope, octets: Vec::new() };
        Ok(Box::new(MemoryDelivery { mailboxes: self.clone(), mail }))
    }
}

struct MemoryDelivery {
    mailboxes: MemoryMailboxes,
    mail: Mail,
}

impl Delivery for MemoryDelivery {
    fn write(&mut self, octets: &[u8]) -> Result<(), NotStored> {
        if self.mail.octets.len().saturating_add(octets.len()) > self.mailboxes.octets_max {
            return Err(NotStored("no room for a mail of this size".to_owned()));
        }
        self.mail.octets.extend_from_slice(octets);
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<(), NotStored> {
        let Self { mailboxes, mail } = *self;
        let mut mails = mailboxes.locked();
        let stored: usize = mails.iter().map(|mail| mail.octets.len()).sum();
        if stored.saturating_add(mail.octets.len()) > mailboxes.octets_max {
            return Err(NotStored("no room for more mail".to_owned()));
        }
        mails.push(mail);
        Ok(())
    }
}
