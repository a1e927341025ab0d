//! The program from outside: standard input, output and exit codes of the real binary.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that panics fails, as it should"
)]

mod note;

use dialogue::script::{Act, parse};
use mail_parser::MessageParser;
use note::{PICTURES, SESSION, assert_mail_is_there, only_file};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

fn mailmodem(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailmodem"));
    command.args(arguments).env_remove("RUST_LOG").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the console in `directory` on octets from a pipe.
fn console(directory: &Path, typed: &[u8]) -> Output {
    let mut child =
        mailmodem(&["console", "--dir", directory.to_str().unwrap()]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(typed).unwrap();
    child.wait_with_output().unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

#[test]
fn a_pipe_gets_the_modems_octets_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let output = console(directory.path(), b"AT\r");
    assert_eq!(text(&output.stdout), "AT\r\r\nOK\r\n");
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn what_was_stored_is_there_at_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    console(directory.path(), b"ATE0S0=3\rAT&W\rATS0=0\r");
    let output = console(directory.path(), b"ATS0?\r");
    assert_eq!(text(&output.stdout), "\r\n003\r\n\r\nOK\r\n");
    fs::write(directory.path().join("profile"), b"\xff\n").unwrap();
    let output = console(directory.path(), b"ATS0?\r");
    assert_eq!(text(&output.stdout), "ATS0?\r\r\n000\r\n\r\nOK\r\n");
    assert!(text(&output.stderr).contains("what AT&W stored cannot be read"));
}

#[test]
fn a_text_without_its_end_holds_nothing_up() {
    let directory = tempfile::tempdir().unwrap();
    let output = console(directory.path(), b"ATE0\rAT+SMTPBODY\rno end");
    assert_eq!(text(&output.stdout), "ATE0\r\r\nOK\r\n\r\n>> ");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn the_notes_session_sends_a_mail_with_two_pictures() {
    let directory = tempfile::tempdir().unwrap();
    let typed: String = SESSION.iter().map(|(line, _)| format!("{line}\r")).collect();
    let expected: String = SESSION.iter().map(|(line, answer)| format!("{line}\r{answer}")).collect();
    let output = console(directory.path(), typed.as_bytes());
    assert_eq!(text(&output.stdout), expected);
    assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(0)));

    assert_mail_is_there(directory.path());
}

/// Runs the console in `directory` on a terminal of its own, into which this is pasted. All that is shown there.
fn pasted(directory: &Path, typed: &str) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let mut terminal = fs::File::from(terminal);
    let modems_end = fs::File::options().read(true).write(true).open(name).unwrap();
    let mut console = mailmodem(&["console", "--dir", directory.to_str().unwrap()]);
    console.env("TERM", "xterm").stdin(modems_end.try_clone().unwrap()).stdout(modems_end);
    let mut child = console.spawn().unwrap();
    drop(console);
    let mut shown = Vec::new();
    let mut portion = [0; 4096];
    let mut is_pasted = false;
    // A terminal whose other end is closed fails, or ends.
    while let Ok(octets @ 1..) = terminal.read(&mut portion) {
        shown.extend_from_slice(portion.get(..octets).unwrap());
        // It takes the terminal over before it greets.
        if !std::mem::replace(&mut is_pasted, true) {
            terminal.write_all(typed.as_bytes()).unwrap();
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    text(&shown)
}

/// Where these are shown, each behind the one before.
fn assert_in_order(shown: &str, parts: &[&str]) {
    let mut rest = shown;
    for part in parts {
        let Some((_, behind)) = rest.split_once(part) else { panic!("{part:?} is not in {rest:?}") };
        rest = behind;
    }
}

const CTRL_D: &str = "\x04";

#[test]
fn a_session_can_be_pasted_whole() {
    let directory = tempfile::tempdir().unwrap();
    let session = "AT+POP3SRV=\"pop3.server.com\",\"un\",\"pwd\",110\rAT+POP3IN\rAT+POP3NUM\rAT+POP3HDR=1\r\
                   AT+POP3GET=1\rAT+POP3READ\rAT+POP3OUT\r";
    let shown = pasted(directory.path(), &format!("{session}{CTRL_D}"));
    assert_in_order(
        &shown,
        &[
            "+POP3: SUCCESS",
            "+POP3: 2, 2134",
            "OK",
            "Subject: First Test Email",
            "OK",
            "OK",
            "+POP3: SUCCESS",
            "EMAIL000.TXT",
            "This is a test email",
            "OK",
            "+POP3: SUCCESS",
            "OK",
        ],
    );
    assert!(!shown.contains("ERROR") && !shown.contains("waited for"), "{shown}");
}

#[test]
fn a_terminal_shows_numbers_for_results_and_waits_for_no_text() {
    let directory = tempfile::tempdir().unwrap();
    let shown = pasted(directory.path(), &format!("ATV0\rAT+CSQ\rAT+SMTPBODY\r{CTRL_D}"));
    assert_in_order(&shown, &["0\r\n", "+CSQ: ", "\r\n0\r\n", ">> "]);
    assert!(!shown.contains('\u{fffd}') && !shown.contains("waited for"), "{shown}");
}

/// A terminal at a console's pipes, which types a line when everything that was expected before is there.
struct Terminal {
    child: Child,
}

impl Terminal {
    fn start(directory: &Path, more: &[&str]) -> Self {
        let arguments = [&["console", "--dir", directory.to_str().unwrap()], more].concat();
        Self { child: mailmodem(&arguments).stdin(Stdio::piped()).spawn().unwrap() }
    }

    /// Types a line, and sees its echo and then these octets.
    fn at(&mut self, line: &str, shown: &str) {
        self.type_echoed(format!("{line}\r").as_bytes());
        self.see(shown.as_bytes());
    }

    fn type_echoed(&mut self, octets: &[u8]) {
        self.child.stdin.as_mut().unwrap().write_all(octets).unwrap();
        self.see(octets);
    }

    /// Sees these octets next, and no others; `#` is any digit.
    fn see(&mut self, expected: &[u8]) {
        let mut shown = Vec::new();
        for &expected_octet in expected {
            let mut octet = [0];
            self.child.stdout.as_mut().unwrap().read_exact(&mut octet).unwrap();
            shown.extend(octet);
            let is_expected =
                octet == [expected_octet] || (expected_octet == b'#' && octet[0].is_ascii_digit());
            assert!(is_expected, "shown {:?} of {:?}", shown.escape_ascii(), expected.escape_ascii());
        }
    }

    /// Plays a dialogue.
    fn play(&mut self, dialogue: &str) {
        for step in parse(dialogue).unwrap() {
            match step.act {
                Act::Type(line) => self.type_echoed(&line),
                Act::Shown(octets) => self.see(&octets),
                Act::Clock(_) => {}
                other => panic!("line {}: {other:?} is beyond a terminal", step.line),
            }
        }
    }

    /// Ends the input. The console has said everything by now.
    fn end(mut self) {
        drop(self.child.stdin.take());
        let output = self.child.wait_with_output().unwrap();
        assert_eq!((text(&output.stdout).as_str(), output.status.code()), ("", Some(0)));
    }
}

/// The name of a folder of a saved mail, which is a time.
const FOLDER: &str = "############";
const IN_USE: &str = "\r\n+POP3: INVALID UN/PWD\r\n\r\nERROR\r\n";
const OK: &str = "\r\nOK\r\n";
const POP3_OK: &str = "\r\n+POP3: SUCCESS\r\n\r\nOK\r\n";

fn number(mails_and_octets: &str) -> String {
    format!("\r\n+POP3: {mails_and_octets}\r\n\r\nOK\r\n")
}

#[test]
fn the_notes_pop3_sessions_fetch_the_first_mails_which_do_not_come_back() {
    let directory = tempfile::tempdir().unwrap();
    for (dialogue, folder) in [
        (include_str!("../../../dialogues/note/4.4-retrieve.at"), "100202110457"),
        (include_str!("../../../dialogues/note/4.5-retrieve-and-delete.at"), "100202113456"),
    ] {
        let mut terminal = Terminal::start(directory.path(), &[]);
        terminal.play(&dialogue.replace(folder, FOLDER));
        terminal.end();
    }
    for left in ["1, 1084", "0, 0"] {
        let mut terminal = Terminal::start(directory.path(), &[]);
        terminal.at(r#"AT+POP3SRV="pop3.server.com","un","pwd",110"#, OK);
        terminal.at("AT+POP3IN", POP3_OK);
        terminal.at("AT+POP3NUM", &number(left));
        if left != "0, 0" {
            terminal.at("AT+POP3DEL=1", POP3_OK);
        }
        terminal.at("AT+POP3OUT", POP3_OK);
        terminal.end();
    }
}

#[test]
fn the_reason_for_a_failure_is_in_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let typed = "ATE0\rAT+SMTPSRV=\"refused.x\"\rAT+SMTPFROM=\"a@b\"\rAT+SMTPRCPT=0,0,\"c@d\"\rAT+SMTPAUTH=1,\"u\",\"secret\"\rAT+SMTPSEND\r";
    let output = console(directory.path(), typed.as_bytes());
    let shown = text(&output.stdout);
    assert!(shown.ends_with("\r\n+SMTP: NETWORK ERROR\r\n\r\nERROR\r\n"), "{shown}");
    let log = text(&output.stderr);
    let words = "NETWORK ERROR: refused.x:25 cannot be reached: ";
    assert!(log.contains(words) && log.contains("(mail 1 to c@d)") && !log.contains("secret"), "{log}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_trace_has_both_sides_of_the_line_and_no_password() {
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    let arguments =
        ["console", "--dir", directory.path().to_str().unwrap(), "--trace", trace.to_str().unwrap()];
    let session: String = SESSION.iter().map(|(line, _)| format!("{line}\r")).collect();
    let trouble =
        "AT+SMTPSRV=\"smtp.server.com\";+SMTPFROM=\"a@b\";+SMTPRCPT=0,0,\"550@server.com\"\rAT+SMTPSEND\r";
    for typed in [session + "AT+SMTPAUTH?\r", trouble.to_owned()] {
        let mut child = mailmodem(&arguments).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
    }
    let text = fs::read_to_string(trace).unwrap();
    for part in [
        " -- power on\n",
        " T: AT+SMTPAUTH=1,\"UserName\",\"***\"\n",
        " M: \\r\\n+SMTPAUTH: 1, \"UserName\", \"***\"\\r\\n\\r\\nOK\\r\\n\n",
        " -- #1 opening: SMTP at smtp.server.com:25\n",
        " -- #1 open\n",
        " S: #1 220 ",
        " C: #1 EHLO ",
        " C: #1 AUTH CRAM-MD5\n",
        " S: #1 334 ***\n",
        " C: #1 ***\n",
        " C: #1 MAIL FROM:<UserName@server.com>",
        " octets of a message)\n",
        " -- #1 closed by the modem\n",
        " -- BAD RCPT 550@server.com: smtp.server.com:25 answered \"550 ",
        "\" to RCPT TO:<550@server.com> (mail 1 to 550@server.com)\n",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    assert!(!text.contains("password") && !text.contains("cGFzc3dvcmQ"), "{text}");
}

#[test]
fn the_log_can_be_json() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["console", "--dir", directory.path().to_str().unwrap(), "--log-format", "json"];
    let mut child = mailmodem(&arguments).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"AT+SMTPSEND\r").unwrap();
    let log = text(&child.wait_with_output().unwrap().stderr);
    assert!(log.starts_with('{') && log.trim_end().ends_with('}') && log.lines().count() == 1, "{log}");
    assert!(log.contains("\"message\":\"PARAM ERROR: no server is set\""), "{log}");
}

#[test]
fn the_first_pictures_do_not_come_back() {
    let directory = tempfile::tempdir().unwrap();
    console(directory.path(), b"AT\r");
    let picture = directory.path().join("drive-c/Picture").join(PICTURES[0].0);
    assert!(fs::read(&picture).unwrap() == PICTURES[0].1);
    fs::remove_file(&picture).unwrap();
    console(directory.path(), b"AT\r");
    assert!(!picture.exists());
}

#[test]
fn a_card_stays_once_it_was_put_in() {
    let directory = tempfile::tempdir().unwrap();
    assert!(text(&console(directory.path(), b"AT+FSCD=D:/\r").stdout).ends_with("ERROR\r\n"));
    let dir = directory.path().to_str().unwrap();
    let status = mailmodem(&["--dir", dir, "--card"]).status().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(text(&console(directory.path(), b"AT+FSCD=D:/\r").stdout).ends_with("OK\r\n"));
}

#[test]
fn a_directory_in_use_is_an_error_that_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let mut first = mailmodem(&["console", "--dir", directory.path().to_str().unwrap()])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    // It has its drives when it answers.
    first.stdin.as_mut().unwrap().write_all(b"AT\r").unwrap();
    first.stdout.as_mut().unwrap().read_exact(&mut [0; 9]).unwrap();
    // It may end before anything can be typed.
    let second = console(directory.path(), b"");
    assert_eq!((second.status.code(), second.stdout.len()), (Some(1), 0));
    let words = text(&second.stderr);
    assert!(words.contains("drive-c") && words.contains("--dir"), "{words}");
    assert_eq!(words.matches("use").count(), ["use", "uses"].len(), "{words}");
    drop(first.stdin.take());
    assert_eq!(first.wait().unwrap().code(), Some(0));
}

#[test]
fn a_file_is_no_directory_for_a_console() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let output = console(file.path(), b"");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert!(text(&output.stderr).contains("is not a directory"), "{}", text(&output.stderr));
}

#[test]
fn a_mail_without_end_fills_a_drive() {
    let directory = tempfile::tempdir().unwrap();
    let typed = b"ATE0\rAT+POP3SRV=\"x\",\"endless\",\"p\"\rAT+POP3IN\rAT+POP3GET=1\r";
    let output = console(directory.path(), typed);
    let shown = text(&output.stdout);
    assert!(shown.ends_with("\r\n+POP3: FILE SYSTEM ERROR\r\n"), "{shown}");
    assert!(text(&output.stderr).contains("the drive is full"), "{}", text(&output.stderr));
}

#[test]
fn played_dialogues_are_counted_and_an_empty_one_is_none() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.at"), "T: AT\nM:\nM: OK\n").unwrap();
    let play = || mailmodem(&["play", directory.path().to_str().unwrap()]).output().unwrap();
    let output = play();
    let said = text(&output.stdout);
    assert!(said.ends_with("dialogues: 1, as written: 1\n"), "{said}{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(0));
    fs::write(directory.path().join("b.at"), "# nothing\n\n").unwrap();
    let output = play();
    let said = text(&output.stdout);
    assert!(said.contains("there is no step"), "{said}");
    assert!(said.ends_with("dialogues: 2, as written: 1\n"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn wrong_flags_exit_with_2_and_help_with_0() {
    for (arguments, code) in [
        (&["--no-such-flag"][..], 2),
        (&["no-such-command"], 2),
        (&["sandbox"], 2),
        (&["console", "--network", "other"], 2),
        (&["--help"], 0),
        (&["--version"], 0),
    ] {
        let output = mailmodem(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn the_pages_in_docs_are_not_stale() {
    for (arguments, page) in [(&["commands"][..], "commands.md"), (&["sandbox", "--troubles"], "troubles.md")]
    {
        let output = mailmodem(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs")).join(page);
        let written = fs::read_to_string(path).unwrap_or_default();
        assert!(
            written == text(&output.stdout),
            "docs/{page} is stale: write it anew with `cargo run -- {} > docs/{page}`",
            arguments.join(" ")
        );
    }
}

/// Flags for a free port.
const SMTP: [&str; 2] = ["--smtp", "127.0.0.1:0"];

/// A `mailmodem sandbox`, killed when it is dropped.
struct Sandbox {
    child: Child,
    /// What it says when it listens.
    line: String,
}

impl Sandbox {
    fn start(directory: &Path, more: &[&str]) -> Self {
        let arguments = [&["sandbox", "--dir", directory.to_str().unwrap()], more].concat();
        let mut child = mailmodem(&arguments).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Self { child, line }
    }

    /// Where it listens for a protocol.
    fn address(&self, protocol: &str) -> &str {
        let mut parts = self.line.split(", ").filter_map(|part| part.split_once(" on "));
        parts.find(|(name, _)| *name == protocol).unwrap_or_else(|| panic!("{}", self.line)).1
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_sandbox_on_a_socket_takes_mail_from_a_modem_on_the_real_network() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(directory.path(), &SMTP);
    let (host, port) = sandbox.address("SMTP").split_once(':').unwrap();
    let modem = tempfile::tempdir().unwrap();
    let mut child = mailmodem(&["--network", "real", "--dir", modem.path().to_str().unwrap()])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let typed = format!(
        "ATE0\rAT+SMTPSRV=\"{host}\",{port}\rAT+SMTPFROM=\"a@b\"\rAT+SMTPRCPT=0,0,\"c@d\"\r\
         AT+SMTPFILE=1,\"C:/Picture/20100202_100006.jpg\"\rAT+SMTPSEND\r"
    );
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(text(&output.stdout).ends_with("\r\n+SMTP: SUCCESS\r\n"), "{}", text(&output.stdout));
    let octets = fs::read(only_file(&directory.path().join("mail/c@d/new"))).unwrap();
    let message = MessageParser::default().parse(&octets).unwrap();
    assert!(message.attachment(0).unwrap().contents() == PICTURES[0].1);
}

#[test]
fn a_server_hears_quit_though_the_program_ends_with_the_mail() {
    let directory = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let mut to = listener.accept().unwrap().0;
        let (mut from, mut heard) = (BufReader::new(to.try_clone().unwrap()), String::new());
        to.write_all(b"220 smtp.example.com ESMTP\r\n").unwrap();
        let mut is_message = false;
        loop {
            heard.clear();
            assert!(from.read_line(&mut heard).unwrap() > 0, "it left without QUIT");
            is_message &= heard != ".\r\n";
            match heard.as_str() {
                _ if is_message => {}
                "QUIT\r\n" => return to.write_all(b"221 bye\r\n").unwrap(),
                "DATA\r\n" => {
                    is_message = true;
                    to.write_all(b"354 go on\r\n").unwrap();
                }
                _ => to.write_all(b"250 ok\r\n").unwrap(),
            }
        }
    });
    let typed = format!(
        "ATE0\rAT+SMTPSRV=\"127.0.0.1\",{port};+SMTPFROM=\"a@b\";+SMTPRCPT=0,0,\"c@d\"\r\
         AT+SMTPBODY=\"hello\"\rAT+SMTPSEND\r"
    );
    let arguments = ["console", "--network", "real", "--dir", directory.path().to_str().unwrap()];
    let mut child = mailmodem(&arguments).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(text(&output.stdout).ends_with("\r\n+SMTP: SUCCESS\r\n"), "{}", text(&output.stdout));
    server.join().unwrap();
}

#[test]
fn a_mail_is_sent_by_smtp_and_fetched_by_pop3_once() {
    let (provider, modem) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let both = ["--smtp", "127.0.0.1:0", "--pop3", "127.0.0.1:0"];
    let real = ["--network", "real"];
    let mut sandbox = Sandbox::start(provider.path(), &both);

    let mut sender = Terminal::start(modem.path(), &real);
    let (host, port) = sandbox.address("SMTP").split_once(':').unwrap();
    sender.at(&format!("AT+SMTPSRV=\"{host}\",{port}"), OK);
    sender.at(r#"AT+SMTPFROM="a@b""#, OK);
    sender.at(r#"AT+SMTPRCPT=0,0,"c@d""#, OK);
    sender.at("AT+FSCD=C:/Picture", "\r\n+FSCD: C:/Picture/\r\n\r\nOK\r\n");
    for (file, (name, _)) in (1..).zip(PICTURES) {
        sender.at(&format!("AT+SMTPFILE={file},\"{name}\""), OK);
    }
    sender.at("AT+SMTPSEND", "\r\n+SMTP: OK\r\n\r\nOK\r\n\r\n+SMTP: SUCCESS\r\n");
    sender.end();

    let set_server = |sandbox: &Sandbox, user: &str| {
        let (host, port) = sandbox.address("POP3").split_once(':').unwrap();
        format!("AT+POP3SRV=\"{host}\",\"{user}\",\"p\",{port}")
    };
    let mut reader = Terminal::start(modem.path(), &real);
    reader.at(&set_server(&sandbox, "c@d"), OK);
    reader.at("AT+POP3IN", POP3_OK);
    let trace = "Return-Path: <a@b>\r\nDelivered-To: c@d\r\n";
    let file = only_file(&provider.path().join("mail/c@d/new"));
    let octets = fs::metadata(&file).unwrap().len() - trace.len() as u64;
    reader.at("AT+POP3NUM", &number(&format!("1, {octets}")));

    // The same mail by another name, from another modem.
    let elsewhere = tempfile::tempdir().unwrap();
    let mut second = Terminal::start(elsewhere.path(), &real);
    second.at(&set_server(&sandbox, "c"), OK);
    second.at("AT+POP3IN", IN_USE);

    let saved = format!("\r\nOK\r\n\r\n+POP3: SUCCESS\r\nC:/Email/{FOLDER}/, EMAIL000.TXT\r\n");
    reader.at("AT+POP3GET=1", &saved);
    reader.at("AT+POP3DEL=1", POP3_OK);
    reader.at("AT+POP3OUT", POP3_OK);
    reader.end();
    let folder = only_file(&modem.path().join("drive-c/Email"));
    for (name, picture) in PICTURES {
        assert!(fs::read(folder.join(name)).unwrap() == picture, "{name} is not what was sent");
    }

    second.at("AT+POP3IN", POP3_OK);
    second.at("AT+POP3NUM", &number("0, 0"));
    second.end();
    drop(sandbox);
    sandbox = Sandbox::start(provider.path(), &["--pop3", "127.0.0.1:0"]);
    let mut reader = Terminal::start(modem.path(), &real);
    for (user, left) in [("c@d", "0, 0"), ("un", "2, 2134")] {
        reader.at(&set_server(&sandbox, user), OK);
        reader.at("AT+POP3IN", POP3_OK);
        reader.at("AT+POP3NUM", &number(left));
        reader.at("AT+POP3OUT", POP3_OK);
    }
    reader.end();
}

#[test]
fn a_server_of_a_troubled_name_makes_its_trouble() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(directory.path(), &[&SMTP[..], &["--name", "busy.x"]].concat());
    let mut greeting = String::new();
    TcpStream::connect(sandbox.address("SMTP")).unwrap().read_to_string(&mut greeting).unwrap();
    assert!(greeting.starts_with("421 "), "{greeting}");
}

#[test]
fn the_sandbox_ends_when_it_is_told_to() {
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::TERM] {
        let directory = tempfile::tempdir().unwrap();
        let mut sandbox = Sandbox::start(directory.path(), &SMTP);
        let pid = rustix::process::Pid::from_child(&sandbox.child);
        rustix::process::kill_process(pid, signal).unwrap();
        assert_eq!(sandbox.child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn an_address_in_use_is_an_error_that_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(directory.path(), &SMTP);
    let dir = directory.path().to_str().unwrap();
    let output = mailmodem(&["sandbox", "--smtp", sandbox.address("SMTP"), "--dir", dir]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("port 0"), "{}", text(&output.stderr));
}
