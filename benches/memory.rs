//! How much memory a modem takes while mails of 1 MB, 10 MB and 100 MB go through it: sent with an attachment, saved,
//! and shown. The drive is a directory; the servers make up what they send and count what they get. `cargo bench -p
//! benches --bench memory`.
//!
//! Not here: how long it takes.

use mail::machine::{Input as LinkInput, Instant};
use mailmodem::directory::DirectoryDrive;
use modem::clock::Calendar;
use modem::drive::Letter;
use modem::modem::{Input, LinkId, Modem, Output};
use modem::settings::Settings;
use peak_alloc::PeakAlloc;
use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What is measured, by the size of what is carried: the most memory that stood.
type Run = fn(u64) -> Outcome<usize>;

/// Sizes of what is carried.
const SIZES: [u64; 3] = [1_000_000, 10_000_000, 100_000_000];

/// What stands at most may differ by so much between the sizes: a number has more digits, a buffer was caught fuller.
const DIFFERENCE_OCTETS_MAX: usize = 16 * 1024;

/// How much the network brings at a time.
const PORTION_OCTETS: usize = 16 * 1024;

/// What a mail in is made of, but for its lines.
struct Mail {
    head: &'static str,
    line: &'static str,
    end: &'static str,
}

const TEXT: Mail = Mail {
    head: "Subject: a text\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
           Content-Transfer-Encoding: quoted-printable\r\n\r\n",
    line: "gr=FC=DFe aus dem 16. Stock, wo der Wind geht und die Sonne scheint =\r\n",
    end: "ende\r\n.\r\n",
};

const ATTACHMENT: Mail = Mail {
    head: "Subject: a file\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nText.\r\n\
           --b\r\nContent-Type: image/jpeg; name=a.jpg\r\nContent-Transfer-Encoding: base64\r\n\r\n",
    line: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4\r\n",
    end: "--b--\r\n.\r\n",
};

const ONE_LINE: Mail = Mail { head: "Subject: a line\r\n\r\n", line: "and on and on ", end: "\r\n.\r\n" };

const HTML: Mail = Mail {
    head: "Subject: a page\r\nContent-Type: text/html\r\n\r\n<html>",
    line: "<p>A paragraph, and <b>another",
    end: "</html>\r\n.\r\n",
};

const HEADER: Mail = Mail { head: "Subject: a header", line: "\r\n that goes on", end: "\r\n\r\n.\r\n" };

impl Mail {
    /// How many lines make a mail of about so many octets.
    const fn lines(&self, octets: u64) -> u64 {
        octets.div_ceil(self.line.len() as u64)
    }

    /// What the message has in octets, with so many lines, without the dot that ends it.
    const fn octets(&self, lines: u64) -> u64 {
        (self.head.len() + self.end.len() - ".\r\n".len()) as u64 + lines * self.line.len() as u64
    }
}

/// What a line of [`ATTACHMENT`] decodes to.
const OCTETS_PER_LINE: u64 = 57;

/// A modem, and the servers it talks to.
struct Scene {
    modem: Modem,
    mail: Mail,
    octets: u64,
    link: Option<LinkId>,
    /// What of a message in SMTP is still awaited.
    is_in_message: bool,
    received: u64,
    shown: Vec<u8>,
    shown_octets: u64,
}

fn main() -> Outcome<()> {
    let mut table = String::from("peak heap, kB         1 MB   10 MB  100 MB\n");
    let mut is_flat = true;
    let runs: [(&str, Run); 7] = [
        ("send, attachment", send),
        ("get, attachment", get),
        ("get, text", |octets| get_alone(TEXT, octets)),
        ("get, one line", |octets| get_alone(ONE_LINE, octets)),
        ("get, HTML", |octets| get_alone(HTML, octets)),
        ("get, header", |octets| get_alone(HEADER, octets)),
        ("read, text", read),
    ];
    for (name, run) in runs {
        let mut peaks = Vec::new();
        for size in SIZES {
            peaks.push(run(size)?);
        }
        let cells: String = peaks.iter().map(|peak| format!("{:>8}", peak.div_ceil(1024))).collect();
        table.push_str(&format!("{name:<18}{cells}\n"));
        let (least, most) = (peaks.iter().min().copied(), peaks.iter().max().copied());
        is_flat &= most <= least.map(|least| least + DIFFERENCE_OCTETS_MAX);
    }
    std::io::stdout().write_all(table.as_bytes())?;
    if is_flat { Ok(()) } else { Err("memory grows with the mail".into()) }
}

fn send(octets: u64) -> Outcome<usize> {
    let directory = tempfile::tempdir()?;
    std::fs::create_dir(directory.path().join("Picture"))?;
    File::create_new(directory.path().join("Picture/a.jpg"))?.set_len(octets)?;
    measure(directory.path(), ATTACHMENT, octets, |scene| {
        scene.type_line(
            "AT+SMTPSRV=\"smtp.server.com\";+SMTPFROM=\"me@server.com\";+SMTPRCPT=0,0,\"to@server.com\"",
        )?;
        scene.type_line("AT+SMTPSUB=\"a file\";+SMTPBODY=\"Text.\";+SMTPFILE=1,\"C:/Picture/a.jpg\"")?;
        scene.type_line("AT+SMTPSEND")?;
        scene.expect_shown("+SMTP: SUCCESS")?;
        if scene.received < octets / 3 * 4 { Err("not all of it arrived".into()) } else { Ok(()) }
    })
}

fn get(octets: u64) -> Outcome<usize> {
    let directory = tempfile::tempdir()?;
    let peak = measure(directory.path(), ATTACHMENT, octets, |scene| scene.get(3))?;
    let folder = directory.path().join("Email/100202100000");
    let lines = ATTACHMENT.lines(octets);
    for (name, expected) in
        [("100202100000.eml", ATTACHMENT.octets(lines)), ("a.jpg", lines * OCTETS_PER_LINE)]
    {
        let found = folder.join(name).metadata()?.len();
        if found != expected {
            return Err(format!("{name} is of {found} octets, not {expected}").into());
        }
    }
    Ok(peak)
}

fn get_alone(mail: Mail, octets: u64) -> Outcome<usize> {
    let directory = tempfile::tempdir()?;
    measure(directory.path(), mail, octets, |scene| scene.get(1))
}

fn read(octets: u64) -> Outcome<usize> {
    let directory = tempfile::tempdir()?;
    std::fs::create_dir(directory.path().join("Email"))?;
    File::create_new(directory.path().join("Email/a.txt"))?.set_len(octets)?;
    measure(directory.path(), TEXT, octets, |scene| {
        scene.type_line("AT+POP3READ=0,\"a.txt\"")?;
        if scene.shown_octets < octets { Err("not all of it was shown".into()) } else { Ok(()) }
    })
}

/// The most memory that stands in between, from before the modem is switched on.
fn measure(
    directory: &Path,
    mail: Mail,
    octets: u64,
    run: impl FnOnce(&mut Scene) -> Outcome<()>,
) -> Outcome<usize> {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let drive = DirectoryDrive::open(directory, Letter::C.name_case(), u64::MAX)?;
    let settings =
        Settings { attachments_octets_max: u64::MAX, mail_octets_max: u64::MAX, ..Settings::default() };
    let calendar = Calendar { unix_s: 1_265_076_000, zone_quarters: 32 };
    let mut scene = Scene {
        modem: Modem::power_on(settings, Box::new(drive), None, calendar, Instant::POWER_ON),
        mail,
        octets,
        link: None,
        is_in_message: false,
        received: 0,
        shown: Vec::new(),
        shown_octets: 0,
    };
    run(&mut scene)?;
    Ok(MEMORY.peak_usage() - before)
}

impl Scene {
    fn get(&mut self, kind: u8) -> Outcome<()> {
        self.type_line("AT+POP3SRV=\"pop3.server.com\",\"un\",\"pwd\";+POP3IN")?;
        self.type_line(&format!("AT+POP3GET=1,{kind}"))?;
        self.expect_shown("+POP3: SUCCESS\r\nC:/Email/100202100000/")
    }

    /// Types a line, which must end in OK.
    fn type_line(&mut self, line: &str) -> Outcome<()> {
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
                Output::Open { link, port, .. } => {
                    self.link = Some(link);
                    self.modem.handle(Input::Link(link, LinkInput::Opened), Instant::POWER_ON);
                    self.say(if port == 110 { "+OK\r\n" } else { "220 smtp.server.com\r\n" });
                }
                Output::Transmit(link, octets) => {
                    self.answer(&octets);
                    self.modem.handle(Input::Link(link, LinkInput::Drained), Instant::POWER_ON);
                }
                Output::Close(_) | Output::Abort(_) => self.link = None,
                Output::Report(_)
                | Output::Trace(_)
                | Output::StartTls(_)
                | Output::Speed(_)
                | Output::PoweredOff => {}
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
