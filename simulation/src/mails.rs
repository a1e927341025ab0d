//! Mails that lie in mailboxes: some that say what is in them, and some that nobody should have written.
//!
//! Not here: mails that the modem composes.

use crate::chance::Chance;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A mail of which it is known what has to be saved of it.
#[derive(Clone, Debug)]
pub struct Plain {
    /// As it lies in the mailbox.
    pub octets: Vec<u8>,
    /// What its attachments hold, in their order.
    pub attachments: Vec<Vec<u8>>,
    /// A line of its text.
    pub line: String,
}

/// Names that attachments have, and should not be saved under.
const NAMES: [&str; 14] = [
    "a.jpg",
    "a.jpg",
    "A.JPG",
    "EMAIL000.TXT",
    "../../up.txt",
    "C:/Picture/a.jpg",
    "OK",
    "ERROR",
    "con.",
    "..",
    "x;y,z.txt",
    "\u{e4}\u{f6}.txt",
    "/etc/passwd",
    "a\\b.txt",
];

/// A mail with attachments that come out as they went in.
pub fn plain(chance: &mut Chance) -> Plain {
    let line = format!("text {}", chance.word(8));
    let boundary = format!("b{}", chance.word(6));
    let mut octets = format!(
        "From: \"A\" <a@server.com>\r\nTo: un@server.com\r\nSubject: {}\r\nDate: Tue, 9 Mar 2010 17:30:00 +0800\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n\
         --{boundary}\r\nContent-Type: text/plain\r\n\r\n{line}\r\n.dot\r\n..\r\n",
        chance.word(5)
    )
    .into_bytes();
    let mut attachments = Vec::new();
    for _ in 0..chance.count(0, 3) {
        let size = chance.pick(&[0, 1, 57, 58, 300, 2_000, 9_000]);
        let content = chance.octets(size);
        let name = chance.pick(&NAMES);
        octets.extend_from_slice(
            format!(
                "--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\
                 Content-Disposition: attachment; filename=\"{}\"\r\n\r\n",
                name.replace('\\', "\\\\")
            )
            .as_bytes(),
        );
        for portion in content.chunks(57) {
            octets.extend_from_slice(STANDARD.encode(portion).as_bytes());
            octets.extend_from_slice(b"\r\n");
        }
        attachments.push(content);
    }
    octets.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Plain { octets, attachments, line }
}

/// A mail of any kind.
pub fn odd(chance: &mut Chance) -> Vec<u8> {
    let mut octets = plain(chance).octets;
    match chance.below(8) {
        0 => {
            let size = chance.count(0, 4_000);
            octets = chance.octets(size);
        }
        1 => octets.truncate(chance.count(0, octets.len())),
        2 => {
            let header = "Subject: =?utf-8?Q?a=0D=0A=0D=0AOK=0D=0A?=\r\nFrom: =?utf-8?B?DQpPSw0K?= <x@y>\r\n";
            octets.splice(0..0, header.bytes());
        }
        3 => {
            for _ in 0..chance.count(1, 20) {
                let at = chance.count(0, octets.len().saturating_sub(1));
                if let Some(octet) = octets.get_mut(at) {
                    *octet = chance.octet();
                }
            }
        }
        4 => octets.retain(|&octet| octet != b'\r'),
        5 => {
            let long = chance.count(900, 9_000);
            octets.extend(std::iter::repeat_n(b'y', long));
        }
        _ => {}
    }
    octets
}

/// A text as POP3 carries it: dots doubled, a line end at its end (RFC 1939 §3).
#[must_use]
pub fn stuffed(text: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(text.len() + 16);
    for line in text.split_inclusive(|&octet| octet == b'\n') {
        if line.first() == Some(&b'.') {
            wire.push(b'.');
        }
        wire.extend_from_slice(line);
    }
    if !wire.ends_with(b"\r\n") {
        wire.extend_from_slice(b"\r\n");
    }
    wire
}
