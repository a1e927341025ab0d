//! AT+FSCOPY (commands.md §4): a portion at a time, so that the largest file is neither held nor waited for.

use super::{Job, Modem};
use crate::command::Answer;
use crate::drive::{DriveError, Kind, Letter, OpenFile};
use crate::files::NewFile;
use crate::limits::{COPY_OCTETS, READ_OCTETS};
use crate::terminal::Code;
use mail::machine::Instant;

const NO_CARD: &str = "SD CARD NOT PLUGGED IN";

/// A file on its way to another.
pub(super) struct Copying {
    from: Box<dyn OpenFile>,
    from_drive: Letter,
    to: NewFile,
    copied: u64,
}

/// Whether a copy is whole.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    More,
    Whole,
}

impl Modem {
    /// Tells of the beginning; the copying itself begins when the terminal has taken that.
    pub(crate) fn begin_copying(&mut self, from: &str, to: &str) -> Answer {
        match self.open_both(from, to) {
            Ok(copying) => {
                self.copying = Some(copying);
                self.terminal.say(&["+FSCOPY: 0.0"]);
                Answer::Await(Job::Copying)
            }
            Err(words) => {
                self.terminal.say(&[words]);
                Answer::ERROR
            }
        }
    }

    /// Both files, or the line that says why not.
    fn open_both(&mut self, from: &str, to: &str) -> Result<Copying, &'static str> {
        let files = &mut self.files;
        let path = |text| files.path(text).map_err(|_| "INVALID FILE NAME");
        let (from, to) = (path(from)?, path(to)?);
        let source = files.open(&from).map_err(|error| match error {
            DriveError::NotFound => "FILE NOT EXISTING",
            error => unreadable(error),
        })?;
        let what_is_there = files.kind(&to);
        let drive = to.drive;
        let to = files.create(to).map_err(|error| match (error, what_is_there) {
            (DriveError::Taken, Some(Kind::File { .. })) => "FILE IS EXISTING",
            (DriveError::Taken, _) => "DIRECTORY IS EXISTING",
            (DriveError::NotFound, _) => "DIRECTORY NOT EXISTING",
            (error, _) => unwritable(error, drive),
        })?;
        files.check_room(drive, source.octets()).map_err(|error| unwritable(error, drive))?;
        Ok(Copying { from: source, from_drive: from.drive, to, copied: 0 })
    }

    /// Copies the next portion, and tells of it. A code when it was the last.
    pub(super) fn copy_on(&mut self) -> Option<Code> {
        let mut copying = self.copying.take()?;
        let progress = copying.portion().and_then(|progress| match progress {
            Progress::More => Ok(Some(copying)),
            Progress::Whole => {
                let drive = copying.to.drive();
                copying.to.publish().map(|()| None).map_err(|error| unwritable(error, drive))
            }
        });
        match progress {
            Ok(Some(copying)) => {
                self.terminal.say_on(format!("+FSCOPY: {}", copying.per_cent()));
                self.copying = Some(copying);
                None
            }
            Ok(None) => {
                self.terminal.say_on("+FSCOPY: 100.0");
                Some(Code::Ok)
            }
            Err(words) => {
                self.terminal.say_on(words);
                Some(Code::Error)
            }
        }
    }

    pub(super) fn on_card_removed_from_copying(&mut self, now: Instant) {
        let uses_card = |copying: &mut Copying| [copying.from_drive, copying.to.drive()].contains(&Letter::D);
        if self.copying.take_if(uses_card).is_some() {
            self.terminal.say_on(NO_CARD);
            self.finish_pending(Code::Error, now);
        }
    }
}

impl Copying {
    fn portion(&mut self) -> Result<Progress, &'static str> {
        let mut buffer = vec![0; READ_OCTETS];
        let end = self.from.octets().min(self.copied.saturating_add(COPY_OCTETS));
        while self.copied < end {
            let octets = self.from.read(&mut buffer).map_err(unreadable)?;
            let read = buffer.get(..octets).unwrap_or_default();
            // A file that ends before its time is not copied as if it were whole.
            if read.is_empty() {
                return Err(unreadable(DriveError::Broken));
            }
            self.to.write(read).map_err(|error| unwritable(error, self.to.drive()))?;
            self.copied = self.copied.saturating_add(u64::try_from(octets).unwrap_or(u64::MAX));
        }
        Ok(if self.copied < self.from.octets() { Progress::More } else { Progress::Whole })
    }

    /// With one decimal.
    fn per_cent(&self) -> String {
        let per_mille = self.copied.saturating_mul(1000) / self.from.octets().max(1);
        format!("{}.{}", per_mille / 10, per_mille % 10)
    }
}

const fn unreadable(error: DriveError) -> &'static str {
    match error {
        DriveError::Gone => NO_CARD,
        _ => "READ FILE ERROR",
    }
}

const fn unwritable(error: DriveError, drive: Letter) -> &'static str {
    match (error, drive) {
        (DriveError::Full, Letter::C) => "EFS HAVE NO ENOUGH MEMORY",
        (DriveError::Full, Letter::D) => "SD CARD HAVE NO ENOUGH MEMORY",
        (DriveError::Gone, _) => NO_CARD,
        _ => "WRITE FILE ERROR",
    }
}
