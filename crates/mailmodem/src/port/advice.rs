//! What the console knows of a line while it is typed: completion and hints from the table of commands, and whether it
//! may be kept.
//!
//! Not here: the editing itself ([`super::typist`]).

use modem::command::table::{COMMANDS, Command};
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use std::borrow::Cow;

/// Commands whose lines hold passwords.
const SECRET: [&str; 3] = ["+SMTPAUTH", "+POP3SRV", "+CSOCKAUTH"];

/// What can be typed to the console itself.
pub(super) const OWN_COMMANDS: [&str; 4] = [".help", ".card in", ".card out", ".quit"];

/// Whether a line may hold a password, which must not be kept.
pub(super) fn may_hold_secret(line: &str) -> bool {
    let line = line.to_ascii_uppercase();
    SECRET.iter().any(|name| line.contains(name))
}

/// What `.help` says: the commands whose names hold `word`, or all.
pub(super) fn help(word: &str) -> String {
    let word = word.trim().to_ascii_uppercase();
    let word = word.strip_prefix("AT").unwrap_or(&word);
    let mut page = String::new();
    for command in COMMANDS.iter().filter(|command| command.name.contains(word)) {
        let mut forms = command.forms();
        if forms.is_empty() {
            forms.push(format!("AT{}=?", command.name));
        }
        page.push_str(&format!("{}: {}\n", forms.join("  "), command.summary));
    }
    if page.is_empty() {
        page.push_str("there is no such command; .help lists all\n");
    }
    page
}

/// The last command of a line, without `AT` or the `;` before it, and where it begins.
fn last_command(line: &str) -> Option<(usize, &str)> {
    let at = line.get(..2).filter(|start| start.eq_ignore_ascii_case("AT"))?.len();
    let mut is_quoted = false;
    let start = line.char_indices().skip(at).fold(at, |start, (index, c)| match c {
        '"' => {
            is_quoted = !is_quoted;
            start
        }
        ';' if !is_quoted => index + 1,
        _ => start,
    });
    line.get(start..).map(|command| (start, command))
}

fn named_like<'a>(start: &str) -> impl Iterator<Item = &'static Command> + use<'a> {
    let start = start.to_ascii_uppercase();
    COMMANDS.iter().filter(move |command| command.name.starts_with(&start))
}

/// Completes and hints while a command line is typed. Texts are the typist's own.
pub(super) struct Advice {
    pub(super) is_text: Box<dyn Fn() -> bool + Send>,
}

/// What stands dim behind what is typed.
pub(super) struct Remark {
    words: String,
    /// Whether it is the rest of what is being typed.
    is_rest: bool,
}

fn remark(line: &str) -> Option<Remark> {
    let (_, typed) = last_command(line)?;
    if typed.len() < 2 {
        return None;
    }
    if let Some((name, "")) = typed.split_once('=') {
        let command = Command::named(&name.to_ascii_uppercase())?;
        let start = format!("AT{}=", command.name);
        let words = command.forms().iter().find_map(|form| form.strip_prefix(&start).map(str::to_owned))?;
        return Some(Remark { words, is_rest: false });
    }
    let command = named_like(typed).next()?;
    let rest = command.name.get(typed.len()..)?;
    Some(if rest.is_empty() {
        Remark { words: format!("   {}", command.summary), is_rest: false }
    } else {
        Remark { words: rest.to_owned(), is_rest: true }
    })
}

impl Hint for Remark {
    fn display(&self) -> &str {
        &self.words
    }

    fn completion(&self) -> Option<&str> {
        self.is_rest.then_some(&self.words)
    }
}

impl Hinter for Advice {
    type Hint = Remark;

    fn hint(&self, line: &str, at: usize, _: &Context<'_>) -> Option<Remark> {
        if at < line.len() || (self.is_text)() { None } else { remark(line) }
    }
}

impl Completer for Advice {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = line.get(..at).unwrap_or_default();
        Ok(match last_command(typed) {
            Some((start, "")) => (start, Vec::new()),
            Some((start, typed)) => {
                (start, named_like(typed).map(|command| command.name.to_owned()).collect())
            }
            None => {
                let own = OWN_COMMANDS.iter().filter(|own| !typed.is_empty() && own.starts_with(typed));
                (0, own.map(ToString::to_string).collect())
            }
        })
    }
}

impl Highlighter for Advice {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(super::screen::dim(hint))
    }
}

impl Validator for Advice {}

impl Helper for Advice {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_command_of_a_line() {
        for (line, last) in [
            ("AT+SMTPS", Some((2, "+SMTPS"))),
            ("at", Some((2, ""))),
            ("ATE0;+SMTPSUB=\"a;b\";+F", Some((20, "+F"))),
            ("AT+SMTPSUB=\"\u{fc};", Some((2, "+SMTPSUB=\"\u{fc};"))),
            ("\u{fc}\u{fc}", None),
            (".help", None),
            ("A", None),
        ] {
            assert_eq!(last_command(line), last, "{line}");
        }
    }

    #[test]
    fn remarks() {
        let words = |line| remark(line).map(|remark| remark.words);
        assert_eq!(words("at+smtpsr").as_deref(), Some("V"));
        assert_eq!(words("AT+SMTPSRV=").as_deref(), Some("\"server\"[,port]"));
        assert_eq!(words("AT+SMTPSEND").as_deref(), Some("   sends the mail"));
        assert_eq!(words("AT+SMTPSRV=\"x"), None);
        assert_eq!(words("AT+\u{fc}"), None);
        assert_eq!(words("AT"), None);
    }

    #[test]
    fn lines_with_passwords_are_told() {
        assert!(may_hold_secret("at+smtpauth=1,\"u\",\"p\""));
        assert!(may_hold_secret("ATE0;+POP3SRV=\"h\",\"u\",\"p\""));
        assert!(!may_hold_secret("AT+SMTPSRV=\"h\""));
    }

    #[test]
    fn help_finds_commands() {
        assert_eq!(help("at+smtpstop").lines().count(), 1);
        assert_eq!(help("").lines().count(), COMMANDS.len());
        assert!(help("").lines().all(|line| line.starts_with("AT")));
    }
}
