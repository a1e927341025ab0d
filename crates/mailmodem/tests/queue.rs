//! Store and forward from outside: the real binary is killed, filled up and ordered about, between a host on a socket
//! and a server that counts.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that panics fails, as it should"
)]

use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No test waits so long unless it is to fail.
const TOO_LONG: Duration = Duration::from_secs(60);

/// Most mails that are sent in one of its lives.
const MAILS_PER_LIFE_MAX: u32 = 20;

/// How often the service is killed.
const KILLS: u32 = 40;

/// A server that takes everything while it `is_open`, and counts what it said yes to, by Message-ID.
struct Mx {
    port: u16,
    is_open: Arc<AtomicBool>,
    /// With the subjects.
    taken: Arc<Mutex<BTreeMap<String, (String, usize)>>>,
}

impl Mx {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (is_open, taken) = (Arc::new(AtomicBool::new(true)), Arc::default());
        let mx = Self { port, is_open, taken };
        let (is_open, taken) = (Arc::clone(&mx.is_open), Arc::clone(&mx.taken));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (is_open, taken) = (Arc::clone(&is_open), Arc::clone(&taken));
                thread::spawn(move || {
                    if is_open.load(Ordering::SeqCst) {
                        // A client that is killed is no failure of the server's.
                        let _ = converse(&stream, &taken);
                    }
                });
            }
        });
        mx
    }

    /// How often each subject was taken.
    fn counts(&self) -> BTreeMap<String, usize> {
        let taken = self.taken.lock().unwrap();
        assert!(taken.values().all(|(_, count)| *count == 1), "sent twice: {taken:?}");
        let mut counts = BTreeMap::new();
        for (subject, count) in taken.values() {
            *counts.entry(subject.clone()).or_default() += count;
        }
        counts
    }
}

fn converse(stream: &TcpStream, taken: &Mutex<BTreeMap<String, (String, usize)>>) -> std::io::Result<()> {
    let mut write = stream;
    let (mut in_text, mut head) = (false, BTreeMap::new());
    write.write_all(b"220 mx ready\r\n")?;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let answer = match line.as_str() {
            "." if in_text => {
                in_text = false;
                let field = |name: &str| head.get(name).cloned().unwrap();
                let mails = {
                    let mut taken = taken.lock().unwrap();
                    taken.entry(field("Message-ID")).or_insert((field("Subject"), 0)).1 += 1;
                    taken.len()
                };
                // Whoever is killed meanwhile does not know that it has it.
                thread::sleep(Duration::from_millis(mails as u64 % 20));
                head.clear();
                "250 taken"
            }
            line if in_text => {
                if let Some((name, value)) = line.split_once(": ") {
                    head.entry(name.to_owned()).or_insert_with(|| value.to_owned());
                }
                continue;
            }
            "DATA" => {
                in_text = true;
                "354 go on"
            }
            "QUIT" => "221 bye",
            _ => "250 well",
        };
        write.write_all(format!("{answer}\r\n").as_bytes())?;
    }
    Ok(())
}

/// A service's config, with lines of these names and an upstream `up`.
struct Setting {
    directory: TempDir,
    config: PathBuf,
}

impl Setting {
    fn new(port: u16, lines: &[&str]) -> Self {
        Self::waiting(1, port, lines)
    }

    fn waiting(retry_wait_s: u32, port: u16, lines: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("mailmodem.toml");
        let mut text = format!("data_dir = {:?}\n", directory.path().join("data"));
        for name in lines {
            text +=
                &format!("[[line]]\nname = \"{name}\"\nport = \"tcp:127.0.0.1:0\"\nupstream = \"direct\"\n");
        }
        text += &format!(
            "[queue]\nretry_wait_min_s = {retry_wait_s}\nretry_wait_max_s = {retry_wait_s}\n\
             [[upstream]]\nname = \"up\"\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"off\"\nuser = \"\"\n\
             delivery = \"queued\"\n"
        );
        fs::write(&config, text).unwrap();
        Self { directory, config }
    }

    fn queue(&self) -> PathBuf {
        self.directory.path().join("data/queue")
    }

    fn serve(&self) -> Service {
        Service::start(mailmodem(&["serve", "--config", self.config.to_str().unwrap()]))
    }

    fn ask(&self, errand: &[&str]) -> Output {
        let arguments = [&["queue", "--config", self.config.to_str().unwrap()], errand].concat();
        mailmodem(&arguments).output().unwrap()
    }

    /// What an errand that goes well prints.
    fn told(&self, errand: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.ask(errand);
        assert!(status.success(), "{errand:?}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    }

    /// The queue, as scripts see it.
    fn listed(&self) -> Vec<serde_json::Value> {
        serde_json::from_str(&self.told(&["list", "--json"])).unwrap()
    }

    fn wait_until(&self, is_so: impl Fn(&[serde_json::Value]) -> bool) -> Vec<serde_json::Value> {
        let begun = Instant::now();
        loop {
            let listed = self.listed();
            if is_so(&listed) {
                return listed;
            }
            assert!(begun.elapsed() < TOO_LONG, "it never came to that: {listed:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn mailmodem(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailmodem"));
    command.args(arguments).env_remove("RUST_LOG").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A service, killed when it is dropped.
struct Service {
    child: Child,
    log: Receiver<String>,
}

impl Service {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, log) = channel();
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, log }
    }

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

    /// A host at the only line.
    fn host(&self) -> Host {
        let words = self.wait_for(&["listens on"]);
        Host::at(words.rsplit(' ').next().unwrap())
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A host on a socket.
struct Host(BufReader<TcpStream>);

impl Host {
    fn at(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(TOO_LONG)).unwrap();
        let mut host = Self(BufReader::new(stream));
        for line in ["ATE0", "AT+SMTPSRV=\"smtp.server.com\",25", "AT+SMTPFROM=\"panel@server.com\""] {
            assert_eq!(host.ask(line).as_deref(), Some("OK"));
        }
        host
    }

    /// Types a line, and gives the result code; `None` if the modem is gone.
    fn ask(&mut self, line: &str) -> Option<String> {
        self.0.get_mut().write_all(format!("{line}\r").as_bytes()).ok()?;
        self.line_of(|line| matches!(line, "OK" | "ERROR"))
    }

    fn line_of(&mut self, is_it: impl Fn(&str) -> bool) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if is_it(line.trim()) {
                return Some(line.trim().to_owned());
            }
        }
    }

    /// Sends a mail of this subject, and gives its outcome; `None` if the modem is gone before.
    fn send(&mut self, subject: &str) -> Option<String> {
        for line in ["AT+SMTPRCPT=0,0,\"duty@server.com\"".to_owned(), format!("AT+SMTPSUB=\"{subject}\"")] {
            assert_eq!(self.ask(&line)?, "OK");
        }
        assert_eq!(self.ask("AT+SMTPSEND")?, "OK");
        self.line_of(|line| line.starts_with("+SMTP: ") && line != "+SMTP: OK")
    }
}

/// Some number below `below`, by a sequence that is the same each time.
fn some(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % below
}

#[test]
fn a_service_that_is_killed_again_and_again_loses_nothing_and_sends_nothing_twice() {
    let mx = Mx::start();
    let setting = Setting::new(mx.port, &["panel"]);
    let mut accepted = Vec::new();
    let mut seed = 1;
    let mut mails = 0;
    for kill in 0..KILLS {
        // Some of the time there is something to begin with.
        mx.is_open.store(kill % 4 != 3, Ordering::SeqCst);
        let service = setting.serve();
        let mut host = service.host();
        let gone = host.0.get_ref().try_clone().unwrap();
        // Whenever it comes, what is promised must hold.
        let wait = Duration::from_micros(some(&mut seed, 150_000));
        let killer = thread::spawn(move || {
            thread::sleep(wait);
            service.kill();
            // Nothing that is lost on the way to the host is waited for.
            let _ = gone.shutdown(Shutdown::Both);
        });
        // So many that a machine which is quick at it does not fill the queue: that is another test's.
        for _ in 0..MAILS_PER_LIFE_MAX {
            mails += 1;
            let subject = format!("mail {mails}");
            match host.send(&subject).as_deref() {
                Some("+SMTP: SUCCESS") => accepted.push(subject),
                Some(other) => panic!("{subject}: {other}"),
                None => break,
            }
        }
        killer.join().unwrap();
        for file in fs::read_dir(setting.queue()).unwrap() {
            let file = file.unwrap().path();
            if file.extension().is_some_and(|end| end == "waiting" || end == "sending" || end == "unknown") {
                serde_json::from_slice::<serde_json::Value>(&fs::read(&file).unwrap()).unwrap();
                let message = fs::read(file.with_extension("eml")).unwrap();
                assert!(
                    message.ends_with(b"\r\n") && message.starts_with(b"Date: "),
                    "{}",
                    message.escape_ascii()
                );
            }
        }
    }
    mx.is_open.store(true, Ordering::SeqCst);
    let service = setting.serve();
    let held = setting.wait_until(|listed| listed.iter().all(|mail| mail["state"] == "unknown"));
    drop(service);

    let counts = mx.counts();
    assert!(counts.values().all(|count| *count == 1), "sent twice: {counts:?}");
    let held: Vec<String> = held
        .iter()
        .map(|mail| {
            let head = setting.told(&["show", mail["id"].as_str().unwrap()]);
            head.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap().to_owned()
        })
        .collect();
    for subject in &accepted {
        assert!(counts.contains_key(subject) || held.contains(subject), "{subject} was lost");
    }
    // Otherwise it was not put to the test.
    assert!(accepted.len() > 20 && counts.len() > 20, "{} accepted, {} sent", accepted.len(), counts.len());
    eprintln!("{mails} mails, {} accepted, {} sent, {} held", accepted.len(), counts.len(), held.len());
}

#[test]
fn a_full_disk_is_an_error_for_the_terminal_and_leaves_nothing() {
    let mx = Mx::start();
    let setting = Setting::new(mx.port, &["panel"]);
    let mut command = Command::new("sh");
    // No file can have more than 64 blocks of 512 or 1024 octets, as if the disk were full.
    command.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_mailmodem")]);
    command.args(["serve", "--config", setting.config.to_str().unwrap()]);
    command.env_remove("RUST_LOG").stdin(Stdio::null()).stderr(Stdio::piped());
    let drive = setting.directory.path().join("data/panel/drive-c");
    fs::create_dir_all(&drive).unwrap();
    fs::write(drive.join("large"), vec![b'x'; 100_000]).unwrap();
    let service = Service::start(command);
    let mut host = service.host();
    assert_eq!(host.ask("AT+SMTPFILE=1,\"C:/large\"").as_deref(), Some("OK"));
    assert_eq!(host.send("too much").as_deref(), Some("+SMTP: SERVER ERROR"));
    service.wait_for(&["not taken into the queue", "File too large"]);
    assert_eq!(setting.told(&["list"]), "the queue is empty\n");
    let left: Vec<_> = fs::read_dir(setting.queue()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name == "orders" || name == "failed"), "{left:?}");
    assert_eq!(host.ask("AT+SMTPFILE=1").as_deref(), Some("OK"));
    assert_eq!(host.send("a little").as_deref(), Some("+SMTP: SUCCESS"));
    setting.wait_until(<[_]>::is_empty);
    assert_eq!(mx.counts().keys().collect::<Vec<_>>(), ["a little"]);
}

#[test]
fn two_lines_queue_at_once() {
    let mx = Mx::start();
    let setting = Setting::new(mx.port, &["a", "b"]);
    let service = setting.serve();
    let addresses = [0, 1].map(|_| {
        let words = service.wait_for(&["listens on"]);
        words.rsplit(' ').next().unwrap().to_owned()
    });
    let hosts = addresses.map(|address| {
        thread::spawn(move || {
            let mut host = Host::at(&address);
            for mail in 0..10 {
                let outcome = host.send(&format!("{mail} of {address}"));
                assert_eq!(outcome.as_deref(), Some("+SMTP: SUCCESS"));
            }
        })
    });
    hosts.into_iter().for_each(|host| host.join().unwrap());
    setting.wait_until(<[_]>::is_empty);
    let counts = mx.counts();
    assert_eq!((counts.len(), counts.values().sum::<usize>()), (20, 20));
}

fn id(mail: &serde_json::Value) -> &str {
    mail["id"].as_str().unwrap()
}

#[test]
fn the_owner_lists_shows_retries_and_removes_while_the_service_runs() {
    let mx = Mx::start();
    mx.is_open.store(false, Ordering::SeqCst);
    let setting = Setting::new(mx.port, &["panel"]);
    assert_eq!(setting.told(&["list"]), "the queue is empty\n");
    let service = setting.serve();
    let mut host = service.host();
    for subject in ["first", "second"] {
        assert_eq!(host.send(subject).as_deref(), Some("+SMTP: SUCCESS"));
    }
    let listed = setting.wait_until(|listed| {
        listed.len() == 2 && listed.iter().all(|mail| mail["attempts"].as_u64().unwrap() > 0)
    });
    assert_eq!(listed[0]["recipients"][0]["address"], "duty@server.com");
    assert!(listed[0]["words"].as_str().unwrap().starts_with("127.0.0.1:"), "{listed:?}");
    let [first, second] = [id(&listed[0]), id(&listed[1])];
    let table = setting.told(&["list"]);
    assert!(
        table.starts_with("ID ") && table.contains(first) && table.contains("panel@server.com"),
        "{table}"
    );

    let shown = setting.told(&["show", first]);
    assert!(shown.contains("Subject: first\n") && !shown.contains("\n\n\n"), "{shown}");
    let message = setting.told(&["show", first, "--message"]);
    assert_eq!(message, fs::read_to_string(setting.queue().join(format!("{first}.eml"))).unwrap());

    assert_eq!(setting.told(&["remove", first]), format!("{first}: removed\n"));
    let left: Vec<String> = setting.listed().iter().map(|mail| id(mail).to_owned()).collect();
    assert_eq!(left, [second]);
    for errand in [&["show", first][..], &["retry", first], &["remove", first], &["show", "../x"]] {
        assert!(!setting.ask(errand).status.success(), "{errand:?}");
    }

    mx.is_open.store(true, Ordering::SeqCst);
    setting.told(&["retry", "all"]);
    setting.wait_until(<[_]>::is_empty);
    assert_eq!(mx.counts().keys().collect::<Vec<_>>(), ["second"]);
}

#[test]
fn a_rule_that_was_mended_is_not_waited_for() {
    let mx = Mx::start();
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let setting = Setting::waiting(3600, nowhere, &["panel"]);
    let service = setting.serve();
    assert_eq!(service.host().send("first").as_deref(), Some("+SMTP: SUCCESS"));
    setting.wait_until(|listed| listed.len() == 1 && listed[0]["attempts"].as_u64().unwrap() > 0);
    let mended = fs::read_to_string(&setting.config)
        .unwrap()
        .replace(&format!("port = {nowhere}\n"), &format!("port = {}\n", mx.port));
    fs::write(&setting.config, mended).unwrap();
    kill_process(Pid::from_child(&service.child), Signal::HUP).unwrap();
    setting.wait_until(<[_]>::is_empty);
    assert_eq!(mx.counts().keys().collect::<Vec<_>>(), ["first"]);
}

#[test]
fn a_console_beside_the_service_says_whose_the_queue_is() {
    let mx = Mx::start();
    let setting = Setting::new(mx.port, &["panel"]);
    let service = setting.serve();
    assert_eq!(service.host().send("first").as_deref(), Some("+SMTP: SUCCESS"));
    let dir = setting.directory.path().join("console");
    let arguments = ["console", "--network", "real", "--dir", dir.to_str().unwrap(), "--config"];
    let mut console = mailmodem(&[&arguments[..], &[setting.config.to_str().unwrap()]].concat())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    console
        .stdin
        .take()
        .unwrap()
        .write_all(
            b"AT+SMTPSRV=\"smtp.server.com\",25\rAT+SMTPFROM=\"a@b\",\"a\"\rAT+SMTPRCPT=0,0,\"c@d\",\"c\"\r\
              AT+SMTPSUB=\"s\"\rAT+SMTPSEND\rAT+MAILERR?\r",
        )
        .unwrap();
    let output = console.wait_with_output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let whose = format!("process {} sends what is in", service.child.id());
    assert!(shown.contains("+SMTP: NETWORK ERROR"), "{shown}");
    assert!(shown.contains(&whose) && shown.contains("data_dir"), "{shown}");
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("the queue cannot be used") && log.contains(&whose), "{log}");
}

#[test]
fn orders_are_carried_out_when_no_service_runs() {
    let mx = Mx::start();
    mx.is_open.store(false, Ordering::SeqCst);
    let setting = Setting::new(mx.port, &["panel"]);
    let service = setting.serve();
    let mut host = service.host();
    for subject in ["first", "second"] {
        assert_eq!(host.send(subject).as_deref(), Some("+SMTP: SUCCESS"));
    }
    service.kill();
    let listed = setting.listed();
    let second = id(&listed[1]);
    assert_eq!(setting.told(&["remove", id(&listed[0])]), format!("{}: removed\n", id(&listed[0])));
    // As if it had been killed with the dot on its way.
    let envelope = |state: &str| setting.queue().join(format!("{second}.{state}"));
    fs::rename(envelope(listed[1]["state"].as_str().unwrap()), envelope("sending")).unwrap();
    // Its owner learns that first, and orders then.
    let told = setting.ask(&["retry", second]);
    let words = String::from_utf8(told.stderr).unwrap();
    assert!(!told.status.success() && words.contains("its fate is unknown now"), "{words}");
    assert_eq!(setting.listed()[0]["state"], "unknown");
    assert_eq!(setting.told(&["retry", second]), format!("{second}: is tried when serve runs again\n"));
    assert_eq!(setting.listed()[0]["state"], "waiting");
    assert!(is_empty(&setting.queue().join("orders")));
    mx.is_open.store(true, Ordering::SeqCst);
    let _service = setting.serve();
    setting.wait_until(<[_]>::is_empty);
    assert_eq!(mx.counts().keys().collect::<Vec<_>>(), ["second"]);
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).unwrap().next().is_none()
}
