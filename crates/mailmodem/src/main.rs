//! The program: flags in, exit code out.

use anyhow::Context as _;
use clap::Parser as _;
use mailmodem::flags::{Command, Flags, LogFormat, SandboxFlags};
use mailmodem::{console, play, provider};
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use tokio::runtime::Builder;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let flags = Flags::parse();
    begin_log(flags.verbose, flags.log_format);
    match run(flags.into_command()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; there is nobody left to tell then.
            let _ = writeln!(io::stderr(), "mailmodem: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Console(flags) => block_on(Builder::new_current_thread(), console::run(flags)),
        Command::Sandbox(SandboxFlags { troubles: true, .. }) => print(&provider::troubles()),
        // Storing a mail waits for the disk; the other connections need not.
        Command::Sandbox(flags) => block_on(Builder::new_multi_thread(), provider::run(flags)),
        Command::Play(flags) => play::run(&flags),
        Command::Commands => print(&modem::command::table::documentation()),
    }
}

fn block_on(mut runtime: Builder, work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = runtime.enable_all().build()?;
    let ended = runtime.block_on(work);
    // A thread may still wait for the terminal, or for a name to be resolved; neither is worth waiting for.
    runtime.shutdown_background();
    ended
}

fn print(page: &str) -> anyhow::Result<()> {
    io::stdout().write_all(page.as_bytes()).context("cannot write to standard output")
}

/// The log goes to standard error: what the modem says has standard output to itself.
fn begin_log(verbose: u8, format: LogFormat) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match format {
        LogFormat::Human => log.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().init(),
    }
}
