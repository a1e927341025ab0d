//! Servers of SMTP that are well, and servers that fail, each in its own manner; and what they hold in the end.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How much a slow reader takes at once, and how long it rests then: 1.6 MB a second.
const SLOW_OCTETS: usize = 16 * 1024;
const SLOW_REST: Duration = Duration::from_millis(10);

/// How a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Manner {
    Well,
    /// Takes everything, and takes its time.
    Slow,
    /// Knows nobody: 550 at RCPT.
    RefusesRecipient,
    /// Has no room at present: 451 to the whole message.
    RefusesForNow,
    /// Is gone in the middle of the message.
    CutsInMessage,
    /// Is gone after the final dot, without the mail.
    CutsBeforeTaking,
    /// Is gone after the final dot, with the mail.
    CutsAfterTaking,
    /// Says nothing at all.
    Silent,
}

impl Manner {
    pub(crate) const fn takes(self) -> bool {
        matches!(self, Self::Well | Self::Slow | Self::CutsAfterTaking)
    }
}

pub(crate) type Digest = [u8; 32];

/// What a mail carries: its text, line by line, and its file.
#[derive(Default)]
pub(crate) struct Content(Sha256);

impl Content {
    pub(crate) fn text(&mut self, line: &[u8]) {
        self.0.update(line);
        self.0.update(b"\n");
    }

    pub(crate) fn octets(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    pub(crate) fn digest(self) -> Digest {
        self.0.finalize().into()
    }
}

/// A message that is read line by line. It is as these mails are: a text without empty lines, and perhaps a file.
#[derive(Default)]
pub(crate) struct Reading {
    content: Content,
    subject: String,
    decoded: Vec<u8>,
    is_in_body: bool,
    is_base64: bool,
}

impl Reading {
    /// The next line, without what ends it.
    pub(crate) fn line(&mut self, line: &[u8]) {
        if line.starts_with(b"--") {
            (self.is_in_body, self.is_base64) = (false, false);
        } else if !self.is_in_body {
            self.is_in_body = line.is_empty();
            self.is_base64 |= line == b"Content-Transfer-Encoding: base64";
            if let Some(subject) = line.strip_prefix(b"Subject: ") {
                self.subject = String::from_utf8(subject.to_vec()).unwrap();
            }
        } else if self.is_base64 {
            self.decoded.clear();
            BASE64_STANDARD.decode_vec(line, &mut self.decoded).unwrap();
            self.content.octets(&self.decoded);
        } else if !line.is_empty() {
            self.content.text(line);
        }
    }

    /// What it was, and its subject.
    pub(crate) fn end(self) -> (String, Digest) {
        (self.subject, self.content.digest())
    }

    /// A message that lies in a file.
    pub(crate) fn of_file(octets: &[u8]) -> (String, Digest) {
        let mut reading = Self::default();
        octets.split(|&octet| octet == b'\n').for_each(|line| reading.line(line.trim_ascii_end()));
        reading.end()
    }
}

/// A mail that a server has taken.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) mark: String,
    pub(crate) digest: Digest,
    /// As it came, with its dots.
    pub(crate) octets: u64,
}

/// A server that runs until the process ends.
pub(crate) struct Server {
    pub(crate) port: u16,
    held: Arc<Mutex<Vec<Held>>>,
}

impl Server {
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { port: listener.local_addr().unwrap().port(), held: Arc::default() };
        let held = Arc::clone(&server.held);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, held) = (stream.unwrap(), Arc::clone(&held));
                // A client that leaves without a word is its own concern: what it was told is what counts.
                thread::spawn(move || drop(converse(&stream, manner, &held)));
            }
        });
        server
    }

    pub(crate) fn held(&self) -> Vec<Held> {
        self.held.lock().unwrap().clone()
    }
}

/// Who reads no faster than that.
struct Slow<'a>(&'a TcpStream);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        thread::sleep(SLOW_REST);
        let most = buffer.len().min(SLOW_OCTETS);
        self.0.read(buffer.get_mut(..most).unwrap())
    }
}

fn converse(stream: &TcpStream, manner: Manner, held: &Mutex<Vec<Held>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let from: Box<dyn Read> = if manner == Manner::Slow { Box::new(Slow(stream)) } else { Box::new(stream) };
    let mut from = BufReader::with_capacity(64 * 1024, from);
    let (mut to, mut line) = (stream, Vec::new());
    if manner == Manner::Silent {
        return from.read_to_end(&mut line).map(drop);
    }
    to.write_all(b"220 smtp.example.com\r\n")?;
    let (mut recipient, mut octets_told) = (String::new(), 0);
    while next_line(&mut from, &mut line)? {
        let command = String::from_utf8_lossy(&line).into_owned();
        let reply = match command.get(..4).unwrap_or_default() {
            "EHLO" => "250-smtp.example.com\r\n250 SIZE",
            "MAIL" => {
                let size = command.rsplit_once("SIZE=").unwrap().1;
                octets_told = size.split(' ').next().unwrap().parse().unwrap();
                "250 well"
            }
            "RCPT" if manner == Manner::RefusesRecipient => "550 nobody here",
            "RCPT" => {
                let address = command.split_once('<').unwrap().1;
                address.split_once('@').unwrap().0.clone_into(&mut recipient);
                "250 well"
            }
            "DATA" => {
                to.write_all(b"354 go on\r\n")?;
                let octets_max = if manner == Manner::CutsInMessage { octets_told / 2 } else { u64::MAX };
                let Some(mail) = message(&mut from, octets_max)? else { return Ok(()) };
                assert_eq!(mail.mark, recipient, "a mail to another");
                if manner.takes() {
                    held.lock().unwrap().push(mail);
                }
                match manner {
                    Manner::CutsBeforeTaking | Manner::CutsAfterTaking => return Ok(()),
                    Manner::RefusesForNow => "451 no room at present",
                    _ => "250 taken",
                }
            }
            "QUIT" => return to.write_all(b"221 bye\r\n"),
            _ => "250 well",
        };
        to.write_all(format!("{reply}\r\n").as_bytes())?;
    }
    Ok(())
}

/// Takes a message to its end; `None` when the client left before, or so many octets have come.
fn message(from: &mut impl BufRead, octets_max: u64) -> io::Result<Option<Held>> {
    let (mut reading, mut line, mut octets) = (Reading::default(), Vec::new(), 0);
    while octets < octets_max && next_line(from, &mut line)? {
        octets += line.len() as u64 + 2;
        match line.strip_prefix(b".") {
            Some([]) => {
                let (mark, digest) = reading.end();
                return Ok(Some(Held { mark, digest, octets }));
            }
            Some(stuffed) => reading.line(stuffed),
            None => reading.line(&line),
        }
    }
    Ok(None)
}

/// The next line, without what ends it; `false` when there is none.
fn next_line(from: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    from.read_until(b'\n', line)?;
    let is_whole = line.ends_with(b"\r\n");
    line.truncate(line.len().saturating_sub(2));
    Ok(is_whole)
}
