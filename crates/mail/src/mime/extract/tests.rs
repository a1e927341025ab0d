//! What becomes of mails of every form.

use super::*;
use proptest::prelude::*;

/// What a mail holds: its subject, its text, and each attachment as `name type` (`inline` in front) and octets.
#[derive(Debug, Default, PartialEq, Eq)]
struct Saved {
    summary: Option<Summary>,
    text: String,
    attachments: Vec<(String, Vec<u8>)>,
    is_open: bool,
}

fn extract<'m>(portions: impl Iterator<Item = &'m [u8]>) -> Saved {
    let mut saved = Saved::default();
    let mut take = |piece: Piece<'_>| match piece {
        Piece::Header(summary) => assert_eq!(saved.summary.replace(summary), None, "a second header"),
        Piece::Text(text) => {
            assert!(saved.summary.is_some() && !saved.is_open, "text in the wrong place");
            saved.text.push_str(text);
        }
        Piece::AttachmentBegin(Attachment { name, content_type, inline }) => {
            assert!(saved.summary.is_some() && !saved.is_open, "an attachment in the wrong place");
            saved.is_open = true;
            let inline = if inline { "inline " } else { "" };
            saved
                .attachments
                .push((format!("{inline}{} {content_type}", name.unwrap_or_default()), Vec::new()));
        }
        Piece::AttachmentOctets(octets) => {
            saved.attachments.last_mut().unwrap().1.extend_from_slice(octets);
        }
        Piece::AttachmentEnd => assert!(std::mem::take(&mut saved.is_open), "no attachment to end"),
    };
    let mut extractor = Extractor::default();
    for portion in portions {
        extractor.push(portion, &mut take);
    }
    extractor.finish(&mut take);
    assert!(saved.summary.is_some() && !saved.is_open);
    saved
}

fn saved(mail: &str) -> Saved {
    let all = extract(std::iter::once(mail.as_bytes()));
    assert_eq!(extract(mail.as_bytes().chunks(1)), all);
    all
}

fn found(mail: &str) -> (String, Vec<(String, String)>) {
    let saved = saved(mail);
    let utf_8 = |octets: Vec<u8>| String::from_utf8_lossy(&octets).into_owned();
    (saved.text, saved.attachments.into_iter().map(|(what, octets)| (what, utf_8(octets))).collect())
}

fn pair(what: &str, octets: &str) -> (String, String) {
    (what.to_owned(), octets.to_owned())
}

/// A multipart mail of these parts; `|` ends a line.
fn multipart(subtype: &str, parts: &[&str]) -> String {
    let mut mail = format!("Content-Type: multipart/{subtype}; boundary=b||");
    for part in parts {
        mail.push_str(&format!("--b|{part}|"));
    }
    mail.push_str("--b--|");
    mail.replace('|', "\r\n")
}

#[test]
fn a_plain_mail() {
    let saved = saved(
        "Date: Tue, 9 Mar 2010 17:11:30 +0800\r\nFrom: \"F\" <f@s>\r\nTo: t@s\r\nSubject: =?utf-8?q?=C3=BC?=\r\n \
         ber\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
         gr=FCn=\r\ner\nTag\r\n",
    );
    let summary = saved.summary.unwrap();
    assert_eq!(summary.date, "Tue, 9 Mar 2010 17:11:30 +0800");
    assert_eq!((summary.from.as_str(), summary.to.as_str()), ("\"F\" <f@s>", "t@s"));
    assert_eq!(summary.subject, "ü ber");
    assert_eq!(saved.text, "grüner\r\nTag\r\n");
    assert_eq!(saved.attachments, []);
}

#[test]
fn a_text_and_files() {
    let mail = multipart(
        "mixed",
        &[
            "|text",
            "Content-Type: image/png; name=a.png|Content-Transfer-Encoding: base64||YWJj|ZGU=",
            "Content-Disposition: attachment; filename=b.txt||one|--two|",
            "Content-Type: text/plain||more text",
            "Content-Type: application/ms-tnef||tnef",
            "Content-Type: message/rfc822||Subject: inner||--c|in it",
        ],
    );
    let (text, attachments) = found(&mail);
    assert_eq!(text, "text");
    assert_eq!(
        attachments,
        [
            pair("inline a.png image/png", "abcde"),
            pair("b.txt text/plain", "one\r\n--two\r\n"),
            pair("inline  text/plain", "more text"),
            pair("inline  application/ms-tnef", "tnef"),
            pair("inline  message/rfc822", "Subject: inner\r\n\r\n--c\r\nin it"),
        ]
    );
}

#[test]
fn of_alternatives_the_plain_one_wins_in_any_order() {
    let (plain, html) = ("Content-Type: text/plain||plain", "Content-Type: text/html||<p>html");
    assert_eq!(found(&multipart("alternative", &[plain, html])), ("plain".to_owned(), vec![]));
    assert_eq!(found(&multipart("alternative", &[html, plain])), ("plain".to_owned(), vec![]));
    let calendar = "Content-Type: text/calendar||BEGIN";
    let (text, attachments) = found(&multipart("alternative", &[html, plain, calendar]));
    assert_eq!((text.as_str(), attachments), ("plain", vec![pair("inline  text/calendar", "BEGIN")]));
    // The picture of a dropped HTML is kept.
    let related = "Content-Type: multipart/related; boundary=c||--c|Content-Type: text/html||<p>html|--c|\
                   Content-Type: image/gif||gif|--c--";
    for parts in [[plain, related], [related, plain]] {
        let (text, attachments) = found(&multipart("alternative", &parts));
        assert_eq!((text.as_str(), attachments), ("plain", vec![pair("inline  image/gif", "gif")]));
    }
}

#[test]
fn html_that_is_no_alternative_is_kept() {
    let (plain, html) = ("Content-Type: text/plain||plain", "Content-Type: text/html||<p>html");
    for parts in [[plain, html], [html, plain]] {
        let (text, attachments) = found(&multipart("mixed", &parts));
        assert_eq!((text.as_str(), attachments), ("plain", vec![pair("inline  text/html", "<p>html")]));
    }
    let inside =
        "Content-Type: multipart/mixed; boundary=c||--c||plain|--c|Content-Type: text/html||<p>html|--c--";
    let (text, attachments) = found(&multipart("alternative", &[inside]));
    assert_eq!((text.as_str(), attachments), ("plain", vec![pair("inline  text/html", "<p>html")]));
}

#[test]
fn html_alone_becomes_text() {
    let mail = "Content-Type: text/html; charset=koi8-r\nContent-Transfer-Encoding: quoted-printable\n\n<p>=D0=D2=C9<br>x";
    assert_eq!(found(mail), ("при\r\nx\r\n".to_owned(), vec![]));
    let (text, attachments) =
        found(&multipart("mixed", &["Content-Type: text/html||<b>x", "Content-Type: a/b||y"]));
    assert_eq!((text.as_str(), attachments), ("**x**\r\n", vec![pair("inline  a/b", "y")]));
}

#[test]
fn html_that_is_too_long_is_an_attachment() {
    let html = "x".repeat(HTML_OCTETS_MAX + 1);
    let mail = format!("Content-Type: text/html\n\n{html}");
    assert_eq!(found(&mail), (String::new(), vec![pair("inline  text/html", &html)]));
}

#[test]
fn a_multipart_without_parts_is_text() {
    let no_boundary = "Content-Type: multipart/mixed\n\n--b\n\ntext\n";
    assert_eq!(found(no_boundary), ("--b\r\n\r\ntext\r\n".to_owned(), vec![]));
    let other_boundary = "Content-Type: multipart/mixed; boundary=c\n\n--b\n\ntext\n";
    assert_eq!(found(other_boundary), ("--b\r\n\r\ntext\r\n".to_owned(), vec![]));
    assert_eq!(found(&multipart("mixed", &[])), (String::new(), vec![]));
    let long =
        format!("Content-Type: multipart/mixed; boundary=c\n\n{}", "text\n".repeat(PREAMBLE_OCTETS_MAX));
    assert_eq!(found(&long).0.len(), 6 * PREAMBLE_OCTETS_MAX);
    let second = multipart("mixed", &["|text", "Content-Type: multipart/mixed; boundary=c||partless"]);
    assert_eq!(found(&second), ("text".to_owned(), vec![pair("inline  text/plain", "partless")]));
}

#[test]
fn preambles_and_epilogues_are_dropped() {
    let mail =
        "Content-Type: multipart/mixed; boundary=b\n\npreamble\n--b\n\ntext\n--b--\nepilogue\n--b\n\nmore";
    assert_eq!(found(mail), ("text".to_owned(), vec![]));
}

#[test]
fn missing_ends_headers_and_empty_lines() {
    let unended = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--b\nContent-Type: a/b\n\nhalf";
    assert_eq!(found(unended), ("text".to_owned(), vec![pair("inline  a/b", "half")]));
    // The inner multipart has no end, the outer goes on.
    let inner = "Content-Type: multipart/mixed; boundary=c||--c||text";
    let (text, attachments) = found(&multipart("mixed", &[inner, "Content-Type: a/b||x"]));
    assert_eq!((text.as_str(), attachments), ("text", vec![pair("inline  a/b", "x")]));
    let no_empty_line = multipart("mixed", &["Content-Type: text/plain|text is here", "Content-Type: a/b"]);
    assert_eq!(found(&no_empty_line), ("text is here".to_owned(), vec![pair("inline  a/b", "")]));
    assert_eq!(found("Subject: x").0, "");
    assert_eq!(found(""), (String::new(), vec![]));
    assert_eq!(found("\r\ntext").0, "text");
    assert_eq!(saved("From a@b Mon\nSubject: x\n\ny").summary.unwrap().subject, "x");
}

#[test]
fn every_line_end_is_one() {
    for line_end in ["\n", "\r", "\r\n"] {
        let mail =
            multipart("mixed", &["Subject: x||a|b", "Content-Type: a/b||c|d"]).replace("\r\n", line_end);
        let attachment = pair("inline  a/b", &format!("c{line_end}d"));
        assert_eq!(found(&mail), ("a\r\nb".to_owned(), vec![attachment]), "{line_end:?}");
    }
    assert_eq!(found("Subject: x\r\r\nTo: y\r\r\n\r\r\ntext\0").0, "text\0");
}

#[test]
fn a_digest_is_of_mails() {
    let (_, attachments) = found(&multipart("digest", &["|Subject: x||y", "Content-Type: text/plain||z"]));
    assert_eq!(attachments, [pair("inline  message/rfc822", "Subject: x\r\n\r\ny")]);
}

#[test]
fn broken_types_and_encodings() {
    assert_eq!(found("Content-Type: text\nContent-Transfer-Encoding: x-mine\n\na=20b").0, "a=20b");
    let (text, attachments) = found("Content-Type: text/enriched\n\nx");
    assert_eq!((text.as_str(), attachments), ("", vec![pair("inline  text/enriched", "x")]));
    let (_, attachments) = found("Content-Type: a/b\nContent-Transfer-Encoding: base64\n\nYWJj*ZGVm\nZ2g");
    assert_eq!(attachments, [pair("inline  a/b", "abcdefgh")]);
}

#[test]
fn multiparts_nested_too_deep_are_saved_as_they_came() {
    let mut mail = String::new();
    for depth in 0..=NESTING_MAX {
        mail.push_str(&format!("Content-Type: multipart/mixed; boundary=b{depth}x\n\n--b{depth}x\n"));
    }
    mail.push_str("\ntext");
    let last = format!("--b{NESTING_MAX}x\n\ntext");
    assert_eq!(found(&mail), (String::new(), vec![pair("inline  multipart/mixed", &last)]));
}

#[test]
fn too_many_parts_are_saved_as_one() {
    let parts = vec!["Content-Type: a/b||x"; PARTS_MAX + 2];
    let (_, attachments) = found(&multipart("mixed", &parts));
    assert_eq!(attachments.len(), PARTS_MAX + 1);
    let part = "--b\r\nContent-Type: a/b\r\n\r\nx\r\n";
    assert_eq!(
        attachments.last().unwrap(),
        &pair(" application/octet-stream", &format!("{part}{part}--b--\r\n"))
    );
}

#[test]
fn little_is_held_of_an_endless_mail() {
    let endless: [(&str, &[u8]); 5] = [
        ("", b"x"),
        ("", b"Subject: x\r\n x\r\n"),
        ("Content-Type: multipart/mixed; boundary=b\n\n", b"--b "),
        ("Content-Type: multipart/mixed; boundary=b\n\n--b\n\n", b"\r\n--"),
        ("Content-Type: text/html\n\n", b"<b>"),
    ];
    for (head, octets) in endless {
        let mut extractor = Extractor::default();
        let mut ignore = |_: Piece<'_>| {};
        extractor.push(head.as_bytes(), &mut ignore);
        for _ in 0..50 {
            extractor.push(&octets.repeat(10_000), &mut ignore);
            let html = extractor.html.as_ref().map_or(0, |html| html.octets.len());
            assert!(
                html <= HTML_OCTETS_MAX && extractor.held.len() <= crate::limits::HEADER_LINE_OCTETS_MAX + 3
            );
        }
    }
}

fn piece_of_mail() -> impl Strategy<Value = &'static str> {
    prop::sample::select(
        &[
            "Content-Type: multipart/alternative; boundary=b\r\n",
            "Content-Type: multipart/mixed; boundary=bb\n",
            "Content-Type: text/html\r\n",
            "Content-Type: text/plain; charset=utf-8\r\n",
            "Content-Type: a/b; name=x\r\n",
            "Content-Transfer-Encoding: base64\r\n",
            "Content-Transfer-Encoding: quoted-printable\r\n",
            "Subject: =?utf-8?q?x?=\r\n",
            "\r\n",
            "\r\n",
            "\n",
            "\r",
            "--b\r\n",
            "--b--\r\n",
            "--bb\n",
            "--bb--",
            "-",
            "\u{fc}",
            "YWJj\r\n",
            "=3D=\r\n",
            "<p>x</p>",
            "text",
            " ",
            "\0",
        ][..],
    )
}

proptest! {
    #[test]
    fn portions_make_no_difference(
        pieces in prop::collection::vec(piece_of_mail(), 0..40),
        portion_octets in 1usize..30,
    ) {
        let mail = pieces.concat();
        let all = extract(std::iter::once(mail.as_bytes()));
        prop_assert_eq!(&extract(mail.as_bytes().chunks(portion_octets)), &all);
        prop_assert_eq!(&extract(mail.as_bytes().chunks(1)), &all);
    }

    #[test]
    fn attachments_come_out_as_they_went_in(octets in prop::collection::vec(any::<u8>(), 0..3_000)) {
        use base64::prelude::{BASE64_STANDARD, Engine as _};
        let lines: Vec<String> =
            BASE64_STANDARD.encode(&octets).as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line).into()).collect();
        let mail = multipart("mixed", &["|text", &format!("Content-Type: a/b|Content-Transfer-Encoding: base64||{}", lines.join("|"))]);
        prop_assert_eq!(&saved(&mail).attachments[0].1, &octets);
    }
}
