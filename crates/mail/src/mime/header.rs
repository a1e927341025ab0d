//! Header fields as they are written: folded lines (RFC 5322 §2.2.3), quoted strings, encoded words (RFC 2047) and
//! extended parameters (RFC 2231).
//!
//! Whatever goes in, what comes out is one field: no CR or LF but the folds, no control character, and no line over
//! [`TEXT_LINE_OCTETS_MAX`] as long as addresses and parameters keep to [`ADDRESS_OCTETS_MAX`].

#[cfg(any(doc, test))]
use crate::limits::ADDRESS_OCTETS_MAX;
use crate::limits::TEXT_LINE_OCTETS_MAX;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use encoding_rs::Encoding;
use std::borrow::Cow;
use std::fmt::Write as _;

/// Where a line should end (RFC 5322 §2.1.1), folds permitting.
const FOLD_COLUMN: usize = 78;

/// Longest encoded word (RFC 2047 §2).
const ENCODED_WORD_OCTETS_MAX: usize = 75;

/// An address and the name shown beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// The address without angle brackets, as SMTP carries it: one that is beyond ASCII stands here as it is (RFC 6532
    /// §3.2). A control character, which no address has, is written `?`.
    pub address: String,
    /// The name's octets, in the charset of the message; perhaps empty.
    pub name: Vec<u8>,
}

/// Writes a header section field by field.
#[derive(Debug)]
pub struct HeaderWriter<'a> {
    octets: Vec<u8>,
    charset: &'a str,
}

impl<'a> HeaderWriter<'a> {
    /// A writer that takes the octets it is given as text in `charset`.
    #[must_use]
    pub const fn new(charset: &'a str) -> Self {
        Self { octets: Vec::new(), charset }
    }

    /// The section so far, each field with its CRLF.
    #[must_use]
    pub fn into_octets(self) -> Vec<u8> {
        self.octets
    }

    /// A field whose value is our own: short, ASCII, one line.
    pub fn plain(&mut self, name: &str, value: &str) {
        self.field(name, std::iter::once(value.to_owned()));
    }

    /// A field of free text (RFC 5322 §2.2.1), such as Subject.
    pub fn text(&mut self, name: &str, value: &[u8]) {
        let words = match plain_text(value) {
            Some(text) => fold_points(text).map(str::to_owned).collect(),
            None => encoded_words(value, self.charset),
        };
        self.field(name, words.into_iter());
    }

    /// A field of addresses (RFC 5322 §3.4), such as To. No field for no address.
    pub fn mailboxes(&mut self, name: &str, mailboxes: &[Mailbox]) {
        let mut words = Vec::new();
        for (at, mailbox) in mailboxes.iter().enumerate() {
            words.extend(display_name(&mailbox.name, self.charset));
            let comma = if at + 1 < mailboxes.len() { "," } else { "" };
            let address = mailbox.address.replace(char::is_control, "?");
            words.push(if mailbox.name.is_empty() {
                format!("{address}{comma}")
            } else {
                format!("<{address}>{comma}")
            });
        }
        if !words.is_empty() {
            self.field(name, words.into_iter());
        }
    }

    /// A field of a value and one parameter (RFC 2045 §5.1, RFC 2183 §2), the parameter's value being UTF-8. It stays in
    /// one piece: what is so long that RFC 2231 §3 would split it is no name of a file here.
    pub fn with_parameter(&mut self, name: &str, value: &str, parameter: &str, parameter_value: &str) {
        self.field(name, [format!("{value};"), parameter_text(parameter, parameter_value)].into_iter());
    }

    /// Writes words with a space between, or a fold where the line would grow too long.
    fn field(&mut self, name: &str, words: impl Iterator<Item = String>) {
        self.octets.extend_from_slice(name.as_bytes());
        self.octets.push(b':');
        let mut column = name.len() + 1;
        for (at, word) in words.enumerate() {
            // The first word stays on the field's own line: readers exist that drop a field which begins with a fold.
            if at > 0 && column + 1 + word.len() > FOLD_COLUMN {
                self.octets.extend_from_slice(b"\r\n");
                column = 0;
            }
            self.octets.push(b' ');
            self.octets.extend_from_slice(word.as_bytes());
            column += 1 + word.len();
        }
        self.octets.extend_from_slice(b"\r\n");
    }
}

/// The text if it can stand in a field as it is: printable ASCII that nobody would take for an encoded word, with no
/// space at an end, where readers drop it, and no word too long for a line.
fn plain_text(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    let printable = text.bytes().all(|b| matches!(b, b' '..=b'~'));
    let trimmed = text.trim_matches(' ').len() == text.len();
    // A third of a line leaves room for the field's name before the first word, and for quoting each character.
    let short = fold_points(text).all(|word| word.len() < TEXT_LINE_OCTETS_MAX / 3);
    (printable && trimmed && short && !text.contains("=?")).then_some(text)
}

/// Splits at single spaces, so that joining with a space or a fold gives the text again: several spaces together stay
/// inside a word.
fn fold_points(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let octets = text.as_bytes();
        let is_space = |at: usize| octets.get(at) == Some(&b' ');
        let at = (1..octets.len()).find(|&at| is_space(at) && !is_space(at - 1) && !is_space(at + 1));
        let (word, after) = at.and_then(|at| text.split_at_checked(at)).unwrap_or((text, ""));
        rest = after.strip_prefix(' ');
        Some(word)
    })
}

/// The words of a name before an address: none, a quoted string, or encoded words.
fn display_name(name: &[u8], charset: &str) -> Vec<String> {
    match plain_text(name) {
        Some("") => Vec::new(),
        // Folds have their place inside a quoted string too (RFC 5322 §3.2.4).
        Some(text) => fold_points(&quoted(text)).map(str::to_owned).collect(),
        None => encoded_words(name, charset),
    }
}

/// RFC 5322 §3.2.4.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// RFC 2047 §2, base64. Text in a charset that is known is written in UTF-8, so that no word ends inside a character
/// (RFC 2047 §5); what is not valid in its charset, or in one that is not known here, is written as it came.
fn encoded_words(value: &[u8], charset: &str) -> Vec<String> {
    let text = Encoding::for_label(charset.as_bytes())
        .and_then(|encoding| encoding.decode_without_bom_handling_and_without_replacement(value));
    let charset = if text.is_some() { "utf-8" } else { charset };
    // Base64 makes 4 characters of 3 octets; a charset with a very long name makes a long word.
    let octets_max = (ENCODED_WORD_OCTETS_MAX.saturating_sub("=??B??=".len() + charset.len()) / 4 * 3).max(3);
    let portions: Vec<Cow<'_, [u8]>> = match text {
        Some(text) => {
            utf8_portions(&text, octets_max).map(|portion| portion.as_bytes().to_vec().into()).collect()
        }
        None => value.chunks(octets_max).map(Into::into).collect(),
    };
    portions.iter().map(|portion| format!("=?{charset}?B?{}?=", STANDARD.encode(portion))).collect()
}

fn utf8_portions(text: &str, octets_max: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (portion, after) = rest.split_at(rest.floor_char_boundary(octets_max));
        rest = after;
        (!portion.is_empty()).then_some(portion)
    })
}

/// `name="value"`, or `name*=utf-8''value` when it is not plain (RFC 2231 §4).
fn parameter_text(name: &str, value: &str) -> String {
    if plain_text(value.as_bytes()).is_some() {
        return format!("{name}={}", quoted(value));
    }
    let mut text = format!("{name}*=utf-8''");
    for octet in value.bytes() {
        // RFC 2231 §7, attribute-char.
        if octet.is_ascii_alphanumeric() || b"!#$&+-.^_`{|}~".contains(&octet) {
            text.push(char::from(octet));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{octet:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(value: &[u8], charset: &str) -> String {
        let mut writer = HeaderWriter::new(charset);
        writer.text("Subject", value);
        String::from_utf8(writer.into_octets()).unwrap()
    }

    #[test]
    fn plain_text_stays_plain_and_folds_at_spaces() {
        assert_eq!(text(b"First Email", "utf-8"), "Subject: First Email\r\n");
        assert_eq!(text(b"", "utf-8"), "Subject: \r\n");
        let long = ["word"; 40].join(" ");
        let written = text(long.as_bytes(), "utf-8");
        assert!(
            written.lines().count() > 1 && written.lines().all(|line| line.len() <= FOLD_COLUMN),
            "{written}"
        );
        assert_eq!(written.replace("\r\n ", " ").trim_end(), format!("Subject: {long}"));
        assert_eq!(text(b"two  spaces", "utf-8"), "Subject: two  spaces\r\n");
    }

    #[test]
    fn what_is_not_plain_becomes_encoded_words() {
        assert_eq!(text("测试".as_bytes(), "utf-8"), "Subject: =?utf-8?B?5rWL6K+V?=\r\n");
        assert_eq!(text(b"\xb2\xe2\xca\xd4", "gb2312"), "Subject: =?utf-8?B?5rWL6K+V?=\r\n");
        assert_eq!(text(b"\xff", "utf-8"), "Subject: =?utf-8?B?/w==?=\r\n");
        assert_eq!(text(b"\xff", "x-mine"), "Subject: =?x-mine?B?/w==?=\r\n");
        assert_eq!(text(b"=?a?", "utf-8"), "Subject: =?utf-8?B?PT9hPw==?=\r\n");
        assert_eq!(text(b" a", "utf-8"), "Subject: =?utf-8?B?IGE=?=\r\n");
        assert_eq!(text(b"a\r\nBcc: b", "utf-8"), "Subject: =?utf-8?B?YQ0KQmNjOiBi?=\r\n");
    }

    #[test]
    fn no_encoded_word_ends_inside_a_character_or_is_too_long() {
        let written = text("é€🎉".repeat(40).as_bytes(), "utf-8");
        for word in written.trim_start_matches("Subject:").split_whitespace() {
            assert!(word.len() <= ENCODED_WORD_OCTETS_MAX, "{word}");
            let inside = word.strip_prefix("=?utf-8?B?").unwrap().strip_suffix("?=").unwrap();
            assert!(std::str::from_utf8(&STANDARD.decode(inside).unwrap()).is_ok());
        }
    }

    #[test]
    fn addresses_with_and_without_names() {
        let mut writer = HeaderWriter::new("utf-8");
        let mailbox = |address: &str, name: &str| Mailbox { address: address.into(), name: name.into() };
        writer
            .mailboxes("To", &[mailbox("a@b.c", "O \"K\""), mailbox("d@e.f", ""), mailbox("g@h.i", "Jörg")]);
        writer.mailboxes("Cc", &[]);
        let expected = "To: \"O \\\"K\\\"\" <a@b.c>, d@e.f, =?utf-8?B?SsO2cmc=?= <g@h.i>\r\n";
        assert_eq!(String::from_utf8(writer.into_octets()).unwrap(), expected);
    }

    #[test]
    fn a_long_name_is_folded_inside_its_quotes() {
        let name = ["O\"K"; 400].join(" ");
        let mut writer = HeaderWriter::new("utf-8");
        writer.mailboxes("To", &[Mailbox { address: "a@b.c".into(), name: name.clone().into() }]);
        let written = String::from_utf8(writer.into_octets()).unwrap();
        assert!(written.lines().all(|line| line.len() <= FOLD_COLUMN), "{written}");
        let expected = format!("To: \"{}\" <a@b.c>\r\n", name.replace('"', "\\\""));
        assert_eq!(written.replace("\r\n ", " "), expected);
    }

    #[test]
    fn an_address_cannot_begin_a_field() {
        let mut writer = HeaderWriter::new("utf-8");
        writer.mailboxes("To", &[Mailbox { address: "a@b\r\nBcc: c@d\0".into(), name: Vec::new() }]);
        assert_eq!(writer.into_octets(), b"To: a@b??Bcc: c@d?\r\n");
    }

    #[test]
    fn parameters_plain_and_extended() {
        assert_eq!(parameter_text("filename", "a b.jpg"), "filename=\"a b.jpg\"");
        assert_eq!(parameter_text("filename", "é.jpg"), "filename*=utf-8''%C3%A9.jpg");
    }

    proptest! {
        #[test]
        fn whatever_goes_in_one_field_comes_out(
            value in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..600),
                "[a \"\\\\]{0,2000}".prop_map(String::into_bytes),
            ],
            address in "[\\x00-\\x7f]{1,254}",
            charset in prop::sample::select(vec!["utf-8", "us-ascii", "shift_jis", "utf-16", "x-unknown"]),
        ) {
            prop_assert!(address.len() <= ADDRESS_OCTETS_MAX);
            let mut writer = HeaderWriter::new(charset);
            writer.text("Subject", &value);
            writer.mailboxes("From", &[Mailbox { address, name: value.clone() }]);
            writer.with_parameter("X", "y", "z", &"\u{e9}".repeat(ADDRESS_OCTETS_MAX / 2));
            let section = String::from_utf8(writer.into_octets()).unwrap();
            let mut fields = 0;
            for line in section.strip_suffix("\r\n").unwrap().split("\r\n") {
                prop_assert!(line.bytes().all(|b| (b' '..=b'~').contains(&b)));
                prop_assert!(line.len() <= TEXT_LINE_OCTETS_MAX && !line.trim().is_empty());
                fields += usize::from(!line.starts_with(' '));
            }
            prop_assert_eq!(fields, 3);
        }
    }
}
