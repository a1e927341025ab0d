//! The header fields of a mail or a part, line by line, as far as someone asks for them (RFC 5322 §2.2).
//!
//! Not here: fields nobody asks for (they are read over, however many there are), and addresses and dates, which are
//! shown as the sender wrote them.

use super::charset::cut;
use super::encoded_word;
use crate::limits::FIELD_OCTETS_MAX;

/// The fields that are kept; of each the first, as RFC 5322 §3.6 allows no second. Recipients are added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// When the mail was written.
    Date,
    /// Its author.
    From,
    /// Its recipients.
    To,
    /// What it is about.
    Subject,
    /// What a part is (RFC 2045 §5).
    ContentType,
    /// How it is meant to be shown (RFC 2183).
    ContentDisposition,
    /// How its octets travelled (RFC 2045 §6).
    ContentTransferEncoding,
}

const NAMES: [(Name, &str); 7] = [
    (Name::Date, "date"),
    (Name::From, "from"),
    (Name::To, "to"),
    (Name::Subject, "subject"),
    (Name::ContentType, "content-type"),
    (Name::ContentDisposition, "content-disposition"),
    (Name::ContentTransferEncoding, "content-transfer-encoding"),
];

/// What a line is in a header section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Part of the section.
    Header,
    /// The empty line that ends it.
    End,
    /// No field at all.
    Foreign,
}

/// A header section, being read.
#[derive(Debug, Default)]
pub struct Section {
    /// The field that may go on, unfolded; cut at its bound.
    field: Vec<u8>,
    kept: [Option<Vec<u8>>; NAMES.len()],
    has_lines: bool,
}

impl Section {
    /// Takes a line without its end.
    pub fn push_line(&mut self, line: &[u8]) -> Line {
        let is_first = !std::mem::replace(&mut self.has_lines, true);
        match line.first() {
            None => return Line::End,
            // Folding: the line end goes, the white space stays (RFC 5322 §2.2.3).
            Some(b' ' | b'\t') => {
                self.push_more(line);
                return Line::Header;
            }
            _ => {}
        }
        // What mailboxes put before a mail.
        if is_first && (line.starts_with(b"From ") || line.starts_with(b">From ")) {
            return Line::Header;
        }
        if split(line).is_none() {
            return Line::Foreign;
        }
        self.end_field();
        self.field.extend_from_slice(line);
        Line::Header
    }

    /// Takes more of the line before.
    pub fn push_more(&mut self, octets: &[u8]) {
        let room = FIELD_OCTETS_MAX.saturating_sub(self.field.len());
        self.field.extend_from_slice(octets.get(..room).unwrap_or(octets));
    }

    /// Whether any line was taken.
    #[must_use]
    pub const fn has_lines(&self) -> bool {
        self.has_lines
    }

    /// The section is over.
    pub fn finish(&mut self) {
        self.end_field();
    }

    /// The unfolded value of a field.
    #[must_use]
    pub fn value(&self, name: Name) -> Option<&[u8]> {
        self.kept.get(name as usize)?.as_deref()
    }

    /// The field's text for people: decoded, on one line, without control characters; empty when there is none.
    #[must_use]
    pub fn text(&self, name: Name) -> String {
        let decoded = encoded_word::decode(self.value(name).unwrap_or_default());
        let mut text: String = decoded.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        cut(&mut text, FIELD_OCTETS_MAX);
        text.trim().to_owned()
    }

    fn end_field(&mut self) {
        let field = std::mem::take(&mut self.field);
        let Some((own, value)) = split(&field) else { return };
        let wanted = NAMES.iter().find(|(_, name)| own.eq_ignore_ascii_case(name.as_bytes()));
        let Some((name, _)) = wanted else { return };
        match self.kept.get_mut(*name as usize) {
            Some(Some(kept)) if *name == Name::To && kept.len() + value.len() < FIELD_OCTETS_MAX => {
                kept.extend_from_slice(b", ");
                kept.extend_from_slice(value);
            }
            Some(kept @ None) => *kept = Some(value.to_vec()),
            _ => {}
        }
    }
}

/// A field's name and value. Before the colon white space may stand (RFC 5322 §4.5).
fn split(field: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = field.split_at_checked(memchr::memchr(b':', field)?)?;
    let name = name.trim_ascii_end();
    let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    is_name.then(|| (name, value.get(1..).unwrap_or_default().trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Section {
        let mut section = Section::default();
        for line in text.lines() {
            section.push_line(line.as_bytes());
        }
        section.finish();
        section
    }

    #[test]
    fn fields_are_unfolded_and_decoded() {
        let section = read("Subject: =?utf-8?q?a?=\n =?utf-8?q?b?=\n\tc\nFROM : x\x07y\nTo:\n z");
        assert_eq!(section.text(Name::Subject), "ab c");
        assert_eq!(section.text(Name::From), "x y");
        assert_eq!(section.text(Name::To), "z");
        assert_eq!(section.text(Name::Date), "");
    }

    #[test]
    fn the_first_field_of_a_name_counts_but_recipients_add_up() {
        assert_eq!(read("From: a\nfrom: b").text(Name::From), "a");
        assert_eq!(read("To: a\nto: b").text(Name::To), "a, b");
    }

    #[test]
    fn what_is_no_field() {
        let mut section = Section::default();
        assert_eq!(section.push_line(b"From a@b Mon Jan"), Line::Header);
        assert_eq!(section.push_line(b"From a@b Mon Jan"), Line::Foreign);
        assert_eq!(section.push_line(b"no field"), Line::Foreign);
        assert_eq!(section.push_line(b": x"), Line::Foreign);
        assert_eq!(section.push_line(b""), Line::End);
    }

    #[test]
    fn an_endless_field_is_cut() {
        let mut section = Section::default();
        section.push_line(b"Subject: ");
        for _ in 0..1_000 {
            section.push_line(&[b' '; 500]);
            section.push_more(&[0xfc; 500]);
        }
        assert!(section.field.len() <= FIELD_OCTETS_MAX);
        section.finish();
        assert!(section.text(Name::Subject).len() <= FIELD_OCTETS_MAX);
    }
}
