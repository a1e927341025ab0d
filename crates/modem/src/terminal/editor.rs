//! A command line while it is typed: line ends, editing, noise before `AT`, `A/`, and the bound (commands.md §1).
//!
//! A line may hold a password, and leaves none behind.
//!
//! Not here: echo, and what a line means.

use mail::secret::Secret;

/// The characters that S registers may change (V.250 §6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Registers {
    /// Ends a line, and frames answers (S3, CR).
    pub(crate) line_end: u8,
    /// Frames answers (S4, LF).
    pub(crate) line_feed: u8,
    /// Takes back an octet (S5, BS).
    pub(crate) backspace: u8,
}

impl Default for Registers {
    fn default() -> Self {
        Self { line_end: b'\r', line_feed: b'\n', backspace: 0x08 }
    }
}

/// What an octet did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// It is the LF of a CRLF, and was not even seen.
    Ignored,
    /// It is part of a line, or edited one.
    Taken,
    /// It completed a line, which is given without the noise before it.
    Line(Secret),
    /// It completed a line over the bound, whose octets are gone.
    TooLong,
    /// It completed `A/`.
    Repeat,
}

#[derive(Debug, Default)]
pub(crate) struct Editor {
    line: Secret,
    too_long: bool,
    after_line_end: bool,
    /// Whether the terminal ends its lines with CRLF, as far as it has shown.
    ends_in_pairs: bool,
}

impl Editor {
    pub(crate) fn push(&mut self, octet: u8, registers: Registers, octets_max: usize) -> Edit {
        if self.is_second_half_of_line_end(octet) {
            return Edit::Ignored;
        }
        // A lone LF ends a line too: hosts exist that send nothing else (commands.md §1, choice).
        if octet == registers.line_end || octet == b'\n' {
            self.after_line_end = octet != b'\n';
            let line = std::mem::take(&mut self.line);
            if std::mem::take(&mut self.too_long) {
                return Edit::TooLong;
            }
            return Edit::Line(line);
        }
        match octet {
            _ if self.too_long => {}
            _ if octet == registers.backspace || octet == 0x7f => {
                self.line.truncate(self.line.reveal().len().saturating_sub(1));
            }
            b'/' if matches!(self.line.reveal(), [b'A' | b'a']) => {
                self.line = Secret::default();
                return Edit::Repeat;
            }
            // Noise: an escape, a NUL, octets of another speed (commands.md §1). It would count against the bound.
            _ if self.line.reveal().is_empty() && !octet.is_ascii_graphic() => {}
            _ if self.line.reveal().len() >= octets_max => {
                self.line = Secret::default();
                self.too_long = true;
            }
            _ => self.line.push(octet),
        }
        Edit::Taken
    }

    /// Whether this is the LF after a CR that ended a line, which belongs to it. Asked of the first octet after a line,
    /// whoever takes that octet.
    pub(crate) const fn is_second_half_of_line_end(&mut self, octet: u8) -> bool {
        let second = self.after_line_end && octet == b'\n';
        if self.after_line_end {
            self.ends_in_pairs = second;
        }
        self.after_line_end = false;
        second
    }

    /// The same, of the first octet that may be one of a file: an LF is the second half only from a terminal that ended
    /// the line before so.
    pub(crate) const fn is_second_half_before_file(&mut self, octet: u8) -> bool {
        let second = self.after_line_end && self.ends_in_pairs && octet == b'\n';
        self.after_line_end = false;
        second
    }

    /// Takes note of a line that somebody else took: how it ended.
    pub(crate) const fn line_ended_with(&mut self, octet: Option<u8>) {
        self.after_line_end = !matches!(octet, Some(b'\n'));
    }

    /// Whether a line is partly typed.
    pub(crate) fn is_in_line(&self) -> bool {
        !self.line.reveal().is_empty() || self.too_long
    }

    /// Makes what has been typed of a line void: its other octets were lost, and it will be [`Edit::TooLong`].
    pub(crate) fn forget(&mut self) {
        self.line = Secret::default();
        self.too_long = false;
    }

    pub(crate) fn spoil(&mut self) {
        self.line = Secret::default();
        self.too_long = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(octets: &[u8]) -> Vec<Edit> {
        let mut editor = Editor::default();
        let edits = octets.iter().map(|&octet| editor.push(octet, Registers::default(), 10));
        edits.filter(|edit| !matches!(edit, Edit::Taken | Edit::Ignored)).collect()
    }

    fn line(text: &str) -> Edit {
        Edit::Line(Secret::new(text))
    }

    #[test]
    fn line_ends_of_every_host() {
        assert_eq!(typed(b"AT1\rAT2\r\nAT3\nAT4\r"), [line("AT1"), line("AT2"), line("AT3"), line("AT4")]);
        assert_eq!(typed(b"\r\n\r\n"), [line(""), line("")]);
        assert_eq!(typed(b"\n\n"), [line(""), line("")]);
    }

    #[test]
    fn backspace_and_delete_take_back_an_octet() {
        assert_eq!(typed(b"ATX\x08E\x7f1\r"), [line("AT1")]);
        assert_eq!(typed(b"\x08\x08AT\r"), [line("AT")]);
    }

    #[test]
    fn noise_before_a_line_is_not_part_of_it() {
        assert_eq!(typed(b"\x1b\r\0AT\r \xff\xfe AT\r"), [line(""), line("AT"), line("AT")]);
    }

    #[test]
    fn the_bound_itself_fits_and_one_more_does_not() {
        assert_eq!(typed(b"AT34567890\r"), [line("AT34567890")]);
        assert_eq!(typed(b"AT345678901\x08\rAT\r"), [Edit::TooLong, line("AT")]);
    }

    #[test]
    fn a_slash_repeats_at_once_and_only_after_a() {
        assert_eq!(typed(b"a/A/"), [Edit::Repeat, Edit::Repeat]);
        assert_eq!(typed(b"AA/\r"), [line("AA/")]);
    }
}
