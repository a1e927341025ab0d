//! What a server's words are, by their shape: replies of SMTP, and by POP3 responses, listings and texts, each for the
//! command that was said before it. Bounds are of lines and replies; a text's lines may be as long as they like.
//!
//! Not here: what the words mean.

use crate::limits::{REPLY_LINES_MAX, SERVER_LINE_OCTETS_MAX};
use crate::reading::Wrong;
use modem::modem::Protocol;
use std::collections::VecDeque;

/// What a POP3 command asks for, where it is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A line.
    Line,
    /// And lines up to a dot.
    Listing,
    /// And a text up to a dot.
    Text,
}

/// See the module's words.
#[derive(Debug)]
pub struct Replies {
    protocol: Protocol,
    /// What is still to be answered by POP3, the first first.
    awaited: VecDeque<Kind>,
    /// What is arriving behind a response.
    behind: Kind,
    /// The beginning of the line that is arriving, and how long it is.
    start: Vec<u8>,
    octets: usize,
    /// Lines of the reply that is arriving.
    lines: usize,
    over: Option<&'static str>,
}

/// How much of a line tells what it is.
const START_OCTETS: usize = 4;

impl Replies {
    /// A link on which nothing was said.
    #[must_use]
    pub fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            // The greeting.
            awaited: VecDeque::from([Kind::Line]),
            behind: Kind::Line,
            start: Vec::new(),
            octets: 0,
            lines: 0,
            over: None,
        }
    }

    /// The modem transmits commands.
    pub fn ask(&mut self, octets: &[u8]) {
        if self.protocol == Protocol::Pop3 {
            let lines = octets.split_inclusive(|&octet| octet == b'\n');
            self.awaited.extend(lines.map(|line| match line.get(..4) {
                Some(b"CAPA") => Kind::Listing,
                Some(b"LIST" | b"UIDL") if !line.contains(&b' ') => Kind::Listing,
                Some(b"RETR" | b"TOP ") => Kind::Text,
                _ => Kind::Line,
            }));
        }
    }

    /// Octets have reached the modem. True: they complete something it waits for, a whole SMTP reply, or a line or a piece
    /// of a text by POP3. Pieces of a reply are no progress: a server could drip one for hours.
    pub fn receive(&mut self, octets: &[u8]) -> bool {
        let mut is_progress = false;
        for &octet in octets {
            is_progress |= self.behind == Kind::Text;
            if octet == b'\n' {
                is_progress |= self.end_line();
                continue;
            }
            self.octets += 1;
            if self.start.len() < START_OCTETS {
                self.start.push(octet);
            }
            // One more may be the CR of its end.
            if self.behind != Kind::Text && self.octets > SERVER_LINE_OCTETS_MAX + 1 {
                self.over = Some("a server's line over the bound is listened to");
            }
        }
        is_progress
    }

    /// True: what was waited for is whole.
    fn end_line(&mut self) -> bool {
        let start = std::mem::take(&mut self.start);
        self.octets = 0;
        if self.protocol == Protocol::Smtp {
            self.lines += 1;
            if self.lines > REPLY_LINES_MAX {
                self.over = Some("a server's reply of too many lines is listened to");
            }
            let is_last = start.get(3) != Some(&b'-');
            if is_last {
                self.lines = 0;
            }
            return is_last;
        }
        if self.behind != Kind::Line {
            if start == b"." || start == b".\r" {
                self.behind = Kind::Line;
            }
            return true;
        }
        let kind = self.awaited.pop_front().unwrap_or(Kind::Line);
        if start.get(..3).is_some_and(|word| word.eq_ignore_ascii_case(b"+OK")) {
            self.behind = kind;
        }
        true
    }

    /// A server may not go on for ever, and the modem listens no longer than to a bound.
    ///
    /// # Errors
    /// It does.
    pub fn check(&self) -> Result<(), Wrong> {
        self.over.map_or(Ok(()), |over| Err(over.to_owned()))
    }
}
