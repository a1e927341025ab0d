//! A modem and the servers it talks to, in memory: what is measured when neither the network nor a program's start may
//! count. The drive is a directory; the servers make up what they send and count what they get.
//!
//! Not here: what is measured.

pub mod figures;

use mail::machine::{Input as LinkInput, Instant};
use mailmodem::directory::DirectoryDrive;
use mailmodem::network::{Network, Real, Sandbox, SharedUpstreams};
use modem::clock::Calendar;
use modem::drive::Letter;
use modem::modem::{Input, LinkId, Modem, Output, Protocol};
use modem::route::Route;
use modem::settings::Settings;
use sandbox::mailbox::MemoryMailboxes;
use sandbox::provider::{self, Provider};
use std::error::Error;
use std::fs::File;
use std::path::Path;

/// What is done, or why not.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// How much the network brings at a time.
const PORTION_OCTETS: usize = 16 * 1024;

/// What a mail in is made of, but for its lines.
#[derive(Clone, Copy, Debug)]
pub struct Mail {
    head: &'static str,
    line: &'static str,
    end: &'static str,
}

/// A text whose characters are written out.
pub const TEXT: Mail = Mail {
    head: "Subject: a text\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
           Content-Transfer-Encoding: quoted-printable\r\n\r\n",
    line: "gr=FC=DFe aus dem 16. Stock, wo der Wind geht und die Sonne scheint =\r\n",
    end: "ende\r\n.\r\n",
};

/// A file with a text.
pub const ATTACHMENT: Mail = Mail {
    head: "Subject: a file\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nText.\r\n\
           --b\r\nContent-Type: image/jpeg; name=a.jpg\r\nContent-Transfer-Encoding: base64\r\n\r\n",
    line: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4\r\n",
    end: "--b--\r\n.\r\n",
};

/// A line that does not end.
pub const ONE_LINE: Mail = Mail { head: "Subject: a line\r\n\r\n", line: "and on and on ", end: "\r\n.\r\n" };

/// A page.
pub const HTML: Mail = Mail {
    head: "Subject: a page\r\nContent-Type: text/html\r\n\r\n<html>",
    line: "<p>A paragraph, and <b>another",
    end: "</html>\r\n.\r\n",
};

/// A header field that does not end.
pub const HEADER: Mail = Mail { head: "Subject: a header", line: "\r\n that goes on", end: "\r\n\r\n.\r\n" };

impl Mail {
    /// How many lines make a mail of about so many octets.
    pub const fn lines(&self, octets: u64) -> u64 {
        octets.div_ceil(self.line.len() as u64)
    }

    /// What the message has in octets, with so many lines, without the dot that ends it.
    pub const fn octets(&self, lines: u64) -> u64 {
        (self.head.len() + self.end.len() - ".\r\n".len()) as u64 + lines * self.line.len() as u64
    }
}

/// What a line of [`ATTACHMENT`] decodes to.
pub const OCTETS_PER_LINE: u64 = 57;

/// A modem, and the servers it talks to.
pub struct Scene {
    modem: Modem,
    mail: Mail,
    octets: u64,
    link: Option<LinkId>,
    /// What of a message in SMTP is still awaited.
    is_in_message: bool,
    received: u64,
    shown: Vec<u8>,
    /// How much was shown so far.
    pub shown_octets: u64,
}

impl Scene {
    /// Switches a modem on, with no bound on mails. `mail` is what its POP3 server has, of about so many octets.
    ///
    /// # Errors
    /// The directory cannot be a drive.
    pub fn new(directory: &Path, mail: Mail, octets: u64) -> Outcome<Self> {
        let drive = DirectoryDrive::open(directory, Letter::C.name_case(), u64::MAX)?;
        let settings =
            Settings { attachments_octets_max: u64::MAX, mail_octets_max: u64::MAX, ..Settings::default() };
        let calendar = Calendar { unix_s: 1_265_076_000, zone_quarters: 32 };
        Ok(Self {
            modem: Modem::power_on(settings, Box::new(drive), None, calendar, Instant::POWER_ON),
            mail,
            octets,
            link: None,
            is_in_message: false,
            received: 0,
            shown: Vec::new(),
            shown_octets: 0,
        })
    }

    /// Sends a mail with the files in the folder Picture, 10 at the most.
    ///
    /// # Errors
    /// It does not arrive as a whole.
    pub fn send(&mut self, files: &[&str], octets: u64) -> Outcome<()> {
        self.type_line(
            "AT+SMTPSRV=\"smtp.server.com\";+SMTPFROM=\"me@server.com\";+SMTPRCPT=0,0,\"to@server.com\"",
        )?;
        self.type_line("AT+SMTPSUB=\"a file\";+SMTPBODY=\"Text.\";+FSCD=C:/Picture")?;
        for (file, number) in files.iter().zip(1..) {
            self.type_line(&format!("AT+SMTPFILE={number},\"{file}\""))?;
        }
        self.type_line("AT+SMTPSEND")?;
        self.expect_shown("+SMTP: SUCCESS")?;
        if self.received < octets / 3 * 4 { Err("not all of it arrived".into()) } else { Ok(()) }
    }

    /// Gets the server's mail, by AT+POP3GET of this type.
    ///
    /// # Errors
    /// It is not saved.
    pub fn get(&mut self, kind: u8) -> Outcome<()> {
        self.type_line("AT+POP3SRV=\"pop3.server.com\",\"un\",\"pwd\";+POP3IN")?;
        self.type_line(&format!("AT+POP3GET=1,{kind}"))?;
        self.expect_shown("+POP3: SUCCESS\r\nC:/Email/100202100000/")
    }

    /// Types a line, which must end in OK.
    ///
    /// # Errors
    /// It does not.
    pub fn type_line(&mut self, line: &str) -> Outcome<()> {
        self.shown.clear();
        self.handle(Input::Typed(line.as_bytes()));
        self.handle(Input::Typed(b"\r"));
        self.expect_shown("\r\nOK\r\n")
    }

    fn expect_shown(&self, words: &str) -> Outcome<()> {
        let shown = String::from_utf8_lossy(&self.shown);
        if shown.contains(words) { Ok(()) } else { Err(format!("no {words} in {shown}").into()) }
    }

    fn handle(&mut self, input: Input<'_>) {
        self.modem.handle(input, Instant::POWER_ON);
        while let Some(output) = self.modem.poll() {
            match output {
                Output::Show(octets) => self.show(&octets),
                Output::Open { link, call } => {
                    self.link = Some(link);
                    self.modem.handle(Input::Opened(link, Route::default()), Instant::POWER_ON);
                    self.say(if call.protocol == Protocol::Pop3 {
                        "+OK\r\n"
                    } else {
                        "220 smtp.server.com\r\n"
                    });
                }
                Output::Transmit(link, octets) => {
                    self.answer(&octets);
                    self.modem.handle(Input::Link(link, LinkInput::Drained), Instant::POWER_ON);
                }
                Output::Close(_) | Output::Abort(_) => self.link = None,
                _ => {}
            }
        }
    }

    /// Keeps the beginning and the last of what is shown, at most.
    fn show(&mut self, octets: &[u8]) {
        self.shown_octets += octets.len() as u64;
        if self.shown.len() > PORTION_OCTETS {
            self.shown.clear();
        }
        self.shown.extend_from_slice(octets);
        self.modem.handle(Input::Shown, Instant::POWER_ON);
    }

    /// The server says something.
    fn say(&mut self, words: &str) {
        if let Some(link) = self.link {
            self.modem.handle(Input::Link(link, LinkInput::Received(words.as_bytes())), Instant::POWER_ON);
        }
    }

    /// The server takes what it is told, and answers it.
    fn answer(&mut self, octets: &[u8]) {
        self.received += octets.len() as u64;
        if self.is_in_message {
            if octets.ends_with(b"\r\n.\r\n") || octets == b".\r\n" {
                self.is_in_message = false;
                self.say("250 taken\r\n");
            }
            return;
        }
        for command in octets.split_inclusive(|&octet| octet == b'\n') {
            match command.get(..4).unwrap_or_default() {
                b"USER" | b"PASS" => self.say("+OK\r\n"),
                b"RETR" => self.send_mail(),
                b"EHLO" | b"MAIL" | b"RCPT" => self.say("250 smtp.server.com\r\n"),
                b"DATA" => {
                    self.is_in_message = true;
                    self.say("354 go on\r\n");
                }
                b"QUIT" => self.say("221 bye\r\n"),
                _ => {}
            }
        }
    }

    /// The server makes the mail up while it sends it.
    fn send_mail(&mut self) {
        let Mail { head, line, end } = self.mail;
        self.say("+OK\r\n");
        self.say(head);
        let mut portion = String::with_capacity(PORTION_OCTETS);
        for _ in 0..self.mail.lines(self.octets) {
            if portion.len() + line.len() > PORTION_OCTETS {
                self.say(&portion);
                portion.clear();
            }
            portion.push_str(line);
        }
        self.say(&portion);
        self.say(end);
    }
}

/// The real network, of which nothing is mapped.
#[must_use]
pub fn network() -> Network {
    let provider = Provider::new(MemoryMailboxes::default(), provider::Settings::default());
    Network::Real(Real {
        line: "line".to_owned(),
        upstreams: SharedUpstreams::default(),
        sandbox: Sandbox::new(provider),
        queue: None,
    })
}

/// Makes a file in the folder Picture of a drive's directory.
///
/// # Errors
/// It cannot be made.
pub fn make_file(directory: &Path, name: &str, octets: u64) -> Outcome<()> {
    std::fs::create_dir_all(directory.join("Picture"))?;
    Ok(File::create_new(directory.join("Picture").join(name))?.set_len(octets)?)
}
