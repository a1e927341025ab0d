//! The program: flags in, exit code out.

use anyhow::Context as _;
use clap::Parser as _;
use mailmodem::config::{Format, Level, Logging};
use mailmodem::flags::{Command, Flags, QueueFlags, SandboxFlags};
use mailmodem::limits::HEAP_KEPT_OCTETS;
use mailmodem::serve::Source;
use mailmodem::{check, console, generate, play, provider, queue, serve, upstream};
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use tokio::runtime::Builder;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;

fn main() -> ExitCode {
    let flags = Flags::parse();
    let (verbose, format) = (flags.verbose, flags.log_format);
    match run(flags.into_command(), verbose, format) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; there is nobody left to tell then.
            let _ = writeln!(io::stderr(), "mailmodem: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Has the C library keep what a portion of a mail took for the next one. Of glibc's heaps 128 KiB at the end that are free
/// go back to the system, and come from it anew, page by page: under TLS that was a sixth of the time of a large mail. The
/// first larger block that is given back raises this bound to twice its size, for each thread's heap (mallopt(3),
/// `M_MMAP_THRESHOLD`). Blocks of up to that size come from a heap then, too. Another C library is not told anything by it.
fn keep_memory_between_portions() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(HEAP_KEPT_OCTETS / 2)));
}

fn run(command: Command, verbose: u8, format: Option<Format>) -> anyhow::Result<()> {
    keep_memory_between_portions();
    // A service says how it logs.
    if !matches!(command, Command::Serve(_)) {
        let _ = begin_log(Logging { level: Level::Warn, format: format.unwrap_or(Format::Human) }, verbose);
    }
    match command {
        Command::Serve(flags) => {
            let source = Source::new(flags)?;
            let config = source.read()?;
            let logging = Logging { format: format.unwrap_or(config.logging.format), ..config.logging };
            let set_level = begin_log(logging, verbose);
            block_on(Builder::new_multi_thread(), serve::run(source, config, set_level))
        }
        Command::CheckConfig { file } => print(serve::check(file)?.as_bytes()),
        Command::Explain(flags) => {
            let config = serve::read_config(flags.config.clone())?;
            print(upstream::explain(&config, flags)?.as_bytes())
        }
        Command::Queue(QueueFlags { errand, config }) => {
            print(&queue::command::run(serve::read_queue_config(config)?, errand)?)
        }
        Command::Check(flags) => {
            let config = serve::read_config(flags.call.config.clone())?;
            block_on(Builder::new_current_thread(), check::run(config, flags))
        }
        Command::Login { name, config } => serve::log_in(&name, config),
        Command::Generate { directory } => generate::run(&directory),
        Command::Console(flags) => block_on(Builder::new_current_thread(), console::run(flags)),
        Command::Sandbox(SandboxFlags { troubles: true, .. }) => print(provider::troubles().as_bytes()),
        // Storing a mail waits for the disk; the other connections need not.
        Command::Sandbox(flags) => block_on(Builder::new_multi_thread(), provider::run(flags)),
        Command::Play(flags) => play::run(&flags),
        Command::Commands => print(modem::command::table::documentation().as_bytes()),
    }
}

fn block_on(mut runtime: Builder, work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = runtime.enable_all().build()?;
    let ended = runtime.block_on(work);
    // A thread may still wait for the terminal, or for a name to be resolved; neither is worth waiting for.
    runtime.shutdown_background();
    ended
}

fn print(page: &[u8]) -> anyhow::Result<()> {
    io::stdout().write_all(page).context("cannot write to standard output")
}

/// The log goes to standard error: what the modem says has standard output to itself. What is returned sets another
/// level.
fn begin_log(logging: Logging, verbose: u8) -> Box<dyn Fn(Level) + Send> {
    let (filter_now, handle) = reload::Layer::new(filter(logging.level, verbose));
    let log = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let log = match logging.format {
        Format::Human => log.with_ansi(io::stderr().is_terminal()).boxed(),
        Format::Json => log.json().boxed(),
    };
    tracing_subscriber::registry().with(log.with_filter(filter_now)).init();
    Box::new(move |level| {
        if let Err(error) = handle.reload(filter(level, verbose)) {
            tracing::error!(%error, "the log's level could not be changed");
        }
    })
}

/// RUST_LOG is heard first.
fn filter(level: Level, verbose: u8) -> Targets {
    let level = match verbose.saturating_add(level as u8) {
        0 => LevelFilter::ERROR,
        1 => LevelFilter::WARN,
        2 => LevelFilter::INFO,
        3 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let told = std::env::var("RUST_LOG").ok().and_then(|told| told.parse().ok());
    told.unwrap_or_else(|| Targets::new().with_default(level))
}
