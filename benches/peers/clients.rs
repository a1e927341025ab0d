//! The peers that are crates, and the floor: each a process of its own, which does one work and tells the most memory
//! it had.

use crate::content::{self, FILES, MAILS};
use crate::work::Work;
use lettre::message::header::ContentType;
use lettre::message::{Attachment, MultiPart, SinglePart};
use lettre::{Message, SmtpTransport, Transport as _};
use mail_parser::{MessageParser, MimeHeaders as _};
use mail_send::SmtpClientBuilder;
use mail_send::mail_builder::MessageBuilder;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

/// What a client is told.
pub(crate) struct Task {
    pub(crate) work: Work,
    pub(crate) port: u16,
    /// Where the files are, or where they go.
    pub(crate) directory: PathBuf,
    /// Of each file of a large mail.
    pub(crate) octets_each: u64,
    /// How many small mails are sent.
    pub(crate) mails: u32,
}

impl Task {
    /// Whose mails are fetched.
    pub(crate) fn user(&self) -> String {
        match self.work {
            Work::FetchLarge if self.octets_each == crate::FILE_OCTETS => "large".to_owned(),
            Work::FetchLarge => format!("octets-{}", self.octets_each),
            _ => "small".to_owned(),
        }
    }

    fn files(&self) -> impl Iterator<Item = (String, PathBuf)> {
        (1..=FILES).map(content::file_name).map(|name| (name.clone(), self.directory.join(name)))
    }
}

/// No mail program: octets that go through as fast as they will, and are looked at only for the ends of replies.
pub(crate) mod floor {
    use super::*;

    pub(crate) fn run(task: &Task) {
        match task.work {
            Work::SendLarge => send_large(task),
            Work::SendSmall => (0..task.mails).for_each(|_| send_small(task.port)),
            Work::FetchLarge => fetch_large(task),
            Work::FetchSmall => fetch_small(task, "RETR", ""),
            Work::Headers => fetch_small(task, "TOP", " 0"),
        }
    }

    fn connect(port: u16) -> BufReader<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut server = BufReader::with_capacity(64 * 1024, stream);
        line(&mut server);
        server
    }

    fn line(server: &mut BufReader<TcpStream>) -> String {
        let mut line = String::new();
        assert!(server.read_line(&mut line).unwrap() > 0, "the server left");
        line
    }

    /// Says some commands at once, and waits for so many lines in all.
    fn say(server: &mut BufReader<TcpStream>, commands: &str, lines: usize) {
        server.get_mut().write_all(commands.as_bytes()).unwrap();
        for _ in 0..lines {
            line(server);
        }
    }

    const ENVELOPE: &str = "MAIL FROM:<from@example.com>\r\nRCPT TO:<to@example.com>\r\nDATA\r\n";

    fn send_large(task: &Task) {
        let mut server = connect(task.port);
        say(&mut server, "EHLO me\r\n", 4);
        say(&mut server, ENVELOPE, 3);
        let head = content::large_mail_head(&content::text("\r\n").replacen('.', "..", 1));
        server.get_mut().write_all(head.as_bytes()).unwrap();
        let (mut portion, mut encoded) = (vec![0; 57 * 1024], Vec::with_capacity(80 * 1024));
        for ((_, path), number) in task.files().zip(1..) {
            encoded.extend_from_slice(content::part_head(number).as_bytes());
            let mut file = fs::File::open(path).unwrap();
            loop {
                let octets = read_whole(&mut file, &mut portion);
                if octets == 0 {
                    break;
                }
                content::encode(portion.get(..octets).unwrap(), &mut encoded);
                server.get_mut().write_all(&encoded).unwrap();
                encoded.clear();
            }
        }
        encoded.extend_from_slice(content::large_mail_end().as_bytes());
        encoded.extend_from_slice(b".\r\n");
        server.get_mut().write_all(&encoded).unwrap();
        line(&mut server);
        say(&mut server, "QUIT\r\n", 1);
    }

    fn read_whole(file: &mut fs::File, portion: &mut [u8]) -> usize {
        let mut filled = 0;
        loop {
            match file.read(portion.get_mut(filled..).unwrap()).unwrap() {
                0 => return filled,
                octets => filled += octets,
            }
        }
    }

    fn send_small(port: u16) {
        let mut server = connect(port);
        say(&mut server, "EHLO me\r\n", 4);
        say(&mut server, ENVELOPE, 3);
        say(&mut server, &format!("{}.\r\n", content::small_mail(1)), 1);
        say(&mut server, "QUIT\r\n", 1);
    }

    fn log_in(task: &Task) -> BufReader<TcpStream> {
        let mut server = connect(task.port);
        say(&mut server, &format!("USER {}\r\nPASS pwd\r\n", task.user()), 2);
        server
    }

    /// Into one file as it comes.
    fn fetch_large(task: &Task) {
        let mut server = log_in(task);
        say(&mut server, "RETR 1\r\n", 1);
        let mut file = fs::File::create(task.directory.join("mail.eml")).unwrap();
        let mut last = Vec::new();
        loop {
            let portion = server.fill_buf().unwrap();
            file.write_all(portion).unwrap();
            last.extend_from_slice(portion.get(portion.len().saturating_sub(5)..).unwrap());
            last.drain(..last.len().saturating_sub(5));
            let octets = portion.len();
            assert!(octets > 0, "the server left");
            server.consume(octets);
            if last == b"\r\n.\r\n" {
                break;
            }
        }
        say(&mut server, "QUIT\r\n", 1);
    }

    /// Asks for everything at once, and drops it.
    fn fetch_small(task: &Task, command: &str, more: &str) {
        let mut server = log_in(task);
        let commands: String = (1..=MAILS).map(|number| format!("{command} {number}{more}\r\n")).collect();
        server.get_mut().write_all(commands.as_bytes()).unwrap();
        let mut ended = 0;
        while ended < MAILS {
            ended += u32::from(line(&mut server) == ".\r\n");
        }
        say(&mut server, "QUIT\r\n", 1);
    }
}

pub(crate) mod lettre_crate {
    use super::*;

    pub(crate) fn run(task: &Task) {
        let transport = || SmtpTransport::builder_dangerous("127.0.0.1").port(task.port).build();
        let message = || {
            Message::builder().from("from@example.com".parse().unwrap()).to("to@example.com".parse().unwrap())
        };
        if task.work == Work::SendLarge {
            let mut parts = MultiPart::mixed().singlepart(SinglePart::plain(content::text("\r\n")));
            for (name, path) in task.files() {
                let kind = ContentType::parse("application/octet-stream").unwrap();
                parts = parts.singlepart(Attachment::new(name).body(fs::read(path).unwrap(), kind));
            }
            transport().send(&message().subject("five files").multipart(parts).unwrap()).unwrap();
            return;
        }
        for number in 1..=task.mails {
            let mail = message().subject(format!("mail {number}")).body(content::text("\r\n")).unwrap();
            // Without a pool each mail has a connection of its own.
            transport().send(&mail).unwrap();
        }
    }
}

pub(crate) mod mail_send_crate {
    use super::*;

    pub(crate) fn run(task: &Task) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let message = || MessageBuilder::new().from("from@example.com").to("to@example.com");
            if task.work == Work::SendLarge {
                let mut mail = message().subject("five files").text_body(content::text("\r\n"));
                for (name, path) in task.files() {
                    mail = mail.attachment("application/octet-stream", name, fs::read(path).unwrap());
                }
                return send(task.port, mail).await;
            }
            for number in 1..=task.mails {
                let mail = message().subject(format!("mail {number}")).text_body(content::text("\r\n"));
                send(task.port, mail).await;
            }
        });
    }

    async fn send(port: u16, mail: MessageBuilder<'_>) {
        let builder = SmtpClientBuilder::new("127.0.0.1", port).unwrap().implicit_tls(false).helo_host("me");
        let mut client = builder.connect_plain().await.unwrap();
        client.send(mail).await.unwrap();
        client.quit().await.unwrap();
    }
}

/// What a programmer writes in an afternoon: a blocking client that asks for one thing at a time, and `mail-parser`.
pub(crate) mod std_client {
    use super::*;

    pub(crate) fn run(task: &Task) {
        let stream = TcpStream::connect(("127.0.0.1", task.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut server = BufReader::with_capacity(64 * 1024, stream);
        response(&mut server);
        ask(&mut server, &format!("USER {}", task.user()));
        ask(&mut server, "PASS pwd");
        match task.work {
            Work::FetchLarge => {
                ask(&mut server, "RETR 1");
                save_parts(&text(&mut server), &task.directory);
            }
            Work::FetchSmall => {
                for number in 1..=MAILS {
                    ask(&mut server, &format!("RETR {number}"));
                    fs::write(task.directory.join(format!("{number}.eml")), text(&mut server)).unwrap();
                }
            }
            _ => {
                for number in 1..=MAILS {
                    ask(&mut server, &format!("TOP {number} 0"));
                    let header = text(&mut server);
                    let mail = MessageParser::default().parse_headers(header.as_slice()).unwrap();
                    assert_eq!(mail.subject(), Some(format!("mail {number}").as_str()));
                    assert!(mail.from().is_some() && mail.date().is_some());
                }
            }
        }
        ask(&mut server, "QUIT");
    }

    fn ask(server: &mut BufReader<TcpStream>, command: &str) {
        server.get_mut().write_all(format!("{command}\r\n").as_bytes()).unwrap();
        response(server);
    }

    fn response(server: &mut BufReader<TcpStream>) {
        let mut line = String::new();
        server.read_line(&mut line).unwrap();
        assert!(line.starts_with("+OK"), "the server said {line:?}");
    }

    fn text(server: &mut BufReader<TcpStream>) -> Vec<u8> {
        let mut text = Vec::new();
        loop {
            let start = text.len();
            server.read_until(b'\n', &mut text).unwrap();
            match text.get(start..).unwrap() {
                b".\r\n" => {
                    text.truncate(start);
                    return text;
                }
                [b'.', ..] => drop(text.remove(start)),
                [] => panic!("the server left"),
                _ => {}
            }
        }
    }

    fn save_parts(mail: &[u8], directory: &Path) {
        let mail = MessageParser::default().parse(mail).unwrap();
        fs::write(directory.join("text.txt"), mail.body_text(0).unwrap().as_bytes()).unwrap();
        for file in mail.attachments() {
            fs::write(directory.join(file.attachment_name().unwrap()), file.contents()).unwrap();
        }
    }
}
