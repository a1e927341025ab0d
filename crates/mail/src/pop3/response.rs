//! A POP3 response: read from a line, and written as one (RFC 1939 §3); its response code (RFC 2449 §8, RFC 3206);
//! and the numbers that some responses and the lines of listings carry.
//!
//! Not here: what follows a positive response over several lines.

use super::number;
use crate::limits::RESPONSE_LINE_OCTETS_MAX;
use crate::smtp::reply::printable;
use std::fmt;

/// The first line of what a server answers.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// Whether the status indicator is `+OK`, not `-ERR`.
    pub is_positive: bool,
    /// What follows the status indicator; perhaps empty. Safe to show: no control characters.
    pub text: String,
}

/// What a response code says, for programs. The words of one that is not known here stay in the response's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseCode {
    /// `[LOGIN-DELAY]`: logged in again too soon (RFC 2449 §8.1.1).
    LoginDelay,
    /// `[IN-USE]`: another session holds the maildrop (RFC 2449 §8.1.2).
    InUse,
    /// `[SYS/TEMP]`: a problem of the server that may pass (RFC 3206 §4).
    SysTemp,
    /// `[SYS/PERM]`: a problem of the server that stays (RFC 3206 §4).
    SysPerm,
    /// `[AUTH]`: the credentials are the problem (RFC 3206 §5).
    Auth,
    /// Any other.
    Unknown,
}

/// Why what a server sent is not what it should have sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadResponse {
    /// Neither `+OK` nor `-ERR`.
    #[error("a line that is no POP3 response")]
    NoStatus,
    /// A line over [`RESPONSE_LINE_OCTETS_MAX`].
    #[error("a line of over {RESPONSE_LINE_OCTETS_MAX} octets")]
    LineTooLong,
    /// No numbers, or not the ones asked for, or out of range, where RFC 1939 wants them.
    #[error("a response without the numbers that belong in it")]
    NoNumbers,
    /// A listing over [`crate::limits::LISTING_LINES_MAX`] or [`crate::limits::CAPABILITIES_MAX`].
    #[error("a listing without an end")]
    Endless,
    /// Octets that nothing was asked for: an answer to them may be taken for an answer to something else.
    #[error("octets that nobody asked for")]
    Unasked,
}

impl Response {
    /// `+OK text`.
    #[must_use]
    pub fn positive(text: impl Into<String>) -> Self {
        Self { is_positive: true, text: text.into() }
    }

    /// `-ERR text`.
    #[must_use]
    pub fn negative(text: impl Into<String>) -> Self {
        Self { is_positive: false, text: text.into() }
    }

    /// Reads a line without its end. The status indicator is taken in any case, and ends where its letters end.
    ///
    /// # Errors
    /// [`BadResponse::NoStatus`].
    pub fn parse(line: &[u8]) -> Result<Self, BadResponse> {
        let letters = line.iter().skip(1).take_while(|b| b.is_ascii_alphabetic()).count();
        let (status, rest) = line.split_at_checked(1 + letters).ok_or(BadResponse::NoStatus)?;
        let is_positive = match status.to_ascii_uppercase().as_slice() {
            b"+OK" => true,
            b"-ERR" => false,
            _ => return Err(BadResponse::NoStatus),
        };
        Ok(Self { is_positive, text: printable(rest.strip_prefix(b" ").unwrap_or(rest)) })
    }

    /// The line, with its end.
    #[must_use]
    pub fn to_octets(&self) -> Vec<u8> {
        format!("{self}\r\n").into_bytes()
    }

    /// What the words in brackets at the start of the text say, if there are any. A level that is not known below
    /// one that is has the meaning of the known one (RFC 2449 §8).
    #[must_use]
    pub fn code(&self) -> Option<ResponseCode> {
        let (code, _) = self.text.strip_prefix('[')?.split_once(']')?;
        let code = code.to_ascii_uppercase();
        let mut levels = code.split('/');
        Some(match (levels.next()?, levels.next()) {
            ("LOGIN-DELAY", _) => ResponseCode::LoginDelay,
            ("IN-USE", _) => ResponseCode::InUse,
            ("SYS", Some("TEMP")) => ResponseCode::SysTemp,
            ("SYS", Some("PERM")) => ResponseCode::SysPerm,
            ("AUTH", _) => ResponseCode::Auth,
            _ => ResponseCode::Unknown,
        })
    }
}

/// The status indicator and the text, as on the wire.
impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = if self.is_positive { "+OK" } else { "-ERR" };
        let space = if self.text.is_empty() { "" } else { " " };
        write!(f, "{status}{space}{}", self.text)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({self})")
    }
}

/// The two numbers at the start of a drop listing (count and octets, RFC 1939 §5 STAT) or of a scan listing (message
/// number and octets, LIST). What follows them is the server's own (RFC 1939 §5 discourages it).
#[must_use]
pub fn two_numbers(text: &str) -> Option<(u32, u64)> {
    let mut words = text.split_ascii_whitespace();
    number(words.next()?).zip(number(words.next()?))
}

/// The message number and the unique identifier of a unique-id listing (RFC 1939 §7). Longer ones than the 70
/// characters allowed are taken.
#[must_use]
pub fn unique_id(text: &str) -> Option<(u32, String)> {
    let mut words = text.split_ascii_whitespace();
    let id = number(words.next()?)?;
    let unique = words.next().filter(|word| word.bytes().all(|b| b.is_ascii_graphic()))?;
    Some((id, unique.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_indicators_and_their_texts() {
        assert_eq!(Response::parse(b"+OK"), Ok(Response::positive("")));
        assert_eq!(Response::parse(b"+OK 2 320"), Ok(Response::positive("2 320")));
        assert_eq!(Response::parse(b"+ok<1@b>"), Ok(Response::positive("<1@b>")));
        assert_eq!(Response::parse(b"-ERR  no\x1b"), Ok(Response::negative(" no\u{fffd}")));
        for line in [
            &b""[..],
            b"OK",
            b"+",
            b"-",
            b"+OKAY",
            b"+ OK",
            b"+ERR",
            b"-OK",
            b"220 hi",
            b"* OK",
            b" +OK",
            b"\xff",
        ] {
            assert_eq!(Response::parse(line), Err(BadResponse::NoStatus), "{line:?}");
        }
    }

    #[test]
    fn response_codes() {
        let code = |text: &str| Response::negative(text).code();
        assert_eq!(code("[IN-USE] busy"), Some(ResponseCode::InUse));
        assert_eq!(code("[in-use]"), Some(ResponseCode::InUse));
        assert_eq!(code("[LOGIN-DELAY] later"), Some(ResponseCode::LoginDelay));
        assert_eq!(code("[SYS/TEMP] later"), Some(ResponseCode::SysTemp));
        assert_eq!(code("[SYS/TEMP/DISK] later"), Some(ResponseCode::SysTemp));
        assert_eq!(code("[SYS/PERM] never"), Some(ResponseCode::SysPerm));
        assert_eq!(code("[AUTH] who"), Some(ResponseCode::Auth));
        assert_eq!(code("[SYS] what"), Some(ResponseCode::Unknown));
        assert_eq!(code("[IN-USE"), None);
        assert_eq!(code("busy [IN-USE]"), None);
    }

    #[test]
    fn numbers_are_digits_within_range() {
        assert_eq!(two_numbers("2 320"), Some((2, 320)));
        assert_eq!(two_numbers("2 320 octets"), Some((2, 320)));
        assert_eq!(two_numbers("4294967295 18446744073709551615"), Some((u32::MAX, u64::MAX)));
        for text in
            ["", "2", "2 x", "+2 3", "-2 3", "2 -3", "4294967296 1", "1 18446744073709551616", "\u{0662} 1"]
        {
            assert_eq!(two_numbers(text), None, "{text:?}");
        }
        assert_eq!(unique_id("1 whqtswO00WBw418f9t5JxYwZ"), Some((1, "whqtswO00WBw418f9t5JxYwZ".into())));
        assert_eq!(unique_id("1"), None);
        assert_eq!(unique_id("1 \u{fffd}"), None);
    }
}
