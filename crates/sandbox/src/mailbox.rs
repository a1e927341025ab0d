//! Where mail goes, and where it is fetched: a message is written as it comes, is there only when it is whole, and is
//! gone only when a POP3 session ended well.
//!
//! Not here: mailboxes in directories, which are the program's. [`MemoryMailboxes`] is for tests and for a console
//! that shall leave nothing behind.

mod memory;
mod sessions;

pub use self::memory::MemoryMailboxes;
pub use self::sessions::{Session, Sessions};

use mail::pop3::server::Mail as Listed;

/// Who sent a message, and to whom, as MAIL and RCPT said (RFC 5321 §2.3.1). Not part of its octets: whoever stores it
/// may add `Return-Path` and the like, and leaves them out again when it is fetched.
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

/// Why stored mail cannot be read or removed. The client is told -ERR [SYS/TEMP] (RFC 3206 §4).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotServed(pub String);

/// Why a session gets no maildrop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    /// Another session has it, or some of it. The client is told -ERR [IN-USE] (RFC 2449 §8.1.2).
    #[error("another session has the maildrop")]
    InUse,
    /// It cannot be read.
    #[error(transparent)]
    NotServed(#[from] NotServed),
}

/// All mailboxes of the provider. Each address has one, letter case apart; a message to several has a copy in each,
/// and one copy where an address was named twice.
pub trait Mailboxes: Send + Sync {
    /// Begins a delivery to each recipient of `envelope`.
    ///
    /// # Errors
    /// There is no place to write to.
    fn begin(&self, envelope: Envelope) -> Result<Box<dyn Delivery>, NotStored>;

    /// Opens what the user may fetch, which [`is_for`] tells, as it is now, for one session alone (RFC 1939 §4).
    /// A user without any mail, or never heard of, has an empty maildrop.
    ///
    /// # Errors
    /// [`NotOpened::InUse`] while a maildrop of a user who [`shares_with`] this one is open, in this provider or in
    /// another over the same mailboxes; or they cannot be read, as with mailboxes that are only delivered to.
    fn maildrop(&self, _user: &str) -> Result<Box<dyn Maildrop>, NotOpened> {
        Err(NotServed("mail is not fetched here".to_owned()).into())
    }
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

/// What one POP3 session sees. Mail that comes while it is open belongs to the next. Dropped, it lets the next session
/// in, and has changed nothing.
pub trait Maildrop: Send {
    /// The mails, oldest first; their place here, counted from 1, is their number in this session.
    ///
    /// `octets` is what [`Self::open`] brings. `unique` stays with a copy of a mail for as long as it is there, and is
    /// not used again in this mailbox (RFC 1939 §7): another session lists it under the same.
    fn mails(&self) -> Vec<Listed>;

    /// Opens the mail of this number. It brings the octets that were delivered, and no others; a mail that came there
    /// by another way is brought with CRLF line ends.
    ///
    /// # Errors
    /// There is none, or none any more, or it cannot be read.
    fn open(&mut self, id: u32) -> Result<Box<dyn Text>, NotServed>;

    /// Removes the mails of these numbers, and lets the next session in. Copies in others' mailboxes stay.
    ///
    /// # Errors
    /// Not all of them could be removed; some may be (RFC 1939 §6).
    fn remove(self: Box<Self>, ids: &[u32]) -> Result<(), NotServed>;
}

/// A mail that is being read.
pub trait Text: Send {
    /// The next octets of it, at most [`mail::limits::CHUNK_OCTETS`]; none at the end.
    ///
    /// # Errors
    /// It could not be read on.
    fn read(&mut self) -> Result<Vec<u8>, NotServed>;
}

/// Whether mail to `address` is in the maildrop of the POP3 user `user`. Who is named by an address has its mailbox;
/// who is named without `@` has those of all addresses with this local part. Letter case is of no matter.
///
/// So what was sent to `x@server.com` is fetched by `x@server.com`, and by `x`.
#[must_use]
pub fn is_for(user: &str, address: &str) -> bool {
    let local_part = address.rsplit_once('@').map_or(address, |(local_part, _)| local_part);
    address.eq_ignore_ascii_case(user) || (!user.contains('@') && local_part.eq_ignore_ascii_case(user))
}

/// Whether there may be mail that is in the maildrops of both users.
#[must_use]
pub fn shares_with(user: &str, other: &str) -> bool {
    is_for(user, other) || is_for(other, user)
}

/// A message as it was delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Who sent it to whom.
    pub envelope: Envelope,
    /// What was sent, octet for octet.
    pub octets: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_an_address_or_a_local_part() {
        for (user, address, expected) in [
            ("x", "x@a", true),
            ("X", "x@b.c", true),
            ("x@a", "X@A", true),
            ("x@a", "x@b", false),
            ("x", "x", true),
            ("x@a", "x", false),
            ("x", "y@x", false),
            ("x", "xx@a", false),
            ("", "@a", true),
            ("x", "", false),
        ] {
            assert_eq!(is_for(user, address), expected, "{user} {address}");
        }
        assert!(shares_with("x", "x@a") && shares_with("x@a", "x") && shares_with("x@a", "X@a"));
        assert!(!shares_with("x@a", "x@b") && !shares_with("x", "y"));
    }
}
