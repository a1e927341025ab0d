//! Two hundred lines that send ten megabytes each at once, and two thousand small mails after that, through one process
//! while some of the servers fail.
//!
//! `cargo bench -p benches --bench load`
//!
//! What is done, and the laws that must hold, are those of the ordinary test `crates/mailmodem/tests/load.rs`; here is more
//! of it, and a server that says nothing too. The servers and the hosts are in one other process on the same machine,
//! which reads every message and its files, so that times are theirs as much as the modem's; memory and processor time
//! are the modem's alone. What it came to is printed and goes to `benches/LOAD.md`.
//!
//! Not here: how fast it must be. That depends on the machine.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a figure that cannot be taken is none"
)]

#[path = "../crates/mailmodem/tests/crowd/mod.rs"]
mod crowd;

use crowd::{Figures, Mail, Scale};
use scene::figures::{machine, program};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const SCALE: Scale =
    Scale { lines: 200, file_octets: 10_000_000, small_mails_per_line: 10, has_silence: true };

/// Of equal mails to servers that are well, how long the latest may take by what the one in the middle takes.
const LATEST_PER_MEDIAN_MAX: f64 = 2.0;

/// How often it is told how many mails are done.
const TOLD_EVERY: usize = 20;

fn main() {
    let program = program().unwrap();
    let figures = crowd::run(&program, SCALE, |done, all| {
        if done % TOLD_EVERY == 0 {
            eprint!("\r{done} of {all} mails have their outcome ");
        }
    });
    eprintln!();
    let page = page(&figures);
    println!("{page}");
    fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("LOAD.md"), page).unwrap();
}

fn page(figures: &Figures) -> String {
    let Figures { mails, large_octets, walls, processor, peaks_kb: [idle_kb, peak_kb], fates } = figures;
    let mut page = format!(
        "# Many lines at once, while servers fail\n\n\
         Written by `cargo bench -p benches --bench load`; what is done is told at the top of `benches/load.rs`, and what \
         must hold in `crates/mailmodem/tests/crowd/laws.rs`.\n\n{}\n\n\
         {} lines in one process: each sends a file of {} octets, all at once, and then {} small mails one after the \
         other, to servers of which some fail. All laws held: every mail is accounted for, none was lost or doubled, \
         and no server was given up for its silence but the silent one.\n",
        machine(),
        SCALE.lines,
        SCALE.file_octets,
        SCALE.small_mails_per_line
    );
    page.push_str("\n| | wall s | processor s |\n|---|---:|---:|\n");
    for ((what, wall), busy) in
        ["large mails", "small mails", "the rest of the queue"].iter().zip(walls).zip(processor)
    {
        writeln!(page, "| {what} | {:.1} | {:.1} |", wall.as_secs_f64(), busy.as_secs_f64()).unwrap();
    }
    page.push_str(
        "\nThe silent server is given up after 30 s, so no wall time is less than that. By lines that do not meet it:\n\n\
         | | lines | earliest s | median s | latest s | Jain's index of speeds | of times |\n|---|---:|---:|---:|---:|---:|---:|\n",
    );
    let is_well = |mail: &&Mail| mail.is_large && mail.outcome == "SUCCESS";
    let of = |is_queued: bool| -> Vec<f64> {
        let mails = mails.iter().filter(is_well).filter(|mail| mail.is_queued == is_queued);
        mails.filter(|mail| !mail.is_slow()).map(|mail| mail.end.as_secs_f64()).collect()
    };
    let mut direct = of(false);
    direct.sort_by(f64::total_cmp);
    let [median, last] = [direct.len() / 2, direct.len() - 1].map(|place| *direct.get(place).unwrap());
    assert!(last <= LATEST_PER_MEDIAN_MAX * median, "one line waits for the others: {direct:?}");
    for (what, mut ends) in
        [("large mails, servers that are well", direct), ("large mails into the queue", of(true))]
    {
        ends.sort_by(f64::total_cmp);
        let at = |place: usize| ends.get(place).copied().unwrap_or(f64::NAN);
        writeln!(
            page,
            "| {what} | {} | {:.1} | {:.1} | {:.1} | {:.3} | {:.3} |",
            ends.len(),
            at(0),
            at(ends.len() / 2),
            at(ends.len() - 1),
            jain(ends.iter().map(|end| 1.0 / end)),
            jain(ends.iter().copied())
        )
        .unwrap();
    }
    let megabytes = f64::from(u32::try_from(large_octets / 1_000).unwrap()) / 1_000.0;
    let kib_per_line =
        f64::from(u32::try_from(peak_kb - idle_kb).unwrap()) / f64::from(u32::try_from(SCALE.lines).unwrap());
    writeln!(
        page,
        "\nJain's index is 1 when all are equal, and 1/n when one of n has everything. A few of the lines that begin \
         first are done long before the others, and weigh most in the index of the speeds (10 MB over the time from the \
         common start to the end). That nobody is kept waiting is seen by the latest: more than {LATEST_PER_MEDIAN_MAX} \
         times the median would be a failure.\n\n\
         Servers that are well took {megabytes:.0} MB of large mails straight from lines: {:.0} MB a second until the \
         last had its mail. What went to the others and into the queue meanwhile comes on top.\n\n\
         The most memory that the process had: {:.1} MiB with all lines idle, {:.1} MiB in all, {kib_per_line:.0} KiB more for \
         each line.\n\n| end | mails |\n|---|---:|",
        megabytes / last,
        mib(*idle_kb),
        mib(*peak_kb),
    )
    .unwrap();
    for (fate, count) in fates {
        writeln!(page, "| {fate} | {count} |").unwrap();
    }
    page
}

/// How equal these are.
fn jain(amounts: impl Iterator<Item = f64> + Clone) -> f64 {
    let sum: f64 = amounts.clone().sum();
    let squares: f64 = amounts.clone().map(|amount| amount * amount).sum();
    let count = u32::try_from(amounts.count()).unwrap();
    sum * sum / (f64::from(count) * squares)
}

fn mib(kb: u64) -> f64 {
    f64::from(u32::try_from(kb).unwrap()) / 1024.0
}
