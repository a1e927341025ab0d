//! A structured field's value with parameters: `text/plain; charset="utf-8"` (RFC 2045 §5.1), and RFC 2231's charsets,
//! languages and continuations.
//!
//! Not here: what a parameter means. Everything broken is read as far as it goes.

use super::charset::{self, lenient};
use super::encoded_word;
use super::transfer::hex_octet;

/// A value and its parameters.
#[derive(Debug, Default)]
pub struct Parameterized {
    /// What stands before the parameters, in lower case and without comments.
    pub value: String,
    /// Names in lower case with their RFC 2231 ending, and values without quotes; in order.
    parameters: Vec<(String, Vec<u8>)>,
}

impl Parameterized {
    /// Reads an unfolded value.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let mut scan = Scan { rest: text };
        scan.skip_space();
        // Mailers forget the semicolon, so white space ends the value too.
        let value = scan.take_until(|octet| matches!(octet, b';' | b'(') || octet.is_ascii_whitespace());
        let value = lenient(value).to_ascii_lowercase();
        let mut parameters = Vec::new();
        while let Some((name, value)) = scan.parameter() {
            if !name.is_empty() {
                parameters.push((lenient(name).to_ascii_lowercase(), value));
            }
        }
        Self { value, parameters }
    }

    /// The octets of the parameter `name` as they stand, without quotes.
    #[must_use]
    pub fn octets(&self, name: &str) -> Option<&[u8]> {
        self.parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_slice())
    }

    /// The text of the parameter `name`. One in the form of RFC 2231 wins over a plain one beside it, which is there
    /// for readers that do not know the form. In a plain one encoded words are decoded (many mailers write them,
    /// though RFC 2047 §5 forbids it), and raw octets are taken for UTF-8 or else windows-1252.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.extended(name).or_else(|| self.octets(name).map(encoded_word::decode))
    }

    /// The parameter in RFC 2231's form: `name*=charset'language'%41`, or in sections `name*0*=`, `name*1=`, ….
    fn extended(&self, name: &str) -> Option<String> {
        let mut sections: Vec<(u32, bool, &[u8])> = self
            .parameters
            .iter()
            .filter_map(|(own, value)| {
                let ending = own.strip_prefix(name)?.strip_prefix('*')?;
                let (number, is_encoded) = match ending.strip_suffix('*') {
                    Some(number) => (number, true),
                    None => (ending, ending.is_empty()),
                };
                let number = if number.is_empty() { 0 } else { number.parse().ok()? };
                Some((number, is_encoded, value.as_slice()))
            })
            .collect();
        if sections.is_empty() {
            return None;
        }
        sections.sort_by_key(|(number, ..)| *number);
        sections.dedup_by_key(|(number, ..)| *number);
        let mut label = None;
        let mut octets = Vec::new();
        let is_encoded = sections.iter().any(|(_, is_encoded, _)| *is_encoded);
        for (at, (_, is_encoded, value)) in sections.into_iter().enumerate() {
            let mut value = value;
            if is_encoded && at == 0 {
                (label, value) = split_charset(value);
            }
            if is_encoded {
                decode_percent(value, &mut octets);
            } else {
                octets.extend_from_slice(value);
            }
        }
        Some(match label.as_deref().and_then(charset::encoding) {
            Some(encoding) => encoding.decode_without_bom_handling(&octets).0.into_owned(),
            None if is_encoded => lenient(&octets),
            None => encoded_word::decode(&octets),
        })
    }
}

/// `charset'language'text`; a text without the quotes is all text.
fn split_charset(value: &[u8]) -> (Option<String>, &[u8]) {
    let mut parts = value.splitn(3, |octet| *octet == b'\'');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(label), Some(_), Some(text)) => (Some(lenient(label)), text),
        _ => (None, value),
    }
}

fn decode_percent(text: &[u8], octets: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let escaped = if first == b'%' { hex_octet(after) } else { None };
        octets.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
}

/// What is left of a value that is being read.
struct Scan<'a> {
    rest: &'a [u8],
}

impl<'a> Scan<'a> {
    /// The next parameter; `None` at the end. One without `=` has an empty name.
    fn parameter(&mut self) -> Option<(&'a [u8], Vec<u8>)> {
        self.skip_space();
        if self.rest.is_empty() {
            return None;
        }
        let name = self.take_until(|octet| matches!(octet, b'=' | b';')).trim_ascii();
        if self.rest.first() != Some(&b'=') {
            return Some((b"", Vec::new()));
        }
        self.advance(1);
        while self.rest.first().is_some_and(u8::is_ascii_whitespace) {
            self.advance(1);
        }
        let value = if self.rest.first() == Some(&b'"') {
            self.advance(1);
            self.quoted()
        } else {
            without_comment(self.take_until(|octet| octet == b';').trim_ascii()).to_vec()
        };
        Some((name, value))
    }

    /// Skips white space, semicolons and comments.
    fn skip_space(&mut self) {
        loop {
            match self.rest.first() {
                Some(b';') => self.advance(1),
                Some(b'(') => self.skip_comment(),
                Some(octet) if octet.is_ascii_whitespace() => self.advance(1),
                _ => return,
            }
        }
    }

    /// Skips a comment, which may hold others (RFC 5322 §3.2.2).
    fn skip_comment(&mut self) {
        let mut depth = 0_usize;
        while let Some((&octet, after)) = self.rest.split_first() {
            self.rest = after;
            match octet {
                b'(' => depth += 1,
                b')' => depth -= 1,
                b'\\' => self.advance(1),
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// The inside of a quoted string (RFC 5322 §3.2.4), to its end or to that of the value.
    fn quoted(&mut self) -> Vec<u8> {
        let mut value = Vec::new();
        while let Some((&octet, after)) = self.rest.split_first() {
            self.rest = after;
            match octet {
                b'"' => break,
                b'\\' => {
                    value.extend(after.first());
                    self.advance(1);
                }
                _ => value.push(octet),
            }
        }
        value
    }

    fn take_until(&mut self, is_end: impl Fn(u8) -> bool) -> &'a [u8] {
        let at = self.rest.iter().position(|octet| is_end(*octet)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(at);
        self.rest = rest;
        taken
    }

    fn advance(&mut self, octets: usize) {
        self.rest = self.rest.get(octets..).unwrap_or_default();
    }
}

/// A value that is not quoted, without the comment that may follow it: `us-ascii (Plain text)`.
fn without_comment(value: &[u8]) -> &[u8] {
    match memchr::memmem::find(value, b" (") {
        Some(at) if value.ends_with(b")") => value.get(..at).unwrap_or_default().trim_ascii(),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(field: &[u8], name: &str) -> Option<String> {
        Parameterized::parse(field).text(name)
    }

    #[test]
    fn values_quotes_and_comments() {
        let field =
            Parameterized::parse(b" Text/Plain (so) ; Charset=us-ascii (Plain text); x=\"a;\\\"b\" ; y = z ");
        assert_eq!(field.value, "text/plain");
        assert_eq!(field.text("charset").as_deref(), Some("us-ascii"));
        assert_eq!(field.text("x").as_deref(), Some("a;\"b"));
        assert_eq!(field.text("y").as_deref(), Some("z"));
        assert_eq!(field.text("z"), None);
    }

    #[test]
    fn broken_ones_are_read_as_far_as_they_go() {
        assert_eq!(text(b"multipart/mixed boundary=ab", "boundary").as_deref(), Some("ab"));
        assert_eq!(text(b"a; name=\"x\" boundary=\"y\"", "boundary").as_deref(), Some("y"));
        assert_eq!(text(b"a; boundary=\"ab", "boundary").as_deref(), Some("ab"));
        assert_eq!(text(b"a; boundary=--=_x/y", "boundary").as_deref(), Some("--=_x/y"));
        assert_eq!(text(b"a; filename=two words.txt", "filename").as_deref(), Some("two words.txt"));
        assert_eq!(text(b"a;; b; =c; x=1; x=2", "x").as_deref(), Some("1"));
        assert_eq!(text(b"a; x=", "x").as_deref(), Some(""));
        assert_eq!(Parameterized::parse(b"").value, "");
    }

    #[test]
    fn charsets_languages_and_continuations_of_rfc_2231() {
        assert_eq!(text(b"a; x*=utf-8'de'%C3%BCb", "x").as_deref(), Some("üb"));
        assert_eq!(text(b"a; x*=iso-8859-1''%FC", "x").as_deref(), Some("ü"));
        assert_eq!(text(b"a; x*1=\"c d\"; x*0*=utf-8''%C3; x*2*=%25", "x").as_deref(), Some("\u{fffd}c d%"));
        assert_eq!(text(b"a; x*0*=utf-8''%C3; x*1*=%BC", "x").as_deref(), Some("ü"));
        assert_eq!(text(b"a; x*0=a; x*1=b; x*10=d; x*2=c", "x").as_deref(), Some("abcd"));
        assert_eq!(text(b"a; x=plain; x*=utf-8''better", "x").as_deref(), Some("better"));
        assert_eq!(text(b"a; x*=no%20charset", "x").as_deref(), Some("no charset"));
        assert_eq!(text(b"a; x*=utf-8''50%zz", "x").as_deref(), Some("50%zz"));
    }

    #[test]
    fn encoded_words_and_raw_octets_in_a_name() {
        assert_eq!(text(b"a; name=\"=?utf-8?q?=C3=BC?=.txt\"", "name").as_deref(), Some("ü.txt"));
        assert_eq!(
            text(b"a; name*0=\"=?utf-8?q?=C3\"; name*1=\"=BC?=.txt\"", "name").as_deref(),
            Some("ü.txt")
        );
        assert_eq!(text(b"a; name=\"\xfc.txt\"", "name").as_deref(), Some("ü.txt"));
        assert_eq!(text("a; name=\"ü.txt\"".as_bytes(), "name").as_deref(), Some("ü.txt"));
    }

    proptest! {
        #[test]
        fn any_octets_are_read(octets in prop::collection::vec(prop::sample::select(&b"ax*0;=\"\\()' %?q"[..]), 0..40)) {
            let field = Parameterized::parse(&octets);
            for name in ["a", "x", ""] {
                let _ = field.text(name);
            }
        }
    }
}
