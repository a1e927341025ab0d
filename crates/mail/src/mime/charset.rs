//! Octets to text, as they come in.
//!
//! Not here: which charset a part or a word names, and line ends' transfer encoding.

use super::utf7::Utf7;
use encoding_rs::{Decoder, Encoding, REPLACEMENT, UTF_16BE, WINDOWS_1252};
use memchr::memchr2;

/// The encoding that a charset label names, as the Encoding Standard reads labels (`latin1` is windows-1252, `gb2312`
/// is GBK). `None` for one that is not known, and for `us-ascii` and its like: what calls itself that and has
/// eighth bits has some other charset in truth, so it is decoded like text without a label ([`lenient`]).
#[must_use]
pub fn encoding(label: &str) -> Option<&'static Encoding> {
    let label = label.trim();
    if ["us-ascii", "ascii", "ansi_x3.4-1968"].iter().any(|ascii| label.eq_ignore_ascii_case(ascii)) {
        return None;
    }
    // The Standard maps charsets it thinks dangerous to an encoding that decodes to nothing.
    Encoding::for_label_no_replacement(label.as_bytes()).filter(|encoding| *encoding != REPLACEMENT)
}

/// Octets of a charset nobody named: UTF-8 where they are UTF-8, windows-1252 where they are not.
#[must_use]
pub fn lenient(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    decode_lenient(octets, true, &mut text);
    text
}

/// Cuts `text` to at most `octets_max`, between characters.
pub(crate) fn cut(text: &mut String, octets_max: usize) {
    let mut end = octets_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
}

/// Text out of octets that arrive in any portions, with CRLF at the end of every line.
pub struct TextDecoder {
    /// UTF-7 comes to `decoder` as UTF-16.
    utf_7: Option<Utf7>,
    decoder: Option<Decoder>,
    /// The start of a UTF-8 character whose end has not come; three octets at most.
    unfinished: Vec<u8>,
    after_cr: bool,
    decoded: String,
}

impl TextDecoder {
    /// A decoder of the charset that `label` names, lenient when it names none that is known. A byte order mark at
    /// the start wins over the label.
    #[must_use]
    pub fn new(label: Option<&str>) -> Self {
        let utf_7 = label.is_some_and(Utf7::is_named).then(Utf7::default);
        let encoding = if utf_7.is_some() { Some(UTF_16BE) } else { label.and_then(encoding) };
        let decoder = encoding.map(Encoding::new_decoder);
        Self { utf_7, decoder, unfinished: Vec::new(), after_cr: false, decoded: String::new() }
    }

    /// Decodes `octets`, the last ones if `last`, and appends the text to `text`. What is not of the charset becomes
    /// U+FFFD.
    pub fn push(&mut self, octets: &[u8], last: bool, text: &mut String) {
        let utf_16 = self.utf_7.as_mut().map(|utf_7| utf_7.push(octets));
        let octets = utf_16.as_deref().unwrap_or(octets);
        self.decoded.clear();
        match &mut self.decoder {
            Some(decoder) => {
                let mut rest = octets;
                loop {
                    let room = decoder.max_utf8_buffer_length(rest.len()).unwrap_or(rest.len());
                    self.decoded.reserve(room);
                    let (result, read, _) = decoder.decode_to_string(rest, &mut self.decoded, last);
                    rest = rest.get(read..).unwrap_or_default();
                    if result == encoding_rs::CoderResult::InputEmpty {
                        break;
                    }
                }
            }
            None if self.unfinished.is_empty() => {
                let used = decode_lenient(octets, last, &mut self.decoded);
                self.unfinished.extend_from_slice(octets.get(used..).unwrap_or_default());
            }
            None => {
                self.unfinished.extend_from_slice(octets);
                let used = decode_lenient(&self.unfinished, last, &mut self.decoded);
                self.unfinished.drain(..used);
            }
        }
        self.end_lines_with_crlf(text);
    }

    fn end_lines_with_crlf(&mut self, text: &mut String) {
        let mut rest = self.decoded.as_str();
        if std::mem::take(&mut self.after_cr) {
            rest = rest.strip_prefix('\n').unwrap_or(rest);
            // Nothing came at all: the LF of the pair may still come.
            self.after_cr = self.decoded.is_empty();
        }
        while let Some(at) = memchr2(b'\r', b'\n', rest.as_bytes()) {
            let (line, end) = rest.split_at(at);
            text.push_str(line);
            text.push_str("\r\n");
            rest = match end.strip_prefix("\r\n").or_else(|| end.strip_prefix('\n')) {
                Some(rest) => rest,
                None => {
                    self.after_cr = end.len() == 1;
                    end.get(1..).unwrap_or_default()
                }
            };
        }
        text.push_str(rest);
    }
}

/// Appends what `octets` say, and returns how many of them were used: all when `last`, else all but a UTF-8 character
/// that may go on.
fn decode_lenient(octets: &[u8], last: bool, text: &mut String) -> usize {
    let mut chunks = octets.utf8_chunks().peekable();
    let mut used = 0;
    while let Some(chunk) = chunks.next() {
        text.push_str(chunk.valid());
        used += chunk.valid().len();
        let invalid = chunk.invalid();
        if chunks.peek().is_none() && !last && may_go_on(invalid) {
            break;
        }
        text.push_str(&WINDOWS_1252.decode_without_bom_handling(invalid).0);
        used += invalid.len();
    }
    used
}

/// Whether octets that are not UTF-8 could become so when more come.
fn may_go_on(octets: &[u8]) -> bool {
    matches!(std::str::from_utf8(octets), Err(error) if error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(label: Option<&str>, portions: &[&[u8]]) -> String {
        let mut decoder = TextDecoder::new(label);
        let mut text = String::new();
        for portion in portions {
            decoder.push(portion, false, &mut text);
        }
        decoder.push(b"", true, &mut text);
        text
    }

    #[test]
    fn charsets_by_label_and_by_guess() {
        assert_eq!(decode(Some("koi8-r"), &[b"\xd0\xd2\xc9"]), "при");
        assert_eq!(decode(Some("ISO-2022-JP"), &[b"\x1b$B$3\x1b(B!"]), "こ!");
        assert_eq!(decode(Some("latin1"), &[b"\x80"]), "€");
        assert_eq!(decode(None, &["über".as_bytes()]), "über");
        assert_eq!(decode(Some("us-ascii"), &[b"\xfcber \xc3\xbc"]), "über ü");
        assert_eq!(decode(Some("x-unheard-of"), &[b"\xfcber"]), "über");
        assert_eq!(decode(Some("iso-2022-kr"), &[b"abc"]), "abc");
        assert_eq!(decode(Some("utf-8"), &[b"\xef\xbb\xbfa\xffb"]), "a\u{fffd}b");
        assert_eq!(decode(Some("UTF-7"), &[b"f+AP", b"w-r+"]), "für");
        assert_eq!(decode(Some("utf-16"), &[b"a\0\r\0\n\0b\0"]), "a\r\nb");
    }

    #[test]
    fn every_line_ends_with_crlf() {
        assert_eq!(decode(None, &[b"a\nb\r\nc\rd\r\re\n\nf\r"]), "a\r\nb\r\nc\r\nd\r\n\r\ne\r\n\r\nf\r\n");
    }

    proptest! {
        #[test]
        fn portions_make_no_difference(
            octets in prop::collection::vec(prop::sample::select(&b"a\r\n\xc3\xbc\xe2\x82\xac\xff\0"[..]), 0..40),
            cut in 0usize..40,
            label in prop::sample::select(&[None, Some("utf-8"), Some("shift_jis"), Some("utf-16le")][..]),
        ) {
            let (head, tail) = octets.split_at(cut.min(octets.len()));
            let whole = decode(label, &[&octets]);
            prop_assert_eq!(&decode(label, &[head, tail]), &whole);
            let single: Vec<&[u8]> = octets.chunks(1).collect();
            prop_assert_eq!(&decode(label, &single), &whole);
        }
    }
}
