//! The modem beside other mail programs, in one run: how long each takes for the same work, and the most memory it has.
//!
//! `cargo bench -p benches --bench peers`
//!
//! The modem is the program itself: AT commands go in by a pipe, mail goes out and in by TCP on this machine, files lie in
//! real directories. The server is a process of its own that is never what is waited for. First every peer does every
//! work once, and what arrived is read by another parser, files by their SHA-256. Then all do it in turn, some rounds.
//! The table goes to standard output and to `benches/RESULTS.md`.
//!
//! Programs that are not on this machine are left out; curl, msmtp, mpop and ripmime are Debian packages.
//! `MAILMODEM_PEERS_ROUNDS` sets how often each is timed, `MAILMODEM_PEERS_WORKS` (`S1 P2`) which works, and
//! `MAILMODEM_PROGRAM` which build of the modem it is.
//!
//! Not here: how fast it must be. That depends on the machine; what must be right is what arrives.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a figure that cannot be taken is none"
)]

mod clients;
mod content;
mod modem;
mod programs;
mod report;
mod server;
mod work;

use clients::Task;
use modem::Modem;
use nix::sys::resource::{UsageWho, getrusage};
use report::Row;
use scene::figures::{peak_kb, program};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use work::Work;

/// Of each of the five files: 10 MiB in all, the most that the modem sends.
pub(crate) const FILE_OCTETS: u64 = 2 * 1024 * 1024;
/// Tells a process of ours what it is.
const TASK: &str = "MAILMODEM_PEERS_TASK";
const ROUNDS: usize = 7;
/// Of all five files, for the memory that stands: 10 MB, 100 MB, 1 GB.
const SIZES: [u64; 3] = [10_485_760, 100_000_000, 1_000_000_000];
/// How many mails go to the server that acknowledges late.
const ORDINARY_MAILS: u32 = 100;
/// A stall is a wait for an acknowledgement that the other side delays: 40 ms on Linux.
const STALL: Duration = Duration::from_millis(40);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    Modem,
    Floor,
    MailSend,
    Lettre,
    Std,
    Curl,
    Msmtp,
    Mpop,
}

impl Peer {
    const ALL: [Self; 8] = [
        Self::Modem,
        Self::Floor,
        Self::MailSend,
        Self::Lettre,
        Self::Std,
        Self::Curl,
        Self::Msmtp,
        Self::Mpop,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Modem => "mailmodem",
            Self::Floor => "floor",
            Self::MailSend => "mail-send",
            Self::Lettre => "lettre",
            Self::Std => "std client",
            Self::Curl => "curl",
            Self::Msmtp => "msmtp",
            Self::Mpop => "mpop",
        }
    }

    /// The programs it is made of for a work, if it can do that.
    fn programs(self, work: Work) -> Option<Vec<&'static str>> {
        let is_large_fetch = work == Work::FetchLarge;
        match self {
            Self::Modem | Self::Floor => Some(Vec::new()),
            Self::MailSend | Self::Lettre => work.sends().then(Vec::new),
            Self::Std => (!work.sends()).then(Vec::new),
            Self::Curl if is_large_fetch => Some(vec!["curl", "ripmime"]),
            Self::Curl => Some(vec!["curl"]),
            Self::Msmtp => work.sends().then(|| vec!["msmtp"]),
            Self::Mpop if is_large_fetch => Some(vec!["mpop", "ripmime"]),
            Self::Mpop => (work == Work::FetchSmall).then(|| vec!["mpop"]),
        }
    }
}

/// What a run took.
struct Run {
    wall: Duration,
    peak_kb: u64,
    /// Of the modem, what it showed, and the longest that one mail took.
    shown: String,
    longest: Duration,
}

fn main() {
    if let Ok(task) = std::env::var(TASK) {
        return be(&task);
    }
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let mut bench = Bench::start();
    let mut report = report::Report::new(bench.rounds);
    let works = std::env::var("MAILMODEM_PEERS_WORKS").unwrap_or_default();
    for work in Work::ALL {
        if works.is_empty() || works.contains(work.letters()) {
            let places: &[Place] = if work.saves() { &[Place::Disk, Place::Memory] } else { &[Place::Disk] };
            for &place in places {
                let rows = bench.compare(work, place);
                report.table(work, place, &rows);
            }
        }
    }
    if works.is_empty() {
        report.ordinary(ORDINARY_MAILS, &bench.compare_on_ordinary_server());
        report.memory(&bench.memory_by_size());
        report.write();
    }
}

/// What a process of ours is.
fn be(task: &str) {
    let mut words = task.splitn(6, '\t');
    let mut word = || words.next().unwrap();
    let who = word();
    if who == "server" {
        return server::run(None);
    }
    let work = Work::named(word()).unwrap();
    let (port, octets_each) = (word().parse().unwrap(), word().parse().unwrap());
    let mails = word().parse().unwrap();
    let task = Task { work, port, octets_each, mails, directory: word().into() };
    match who {
        "floor" => clients::floor::run(&task),
        "mail-send" => clients::mail_send_crate::run(&task),
        "lettre" => clients::lettre_crate::run(&task),
        "std client" => clients::std_client::run(&task),
        // The programs of others, for their memory: the most that one of them had.
        program => {
            programs::run(program, &task);
            println!("{}", getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss());
            return;
        }
    }
    println!("{}", peak_kb("self").unwrap());
}

/// Where files lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Disk,
    /// A file system that need not be waited for.
    Memory,
}

/// The server, and where everything lies.
struct Bench {
    program: PathBuf,
    disk: tempfile::TempDir,
    memory: tempfile::TempDir,
    rounds: usize,
    server: Server,
}

/// The server's process, which ends when nobody can talk to it any more.
struct Server {
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    smtp: u16,
    smtp_ordinary: u16,
    pop3: u16,
}

impl Server {
    #[expect(clippy::zombie_processes, reason = "it ends with this process, or just before")]
    fn start() -> Self {
        let mut command = ourselves("server");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut server = Self { to, from, smtp: 0, smtp_ordinary: 0, pop3: 0 };
        let ports: Vec<u16> = server.line().split(' ').map(|port| port.parse().unwrap()).collect();
        let [smtp, smtp_ordinary, pop3, _] = ports[..] else { panic!("the server has other ports") };
        Self { smtp, smtp_ordinary, pop3, ..server }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// Has it keep what arrives, until it is asked how much did.
    fn keep(&mut self, directory: &Path) {
        writeln!(self.to, "keep {}", directory.display()).unwrap();
        self.line();
    }

    /// How many mails and octets arrived since this was asked last.
    fn arrived(&mut self) -> (u32, u64) {
        writeln!(self.to, "count").unwrap();
        let line = self.line();
        let (mails, octets) = line.split_once(' ').unwrap();
        (mails.parse().unwrap(), octets.parse().unwrap())
    }
}

fn ourselves(task: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(TASK, task);
    command
}

impl Bench {
    fn start() -> Self {
        let program = program().unwrap();
        let rounds = std::env::var("MAILMODEM_PEERS_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
        Self {
            program,
            disk: tempfile::tempdir().unwrap(),
            memory: tempfile::tempdir_in("/dev/shm").unwrap(),
            rounds: rounds.unwrap_or(ROUNDS),
            server: Server::start(),
        }
    }

    /// Has every peer do a work, first to see that it is done, then in turn to see how long it takes.
    fn compare(&mut self, work: Work, place: Place) -> Vec<Row> {
        let mut rows = Vec::new();
        for peer in Peer::ALL {
            let Some(programs) = peer.programs(work) else { continue };
            if let Some(missing) = programs.iter().find(|program| !programs::is_there(program)) {
                eprintln!("{}: left out of {}, since {missing} is not there", peer.name(), work.letters());
                continue;
            }
            let name =
                programs.iter().map(|program| programs::version(program)).collect::<Vec<_>>().join(" + ");
            let peak_kb = self.check(peer, work, place);
            rows.push((peer, Row::new(if name.is_empty() { peer.name().to_owned() } else { name }, peak_kb)));
        }
        for round in 0..self.rounds {
            for (peer, row) in &mut rows {
                eprint!(
                    "\r{} {place:?}: round {} of {}, {:<12}",
                    work.letters(),
                    round + 1,
                    self.rounds,
                    peer.name()
                );
                let run = self.run(*peer, work, place, FILE_OCTETS, content::MAILS, self.server.smtp);
                row.walls.push(run.wall);
                row.peak_kb = row.peak_kb.max(run.peak_kb);
            }
        }
        eprintln!();
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// Has a peer do a work, and reads what arrived. Returns the most memory that a process of it had.
    fn check(&mut self, peer: Peer, work: Work, place: Place) -> u64 {
        let kept = tempfile::tempdir().unwrap();
        self.server.arrived();
        self.server.keep(kept.path());
        let scene = self.scene(peer, work, place, FILE_OCTETS, content::MAILS, self.server.smtp);
        let run = scene.run(peer, &self.program, true);
        let (mails, _) = self.server.arrived();
        if peer == Peer::Floor {
            return run.peak_kb;
        }
        match work {
            Work::SendLarge => {
                assert_eq!(mails, 1);
                content::check_large_mail(&fs::read(kept.path().join("0.eml")).unwrap(), FILE_OCTETS);
            }
            Work::SendSmall => content::check_small_mails(kept.path(), content::MAILS),
            Work::FetchLarge => content::check_files(&scene.saved_in(peer), FILE_OCTETS),
            Work::FetchSmall => {
                programs::clear(&scene.task);
                content::check_fetched_mails(&scene.saved_in(peer));
            }
            // The std client looks at them itself.
            Work::Headers if peer == Peer::Std => {}
            Work::Headers => {
                let seen = if peer == Peer::Modem {
                    run.shown
                } else {
                    fs::read_to_string(scene.task.directory.join("headers")).unwrap()
                };
                let subjects = seen.lines().filter_map(|line| line.strip_prefix("Subject: mail "));
                assert!(
                    subjects.map(|subject| subject.trim().parse::<u32>().unwrap()).eq(1..=content::MAILS)
                );
            }
        }
        run.peak_kb
    }

    /// A run that is timed. What of it is to be removed is gone afterwards.
    fn run(&mut self, peer: Peer, work: Work, place: Place, octets: u64, mails: u32, smtp: u16) -> Run {
        let scene = self.scene(peer, work, place, octets, mails, smtp);
        self.server.arrived();
        // What others wrote is not this one's to wait for.
        rustix::fs::sync();
        let run = scene.run(peer, &self.program, false);
        let (arrived, octets_arrived) = self.server.arrived();
        if work.sends() {
            let awaited = if work == Work::SendLarge { 1 } else { mails };
            assert_eq!(arrived, awaited, "mails of {}", peer.name());
            assert!(octets_arrived > if work == Work::SendLarge { octets * content::FILES } else { 2_000 });
        }
        run
    }

    fn scene(&self, peer: Peer, work: Work, place: Place, octets_each: u64, mails: u32, smtp: u16) -> Scene {
        let around = match place {
            Place::Disk => &self.disk,
            Place::Memory => &self.memory,
        };
        let directory = tempfile::tempdir_in(around).unwrap();
        let port = if work.sends() { smtp } else { self.server.pop3 };
        let task = Task { work, port, octets_each, mails, directory: directory.path().to_owned() };
        match peer {
            Peer::Modem => {
                modem::make_home(directory.path(), (work == Work::SendLarge).then_some(octets_each));
            }
            _ if work == Work::SendLarge => content::write_files(directory.path(), octets_each),
            _ => {}
        }
        if matches!(peer, Peer::Curl | Peer::Msmtp | Peer::Mpop) {
            programs::prepare(&task);
        }
        Scene { directory, task }
    }

    fn compare_on_ordinary_server(&mut self) -> Vec<Row> {
        let mut rows = Vec::new();
        for peer in [Peer::Modem, Peer::Floor, Peer::MailSend, Peer::Lettre, Peer::Msmtp] {
            if peer == Peer::Msmtp && !programs::is_there("msmtp") {
                continue;
            }
            let mut row = Row::new(peer.name().to_owned(), 0);
            for _ in 0..self.rounds.min(3) {
                let ordinary = self.server.smtp_ordinary;
                let run = self.run(peer, Work::SendSmall, Place::Disk, 0, ORDINARY_MAILS, ordinary);
                if peer == Peer::Modem {
                    assert!(run.longest < STALL, "a mail took {:?}: the modem stalls", run.longest);
                }
                row.walls.push(run.wall);
            }
            rows.push(row);
        }
        rows
    }

    /// The most memory that stood, in kB, by the size of the files: S1 and P1.
    fn memory_by_size(&mut self) -> Vec<(Peer, Work, Vec<Option<u64>>)> {
        let mut rows = Vec::new();
        for peer in [Peer::Modem, Peer::Floor, Peer::MailSend, Peer::Lettre, Peer::Std] {
            for work in [Work::SendLarge, Work::FetchLarge] {
                if peer.programs(work).is_none() {
                    continue;
                }
                let peaks = SIZES.map(|octets| {
                    // What holds a whole mail needs no gigabyte to show it.
                    let is_flat = matches!(peer, Peer::Modem | Peer::Floor);
                    let is_run = is_flat || octets < 1_000_000_000;
                    is_run.then(|| {
                        eprintln!("memory: {} {} {octets}", peer.name(), work.letters());
                        self.run(peer, work, Place::Disk, octets / content::FILES, 1, self.server.smtp)
                            .peak_kb
                    })
                });
                rows.push((peer, work, peaks.to_vec()));
            }
        }
        rows
    }
}

/// Where one run happens.
struct Scene {
    /// Gone afterwards.
    #[expect(dead_code, reason = "it is dropped last")]
    directory: tempfile::TempDir,
    task: Task,
}

impl Scene {
    /// With `is_measured`, programs of others run in a process that tells the most memory that one of them had.
    fn run(&self, peer: Peer, program: &Path, is_measured: bool) -> Run {
        let task = &self.task;
        let start = Instant::now();
        let none = |wall, peak_kb| Run { wall, peak_kb, shown: String::new(), longest: Duration::ZERO };
        match peer {
            Peer::Modem => self.run_modem(program),
            Peer::Curl | Peer::Msmtp | Peer::Mpop if !is_measured => {
                programs::run(peer.name(), task);
                none(start.elapsed(), 0)
            }
            _ => {
                let fields = [
                    peer.name(),
                    task.work.letters(),
                    &task.port.to_string(),
                    &task.octets_each.to_string(),
                    &task.mails.to_string(),
                    &task.directory.display().to_string(),
                ];
                let output = ourselves(&fields.join("\t")).stderr(Stdio::inherit()).output().unwrap();
                let wall = start.elapsed();
                assert!(output.status.success(), "{} failed", peer.name());
                none(wall, String::from_utf8(output.stdout).unwrap().trim().parse().unwrap())
            }
        }
    }

    fn run_modem(&self, program: &Path) -> Run {
        let task = &self.task;
        let config = (task.octets_each > FILE_OCTETS).then(|| self.write_config());
        let start = Instant::now();
        let mut modem = Modem::start(program, &task.directory, config.as_deref());
        let mut longest = Duration::ZERO;
        match task.work {
            Work::SendLarge => modem.send_large(task.port),
            Work::SendSmall => longest = modem.send_small(task.port, task.mails),
            Work::FetchLarge | Work::FetchSmall | Work::Headers => {
                modem.log_in(&task.user(), task.port);
                match task.work {
                    Work::FetchLarge => modem.fetch(1),
                    Work::FetchSmall => modem.fetch(content::MAILS),
                    _ => modem.headers(),
                }
                modem.log_out();
            }
        }
        let (peak_kb, shown) = modem.end();
        Run { wall: start.elapsed(), peak_kb, shown, longest }
    }

    /// A line of a service's, with limits raised.
    fn write_config(&self) -> PathBuf {
        let config = self.task.directory.join("mailmodem.toml");
        let words = format!(
            "data_dir = {:?}\n[logging]\nlevel = \"warn\"\n[[line]]\nname = \"line\"\nport = \"stdio\"\n\
             upstream = \"direct\"\ndir = {0:?}\ndrive_c_octets_max = {most}\n[modem.limits]\n\
             attachments_octets_max = {most}\nmail_octets_max = {most}\n",
            self.task.directory,
            most = 4_000_000_000_u64,
        );
        fs::write(&config, words).unwrap();
        config
    }

    /// Where a peer has saved what it fetched.
    fn saved_in(&self, peer: Peer) -> PathBuf {
        if peer != Peer::Modem {
            return self.task.directory.clone();
        }
        let email = self.task.directory.join("drive-c/Email");
        if self.task.work == Work::FetchSmall {
            return email;
        }
        fs::read_dir(email).unwrap().next().unwrap().unwrap().path()
    }
}
