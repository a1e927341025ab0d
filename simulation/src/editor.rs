//! How typed octets become lines, told a second time from the reference (commands.md §1), so that the modem's own editor
//! has something to agree with.
//!
//! Not here: what lines mean.

use crate::limits::LINE_OCTETS_MAX;

/// What an octet came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// It is the second half of a CRLF: not even echoed.
    SecondHalf,
    /// Nothing yet.
    Part,
    /// The end of a line.
    Line(Vec<u8>),
    /// The end of a line over the bound, or one of which something was lost.
    Void,
    /// `A/`.
    Again,
}

/// A line while it is typed.
#[derive(Debug, Default)]
pub struct Editor {
    line: Vec<u8>,
    is_void: bool,
    /// The octet before was a CR that ended a line.
    cr_before: bool,
    /// The last CR that ended a line had an LF behind it.
    pairs: bool,
}

impl Editor {
    /// Takes an octet.
    pub fn type_octet(&mut self, octet: u8) -> Typed {
        if self.is_second_half(octet) {
            return Typed::SecondHalf;
        }
        if octet == b'\r' || octet == b'\n' {
            self.cr_before = octet == b'\r';
            let line = std::mem::take(&mut self.line);
            return if std::mem::take(&mut self.is_void) { Typed::Void } else { Typed::Line(line) };
        }
        if self.is_void {
            return Typed::Part;
        }
        if octet == 0x08 || octet == 0x7f {
            self.line.pop();
        } else if octet == b'/' && self.line.eq_ignore_ascii_case(b"A") {
            self.line.clear();
            return Typed::Again;
        } else if self.line.is_empty() && !(0x21..=0x7e).contains(&octet) {
            // Noise before a line.
        } else if self.line.len() == LINE_OCTETS_MAX {
            self.spoil();
        } else {
            self.line.push(octet);
        }
        Typed::Part
    }

    /// Whether this octet, the first after a line, belongs to that line's end.
    pub fn is_second_half(&mut self, octet: u8) -> bool {
        let was = std::mem::take(&mut self.cr_before);
        if was {
            self.pairs = octet == b'\n';
        }
        was && octet == b'\n'
    }

    /// The same of an octet that may be a file's: only a terminal that has ended its lines in pairs means a line end.
    pub fn is_second_half_before_file(&mut self, octet: u8) -> bool {
        std::mem::take(&mut self.cr_before) && self.pairs && octet == b'\n'
    }

    /// Something of the line that is being typed was lost.
    pub fn spoil(&mut self) {
        self.line.clear();
        self.is_void = true;
    }

    /// A line that was taken past this editor ended with this octet.
    pub fn line_went_past(&mut self, end: u8) {
        self.cr_before = end == b'\r';
    }

    /// Whether a line is begun.
    #[must_use]
    pub fn is_in_line(&self) -> bool {
        self.is_void || !self.line.is_empty()
    }
}
