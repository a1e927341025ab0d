//! Lives through worlds: so many of them, or one to read.

#![allow(clippy::print_stdout, reason = "what it finds is its output")]

use anyhow::Result;
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use simulation::run;
use simulation::transcript::Transcript;
use std::num::NonZero;
use std::process::ExitCode;
use std::time::Instant;

/// Seeded worlds: a host, a modem, a network, a provider, drives and a clock in one thread.
#[derive(Parser)]
struct Flags {
    /// How many worlds to live through, from seed --from on.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Lives through this world alone.
    #[arg(long)]
    seed: Option<u64>,
    /// Prints the world's transcript.
    #[arg(long, requires = "seed")]
    verbose: bool,
    /// How many worlds at a time; as many as there are cores, unless told otherwise.
    #[arg(long)]
    jobs: Option<NonZero<usize>>,
    /// How many broken worlds are enough.
    #[arg(long, default_value_t = 10)]
    broken: usize,
}

fn main() -> Result<ExitCode> {
    let flags = Flags::parse();
    match flags.seed {
        Some(seed) => Ok(one(seed, flags.verbose)),
        None => many(&flags),
    }
}

fn one(seed: u64, is_verbose: bool) -> ExitCode {
    let mut transcript = if is_verbose { Transcript::kept() } else { Transcript::none() };
    let result = run::one(seed, &mut transcript);
    for line in transcript.lines() {
        println!("{line}");
    }
    match result {
        Ok(lived) => {
            println!("seed {seed} holds: {lived:?}");
            ExitCode::SUCCESS
        }
        Err(broken) => {
            println!("{broken}");
            ExitCode::FAILURE
        }
    }
}

fn many(flags: &Flags) -> Result<ExitCode> {
    let style =
        ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} worlds, {per_sec}, {eta} to go")?;
    let bar = ProgressBar::new(flags.seeds).with_style(style);
    let jobs = match flags.jobs {
        Some(jobs) => jobs,
        None => std::thread::available_parallelism()?,
    };
    let begun = Instant::now();
    let seeds = flags.from..flags.from.saturating_add(flags.seeds);
    let summary = run::many(seeds, jobs, flags.broken, |worlds| bar.inc(worlds));
    bar.finish_and_clear();
    for broken in &summary.broken {
        println!("{broken}");
        println!("  cargo run -p simulation --release -- --seed {} --verbose", broken.seed);
    }
    println!(
        "{} worlds in {:.0?}: {} broken; {} lines answered, {} sends with an outcome, {} of them SUCCESS, {} mails saved, {} deleted, \
         {} events; {} mails queued, \
         {} times taken by the server, {} cuts, {} failures of a disk",
        summary.worlds,
        begun.elapsed(),
        summary.broken.len(),
        summary.lived.answers,
        summary.lived.sends,
        summary.lived.successes,
        summary.lived.saves,
        summary.lived.deletes,
        summary.lived.events,
        summary.lived.queue.accepted,
        summary.lived.queue.sent,
        summary.lived.queue.cuts,
        summary.lived.queue.failures,
    );
    Ok(if summary.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
