//! What the modem must know by now: the mail as the lines that were answered with OK have set it. A line that is not
//! understood makes it unknown, and it is not compared then.
//!
//! Not here: whether it was sent ([`crate::laws`]).

use crate::reading::Answered;
use std::collections::BTreeMap;

/// The mail that is being composed, and where it goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// A line was not understood since the power came on: nothing here is sure.
    pub is_unknown: bool,
    /// +SMTPSRV.
    pub server: Option<String>,
    /// +SMTPAUTH: the user.
    pub user: Option<String>,
    /// +SMTPFROM.
    pub sender: Option<String>,
    /// +SMTPRCPT by kind and index.
    pub recipients: BTreeMap<(u8, u8), String>,
    /// +SMTPSUB.
    pub subject: Vec<u8>,
    /// +SMTPBODY.
    pub body: Vec<u8>,
    /// +SMTPFILE by index.
    pub files: BTreeMap<u8, String>,
}

impl Draft {
    /// Takes note of a line and its answer.
    pub fn note(&mut self, answered: &Answered) {
        let line = String::from_utf8_lossy(&answered.line).into_owned();
        let upper = line.to_ascii_uppercase();
        if upper.contains("+CRESET") || upper.contains("+CPOF") {
            *self = Self { is_unknown: !answered.is_ok, ..Self::default() };
            return;
        }
        // What is neither of the draft nor of general effect.
        if !["SMTP", "AT&F", "ATZ", "FS"].iter().any(|word| upper.contains(word)) {
            return;
        }
        let is_known = match line.strip_prefix("AT+SMTP") {
            None => upper.starts_with("AT+FS") && !upper.contains("SMTP"),
            Some(command) if command.ends_with('?') || command == "SEND" || command == "STOP" => true,
            // The prompt empties the body, whatever comes of it.
            Some("BODY") if answered.text.is_some() => {
                self.body = answered.text.clone().flatten().unwrap_or_default();
                true
            }
            Some("BODY") => !answered.is_ok,
            Some(command) if !command.contains(';') => !answered.is_ok || self.set(command).is_some(),
            Some(_) => false,
        };
        self.is_unknown |= !is_known;
    }

    /// One setter, as a host of this crate writes it.
    fn set(&mut self, command: &str) -> Option<()> {
        let (name, arguments) = command.split_once('=').unwrap_or((command, ""));
        let arguments: Vec<&str> = if arguments.is_empty() { Vec::new() } else { split(arguments) };
        let quoted = |at: usize| arguments.get(at)?.strip_prefix('"')?.strip_suffix('"').map(str::to_owned);
        let number = |at: usize| arguments.get(at)?.parse::<u8>().ok();
        match (name, arguments.len()) {
            ("SRV", 1 | 2) => self.server = Some(quoted(0)?),
            ("AUTH", 1) if number(0)? == 0 => self.user = None,
            ("AUTH", 3) if number(0)? == 1 => self.user = Some(quoted(1)?),
            ("FROM", 1 | 2) => self.sender = Some(quoted(0)?),
            ("RCPT", 3 | 4) => drop(self.recipients.insert((number(0)?, number(1)?), quoted(2)?)),
            ("RCPT", 0) => self.recipients.clear(),
            ("SUB", 1) => self.subject = quoted(0)?.into_bytes(),
            ("BODY", 1) => self.body = quoted(0)?.into_bytes(),
            ("FILE", 2) => drop(self.files.insert(number(0)?, quoted(1)?)),
            ("FILE", 0) => self.files.clear(),
            _ => return None,
        }
        Some(())
    }

    /// The mail went: what belongs to it alone is gone.
    pub fn sent(&mut self) {
        self.recipients.clear();
        self.subject.clear();
        self.body.clear();
        self.files.clear();
    }
}

/// At commas outside quotes.
fn split(arguments: &str) -> Vec<&str> {
    let mut is_quoted = false;
    arguments
        .split(|letter| {
            is_quoted ^= letter == '"';
            letter == ',' && !is_quoted
        })
        .collect()
}
