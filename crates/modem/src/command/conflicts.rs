//! What cannot be used together with the e-mail application (note §5, commands.md §6): TCP/IP sessions and GPS. They
//! do nothing but exclude it, and are excluded by it.
//!
//! Not here: the MMS application, whose commands have test forms and nothing more, so the table tells all of them.

use super::Answer;
use super::table::Arguments;
use crate::modem::Modem;
use mail::machine::Instant;

const NETWORK: &str = "+NETOPEN";
const GPS: &str = "+CGPS";

impl Modem {
    /// Whether something is in use that excludes the e-mail application.
    pub(crate) fn excludes_mail(&self) -> bool {
        [NETWORK, GPS].iter().any(|session| self.kept.number(session, 0) == 1)
    }
}

pub(super) fn open_network(modem: &mut Modem, _: &Arguments, now: Instant) -> Answer {
    let is_open = modem.kept.number(NETWORK, 0) == 1;
    if is_open || modem.is_mailing() || !modem.is_registered() {
        return Answer::ERROR;
    }
    modem.kept.set(NETWORK, 0, 1);
    modem.urc(["+NETOPEN: 0".to_owned()], now);
    Answer::OK
}

pub(super) fn close_network(modem: &mut Modem, _: &Arguments, now: Instant) -> Answer {
    if modem.kept.number(NETWORK, 0) == 0 {
        return Answer::ERROR;
    }
    modem.kept.set(NETWORK, 0, 0);
    modem.urc(["+NETCLOSE: 0".to_owned()], now);
    Answer::OK
}

pub(super) fn switch_gps(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    if arguments.number(0) == Some(1) && modem.is_mailing() {
        return Answer::ERROR;
    }
    modem.kept.keep(arguments);
    Answer::OK
}

/// Hosts compare this line as a whole, without a space.
pub(super) fn say_position(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    modem.terminal.say(&["+CGPSINFO:,,,,,,,,"]);
    Answer::OK
}
