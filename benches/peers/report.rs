//! The tables, on standard output and in `RESULTS.md`.

use crate::work::Work;
use crate::{Peer, Place};
use scene::figures::{machine, median};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// What a peer took for a work.
pub(crate) struct Row {
    pub(crate) name: String,
    /// The time of each round.
    pub(crate) walls: Vec<Duration>,
    /// The most memory that a process of it had.
    pub(crate) peak_kb: u64,
}

impl Row {
    pub(crate) const fn new(name: String, peak_kb: u64) -> Self {
        Self { name, walls: Vec::new(), peak_kb }
    }
}

pub(crate) struct Report {
    page: String,
}

impl Report {
    pub(crate) fn new(rounds: usize) -> Self {
        let page = format!(
            "# The modem beside other mail programs\n\n\
             Written by `cargo bench -p benches --bench peers`; what is run, and how, is told at the top of \
             `benches/peers/main.rs`.\n\n{}\n\n\
             {rounds} rounds, in turn. Times are medians of the whole process, from its start to its end; a ratio is the \
             median of the rounds' own ratios. Peak memory is the largest of one process.\n\n\
             The modem waits for the disk with every mail that it saves: its files, their directory and the directory \
             around it (a mail appears whole or not at all, whatever happens to the power). mpop waits too, for the \
             file; the others do not. What that wait is, the tables on a file system in memory show.\n",
            machine()
        );
        Self { page }
    }

    fn say(&mut self, words: &str) {
        println!("{words}");
        self.page.push_str(words);
        self.page.push('\n');
    }

    pub(crate) fn table(&mut self, work: Work, place: Place, rows: &[Row]) {
        let place = match place {
            _ if !work.saves() => "",
            Place::Disk => ", on the disk",
            Place::Memory => ", on a file system in memory",
        };
        self.say(&format!("\n## {}: {}{place}\n", work.letters(), work.words()));
        self.rows(rows, 1, true);
    }

    fn rows(&mut self, rows: &[Row], mails: u32, has_memory: bool) {
        let Some(modem) = rows.first() else { return };
        let memory = if has_memory { (" peak MiB |", "---:|") } else { ("", "") };
        self.say(&format!(
            "| | median ms | fastest ms | the modem takes |{}\n|---|---:|---:|---:|{}",
            memory.0, memory.1
        ));
        for row in rows {
            let times: Vec<f64> =
                row.walls.iter().map(|wall| wall.as_secs_f64() * 1e3 / f64::from(mails)).collect();
            let fastest = times.iter().copied().fold(f64::INFINITY, f64::min);
            let ratios = modem
                .walls
                .iter()
                .zip(&row.walls)
                .map(|(ours, theirs)| ours.as_secs_f64() / theirs.as_secs_f64());
            let mut line = format!(
                "| {} | {:.1} | {fastest:.1} | {:.2} × |",
                row.name,
                median(times),
                median(ratios.collect())
            );
            if has_memory {
                write!(line, " {:.1} |", mib(row.peak_kb)).unwrap();
            }
            self.say(&line);
        }
    }

    pub(crate) fn ordinary(&mut self, mails: u32, rows: &[Row]) {
        self.say(&format!(
            "\n## A server that acknowledges late: {mails} mails of 2 kB, a connection each\n\n\
             Milliseconds for each mail. Whoever writes the end of a message by itself, with Nagle's algorithm on, waits \
             some 40 ms for an acknowledgement.\n"
        ));
        self.rows(rows, mails, false);
    }

    pub(crate) fn memory(&mut self, rows: &[(Peer, Work, Vec<Option<u64>>)]) {
        self.say("\n## Peak memory by the size of the files, MiB\n\n| | | 10 MB | 100 MB | 1 GB |\n|---|---|---:|---:|---:|");
        for (peer, work, peaks) in rows {
            let peaks: Vec<_> = peaks
                .iter()
                .map(|peak| peak.map_or_else(|| "not run".to_owned(), |kb| format!("{:.1}", mib(kb))))
                .collect();
            self.say(&format!("| {} | {} | {} |", peer.name(), work.letters(), peaks.join(" | ")));
        }
    }

    pub(crate) fn write(&self) {
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("RESULTS.md"), &self.page).unwrap();
    }
}

fn mib(kb: u64) -> f64 {
    f64::from(u32::try_from(kb).unwrap()) / 1024.0
}
