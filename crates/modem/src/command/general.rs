//! Commands about the line and the modem itself (commands.md §1, §5).

use super::Answer;
use super::table::{Arguments, COMMANDS, Command};
use crate::modem::Modem;
use crate::settings::Identity;
use crate::terminal::Trouble;
use mail::machine::Instant;

/// For settings that are right in any value: there is nothing behind them.
pub(super) fn accept(_: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    Answer::OK
}

/// For a command of 27.007 that there is no use for.
pub(super) fn refuse(_: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    Answer::trouble(Trouble::NotAllowed)
}

/// Keeps what was given.
pub(super) fn keep(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    modem.kept.keep(arguments);
    modem.terminal.configure(&modem.kept);
    Answer::OK
}

/// Says what the command keeps, or always says.
pub(super) fn say_values(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    let line = values_line(modem, arguments.command());
    modem.terminal.say(&[line]);
    Answer::OK
}

fn values_line(modem: &Modem, command: &Command) -> String {
    format!("{}: {}", command.name, modem.kept.text(command))
}

pub(super) fn say_register(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    let value = modem.kept.number(arguments.command().name, 0);
    modem.terminal.say(&[format!("{value:03}")]);
    Answer::OK
}

pub(super) fn say_profile(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    let line = modem.kept.profile_text();
    modem.terminal.say(&[line]);
    Answer::OK
}

pub(super) fn store_profile(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    modem.kept.store();
    modem.tell_profile();
    Answer::OK
}

pub(super) fn restore_profile(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    modem.kept.restore();
    modem.terminal.configure(&modem.kept);
    Answer::OK
}

pub(super) fn restore_factory(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    modem.kept.restore_factory();
    modem.terminal.configure(&modem.kept);
    Answer::OK
}

pub(super) fn say_identity(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    let Identity { manufacturer, model, revision, imei, .. } = &modem.settings.identity;
    let mut lines = vec![
        format!("Manufacturer: {manufacturer}"),
        format!("Model: {model}"),
        format!("Revision: {revision}"),
        format!("IMEI: {imei}"),
    ];
    lines.extend(Command::named("+GCAP").map(|command| values_line(modem, command)));
    modem.terminal.say(&lines);
    Answer::OK
}

fn say(modem: &mut Modem, what: fn(&Identity) -> String) -> Answer {
    let line = what(&modem.settings.identity);
    modem.terminal.say(&[line]);
    Answer::OK
}

pub(super) fn say_manufacturer(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    say(modem, |identity| identity.manufacturer.clone())
}

pub(super) fn say_model(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    say(modem, |identity| identity.model.clone())
}

pub(super) fn say_revision(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    say(modem, |identity| identity.revision.clone())
}

pub(super) fn say_imei(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    say(modem, |identity| identity.imei.clone())
}

pub(super) fn say_imsi(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    say(modem, |identity| identity.imsi.clone())
}

pub(super) fn say_iccid(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    say(modem, |identity| format!("+ICCID: {}", identity.iccid))
}

pub(super) fn list_commands(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    let names: Vec<String> = COMMANDS.iter().map(|command| format!("AT{}", command.name)).collect();
    modem.terminal.say(&names);
    Answer::OK
}

pub(super) fn read_last_failure(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    let [words, reason] = modem.last_failure.fields();
    modem.terminal.say(&[format!("+MAILERR: \"{words}\",\"{reason}\"")]);
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
