//! A message as the client asks for it: its size first, then its octets in portions.
//!
//! Not here: how one is made ([`crate::mime::compose`]), and dots, which are the client's.

#[cfg(doc)]
use crate::limits::CHUNK_OCTETS;

/// A message to be sent, in portions.
pub trait Submission: Send {
    /// Fixes how it is encoded: `eight_bit` says whether octets above 127 may travel as they are (RFC 6152).
    fn prepare(&mut self, eight_bit: bool) -> Prepared;

    /// Appends the next portion, about [`CHUNK_OCTETS`], to `content`; line ends are CRLF. `Ok(false)`: that was the
    /// last one.
    ///
    /// # Errors
    /// The content can't be read to its end. The message is not sent then.
    fn next(&mut self, content: &mut Vec<u8>) -> Result<bool, Unreadable>;
}

/// What is known of a message before it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Its size as RFC 1870 §3 counts it: with CRLF line ends, without dot-stuffing.
    pub octets: u64,
    /// Whether it holds octets above 127.
    pub eight_bit: bool,
}

/// A part of the message could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub struct Unreadable {
    /// Which part, such as a file's name.
    pub what: String,
    /// In words.
    pub why: String,
}
