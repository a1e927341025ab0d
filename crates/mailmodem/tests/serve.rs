//! `mailmodem serve` from outside: hosts on the real binary's pseudo-terminals, serial lines and sockets.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that panics fails, as it should"
)]

mod note;

use note::{SESSION, assert_mail_is_there};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::tcgetattr;
use std::fs::{self, File, Permissions};
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// No test waits so long unless it is to fail.
const TOO_LONG: Duration = Duration::from_secs(60);

/// A `mailmodem serve`, killed when it is dropped.
struct Service {
    child: Child,
    log: Receiver<String>,
}

impl Service {
    fn start(arguments: &[&str]) -> Self {
        let mut child = mailmodem(&[&["serve"], arguments].concat()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, log) = channel();
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, log }
    }

    fn of_config(file: &Path) -> Self {
        Self::start(&["--config", file.to_str().unwrap()])
    }

    /// Waits for a line of the log that has all of `parts`.
    fn wait_for(&self, parts: &[&str]) -> String {
        let mut seen = String::new();
        loop {
            let line = self.log.recv_timeout(TOO_LONG).unwrap_or_else(|_| panic!("no {parts:?} in\n{seen}"));
            if parts.iter().all(|part| line.contains(part)) {
                return line;
            }
            seen += &(line + "\n");
        }
    }

    /// The address that the line of this name listens on, once it does.
    fn address(&self, line: &str) -> String {
        let words = self.wait_for(&[&format!("line=\"{line}\""), "listens on"]);
        words.rsplit(' ').next().unwrap().to_owned()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn mailmodem(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailmodem"));
    command.args(arguments).env_remove("RUST_LOG").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Types, and reads exactly what is expected.
fn ask(terminal: &mut (impl Read + Write + AsFd), typed: &str, expected: &str) {
    terminal.write_all(typed.as_bytes()).unwrap();
    expect(terminal, expected);
}

fn expect(terminal: &mut (impl Read + AsFd), expected: &str) {
    let mut shown = Vec::new();
    while shown.len() < expected.len() {
        let mut buffer = vec![0; expected.len() - shown.len()];
        match read(terminal, &mut buffer) {
            0 => break,
            octets => shown.extend_from_slice(&buffer[..octets]),
        }
    }
    assert_eq!(String::from_utf8_lossy(&shown), expected);
}

fn expect_end(terminal: &mut (impl Read + AsFd)) {
    assert_eq!(read(terminal, &mut [0]), 0);
}

fn read(terminal: &mut (impl Read + AsFd), buffer: &mut [u8]) -> usize {
    let timeout = Timespec::try_from(TOO_LONG).unwrap();
    let ready = poll(&mut [PollFd::new(terminal, PollFlags::IN)], Some(&timeout)).unwrap();
    assert_ne!(ready, 0, "the modem is silent");
    terminal.read(buffer).unwrap()
}

fn open(device: &Path) -> File {
    let flags = i32::try_from(OFlags::NOCTTY.bits()).unwrap();
    File::options().read(true).write(true).custom_flags(flags).open(device).unwrap()
}

fn play_session(terminal: &mut (impl Read + Write + AsFd)) {
    for (line, answer) in SESSION {
        ask(terminal, &format!("{line}\r"), &format!("{line}\r{answer}"));
    }
}

struct Pseudo {
    directory: tempfile::TempDir,
    link: PathBuf,
    service: Service,
}

/// A sandboxed line on a pseudo-terminal.
fn pseudo() -> Pseudo {
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("modem");
    let port = format!("pty:{}", link.display());
    let dir = directory.path().to_str().unwrap();
    let service = Service::start(&["--port", &port, "--sandbox", "--dir", dir]);
    service.wait_for(&["leads to"]);
    Pseudo { directory, link, service }
}

#[test]
fn hosts_open_and_close_a_pseudo_terminal_again_and_again() {
    let Pseudo { directory: _directory, link, mut service } = pseudo();
    ask(&mut open(&link), "ATE0\r", "ATE0\r\r\nOK\r\n");
    for _ in 0..20 {
        drop(open(&link));
        ask(&mut open(&link), "AT\r", "\r\nOK\r\n");
    }
    service.signal(Signal::TERM);
    assert_eq!(service.wait().code(), Some(0));
    assert!(fs::symlink_metadata(&link).is_err(), "the link stays");
}

#[test]
fn the_notes_session_on_a_pseudo_terminal() {
    let Pseudo { directory, link, service: _service } = pseudo();
    play_session(&mut open(&link));
    assert_mail_is_there(directory.path());
}

#[test]
fn the_notes_session_on_tcp() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path().to_str().unwrap();
    let service = Service::start(&["--port", "tcp:127.0.0.1:0", "--sandbox", "--dir", dir]);
    play_session(&mut TcpStream::connect(service.address("line")).unwrap());
    assert_mail_is_there(directory.path());
}

#[test]
fn a_link_left_behind_is_replaced_and_anything_else_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("modem");
    std::os::unix::fs::symlink("/dev/pts/4711", &link).unwrap();
    let port = format!("pty:{}", link.display());
    let dir = directory.path().to_str().unwrap();
    let arguments = ["--port", &port, "--sandbox", "--dir", dir];
    let service = Service::start(&arguments);
    service.wait_for(&["leads to"]);
    ask(&mut open(&link), "AT\r", "AT\r\r\nOK\r\n");
    drop(service);

    fs::remove_file(&link).unwrap();
    fs::write(&link, "a file of somebody's").unwrap();
    let Output { status, stderr, .. } = mailmodem(&[&["serve"][..], &arguments].concat()).output().unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(String::from_utf8_lossy(&stderr).contains("name another path"));
    assert_eq!(fs::read_to_string(&link).unwrap(), "a file of somebody's");
}

#[test]
fn a_second_caller_is_told_and_the_next_one_finds_the_modem_as_it_was_left() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path().to_str().unwrap();
    let service = Service::start(&["--port", "tcp:127.0.0.1:0", "--sandbox", "--dir", dir]);
    let address = service.address("line");
    let mut first = TcpStream::connect(&address).unwrap();
    ask(&mut first, "ATE0\r", "ATE0\r\r\nOK\r\n");
    let mut second = TcpStream::connect(&address).unwrap();
    expect(&mut second, "mailmodem: another terminal is on this line\r\n");
    expect_end(&mut second);
    ask(&mut first, "AT\r", "\r\nOK\r\n");
    // Who has only stopped talking still gets the answer.
    first.write_all(b"AT+CGMI\r").unwrap();
    first.shutdown(std::net::Shutdown::Write).unwrap();
    expect(&mut first, "\r\nmailmodem\r\n\r\nOK\r\n");
    expect_end(&mut first);
    ask(&mut TcpStream::connect(&address).unwrap(), "AT\r", "\r\nOK\r\n");
}

#[test]
fn a_terminal_that_hangs_up_in_the_middle_of_a_file_holds_nothing_up() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path().to_str().unwrap();
    let service = Service::start(&["--port", "tcp:127.0.0.1:0", "--sandbox", "--dir", dir]);
    let address = service.address("line");
    // More than sockets hold.
    File::create(directory.path().join("drive-c/large")).unwrap().set_len(20_000_000).unwrap();
    let mut first = TcpStream::connect(&address).unwrap();
    ask(&mut first, "ATE0\r", "ATE0\r\r\nOK\r\n");
    ask(&mut first, "AT+CFTRANTX=\"C:/large\"\r", "\r\n+CFTRANTX: DATA,");
    drop(first);
    // What is left of the file comes first, if it is not over yet.
    let mut second = TcpStream::connect(&address).unwrap();
    second.write_all(b"AT+CGMM\r").unwrap();
    let expected = b"\r\nMAILMODEM\r\n\r\nOK\r\n";
    let mut shown = Vec::new();
    let mut buffer = [0; 4096];
    while !shown.ends_with(expected) {
        let octets = read(&mut second, &mut buffer);
        assert_ne!(octets, 0);
        shown.extend_from_slice(&buffer[..octets]);
    }
}

/// `chat`, as scripts that dial use it. Skipped where it is not installed.
#[test]
fn chat_sends_a_mail() {
    let Pseudo { directory, link, service: _service } = pseudo();
    let script = [
        &["", "ATE0", "OK", r#"AT+SMTPSRV="smtp.server.com",25"#, "OK"][..],
        &[r#"AT+SMTPFROM="a@server.com""#, "OK", r#"AT+SMTPRCPT=0,0,"b@server.com""#, "OK"],
        &["AT+SMTPSEND", "+SMTP: SUCCESS"],
    ];
    let mut chat = Command::new("/usr/sbin/chat");
    chat.args(["-t", "30"]).args(script.concat()).stdin(open(&link)).stdout(open(&link));
    match chat.status() {
        Ok(status) => {
            assert_eq!(status.code(), Some(0));
            note::only_file(&directory.path().join("mail/b@server.com/new"));
        }
        Err(error) => eprintln!("skipped: there is no chat: {error}"),
    }
}

#[test]
fn a_pipe_is_a_port_too_and_its_end_is_the_service_s() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path().to_str().unwrap();
    let mut command = mailmodem(&["serve", "--port", "stdio", "--sandbox", "--dir", dir]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"AT\r").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"AT\r\r\nOK\r\n"[..]));
}

/// A config of sandboxed lines, `(name, port)`.
fn write_config(directory: &Path, lines: &[(&str, &str)]) -> PathBuf {
    let file = directory.join("mailmodem.toml");
    let mut text = format!("data_dir = {:?}\n", directory.join("data"));
    for (name, port) in lines {
        text += &format!("[[line]]\nname = {name:?}\nport = {port:?}\nupstream = \"sandbox\"\n");
    }
    fs::write(&file, text).unwrap();
    file
}

#[test]
fn a_config_is_read_again_and_lines_that_did_not_change_go_on() {
    const ANY: &str = "tcp:127.0.0.1:0";
    let directory = tempfile::tempdir().unwrap();
    let pty = format!("pty:{}", directory.path().join("c").display());
    let file = write_config(directory.path(), &[("a", ANY)]);
    let mut service = Service::of_config(&file);
    let mut a = TcpStream::connect(service.address("a")).unwrap();
    ask(&mut a, "ATE0\r", "ATE0\r\r\nOK\r\n");

    write_config(directory.path(), &[("a", ANY), ("b", ANY)]);
    service.signal(Signal::HUP);
    let mut b = TcpStream::connect(service.address("b")).unwrap();
    ask(&mut b, "ATE0\r", "ATE0\r\r\nOK\r\n");
    ask(&mut a, "AT\r", "\r\nOK\r\n");

    fs::write(&file, "[[lines]]").unwrap();
    service.signal(Signal::HUP);
    service.wait_for(&["mailmodem.toml:1:3", "did you mean \"line\"?", "nothing changes"]);
    ask(&mut b, "AT\r", "\r\nOK\r\n");

    write_config(directory.path(), &[("b", &pty)]);
    service.signal(Signal::HUP);
    expect_end(&mut a);
    expect_end(&mut b);
    service.wait_for(&["line=\"b\"", "leads to"]);
    ask(&mut open(&directory.path().join("c")), "AT\r", "AT\r\r\nOK\r\n");

    service.signal(Signal::TERM);
    assert_eq!(service.wait().code(), Some(0));
}

#[test]
fn a_line_that_fails_does_not_touch_the_others_and_is_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let lines = [("well", "tcp:127.0.0.1:0"), ("ill", &format!("tcp:{address}"))];
    let service = Service::of_config(&write_config(directory.path(), &lines));
    let mut seen = [false; 2];
    let mut well = None;
    while seen != [true; 2] {
        let line = service.wait_for(&["127.0.0.1:"]);
        if line.contains("line=\"well\"") {
            seen[0] = true;
            well = line.rsplit(' ').next().map(str::to_owned);
        } else {
            assert!(
                line.contains("\"ill\"") && line.contains("cannot listen") && line.contains(&address),
                "{line}"
            );
            seen[1] = true;
        }
    }
    let mut well = TcpStream::connect(well.unwrap()).unwrap();
    ask(&mut well, "ATE0\r", "ATE0\r\r\nOK\r\n");
    drop(taken);
    assert_eq!(service.address("ill"), address);
    ask(&mut TcpStream::connect(&address).unwrap(), "AT\r", "AT\r\r\nOK\r\n");
    ask(&mut well, "AT\r", "\r\nOK\r\n");
}

/// An SMTP server that takes one mail, and answers to its end when it is told to. Tells when it has the whole mail.
fn smtp_server() -> (String, Receiver<()>, std::sync::mpsc::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let (has_mail, mail) = channel();
    let (go, told) = channel::<()>();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        stream.write_all(b"220 ready\r\n").unwrap();
        let mut in_data = false;
        for line in lines.map_while(Result::ok) {
            let reply = match line.as_str() {
                "." => {
                    in_data = false;
                    has_mail.send(()).unwrap();
                    if told.recv().is_err() {
                        return;
                    }
                    "250 taken\r\n"
                }
                _ if in_data => continue,
                "DATA" => {
                    in_data = true;
                    "354 go on\r\n"
                }
                _ => "250 well\r\n",
            };
            if stream.write_all(reply.as_bytes()).is_err() {
                return;
            }
        }
    });
    (port, mail, go)
}

/// A service with a mail under way, of which the server has everything.
fn sending() -> (Pseudo, File, std::sync::mpsc::Sender<()>) {
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("modem");
    let (port, dir) = (format!("pty:{}", link.display()), directory.path().to_str().unwrap());
    let service = Service::start(&["--port", &port, "--dir", dir]);
    service.wait_for(&["leads to"]);
    let mut terminal = open(&link);
    let (port, has_mail, go) = smtp_server();
    ask(&mut terminal, "ATE0\r", "ATE0\r\r\nOK\r\n");
    for line in [
        format!("AT+SMTPSRV=\"127.0.0.1\",{port}"),
        "AT+SMTPFROM=\"a@b\"".into(),
        "AT+SMTPRCPT=0,0,\"c@d\"".into(),
    ] {
        ask(&mut terminal, &format!("{line}\r"), "\r\nOK\r\n");
    }
    ask(&mut terminal, "AT+SMTPSEND\r", "\r\n+SMTP: OK\r\n\r\nOK\r\n");
    has_mail.recv_timeout(TOO_LONG).unwrap();
    (Pseudo { directory, link, service }, terminal, go)
}

#[test]
fn a_mail_under_way_comes_to_its_end_before_the_service_does() {
    let (Pseudo { directory: _directory, mut service, .. }, mut terminal, go) = sending();
    service.signal(Signal::TERM);
    service.wait_for(&["is to end"]);
    go.send(()).unwrap();
    expect(&mut terminal, "\r\n+SMTP: SUCCESS\r\n");
    assert_eq!(service.wait().code(), Some(0));
}

#[test]
fn a_second_signal_ends_the_service_at_once() {
    let (Pseudo { mut service, directory: _directory, link }, _terminal, _go) = sending();
    service.signal(Signal::TERM);
    service.wait_for(&["is to end"]);
    service.signal(Signal::INT);
    service.wait_for(&["at once"]);
    assert_eq!(service.wait().code(), Some(0));
    assert!(fs::symlink_metadata(&link).is_err(), "the link stays");
}

/// Plugs in something that a serial line is to be: our end of it.
fn plug_in(device: &Path) -> File {
    let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&near).unwrap();
    unlockpt(&near).unwrap();
    let far = ptsname(&near, Vec::new()).unwrap();
    std::os::unix::fs::symlink(far.to_str().unwrap(), device).unwrap();
    near.into()
}

#[test]
fn a_serial_line_is_unplugged_and_plugged_in_again_and_the_modem_has_gone_on() {
    let directory = tempfile::tempdir().unwrap();
    let device = directory.path().join("ttyUSB0");
    let port = format!("serial:{},speed=19200", device.display());
    let service =
        Service::start(&["--port", &port, "--sandbox", "--dir", directory.path().to_str().unwrap()]);
    service.wait_for(&["cannot be opened"]);
    for round in 0..2 {
        let mut host = plug_in(&device);
        service.wait_for(&["serial line is open"]);
        if round == 0 {
            assert_eq!(tcgetattr(&host).unwrap().output_speed(), 19_200);
            ask(&mut host, "ATE0\r", "ATE0\r\r\nOK\r\n");
            ask(&mut host, "AT+IPR=9600\r", "\r\nOK\r\n");
        }
        ask(&mut host, "AT\r", "\r\nOK\r\n");
        assert_eq!(tcgetattr(&host).unwrap().output_speed(), 9_600);
        fs::remove_file(&device).unwrap();
        drop(host);
        service.wait_for(&["cannot be opened"]);
    }
}

#[test]
fn a_card_comes_and_goes_with_its_directory() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path().to_str().unwrap();
    let service = Service::start(&["--port", "tcp:127.0.0.1:0", "--sandbox", "--card", "--dir", dir]);
    let mut terminal = TcpStream::connect(service.address("line")).unwrap();
    ask(&mut terminal, "ATE0\r", "ATE0\r\r\nOK\r\n");
    ask(&mut terminal, "AT+FSCD=D:/\r", "\r\nERROR\r\n");
    fs::create_dir(directory.path().join("drive-d")).unwrap();
    service.wait_for(&["the card is in"]);
    ask(&mut terminal, "AT+FSCD=D:/\r", "\r\n+FSCD: D:/\r\n\r\nOK\r\n");
    fs::rename(directory.path().join("drive-d"), directory.path().join("pulled")).unwrap();
    service.wait_for(&["the card is gone"]);
    ask(&mut terminal, "AT+FSCD?\r", "\r\n+FSCD: C:/\r\n\r\nOK\r\n");
}

#[test]
fn a_credential_of_the_service_s_is_wanted_by_who_logs_in_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = write_config(directory.path(), &[("a", "stdio")]);
    let upstream = "[[upstream]]\nname = \"u\"\nhost = \"127.0.0.1\"\nport = 1\ntls = \"off\"\nuser = \"me\"\n\
                    password_credential = \"provider\"\n";
    fs::write(&file, fs::read_to_string(&file).unwrap().replace("sandbox", "direct") + upstream).unwrap();
    let file = file.to_str().unwrap();
    let run = |arguments: &[&str], credentials: Option<&Path>| {
        let mut command = mailmodem(arguments);
        command.env_remove("CREDENTIALS_DIRECTORY").envs(credentials.map(|it| ("CREDENTIALS_DIRECTORY", it)));
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let explain = ["explain", "smtp.server.com:25", "--config", file];
    let check = ["check", "u", "--send-test", "a@b", "--config", file];
    let what_to_do = "LoadCredential=provider:/path/to/a/file";
    for (arguments, code, words) in [
        (&["check-config", file][..], 0, what_to_do),
        (&explain, 0, "as me, by the service's credential \"provider\""),
        (&check, 1, what_to_do),
        (&["login", "u", "--config", file], 1, "logs in without a token"),
        (&["serve", "--config", file], 1, what_to_do),
    ] {
        let (exited, told) = run(arguments, None);
        assert_eq!(exited, Some(code), "{arguments:?}: {told}");
        assert!(told.contains(words), "{arguments:?}: {told}");
    }
    fs::write(directory.path().join("provider"), "tiger\n").unwrap();
    fs::set_permissions(directory.path().join("provider"), Permissions::from_mode(0o600)).unwrap();
    let (_, told) = run(&explain, Some(directory.path()));
    assert!(told.contains("as me, by the password of the config"), "{told}");
    let (_, told) = run(&check, Some(directory.path()));
    assert!(told.contains("127.0.0.1:1 ") && !told.contains("LoadCredential"), "{told}");
}

#[test]
fn wrong_flags_and_configs_are_told_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let file = write_config(directory.path(), &[("a", "stdio")]);
    let file = file.to_str().unwrap();
    let none = directory.path().join("none.toml");
    for (arguments, code, words) in [
        (&["serve", "--port", "usb:1"][..], 2, "pty:PATH"),
        (&["serve", "--sandbox"], 2, "--port"),
        (&["serve", "--port", "stdio", "--config", file], 2, "cannot be used with"),
        (&["serve", "--config", file, "--sandbox"], 2, "cannot be used with"),
        (&["serve", "--config", none.to_str().unwrap()], 1, "--port"),
        (&["check-config", none.to_str().unwrap()], 1, "none.toml"),
        (&["check-config", file], 0, "a: stdio, to the sandbox"),
    ] {
        let output = mailmodem(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        let told = [output.stdout, output.stderr].concat();
        assert!(String::from_utf8_lossy(&told).contains(words), "{arguments:?}");
    }
}

#[test]
fn man_pages_and_completions_are_made_from_the_flags() {
    let directory = tempfile::tempdir().unwrap();
    let output = mailmodem(&["generate", directory.path().to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    for (file, words) in [
        ("man/mailmodem.1", "mailmodem\\-serve(1)"),
        ("man/mailmodem-serve.1", "SIGHUP"),
        ("completions/mailmodem.bash", "check-config"),
        ("completions/_mailmodem", "check-config"),
        ("completions/mailmodem.fish", "check-config"),
    ] {
        let text = fs::read_to_string(directory.path().join(file)).unwrap();
        assert!(text.contains(words), "{file}");
    }
}
