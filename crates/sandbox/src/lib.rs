//! A pretend mail provider: every server name answers, every user may come in, every recipient has a mailbox,
//! and fetches from it what came. Names
//! that mean trouble, all in one table ([`trouble`]), bring about each misfortune that mail can have.
//!
//! Deliberately not here: sockets, directories and the clock. The provider hands out the server's end of a link as a
//! [`mail::machine::Machine`], and delivers into, and fetches from, whatever implements [`mailbox::Mailboxes`].

pub mod first_mails;
pub mod limits;
pub mod mailbox;
pub mod provider;
pub mod trouble;
