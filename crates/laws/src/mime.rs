//! Mails that anybody may have sent.

use mail::dot::{DotReader, DotStuffer};
use mail::limits::{FIELD_OCTETS_MAX, FILE_NAME_OCTETS_MAX};
use mail::mime::charset::TextDecoder;
use mail::mime::encoded_word;
use mail::mime::extract::{Attachment, Extractor, Piece, Summary};
use mail::mime::field::{Line, Name, Section};
use mail::mime::file_name::safe_name;
use mail::mime::parameter::Parameterized;
use mail::mime::transfer::TransferDecoder;
use std::collections::BTreeSet;

/// A text in HTML may grow when it is laid out; no charset makes more of one octet.
const TEXT_OCTETS_PER_OCTET_MAX: usize = 256;

#[derive(Debug, Default, PartialEq)]
struct Taken {
    summaries: Vec<Summary>,
    text: String,
    attachments: Vec<(Attachment, Vec<u8>)>,
    is_open: bool,
}

fn take(mail: &[u8], portion_octets: usize) -> Taken {
    let mut taken = Taken::default();
    let mut sink = |piece: Piece<'_>| match piece {
        Piece::Header(summary) => {
            assert!(taken.text.is_empty() && taken.attachments.is_empty(), "a header in the middle");
            taken.summaries.push(summary);
        }
        Piece::Text(text) => {
            assert!(!taken.is_open, "text in an attachment");
            taken.text.push_str(text);
        }
        Piece::AttachmentBegin(attachment) => {
            assert!(!std::mem::replace(&mut taken.is_open, true), "an attachment in an attachment");
            taken.attachments.push((attachment, Vec::new()));
        }
        Piece::AttachmentOctets(octets) => {
            assert!(taken.is_open, "octets of no attachment");
            if let Some((_, held)) = taken.attachments.last_mut() {
                held.extend_from_slice(octets);
            }
        }
        Piece::AttachmentEnd => {
            assert!(std::mem::replace(&mut taken.is_open, false), "the end of no attachment");
        }
    };
    let mut extractor = Extractor::default();
    for portion in mail.chunks(portion_octets) {
        extractor.push(portion, &mut sink);
    }
    extractor.finish(&mut sink);
    taken
}

fn is_field_text(text: &str) -> bool {
    text.len() <= FIELD_OCTETS_MAX && !text.contains(char::is_control)
}

/// One header, first; attachments one after another, each closed; text with CRLF line ends alone; no more than came;
/// names that are safe, and no two the same; and whatever portions the mail comes in, the same of it all.
pub(crate) fn mail(octets: &[u8]) {
    let whole = take(octets, usize::MAX);
    assert!(!whole.is_open, "an attachment without an end");
    assert_eq!(whole.summaries.len(), 1, "one header");
    for Summary { date, from, to, subject } in &whole.summaries {
        assert!([date, from, to, subject].into_iter().all(|text| is_field_text(text)));
    }
    assert!(
        whole.text.len() <= octets.len() * TEXT_OCTETS_PER_OCTET_MAX,
        "{} octets of text",
        whole.text.len()
    );
    assert!(!whole.text.replace("\r\n", "").contains(['\r', '\n']), "a bare line end");
    let attached: usize = whole.attachments.iter().map(|(_, octets)| octets.len()).sum();
    assert!(attached <= octets.len(), "{attached} octets attached");
    let mut names = BTreeSet::new();
    for (attachment, _) in &whole.attachments {
        let name = safe_name(attachment.name.as_deref(), &attachment.content_type, |name| {
            names.contains(&name.to_lowercase())
        });
        check_file_name(&name);
        assert!(names.insert(name.to_lowercase()), "{name} twice");
    }
    for portion_octets in [1, 7] {
        assert_eq!(take(octets, portion_octets), whole, "in portions of {portion_octets}");
    }
}

fn check_file_name(name: &str) {
    assert!(!name.is_empty() && name.len() <= FILE_NAME_OCTETS_MAX, "{name:?}");
    assert!(modem::drive::path::Name::new(name).is_some(), "{name:?}");
}

/// Header fields, their encoded words and parameters, by themselves: what is shown of them is on one line and bounded.
pub(crate) fn header_fields(octets: &[u8]) {
    let mut section = Section::default();
    for line in octets.split(|&octet| octet == b'\n') {
        if section.push_line(line.strip_suffix(b"\r").unwrap_or(line)) == Line::Foreign {
            section.push_more(line);
        }
    }
    section.finish();
    for name in [Name::Date, Name::From, Name::To, Name::Subject] {
        assert!(is_field_text(&section.text(name)));
    }
    for name in [Name::ContentType, Name::ContentDisposition, Name::ContentTransferEncoding] {
        let value = section.value(name).unwrap_or_default();
        assert!(value.len() <= octets.len());
        parameters(value);
    }
    parameters(octets);
    // Without a line's bound, three octets of UTF-8 for each that is no text.
    assert!(encoded_word::decode(octets).len() <= octets.len() * 3);
}

fn parameters(value: &[u8]) {
    let parsed = Parameterized::parse(value);
    for name in ["name", "filename", "boundary", "charset"] {
        assert!(parsed.octets(name).is_none_or(|octets| octets.len() <= value.len()));
        check_file_name(&safe_name(parsed.text(name).as_deref(), &parsed.value, |_| false));
    }
}

/// What carries a mail or a part: dots, transfer encodings and charsets. The first line names the last two. Portions
/// make no difference, and what was dot-stuffed comes back.
pub(crate) fn transfer(octets: &[u8]) {
    let end = octets.iter().position(|&octet| octet == b'\n').unwrap_or(octets.len());
    let (label, content) = octets.split_at(end);
    let content = content.get(1..).unwrap_or_default();
    let charset = std::str::from_utf8(label).ok();

    let decoded = |portion_octets: usize| {
        let mut decoder = TransferDecoder::new(label);
        let mut decoded = Vec::new();
        content.chunks(portion_octets).for_each(|portion| decoder.push(portion, &mut decoded));
        decoder.finish(&mut decoded);
        decoded
    };
    let text = |portion_octets: usize| {
        let mut decoder = TextDecoder::new(charset);
        let mut text = String::new();
        content.chunks(portion_octets).for_each(|portion| decoder.push(portion, false, &mut text));
        decoder.push(b"", true, &mut text);
        text
    };
    let stuffed = |portion_octets: usize| {
        let (mut stuffer, mut wire) = (DotStuffer::default(), Vec::new());
        content.chunks(portion_octets).for_each(|portion| stuffer.push(portion, &mut wire));
        stuffer.finish(&mut wire);
        wire
    };
    let unstuffed = |wire: &[u8], portion_octets: usize| {
        let (mut reader, mut read, mut used) = (DotReader::default(), Vec::new(), 0);
        for portion in wire.chunks(portion_octets) {
            match reader.push(portion, |octets| read.extend_from_slice(octets)) {
                Some(end) => return (read, Some(used + end)),
                None => used += portion.len(),
            }
        }
        (read, None)
    };
    assert!(decoded(usize::MAX).len() <= content.len());
    let wire = stuffed(usize::MAX);
    let (read, at) = unstuffed(&wire, usize::MAX);
    assert_eq!(at, Some(wire.len()), "an end before the end");
    assert!(read.starts_with(content) || read.len() >= content.len(), "less than was sent");
    assert_eq!(stuffed_again(&read), wire);
    for portion_octets in [1, 3] {
        assert_eq!(decoded(portion_octets), decoded(usize::MAX));
        assert_eq!(text(portion_octets), text(usize::MAX));
        assert_eq!(stuffed(portion_octets), wire);
        assert_eq!(unstuffed(&wire, portion_octets), unstuffed(&wire, usize::MAX));
        assert_eq!(unstuffed(content, portion_octets), unstuffed(content, usize::MAX));
    }
}

fn stuffed_again(content: &[u8]) -> Vec<u8> {
    let (mut stuffer, mut wire) = (DotStuffer::default(), Vec::new());
    stuffer.push(content, &mut wire);
    stuffer.finish(&mut wire);
    wire
}
