//! Content transfer encodings undone (RFC 2045 §6), on octets that arrive in any portions; nothing is ever refused.
//!
//! Not here: uuencode and yEnc, which no RFC makes a transfer encoding: such parts are saved as they came.

use crate::limits::PADDING_OCTETS_MAX;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use base64_simd::STANDARD_NO_PAD;
use memchr::{memchr2, memchr3};

/// How a part's octets travelled.
#[derive(Debug, Default)]
pub enum TransferDecoder {
    /// 7bit, 8bit, binary, and whatever is not known: the octets are what they are.
    #[default]
    Identity,
    /// base64.
    Base64(Base64),
    /// quoted-printable.
    QuotedPrintable(QuotedPrintable),
}

impl TransferDecoder {
    /// The decoder that a Content-Transfer-Encoding field asks for. Mailers add comments, parameters and spaces.
    #[must_use]
    pub fn new(field: &[u8]) -> Self {
        let word: Vec<u8> = field
            .iter()
            .filter(|octet| !matches!(octet, b' ' | b'\t' | b'"'))
            .take_while(|octet| octet.is_ascii_alphanumeric() || **octet == b'-')
            .map(u8::to_ascii_lowercase)
            .collect();
        match word.as_slice() {
            b"base64" => Self::Base64(Base64::default()),
            b"quoted-printable" => Self::QuotedPrintable(QuotedPrintable::default()),
            _ => Self::Identity,
        }
    }

    /// Undoes the encoding of `octets`; what is known then is appended to `decoded`.
    pub fn push(&mut self, octets: &[u8], decoded: &mut Vec<u8>) {
        match self {
            Self::Identity => decoded.extend_from_slice(octets),
            Self::Base64(decoder) => decoder.push(octets, decoded),
            Self::QuotedPrintable(decoder) => decoder.push(octets, decoded),
        }
    }

    /// No more octets come: appends what was held back.
    pub fn finish(&mut self, decoded: &mut Vec<u8>) {
        match self {
            Self::Identity => {}
            Self::Base64(decoder) => decoder.finish(decoded),
            Self::QuotedPrintable(decoder) => decoder.finish(decoded),
        }
    }
}

/// base64 (RFC 2045 §6.8) without padding rules: trailing bits and a missing `=` are no reason to lose octets.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone),
);

/// Undoes base64. What is not of its alphabet is skipped (§6.8); after padding a new run of four begins, since
/// encoded pieces that were put one behind another are met.
#[derive(Debug, Default)]
pub struct Base64 {
    /// Encoded octets without their line ends, fewer than four of the alphabet after each `push`.
    held: Vec<u8>,
    /// How long the last line was: most are as long as the one before.
    line_octets: usize,
}

impl Base64 {
    /// Decodes all whole groups of four.
    pub fn push(&mut self, encoded: &[u8], decoded: &mut Vec<u8>) {
        let mut rest = encoded;
        loop {
            // Should there be a line end before this one, it is found to be none of the alphabet.
            if let Some((line, [b'\r', b'\n', after @ ..])) = rest.split_at_checked(self.line_octets) {
                self.held.extend_from_slice(line);
                rest = after;
                continue;
            }
            let Some(at) = memchr2(b'\n', b'\r', rest) else { break };
            let (line, end) = rest.split_at(at);
            self.held.extend_from_slice(line);
            if at > 0 {
                self.line_octets = at;
            }
            rest = end.get(1..).unwrap_or_default();
        }
        self.held.extend_from_slice(rest);
        let whole = self.held.len() / 4 * 4;
        if !decode_groups(self.held.get(..whole).unwrap_or_default(), decoded) {
            return self.push_irregular(decoded);
        }
        self.held.drain(..whole);
    }

    /// Decodes a last group that lacks octets: of two letters one octet, of three two. One alone says nothing.
    pub fn finish(&mut self, decoded: &mut Vec<u8>) {
        self.push_irregular(decoded);
        decode_groups(&self.held, decoded);
        self.held.clear();
    }

    /// Decodes what is held octet by octet: there is padding in it, or something that is not base64.
    fn push_irregular(&mut self, decoded: &mut Vec<u8>) {
        let mut group = Vec::new();
        for octet in std::mem::take(&mut self.held) {
            match octet {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => group.push(octet),
                // Padding: the group is as long as it is.
                b'=' => {
                    decode_groups(&group, decoded);
                    group.clear();
                }
                _ => {}
            }
            if group.len() == 4 {
                decode_groups(&group, decoded);
                group.clear();
            }
        }
        self.held = group;
    }
}

/// Appends what letters of the alphabet say. `false`, and nothing appended, when others are among them.
fn decode_groups(letters: &[u8], decoded: &mut Vec<u8>) -> bool {
    let before = decoded.len();
    let good = if letters.len().is_multiple_of(4) {
        STANDARD_NO_PAD.decode_append(letters, decoded).is_ok()
    } else {
        BASE64.decode_vec(letters, decoded).is_ok()
    };
    if !good {
        decoded.truncate(before);
    }
    good
}

/// Undoes quoted-printable (RFC 2045 §6.7). An `=` that begins nothing stays as it is.
#[derive(Debug, Default)]
pub struct QuotedPrintable {
    /// White space that may be padding, or an `=` whose meaning depends on what comes.
    held: Vec<u8>,
    /// White space has come that was too much for padding: what follows of it is content too.
    in_long_space: bool,
}

impl QuotedPrintable {
    /// Decodes what is decided.
    pub fn push(&mut self, encoded: &[u8], decoded: &mut Vec<u8>) {
        let mut encoded = encoded;
        if self.in_long_space {
            let space = encoded.iter().take_while(|octet| is_space(octet)).count();
            let (space, rest) = encoded.split_at(space);
            decoded.extend_from_slice(space);
            self.in_long_space = rest.is_empty();
            encoded = rest;
        }
        self.held.extend_from_slice(encoded);
        let used = decode_quoted(&self.held, false, decoded);
        let is_all_used = used == self.held.len();
        self.in_long_space |= is_all_used && spaces_at_end(&self.held) > PADDING_OCTETS_MAX;
        self.held.drain(..used);
    }

    /// Decodes the rest: the end is a line's end.
    pub fn finish(&mut self, decoded: &mut Vec<u8>) {
        decode_quoted(&self.held, true, decoded);
        self.held.clear();
    }
}

const fn is_space(octet: &u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// Appends what `encoded` says and returns how many of its octets were used; all when `last`.
fn decode_quoted(encoded: &[u8], last: bool, decoded: &mut Vec<u8>) -> usize {
    let mut used = 0;
    loop {
        let rest = encoded.get(used..).unwrap_or_default();
        let Some(at) = memchr3(b'=', b'\r', b'\n', rest) else {
            let kept = rest.len() - padding_at_end(rest);
            decoded.extend_from_slice(rest.get(..kept).unwrap_or_default());
            return if last { encoded.len() } else { used + kept };
        };
        let (before, from) = rest.split_at(at);
        if from.first() == Some(&b'=') {
            decoded.extend_from_slice(before);
            used += at;
            match Escape::parse(from, last) {
                Escape::Octet(octet) => {
                    decoded.push(octet);
                    used += 3;
                }
                Escape::SoftBreak(octets) => used += octets,
                Escape::None => {
                    decoded.push(b'=');
                    used += 1;
                }
                Escape::Undecided => return used,
            }
        } else {
            decoded.extend_from_slice(before.get(..at - padding_at_end(before)).unwrap_or_default());
            decoded.extend(from.first());
            used += at + 1;
        }
    }
}

/// What an `=` begins.
enum Escape {
    Octet(u8),
    /// A soft line break, of so many octets.
    SoftBreak(usize),
    None,
    Undecided,
}

impl Escape {
    fn parse(from: &[u8], last: bool) -> Self {
        let after = from.get(1..).unwrap_or_default();
        if let Some(octet) = hex_octet(after) {
            return Self::Octet(octet);
        }
        let undecided = if last { Self::SoftBreak(from.len()) } else { Self::Undecided };
        match after {
            [] => return undecided,
            [digit] if digit.is_ascii_hexdigit() => return if last { Self::None } else { Self::Undecided },
            _ => {}
        }
        // RFC 2045 §6.7 rule 3: padding may stand before the line's end.
        let padding = after.iter().take_while(|octet| is_space(octet)).count();
        match after.get(padding..).unwrap_or_default() {
            _ if padding > PADDING_OCTETS_MAX => Self::None,
            [] => undecided,
            [b'\r'] if !last => Self::Undecided,
            [b'\r', b'\n', ..] => Self::SoftBreak(padding + 3),
            [b'\r' | b'\n', ..] => Self::SoftBreak(padding + 2),
            _ => Self::None,
        }
    }
}

/// How much white space ends a line and is no content; none when it is more than a mailer would add.
fn padding_at_end(line: &[u8]) -> usize {
    let padding = spaces_at_end(line);
    if padding > PADDING_OCTETS_MAX { 0 } else { padding }
}

fn spaces_at_end(line: &[u8]) -> usize {
    line.iter().rev().take_while(|octet| is_space(octet)).count()
}

/// The octet that two hexadecimal digits, of either case, begin `text` with.
pub(crate) fn hex_octet(text: &[u8]) -> Option<u8> {
    let digit = |octet: &u8| char::from(*octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(text.first()?)? * 16 + digit(text.get(1)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::BASE64_STANDARD;
    use proptest::prelude::*;

    fn decode(encoding: &str, portions: &[&[u8]]) -> Vec<u8> {
        let mut decoder = TransferDecoder::new(encoding.as_bytes());
        let mut decoded = Vec::new();
        for portion in portions {
            decoder.push(portion, &mut decoded);
        }
        decoder.finish(&mut decoded);
        decoded
    }

    #[test]
    fn encodings_by_name() {
        for name in ["base64", " BASE64 ", "Base64 (so)", "base64;x", "\"base64\""] {
            assert_eq!(decode(name, &[b"YQ=="]), b"a", "{name}");
        }
        assert_eq!(decode("quoted-printable", &[b"=61"]), b"a");
        assert_eq!(decode("quoted- printable", &[b"=61"]), b"a");
        for name in ["7bit", "8bit", "binary", "x-uuencode", ""] {
            assert_eq!(decode(name, &[b"=61\r\n"]), b"=61\r\n", "{name}");
        }
    }

    #[test]
    fn broken_base64_says_what_it_can() {
        assert_eq!(decode("base64", &[b"YWJj\r\nZGVm\r\n"]), b"abcdef");
        assert_eq!(decode("base64", &[b"YW\nJj ZG\tVm!-"]), b"abcdef");
        assert_eq!(decode("base64", &[b"YWJjZA"]), b"abcd");
        assert_eq!(decode("base64", &[b"YWJjZ"]), b"abc");
        assert_eq!(decode("base64", &[b"YWJjZA==\r\nYWJj"]), b"abcdabc");
        assert_eq!(decode("base64", &[b"YWJjZB=="]), b"abcd");
        assert_eq!(decode("base64", &[b"===="]), b"");
    }

    #[test]
    fn quoted_printable_by_the_rules() {
        let q = |text: &str| {
            String::from_utf8_lossy(&decode("quoted-printable", &[text.as_bytes()])).into_owned()
        };
        assert_eq!(q("a=3Db=3db\r\n"), "a=b=b\r\n");
        assert_eq!(q("a \t\r\nb  \n"), "a\r\nb\n");
        assert_eq!(q("a=\r\nb=\nc= \t\r\nd="), "abcd");
        assert_eq!(q("a =\r\n b"), "a  b");
        assert_eq!(q("a=20\r\nb"), "a \r\nb");
    }

    #[test]
    fn broken_quoted_printable_stays_as_it_is() {
        let q = |text: &str| {
            String::from_utf8_lossy(&decode("quoted-printable", &[text.as_bytes()])).into_owned()
        };
        assert_eq!(q("a=b c=zz =4"), "a=b c=zz =4");
        assert_eq!(q("http://x/?a=1&b==3D"), "http://x/?a=1&b==");
        for end in ["b", "\r\nb", "=", ""] {
            let long = format!("a={}{end}", " ".repeat(PADDING_OCTETS_MAX + 5));
            assert_eq!(q(&long), long.strip_suffix("=").unwrap_or(&long));
            let single: Vec<&[u8]> = long.as_bytes().chunks(1).collect();
            assert!(decode("quoted-printable", &single) == q(&long).as_bytes(), "{end:?}");
        }
    }

    proptest! {
        #[test]
        fn portions_make_no_difference(
            octets in prop::collection::vec(prop::sample::select(&b"=4aAQ \t\r\n!"[..]), 0..40),
            cuts in prop::collection::vec(0usize..40, 0..4),
            encoding in prop::sample::select(&["base64", "quoted-printable"][..]),
        ) {
            let whole = decode(encoding, &[&octets]);
            let single: Vec<&[u8]> = octets.chunks(1).collect();
            prop_assert_eq!(&decode(encoding, &single), &whole);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(octets.len())).collect();
            cuts.sort_unstable();
            cuts.insert(0, 0);
            cuts.push(octets.len());
            let portions: Vec<&[u8]> = cuts.windows(2).map(|cut| &octets[cut[0]..cut[1]]).collect();
            prop_assert_eq!(&decode(encoding, &portions), &whole);
        }

        #[test]
        fn base64_is_read_back(octets in prop::collection::vec(any::<u8>(), 0..200), columns in 1usize..90) {
            let lines: Vec<u8> = BASE64_STANDARD
                .encode(&octets)
                .as_bytes()
                .chunks(columns)
                .flat_map(|line| [line, b"\r\n"].concat())
                .collect();
            prop_assert_eq!(decode("base64", &[&lines]), octets);
        }
    }
}
