//! Commands about drives, folders and files (commands.md §4).

use super::Answer;
use super::table::Arguments;
use crate::drive::{DriveError, Entry, Kind, Letter, Space};
use crate::modem::Modem;
use mail::machine::Instant;

pub(super) fn read_folder(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    modem.terminal.say(&[format!("+FSCD: {}", modem.files.current().as_folder())]);
    Answer::OK
}

pub(super) fn change_folder(modem: &mut Modem, arguments: &Arguments, now: Instant) -> Answer {
    match arguments.text(0).and_then(|path| modem.files.change_folder(path).ok()) {
        Some(()) => read_folder(modem, arguments, now),
        None => Answer::ERROR,
    }
}

/// The folders and files of the current folder, each in name order.
fn folders_and_files(modem: &Modem) -> Result<[Vec<Entry>; 2], DriveError> {
    let entries = modem.files.list()?;
    let (folders, files) = entries.into_iter().partition(|entry| entry.kind == Kind::Folder);
    Ok([folders, files])
}

pub(super) fn count(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    let Ok([folders, files]) = folders_and_files(modem) else { return Answer::ERROR };
    modem.terminal.say(&[format!("+FSLS: SUBDIRECTORIES:{},FILES:{}", folders.len(), files.len())]);
    Answer::OK
}

pub(super) fn list(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    let Ok([folders, files]) = folders_and_files(modem) else { return Answer::ERROR };
    let which = arguments.number(0).unwrap_or_default();
    let mut lines = Vec::new();
    for (title, entries, alone) in [("SUBDIRECTORIES", folders, 1), ("FILES", files, 2)] {
        if !entries.is_empty() && (which == 0 || which == alone) {
            lines.push(format!("+FSLS: {title}:"));
            lines.extend(entries.into_iter().map(|entry| entry.name.to_string()));
            lines.push(String::new());
        }
    }
    if !lines.is_empty() {
        modem.terminal.say(&lines);
    }
    Answer::OK
}

pub(super) fn read_location(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    let drive = match modem.files.location() {
        Letter::C => 0,
        Letter::D => 1,
    };
    modem.terminal.say(&[format!("+FSLOCA: {drive}")]);
    Answer::OK
}

pub(super) fn write_location(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    let drive = if arguments.number(0) == Some(1) { Letter::D } else { Letter::C };
    Answer::ok_if_some(modem.files.set_location(drive))
}

pub(super) fn make_folder(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    let Some(folder) = arguments.text(0) else { return Answer::ERROR };
    Answer::ok_if_done(modem.files.make_folder(folder))
}

pub(super) fn remove_folder(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    let Some(folder) = arguments.text(0) else { return Answer::ERROR };
    Answer::ok_if_done(modem.files.remove_folder(folder))
}

pub(super) fn delete(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    Answer::ok_if_done(match arguments.text(0) {
        Some("*.*") => modem.files.remove_files(),
        Some(file) => modem.files.remove_file(file),
        None => return Answer::ERROR,
    })
}

pub(super) fn rename(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    let (Some(from), Some(to)) = (arguments.text(0), arguments.text(1)) else { return Answer::ERROR };
    Answer::ok_if_done(modem.files.rename(from, to))
}

pub(super) fn attributes(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    let path = arguments.text(0).and_then(|file| modem.files.path(file).ok());
    let Some((octets, modified_s)) = path.and_then(|path| modem.files.attributes(&path).ok()) else {
        return Answer::ERROR;
    };
    modem.terminal.say(&[format!("+FSATTRI: {octets}, {}", modem.clock.tell(modified_s))]);
    Answer::OK
}

pub(super) fn memory(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    let mut drives = Vec::new();
    for letter in [Letter::C, Letter::D] {
        match modem.files.space(letter) {
            Ok(Space { total, used }) => drives.push(format!("{letter}({total}, {used})")),
            Err(DriveError::Gone) if letter == Letter::D => {}
            Err(_) => return Answer::ERROR,
        }
    }
    modem.terminal.say(&[format!("+FSMEM: {}", drives.join(", "))]);
    Answer::OK
}

pub(super) fn copy(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    let (Some(from), Some(to)) = (arguments.text(0), arguments.text(1)) else { return Answer::ERROR };
    modem.begin_copying(from, to)
}

pub(super) fn format_card(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    Answer::ok_if_done(modem.files.format_card())
}
