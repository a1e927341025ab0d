//! A command line as a trace may tell it: what is secret, or might be, is `***`.
//!
//! A parameter that the table calls secret is masked, whatever was typed there. So is everything that is not understood
//! to be harmless: a host that misspells a command, or loses the end of a line, sends its passwords all the same.
//!
//! Not here: which parameters are secret ([`crate::command::table`]).

use crate::command::table::{COMMANDS, Command};
use crate::terminal::grammar::{Argument, CommandLine, Form, Invocation};
use mail::secret::Secret;

/// Longest number that is told wherever it stands: a PIN has four digits.
const NUMBER_DIGITS_MAX: usize = 3;

/// As much is told of a name that is none.
const NAME_OCTETS_MAX: usize = 16;

/// The line without secrets. Behind the first one, or what may be one, nothing of it is told.
pub(crate) fn masked(line: &[u8]) -> Vec<u8> {
    let Some(mut commands) = CommandLine::new(Secret::new(line)) else {
        return if line.is_empty() { Vec::new() } else { Secret::MASK.into() };
    };
    let mut told = line.get(..2).unwrap_or_default().to_vec();
    loop {
        let before = Secret::new(commands.rest());
        let before = before.reveal();
        let next = commands.next_command();
        let as_typed = before.get(..before.len() - commands.rest().len()).unwrap_or_default();
        match next {
            Ok(None) => {
                told.extend_from_slice(as_typed);
                return told;
            }
            Ok(Some(invocation)) if is_harmless(&invocation) => told.extend_from_slice(as_typed),
            Ok(Some(invocation)) => {
                told.extend(as_typed.iter().take_while(|octet| b" ;".contains(octet)));
                told.extend_from_slice(&with_masks(&invocation));
                if let Some(first) = commands.rest().first() {
                    told.extend((*first == b';').then_some(b';'));
                    told.extend_from_slice(Secret::MASK.as_bytes());
                }
                return told;
            }
            Err(_) => {
                let name = before.iter().take_while(|octet| b" ;+".contains(octet)).count();
                told.extend_from_slice(before.get(..name).unwrap_or_default());
                told.extend(
                    before
                        .iter()
                        .skip(name)
                        .take_while(|octet| octet.is_ascii_alphanumeric())
                        .take(NAME_OCTETS_MAX),
                );
                told.extend_from_slice(Secret::MASK.as_bytes());
                return told;
            }
        }
    }
}

/// Whether nothing on it can be a secret.
fn is_harmless(invocation: &Invocation) -> bool {
    let Some(command) = Command::named(&invocation.name) else { return false };
    match &invocation.form {
        Form::Execute | Form::Read | Form::Test => true,
        Form::Write(arguments) => {
            (0..).zip(arguments).all(|(at, argument)| look(Some(command), at, argument) == Look::Harmless)
        }
    }
}

/// What an argument is taken for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Harmless,
    Secret,
    /// Out of its place: what is behind it may be anything.
    Astray,
}

fn look(command: Option<&Command>, at: usize, argument: &Argument) -> Look {
    let octets = octets(argument);
    let is_short_number = octets.len() <= NUMBER_DIGITS_MAX && octets.iter().all(u8::is_ascii_digit);
    match command.and_then(|command| command.parameters().get(at)) {
        Some(parameter) if parameter.secret && !octets.is_empty() => Look::Secret,
        _ if is_short_number => Look::Harmless,
        // Where a secret follows, it may be in the argument before it, for want of the quotes between.
        Some(_) if octets.contains(&b',') && command.is_some_and(has_secret) => Look::Astray,
        Some(parameter) if parameter.fits(argument) && !mentions_secret_command(octets) => Look::Harmless,
        _ => Look::Astray,
    }
}

fn octets(argument: &Argument) -> &[u8] {
    match argument {
        Argument::Omitted => &[],
        Argument::Quoted(octets) | Argument::Bare(octets) => octets.reveal(),
    }
}

/// Whether a command has a parameter that is secret.
fn has_secret(command: &Command) -> bool {
    command.parameters().iter().any(|parameter| parameter.secret)
}

/// Whether a line with secrets has become part of it, for want of the line end before.
fn mentions_secret_command(octets: &[u8]) -> bool {
    let octets = octets.to_ascii_uppercase();
    let mut secret = COMMANDS.iter().filter(|command| has_secret(command));
    secret.any(|command| octets.windows(command.name.len()).any(|part| part == command.name.as_bytes()))
}

/// The command, written anew.
fn with_masks(invocation: &Invocation) -> Vec<u8> {
    let command = Command::named(&invocation.name);
    let mut told: Vec<u8> = invocation.name.bytes().take(NAME_OCTETS_MAX).collect();
    match &invocation.form {
        Form::Execute => {}
        Form::Read => told.push(b'?'),
        Form::Test => told.extend_from_slice(b"=?"),
        Form::Write(arguments) => {
            let mut is_astray = false;
            for (at, argument) in (0..).zip(arguments) {
                told.push(if at == 0 { b'=' } else { b',' });
                let look = look(command, at, argument);
                is_astray |= look == Look::Astray;
                let is_told = look == Look::Harmless && !is_astray;
                let octets = if is_told { octets(argument) } else { Secret::MASK.as_bytes() };
                let quote: &[u8] = if matches!(argument, Argument::Quoted(_)) { b"\"" } else { b"" };
                told.extend_from_slice(&[quote, octets, quote].concat());
            }
        }
    }
    told
}
