//! The process with all the lines, its config, its log and its queue.

use super::server::{Manner, Server};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Nothing is waited for so long unless something is wrong.
const TOO_LONG: Duration = Duration::from_secs(120);

/// How often it is looked whether the queue is at rest.
const CHECK: Duration = Duration::from_millis(200);

/// What the terminal calls a server: by that its upstream is found.
pub(crate) fn server_name(manner: Manner, is_queued: bool) -> String {
    format!("{manner:?}.{}.example.com", if is_queued { "queued" } else { "direct" })
}

pub(crate) fn line_name(line: usize) -> String {
    format!("line-{line}")
}

/// A service, killed when it is dropped.
pub(crate) struct Service {
    program: PathBuf,
    config: PathBuf,
    queue: PathBuf,
    child: Child,
    log: Receiver<String>,
}

/// What is in the queue when nothing in it is under way any more, or was reported about it.
#[derive(Debug)]
pub(crate) struct Queued {
    /// `waiting`, `unknown` or, when it is not in the queue any more, `failed`.
    pub(crate) state: &'static str,
    /// With the words about it, for people.
    pub(crate) words: String,
    pub(crate) message: Vec<u8>,
}

impl Service {
    /// A service with so many lines that lead to all these servers, in a directory of its own.
    pub(crate) fn start(
        program: &Path,
        directory: &Path,
        lines: usize,
        servers: &BTreeMap<Manner, Server>,
    ) -> Self {
        let (config, data) = (directory.join("mailmodem.toml"), directory.join("data"));
        // What did not go once is not tried again while this runs.
        let mut words = format!(
            "data_dir = {data:?}\n[queue]\nmails_max = 100_000\noctets_max = 100_000_000_000\n\
             retry_wait_min_s = 3600\nretry_wait_max_s = 3600\n"
        );
        for line in 0..lines {
            let name = line_name(line);
            write!(words, "[[line]]\nname = \"{name}\"\nport = \"tcp:127.0.0.1:0\"\nupstream = \"direct\"\n")
                .unwrap();
        }
        for (manner, server) in servers {
            for (is_queued, delivery) in [(false, "direct"), (true, "queued")] {
                write!(
                    words,
                    "[[upstream]]\nname = \"{manner:?}-{delivery}\"\nmatch = {{ server = \"{}\" }}\n\
                     host = \"127.0.0.1\"\nport = {}\ntls = \"off\"\nuser = \"\"\ndelivery = \"{delivery}\"\n",
                    server_name(*manner, is_queued),
                    server.port
                )
                .unwrap();
            }
        }
        fs::write(&config, words).unwrap();
        let mut command = Command::new(program);
        command.arg("serve").arg("--config").arg(&config).env_remove("RUST_LOG").stdin(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, log) = channel();
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { program: program.to_owned(), config, queue: data.join("queue"), child, log }
    }

    /// Where the lines listen, once all do.
    pub(crate) fn addresses(&self, lines: usize) -> Vec<String> {
        let mut addresses = BTreeMap::new();
        while addresses.len() < lines {
            let line = self.log.recv_timeout(TOO_LONG).unwrap();
            if let Some((before, address)) = line.split_once("listens on ") {
                let name = before.split_once("line=\"").unwrap().1.split_once('"').unwrap().0;
                addresses.insert(name.to_owned(), address.to_owned());
            }
        }
        (0..lines).map(|line| addresses.remove(&line_name(line)).unwrap()).collect()
    }

    /// The most memory it had so far.
    pub(crate) fn peak_kb(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// What it took of the processor so far.
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // Its name may have spaces and stands in brackets; after that come 11 other fields.
        let fields = stat.rsplit_once(") ").unwrap().1.split(' ').skip(11).take(2);
        let ticks: u64 = fields.map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 1_000 / rustix::param::clock_ticks_per_second())
    }

    /// What is in the queue once each mail was tried, and what was reported; by recipient.
    pub(crate) fn rest_of_queue(&self) -> BTreeMap<String, Vec<Queued>> {
        let begun = Instant::now();
        let listed = loop {
            let listed = self.list();
            let is_at_rest = |mail: &serde_json::Value| {
                let field = |name| mail.get(name).unwrap();
                // One that was sent or has failed stands there until it is done with.
                let waits = mail.pointer("/recipients/0/fate").unwrap() == "waiting";
                field("state") == "unknown" || field("state") == "waiting" && field("attempts") != 0 && waits
            };
            if listed.iter().all(is_at_rest) {
                break listed;
            }
            if begun.elapsed() > TOO_LONG {
                let restless: Vec<_> = listed.iter().filter(|mail| !is_at_rest(mail)).collect();
                let log: Vec<String> = self.log.try_iter().filter(|line| !line.contains("INFO")).collect();
                panic!("the queue never came to rest: {restless:#?}\n{}", log.join("\n"));
            }
            thread::sleep(CHECK);
        };
        let mut queue: BTreeMap<String, Vec<Queued>> = BTreeMap::new();
        let mut ids = Vec::new();
        for mail in &listed {
            let field = |name| mail.get(name).and_then(|field| field.as_str()).unwrap();
            let state = if field("state") == "unknown" { "unknown" } else { "waiting" };
            let address = mail.pointer("/recipients/0/address").and_then(|field| field.as_str()).unwrap();
            let message = fs::read(self.queue.join(field("id")).with_extension("eml")).unwrap();
            let queued = Queued { state, words: field("words").to_owned(), message };
            queue.entry(address.to_owned()).or_default().push(queued);
            ids.push(field("id").to_owned());
        }
        for report in fs::read_dir(self.queue.join("failed")).unwrap() {
            let report = report.unwrap().path();
            let is_of_queued = ids.iter().any(|id| report.file_stem().unwrap() == id.as_str());
            if report.extension().unwrap() == "txt" && !is_of_queued {
                let words = fs::read_to_string(&report).unwrap();
                let given_up = words.split_once("Given up:\n  ").unwrap().1;
                let address = given_up.lines().next().unwrap().to_owned();
                let message = fs::read(report.with_extension("eml")).unwrap();
                queue.entry(address).or_default().push(Queued { state: "failed", words, message });
            }
        }
        queue
    }

    /// The queue, as scripts see it.
    fn list(&self) -> Vec<serde_json::Value> {
        let mut command = Command::new(&self.program);
        command.args(["queue", "--config"]).arg(&self.config).args(["list", "--json"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Has it end, and gives what it logged since its lines listened.
    pub(crate) fn end(mut self) -> Vec<String> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
        self.log.iter().collect()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
