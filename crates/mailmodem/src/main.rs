//! The program: flags in, exit code out.

use clap::Parser as _;
use mailmodem::console;
use mailmodem::flags::{Command, Flags};
use std::io::{self, Write as _};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let flags = Flags::parse();
    begin_log(flags.verbose);
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = match command {
        Command::Console(flags) => runtime.block_on(console::run(flags)),
        Command::Sandbox(_) => Ok(()),
        Command::Commands => Ok(io::stdout().write_all(modem::command::table::documentation().as_bytes())?),
    };
    // A thread may still wait for the terminal, or for a name to be resolved; neither is worth waiting for.
    runtime.shutdown_background();
    ended
}

/// The log goes to standard error: what the modem says has standard output to itself.
fn begin_log(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
}
