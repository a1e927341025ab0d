//! Dot transparency: how a text of any content travels between commands (RFC 5321 §4.5.2, RFC 1939 §3). Streaming, in
//! both directions; a line is never held.
//!
//! A line ends with CRLF and with nothing else. Taking a bare LF or CR for a line end here is what makes message
//! smuggling possible, so `<LF>.<LF>` and its kin are content.

use memchr::memchr;

/// Puts the dots in. Expects its content to have CRLF line ends.
#[derive(Debug)]
pub struct DotStuffer {
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    LineStart,
    InLine,
    AfterCr,
}

impl Default for DotStuffer {
    fn default() -> Self {
        Self { place: Place::LineStart }
    }
}

impl DotStuffer {
    /// Appends `content` to `wire`, with a dot before every dot that begins a line.
    pub fn push(&mut self, content: &[u8], wire: &mut Vec<u8>) {
        let mut rest = content;
        while let Some(&first) = rest.first() {
            if self.place == Place::LineStart && first == b'.' {
                wire.push(b'.');
            }
            let (line, after) = match memchr(b'\n', rest) {
                Some(at) => rest.split_at(at + 1),
                None => (rest, &[][..]),
            };
            wire.extend_from_slice(line);
            self.place = match line {
                [.., b'\r', b'\n'] => Place::LineStart,
                [b'\n'] if self.place == Place::AfterCr => Place::LineStart,
                [.., b'\r'] => Place::AfterCr,
                _ => Place::InLine,
            };
            rest = after;
        }
    }

    /// Appends what ends the text: the line end of an unfinished last line, and the line with the dot.
    pub fn finish(self, wire: &mut Vec<u8>) {
        if self.place != Place::LineStart {
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b".\r\n");
    }
}

/// Takes the dots out, and finds the end.
#[derive(Debug)]
pub struct DotReader {
    state: Reading,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    LineStart,
    InLine,
    AfterCr,
    Dot,
    DotCr,
    Ended,
}

impl Default for DotReader {
    fn default() -> Self {
        Self { state: Reading::LineStart }
    }
}

impl DotReader {
    /// Gives the content in `wire` to `sink`, in portions. Returns how many octets of `wire` belonged to the text
    /// when its end was found in them (the rest is the peer's next line), `None` while it goes on.
    pub fn push(&mut self, wire: &[u8], mut sink: impl FnMut(&[u8])) -> Option<usize> {
        let mut at = 0;
        while let Some(&octet) = wire.get(at) {
            match self.state {
                Reading::Ended => return Some(0),
                Reading::LineStart if octet == b'.' => {
                    self.state = Reading::Dot;
                    at += 1;
                }
                Reading::Dot if octet == b'\r' => {
                    self.state = Reading::DotCr;
                    at += 1;
                }
                Reading::DotCr if octet == b'\n' => {
                    self.state = Reading::Ended;
                    return Some(at + 1);
                }
                Reading::DotCr => {
                    // A stuffed line that begins with CR: its dot goes, its CR stays.
                    sink(b"\r");
                    self.state = Reading::AfterCr;
                }
                Reading::LineStart | Reading::Dot | Reading::InLine | Reading::AfterCr => {
                    let rest = wire.get(at..).unwrap_or_default();
                    let line = memchr(b'\n', rest).map_or(rest, |end| rest.get(..=end).unwrap_or(rest));
                    sink(line);
                    at += line.len();
                    self.state = match line {
                        [.., b'\r', b'\n'] => Reading::LineStart,
                        [b'\n'] if self.state == Reading::AfterCr => Reading::LineStart,
                        [.., b'\r'] => Reading::AfterCr,
                        _ => Reading::InLine,
                    };
                }
            }
        }
        None
    }

    /// Whether the end was found.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.state == Reading::Ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stuffed(portions: &[&[u8]]) -> Vec<u8> {
        let mut stuffer = DotStuffer::default();
        let mut wire = Vec::new();
        for portion in portions {
            stuffer.push(portion, &mut wire);
        }
        stuffer.finish(&mut wire);
        wire
    }

    fn read(portions: &[&[u8]]) -> (Vec<u8>, Option<usize>) {
        let mut reader = DotReader::default();
        let mut content = Vec::new();
        let mut before = 0;
        for portion in portions {
            if let Some(used) = reader.push(portion, |octets| content.extend_from_slice(octets)) {
                return (content, Some(before + used));
            }
            before += portion.len();
        }
        (content, None)
    }

    #[test]
    fn leading_dots_are_doubled_and_the_end_is_a_dot() {
        assert_eq!(stuffed(&[b".\r\n..a\r\nb.\r\n"]), b"..\r\n...a\r\nb.\r\n.\r\n");
        assert_eq!(stuffed(&[b""]), b".\r\n");
        assert_eq!(stuffed(&[b"a"]), b"a\r\n.\r\n");
        assert_eq!(stuffed(&[b"a\r"]), b"a\r\r\n.\r\n");
    }

    #[test]
    fn only_crlf_dot_crlf_ends_a_text() {
        let smuggled = b"a\n.\nb\r.\rc\n.\r\nd\r\n.\ne\r\n.\r\nMAIL";
        let (content, used) = read(&[smuggled]);
        assert_eq!(content, b"a\n.\nb\r.\rc\n.\r\nd\r\n\ne\r\n");
        assert_eq!(used, Some(smuggled.len() - 4));
    }

    proptest! {
        #[test]
        fn what_is_stuffed_is_read_back_in_any_portions(
            content in prop::collection::vec(prop::sample::select(&b".\r\na"[..]), 0..40),
            cuts in prop::collection::vec(0usize..60, 0..5),
        ) {
            let mut expected = content.clone();
            if !content.is_empty() && !content.ends_with(b"\r\n") {
                expected.extend_from_slice(b"\r\n");
            }
            let mut wire = stuffed(&[&content]);
            let end = wire.len();
            wire.extend_from_slice(b"QUIT\r\n");
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(wire.len())).collect();
            cuts.sort_unstable();
            cuts.push(wire.len());
            let mut portions = Vec::new();
            let mut from = 0;
            for cut in cuts {
                portions.push(&wire[from..cut]);
                from = cut;
            }
            let (back, used) = read(&portions);
            prop_assert_eq!(used, Some(end));
            prop_assert_eq!(back, expected);
        }
    }
}
