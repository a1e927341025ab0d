//! What a part's header section says of it (RFC 2045, 2183).
//!
//! Not here: what becomes of the part.

use super::charset::cut;
use super::field::{Name, Section};
use super::parameter::Parameterized;
use super::transfer::TransferDecoder;
use crate::limits::{BOUNDARY_OCTETS_MAX, FIELD_OCTETS_MAX};

/// A part, or the mail as a whole.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// Type and subtype in lower case.
    pub(super) media_type: String,
    pub(super) charset: Option<String>,
    /// The file name, as sent.
    pub(super) name: Option<String>,
    /// Content-Disposition: attachment, or one that is not known (RFC 2183 §2.8).
    pub(super) is_attachment: bool,
    pub(super) transfer: TransferDecoder,
    /// Of a multipart, if it gives one that can be looked for.
    pub(super) boundary: Option<Vec<u8>>,
}

impl Part {
    /// Reads the section; `default_type` is the type of a part that says none.
    pub(super) fn new(section: &Section, default_type: &str) -> Self {
        let content = section.value(Name::ContentType).map(Parameterized::parse).unwrap_or_default();
        let disposition =
            section.value(Name::ContentDisposition).map(Parameterized::parse).unwrap_or_default();
        let media_type = match content.value.as_str() {
            "" => default_type,
            value if is_media_type(value) => value,
            // RFC 2045 §5.2: what is no type is text.
            _ => "text/plain",
        };
        let name = disposition.text("filename").or_else(|| content.text("name")).map(|mut name| {
            cut(&mut name, FIELD_OCTETS_MAX);
            name
        });
        let boundary =
            content.octets("boundary").map(<[u8]>::to_vec).or_else(|| Some(content.text("boundary")?.into()));
        let boundary = boundary.map(|boundary| boundary.trim_ascii_end().to_vec());
        Self {
            media_type: media_type.to_owned(),
            charset: content.text("charset"),
            name: name.filter(|name| !name.trim().is_empty()),
            is_attachment: !matches!(disposition.value.as_str(), "" | "inline"),
            transfer: TransferDecoder::new(section.value(Name::ContentTransferEncoding).unwrap_or_default()),
            boundary: boundary.filter(|boundary| (1..=BOUNDARY_OCTETS_MAX).contains(&boundary.len())),
        }
    }

    /// Whether it is text of this subtype, to be read with the mail and not to be saved beside it.
    pub(super) fn is_inline(&self, media_type: &str) -> bool {
        self.media_type == media_type && !self.is_attachment && self.name.is_none()
    }
}

/// `type/subtype`, of the characters RFC 6838 §4.2 has in registered names and its like, at its length at most.
fn is_media_type(value: &str) -> bool {
    let is_name = |name: &str| {
        (1..=127).contains(&name.len())
            && name
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || b"!#$&-^_.+'*%`{|}~".contains(&octet))
    };
    value.split_once('/').is_some_and(|(kind, subtype)| is_name(kind) && is_name(subtype))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(header: &str) -> Part {
        let mut section = Section::default();
        for line in header.lines() {
            section.push_line(line.as_bytes());
        }
        section.finish();
        Part::new(&section, "text/plain")
    }

    #[test]
    fn types_default_and_broken_ones_are_text() {
        assert_eq!(part("").media_type, "text/plain");
        assert_eq!(part("Content-Type: Image/PNG; x=y").media_type, "image/png");
        for broken in ["text", "image/", "/png", "a/b/c", "a/b<script>", "; charset=x", "a/\u{fc}"] {
            assert_eq!(part(&format!("Content-Type: {broken}")).media_type, "text/plain", "{broken}");
        }
    }

    #[test]
    fn the_name_of_the_disposition_comes_before_that_of_the_type() {
        let both = "Content-Type: a/b; name=x\nContent-Disposition: attachment; filename=y";
        assert_eq!(part(both).name.as_deref(), Some("y"));
        assert_eq!(part("Content-Type: a/b; name=x").name.as_deref(), Some("x"));
        assert_eq!(part("Content-Type: a/b; name=\" \"").name, None);
    }

    #[test]
    fn dispositions() {
        assert!(part("Content-Disposition: ATTACHMENT").is_attachment);
        assert!(part("Content-Disposition: signal").is_attachment);
        assert!(!part("Content-Disposition: inline").is_attachment);
        assert!(!part("").is_attachment);
    }

    #[test]
    fn boundaries_that_can_be_looked_for() {
        assert_eq!(part("Content-Type: multipart/mixed; boundary=\"a b \"").boundary, Some(b"a b".to_vec()));
        assert_eq!(
            part("Content-Type: multipart/mixed; boundary*0=a; boundary*1=b").boundary,
            Some(b"ab".to_vec())
        );
        assert_eq!(part("Content-Type: multipart/mixed; boundary=\"\"").boundary, None);
        assert_eq!(part("Content-Type: multipart/mixed").boundary, None);
        let long = "b".repeat(BOUNDARY_OCTETS_MAX + 1);
        assert_eq!(part(&format!("Content-Type: multipart/mixed; boundary={long}")).boundary, None);
    }
}
