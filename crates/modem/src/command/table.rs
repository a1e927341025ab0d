//! The one table of commands. From it come dispatch, test forms, AT+CLAC, `docs/commands.md`, and the console's
//! completion and help.
//!
//! Not here: what the commands do.

use super::{Run, files, general, network, pop3, smtp};
use crate::limits::{BODY_OCTETS_MAX, CONTEXTS_MAX};
use crate::terminal::grammar::{Argument, CommandLine, Form, Invocation};
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
}

/// A parameter of a write form.
pub struct Parameter {
    /// What it is called in the documentation.
    pub name: &'static str,
    /// What it may be.
    pub kind: ParameterKind,
    /// Whether it may be left out.
    pub optional: bool,
}

/// What an argument may be.
#[derive(Clone, Copy)]
pub enum ParameterKind {
    /// A whole number, both ends included; in quotes too.
    Number(u32, u32),
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

/// Arguments that fit their parameters.
#[derive(Debug, Default)]
pub(crate) struct Arguments(Vec<Value>);

#[derive(Debug)]
enum Value {
    Omitted,
    Number(u32),
    Octets(Vec<u8>),
}

impl Arguments {
    /// Checks what was typed against what may be. `None`: one too many, one missing, or one that does not fit.
    fn check(parameters: &[Parameter], typed: &[Argument]) -> Option<Self> {
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
        Some(Self(values))
    }

    /// Whether this one or one behind it was given.
    pub(crate) fn any_from(&self, at: usize) -> bool {
        self.0.iter().skip(at).any(|value| !matches!(value, Value::Omitted))
    }

    /// A number; `None` when it was omitted.
    pub(crate) fn number(&self, at: usize) -> Option<u32> {
        match self.0.get(at)? {
            Value::Number(number) => Some(*number),
            Value::Omitted | Value::Octets(_) => None,
        }
    }

    /// Octets of a text or a name; `None` when it was omitted.
    pub(crate) fn octets(&self, at: usize) -> Option<&[u8]> {
        match self.0.get(at)? {
            Value::Octets(octets) => Some(octets),
            Value::Omitted | Value::Number(_) => None,
        }
    }

    /// The same as characters: the drives, addresses and server names of this modem are UTF-8. `None` too when they are
    /// not.
    pub(crate) fn text(&self, at: usize) -> Option<&str> {
        std::str::from_utf8(self.octets(at)?).ok()
    }
}

impl ParameterKind {
    fn check(self, argument: &Argument) -> Option<Value> {
        let (octets, is_quoted) = match argument {
            Argument::Omitted => return None,
            Argument::Quoted(octets) => (octets, true),
            Argument::Bare(octets) => (octets, false),
        };
        let one_line = || !octets.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0));
        match self {
            Self::Number(least, most) => {
                let digits =
                    std::str::from_utf8(octets).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
                let number = digits?.parse().ok().filter(|number| (least..=most).contains(number))?;
                Some(Value::Number(number))
            }
            Self::Text(least, most) => {
                let fits = is_quoted && (least..=most).contains(&octets.len()) && one_line();
                fits.then(|| Value::Octets(octets.clone()))
            }
            Self::Octets(most) => (is_quoted && octets.len() <= most).then(|| Value::Octets(octets.clone())),
            Self::Name => (!octets.is_empty() && one_line()).then(|| Value::Octets(octets.clone())),
        }
    }
}

impl Command {
    /// The command of a name in upper case.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        COMMANDS.iter().find(|command| command.name == name)
    }

    /// Checks arguments for the write form.
    pub(crate) fn check(&self, typed: &[Argument]) -> Option<(Arguments, Run)> {
        let (parameters, run) = self.write?;
        Some((Arguments::check(parameters, typed)?, run))
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
    let Some(mut line) = CommandLine::new(line.to_vec()) else { return forms };
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
    for (at, Parameter { name, kind, optional }) in parameters.iter().enumerate() {
        if *optional {
            list.push('[');
            open += 1;
        }
        if at > 0 {
            list.push(',');
        }
        // Writing to a String cannot fail.
        let _ = match kind {
            ParameterKind::Text(..) | ParameterKind::Octets(_) => write!(list, "\"{name}\""),
            ParameterKind::Number(..) | ParameterKind::Name => write!(list, "{name}"),
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
        ParameterKind::Text(least, most) => Some(format!("{name} {least}..{most}")),
        ParameterKind::Octets(most) => Some(format!("{name} 0..{most}")),
        ParameterKind::Name => None,
    }
}

const fn number(name: &'static str, least: u32, most: u32) -> Parameter {
    Parameter { name, kind: ParameterKind::Number(least, most), optional: false }
}

const fn text(name: &'static str, least: usize, most: usize) -> Parameter {
    Parameter { name, kind: ParameterKind::Text(least, most), optional: false }
}

const fn name(name: &'static str) -> Parameter {
    Parameter { name, kind: ParameterKind::Name, optional: false }
}

const fn optional(parameter: Parameter) -> Parameter {
    Parameter { optional: true, ..parameter }
}

/// A mail's number in its session (RFC 1939 §5).
const MAIL_ID: Parameter = number("id", 1, u32::MAX);

/// A row that does nothing; rows of the table fill in what they have.
const ROW: Command =
    Command { name: "", summary: "", source: "", test: Some(""), read: None, write: None, execute: None };

/// A basic command with a number (V.250 §5.3.1), as most of them are: bare is the same as 0.
const fn basic(
    name: &'static str,
    parameters: &'static [Parameter],
    summary: &'static str,
    run: Run,
) -> Command {
    Command {
        name,
        summary,
        source: "V.250",
        test: None,
        write: Some((parameters, run)),
        execute: Some(run),
        ..ROW
    }
}

/// An S register (V.250 §5.3.2).
const fn register(
    name: &'static str,
    parameters: &'static [Parameter],
    summary: &'static str,
    read: Run,
    write: Run,
) -> Command {
    Command {
        name,
        summary,
        source: "V.250",
        test: None,
        read: Some(read),
        write: Some((parameters, write)),
        ..ROW
    }
}

/// Every command there is.
pub static COMMANDS: &[Command] = &[
    basic("E", &[number("on", 0, 1)], "echo of what is typed", general::echo),
    basic("Q", &[number("quiet", 0, 1)], "1: no final result codes", general::quiet),
    basic("V", &[number("words", 0, 1)], "result codes in words (1) or numbers (0)", general::verbose),
    register("S0", &[number("rings", 0, 255)], "kept; nobody calls", general::read_s0, general::write_s0),
    register(
        "S3",
        &[number("octet", 0, 127)],
        "the octet that ends a line",
        general::read_s3,
        general::write_s3,
    ),
    register(
        "S4",
        &[number("octet", 0, 127)],
        "the octet behind it in answers",
        general::read_s4,
        general::write_s4,
    ),
    register(
        "S5",
        &[number("octet", 0, 127)],
        "the octet that takes one back",
        general::read_s5,
        general::write_s5,
    ),
    basic("&C", &[number("mode", 0, 2)], "accepted; the program drives the DCD line", general::accept),
    basic("&D", &[number("mode", 0, 2)], "accepted; the program reads the DTR line", general::accept),
    Command {
        name: "+CLAC",
        summary: "lists every command",
        source: "27.007 §8.37",
        execute: Some(general::list_commands),
        ..ROW
    },
    Command {
        name: "+CMEE",
        summary: "how errors of 27.007 commands are told",
        source: "27.007 §9.1",
        test: Some("(0-2)"),
        read: Some(general::read_cmee),
        write: Some((&[number("mode", 0, 2)], general::write_cmee)),
        ..ROW
    },
    Command {
        name: "+FCLASS",
        summary: "kept; there is no fax",
        source: "V.250 §6.5",
        test: Some("(0)"),
        read: Some(general::read_fclass),
        write: Some((&[number("class", 0, 0)], general::accept)),
        ..ROW
    },
    Command {
        name: "+CCLK",
        summary: "the clock that mails are dated by",
        source: "27.007 §8.15",
        read: Some(general::read_clock),
        write: Some((&[text("yy/MM/dd,hh:mm:ss[±zz]", 17, 20)], general::write_clock)),
        ..ROW
    },
    Command {
        name: "+CGSOCKCONT",
        summary: "the PDP context that mail opens",
        source: "note §3.1",
        read: Some(network::read_contexts),
        write: Some((
            &[
                number("cid", 1, CONTEXTS_MAX),
                optional(text("type", 0, 16)),
                optional(text("apn", 0, 100)),
                optional(text("address", 0, 64)),
                optional(number("data compression", 0, 2)),
                optional(number("header compression", 0, 4)),
            ],
            network::write_context,
        )),
        ..ROW
    },
    Command {
        name: "+SMTPSRV",
        summary: "the SMTP server",
        source: "note §2",
        test: Some("(1-65535)"),
        read: Some(smtp::read_server),
        write: Some((&[text("server", 1, 128), optional(number("port", 1, 65_535))], smtp::write_server)),
        execute: Some(smtp::clear_server),
    },
    Command {
        name: "+SMTPAUTH",
        summary: "whether to log in, and as whom",
        source: "note §2",
        test: Some("(0,1)"),
        read: Some(smtp::read_authentication),
        write: Some((
            &[number("log in", 0, 1), optional(text("user", 1, 128)), optional(text("password", 0, 128))],
            smtp::write_authentication,
        )),
        execute: Some(smtp::clear_authentication),
    },
    Command {
        name: "+SMTPFROM",
        summary: "the sender",
        source: "note §2",
        read: Some(smtp::read_sender),
        write: Some((&[text("address", 1, 128), optional(text("name", 0, 64))], smtp::write_sender)),
        execute: Some(smtp::clear_sender),
        ..ROW
    },
    Command {
        name: "+SMTPRCPT",
        summary: "a recipient: kind 0 To, 1 Cc, 2 Bcc; without an address, clears",
        source: "note §2",
        test: Some("(0-2),(0-4)"),
        read: Some(smtp::read_recipients),
        write: Some((
            &[
                number("kind", 0, 2),
                optional(number("index", 0, 4)),
                optional(text("address", 1, 128)),
                optional(text("name", 0, 64)),
            ],
            smtp::write_recipient,
        )),
        execute: Some(smtp::clear_recipients),
    },
    Command {
        name: "+SMTPSUB",
        summary: "the subject",
        source: "note §2",
        read: Some(smtp::read_subject),
        write: Some((&[text("subject", 0, 512)], smtp::write_subject)),
        execute: Some(smtp::clear_subject),
        ..ROW
    },
    Command {
        name: "+SMTPBODY",
        summary: "the text; bare: typed at the prompt, Ctrl-Z ends it, ESC cancels",
        source: "note §2",
        read: Some(smtp::read_body),
        write: Some((
            &[Parameter { name: "text", kind: ParameterKind::Octets(512), optional: false }],
            smtp::write_body,
        )),
        execute: Some(smtp::ask_body),
        ..ROW
    },
    Command {
        name: "+SMTPBCH",
        summary: "the charset of subject, names and text",
        source: "commands.md §2",
        test: Some("\"CHARSET\""),
        read: Some(smtp::read_charset),
        write: Some((&[text("charset", 1, 30)], smtp::write_charset)),
        execute: Some(smtp::reset_charset),
    },
    Command {
        name: "+SMTPFILE",
        summary: "an attachment; without a name, removes it",
        source: "note §2",
        test: Some("(1-10)"),
        read: Some(smtp::read_files),
        write: Some((&[number("index", 1, 10), optional(name("name"))], smtp::write_file)),
        execute: Some(smtp::clear_files),
    },
    Command {
        name: "+SMTPSEND",
        summary: "sends the mail",
        source: "note §3.2",
        read: Some(smtp::read_sending),
        execute: Some(smtp::send),
        ..ROW
    },
    Command {
        name: "+SMTPSTOP",
        summary: "aborts the sending",
        source: "note §3.3",
        execute: Some(smtp::stop),
        ..ROW
    },
    Command {
        name: "+POP3SRV",
        summary: "the POP3 server and the account there",
        source: "note §2",
        test: Some("(1-65535)"),
        read: Some(pop3::read_account),
        write: Some((
            &[
                text("server", 1, 128),
                text("user", 1, 128),
                text("password", 0, 128),
                optional(number("port", 1, 65_535)),
            ],
            pop3::write_account,
        )),
        execute: Some(pop3::clear_account),
    },
    Command {
        name: "+POP3IN",
        summary: "opens a session and logs in",
        source: "note §4.2",
        read: Some(pop3::read_session),
        execute: Some(pop3::log_in),
        ..ROW
    },
    Command {
        name: "+POP3NUM",
        summary: "how many mails there are, and their octets",
        source: "note §4.2",
        execute: Some(pop3::count),
        ..ROW
    },
    Command {
        name: "+POP3LIST",
        summary: "the octets of a mail, or of each",
        source: "note §4.3",
        write: Some((&[MAIL_ID], pop3::list_one)),
        execute: Some(pop3::list_all),
        ..ROW
    },
    Command {
        name: "+POP3HDR",
        summary: "who wrote a mail, when, and about what",
        source: "note §4.3",
        write: Some((&[MAIL_ID], pop3::header)),
        ..ROW
    },
    Command {
        name: "+POP3GET",
        summary: "saves a mail: 1 text and attachments, 2 the message as it came, 3 both",
        source: "note §4.4",
        write: Some((&[MAIL_ID, optional(number("type", 1, 3))], pop3::get)),
        ..ROW
    },
    Command {
        name: "+POP3DEL",
        summary: "marks a mail, to be deleted by AT+POP3OUT",
        source: "note §4.5",
        write: Some((&[MAIL_ID], pop3::delete)),
        ..ROW
    },
    Command {
        name: "+POP3OUT",
        summary: "ends the session, and deletes what is marked",
        source: "note §4.2",
        execute: Some(pop3::log_out),
        ..ROW
    },
    Command {
        name: "+POP3STOP",
        summary: "breaks the session off; nothing is deleted",
        source: "note §4.6",
        execute: Some(pop3::stop),
        ..ROW
    },
    Command {
        name: "+POP3READ",
        summary: "shows the mail saved last, or a file of drive 0 C: or 1 D:",
        source: "note §4.7",
        write: Some((&[number("drive", 0, 1), text("folder/file", 1, 254)], pop3::read_one)),
        execute: Some(pop3::read_last),
        ..ROW
    },
    Command {
        name: "+FSCD",
        summary: "changes the current folder",
        source: "commands.md §4",
        read: Some(files::read_folder),
        write: Some((&[name("path")], files::change_folder)),
        ..ROW
    },
    Command {
        name: "+FSLS",
        summary: "lists the current folder: 0 all, 1 folders, 2 files",
        source: "commands.md §4",
        test: Some("(0-2)"),
        read: Some(files::count),
        write: Some((&[number("which", 0, 2)], files::list)),
        execute: Some(files::list),
    },
    Command {
        name: "+FSLOCA",
        summary: "the drive that mails are saved on: 0 C:, 1 D:",
        source: "commands.md §4",
        test: Some("(0,1)"),
        read: Some(files::read_location),
        write: Some((&[number("drive", 0, 1)], files::write_location)),
        ..ROW
    },
];

/// Longest text typed at a prompt.
pub(crate) const PROMPT_OCTETS_MAX: usize = BODY_OCTETS_MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_upper_case() {
        for (at, command) in COMMANDS.iter().enumerate() {
            assert_eq!(command.name, command.name.to_ascii_uppercase());
            assert!(COMMANDS.iter().skip(at + 1).all(|other| other.name != command.name), "{}", command.name);
            assert_eq!(command.test.is_some(), command.name.starts_with('+'), "{}", command.name);
            assert!(!command.forms().is_empty() && !command.summary.is_empty(), "{}", command.name);
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
