//! A file shown to the terminal: a saved mail as it is (note §4.4, §4.7), or any file in counted portions (+CFTRANTX,
//! commands.md §4). As fast as the terminal takes it, and never whole in memory.

use super::{Job, Modem};
use crate::command::Answer;
use crate::drive::path::Path;
use crate::drive::{DriveError, Letter, OpenFile};
use crate::limits::READ_OCTETS;
use crate::terminal::Code;
use mail::machine::Instant;

/// A file on its way to the terminal.
pub(super) struct Reading {
    file: Box<dyn OpenFile>,
    drive: Letter,
    form: Form,
}

enum Form {
    /// Octets as they are, and a line end behind them if they have none.
    Text { ends_line: bool },
    /// Portions behind their count of octets.
    Counted,
}

impl Modem {
    /// Shows a text file, and then the final result code.
    pub(crate) fn begin_reading(&mut self, path: &Path) -> Result<Answer, DriveError> {
        let file = self.files.open(path)?;
        self.terminal.say::<&str>(&[]);
        Ok(self.begin(file, path.drive, Form::Text { ends_line: true }))
    }

    /// AT+CFTRANTX.
    pub(crate) fn begin_showing(&mut self, path: &Path) -> Result<Answer, DriveError> {
        let file = self.files.open(path)?;
        Ok(self.begin(file, path.drive, Form::Counted))
    }

    fn begin(&mut self, file: Box<dyn OpenFile>, drive: Letter, form: Form) -> Answer {
        self.reading = Some(Reading { file, drive, form });
        match self.read_on() {
            Some(code) => Answer::Finished(code),
            None => Answer::Await(Job::Reading),
        }
    }

    /// Shows the next portion. A code when there is none.
    pub(super) fn read_on(&mut self) -> Option<Code> {
        let reading = self.reading.as_mut()?;
        let mut portion = vec![0; READ_OCTETS];
        let code = match reading.file.read(&mut portion) {
            Ok(0) => Code::Ok,
            Ok(octets) => {
                portion.truncate(octets);
                match &mut reading.form {
                    Form::Text { ends_line } => *ends_line = portion.ends_with(b"\n"),
                    Form::Counted => self.terminal.say(&[format!("+CFTRANTX: DATA,{octets}")]),
                }
                self.terminal.show_file(&portion);
                return None;
            }
            Err(_) => Code::Error,
        };
        Some(self.end_reading(code))
    }

    fn end_reading(&mut self, code: Code) -> Code {
        match self.reading.take() {
            Some(Reading { form: Form::Text { ends_line: false }, .. }) => self.terminal.say_on(""),
            Some(Reading { form: Form::Counted, .. }) if code == Code::Ok => {
                self.terminal.say(&["+CFTRANTX: 0"]);
            }
            Some(_) | None => {}
        }
        code
    }

    pub(super) fn on_card_removed_from_reading(&mut self, now: Instant) {
        if self.reading.as_ref().is_some_and(|reading| reading.drive == Letter::D) {
            let code = self.end_reading(Code::Error);
            self.finish_pending(code, now);
        }
    }
}
