//! An SMTP reply: read from lines, and written as lines (RFC 5321 §4.2).

use crate::limits::{REPLY_LINE_OCTETS_MAX, REPLY_LINES_MAX};
use std::fmt;

/// A whole reply, of one line or more.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// 200 to 559: RFC 5321 §4.2.1 knows first digits 2 to 5 and second digits 0 to 5.
    pub code: u16,
    /// The text of each line, without code and separator; at least one, perhaps empty.
    pub lines: Vec<String>,
}

/// The first digit of a reply's code, which decides what it means (RFC 5321 §4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// 2yz: done.
    Positive,
    /// 3yz: go on with what the command announced.
    Intermediate,
    /// 4yz: not now.
    Transient,
    /// 5yz: not so.
    Permanent,
}

/// Why lines from a server are no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReply {
    /// No three-digit code in 200..=559 followed by a space, a hyphen or nothing.
    #[error("a line that is no SMTP reply")]
    NoCode,
    /// A continuation line with another code than the first (RFC 5321 §4.2.1 wants the same).
    #[error("a multi-line reply whose code changes")]
    CodeChanged,
    /// A line over [`REPLY_LINE_OCTETS_MAX`].
    #[error("a reply line of over {REPLY_LINE_OCTETS_MAX} octets")]
    LineTooLong,
    /// A reply of over [`REPLY_LINES_MAX`] lines.
    #[error("a reply of over {REPLY_LINES_MAX} lines")]
    TooManyLines,
}

impl Reply {
    /// A reply of one line.
    #[must_use]
    pub fn new(code: u16, text: impl Into<String>) -> Self {
        Self { code, lines: vec![text.into()] }
    }

    /// What the first digit says.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self.code {
            ..300 => Severity::Positive,
            300..400 => Severity::Intermediate,
            400..500 => Severity::Transient,
            _ => Severity::Permanent,
        }
    }

    /// Whether it is a 2yz.
    #[must_use]
    pub const fn is_positive(&self) -> bool {
        matches!(self.severity(), Severity::Positive)
    }

    /// The enhanced status code at the start of the text (RFC 3463 §2, RFC 2034 §4), such as `(5, 7, 1)`; only one
    /// whose class agrees with the reply's own.
    #[must_use]
    pub fn enhanced(&self) -> Option<(u16, u16, u16)> {
        let word = self.lines.first()?.split(' ').next()?;
        let mut parts = word.split('.').map(|part| {
            let digits = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| part.parse::<u16>().ok()).flatten()
        });
        let status = (parts.next()??, parts.next()??, parts.next()??);
        (parts.next().is_none() && status.0 == self.code / 100).then_some(status)
    }

    /// The octets of the reply as a server sends them.
    #[must_use]
    pub fn to_octets(&self) -> Vec<u8> {
        let mut octets = Vec::new();
        for (at, line) in self.lines.iter().enumerate() {
            let separator = if at + 1 == self.lines.len() { ' ' } else { '-' };
            octets.extend_from_slice(format!("{}{separator}{line}\r\n", self.code).as_bytes());
        }
        octets
    }
}

/// The code and the first line's text, as logs and messages quote it; a reply of more lines ends in `…`.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.lines.first().map_or("", String::as_str).trim_end();
        write!(f, "{}{}{}", self.code, if text.is_empty() { "" } else { " " }, text)?;
        if self.lines.len() > 1 { f.write_str(" …") } else { Ok(()) }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({self})")
    }
}

/// Puts the lines of a server together to replies.
#[derive(Debug, Default)]
pub struct ReplyReader {
    code: u16,
    lines: Vec<String>,
}

impl ReplyReader {
    /// Takes one line without its end. `Ok(None)`: the reply goes on.
    ///
    /// # Errors
    /// The line is no part of a reply; nothing more should be read from such a server.
    pub fn push(&mut self, line: &[u8]) -> Result<Option<Reply>, BadReply> {
        let (code, rest) = line.split_at_checked(3).ok_or(BadReply::NoCode)?;
        let code = match *code {
            [a @ b'2'..=b'5', b @ b'0'..=b'5', c @ b'0'..=b'9'] => {
                u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0')
            }
            _ => return Err(BadReply::NoCode),
        };
        let (more, text) = match rest.split_first() {
            None => (false, rest),
            Some((b' ', text)) => (false, text),
            Some((b'-', text)) => (true, text),
            Some(_) => return Err(BadReply::NoCode),
        };
        if !self.lines.is_empty() && code != self.code {
            return Err(BadReply::CodeChanged);
        }
        if self.lines.len() == REPLY_LINES_MAX {
            return Err(BadReply::TooManyLines);
        }
        self.code = code;
        self.lines.push(printable(text));
        Ok((!more).then(|| Reply { code, lines: std::mem::take(&mut self.lines) }))
    }

    /// Whether no reply has begun.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Forgets a reply begun.
    pub fn clear(&mut self) {
        self.lines = Vec::new();
    }
}

/// Text of a peer, safe to log and to show: UTF-8, no control characters.
pub fn printable(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Reply>, BadReply> {
        let mut reader = ReplyReader::default();
        let mut replies = Vec::new();
        for line in text.lines() {
            replies.extend(reader.push(line.as_bytes())?);
        }
        Ok(replies)
    }

    #[test]
    fn replies_of_one_line_and_of_several_and_a_bare_code() {
        let replies = read("220 hello\n250-a\n250-SIZE 10\n250 c\n354\n").unwrap();
        assert_eq!(replies[0], Reply::new(220, "hello"));
        assert_eq!(replies[1].lines, ["a", "SIZE 10", "c"]);
        assert_eq!(replies[2], Reply::new(354, ""));
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for text in ["", "2", "25", "hello", "999 x", "199 x", "260 x", "2500 x", "250+x", "25a x", "+OK"] {
            let mut reader = ReplyReader::default();
            assert_eq!(reader.push(text.as_bytes()), Err(BadReply::NoCode), "{text:?}");
        }
        assert_eq!(read("250-a\n251 b"), Err(BadReply::CodeChanged));
        assert_eq!(read(&"250-x\n".repeat(REPLY_LINES_MAX + 1)), Err(BadReply::TooManyLines));
    }

    #[test]
    fn enhanced_codes_only_when_they_agree_with_the_reply() {
        assert_eq!(Reply::new(554, "5.7.1 no").enhanced(), Some((5, 7, 1)));
        assert_eq!(Reply::new(554, "4.7.1 no").enhanced(), None);
        assert_eq!(Reply::new(554, "5.7 no").enhanced(), None);
        assert_eq!(Reply::new(554, "5.7.1.2 no").enhanced(), None);
        assert_eq!(Reply::new(554, "5.7.1000 no").enhanced(), None);
    }

    #[test]
    fn written_as_read() {
        let reply = Reply { code: 250, lines: vec!["a".into(), "b c".into()] };
        assert_eq!(reply.to_octets(), b"250-a\r\n250 b c\r\n");
    }

    #[test]
    fn a_server_cannot_write_control_characters_into_a_log() {
        assert_eq!(read("550 a\u{1b}[2Jb").unwrap()[0].lines, ["a\u{fffd}[2Jb"]);
        let told = read("550-a\r\u{1b}\n550 b\n").unwrap()[0].to_string();
        assert_eq!(told, "550 a\u{fffd}\u{fffd} …");
    }
}
