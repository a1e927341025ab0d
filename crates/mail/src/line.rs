//! Lines out of octets that arrive in any portions, with a bound on the length of one.
//!
//! Not here: what a line means, and lines of a mail's text, which are long and never held whole ([`crate::dot`]).

use memchr::memchr;

/// What came out of the octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A line without its end (CRLF, or LF alone: servers that write it exist).
    Whole(&'a [u8]),
    /// A line longer than the bound; its octets are gone, to its end.
    TooLong,
}

/// Gathers one line at a time. Holds at most the bound and what arrived since the last line.
#[derive(Debug)]
pub struct LineReader {
    held: Vec<u8>,
    /// How much of `held` has been given out.
    taken: usize,
    /// How much of `held` is known to hold no line end (counted from `taken`).
    searched: usize,
    too_long: bool,
    line_octets_max: usize,
}

impl LineReader {
    /// A reader of lines of at most `line_octets_max` octets, the line end not counted.
    #[must_use]
    pub const fn new(line_octets_max: usize) -> Self {
        Self { held: Vec::new(), taken: 0, searched: 0, too_long: false, line_octets_max }
    }

    /// Adds octets. To stay within its bound the reader needs [`Self::next_line`] called until `None` after each
    /// addition.
    pub fn push(&mut self, octets: &[u8]) {
        if self.taken > 0 {
            self.held.drain(..self.taken);
            self.taken = 0;
        }
        self.held.extend_from_slice(octets);
    }

    /// The next line, or `None` until more octets come.
    pub fn next_line(&mut self) -> Option<Line<'_>> {
        let rest = self.held.get(self.taken..).unwrap_or_default();
        let Some(at) = rest.get(self.searched..).and_then(|r| memchr(b'\n', r)).map(|at| at + self.searched)
        else {
            self.searched = rest.len();
            // One octet of grace: it may be the CR of a line of just the longest length.
            if rest.len() > self.line_octets_max + 1 {
                self.too_long = true;
                self.clear_held();
            } else if rest.is_empty() {
                self.clear_held();
            }
            return None;
        };
        let start = self.taken;
        self.taken += at + 1;
        self.searched = 0;
        let end = start + at;
        if std::mem::take(&mut self.too_long) {
            return Some(Line::TooLong);
        }
        let line = self.held.get(start..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > self.line_octets_max {
            return Some(Line::TooLong);
        }
        Some(Line::Whole(self.held.get(start..start + line.len()).unwrap_or_default()))
    }

    /// Whether a line longer than the bound is being swallowed: its end may never come.
    #[must_use]
    pub const fn is_swallowing(&self) -> bool {
        self.too_long
    }

    /// Takes what has been added and not given out as a line: the start of what is not lines any more.
    pub fn take_rest(&mut self) -> Vec<u8> {
        let rest = self.held.split_off(self.taken.min(self.held.len()));
        self.clear();
        rest
    }

    /// How many octets wait that were not given out.
    #[must_use]
    pub const fn held_octets(&self) -> usize {
        self.held.len().saturating_sub(self.taken)
    }

    /// Whether octets wait that were not given out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.len() == self.taken && !self.too_long
    }

    /// Forgets everything held, the state of a fresh reader. Done when TLS begins: what came in clear before the
    /// handshake is no part of what follows it.
    pub fn clear(&mut self) {
        self.clear_held();
        self.too_long = false;
    }

    fn clear_held(&mut self) {
        self.held = Vec::new();
        self.taken = 0;
        self.searched = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(portions: &[&[u8]], max: usize) -> Vec<Option<Vec<u8>>> {
        let mut reader = LineReader::new(max);
        let mut lines = Vec::new();
        for portion in portions {
            reader.push(portion);
            while let Some(line) = reader.next_line() {
                lines.push(match line {
                    Line::Whole(line) => Some(line.to_vec()),
                    Line::TooLong => None,
                });
            }
        }
        lines
    }

    #[test]
    fn crlf_and_lf_end_a_line_and_a_cr_alone_does_not() {
        assert_eq!(
            read(&[b"a\r\nb\nc\rd\r\n\r\n"], 10),
            [Some(b"a".to_vec()), Some(b"b".to_vec()), Some(b"c\rd".to_vec()), Some(Vec::new())]
        );
    }

    #[test]
    fn the_bound_itself_fits_and_one_more_does_not() {
        assert_eq!(read(&[b"1234\r\n12345\r\n1\n"], 4), [Some(b"1234".to_vec()), None, Some(b"1".to_vec())]);
    }

    #[test]
    fn an_endless_line_is_never_held() {
        let mut reader = LineReader::new(100);
        for _ in 0..1_000 {
            reader.push(&[b'x'; 1_000]);
            assert_eq!(reader.next_line(), None);
            assert!(reader.held.len() <= 1_100);
        }
        assert!(reader.is_swallowing());
        reader.push(b"\r\nnext\r\n");
        assert_eq!(reader.next_line(), Some(Line::TooLong));
        assert_eq!(reader.next_line(), Some(Line::Whole(b"next")));
    }

    proptest! {
        #[test]
        fn portions_make_no_difference(text in "[ab\r\n]{0,60}", cuts in prop::collection::vec(0usize..60, 0..6)) {
            let whole = read(&[text.as_bytes()], 7);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(text.len())).collect();
            cuts.sort_unstable();
            let mut portions = Vec::new();
            let mut from = 0;
            for cut in cuts {
                portions.push(&text.as_bytes()[from..cut]);
                from = cut;
            }
            portions.push(&text.as_bytes()[from..]);
            prop_assert_eq!(read(&portions, 7), whole);
        }
    }
}
