//! Dot transparency: how a text of any content travels between commands (RFC 5321 §4.5.2, RFC 1939 §3). Streaming, in
//! both directions; a line is never held.
//!
//! A line ends with CRLF and with nothing else. Taking a bare LF or CR for a line end here is what makes message
//! smuggling possible, so `<LF>.<LF>` and its kin are content.

use memchr::memmem;

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

impl Place {
    /// Where one is after some octets.
    const fn after(self, octets: &[u8]) -> Self {
        match octets {
            [] => self,
            [.., b'\r', b'\n'] => Self::LineStart,
            [b'\n'] if matches!(self, Self::AfterCr) => Self::LineStart,
            [.., b'\r'] => Self::AfterCr,
            _ => Self::InLine,
        }
    }

    /// How many of some octets come before the first dot that begins a line, if one does. Few lines begin with a dot,
    /// so it is those that are looked for, not lines.
    fn before_dot(self, octets: &[u8]) -> Option<usize> {
        if self == Self::LineStart && octets.first() == Some(&b'.') {
            return Some(0);
        }
        memmem::find_iter(octets, b"\n.").map(|at| at + 1).find(|&at| {
            let before = octets.get(..at).unwrap_or_default();
            self.after(before) == Self::LineStart
        })
    }
}

impl DotStuffer {
    /// Appends `content` to `wire`, with a dot before every dot that begins a line.
    pub fn push(&mut self, content: &[u8], wire: &mut Vec<u8>) {
        let mut rest = content;
        while let Some(at) = self.place.before_dot(rest) {
            let (before, from) = rest.split_at(at);
            wire.extend_from_slice(before);
            wire.extend_from_slice(b"..");
            self.place = Place::InLine;
            rest = from.get(1..).unwrap_or_default();
        }
        wire.extend_from_slice(rest);
        self.place = self.place.after(rest);
    }

    /// The same, for content that nobody else needs: mostly there is no such dot, and it goes out as it is.
    #[must_use]
    pub fn stuffed(&mut self, content: Vec<u8>) -> Vec<u8> {
        if self.place.before_dot(&content).is_none() {
            self.place = self.place.after(&content);
            return content;
        }
        let mut wire = Vec::with_capacity(content.len() + content.len() / 16);
        self.push(&content, &mut wire);
        wire
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
    Content(Place),
    Dot,
    DotCr,
    Ended,
}

impl Default for DotReader {
    fn default() -> Self {
        Self { state: Reading::Content(Place::LineStart) }
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
                Reading::Content(place) => {
                    let rest = wire.get(at..).unwrap_or_default();
                    let dot = place.before_dot(rest);
                    let content = rest.get(..dot.unwrap_or(rest.len())).unwrap_or_default();
                    if !content.is_empty() {
                        sink(content);
                    }
                    at += content.len() + usize::from(dot.is_some());
                    self.state = dot.map_or(Reading::Content(place.after(content)), |_| Reading::Dot);
                }
                Reading::Dot if octet == b'\r' => {
                    self.state = Reading::DotCr;
                    at += 1;
                }
                Reading::DotCr if octet == b'\n' => {
                    self.state = Reading::Ended;
                    return Some(at + 1);
                }
                // A stuffed line: its dot goes, the rest stays.
                Reading::Dot => self.state = Reading::Content(Place::InLine),
                Reading::DotCr => {
                    sink(b"\r");
                    self.state = Reading::Content(Place::AfterCr);
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
        for (at, portion) in portions.iter().enumerate() {
            if at % 2 == 0 {
                stuffer.push(portion, &mut wire);
            } else {
                wire.append(&mut stuffer.stuffed(portion.to_vec()));
            }
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
            let (head, tail) = content.split_at(content.len() / 3);
            prop_assert_eq!(&stuffed(&[head, tail]), &wire);
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
