//! Commands that carry files over the terminal's line (commands.md §4).

use super::Answer;
use super::table::Arguments;
use crate::drive::DriveError;
use crate::drive::path::Path;
use crate::modem::Modem;
use mail::machine::Instant;

fn path(modem: &Modem, arguments: &Arguments) -> Option<Path> {
    modem.files.path(arguments.text(0)?).ok()
}

pub(super) fn take_octets(modem: &mut Modem, arguments: &Arguments, now: Instant) -> Answer {
    let (Some(path), Some(length)) = (path(modem, arguments), arguments.number(1)) else {
        return Answer::ERROR;
    };
    modem.begin_taking(path, length, now).unwrap_or(Answer::ERROR)
}

pub(super) fn show_octets(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    let path = path(modem, arguments);
    path.and_then(|path| modem.begin_showing(&path).ok()).unwrap_or(Answer::ERROR)
}

pub(super) fn receive(modem: &mut Modem, arguments: &Arguments, now: Instant) -> Answer {
    let Some(path) = path(modem, arguments) else { return Answer::ERROR };
    modem.begin_receiving(path, now).unwrap_or_else(|error| {
        if error == DriveError::Taken {
            modem.terminal.say(&["FILE IS EXISTING"]);
        }
        Answer::ERROR
    })
}

pub(super) fn send(modem: &mut Modem, arguments: &Arguments, now: Instant) -> Answer {
    let Some(path) = path(modem, arguments) else { return Answer::ERROR };
    let has_long_blocks = arguments.number(2) == Some(1);
    modem.begin_xmodem_sending(&path, has_long_blocks, now).unwrap_or_else(|error| {
        if error == DriveError::NotFound {
            modem.terminal.say(&["FILE NOT EXISTING"]);
        }
        Answer::ERROR
    })
}
