//! A saved mail read to the terminal (note §4.4, §4.7): as fast as the terminal takes it, and never whole in memory.

use super::{Job, Modem};
use crate::command::Answer;
use crate::drive::path::Path;
use crate::drive::{DriveError, OpenFile};
use crate::limits::READ_OCTETS;
use crate::terminal::Code;
use mail::machine::Instant;

/// A file on its way to the terminal.
pub(super) struct Reading {
    file: Box<dyn OpenFile>,
    ends_line: bool,
}

impl Modem {
    /// Shows a file, and then the final result code.
    pub(crate) fn begin_reading(&mut self, path: &Path) -> Result<Answer, DriveError> {
        let file = self.files.open(path)?;
        self.terminal.say::<&str>(&[]);
        self.reading = Some(Reading { file, ends_line: true });
        Ok(match self.read_on() {
            Some(code) => Answer::Finished(code),
            None => Answer::Await(Job::Reading),
        })
    }

    /// The terminal has taken what was shown.
    pub(super) fn on_shown(&mut self, now: Instant) {
        if self.is_pending(Job::Reading)
            && let Some(code) = self.read_on()
        {
            self.finish_pending(code, now);
        }
    }

    /// Shows the next portion. A code when there is none.
    fn read_on(&mut self) -> Option<Code> {
        let reading = self.reading.as_mut()?;
        let mut portion = vec![0; READ_OCTETS];
        let code = match reading.file.read(&mut portion) {
            Ok(0) => Code::Ok,
            Ok(octets) => {
                portion.truncate(octets);
                reading.ends_line = portion.ends_with(b"\n");
                self.terminal.show(&portion);
                return None;
            }
            Err(_) => Code::Error,
        };
        if !reading.ends_line {
            self.terminal.say_on("");
        }
        self.reading = None;
        Some(code)
    }
}
