//! `mailmodem queue`: the queue as its owner sees it, while `serve` runs and while it does not.
//!
//! To list and to show is to read. What changes something is ordered; if nobody sends what is in the queue, the order is
//! carried out here.
//!
//! Not here: how orders are carried out ([`super::index`]).

use super::orders::{self, Order};
use super::place::ThisMachine;
use super::spool::{self, BadId, Id, Listed, State};
use super::{Queue, Settings};
use crate::limits::{ORDER_CHECK, ORDER_WAIT, SHOWN_HEADER_OCTETS_MAX};
use crate::queue::envelope::{Envelope, Fate};
use anyhow::{Context as _, bail};
use clap::Subcommand;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::str::FromStr;
use std::thread::sleep;
use std::time::Instant;

/// What is to be done with the queue.
#[derive(Debug, Clone, Subcommand)]
pub enum Errand {
    /// The mails in the queue, as they were taken.
    List {
        /// For scripts: an array of objects.
        #[arg(long)]
        json: bool,
    },
    /// A mail's envelope and header section.
    Show {
        /// Its name
        id: Id,
        /// The message itself, octet for octet, and nothing else.
        #[arg(long)]
        message: bool,
        /// For scripts: the envelope as an object.
        #[arg(long, conflicts_with = "message")]
        json: bool,
    },
    /// Has mails tried now, and for as long as new ones; also those whose fate is unknown, which may make them twice.
    Retry {
        /// The names of mails, or all
        #[arg(value_name = "ID|all", required = true)]
        mails: Vec<Which>,
    },
    /// Removes mails: they are not sent, or not again.
    Remove {
        /// The names of mails, or all
        #[arg(value_name = "ID|all", required = true)]
        mails: Vec<Which>,
    },
}

/// Which mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All that are in the queue.
    All,
    /// This one.
    One(Id),
}

impl FromStr for Which {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        if text == "all" { Ok(Self::All) } else { text.parse().map(Self::One) }
    }
}

/// Runs an errand. Gives what is to be printed.
///
/// # Errors
/// The queue cannot be read, there is no such mail, or an order was not carried out.
pub fn run(settings: Settings, errand: Errand) -> anyhow::Result<Vec<u8>> {
    let directory = settings.directory.clone();
    let cannot_read = || format!("cannot read the queue in {}", directory.display());
    match errand {
        Errand::List { json: is_json } => {
            let listed = spool::list(&ThisMachine, &directory).with_context(cannot_read)?;
            if is_json {
                let objects: Vec<Value> = listed.iter().map(object).collect();
                return Ok(format!("{:#}\n", Value::Array(objects)).into_bytes());
            }
            Ok(table(&listed, &directory).into_bytes())
        }
        Errand::Show { id, message, json } => {
            let listed = spool::find(&ThisMachine, &directory, id)
                .with_context(|| format!("there is no mail {id} in the queue"))?;
            let file = spool::message(&directory, id);
            let cannot_read = || format!("cannot read {}", file.display());
            if message {
                return fs::read(&file).with_context(cannot_read);
            }
            let envelope = object(&listed);
            if json {
                return Ok(format!("{envelope:#}\n").into_bytes());
            }
            let mut head = Vec::new();
            let opened = File::open(&file).with_context(cannot_read)?;
            opened.take(SHOWN_HEADER_OCTETS_MAX as u64).read_to_end(&mut head).with_context(cannot_read)?;
            Ok(format!("{}\n{}", sheet(&listed), header_section(&head)).into_bytes())
        }
        Errand::Retry { mails } => order(settings, Order::Retry, &mails),
        Errand::Remove { mails } => order(settings, Order::Remove, &mails),
    }
}

/// What the owner is told about a state.
const fn state_word(state: State) -> &'static str {
    match state {
        State::Waiting => "waiting",
        State::Sending => "sending",
        State::Unknown => "fate unknown",
    }
}

fn object(listed: &Listed) -> Value {
    let Listed { id, state, envelope } = listed;
    let own = json!({ "id": id.to_string(), "state": state.name() });
    let rest = match envelope {
        Ok(envelope) => serde_json::to_value(envelope).unwrap_or_default(),
        Err(error) => json!({ "error": error.to_string() }),
    };
    let (Value::Object(mut object), Value::Object(rest)) = (own, rest) else { return Value::Null };
    object.extend(rest);
    Value::Object(object)
}

fn table(listed: &[Listed], directory: &Path) -> String {
    if listed.is_empty() {
        return "the queue is empty\n".to_owned();
    }
    let heads =
        ["ID", "AGE", "STATE", "UPSTREAM", "SENDER", "RECIPIENTS", "TRIES", "NEXT"].map(str::to_owned);
    let mut rows = vec![(heads, String::new())];
    for Listed { id, state, envelope } in listed {
        let row = match envelope {
            Ok(envelope) => {
                let waiting: Vec<&str> =
                    envelope.having(Fate::Waiting).map(|it| it.address.as_str()).collect();
                let next = match state {
                    State::Waiting => in_words(seconds_between(Timestamp::now(), envelope.next_try_at)),
                    State::Sending | State::Unknown => "-".to_owned(),
                };
                let age = in_words(seconds_between(envelope.accepted_at, Timestamp::now()));
                let (upstream, sender) = (envelope.upstream.clone(), envelope.sender.clone());
                let (state, tries) = (state_word(*state).to_owned(), envelope.attempts.to_string());
                let recipients = waiting.join(",");
                let words = envelope.words.clone().unwrap_or_default();
                ([id.to_string(), age, state, upstream, sender, recipients, tries, next], words)
            }
            Err(error) => {
                let mut row = [""; 8].map(str::to_owned);
                row[0] = id.to_string();
                (row, format!("its envelope cannot be read: {error}"))
            }
        };
        rows.push(row);
    }
    let widths: [usize; 8] = std::array::from_fn(|at| {
        rows.iter().filter_map(|(cells, _)| cells.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    });
    let mut text = String::new();
    for (cells, words) in rows {
        let cells: Vec<String> =
            cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text += cells.join("  ").trim_end();
        text += "\n";
        if !words.is_empty() {
            text += &format!("    {words}\n");
        }
    }
    let failed = spool::names(&ThisMachine, &directory.join("failed")).unwrap_or_default();
    let failed = failed.iter().filter(|(_, end)| end == "txt").count();
    if failed > 0 {
        text += &format!(
            "reports about mails that failed, or may have: {failed}, in {}\n",
            directory.join("failed").display()
        );
    }
    text
}

fn sheet(listed: &Listed) -> String {
    let Listed { id, state, envelope } = listed;
    let mut text = format!("{id}: {}\n", state_word(*state));
    let mut line = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name:<12} {value}");
    };
    match envelope {
        Err(error) => line("envelope", &format!("cannot be read: {error}")),
        Ok(envelope) => {
            let Envelope { upstream, line: from, server, port, sender, recipients, octets, .. } = envelope;
            let Envelope { accepted_at, attempts, next_try_at, words, .. } = envelope;
            line("taken", &format!("{accepted_at}, from the line {from}"));
            line("upstream", &format!("{upstream}, for {server}:{port} as the terminal named it"));
            line("sender", sender);
            for recipient in recipients {
                let fate = match recipient.fate {
                    Fate::Waiting => "",
                    Fate::Sent => " (sent)",
                    Fate::Failed => " (given up)",
                };
                line("recipient", &format!("{}{fate}", recipient.address));
                if let Some(words) = &recipient.words {
                    line("", &format!("  {words}"));
                }
            }
            line("octets", &octets.to_string());
            line("tries", &attempts.to_string());
            if *state == State::Waiting {
                line("next", &next_try_at.to_string());
            }
            if let Some(words) = words {
                line("at last", words);
            }
            if *state == State::Unknown {
                line(
                    "what now",
                    "see whether it arrived; `retry` sends it, perhaps for the second time, `remove` does not",
                );
            }
        }
    }
    text
}

/// The header section of a message, of which this is the beginning, without what a terminal would take for orders.
fn header_section(head: &[u8]) -> String {
    let end = head.windows(4).position(|octets| octets == b"\r\n\r\n").map_or(head.len(), |at| at + 2);
    let text = String::from_utf8_lossy(head.get(..end).unwrap_or(head)).replace("\r\n", "\n");
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}

fn seconds_between(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs().max(0)
}

fn in_words(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// `wanted` is [`Order::Retry`] or [`Order::Remove`].
fn order(settings: Settings, wanted: Order, mails: &[Which]) -> anyhow::Result<Vec<u8>> {
    let directory = settings.directory.clone();
    let listed = spool::list(&ThisMachine, &directory)
        .with_context(|| format!("cannot read the queue in {}", directory.display()))?;
    // What is seen now is what its owner knows; it may have changed when the order is carried out.
    let as_seen = |listed: &Listed| match (wanted, listed.state) {
        (Order::Retry, State::Unknown) => (listed.id, Order::Resend),
        (wanted, _) => (listed.id, wanted),
    };
    let mut orders: BTreeMap<Id, Order> = BTreeMap::new();
    for which in mails {
        match which {
            Which::All => orders.extend(listed.iter().map(as_seen)),
            Which::One(id) => match listed.iter().find(|listed| listed.id == *id) {
                Some(listed) => orders.extend([as_seen(listed)]),
                None => bail!("there is no mail {id} in the queue; nothing was done"),
            },
        }
    }
    if orders.is_empty() {
        return Ok(b"the queue is empty\n".to_vec());
    }
    let place = directory.join("orders");
    for (&id, &order) in &orders {
        orders::give(&place, order, id).with_context(|| {
            format!("cannot order anything in {}; whoever runs the service can", place.display())
        })?;
    }
    let begun = Instant::now();
    let is_given = |(&id, &order): (&Id, &Order)| orders::is_given(&place, order, id);
    let mut is_ours = false;
    while orders.iter().any(is_given) && begun.elapsed() < ORDER_WAIT {
        is_ours = carry_out(&settings)?;
        if is_ours {
            break;
        }
        sleep(ORDER_CHECK);
    }
    let mut text = String::new();
    let mut is_done = true;
    for (id, order) in orders {
        let is_given = orders::is_given(&place, order, id);
        let found = spool::find(&ThisMachine, &directory, id);
        let is_unreadable = found.as_ref().is_some_and(|listed| listed.envelope.is_err());
        let state = found.map(|listed| listed.state);
        if state.is_none() {
            orders::done(&ThisMachine, &place, order, id)
                .with_context(|| format!("the order for {id} cannot be taken off"))?;
        }
        let (word, is_as_wanted) = match (order, state, is_given) {
            (Order::Remove, None, _) => ("removed", true),
            (_, None, _) => ("no longer in the queue: sent, or removed", true),
            (_, Some(_), true) => {
                ("ordered; it is carried out when the mail is not under way, or when serve runs again", false)
            }
            (Order::Remove, Some(_), false) => ("is still there", false),
            (_, Some(_), false) if is_unreadable => {
                ("cannot be tried, since its envelope cannot be read; `queue show` tells why", false)
            }
            (_, Some(State::Sending), false) => ("is under way: its server's answer is waited for", true),
            (_, Some(State::Waiting), false) if is_ours => ("is tried when serve runs again", true),
            (_, Some(State::Waiting), false) => ("is tried as soon as its turn comes", true),
            (_, Some(State::Unknown), false) => (
                "is held: its fate is unknown now. See whether it arrived, and order again if it is to be sent",
                false,
            ),
        };
        is_done &= is_as_wanted;
        text += &format!("{id}: {word}\n");
    }
    if is_done {
        return Ok(text.into_bytes());
    }
    bail!("not everything is done yet\n{}", text.trim_end());
}

/// Carries the orders out, if nobody else has the queue. Files made by another user than the service's could not be
/// read by it. Returns whether there is nothing to wait for.
fn carry_out(settings: &Settings) -> anyhow::Result<bool> {
    let owner =
        fs::metadata(&settings.directory).with_context(|| settings.directory.display().to_string())?.uid();
    if owner != rustix::process::geteuid().as_raw() {
        return Ok(false);
    }
    let queue = Queue::new(settings.clone());
    match queue.open() {
        Ok(()) => {
            queue.obey();
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Ok(false),
        Err(error) => Err(error).context("the queue cannot be used"),
    }
}
