//! Encoded words (RFC 2047): text of any charset in a header field.
//!
//! Not here: where RFC 2047 §5 allows them. Mailers write them inside quoted strings and file names too, and so they
//! are decoded wherever they stand.

use super::charset::{self, lenient};
use super::transfer::{Base64, hex_octet};
use super::utf7::Utf7;
use encoding_rs::{Encoding, ISO_2022_JP, UTF_16BE};
use memchr::memmem;

/// The text of a field's value: encoded words decoded, and octets outside them taken for UTF-8 or else windows-1252.
///
/// A word of an unknown method stays as it is (RFC 2047 §6.3); one of an unknown charset is taken for what it most
/// likely is. White space between two words goes (§6.2), and words in a row of one charset are decoded together:
/// mailers cut them in the middle of a character.
#[must_use]
pub fn decode(value: &[u8]) -> String {
    let mut text = String::with_capacity(value.len());
    let mut pending = Pending::default();
    let mut rest = value;
    while let Some(at) = memmem::find(rest, b"=?") {
        let (before, from_word) = rest.split_at(at);
        let Some((word, after)) = Word::parse(from_word) else {
            pending.flush(&mut text);
            text.push_str(&lenient(before));
            text.push_str("=?");
            rest = from_word.get(2..).unwrap_or_default();
            continue;
        };
        let between_words = pending.encoding.is_some() && before.iter().all(u8::is_ascii_whitespace);
        if !between_words {
            pending.flush(&mut text);
            text.push_str(&lenient(before));
        }
        pending.add(&word, &mut text);
        rest = after;
    }
    pending.flush(&mut text);
    text.push_str(&lenient(rest));
    text
}

struct Word {
    /// `None`: ASCII, or not known.
    encoding: Option<&'static Encoding>,
    octets: Vec<u8>,
}

impl Word {
    /// The word that `text` begins with, and what follows it.
    fn parse(text: &[u8]) -> Option<(Self, &[u8])> {
        let (label, rest) = split_at_question_mark(text.strip_prefix(b"=?")?)?;
        let (method, rest) = split_at_question_mark(rest)?;
        let end = memmem::find(rest, b"?=")?;
        let (encoded, after) = rest.split_at(end);
        // RFC 2231 §5: a language may follow the charset.
        let label = label.split(|octet| *octet == b'*').next().unwrap_or_default();
        let label = std::str::from_utf8(label).ok()?;
        let octets = match method {
            b"B" | b"b" => {
                let mut octets = Vec::new();
                let mut decoder = Base64::default();
                decoder.push(encoded, &mut octets);
                decoder.finish(&mut octets);
                octets
            }
            b"Q" | b"q" => decode_q(encoded),
            _ => return None,
        };
        let (encoding, octets) = if Utf7::is_named(label) {
            (Some(UTF_16BE), Utf7::default().push(&octets))
        } else {
            (charset::encoding(label), octets)
        };
        Some((Self { encoding, octets }, after.get(2..).unwrap_or_default()))
    }
}

fn split_at_question_mark(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'?', text)?;
    let (before, rest) = text.split_at(at);
    (!before.is_empty() && before.iter().all(u8::is_ascii_graphic))
        .then(|| (before, rest.get(1..).unwrap_or_default()))
}

/// The "Q" encoding (RFC 2047 §4.2): `_` is a space, `=` and two hexadecimal digits an octet, the rest itself.
fn decode_q(encoded: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((&first, after)) = rest.split_first() {
        let (octet, after) = match first {
            b'_' => (b' ', after),
            b'=' => {
                hex_octet(after).map_or((b'=', after), |octet| (octet, after.get(2..).unwrap_or_default()))
            }
            other => (other, after),
        };
        octets.push(octet);
        rest = after;
    }
    octets
}

/// Octets of words in a row, not decoded yet. The outer `Option` says whether a word was the last thing seen.
#[derive(Default)]
struct Pending {
    encoding: Option<Option<&'static Encoding>>,
    octets: Vec<u8>,
}

impl Pending {
    fn add(&mut self, word: &Word, text: &mut String) {
        // ISO-2022-JP begins and ends each word in ASCII (RFC 1468); the switch there and back at once would be an error.
        let has_state = word.encoding == Some(ISO_2022_JP);
        if has_state || self.encoding.is_some_and(|encoding| encoding != word.encoding) {
            self.flush(text);
        }
        self.encoding = Some(word.encoding);
        self.octets.extend_from_slice(&word.octets);
    }

    fn flush(&mut self, text: &mut String) {
        match self.encoding.take() {
            Some(Some(encoding)) => text.push_str(&encoding.decode_without_bom_handling(&self.octets).0),
            Some(None) => text.push_str(&lenient(&self.octets)),
            None => {}
        }
        self.octets.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_both_methods() {
        assert_eq!(decode(b"=?ISO-8859-1?Q?a_=FCb?= c"), "a üb c");
        assert_eq!(decode(b"Re: =?utf-8?b?w7xi?=!"), "Re: üb!");
        assert_eq!(decode(b"=?utf-8*de?q?=C3=BC?="), "ü");
        assert_eq!(decode(b"\"=?us-ascii?q?a?=\" <a@b>"), "\"a\" <a@b>");
        assert_eq!(decode(b"=?utf-8?Q??="), "");
    }

    #[test]
    fn white_space_between_words_goes_and_a_cut_character_is_whole_again() {
        assert_eq!(decode(b"=?utf-8?Q?a?= \t =?utf-8?Q?b?="), "ab");
        assert_eq!(decode(b"=?utf-8?Q?a?= x =?utf-8?Q?b?="), "a x b");
        assert_eq!(decode(b"=?utf-8?Q?=C3?= =?utf-8?B?vA==?="), "ü");
        assert_eq!(decode(b"=?utf-8?Q?=C3=BC?= =?koi8-r?Q?=D0?="), "üп");
    }

    #[test]
    fn charsets_with_states_and_unknown_ones() {
        assert_eq!(decode(b"=?ISO-2022-JP?B?GyRCJEYbKEI=?= =?ISO-2022-JP?B?GyRCJEYbKEI=?="), "てて");
        assert_eq!(decode(b"=?utf-7?q?f+APw-r?="), "für");
        assert_eq!(decode(b"=?none?q?=FC?= =?none?q?=C3=BC?="), "üü");
    }

    #[test]
    fn what_is_no_word_stays() {
        for text in ["=?", "=?utf-8?x?a?=", "=?utf-8?q?a", "a =?= b", "=?utf-8?q", "=? utf-8?q?a?="] {
            assert_eq!(decode(text.as_bytes()), text);
        }
        assert_eq!(decode(b"=?utf-8?x?a?= =?utf-8?q?b?="), "=?utf-8?x?a?= b");
        assert_eq!(decode(b"=?utf-8?q?a=zz=?="), "a=zz=");
    }

    #[test]
    fn raw_octets_are_utf_8_or_else_windows_1252() {
        assert_eq!(decode("grün".as_bytes()), "grün");
        assert_eq!(decode(b"gr\xfcn =?utf-8?q?=C3=BC?="), "grün ü");
    }
}
