//! The line itself, through a pseudo-terminal at full speed: how many setters a second, how long until an answer, and how
//! fast a file comes in.
//!
//! `cargo bench -p benches --bench line`
//!
//! The modem is the program, as a service with one line; the host writes and reads the terminal that it made.
//!
//! Not here: how fast it must be. That depends on the machine.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a figure that cannot be taken is none")]

use memchr::memmem;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const SETTERS: usize = 50_000;
const ANSWERS: usize = 5_000;
/// Of the file that comes in.
const FILE_OCTETS: usize = 10 * 1024 * 1024;
/// How long the program has to make its terminal.
const START_MAX: Duration = Duration::from_secs(30);

fn main() {
    let home = tempfile::tempdir().unwrap();
    let terminal = home.path().join("modem");
    let mut modem = Command::new(program());
    modem.arg("serve").arg("--port").arg(format!("pty:{}", terminal.display())).arg("--dir").arg(home.path());
    let mut modem = modem.stdin(Stdio::null()).spawn().unwrap();
    let mut host = Host::open(&terminal);
    host.write(b"ATE0\r");
    host.await_words(b"OK\r\n", 1);

    let lines: Vec<u8> =
        (0..SETTERS).flat_map(|number| format!("AT+SMTPSUB=\"{number}\"\r").into_bytes()).collect();
    let seconds = host.time(|host| host.write_and_await(&lines, b"OK\r\n", SETTERS));
    println!("setters a second:           {:>9.0}", f64::from(u32::try_from(SETTERS).unwrap()) / seconds);

    let mut waits: Vec<f64> = (0..ANSWERS)
        .map(|_| {
            host.time(|host| {
                host.write(b"AT+SMTPSUB=\"First Email\"\r");
                host.await_words(b"OK\r\n", 1);
            })
        })
        .collect();
    waits.sort_by(f64::total_cmp);
    println!("an answer, median:          {:>9.1} us", waits.get(ANSWERS / 2).unwrap() * 1e6);
    println!("an answer, 99 of 100 under: {:>9.1} us", waits.get(ANSWERS * 99 / 100).unwrap() * 1e6);

    let file: Vec<u8> = (0..FILE_OCTETS).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect();
    host.write(format!("AT+CFTRANRX=\"C:/Picture/a.bin\",{FILE_OCTETS}\r").as_bytes());
    host.await_words(b">", 1);
    let seconds = host.time(|host| host.write_and_await(&file, b"OK\r\n", 1));
    println!(
        "a file in, MB a second:     {:>9.0}",
        f64::from(u32::try_from(FILE_OCTETS).unwrap()) / 1e6 / seconds
    );
    assert!(fs::read(home.path().join("drive-c/Picture/a.bin")).unwrap() == file, "the file is another one");

    modem.kill().unwrap();
    modem.wait().unwrap();
}

/// Builds the modem, unless it is told by `MAILMODEM_LINE_PROGRAM`.
fn program() -> std::path::PathBuf {
    if let Some(program) = std::env::var_os("MAILMODEM_LINE_PROGRAM") {
        return program.into();
    }
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--release", "--package", "mailmodem", "--bin", "mailmodem"]);
    assert!(build.status().unwrap().success(), "the modem is not built");
    // target/release/deps/line-…
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("mailmodem")
}

/// The host's end of the line.
struct Host(File);

impl Host {
    fn open(terminal: &Path) -> Self {
        let start = Instant::now();
        while !terminal.exists() {
            assert!(start.elapsed() < START_MAX, "there is no terminal");
            thread::sleep(Duration::from_millis(1));
        }
        let file = File::options().read(true).write(true).open(terminal).unwrap();
        let mut raw = rustix::termios::tcgetattr(&file).unwrap();
        raw.make_raw();
        rustix::termios::tcsetattr(&file, rustix::termios::OptionalActions::Now, &raw).unwrap();
        Self(file)
    }

    fn write(&mut self, octets: &[u8]) {
        self.0.write_all(octets).unwrap();
    }

    /// Reads until the words have come so often.
    fn await_words(&mut self, words: &[u8], times: usize) {
        let (mut shown, mut portion, mut seen) = (Vec::new(), [0; 16 * 1024], 0);
        while seen < times {
            let octets = self.0.read(&mut portion).unwrap();
            shown.extend_from_slice(portion.get(..octets).unwrap());
            assert!(memmem::find(&shown, b"ERROR").is_none(), "{}", String::from_utf8_lossy(&shown));
            let found: Vec<usize> = memmem::find_iter(&shown, words).collect();
            seen += found.len();
            if let Some(last) = found.last() {
                shown.drain(..last + words.len());
            }
        }
    }

    /// Writes while it reads: whoever only writes is not answered for ever.
    fn write_and_await(&mut self, octets: &[u8], words: &[u8], times: usize) {
        let mut writer = Self(self.0.try_clone().unwrap());
        thread::scope(|scope| {
            scope.spawn(move || writer.write(octets));
            self.await_words(words, times);
        });
    }

    /// How many seconds it took.
    fn time(&mut self, work: impl FnOnce(&mut Self)) -> f64 {
        let start = Instant::now();
        work(self);
        start.elapsed().as_secs_f64()
    }
}
