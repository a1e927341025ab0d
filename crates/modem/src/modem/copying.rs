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

#[cfg(test)]
mod tests {
    use crate::clock::Calendar;
    use crate::drive::Letter;
    use crate::drive::memory::MemoryDrive;
    use crate::modem::{Input, Modem, Output};
    use crate::settings::Settings;
    use mail::machine::Instant;

    const NOW: Instant = Instant::POWER_ON;
    const LARGE: usize = 3 * 1024 * 1024;

    /// A modem with a large file on the card, and its drives.
    fn modem() -> (Modem, MemoryDrive, MemoryDrive) {
        let drive = |letter: Letter| MemoryDrive::new(letter.name_case(), 4 * 1024 * 1024);
        let (c, d) = (drive(Letter::C), drive(Letter::D));
        d.add_file("a", &vec![b'x'; LARGE], 0).unwrap();
        let card = Box::new(d.clone());
        let modem =
            Modem::power_on(Settings::default(), Box::new(c.clone()), Some(card), Calendar::UNSET, NOW);
        (modem, c, d)
    }

    /// What is shown when this happens.
    fn shown(modem: &mut Modem, input: Input<'_>) -> String {
        modem.handle(input, NOW);
        let mut shown = String::new();
        while let Some(output) = modem.poll() {
            if let Output::Show(octets) = output {
                shown.push_str(&String::from_utf8(octets).unwrap());
            }
        }
        shown
    }

    #[test]
    fn a_copy_goes_on_when_its_progress_is_taken_and_others_have_their_turn() {
        let (mut modem, c, _) = modem();
        assert_eq!(
            shown(&mut modem, Input::Typed(b"ATE0+FSCOPY=D:/a,b\r")),
            "ATE0+FSCOPY=D:/a,b\r\r\n+FSCOPY: 0.0\r\n"
        );
        assert_eq!(shown(&mut modem, Input::Typed(b"AT\r")), "");
        assert_eq!(shown(&mut modem, Input::Shown), "+FSCOPY: 33.3\r\n");
        assert_eq!(shown(&mut modem, Input::DeadlinePassed), "");
        assert_eq!(shown(&mut modem, Input::Shown), "+FSCOPY: 66.6\r\n");
        assert_eq!(c.content("b"), None);
        assert_eq!(shown(&mut modem, Input::Shown), "+FSCOPY: 100.0\r\n\r\nOK\r\n\r\nOK\r\n");
        assert_eq!(c.content("b").map(|octets| octets.len()), Some(LARGE));
        assert_eq!(shown(&mut modem, Input::Shown), "");
    }

    #[test]
    fn a_copy_that_cannot_go_on_leaves_no_trace() {
        let (mut modem, c, d) = modem();
        shown(&mut modem, Input::Typed(b"AT+FSCOPY=D:/a,b\r"));
        shown(&mut modem, Input::Shown);
        c.add_file("other", &vec![b'x'; LARGE / 2], 0).unwrap();
        shown(&mut modem, Input::Shown);
        assert_eq!(shown(&mut modem, Input::Shown), "EFS HAVE NO ENOUGH MEMORY\r\n\r\nERROR\r\n");

        shown(&mut modem, Input::Typed(b"AT+FSDEL=other;+FSCOPY=D:/a,b\r"));
        shown(&mut modem, Input::Shown);
        d.pull();
        assert_eq!(shown(&mut modem, Input::CardRemoved), "SD CARD NOT PLUGGED IN\r\n\r\nERROR\r\n");
        assert_eq!(c.content("b"), None);
        assert_eq!(
            shown(&mut modem, Input::Typed(b"ATE0+FSMEM\r")),
            "ATE0+FSMEM\r\r\n+FSMEM: C:(4194304, 0)\r\n\r\nOK\r\n"
        );
    }

    #[test]
    fn a_file_shown_in_portions_ends_with_its_card() {
        let (mut modem, _, d) = modem();
        let first = shown(&mut modem, Input::Typed(b"ATE0+CFTRANTX=D:/a\r"));
        assert!(first.contains("\r\n+CFTRANTX: DATA,8192\r\nxxx") && first.ends_with('x'));
        assert!(shown(&mut modem, Input::Shown).starts_with("\r\n+CFTRANTX: DATA,8192\r\nxxx"));
        d.pull();
        assert_eq!(shown(&mut modem, Input::CardRemoved), "\r\nERROR\r\n");
        assert_eq!(shown(&mut modem, Input::Shown), "");
    }
}
