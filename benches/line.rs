//! The line itself, through a pseudo-terminal at full speed: how many setters a second, how long until an answer, and how
//! fast a file comes in; and what all of this takes on a wire of 115,200 baud, beside the wire's own time.
//!
//! `cargo bench -p benches --bench line`
//!
//! The modem is the program, as a service with one line; the host writes and reads the terminal that it made. The wire is
//! the host's own pace: no octet goes to the terminal, and none that came from it is looked at, before its time on the
//! wire is over. The host wakes late from its rests, the later the busier the machine; that is no wire's doing nor the
//! modem's. So each rest counts as it should have been, by the clock of the wire, and how late the host was is told beside
//! it. Everything else counts as it was: from a written octet to a read one, with whatever the system takes in between.
//! A file's throughput is told twice: by the clock, and by what the modem took of the processor, since a pseudo-terminal
//! is carried by the system's own threads too. What it came to goes to `benches/SCALE.md`.
//!
//! Not here: how fast it must be. That depends on the machine.

#![allow(clippy::unwrap_used, reason = "a figure that cannot be taken is none")]

use memchr::memmem;
use scene::figures::{program, write_part};
use std::fs::{self, File};
use std::hint;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const ANSWER: &[u8] = b"\r\nOK\r\n";
const SETTERS: usize = 50_000;
const ANSWERS: usize = 5_000;
/// Of the file that comes in.
const FILE_OCTETS: usize = 10 * 1024 * 1024;
/// Of the wire: 115,200 baud, and ten bits for each octet.
const WIRE_OCTETS_PER_S: f64 = 11_520.0;
/// What goes over the wire before it is looked at the clock again: 1.4 ms.
const WIRE_PORTION_OCTETS: usize = 16;
/// The last of each rest, in which the clock is looked at all the time.
const AWAKE: Duration = Duration::from_micros(200);
/// Each is answered before the next goes.
const WIRE_SETTERS: usize = 200;
/// Of the file that comes in over the wire.
const WIRE_FILE_OCTETS: usize = 100_000;
/// How long the program has to make its terminal.
const START_MAX: Duration = Duration::from_secs(30);

fn main() {
    let home = tempfile::tempdir().unwrap();
    let terminal = home.path().join("modem");
    let mut modem = Command::new(program().unwrap());
    modem.arg("serve").arg("--port").arg(format!("pty:{}", terminal.display())).arg("--dir").arg(home.path());
    let mut modem = modem.stdin(Stdio::null()).spawn().unwrap();
    let mut host = Host::open(&terminal);
    host.write(b"ATE0\r");
    host.await_words(b"OK\r\n", 1);

    let lines: Vec<u8> =
        (0..SETTERS).flat_map(|number| format!("AT+SMTPSUB=\"{number}\"\r").into_bytes()).collect();
    let seconds = host.time(|host| host.write_and_await(&lines, b"OK\r\n", SETTERS));
    let setters_per_s = number(SETTERS) / seconds;

    let mut waits: Vec<f64> = (0..ANSWERS)
        .map(|_| {
            host.time(|host| {
                host.write(b"AT+SMTPSUB=\"First Email\"\r");
                host.await_words(b"OK\r\n", 1);
            })
        })
        .collect();
    waits.sort_by(f64::total_cmp);
    let [median_us, most_us] = [ANSWERS / 2, ANSWERS * 99 / 100].map(|place| waits.get(place).unwrap() * 1e6);

    let file: Vec<u8> = (0..FILE_OCTETS).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect();
    host.write(format!("AT+CFTRANRX=\"C:/Picture/a.bin\",{FILE_OCTETS}\r").as_bytes());
    host.await_words(b">", 1);
    let busy_s = processor_s(modem.id());
    let seconds = host.time(|host| host.write_and_await(&file, b"OK\r\n", 1));
    let of_processor_s = processor_s(modem.id()) - busy_s;
    let [file_mb_per_s, file_mb_per_processor_s] =
        [seconds, of_processor_s].map(|seconds| number(FILE_OCTETS) / 1e6 / seconds);
    assert!(fs::read(home.path().join("drive-c/Picture/a.bin")).unwrap() == file, "the file is another one");

    let [setters, file] = on_the_wire(&mut host, file.get(..WIRE_FILE_OCTETS).unwrap());
    let terminal_file = home.path().join("drive-c/Picture/b.bin");
    assert_eq!(fs::metadata(terminal_file).unwrap().len(), WIRE_FILE_OCTETS as u64);
    modem.kill().unwrap();
    modem.wait().unwrap();

    let row = |what: &str, [took_s, late_s, wire_s]: [f64; 3]| {
        let took_s = took_s - late_s;
        format!("| {what} | {wire_s:.3} | {took_s:.3} | {:.3} × | {late_s:.3} |", took_s / wire_s)
    };
    let text = format!(
        "By `cargo bench -p benches --bench line`, through a pseudo-terminal at full speed: {setters_per_s:.0} setters a \
         second; an answer after {median_us:.1} µs (median; 99 of 100 under {most_us:.1} µs); a file in at \
         {file_mb_per_s:.0} MB a second, and {file_mb_per_processor_s:.0} MB for each second that the modem took of a \
         processor.\n\nOn a wire of 115,200 baud:\n\n\
         | | the wire's own time s | took s | | and the host was late by s |\n|---|---:|---:|---:|---:|\n{}\n{}",
        row(&format!("{WIRE_SETTERS} setters, each answered before the next"), setters),
        row(&format!("a file of {WIRE_FILE_OCTETS} octets in"), file)
    );
    write_part("The line itself", &text).unwrap();
}

/// What setters take and what a file takes, in seconds: all of it, how late the host was in that, and what the wire takes
/// for the octets alone.
fn on_the_wire(host: &mut Host, file: &[u8]) -> [[f64; 3]; 2] {
    let setters: Vec<String> =
        (0..WIRE_SETTERS).map(|number| format!("AT+SMTPSUB=\"{number:03}\"\r")).collect();
    let octets: usize = setters.iter().map(|setter| setter.len() + ANSWER.len()).sum();
    let mut late = Duration::ZERO;
    let took_s = host.time(|host| {
        for setter in &setters {
            late += host.write_paced(setter.as_bytes());
            late += host.read_paced(ANSWER);
        }
    });
    let setters = [took_s, late.as_secs_f64(), number(octets) / WIRE_OCTETS_PER_S];

    let command = format!("AT+CFTRANRX=\"C:/Picture/b.bin\",{}\r", file.len());
    host.write(command.as_bytes());
    host.await_words(b">", 1);
    let took_s = host.time(|host| {
        late = host.write_paced(file);
        late += host.read_paced(ANSWER);
    });
    [setters, [took_s, late.as_secs_f64(), number(file.len() + ANSWER.len()) / WIRE_OCTETS_PER_S]]
}

/// What a process's threads took of the processor so far.
fn processor_s(process: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    threads
        .map(|thread| {
            let times = fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap();
            times.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
        })
        .sum()
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
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

    /// Writes as a wire gives it on. Returns how late the last of it was by the host's resting.
    fn write_paced(&mut self, octets: &[u8]) -> Duration {
        let (start, mut sent, mut late) = (Instant::now(), 0, Duration::ZERO);
        for portion in octets.chunks(WIRE_PORTION_OCTETS) {
            sent += portion.len();
            late = rest_until(start, sent, late);
            self.write(portion);
        }
        late
    }

    /// Reads these words, and nothing else, as a wire gives them on: from the first of them. Returns how late the host was by resting.
    fn read_paced(&mut self, words: &[u8]) -> Duration {
        let mut shown = vec![0; words.len()];
        self.0.read_exact(shown.get_mut(..1).unwrap()).unwrap();
        let start = Instant::now();
        self.0.read_exact(shown.get_mut(1..).unwrap()).unwrap();
        let late = rest_until(start, words.len(), Duration::ZERO);
        assert_eq!(String::from_utf8_lossy(&shown), String::from_utf8_lossy(words));
        late
    }

    /// How many seconds it took.
    fn time(&mut self, work: impl FnOnce(&mut Self)) -> f64 {
        let start = Instant::now();
        work(self);
        start.elapsed().as_secs_f64()
    }
}

/// Rests until so many octets have had their time on the wire; the last of it awake, for the system wakes late. Returns
/// how late it was even so. Whoever comes when that time is over does not rest: of what it is late then, no more is by
/// resting than it was `late` before.
fn rest_until(start: Instant, octets: usize, late: Duration) -> Duration {
    let wire = Duration::from_secs_f64(number(octets) / WIRE_OCTETS_PER_S);
    let now = start.elapsed();
    if now >= wire {
        return late.min(now - wire);
    }
    thread::sleep((wire - now).saturating_sub(AWAKE));
    while start.elapsed() < wire {
        hint::spin_loop();
    }
    start.elapsed().saturating_sub(wire)
}
