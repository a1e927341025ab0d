//! What the running program leaves of a password in its memory, seen as the system's owner could.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that panics fails, as it should"
)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// No test waits so long unless it is to fail.
const TOO_LONG: Duration = Duration::from_secs(60);

/// A process, killed when it is dropped.
struct Process(Child);

impl Process {
    /// How often these octets stand in what it can write to.
    fn holds(&self, octets: &[u8]) -> usize {
        let id = self.0.id();
        let memory = File::open(format!("/proc/{id}/mem")).unwrap();
        let maps = fs::read_to_string(format!("/proc/{id}/maps")).unwrap();
        let mut found = 0;
        let mut seen = 0;
        for line in maps.lines() {
            let (range, rest) = line.split_once(' ').unwrap();
            let (start, end) = range.split_once('-').unwrap();
            let [start, end] = [start, end].map(|at| u64::from_str_radix(at, 16).unwrap());
            let mut part = vec![0; usize::try_from(end - start).unwrap()];
            // Some of it is not for reading, such as the kernel's own.
            if rest.starts_with("rw") && memory.read_exact_at(&mut part, start).is_ok() {
                found += part.windows(octets.len()).filter(|window| *window == octets).count();
                seen += part.len();
            }
        }
        assert!(seen > 100_000, "next to nothing could be read");
        found
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Types, and reads to the end of what is expected.
fn ask(terminal: &mut TcpStream, typed: &str, expected: &str) {
    terminal.write_all(typed.as_bytes()).unwrap();
    let mut shown = Vec::new();
    while !shown.ends_with(expected.as_bytes()) {
        let mut octet = [0];
        terminal.read_exact(&mut octet).unwrap_or_else(|error| {
            panic!("{error}: no {expected:?} in {}", String::from_utf8_lossy(&shown))
        });
        shown.push(octet[0]);
    }
}

/// A server that takes every password and every mail.
fn smtp_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.write_all(b"220 mx\r\n").unwrap();
            let mut in_text = false;
            for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                let line = line.unwrap();
                in_text &= line != ".";
                let answer = match line.split(' ').next().unwrap() {
                    _ if in_text => continue,
                    "EHLO" => "250-mx\r\n250 AUTH PLAIN",
                    "AUTH" => "235 well",
                    "DATA" => {
                        in_text = true;
                        "354 go on"
                    }
                    _ => "250 well",
                };
                stream.write_all(format!("{answer}\r\n").as_bytes()).unwrap();
            }
        }
    });
    port
}

#[test]
fn a_password_is_nowhere_when_it_is_not_needed_any_more() {
    const PASSWORD: &str = "tiger-in-the-line-6e1f";
    const AHEAD: &str = "tiger-typed-ahead-93c2";
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailmodem"));
    command.args(["serve", "--port", "tcp:127.0.0.1:0", "--dir", directory.path().to_str().unwrap()]);
    let mut process = Process(command.env_remove("RUST_LOG").stderr(Stdio::piped()).spawn().unwrap());
    let log = BufReader::new(process.0.stderr.take().unwrap());
    let listens = log.lines().map(Result::unwrap).find(|line| line.contains("listens on")).unwrap();
    let mut terminal = TcpStream::connect(listens.rsplit(' ').next().unwrap()).unwrap();
    terminal.set_read_timeout(Some(TOO_LONG)).unwrap();

    let port = smtp_server();
    ask(&mut terminal, &format!("AT+SMTPSRV=\"127.0.0.1\",{port}\r"), "OK\r\n");
    ask(&mut terminal, &format!("AT+SMTPAUTH=1,\"un\",\"{PASSWORD}\"\r"), "OK\r\n");
    assert!(process.holds(PASSWORD.as_bytes()) > 0, "it would not be found");
    ask(&mut terminal, "AT+SMTPFROM=\"a@b\",\"a\";+SMTPRCPT=0,0,\"c@d\",\"c\";+SMTPSUB=\"s\"\r", "OK\r\n");
    // Typed while the command before it is pending.
    let ahead = format!("AT+SMTPSEND\rAT+POP3SRV=\"127.0.0.1\",\"un\",\"{AHEAD}\",110\r");
    ask(&mut terminal, &ahead, "+SMTP: SUCCESS\r\n");
    ask(&mut terminal, "AT+SMTPAUTH=0\r", "OK\r\n");
    ask(&mut terminal, "AT\r", "OK\r\n");
    let on_the_wire = STANDARD.encode(format!("\0un\0{PASSWORD}"));
    assert_eq!(process.holds(PASSWORD.as_bytes()), 0);
    assert_eq!(process.holds(on_the_wire.as_bytes()), 0);
    assert_eq!(process.holds(AHEAD.as_bytes()), 1, "only where it is kept for the session");
}
