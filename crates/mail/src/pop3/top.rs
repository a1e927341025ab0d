//! Where TOP ends in a text (RFC 1939 §7): after the header section, the empty line, and some lines of the body. For
//! the server that obeys TOP, and for the client of a server that has none.

use memchr::memchr;

/// Lets the beginning of a text through, portion by portion. A line ends with LF here, whatever stands before it.
#[derive(Debug)]
pub(super) struct TopCut {
    place: Place,
    body_lines: u32,
}

#[derive(Debug)]
enum Place {
    /// In the header section; `blank` while the present line may still be the empty one.
    Header { blank: bool },
    /// In the body, so many lines before the end.
    Body { lines_left: u32 },
}

impl TopCut {
    /// A cut after `body_lines` lines of the body.
    pub(super) const fn new(body_lines: u32) -> Self {
        Self { place: Place::Header { blank: true }, body_lines }
    }

    /// The part of `content` that lies before the cut.
    pub(super) fn push<'c>(&mut self, content: &'c [u8]) -> &'c [u8] {
        let mut kept = 0;
        while !self.has_ended() {
            let rest = content.get(kept..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            let line_end = memchr(b'\n', rest);
            let line = rest.get(..line_end.unwrap_or(rest.len())).unwrap_or_default();
            kept += line.len() + usize::from(line_end.is_some());
            match &mut self.place {
                Place::Header { blank } => {
                    *blank &= line.iter().all(|&b| b == b'\r');
                    if line_end.is_some() && std::mem::replace(blank, true) {
                        self.place = Place::Body { lines_left: self.body_lines };
                    }
                }
                Place::Body { lines_left } => *lines_left -= u32::from(line_end.is_some()),
            }
        }
        content.get(..kept).unwrap_or_default()
    }

    /// Whether the cut was reached: nothing more is let through.
    pub(super) const fn has_ended(&self) -> bool {
        matches!(self.place, Place::Body { lines_left: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(portions: &[&[u8]], body_lines: u32) -> (Vec<u8>, bool) {
        let mut top = TopCut::new(body_lines);
        let kept = portions.iter().flat_map(|portion| top.push(portion).to_vec()).collect();
        (kept, top.has_ended())
    }

    #[test]
    fn the_header_section_ends_at_the_empty_line() {
        assert_eq!(cut(&[b"a: 1\r\n b\r\n\r\nbody\r\n"], 0), (b"a: 1\r\n b\r\n\r\n".to_vec(), true));
        assert_eq!(cut(&[b"a: 1\n\nbody\n"], 0), (b"a: 1\n\n".to_vec(), true));
        assert_eq!(cut(&[b"a: 1\r\n"], 0), (b"a: 1\r\n".to_vec(), false));
        assert_eq!(cut(&[b"\r\nbody"], 0), (b"\r\n".to_vec(), true));
    }

    #[test]
    fn lines_of_the_body_are_counted() {
        assert_eq!(cut(&[b"a: 1\r\n\r\n1\r\n\r\n3\r\n"], 2), (b"a: 1\r\n\r\n1\r\n\r\n".to_vec(), true));
        assert_eq!(cut(&[b"a: 1\r\n\r\n1\r\n"], 2), (b"a: 1\r\n\r\n1\r\n".to_vec(), false));
    }

    proptest! {
        #[test]
        fn portions_make_no_difference(text in "[a\r\n]{0,30}", lines in 0u32..4) {
            let octets: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            prop_assert_eq!(cut(&octets, lines), cut(&[text.as_bytes()], lines));
        }
    }
}
