//! The one table of commands. From it come dispatch, test forms, AT+CLAC, `docs/commands.md`, and the console's
//! completion and help.
//!
//! Not here: what the commands do.

use super::Run;
pub use super::rows::COMMANDS;
use crate::terminal::grammar::{Argument, CommandLine, Form, Invocation};
use mail::secret::Secret;
use std::fmt::Write as _;

/// A command, with the forms it has.
pub struct Command {
    /// As it is typed after `AT`.
    pub name: &'static str,
    /// What it is for, in one line.
    pub summary: &'static str,
    /// Where it is laid down.
    pub source: &'static str,
    /// What the test form prints behind `NAME: `; empty for OK alone. `None`: a basic command, without a test form.
    pub test: Option<&'static str>,
    pub(crate) read: Option<Run>,
    pub(crate) write: Option<(&'static [Parameter], Run)>,
    pub(crate) execute: Option<Run>,
    /// What it answers with: the factory's values of what it keeps ([`crate::kept`]), or always these.
    pub(crate) values: &'static [&'static str],
    /// Whether AT&W stores them. The others are the factory's again at power-on, and only then.
    pub(crate) is_in_profile: bool,
}

/// A parameter of a write form.
pub struct Parameter {
    /// What it is called in the documentation.
    pub name: &'static str,
    /// What it may be.
    pub kind: ParameterKind,
    /// Whether it may be left out.
    pub optional: bool,
    /// Whether a trace masks it.
    pub secret: bool,
}

/// What an argument may be.
#[derive(Clone, Copy)]
pub enum ParameterKind {
    /// A whole number, both ends included; in quotes too.
    Number(u32, u32),
    /// One of these numbers; in quotes too.
    NumberOf(&'static [u32]),
    /// A text in quotes that is one of these, in any case.
    WordOf(&'static [&'static str]),
    /// A text in quotes, of so many octets, both ends included; no CR, LF or NUL.
    Text(usize, usize),
    /// A text in quotes of at most so many octets, whatever they are.
    Octets(usize),
    /// A name or path, with or without quotes; no CR, LF or NUL.
    Name,
}

/// The forms of a command (commands.md, "Notation").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the reference's own word for it")]
pub enum FormKind {
    Execute,
    Read,
    Write,
    Test,
}

/// The command that runs, and arguments that fit its parameters.
pub(crate) struct Arguments {
    command: &'static Command,
    values: Vec<Value>,
}

#[derive(Debug)]
enum Value {
    Omitted,
    Number(u32),
    Octets(Secret),
}

impl Arguments {
    /// None: for the forms that take none.
    pub(crate) const fn none(command: &'static Command) -> Self {
        Self { command, values: Vec::new() }
    }

    /// Checks what was typed against what may be. `None`: one too many, one missing, or one that does not fit.
    fn check(command: &'static Command, parameters: &[Parameter], typed: &[Argument]) -> Option<Self> {
        // An empty argument counts as omitted, so empty ones at the end are as good as none (commands.md §1).
        let given =
            typed.iter().rposition(|argument| *argument != Argument::Omitted).map_or(0, |last| last + 1);
        if given > parameters.len() {
            return None;
        }
        let mut values = Vec::with_capacity(parameters.len());
        for (at, parameter) in parameters.iter().enumerate() {
            values.push(match typed.get(at).unwrap_or(&Argument::Omitted) {
                Argument::Omitted => parameter.optional.then_some(Value::Omitted)?,
                argument => parameter.kind.check(argument)?,
            });
        }
        Some(Self { command, values })
    }

    /// The command that runs.
    pub(crate) const fn command(&self) -> &'static Command {
        self.command
    }

    /// Whether this one or one behind it was given.
    pub(crate) fn any_from(&self, at: usize) -> bool {
        self.values.iter().skip(at).any(|value| !matches!(value, Value::Omitted))
    }

    /// A number; `None` when it was omitted.
    pub(crate) fn number(&self, at: usize) -> Option<u32> {
        match self.values.get(at)? {
            Value::Number(number) => Some(*number),
            Value::Omitted | Value::Octets(_) => None,
        }
    }

    /// Octets of a text or a name; `None` when it was omitted.
    pub(crate) fn octets(&self, at: usize) -> Option<&[u8]> {
        match self.values.get(at)? {
            Value::Octets(octets) => Some(octets.reveal()),
            Value::Omitted | Value::Number(_) => None,
        }
    }

    /// The same as characters: the drives, addresses and server names of this modem are UTF-8. `None` too when they are
    /// not.
    pub(crate) fn text(&self, at: usize) -> Option<&str> {
        std::str::from_utf8(self.octets(at)?).ok()
    }

    /// As a read form prints it; `None` when it was omitted.
    pub(crate) fn printed(&self, at: usize) -> Option<String> {
        match self.values.get(at)? {
            Value::Omitted => None,
            Value::Number(number) => Some(number.to_string()),
            Value::Octets(octets) => Some(format!("\"{}\"", String::from_utf8_lossy(octets.reveal()))),
        }
    }
}

impl Parameter {
    /// Whether an argument is what it may be.
    pub(crate) fn fits(&self, argument: &Argument) -> bool {
        self.kind.check(argument).is_some()
    }
}

impl ParameterKind {
    fn check(self, argument: &Argument) -> Option<Value> {
        let (given, is_quoted) = match argument {
            Argument::Omitted => return None,
            Argument::Quoted(octets) => (octets, true),
            Argument::Bare(octets) => (octets, false),
        };
        let octets = given.reveal();
        let one_line = || !octets.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0));
        match self {
            Self::Number(least, most) => {
                decimal(octets).filter(|number| (least..=most).contains(number)).map(Value::Number)
            }
            Self::NumberOf(numbers) => {
                decimal(octets).filter(|number| numbers.contains(number)).map(Value::Number)
            }
            Self::WordOf(words) => {
                let word = words.iter().find(|word| word.as_bytes().eq_ignore_ascii_case(octets))?;
                is_quoted.then(|| Value::Octets(Secret::new(*word)))
            }
            Self::Text(least, most) => {
                let fits = is_quoted && (least..=most).contains(&octets.len()) && one_line();
                fits.then(|| Value::Octets(given.clone()))
            }
            Self::Octets(most) => (is_quoted && octets.len() <= most).then(|| Value::Octets(given.clone())),
            Self::Name => (!octets.is_empty() && one_line()).then(|| Value::Octets(given.clone())),
        }
    }
}

fn decimal(octets: &[u8]) -> Option<u32> {
    std::str::from_utf8(octets).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()
}

impl Command {
    /// The command of a name in upper case.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        COMMANDS.iter().find(|command| command.name == name)
    }

    /// Whether it is one of V.250's basic commands (V.250 §5.3): a letter, with a number behind it.
    #[must_use]
    pub fn is_basic(&self) -> bool {
        !self.name.starts_with('+')
    }

    /// The parameters of its write form.
    pub(crate) fn parameters(&self) -> &'static [Parameter] {
        self.write.map_or(&[], |(parameters, _)| parameters)
    }

    /// Checks arguments for the write form.
    pub(crate) fn check(&'static self, typed: &[Argument]) -> Option<(Arguments, Run)> {
        let (parameters, run) = self.write?;
        Some((Arguments::check(self, parameters, typed)?, run))
    }

    /// Which forms it has.
    pub fn form_kinds(&self) -> impl Iterator<Item = FormKind> {
        [
            self.execute.is_some().then_some(FormKind::Execute),
            self.read.is_some().then_some(FormKind::Read),
            self.write.is_some().then_some(FormKind::Write),
            self.test.is_some().then_some(FormKind::Test),
        ]
        .into_iter()
        .flatten()
    }

    /// How its forms are typed, such as `AT+SMTPSRV="server"[,port]`; the test form is left out.
    #[must_use]
    pub fn forms(&self) -> Vec<String> {
        let name = self.name;
        let mut forms = Vec::new();
        if self.execute.is_some() {
            forms.push(format!("AT{name}"));
        }
        if self.read.is_some() {
            forms.push(format!("AT{name}?"));
        }
        if let Some((parameters, _)) = self.write {
            let equals = if self.test.is_some() || name.starts_with('S') { "=" } else { "" };
            forms.push(format!("AT{name}{equals}{}", parameter_list(parameters)));
        }
        forms
    }
}

/// The commands on a line and their forms, as far as it can be read; whether they exist is not asked.
#[must_use]
pub fn forms_on(line: &[u8]) -> Vec<(String, FormKind)> {
    let mut forms = Vec::new();
    let Some(mut line) = CommandLine::new(Secret::new(line)) else { return forms };
    while let Ok(Some(Invocation { name, form })) = line.next_command() {
        let kind = match form {
            Form::Execute => FormKind::Execute,
            Form::Read => FormKind::Read,
            Form::Write(_) => FormKind::Write,
            Form::Test => FormKind::Test,
        };
        forms.push((name, kind));
    }
    forms
}

fn parameter_list(parameters: &[Parameter]) -> String {
    let mut list = String::new();
    let mut open = 0;
    for (at, Parameter { name, kind, optional, .. }) in parameters.iter().enumerate() {
        if *optional {
            list.push('[');
            open += 1;
        }
        if at > 0 {
            list.push(',');
        }
        // Writing to a String cannot fail.
        let _ = match kind {
            ParameterKind::Text(..) | ParameterKind::WordOf(_) | ParameterKind::Octets(_) => {
                write!(list, "\"{name}\"")
            }
            ParameterKind::Number(..) | ParameterKind::NumberOf(_) | ParameterKind::Name => {
                write!(list, "{name}")
            }
        };
    }
    list.push_str(&"]".repeat(open));
    list
}

/// `docs/commands.md`.
#[must_use]
pub fn documentation() -> String {
    let mut page = String::from(
        "# Commands\n\n\
         Made from the table of commands; a test says when it is stale. Every command that begins with `+` has a test \
         form (`=?`).\nBounds are octets of a text, or the least and the greatest number.\n\n\
         | command | forms | parameters | test form prints | what it does | source |\n|---|---|---|---|---|---|\n",
    );
    for command in COMMANDS {
        let forms: Vec<String> =
            command.forms().iter().map(|form| format!("`{}`", form.replace('|', "\\|"))).collect();
        let bounds: Vec<String> =
            command.write.map_or(&[][..], |(p, _)| p).iter().filter_map(bounds).collect();
        let test = match command.test {
            None => "–".to_owned(),
            Some("") => "`OK` alone".to_owned(),
            Some(values) => format!("`{}: {values}`", command.name),
        };
        let _ = writeln!(
            page,
            "| `AT{}` | {} | {} | {test} | {} | {} |",
            command.name,
            forms.join("<br>"),
            bounds.join("; "),
            command.summary,
            command.source
        );
    }
    page
}

fn bounds(parameter: &Parameter) -> Option<String> {
    let Parameter { name, kind, .. } = parameter;
    match kind {
        ParameterKind::Number(least, most) => Some(format!("{name} {least}–{most}")),
        ParameterKind::NumberOf(numbers) => {
            let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
            Some(format!("{name} {}", numbers.join(", ")))
        }
        ParameterKind::WordOf(words) => Some(format!("{name} {}", words.join(", "))),
        ParameterKind::Text(least, most) => Some(format!("{name} {least}..{most}")),
        ParameterKind::Octets(most) => Some(format!("{name} 0..{most}")),
        ParameterKind::Name => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_upper_case() {
        for (at, command) in COMMANDS.iter().enumerate() {
            assert_eq!(command.name, command.name.to_ascii_uppercase());
            assert!(COMMANDS.iter().skip(at + 1).all(|other| other.name != command.name), "{}", command.name);
            assert_eq!(command.test.is_none(), command.is_basic(), "{}", command.name);
            assert!(command.form_kinds().next().is_some() && !command.summary.is_empty(), "{}", command.name);
        }
    }

    #[test]
    fn forms_are_written_as_they_are_typed() {
        let forms = |name| Command::named(name).unwrap().forms();
        assert_eq!(forms("+SMTPSRV"), ["AT+SMTPSRV", "AT+SMTPSRV?", "AT+SMTPSRV=\"server\"[,port]"]);
        assert_eq!(forms("+FSCD"), ["AT+FSCD?", "AT+FSCD=path"]);
        assert_eq!(forms("S3"), ["ATS3?", "ATS3=octet"]);
        assert_eq!(forms("+SMTPRCPT")[2], "AT+SMTPRCPT=kind[,index[,\"address\"[,\"name\"]]]");
    }

    #[test]
    fn the_documentation_is_not_stale() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/commands.md");
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            page == documentation(),
            "stale: write it anew with `cargo run -- commands > docs/commands.md`"
        );
    }
}
