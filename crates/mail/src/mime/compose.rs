//! Composing a message in bounded memory: its header section and text are a few kilobytes, its attachments are read
//! and encoded as the link drains.
//!
//! Not here: dots and the envelope, which are SMTP's.

use super::content_type::content_type;
use super::date::Date;
use super::header::{HeaderWriter, Mailbox};
use crate::limits::{CHUNK_OCTETS, TEXT_LINE_OCTETS_MAX};
use crate::smtp::client::{Prepared, Submission, Unreadable};
use base64_simd::{AsOut as _, STANDARD};
use memchr::{memchr2, memmem};
use std::collections::VecDeque;

/// Octets of a file in one line of base64, and the line they make with its CRLF (RFC 2045 §6.8).
const BASE64_LINE_FROM: usize = 57;
const BASE64_LINE_TO: usize = BASE64_LINE_LETTERS + 2;
const BASE64_LINE_LETTERS: usize = 76;

/// How many lines are encoded at once.
const BASE64_LINES: usize = 64;

/// How much of a file is read at a time: whole lines, [`CHUNK_OCTETS`] when encoded.
const READ_OCTETS: usize = CHUNK_OCTETS / BASE64_LINE_TO * BASE64_LINE_FROM;

/// Longest line of quoted-printable, its soft line break included (RFC 2045 §6.7).
const QUOTED_LINE_OCTETS_MAX: usize = 76;

/// What a message is made of.
pub struct Draft {
    /// From.
    pub from: Mailbox,
    /// To; may be empty.
    pub to: Vec<Mailbox>,
    /// Cc; may be empty. There is no Bcc: blind copies are the envelope's.
    pub cc: Vec<Mailbox>,
    /// Further fields of one address each, by name, such as Reply-To.
    pub more: Vec<(&'static str, Mailbox)>,
    /// Octets of the subject, in `charset`.
    pub subject: Vec<u8>,
    /// Octets of the text, in `charset`, with whatever line ends.
    pub text: Vec<u8>,
    /// The name of a charset: a token (RFC 2045 §5.1).
    pub charset: String,
    /// Date.
    pub date: Date,
    /// What nobody else's Message-ID or boundary holds: letters, digits and dots.
    pub unique: String,
    /// Attachments, in order.
    pub attachments: Vec<Attachment>,
}

/// A file that goes along.
pub struct Attachment {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub content: Box<dyn Content>,
}

/// The octets of an attachment, read as the message is sent.
pub trait Content: Send {
    /// How many they are. Reading must give just as many.
    fn octets(&self) -> u64;

    /// Reads the next octets into `buffer`; 0 at the end.
    ///
    /// # Errors
    /// Why not, in words.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, String>;
}

/// A message on its way: a [`Submission`].
pub struct Message {
    draft: Option<Draft>,
    sections: VecDeque<Section>,
}

enum Section {
    Octets(Vec<u8>),
    Attached { name: String, content: Box<dyn Content>, left: u64 },
}

/// How the text travels (RFC 2045 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TransferEncoding {
    SevenBit,
    EightBit,
    QuotedPrintable,
}

impl Message {
    /// A message of this draft.
    #[must_use]
    pub const fn new(draft: Draft) -> Self {
        Self { draft: Some(draft), sections: VecDeque::new() }
    }
}

impl Submission for Message {
    fn prepare(&mut self, eight_bit: bool) -> Prepared {
        let mut prepared = Prepared { octets: 0, eight_bit: false };
        if let Some(draft) = self.draft.take() {
            let text = canonical(&draft.text);
            let encoding = TransferEncoding::of(&text, eight_bit);
            prepared.eight_bit = encoding == TransferEncoding::EightBit;
            self.sections = draft.into_sections(&text, encoding);
        }
        prepared.octets = self.sections.iter().map(Section::octets).sum();
        prepared
    }

    fn next(&mut self, content: &mut Vec<u8>) -> Result<bool, Unreadable> {
        while content.len() < CHUNK_OCTETS {
            match self.sections.front_mut() {
                None => return Ok(false),
                Some(Section::Attached { left: 0, .. }) => drop(self.sections.pop_front()),
                Some(Section::Octets(octets)) => {
                    content.append(octets);
                    self.sections.pop_front();
                }
                Some(Section::Attached { name, content: file, left }) => {
                    encode_portion(file.as_mut(), left, content)
                        .map_err(|why| Unreadable { what: name.clone(), why })?;
                }
            }
        }
        Ok(!self.sections.is_empty())
    }
}

impl Section {
    /// As it travels.
    fn octets(&self) -> u64 {
        const FROM: u64 = BASE64_LINE_FROM as u64;
        const TO: u64 = BASE64_LINE_TO as u64;
        match self {
            Self::Octets(octets) => octets.len() as u64,
            Self::Attached { left, .. } => {
                let last = match left % FROM {
                    0 => 0,
                    octets => octets.div_ceil(3) * 4 + 2,
                };
                left / FROM * TO + last
            }
        }
    }
}

/// Reads the next whole lines of a file, or its end, and appends them in base64.
fn encode_portion(file: &mut dyn Content, left: &mut u64, encoded: &mut Vec<u8>) -> Result<(), String> {
    let mut buffer = vec![0; usize::try_from(*left).unwrap_or(usize::MAX).min(READ_OCTETS)];
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match file.read(room)? {
            0 => return Err("it became shorter while it was being sent".to_owned()),
            read => filled += read,
        }
    }
    *left -= buffer.len() as u64;
    // Many lines at a time are encoded fast; that they are lines is seen to afterwards.
    let mut letters = [0; BASE64_LINE_LETTERS * BASE64_LINES];
    for lines in buffer.chunks(BASE64_LINE_FROM * BASE64_LINES) {
        let (lines, last) =
            STANDARD.encode(lines, letters.as_mut_slice().as_out()).as_chunks::<BASE64_LINE_LETTERS>();
        for line in lines {
            encoded.extend_from_slice(line);
            encoded.extend_from_slice(b"\r\n");
        }
        if !last.is_empty() {
            encoded.extend_from_slice(last);
            encoded.extend_from_slice(b"\r\n");
        }
    }
    Ok(())
}

impl Draft {
    fn into_sections(self, text: &[u8], encoding: TransferEncoding) -> VecDeque<Section> {
        let mut header = HeaderWriter::new(&self.charset);
        header.plain("Date", &self.date.to_string());
        header.mailboxes("From", std::slice::from_ref(&self.from));
        header.mailboxes("To", &self.to);
        header.mailboxes("Cc", &self.cc);
        for (name, mailbox) in &self.more {
            header.mailboxes(name, std::slice::from_ref(mailbox));
        }
        header.text("Subject", &self.subject);
        header.plain("Message-ID", &format!("<{}@{}>", self.unique, self.domain()));
        header.plain("MIME-Version", "1.0");

        let mut text_part = HeaderWriter::new(&self.charset);
        text_part.plain("Content-Type", &format!("text/plain; charset={}", self.charset));
        text_part.plain("Content-Transfer-Encoding", encoding.name());
        let mut text_part = text_part.into_octets();
        text_part.extend_from_slice(b"\r\n");
        match encoding {
            TransferEncoding::SevenBit | TransferEncoding::EightBit => text_part.extend_from_slice(text),
            TransferEncoding::QuotedPrintable => quote_printable(text, &mut text_part),
        }

        if self.attachments.is_empty() {
            let mut octets = header.into_octets();
            octets.append(&mut text_part);
            return VecDeque::from([Section::Octets(octets)]);
        }

        // A text that holds the boundary would end its part. Base64 has no line that begins with a hyphen.
        let mut boundary = format!("=_{}", self.unique);
        while memmem::find(&text_part, boundary.as_bytes()).is_some() {
            boundary.push('_');
        }
        header.with_parameter("Content-Type", "multipart/mixed", "boundary", &boundary);
        let mut octets = header.into_octets();
        octets.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
        octets.append(&mut text_part);

        let mut sections = VecDeque::new();
        for Attachment { name, content } in self.attachments {
            let mut part = HeaderWriter::new(&self.charset);
            part.plain("Content-Type", content_type(&name));
            part.plain("Content-Transfer-Encoding", "base64");
            part.with_parameter("Content-Disposition", "attachment", "filename", &name);
            octets.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
            octets.append(&mut part.into_octets());
            octets.extend_from_slice(b"\r\n");
            sections.push_back(Section::Octets(std::mem::take(&mut octets)));
            let left = content.octets();
            sections.push_back(Section::Attached { name, content, left });
        }
        sections.push_back(Section::Octets(format!("\r\n--{boundary}--\r\n").into_bytes()));
        sections
    }

    /// The right side of the Message-ID: the sender's domain where it is a plain one (RFC 5322 §3.6.4).
    fn domain(&self) -> &str {
        let is_plain = |domain: &&str| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
            !domain.is_empty() && domain.bytes().all(plain)
        };
        let domain = self.from.address.rsplit_once('@').map(|(_, domain)| domain);
        domain.filter(is_plain).unwrap_or("mailmodem.invalid")
    }
}

impl TransferEncoding {
    /// The plainest that carries a canonical text: neither 7bit nor 8bit may hold a NUL or a line over 998 octets
    /// (RFC 2045 §2.7, §2.8).
    fn of(text: &[u8], eight_bit: bool) -> Self {
        let long = text.split(|&b| b == b'\n').any(|line| line.len() > TEXT_LINE_OCTETS_MAX + b"\r".len());
        if long || text.contains(&0) {
            Self::QuotedPrintable
        } else if text.is_ascii() {
            Self::SevenBit
        } else if eight_bit {
            Self::EightBit
        } else {
            Self::QuotedPrintable
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::SevenBit => "7bit",
            Self::EightBit => "8bit",
            Self::QuotedPrintable => "quoted-printable",
        }
    }
}

/// CR, LF and CRLF are line ends, whatever a host types; written CRLF, the last line's too.
fn canonical(text: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(text.len() + text.len() / 16 + 2);
    let mut rest = text;
    while !rest.is_empty() {
        let end = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let (line, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        lines.extend_from_slice(line);
        lines.extend_from_slice(b"\r\n");
        rest = match behind {
            [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
            [] => &[],
        };
    }
    lines
}

/// RFC 2045 §6.7, for a canonical text.
fn quote_printable(text: &[u8], encoded: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
    for line in text.split_inclusive(|&b| b == b'\n') {
        let line = line.strip_suffix(b"\r\n").unwrap_or(line);
        let mut column = 0;
        for (at, &octet) in line.iter().enumerate() {
            let is_last = at + 1 == line.len();
            let plain =
                matches!(octet, b'!'..=b'<' | b'>'..=b'~') || (matches!(octet, b' ' | b'\t') && !is_last);
            let width = if plain { 1 } else { 3 };
            // The last column is kept for the soft line break's `=`.
            if column + width > QUOTED_LINE_OCTETS_MAX - 1 {
                encoded.extend_from_slice(b"=\r\n");
                column = 0;
            }
            column += width;
            if plain {
                encoded.push(octet);
            } else {
                encoded.extend_from_slice(&[b'=', digit(octet >> 4), digit(octet & 15)]);
            }
        }
        encoded.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Held(Vec<u8>, usize);

    impl Content for Held {
        fn octets(&self) -> u64 {
            self.0.len() as u64
        }
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize, String> {
            // Short reads, as real files may give.
            let read = buffer.len().min(self.0.len() - self.1).min(1_000);
            buffer[..read].copy_from_slice(&self.0[self.1..self.1 + read]);
            self.1 += read;
            Ok(read)
        }
    }

    fn draft(text: &[u8], attachments: &[(&str, Vec<u8>)]) -> Draft {
        let mailbox = |address: &str, name: &str| Mailbox { address: address.into(), name: name.into() };
        let attachment = |(name, octets): &(&str, Vec<u8>)| Attachment {
            name: (*name).to_owned(),
            content: Box::new(Held(octets.clone(), 0)),
        };
        Draft {
            from: mailbox("UserName@server.com", "PresentName"),
            to: vec![mailbox("ToAddr@server.com", "ToName")],
            cc: vec![mailbox("CcAddr@server.com", "CcName")],
            more: Vec::new(),
            subject: b"First Email".to_vec(),
            text: text.to_vec(),
            charset: "utf-8".into(),
            date: Date::new(1_268_125_890, 480).unwrap(),
            unique: "20100309171130.1.5".into(),
            attachments: attachments.iter().map(attachment).collect(),
        }
    }

    fn composed(draft: Draft, eight_bit: bool) -> (Prepared, Vec<u8>) {
        let mut message = Message::new(draft);
        let prepared = message.prepare(eight_bit);
        let mut all = Vec::new();
        loop {
            let mut portion = Vec::new();
            let more = message.next(&mut portion).unwrap();
            assert!(portion.len() <= 2 * CHUNK_OCTETS);
            all.append(&mut portion);
            if !more {
                return (prepared, all);
            }
        }
    }

    #[test]
    fn a_text_alone() {
        let (prepared, octets) = composed(draft(b"This is the first Email!", &[]), true);
        let expected = "Date: Tue, 9 Mar 2010 17:11:30 +0800\r\n\
            From: \"PresentName\" <UserName@server.com>\r\n\
            To: \"ToName\" <ToAddr@server.com>\r\n\
            Cc: \"CcName\" <CcAddr@server.com>\r\n\
            Subject: First Email\r\n\
            Message-ID: <20100309171130.1.5@server.com>\r\n\
            MIME-Version: 1.0\r\n\
            Content-Type: text/plain; charset=utf-8\r\n\
            Content-Transfer-Encoding: 7bit\r\n\
            \r\n\
            This is the first Email!\r\n";
        assert_eq!(String::from_utf8(octets).unwrap(), expected);
        assert_eq!(prepared, Prepared { octets: expected.len() as u64, eight_bit: false });
    }

    #[test]
    fn the_size_is_known_before_a_file_is_read() {
        for octets in [0, 1, 2, 3, 56, 57, 58, READ_OCTETS - 1, READ_OCTETS, READ_OCTETS + 1, 200_000] {
            let (prepared, message) =
                composed(draft(b"x", &[("a.bin", vec![7; octets]), ("b", vec![])]), true);
            assert_eq!(prepared.octets, message.len() as u64, "{octets}");
        }
    }

    #[test]
    fn a_file_that_became_shorter_is_never_sent_as_if_whole() {
        struct Lying;
        impl Content for Lying {
            fn octets(&self) -> u64 {
                100
            }
            fn read(&mut self, _: &mut [u8]) -> Result<usize, String> {
                Ok(0)
            }
        }
        let mut draft = draft(b"x", &[]);
        draft.attachments.push(Attachment { name: "a".into(), content: Box::new(Lying) });
        let mut message = Message::new(draft);
        message.prepare(true);
        assert_eq!(message.next(&mut Vec::new()).unwrap_err().what, "a");
    }

    #[test]
    fn transfer_encodings() {
        let of = |text: &[u8], eight_bit| TransferEncoding::of(&canonical(text), eight_bit);
        assert_eq!(of(b"plain", false), TransferEncoding::SevenBit);
        assert_eq!(of("é".as_bytes(), true), TransferEncoding::EightBit);
        assert_eq!(of("é".as_bytes(), false), TransferEncoding::QuotedPrintable);
        assert_eq!(of(b"a\0b", true), TransferEncoding::QuotedPrintable);
        assert_eq!(of(&[b'x'; 998], true), TransferEncoding::SevenBit);
        assert_eq!(of(&[b'x'; 999], true), TransferEncoding::QuotedPrintable);
    }

    #[test]
    fn line_ends_of_every_kind_are_one() {
        assert_eq!(canonical(b"a\rb\nc\r\nd\n\r\r\re"), b"a\r\nb\r\nc\r\nd\r\n\r\n\r\n\r\ne\r\n");
        assert_eq!(canonical(b""), b"");
        assert_eq!(canonical(b"\n"), b"\r\n");
    }

    #[test]
    fn a_text_cannot_end_its_part() {
        let hostile = b"--=_20100309171130.1.5--\r\n--=_20100309171130.1.5_\r\n";
        let (_, octets) = composed(draft(hostile, &[("a", vec![1])]), true);
        let text = String::from_utf8(octets).unwrap();
        assert!(text.contains("boundary=\"=_20100309171130.1.5__\""), "{text}");
    }

    proptest! {
        #[test]
        fn no_line_is_too_long_and_line_ends_are_crlf(
            text in prop::collection::vec(prop::sample::select(&b"a .=\r\n\t\0\xe9"[..]), 0..3_000),
            eight_bit: bool,
        ) {
            let (prepared, octets) = composed(draft(&text, &[("a.bin", text.clone())]), eight_bit);
            prop_assert_eq!(prepared.octets, octets.len() as u64);
            let mut before = 0;
            for (at, &octet) in octets.iter().enumerate() {
                prop_assert!(octet != 0 && (eight_bit || octet < 128));
                prop_assert_eq!(octet == b'\n', before == b'\r', "at {}", at);
                before = octet;
            }
            prop_assert!(octets.split(|&b| b == b'\n').all(|line| line.len() <= 999));
        }
    }
}
