//! Commands that switch the modem off (commands.md §5). What that forgets, and what it keeps:
//! [`super::Power`] and where it is obeyed.

use super::table::Arguments;
use super::{Answer, Power};
use crate::modem::Modem;
use mail::machine::Instant;

pub(super) fn restart(_: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    Answer::Power(Power::Restart)
}

pub(super) fn switch_off(_: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    Answer::Power(Power::Off)
}
