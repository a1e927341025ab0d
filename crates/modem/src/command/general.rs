//! Commands about the line and the modem itself (commands.md §1, §5).

use super::Answer;
use super::table::{Arguments, COMMANDS};
use crate::modem::Modem;
use mail::machine::Instant;

/// What hosts set and read back, and nothing here depends on.
#[derive(Debug, Default)]
pub(crate) struct General {
    s0: u32,
    cmee: u32,
}

/// A basic command's number: none is the same as 0.
fn is_on(arguments: &Arguments) -> bool {
    arguments.number(0) == Some(1)
}

pub(super) fn echo(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    modem.terminal.echo = is_on(arguments);
    Answer::OK
}

pub(super) fn quiet(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    modem.terminal.quiet = is_on(arguments);
    Answer::OK
}

pub(super) fn verbose(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    modem.terminal.verbose = is_on(arguments);
    Answer::OK
}

/// For settings that are right in any value: there is nothing behind them.
pub(super) fn accept(_: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    Answer::OK
}

fn say_register(modem: &mut Modem, value: u32) -> Answer {
    modem.terminal.say(&[format!("{value:03}")]);
    Answer::OK
}

/// An octet from a parameter that the table bounds to 0..=127.
fn octet(arguments: &Arguments) -> u8 {
    arguments.number(0).and_then(|number| u8::try_from(number).ok()).unwrap_or_default()
}

pub(super) fn read_s0(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    say_register(modem, modem.general.s0)
}

pub(super) fn write_s0(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    modem.general.s0 = arguments.number(0).unwrap_or_default();
    Answer::OK
}

pub(super) fn read_s3(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    say_register(modem, modem.terminal.registers.line_end.into())
}

pub(super) fn write_s3(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    modem.terminal.registers.line_end = octet(arguments);
    Answer::OK
}

pub(super) fn read_s4(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    say_register(modem, modem.terminal.registers.line_feed.into())
}

pub(super) fn write_s4(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    modem.terminal.registers.line_feed = octet(arguments);
    Answer::OK
}

pub(super) fn read_s5(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    say_register(modem, modem.terminal.registers.backspace.into())
}

pub(super) fn write_s5(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    modem.terminal.registers.backspace = octet(arguments);
    Answer::OK
}

pub(super) fn list_commands(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    let names: Vec<String> = COMMANDS.iter().map(|command| format!("AT{}", command.name)).collect();
    modem.terminal.say(&names);
    Answer::OK
}

pub(super) fn read_cmee(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    modem.terminal.say(&[format!("+CMEE: {}", modem.general.cmee)]);
    Answer::OK
}

pub(super) fn write_cmee(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    modem.general.cmee = arguments.number(0).unwrap_or_default();
    Answer::OK
}

pub(super) fn read_fclass(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    modem.terminal.say(&["+FCLASS: 0"]);
    Answer::OK
}

pub(super) fn read_clock(modem: &mut Modem, _: &Arguments, now: Instant) -> Answer {
    let time = modem.clock.read(now);
    modem.terminal.say(&[format!("+CCLK: \"{time}\"")]);
    Answer::OK
}

pub(super) fn write_clock(modem: &mut Modem, arguments: &Arguments, now: Instant) -> Answer {
    Answer::ok_if_some(arguments.octets(0).and_then(|time| modem.clock.set(time, now)))
}
