//! The command line. Its help is made from what stands here.
//!
//! Not here: what the commands do.

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// A cellular module's e-mail application in software: AT commands in, real mail out and in.
///
/// Without a command it is `mailmodem console`.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub struct Flags {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    console: ConsoleFlags,
    /// Says more in the log, on standard error; twice, still more. RUST_LOG is heard too.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// How the log is written.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Human)]
    pub log_format: LogFormat,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Human,
    /// A JSON object in each line.
    Json,
}

/// What the program is to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// A modem to type at: at a terminal with line editing, from a pipe octet by octet.
    Console(ConsoleFlags),
    /// The sandbox's mail provider on real sockets, for other programs.
    Sandbox(SandboxFlags),
    /// Plays dialogues: golden transcripts of a terminal and a modem, in memory and without waiting.
    Play(PlayFlags),
    /// Prints the reference of the AT commands.
    Commands,
}

/// How the console's modem is set up.
#[derive(Debug, Clone, Args)]
pub struct ConsoleFlags {
    /// Where its drives and the sandbox's mail are kept [default: mailmodem in the user's data directory]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// What the modem dials.
    #[arg(long, value_enum, default_value_t = NetworkKind::Sandbox)]
    pub network: NetworkKind,
    /// Puts a storage card in: drive D:. Once it has been there, it stays.
    #[arg(long)]
    pub card: bool,
    /// Traces the line into a file: what is typed and shown, and the servers' wire; passwords are masked.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
}

/// What a modem can dial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NetworkKind {
    /// A provider in this process, which takes every server name, user and recipient.
    Sandbox,
    /// Real servers.
    Real,
}

/// How the provider is set up.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").args(["smtp", "pop3", "troubles"]).required(true).multiple(true)))]
pub struct SandboxFlags {
    /// Takes mail by SMTP at this address; port 0 is any free one
    #[arg(long, value_name = "ADDR:PORT")]
    pub smtp: Option<SocketAddr>,
    /// Lets mail be fetched by POP3 at this address; port 0 is any free one
    #[arg(long, value_name = "ADDR:PORT")]
    pub pop3: Option<SocketAddr>,
    /// Where its mail is kept [default: the console's]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// The server name it is called by, which may mean trouble
    #[arg(long, default_value = "sandbox.invalid")]
    pub name: String,
    /// Prints the names that mean trouble.
    #[arg(long)]
    pub troubles: bool,
}

/// What is to be played.
#[derive(Debug, Args)]
pub struct PlayFlags {
    /// Dialogues, or directories of them (files that end in .at); dialogues/README.md tells how they are written
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Plays each with every octet alone too.
    #[arg(long)]
    pub octet_by_octet: bool,
}

impl Flags {
    /// What is to be done: the console, unless a command says otherwise.
    #[must_use]
    pub fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Console(self.console))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_flags_are_consistent() {
        Flags::command().debug_assert();
    }

    #[test]
    fn without_a_command_it_is_the_console() {
        let command = Flags::parse_from(["mailmodem", "--dir", "d", "--card"]).into_command();
        assert!(matches!(command, Command::Console(ConsoleFlags { dir: Some(_), card: true, .. })));
    }
}
