//! The command line. Its help is made from what stands here.
//!
//! Not here: what the commands do.

use crate::config::Format;
use crate::port::Spec;
use crate::queue::command::Errand;
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
    /// How the log is written [default: as the config of `serve` has it, or human].
    #[arg(long, global = true, value_enum)]
    pub log_format: Option<Format>,
}

/// What the program is to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// A modem to type at: at a terminal with line editing, from a pipe octet by octet.
    Console(ConsoleFlags),
    /// Modems on real lines: pseudo-terminals, serial lines, TCP; one from flags, or many from a config.
    Serve(ServeFlags),
    /// Says whether a config is well, or what is wrong where.
    CheckConfig {
        /// The config [default: /etc/mailmodem/mailmodem.toml]
        file: Option<PathBuf>,
    },
    /// Says what would become of a call, by the upstream map of the config, without making it.
    Explain(ExplainFlags),
    /// Makes a call for real, and tells every step: the time, the certificate, the server's words. SERVER may be an
    /// upstream's name.
    Check(CheckFlags),
    /// Logs an upstream in with its provider, for access tokens in the place of a password.
    Login {
        /// The upstream's name in the config
        name: String,
        /// The config [default: /etc/mailmodem/mailmodem.toml]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// The mails that are queued: lists, shows, retries and removes them, while `serve` runs or not.
    Queue(QueueFlags),
    /// The sandbox's mail provider on real sockets, for other programs.
    Sandbox(SandboxFlags),
    /// Plays dialogues: golden transcripts of a terminal and a modem, in memory and without waiting.
    Play(PlayFlags),
    /// Prints the reference of the AT commands.
    Commands,
    /// Writes man pages and shell completions.
    #[command(hide = true)]
    Generate {
        /// Where to.
        directory: PathBuf,
    },
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
    /// Its upstream map is asked where the modem's calls go.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Puts a storage card in: drive D:. Once it has been there, it stays.
    #[arg(long)]
    pub card: bool,
    /// Traces the line into a file: what is typed and shown, and the servers' wire; passwords are masked.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
}

/// Which lines are served.
#[derive(Debug, Clone, Args)]
pub struct ServeFlags {
    /// One line on this port.
    #[arg(
        long,
        value_name = "PORT",
        help = "One line on this port: pty:PATH, serial:DEVICE[,speed=115200][,parity=none|even|odd][,flow=none|rtscts], \
                tcp:ADDRESS:PORT or stdio"
    )]
    pub port: Option<Spec>,
    /// Its modem dials a provider in this process, which takes every server name; else the servers that it names.
    #[arg(long, requires = "port")]
    pub sandbox: bool,
    /// Where its drives and the sandbox's mail are kept [default: mailmodem in the user's data directory]
    #[arg(long, value_name = "DIR", requires = "port")]
    pub dir: Option<PathBuf>,
    /// It has a slot for a storage card: while there is a directory drive-d in DIR, that is drive D:.
    #[arg(long, requires = "port")]
    pub card: bool,
    /// Traces the line into this file: both directions, the servers' wire and the time of each, without passwords.
    #[arg(long, value_name = "FILE", requires = "port")]
    pub trace: Option<PathBuf>,
    /// Lines as this file says, which is read again at SIGHUP [default: /etc/mailmodem/mailmodem.toml]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["port", "sandbox", "dir", "card", "trace"])]
    pub config: Option<PathBuf>,
}

/// What a modem can dial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NetworkKind {
    /// A provider in this process, which takes every server name, user and recipient.
    Sandbox,
    /// Real servers.
    Real,
}

/// A call, as the terminal would make it.
#[derive(Debug, Clone, Args)]
pub struct ExplainFlags {
    /// The server, as the terminal names it
    #[arg(value_name = "SERVER[:PORT]")]
    pub server: String,
    /// The user, as the terminal names it
    pub user: Option<String>,
    /// What is spoken [default: by the port]
    #[arg(long, value_enum)]
    pub protocol: Option<ProtocolFlag>,
    /// The line it comes from [default: the first by name of those whose upstream is "direct"]
    #[arg(long)]
    pub line: Option<String>,
    /// The mail's sender
    #[arg(long, value_name = "ADDRESS")]
    pub sender: Option<String>,
    /// A recipient of the mail; may be said again
    #[arg(long = "recipient", value_name = "ADDRESS")]
    pub recipients: Vec<String>,
    /// The config [default: /etc/mailmodem/mailmodem.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What is to be done with the queue, and which.
#[derive(Debug, Args)]
pub struct QueueFlags {
    /// What.
    #[command(subcommand)]
    pub errand: Errand,
    /// The config [default: /etc/mailmodem/mailmodem.toml]
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
}

impl ExplainFlags {
    /// The same at another server.
    #[must_use]
    pub fn at(self, host: &str, port: Option<u16>, protocol: Option<ProtocolFlag>) -> Self {
        let server = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Self { server, protocol: self.protocol.or(protocol), ..self }
    }
}

/// A call to be made for real.
#[derive(Debug, Clone, Args)]
pub struct CheckFlags {
    /// Which.
    #[command(flatten)]
    pub call: ExplainFlags,
    /// Sends a mail there; what SMTP can be tried with
    #[arg(long, value_name = "ADDRESS")]
    pub send_test: Option<String>,
}

/// What can be spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProtocolFlag {
    /// Sends mail.
    Smtp,
    /// Fetches mail.
    Pop3,
}

/// How the provider is set up.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").args(["smtp", "pop3", "smtps", "pop3s", "troubles"]).required(true).multiple(true)))]
pub struct SandboxFlags {
    /// Takes mail by SMTP at this address; port 0 is any free one
    #[arg(long, value_name = "ADDR:PORT")]
    pub smtp: Option<SocketAddr>,
    /// Lets mail be fetched by POP3 at this address; port 0 is any free one
    #[arg(long, value_name = "ADDR:PORT")]
    pub pop3: Option<SocketAddr>,
    /// Takes mail by SMTP under TLS from the first octet
    #[arg(long, value_name = "ADDR:PORT", requires = "certificate")]
    pub smtps: Option<SocketAddr>,
    /// Lets mail be fetched by POP3 under TLS from the first octet
    #[arg(long, value_name = "ADDR:PORT", requires = "certificate")]
    pub pop3s: Option<SocketAddr>,
    /// Its certificate, with those that lead to its authority; the other two addresses offer STARTTLS and STLS then
    #[arg(long, value_name = "PEM", requires = "key")]
    pub certificate: Option<PathBuf>,
    /// The certificate's key
    #[arg(long, value_name = "PEM", requires = "certificate")]
    pub key: Option<PathBuf>,
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
    use std::any::TypeId;
    use std::collections::BTreeSet;

    #[test]
    fn the_flags_are_consistent() {
        Flags::command().debug_assert();
    }

    #[test]
    fn without_a_command_it_is_the_console() {
        let command = Flags::parse_from(["mailmodem", "--dir", "d", "--card"]).into_command();
        assert!(matches!(command, Command::Console(ConsoleFlags { dir: Some(_), card: true, .. })));
    }

    /// Everybody on the machine can read what a program was started with.
    #[test]
    fn no_flag_takes_a_secret() {
        fn look(command: &clap::Command, texts: &mut BTreeSet<String>) {
            for argument in command.get_arguments().filter(|argument| argument.get_action().takes_values()) {
                let kind = argument.get_value_parser().type_id();
                let name = argument.get_id().as_str().to_lowercase();
                if kind == TypeId::of::<String>() {
                    texts.insert(name.clone());
                }
                // A file that holds one may be named.
                let is_file = kind == TypeId::of::<PathBuf>();
                for secret in ["pass", "pwd", "secret", "token", "credential", "key"] {
                    assert!(is_file || !name.contains(secret), "{} {name}", command.get_name());
                }
            }
            for command in command.get_subcommands() {
                look(command, texts);
            }
        }
        let mut texts = BTreeSet::new();
        let mut command = Flags::command();
        command.build();
        look(&command, &mut texts);
        // All that can be said in any words: names and addresses. What is added here is to be no secret either.
        let known = ["line", "name", "recipients", "send_test", "sender", "server", "user"];
        assert_eq!(texts, known.map(str::to_owned).into());
    }
}
