//! Mails that others wrote, through the extractor, against what two other parsers agree on.
//!
//! The corpus is not part of this project: it is read from `shared/corpus` beside the workspace where that exists.
//! How fields are compared, and why some differ, is in `docs/spec/corpus.md`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test that reads files, looks into JSON, and reports"
)]

use mail::mime::extract::{Attachment, Extractor, Piece, Summary};
use mail_parser::DateTime;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

const FIELDS: [&str; 7] = ["subject", "frm", "to", "date", "text", "att", "attname"];

/// Fields that match, of those on which both parsers agree: the floor under which this test fails.
const MATCHING_PERMILLE_MIN: usize = 989;

#[derive(Debug, Default, PartialEq)]
struct Saved {
    summary: Summary,
    text: String,
    attachments: Vec<(Attachment, Vec<u8>)>,
}

fn extract(mail: &[u8], portion_octets: usize) -> Saved {
    let mut saved = Saved::default();
    let mut take = |piece: Piece<'_>| match piece {
        Piece::Header(summary) => saved.summary = summary,
        Piece::Text(text) => saved.text.push_str(text),
        Piece::AttachmentBegin(attachment) => saved.attachments.push((attachment, Vec::new())),
        Piece::AttachmentOctets(octets) => saved.attachments.last_mut().unwrap().1.extend_from_slice(octets),
        Piece::AttachmentEnd => {}
    };
    let mut extractor = Extractor::default();
    for portion in mail.chunks(portion_octets) {
        extractor.push(portion, &mut take);
    }
    extractor.finish(&mut take);
    saved
}

#[test]
fn mails_that_others_wrote() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let Ok(expected) = std::fs::read_to_string(corpus.join("expected.json")) else {
        println!("the corpus is absent ({}): nothing compared", corpus.display());
        return;
    };
    let expected: BTreeMap<String, Value> =
        serde_json::from_str(&without_lone_surrogates(&expected)).unwrap();
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut mismatches = String::new();
    for (name, expected) in &expected {
        let mail = std::fs::read(corpus.join("mails").join(name)).unwrap();
        let saved = extract(&mail, 1_460);
        assert!(extract(&mail, usize::MAX) == saved, "{name}: portions make a difference");
        for field in FIELDS {
            if expected["agree"][field] != true {
                continue;
            }
            let (matching, all) = counts.entry(field).or_default();
            *all += 1;
            match compare(field, expected, &saved, &mail) {
                Ok(()) => *matching += 1,
                Err(difference) => writeln!(mismatches, "{name} {field}: {difference}").unwrap(),
            }
        }
    }
    println!("{mismatches}");
    let (mut matching, mut all) = (0, 0);
    for (field, (field_matching, field_all)) in counts {
        println!("{field:8} {field_matching:4} of {field_all:4}");
        matching += field_matching;
        all += field_all;
    }
    println!("all      {matching:4} of {all:4}: {}.{} %", matching * 100 / all, matching * 1_000 / all % 10);
    assert!(matching * 1_000 >= MATCHING_PERMILLE_MIN * all, "{mismatches}");
}

/// Raw octets that one parser kept as `\udc80` to `\udcff`, half of a surrogate pair without the other.
fn without_lone_surrogates(json: &str) -> String {
    let mut pieces = json.split("\\udc");
    let mut whole = pieces.next().unwrap().to_owned();
    for piece in pieces {
        let before = whole.len().checked_sub(6).and_then(|at| whole.get(at..)).unwrap_or_default();
        if ["\\ud8", "\\ud9", "\\uda", "\\udb"].iter().any(|high| before.starts_with(high)) {
            whole.push_str("\\udc");
            whole.push_str(piece);
        } else {
            whole.push('\u{fffd}');
            whole.push_str(&piece[2..]);
        }
    }
    whole
}

fn compare(field: &str, expected: &Value, saved: &Saved, mail: &[u8]) -> Result<(), String> {
    match field {
        "subject" => same_text(expected["subject"].as_str().unwrap_or_default(), &saved.summary.subject),
        "frm" => same_addresses(&expected["from"], &saved.summary.from),
        "to" => same_addresses(&expected["to"], &saved.summary.to),
        "date" => same_date(expected["date"].as_str(), &saved.summary.date),
        "text" => match expected["text"].as_str() {
            Some(text) => same_text(text, &saved.text),
            // No plain text: then there is none, or one made of HTML.
            None if saved.text.is_empty() || has_html(mail) => Ok(()),
            None => Err(format!("no text expected, found {:?}", head(&saved.text))),
        },
        "att" => same_attachments(expected["attachments"].as_array().unwrap(), &saved.attachments),
        "attname" => same_names(expected["attachments"].as_array().unwrap(), &saved.attachments),
        _ => unreachable!("no such field"),
    }
}

fn has_html(mail: &[u8]) -> bool {
    String::from_utf8_lossy(mail).to_ascii_lowercase().contains("text/html")
}

/// Line ends and runs of white space are one; U+FFFD, or a raw octet kept as a lone surrogate (which is not text and
/// comes as U+FFFD too), says that the other parser gave up on octets: any characters but ASCII may stand there.
fn same_text(expected: &str, found: &str) -> Result<(), String> {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (expected, found) = (words(expected), words(found));
    if matches(&expected, &found) {
        return Ok(());
    }
    let at = expected.chars().zip(found.chars()).take_while(|(a, b)| a == b).count();
    let from = |text: &str| text.chars().skip(at.saturating_sub(10)).take(60).collect::<String>();
    Err(format!("at {at}: expected {:?}, found {:?}", from(&expected), from(&found)))
}

fn matches(expected: &str, found: &str) -> bool {
    let mut found = found;
    for piece in expected.split_inclusive('\u{fffd}') {
        let (text, is_wild) = piece.strip_suffix('\u{fffd}').map_or((piece, false), |text| (text, true));
        let Some(rest) = found.strip_prefix(text) else { return false };
        found = if is_wild { rest.trim_start_matches(|c: char| !c.is_ascii()) } else { rest };
    }
    found.is_empty()
}

fn head(text: &str) -> String {
    text.chars().take(60).collect()
}

/// The addresses stand in the shown field in order, each after its name, and there are no others.
fn same_addresses(expected: &Value, shown: &str) -> Result<(), String> {
    let plain = |text: &str| -> String {
        text.chars()
            .filter(|c| !c.is_whitespace() && !"\"\\'".contains(*c))
            .collect::<String>()
            .to_lowercase()
    };
    let mut rest = plain(shown);
    for address in expected.as_array().unwrap() {
        let (name, address) = (plain(address[0].as_str().unwrap()), plain(address[1].as_str().unwrap()));
        for word in [name, address] {
            let (before, after) = find_wild(&rest, &word).ok_or(format!("no {word:?} in {shown:?}"))?;
            if before.contains('@') {
                return Err(format!("another address before {word:?} in {shown:?}"));
            }
            rest = after;
        }
    }
    if rest.contains('@') { Err(format!("another address at the end of {shown:?}")) } else { Ok(()) }
}

fn find_wild(text: &str, word: &str) -> Option<(String, String)> {
    let start = word.split('\u{fffd}').next().unwrap();
    text.match_indices(start).find_map(|(at, _)| {
        let ends = text[at..].char_indices().map(|(end, c)| at + end + c.len_utf8());
        let end = std::iter::once(at).chain(ends).find(|end| matches(word, &text[at..*end]))?;
        Some((text[..at].to_owned(), text[end..].to_owned()))
    })
}

/// The date shown means the same second. It is shown in the sender's words, so those that the third parser does not
/// know are mended first: no seconds, no zone, a zone of three digits or an American one (RFC 5322 §4.3).
fn same_date(expected: Option<&str>, shown: &str) -> Result<(), String> {
    let mut words: Vec<String> = shown.split_whitespace().map(str::to_owned).collect();
    if let Some(at) = words.iter().position(|word| word.contains(':')) {
        if words[at].matches(':').count() == 1 {
            words[at].push_str(":00");
        }
        let zone = words.get(at + 1).cloned().unwrap_or_default();
        let zones = [("", "+0000"), ("-600", "-0600"), ("CST", "-0600"), ("EST", "-0500"), ("PST", "-0800")];
        if let Some((_, numeric)) = zones.iter().find(|(name, _)| *name == zone) {
            words.truncate(at + 1);
            words.push((*numeric).to_owned());
        }
    }
    let found = DateTime::parse_rfc822(&words.join(" "));
    let found = found.map(|date| DateTime::from_timestamp(date.to_timestamp()).to_rfc3339());
    if found.as_deref() == expected {
        Ok(())
    } else {
        Err(format!("expected {expected:?}, found {found:?} of {shown:?}"))
    }
}

fn same_attachments(expected: &[Value], found: &[(Attachment, Vec<u8>)]) -> Result<(), String> {
    let mut left: Vec<_> = found.iter().collect();
    for attachment in expected {
        let kind = attachment["type"].as_str().unwrap();
        let is_same = |(own, octets): &&(Attachment, Vec<u8>)| {
            let digest: String = Sha256::digest(octets).iter().map(|octet| format!("{octet:02x}")).collect();
            own.content_type == kind && (attachment["exact"] == false || attachment["sha256"] == digest)
        };
        let at = left.iter().position(is_same).ok_or_else(|| {
            let found: Vec<_> = found.iter().map(|(own, octets)| (&own.content_type, octets.len())).collect();
            format!("no {kind} of {} among {found:?}", attachment["size"])
        })?;
        left.remove(at);
    }
    if left.is_empty() {
        Ok(())
    } else {
        Err(format!("too many: {:?}", left.iter().map(|(own, _)| own).collect::<Vec<_>>()))
    }
}

fn same_names(expected: &[Value], found: &[(Attachment, Vec<u8>)]) -> Result<(), String> {
    let mut left: Vec<&str> = found.iter().map(|(own, _)| own.name.as_deref().unwrap_or_default()).collect();
    for attachment in expected {
        let name = attachment["name"].as_str().unwrap_or_default();
        let at = left.iter().position(|own| same_text(name, own).is_ok());
        left.remove(at.ok_or_else(|| format!("no {name:?} in {left:?}"))?);
    }
    if left.is_empty() { Ok(()) } else { Err(format!("too many: {left:?}")) }
}
