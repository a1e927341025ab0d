//! What hosts set and read back: the values that commands keep (commands.md §5).
//!
//! Not here: which commands keep values, and how long ([`crate::command::table`]), and what a value means, which the code
//! knows that it means something to.

use crate::command::table::{Arguments, COMMANDS, Command};
use crate::terminal::grammar::{CommandLine, Form, Invocation};
use mail::secret::Secret;
use std::collections::BTreeMap;

/// Values by command, each as its read form prints it.
type Values = BTreeMap<&'static str, Vec<String>>;

/// The values of every command that keeps some.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Those that are not the factory's.
    set: Values,
    /// What AT&W stored; nothing but another AT&W changes it.
    profile: Values,
}

impl Kept {
    /// What a command's read form prints behind its name.
    pub(crate) fn text(&self, command: &Command) -> String {
        self.values(command).join(",")
    }

    /// A command's value as a number.
    pub(crate) fn number(&self, name: &str, at: usize) -> u32 {
        let values = Command::named(name).map(|command| self.values(command)).unwrap_or_default();
        values.get(at).and_then(|value| value.parse().ok()).unwrap_or_default()
    }

    /// Keeps what was given. What was not stays as it was (V.250 §5.4.3.3), but a basic command's number is 0 then
    /// (V.250 §5.3.1).
    pub(crate) fn keep(&mut self, arguments: &Arguments) {
        let command = arguments.command();
        let mut values = self.values(command);
        for (at, value) in values.iter_mut().enumerate() {
            match arguments.printed(at) {
                Some(given) => *value = given,
                None if command.is_basic() => "0".clone_into(value),
                None => {}
            }
        }
        self.set.insert(command.name, values);
    }

    /// Sets one of a command's values, when it is not just what its write form was given.
    pub(crate) fn set(&mut self, name: &'static str, at: usize, number: u32) {
        let mut values = Command::named(name).map(|command| self.values(command)).unwrap_or_default();
        if let Some(value) = values.get_mut(at) {
            *value = number.to_string();
            self.set.insert(name, values);
        }
    }

    /// AT&W.
    pub(crate) fn store(&mut self) {
        self.profile = self.set.clone();
        self.profile.retain(|name, _| is_in_profile(name));
    }

    /// What AT&W stored, for [`Self::with_profile`]: a command in each line.
    pub(crate) fn profile(&self) -> String {
        let mut lines = String::new();
        for (name, values) in &self.profile {
            lines.push_str(name);
            // As a host would set it: AT&D2, ATS0=0, AT+IFC=2,2.
            lines.push_str(if name.starts_with(['+', 'S']) { "=" } else { "" });
            lines.push_str(&values.join(","));
            lines.push('\n');
        }
        lines
    }

    /// The factory's values, with a profile that AT&W stored before. A line that sets nothing that it stores is passed
    /// over: it is a file that lay on a disk.
    pub(crate) fn with_profile(lines: &str) -> Self {
        let mut kept = Self::default();
        for line in lines.lines() {
            let Some(mut commands) = CommandLine::new(Secret::new(format!("AT{line}"))) else { continue };
            let Ok(Some(Invocation { name, form: Form::Write(typed) })) = commands.next_command() else {
                continue;
            };
            if let Some(command) = Command::named(&name)
                && let Some((arguments, _)) = command.check(&typed)
            {
                kept.keep(&arguments);
            }
        }
        kept.store();
        kept.set.clear();
        kept
    }

    /// ATZ: what AT&W stored, or the factory's.
    pub(crate) fn restore(&mut self) {
        self.restore_factory();
        self.set.extend(self.profile.clone());
    }

    /// AT&F. What AT&W stored stays stored.
    pub(crate) fn restore_factory(&mut self) {
        self.set.retain(|name, _| !is_in_profile(name));
    }

    /// The power comes on.
    pub(crate) fn power_on(&mut self) {
        self.set.clear();
        self.restore();
    }

    /// AT&V: each command that AT&W stores, with its values.
    pub(crate) fn profile_text(&self) -> String {
        let stored = COMMANDS.iter().filter(|command| command.is_in_profile);
        let texts: Vec<String> =
            stored.map(|command| format!("{}: {}", command.name, self.text(command))).collect();
        texts.join("; ")
    }

    fn values(&self, command: &Command) -> Vec<String> {
        match self.set.get(command.name) {
            Some(values) => values.clone(),
            None => command.values.iter().map(|&value| value.to_owned()).collect(),
        }
    }
}

fn is_in_profile(name: &str) -> bool {
    Command::named(name).is_some_and(|command| command.is_in_profile)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(kept: &mut Kept, line: &str) {
        let invocation = CommandLine::new(Secret::new(line)).unwrap().next_command().unwrap().unwrap();
        let command = Command::named(&invocation.name).unwrap();
        let arguments = match &invocation.form {
            Form::Write(typed) => command.check(typed).unwrap().0,
            _ => Arguments::none(command),
        };
        kept.keep(&arguments);
    }

    fn text(kept: &Kept, name: &str) -> String {
        kept.text(Command::named(name).unwrap())
    }

    #[test]
    fn what_is_omitted_stays_but_is_0_in_a_basic_command() {
        let mut kept = Kept::default();
        keep(&mut kept, "AT+IFC=2,2");
        keep(&mut kept, "AT+IFC=0");
        assert_eq!(text(&kept, "+IFC"), "0,2");
        assert_eq!(kept.number("&D", 0), 2);
        keep(&mut kept, "AT&D");
        assert_eq!(kept.number("&D", 0), 0);
    }

    #[test]
    fn a_profile_is_what_was_stored_and_nothing_else() {
        let mut kept = Kept::default();
        for line in ["ATX4", "AT+CFUN=4", "AT+CSCS=\"gsm\""] {
            keep(&mut kept, line);
        }
        kept.store();
        keep(&mut kept, "ATX2");
        keep(&mut kept, "AT+IFC=2");
        kept.restore();
        assert_eq!(
            ["X", "+CFUN", "+CSCS", "+IFC"].map(|name| text(&kept, name)),
            ["4", "4", "\"GSM\"", "0,0"]
        );
        kept.restore_factory();
        assert_eq!(["X", "+CFUN"].map(|name| text(&kept, name)), ["1", "4"]);
        kept.power_on();
        assert_eq!(["X", "+CFUN"].map(|name| text(&kept, name)), ["4", "1"]);
    }

    #[test]
    fn a_profile_outlives_the_power() {
        let mut kept = Kept::default();
        for line in ["ATE0", "AT&D0", "ATS0=2", "AT+CSCS=\"GSM\"", "AT+IFC=2,2", "AT+CMEE=2"] {
            keep(&mut kept, line);
        }
        kept.store();
        let mut again = Kept::with_profile(&kept.profile());
        again.power_on();
        assert_eq!(again.profile, kept.profile);
        assert_eq!(
            ["E", "&D", "S0", "+CSCS", "+IFC", "+CMEE"].map(|name| text(&again, name)),
            ["0", "0", "2", "\"GSM\"", "2,2", "2"]
        );
    }

    #[test]
    fn what_is_no_profile_sets_nothing() {
        let lines = "E0\nE7\n+NOSUCH=1\n+CFUN=4\n+SMTPSUB=\"x\"\n\n\u{0}\n&F\n+IFC=\nS0=1;+IFC=2";
        let kept = Kept::with_profile(lines);
        assert_eq!(kept.profile(), "E0\nS0=1\n");
    }

    /// One value for each parameter that reads back, and each fits its parameter.
    #[test]
    fn the_factory_s_values_can_be_set() {
        for command in COMMANDS.iter().filter(|command| command.is_in_profile) {
            let mut kept = Kept::default();
            let (factory, separator) = (kept.text(command), if command.is_basic() { "" } else { "=" });
            let separator = if command.name.starts_with('S') { "=" } else { separator };
            keep(&mut kept, &format!("AT{}{separator}{factory}", command.name));
            assert_eq!(kept.text(command), factory, "{}", command.name);
        }
    }
}
