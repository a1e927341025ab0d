//! What is carried: files to attach, and mails to fetch. All of it is made from numbers, so that every process can make
//! it, and know it again.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use mail_parser::{MessageParser, MimeHeaders as _};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// How many files go along with a large mail.
pub(crate) const FILES: u64 = 5;
/// How many small mails there are.
pub(crate) const MAILS: u32 = 1_000;
/// Octets of a file that one line of base64 carries.
const LINE_OCTETS: usize = 57;
/// Files are one block again and again.
const BLOCK_OCTETS: usize = 1_024 * LINE_OCTETS;
const BOUNDARY: &str = "=_parts";

/// The text of every mail: 2 kB, with a line that begins with a dot.
pub(crate) fn text(line_end: &str) -> String {
    let mut text = format!(".begins with a dot{line_end}");
    for number in 1..=28 {
        text.push_str(&format!(
            "{number:>4} gives the wind in knots, the tide in metres and the load in kilos"
        ));
        text.push_str(line_end);
    }
    text
}

/// What a file is called; they are numbered from 1.
pub(crate) fn file_name(number: u64) -> String {
    format!("file{number}.bin")
}

fn block(number: u64) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut octets = Vec::with_capacity(BLOCK_OCTETS + 8);
    while octets.len() < BLOCK_OCTETS {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        octets.extend_from_slice(&state.to_le_bytes());
    }
    octets.truncate(BLOCK_OCTETS);
    octets
}

/// Gives a file's content, in portions.
pub(crate) fn file(
    number: u64,
    octets: u64,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let block = block(number);
    let mut left = octets;
    while left > 0 {
        let portion = block.get(..usize::try_from(left).unwrap_or(usize::MAX)).unwrap_or(&block);
        take(portion)?;
        left -= portion.len() as u64;
    }
    Ok(())
}

fn file_digest(number: u64, octets: u64) -> Vec<u8> {
    let mut digest = Sha256::new();
    file(number, octets, |portion| {
        digest.update(portion);
        Ok(())
    })
    .unwrap();
    digest.finalize().to_vec()
}

/// Writes the files into a directory.
pub(crate) fn write_files(directory: &Path, octets_each: u64) {
    fs::create_dir_all(directory).unwrap();
    for number in 1..=FILES {
        let mut to = fs::File::create(directory.join(file_name(number))).unwrap();
        file(number, octets_each, |portion| to.write_all(portion)).unwrap();
    }
}

/// Whether a directory has the files and, somewhere among the others in it, the text.
pub(crate) fn check_files(directory: &Path, octets_each: u64) {
    for number in 1..=FILES {
        let found = Sha256::digest(fs::read(directory.join(file_name(number))).unwrap());
        assert_eq!(found.as_slice(), file_digest(number, octets_each), "file {number}");
    }
    let has_text = |file: &Path| has_text(&fs::read(file).unwrap_or_default());
    assert!(files_in(directory).iter().any(|file| has_text(file)), "the text is not there");
}

/// Whether octets hold the text, with whatever line ends.
pub(crate) fn has_text(octets: &[u8]) -> bool {
    String::from_utf8_lossy(octets).replace("\r\n", "\n").contains(&text("\n"))
}

/// The files in a directory and further down.
pub(crate) fn files_in(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.append(&mut files_in(&path)) } else { files.push(path) }
    }
    files
}

/// Encodes whole lines, and the end of a file.
pub(crate) fn encode(octets: &[u8], encoded: &mut Vec<u8>) {
    let mut line = [0; LINE_OCTETS / 3 * 4 + 2];
    for octets in octets.chunks(LINE_OCTETS) {
        let written = BASE64_STANDARD.encode_slice(octets, &mut line).unwrap();
        encoded.extend_from_slice(line.get(..written).unwrap());
        encoded.extend_from_slice(b"\r\n");
    }
}

/// Before a large mail's first file: its header and its text.
pub(crate) fn large_mail_head(text: &str) -> String {
    format!(
        "From: <from@example.com>\r\nTo: <to@example.com>\r\nSubject: five files\r\n\
         Date: Tue, 02 Feb 2010 10:00:00 +0000\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"{BOUNDARY}\"\r\n\r\n--{BOUNDARY}\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\n{text}"
    )
}

/// Before a file of a large mail.
pub(crate) fn part_head(number: u64) -> String {
    let name = file_name(number);
    format!(
        "\r\n--{BOUNDARY}\r\nContent-Type: application/octet-stream; name=\"{name}\"\r\n\
         Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\r\n"
    )
}

/// The end of a large mail.
pub(crate) fn large_mail_end() -> String {
    format!("\r\n--{BOUNDARY}--\r\n")
}

/// Writes a large mail as it travels.
pub(crate) fn write_large_mail(octets_each: u64, to: &mut impl Write) -> io::Result<()> {
    to.write_all(large_mail_head(&text("\r\n").replacen('.', "..", 1)).as_bytes())?;
    let mut encoded = Vec::new();
    for number in 1..=FILES {
        to.write_all(part_head(number).as_bytes())?;
        file(number, octets_each, |portion| {
            encoded.clear();
            encode(portion, &mut encoded);
            to.write_all(&encoded)
        })?;
    }
    to.write_all(large_mail_end().as_bytes())
}

/// The header of a small mail; they are numbered from 1.
pub(crate) fn small_mail_header(number: u32) -> String {
    format!(
        "Received: from out.example.com by in.example.com; Tue, 02 Feb 2010 10:00:01 +0000\r\n\
         From: \"Somebody\" <from@example.com>\r\nTo: <to@example.com>\r\nSubject: mail {number}\r\n\
         Date: Tue, 02 Feb 2010 10:00:00 +0000\r\nMessage-ID: <{number}@example.com>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\n"
    )
}

/// A small mail as it travels.
pub(crate) fn small_mail(number: u32) -> String {
    small_mail_header(number) + &text("\r\n").replacen('.', "..", 1)
}

/// Reads a large mail that a server got.
pub(crate) fn check_large_mail(mail: &[u8], octets_each: u64) {
    let mail = MessageParser::default().parse(mail).unwrap();
    assert!(has_text(mail.body_text(0).unwrap().as_bytes()), "the text is not there");
    let files: Vec<_> = mail.attachments().collect();
    assert_eq!(files.len() as u64, FILES);
    for (file, number) in files.into_iter().zip(1..) {
        assert_eq!(file.attachment_name(), Some(file_name(number).as_str()));
        assert_eq!(Sha256::digest(file.contents()).as_slice(), file_digest(number, octets_each));
    }
}

/// Reads the small mails that a server got.
pub(crate) fn check_small_mails(directory: &Path, mails: u32) {
    let files = files_in(directory);
    assert_eq!(files.len(), usize::try_from(mails).unwrap());
    for file in files {
        let octets = fs::read(file).unwrap();
        let mail = MessageParser::default().parse(&octets).unwrap();
        assert!(has_text(mail.body_text(0).unwrap().as_bytes()), "the text is not there");
    }
}

/// Whether a directory has all small mails, each in a file.
pub(crate) fn check_fetched_mails(directory: &Path) {
    let files = files_in(directory);
    let mut subjects: Vec<u32> = Vec::new();
    for file in &files {
        let mail = fs::read(file).unwrap();
        let words = String::from_utf8_lossy(&mail).into_owned();
        let Some(subject) = words.lines().find_map(|line| line.strip_prefix("Subject: mail ")) else {
            continue;
        };
        assert!(has_text(&mail), "{} has not the text", file.display());
        subjects.push(subject.trim().parse().unwrap());
    }
    subjects.sort_unstable();
    assert!(subjects.into_iter().eq(1..=MAILS), "not all mails are there");
}
