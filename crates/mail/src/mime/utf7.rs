//! UTF-7 (RFC 2152), which old mails are in and no charset library reads: turned into UTF-16, which all of them do.
//!
//! Not here: writing it. Nobody should.

/// Reads UTF-7 in any portions.
#[derive(Debug, Default)]
pub(super) struct Utf7 {
    /// Inside `+…-`: bits that are no whole UTF-16 unit yet, and whether any letter has come.
    run: Option<Run>,
}

#[derive(Debug, Default)]
struct Run {
    bits: u32,
    bits_held: u32,
    has_letters: bool,
}

impl Utf7 {
    /// Whether this is the charset that `label` names.
    pub(super) fn is_named(label: &str) -> bool {
        let label = label.trim();
        label.eq_ignore_ascii_case("utf-7") || label.eq_ignore_ascii_case("unicode-1-1-utf-7")
    }

    /// The octets of UTF-16BE that `octets` say. Bits that do not fill a unit at the end of a run are padding.
    pub(super) fn push(&mut self, octets: &[u8]) -> Vec<u8> {
        let mut utf_16 = Vec::with_capacity(octets.len() * 2);
        for &octet in octets {
            let Some(run) = &mut self.run else {
                self.direct(octet, &mut utf_16);
                continue;
            };
            if let Some(sextet) = sextet(octet) {
                run.has_letters = true;
                run.bits = run.bits << 6 | sextet;
                run.bits_held += 6;
                if run.bits_held >= 16 {
                    run.bits_held -= 16;
                    let [_, _, high, low] = (run.bits >> run.bits_held).to_be_bytes();
                    utf_16.extend_from_slice(&[high, low]);
                }
                continue;
            }
            let is_plus = octet == b'-' && !run.has_letters;
            self.run = None;
            match octet {
                b'-' if is_plus => utf_16.extend_from_slice(&[0, b'+']),
                b'-' => {}
                _ => self.direct(octet, &mut utf_16),
            }
        }
        utf_16
    }

    fn direct(&mut self, octet: u8, utf_16: &mut Vec<u8>) {
        match octet {
            b'+' => self.run = Some(Run::default()),
            0..0x80 => utf_16.extend_from_slice(&[0, octet]),
            // U+FFFD.
            _ => utf_16.extend_from_slice(&[0xff, 0xfd]),
        }
    }
}

fn sextet(octet: u8) -> Option<u32> {
    let value = match octet {
        b'A'..=b'Z' => octet - b'A',
        b'a'..=b'z' => octet - b'a' + 26,
        b'0'..=b'9' => octet - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> String {
        let whole = Utf7::default().push(text);
        let mut reader = Utf7::default();
        let single: Vec<u8> = text.iter().flat_map(|octet| reader.push(&[*octet])).collect();
        assert_eq!(single, whole);
        let units = whole.chunks(2).map(|unit| u16::from_be_bytes([unit[0], unit[1]]));
        char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect()
    }

    #[test]
    fn the_examples_of_the_rfc() {
        assert_eq!(read(b"A+ImIDkQ."), "A≢Α.");
        assert_eq!(read(b"Hi Mom -+Jjo--!"), "Hi Mom -☺-!");
        assert_eq!(read(b"+ZeVnLIqe-"), "日本語");
        assert_eq!(read(b"Item 3 is +AKM-1."), "Item 3 is £1.");
        assert_eq!(read(b"1 +- 1"), "1 + 1");
        assert_eq!(read(b"+2D3cqQ-"), "💩");
    }

    #[test]
    fn broken_runs() {
        assert_eq!(read(b"+A"), "");
        assert_eq!(read(b"+AKM\xa3+"), "£\u{fffd}");
        assert_eq!(read(b"+AKM\r\n"), "£\r\n");
    }
}
