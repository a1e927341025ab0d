//! `mailmodem.toml`: which lines there are, and how each modem is set.
//!
//! What is wrong with a config is said with file, line and remedy, and a config with anything wrong is none.
//!
//! Not here: what the settings do. `packaging/mailmodem.example.toml` names and explains every key.

mod secret;
mod tables;
mod upstream;

use crate::limits::DRIVE_OCTETS_MAX;
use crate::port::Spec;
use crate::queue;
use crate::upstream::{Upstream, Upstreams};
use modem::settings::Settings;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use tables::{ConfigTable, LineTable};
use toml::Spanned;

pub use tables::{Clock, Format, Level, LineNetwork, Logging};

/// Where the config is looked for when nothing is said.
pub const DEFAULT_FILE: &str = "/etc/mailmodem/mailmodem.toml";

/// What a config says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How the program logs.
    pub logging: Logging,
    /// Where calls go.
    pub upstreams: Upstreams,
    /// How mail is queued; `None` where there is no directory of the service's own.
    pub queue: Option<queue::Settings>,
    /// Its lines, by name.
    pub lines: BTreeMap<String, LineConfig>,
}

/// A line: a modem and its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineConfig {
    /// What it is called, in the log and on the disk.
    pub name: String,
    /// Where its terminal plugs in.
    pub port: Spec,
    /// Where drive C: and the sandbox's mail are kept.
    pub dir: PathBuf,
    /// What drive C: holds.
    pub drive_c_octets_max: u64,
    /// The slot for drive D:, if there is one.
    pub card: Option<Card>,
    /// Where the modem's connections lead.
    pub upstream: LineNetwork,
    /// Where the line is traced, if it is.
    pub trace: Option<PathBuf>,
    /// How the modem's clock is set when the power comes on.
    pub clock: Clock,
    /// The modem's own settings.
    pub settings: Settings,
}

/// A slot for a storage card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// The directory that is the card while it is there.
    pub dir: PathBuf,
    /// What it holds.
    pub octets_max: u64,
}

/// Why a config is none.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error(
        "cannot read {}: {error}; name a config that can be (packaging/mailmodem.example.toml is one to begin with), or have \
         one line without any: mailmodem serve --port",
        file.display()
    )]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// The service needs a password that is not there.
    #[error("{}: {words}", file.display())]
    NoPassword {
        /// Which.
        file: PathBuf,
        /// Whose password, and what to do.
        words: String,
    },
    /// Something in it is wrong.
    #[error("{}:{line}:{column}: {words}", file.display())]
    Wrong {
        /// Which.
        file: PathBuf,
        /// Where, from 1 on.
        line: usize,
        /// Where in the line, from 1 on.
        column: usize,
        /// What is wrong, and what to do.
        words: String,
    },
}

impl Config {
    /// Reads a config. Lines that name no directory have theirs in `data_dir`, unless the config names another.
    ///
    /// # Errors
    /// It cannot be read, or something in it is wrong.
    pub fn read(file: &Path, data_dir: &Path) -> Result<Self, ConfigError> {
        Self::read_for(file, data_dir, Self::parse)
    }

    /// Of a config, how mail is queued. Passwords are not read: this is for a command that needs none.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_queue(file: &Path, data_dir: &Path) -> Result<queue::Settings, ConfigError> {
        Self::read_for(file, data_dir, |text, place| {
            let config: ConfigTable = toml::from_str(text).map_err(|error| Mistake::of_toml(&error))?;
            Ok(config.queue.into_settings(config.data_dir.as_deref().unwrap_or(place.data_dir)))
        })
    }

    fn read_for<T>(
        file: &Path,
        data_dir: &Path,
        parse: impl FnOnce(&str, Place<'_>) -> Result<T, Mistake>,
    ) -> Result<T, ConfigError> {
        let unreadable = |error| ConfigError::Unreadable { file: file.to_owned(), error };
        let mut opened = fs::File::open(file).map_err(unreadable)?;
        let told_to_others = secret::told_to_others(file, &opened.metadata().map_err(unreadable)?);
        let mut text = String::new();
        opened.read_to_string(&mut text).map_err(unreadable)?;
        let place = Place { data_dir, directory: file.parent().unwrap_or(Path::new("")), told_to_others };
        parse(&text, place).map_err(|Mistake { at, words }| {
            let before = text.get(..at.start).unwrap_or(&text);
            let line_start = before.rfind('\n').map_or(0, |end| end + 1);
            let line = before.matches('\n').count() + 1;
            let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
            ConfigError::Wrong { file: file.to_owned(), line, column, words }
        })
    }

    fn parse(text: &str, place: Place<'_>) -> Result<Self, Mistake> {
        let config: ConfigTable = toml::from_str(text).map_err(|error| Mistake::of_toml(&error))?;
        let data_dir = config.data_dir.as_deref().unwrap_or(place.data_dir);
        let queue = config.queue.into_settings(data_dir);
        let mut lines = BTreeMap::new();
        for table in config.line {
            let at = table.name.span();
            let line = table.into_line(&config.modem, data_dir);
            if line.dir == queue.directory {
                let words = format!(
                    "the dir of \"{}\" is where mail is queued; give the line another name, or a dir",
                    line.name
                );
                return Err(Mistake { at, words });
            }
            check(&line, &lines).map_err(|words| Mistake { at, words })?;
            lines.insert(line.name.clone(), line);
        }
        if lines.is_empty() {
            let words =
                "there is no line; a line begins with [[line]], and has name, port and upstream".to_owned();
            return Err(Mistake { at: 0..0, words });
        }
        let mut upstreams: Vec<Upstream> = Vec::new();
        for table in config.upstream {
            let at = table.name.span();
            let upstream = match (&table.password, &place.told_to_others) {
                (Some(_), Some(words)) => Err(words.clone()),
                _ => table.into_upstream(&Place { data_dir, ..place.clone() }),
            };
            let upstream = upstream.map_err(|words| Mistake { at: at.clone(), words })?;
            if upstreams.iter().any(|other| other.name == upstream.name) {
                let words =
                    format!("there are two upstreams of the name \"{}\"; give each its own", upstream.name);
                return Err(Mistake { at, words });
            }
            upstreams.push(upstream);
        }
        let upstreams = Upstreams::new(upstreams);
        Ok(Self { logging: config.logging, upstreams, queue: Some(queue), lines })
    }
}

/// Where a config is.
#[derive(Clone)]
struct Place<'a> {
    /// Where lines are kept that do not say where.
    data_dir: &'a Path,
    /// Where the files are that it names.
    directory: &'a Path,
    /// What to do if it holds a password, since others may read it.
    told_to_others: Option<String>,
}

/// What is wrong, and where in the text.
struct Mistake {
    at: Range<usize>,
    words: String,
}

impl Mistake {
    fn of_toml(error: &toml::de::Error) -> Self {
        Self { at: error.span().unwrap_or(0..0), words: explain(error.message()) }
    }
}

/// What one line must not be, and two lines must not share.
fn check(line: &LineConfig, others: &BTreeMap<String, LineConfig>) -> Result<(), String> {
    let name = &line.name;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(is_plain) {
        return Err(format!(
            "\"{name}\" is no name for a line: it is the name of a directory too; take letters, digits, - and _"
        ));
    }
    if others.contains_key(name) {
        return Err(format!("there are two lines of the name \"{name}\"; give each its own"));
    }
    for other in others.values() {
        if place(&other.port) == place(&line.port) && !line.port.is_any_free_one() {
            return Err(format!("\"{name}\" and \"{}\" have the same port; give each its own", other.name));
        }
        if other.trace.is_some() && other.trace == line.trace {
            return Err(format!("\"{name}\" and \"{}\" have the same trace; give each its own", other.name));
        }
        if other.dir == line.dir {
            return Err(format!("\"{name}\" and \"{}\" have the same dir; give each its own", other.name));
        }
    }
    Ok(())
}

/// What two ports cannot both be.
fn place(port: &Spec) -> (u8, &Path) {
    match port {
        Spec::Pty(link) => (0, link),
        Spec::Serial(line) => (1, &line.device),
        Spec::Tcp(address) => (2, Path::new(address)),
        Spec::Stdio => (3, Path::new("")),
    }
}

impl LineTable {
    fn into_line(self, common: &tables::ModemTable, data_dir: &Path) -> LineConfig {
        let (mut settings, mut clock) = (Settings::default(), Clock::default());
        for table in [common, &self.modem] {
            table.apply(&mut settings, &mut clock);
        }
        let name = Spanned::into_inner(self.name);
        LineConfig {
            dir: data_dir.join(self.dir.unwrap_or_else(|| PathBuf::from(&name))),
            name,
            port: self.port,
            drive_c_octets_max: self.drive_c_octets_max.unwrap_or(DRIVE_OCTETS_MAX),
            card: self.card.map(|card| Card {
                dir: data_dir.join(card.dir),
                octets_max: card.octets_max.unwrap_or(DRIVE_OCTETS_MAX),
            }),
            upstream: self.upstream,
            trace: self.trace.map(|file| data_dir.join(file)),
            clock,
            settings,
        }
    }
}

/// What to give a key that must be there.
fn missing(key: &str) -> &str {
    match key {
        "name" => "a word that the log, and commands, call it by",
        "port" => "such as \"pty:/run/mailmodem/modem\", \"serial:/dev/ttyUSB0\" or \"tcp:127.0.0.1:4400\"",
        "upstream" => {
            "\"direct\" leads to the servers that the terminal names, or that an [[upstream]] has in their place; \
             \"sandbox\" to the provider in this program"
        }
        "dir" => "the directory that is the card",
        _ => "the example config tells what it is",
    }
}

/// What the parser wanted.
fn in_words(wanted: &str) -> &str {
    match wanted {
        "u16" => "a number from 0 to 65535, without quotes",
        "a boolean" => "true or false, without quotes",
        "a sequence" => "a list, such as [\"a\", \"b\"]",
        "struct MatchTable" => "a table, such as { protocol = \"smtp\", server = \"smtp.server.com\" }",
        "struct CardTable" => "a table, such as { dir = \"/media/card\" }",
        "usize" | "u64" | "a nonzero usize" | "a nonzero u64" => "a number, without quotes",
        "string or table" => "a word in quotes",
        wanted => wanted,
    }
}

/// The parser's words, in ours: an unknown key or word comes with the nearest known one.
fn explain(message: &str) -> String {
    if let Some(key) = message.strip_prefix("missing field ") {
        let key = key.trim_matches('`');
        return format!("the key \"{key}\" is missing here: {}", missing(key));
    }
    if message.starts_with("invalid type: map, expected a sequence") {
        return "there may be several of these: write its name in two brackets, [[line]] or [[upstream]]"
            .to_owned();
    }
    if let Some((found, wanted)) =
        message.strip_prefix("invalid type: ").and_then(|it| it.split_once(", expected "))
    {
        return format!("this is {found}, and should be {}", in_words(wanted));
    }
    let Some((kind, rest)) = ["unknown field", "unknown variant"]
        .iter()
        .find_map(|kind| Some((*kind, message.strip_prefix(kind)?)))
    else {
        return message.to_owned();
    };
    let mut words = rest.split('`').skip(1).step_by(2);
    let unknown = words.next().unwrap_or_default();
    let known: Vec<&str> = words.collect();
    let what = if kind == "unknown field" { "key" } else { "word" };
    let likeness = |word: &&&str| strsim::jaro_winkler(unknown, word);
    let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    // What other programs call it, and no letter of it is like ours.
    let nearest = known.iter().find(|word| unknown == "starttls" && **word == "required").or(nearest);
    let hint = match (unknown, tables::place_of(unknown)) {
        // It is like "sandbox", and nobody who writes it means that mail is to stay here.
        ("queued", _) if what == "word" => "; that is delivery = \"queued\".".to_owned(),
        (_, Some(place)) if what == "key" => format!("; it stands in {place}."),
        _ => nearest.map(|nearest| format!("; did you mean \"{nearest}\"?")).unwrap_or_default(),
    };
    format!("unknown {what} \"{unknown}\"{hint} Known here: {}", known.join(", "))
}

#[cfg(test)]
mod tests;
