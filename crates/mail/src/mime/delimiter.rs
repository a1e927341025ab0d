//! Line ends, and the lines between the parts of a multipart (RFC 2046 §5.1.1), in octets that are not all there yet.
//!
//! Not here: what stands between them.

use crate::limits::HEADER_LINE_OCTETS_MAX;
use memchr::{memchr2, memmem};

/// A delimiter line that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delimiter {
    /// Which of the boundaries.
    pub(super) boundary: usize,
    /// Whether it ends the multipart (`--boundary--`).
    pub(super) is_last: bool,
    /// Where the line begins.
    pub(super) start: usize,
    /// Octets of the line, with its end.
    pub(super) octets: usize,
}

/// What octets hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A delimiter line; what stands before is content, but for the line end just before (`content` octets).
    Delimiter { content: usize, delimiter: Delimiter },
    /// None; so many octets are content for certain, the rest may begin a delimiter.
    Content(usize),
}

/// Looks for the first delimiter line in `octets` of one of the `boundaries`; inner ones come last, and win.
///
/// `at_line_start`: the octets begin a line. `is_all`: no more will come. Lines end with CRLF, LF or CR.
pub(super) fn find<'b, B>(octets: &[u8], at_line_start: bool, is_all: bool, boundaries: B) -> Found
where
    B: DoubleEndedIterator<Item = &'b [u8]> + ExactSizeIterator + Clone,
{
    let finder = memmem::Finder::new(b"--");
    let mut from = 0;
    while let Some(at) = finder.find(octets.get(from..).unwrap_or_default()) {
        let start = from + at;
        let before = octets.get(..start).unwrap_or_default();
        let is_line_start =
            if start == 0 { at_line_start } else { matches!(before.last(), Some(b'\r' | b'\n')) };
        if is_line_start {
            let content = before_line_end(before);
            match parse(octets.get(start..).unwrap_or_default(), is_all, boundaries.clone()) {
                Parsed::Delimiter { boundary, is_last, octets } => {
                    return Found::Delimiter {
                        content,
                        delimiter: Delimiter { boundary, is_last, start, octets },
                    };
                }
                Parsed::Undecided => return Found::Content(content),
                Parsed::Content => {}
            }
        }
        // A run of hyphens is passed as a whole: only at its start can it begin a line.
        let run = octets.get(start..).unwrap_or_default().iter().take_while(|octet| **octet == b'-').count();
        from = start + run;
    }
    if is_all {
        return Found::Content(octets.len());
    }
    let before_hyphen = octets.strip_suffix(b"-").unwrap_or(octets);
    let may_begin =
        matches!(before_hyphen.last(), Some(b'\r' | b'\n')) || (before_hyphen.is_empty() && at_line_start);
    Found::Content(if may_begin { before_line_end(before_hyphen) } else { octets.len() })
}

/// The delimiter line that `line` begins with, outside any content.
pub(super) fn at_start<'b, B>(line: &[u8], boundaries: B) -> Option<Delimiter>
where
    B: DoubleEndedIterator<Item = &'b [u8]> + ExactSizeIterator + Clone,
{
    match parse(line, true, boundaries) {
        Parsed::Delimiter { boundary, is_last, octets } => {
            Some(Delimiter { boundary, is_last, start: 0, octets })
        }
        Parsed::Undecided | Parsed::Content => None,
    }
}

enum Parsed {
    Delimiter { boundary: usize, is_last: bool, octets: usize },
    Undecided,
    Content,
}

fn parse<'b, B>(line: &[u8], is_all: bool, boundaries: B) -> Parsed
where
    B: DoubleEndedIterator<Item = &'b [u8]> + ExactSizeIterator + Clone,
{
    let Some(text) = line.strip_prefix(b"--") else { return Parsed::Content };
    let may_go_on = !is_all && line.len() <= HEADER_LINE_OCTETS_MAX;
    for (at, boundary) in boundaries.enumerate().rev() {
        let Some(after) = text.strip_prefix(boundary) else {
            if may_go_on && boundary.starts_with(text) {
                return Parsed::Undecided;
            }
            continue;
        };
        let (is_last, padding) = after.strip_prefix(b"--").map_or((false, after), |padding| (true, padding));
        // RFC 2046 §5.1.1: what follows the boundary on its line is ignored. Without white space between them it is
        // rather another boundary that begins with this one.
        let padding_octets = match padding.first() {
            Some(b' ' | b'\t') => memchr2(b'\r', b'\n', padding).unwrap_or(padding.len()),
            _ => 0,
        };
        let line_end = padding.get(padding_octets..).unwrap_or_default();
        match line_end_octets(line_end, is_all) {
            _ if line.len() - line_end.len() > HEADER_LINE_OCTETS_MAX => {}
            Some(octets) => {
                return Parsed::Delimiter {
                    boundary: at,
                    is_last,
                    octets: line.len() - line_end.len() + octets,
                };
            }
            None if line_end.is_empty() || line_end.iter().all(|octet| *octet == b'\r') => {
                return Parsed::Undecided;
            }
            None if !is_all && after == b"-" => return Parsed::Undecided,
            None => {}
        }
    }
    Parsed::Content
}

/// A line at the start of some octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Octets of its text.
    pub(super) text: usize,
    /// Octets with its end.
    pub(super) all: usize,
    /// Whether its end was seen; if not, what follows is more of it.
    pub(super) has_end: bool,
}

/// The first line of `octets`, or the first piece of one too long; `None` when more is needed to tell.
pub(super) fn first_line(octets: &[u8], is_all: bool) -> Option<Line> {
    let seen = octets.get(..=HEADER_LINE_OCTETS_MAX).unwrap_or(octets);
    match memchr2(b'\r', b'\n', seen) {
        Some(text) => {
            let line_end = line_end_octets(octets.get(text..).unwrap_or_default(), is_all)?;
            Some(Line { text, all: text + line_end, has_end: true })
        }
        None if seen.len() > HEADER_LINE_OCTETS_MAX => {
            Some(Line { text: HEADER_LINE_OCTETS_MAX, all: HEADER_LINE_OCTETS_MAX, has_end: false })
        }
        None if is_all && !octets.is_empty() => {
            Some(Line { text: octets.len(), all: octets.len(), has_end: true })
        }
        None => None,
    }
}

/// Octets of the line end that `octets` begin with: LF, CRLF, CR CRLF (what careless conversion makes of CRLF), CR.
/// `None` when there is none, or more is needed to tell. The end of everything ends a line too.
fn line_end_octets(octets: &[u8], is_all: bool) -> Option<usize> {
    match octets {
        [b'\n', ..] => Some(1),
        [b'\r', b'\n', ..] => Some(2),
        [b'\r', b'\r', b'\n', ..] => Some(3),
        [b'\r'] | [b'\r', b'\r'] if !is_all => None,
        [b'\r', ..] => Some(1),
        [] if is_all => Some(0),
        _ => None,
    }
}

/// How much of `octets` is left without the line end that they end with: it belongs to the delimiter that follows.
fn before_line_end(octets: &[u8]) -> usize {
    match octets {
        [before @ .., b'\r', b'\n'] | [before @ .., b'\r' | b'\n'] => before.len(),
        _ => octets.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find_in(text: &str, is_all: bool) -> Found {
        let boundaries: [&[u8]; 3] = [b"outer", b"in", b"inner"];
        find(text.as_bytes(), true, is_all, boundaries.into_iter())
    }

    fn found(content: usize, boundary: usize, is_last: bool, start: usize, octets: usize) -> Found {
        Found::Delimiter { content, delimiter: Delimiter { boundary, is_last, start, octets } }
    }

    #[test]
    fn delimiters_with_every_line_end_and_padding() {
        assert_eq!(find_in("--in\r\n", false), found(0, 1, false, 0, 6));
        assert_eq!(find_in("a\r\n--inner \t\r\nb", false), found(1, 2, false, 3, 11));
        assert_eq!(find_in("a\n--outer--\nb", false), found(1, 0, true, 2, 10));
        assert_eq!(find_in("a\r--in\rb", false), found(1, 1, false, 2, 5));
        assert_eq!(find_in("a\n--in-- ignored\nb", false), found(1, 1, true, 2, 15));
        assert_eq!(find_in("a\r\n--in--", true), found(1, 1, true, 3, 6));
        assert_eq!(find_in("\n\n--in\n", false), found(1, 1, false, 2, 5));
    }

    #[test]
    fn what_only_looks_like_one_is_content() {
        for text in
            ["a--in\nb", "--inx\nb", "--in--x\nb", "-- in\nb", "-----in\nb", "--in---\nb", "\n--out\nb"]
        {
            assert_eq!(find_in(text, false), Found::Content(text.len()), "{text:?}");
        }
    }

    #[test]
    fn what_may_become_one_waits_with_its_line_end() {
        for text in [
            "abc\r\n-",
            "abc\r\n",
            "abc\r",
            "abc\n--",
            "abc\n--i",
            "abc\n--in",
            "abc\n--in-",
            "abc\n--in-- ",
            "abc\r\n--in\r",
        ] {
            assert_eq!(find_in(text, false), Found::Content(3), "{text:?}");
        }
        assert_eq!(find_in("-", false), Found::Content(0));
        assert_eq!(find_in("abc-", false), Found::Content(4));
        let endless = format!("\n--in{}", " ".repeat(HEADER_LINE_OCTETS_MAX));
        assert_eq!(find_in(&endless, false), Found::Content(endless.len()));
    }

    #[test]
    fn lines_and_pieces_of_lines() {
        let line =
            |text: &str| first_line(text.as_bytes(), false).map(|line| (line.text, line.all, line.has_end));
        assert_eq!(line("ab\r\nc"), Some((2, 4, true)));
        assert_eq!(line("ab\r\r\nc"), Some((2, 5, true)));
        assert_eq!(line("ab\rc"), Some((2, 3, true)));
        assert_eq!(line("ab\r"), None);
        assert_eq!(line("ab"), None);
        let long = "x".repeat(HEADER_LINE_OCTETS_MAX);
        assert_eq!(line(&long), None);
        assert_eq!(line(&format!("{long}\n")), Some((long.len(), long.len() + 1, true)));
        assert_eq!(line(&format!("{long}xx\n")), Some((long.len(), long.len(), false)));
        assert_eq!(first_line(b"ab", true).map(|line| line.all), Some(2));
        assert_eq!(first_line(b"", true), None);
    }
}
