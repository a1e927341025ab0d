//! The modem's drives as its commands use them: which there are, the current folder, and where mails are saved.
//!
//! Not here: how a drive keeps its files ([`crate::drive`]).

use crate::drive::path::Path;
use crate::drive::{Drive, DriveError, Entry, Kind, Letter, OpenFile, Space, StagedFile, Staging};
use crate::modem::MAIL_FOLDER;

pub(crate) struct Files {
    c: Box<dyn Drive>,
    d: Option<Box<dyn Drive>>,
    current: Path,
    location: Letter,
}

impl Files {
    pub(crate) fn new(c: Box<dyn Drive>, d: Option<Box<dyn Drive>>) -> Self {
        Self { c, d, current: Path::root(Letter::C), location: Letter::C }
    }

    /// The power comes on: what the terminal had chosen is forgotten.
    pub(crate) fn power_on(&mut self) {
        self.current = Path::root(Letter::C);
        self.location = Letter::C;
    }

    /// The current folder (+FSCD).
    pub(crate) const fn current(&self) -> &Path {
        &self.current
    }

    /// The drive that mails are saved on (+FSLOCA).
    pub(crate) const fn location(&self) -> Letter {
        self.location
    }

    /// `None` when there is no such drive.
    pub(crate) fn set_location(&mut self, drive: Letter) -> Option<()> {
        self.drive(drive).ok()?;
        self.location = drive;
        Some(())
    }

    pub(crate) fn insert_card(&mut self, card: Box<dyn Drive>) {
        self.d = Some(card);
    }

    /// What pointed at the card points at C: from now on (commands.md §4).
    pub(crate) fn remove_card(&mut self) {
        self.d = None;
        self.location = Letter::C;
        if self.current.drive == Letter::D {
            self.current = Path::root(Letter::C);
        }
    }

    pub(crate) fn change_folder(&mut self, text: &str) -> Result<(), DriveError> {
        let path = self.path(text)?;
        let drive = self.drive(path.drive)?;
        if !path.names.is_empty() && drive.entry(&path.names)?.kind != Kind::Folder {
            return Err(DriveError::NotFound);
        }
        self.current = path;
        Ok(())
    }

    /// What the current folder holds.
    pub(crate) fn list(&self) -> Result<Vec<Entry>, DriveError> {
        self.drive(self.current.drive)?.list(&self.current.names)
    }

    /// A file's path, from what a host wrote, and its size.
    pub(crate) fn file(&self, text: &str) -> Result<(Path, u64), DriveError> {
        let path = self.path(text)?;
        let (octets, _) = self.attributes(&path)?;
        Ok((path, octets))
    }

    /// A file's size, and when it was last written: UTC seconds since 1970.
    pub(crate) fn attributes(&self, file: &Path) -> Result<(u64, i64), DriveError> {
        match self.drive(file.drive)?.entry(&file.names)?.kind {
            Kind::File { octets, modified_s } => Ok((octets, modified_s)),
            Kind::Folder => Err(DriveError::NotFound),
        }
    }

    pub(crate) fn make_folder(&mut self, text: &str) -> Result<(), DriveError> {
        let path = self.path(text)?;
        self.drive_mut(path.drive)?.create_folder(&path.names)
    }

    /// The current folder stays, and so do those it lies in.
    pub(crate) fn remove_folder(&mut self, text: &str) -> Result<(), DriveError> {
        let path = self.path(text)?;
        self.check_not_current(&path)?;
        self.drive_mut(path.drive)?.remove_folder(&path.names)
    }

    pub(crate) fn remove_file(&mut self, text: &str) -> Result<(), DriveError> {
        let path = self.path(text)?;
        self.drive_mut(path.drive)?.remove_file(&path.names)
    }

    /// Removes the files of the current folder, and none of its folders.
    pub(crate) fn remove_files(&mut self) -> Result<(), DriveError> {
        for entry in self.list()? {
            if let Kind::File { .. } = entry.kind {
                let path = self.current.child(entry.name);
                self.drive_mut(path.drive)?.remove_file(&path.names)?;
            }
        }
        Ok(())
    }

    /// On one drive. The current folder keeps its name, and so do those it lies in.
    pub(crate) fn rename(&mut self, from: &str, to: &str) -> Result<(), DriveError> {
        let (from, to) = (self.path(from)?, self.path(to)?);
        if from.drive != to.drive {
            return Err(DriveError::NotFound);
        }
        self.check_not_current(&from)?;
        self.drive_mut(from.drive)?.rename(&from.names, &to.names)
    }

    pub(crate) fn space(&self, letter: Letter) -> Result<Space, DriveError> {
        self.drive(letter)?.space()
    }

    /// Whether a drive has room for so many octets more.
    pub(crate) fn check_room(&self, letter: Letter, octets: u64) -> Result<(), DriveError> {
        let Space { total, used } = self.space(letter)?;
        if octets <= total.saturating_sub(used) { Ok(()) } else { Err(DriveError::Full) }
    }

    /// Empties the card. Should the current folder be gone with it, the card's root is current.
    pub(crate) fn format_card(&mut self) -> Result<(), DriveError> {
        self.drive_mut(Letter::D)?.format()?;
        let current = &self.current;
        if current.drive == Letter::D && !current.names.is_empty() && !self.exists(current)? {
            self.current = Path::root(Letter::D);
        }
        Ok(())
    }

    /// Begins a file, which appears when it is published.
    ///
    /// # Errors
    /// `Taken`, or `NotFound` for the folder around it.
    pub(crate) fn create(&mut self, path: Path) -> Result<NewFile, DriveError> {
        let (name, around) = path.names.split_last().ok_or(DriveError::Taken)?;
        let drive = self.drive_mut(path.drive)?;
        if !around.is_empty() && drive.entry(around)?.kind != Kind::Folder {
            return Err(DriveError::NotFound);
        }
        match drive.entry(&path.names) {
            Ok(_) => return Err(DriveError::Taken),
            Err(DriveError::NotFound) => {}
            Err(error) => return Err(error),
        }
        let mut staging = drive.stage()?;
        let file = staging.create(name)?;
        Ok(NewFile { staging, file, path })
    }

    pub(crate) fn open(&self, file: &Path) -> Result<Box<dyn OpenFile>, DriveError> {
        self.drive(file.drive)?.open(&file.names)
    }

    /// A saved mail's path, from what a host wrote: from the current folder on, or else from the folder of saved mails
    /// (note §4.7).
    pub(crate) fn saved_mail(&self, letter: Letter, text: &str) -> Option<Path> {
        let here = Some(&self.current).filter(|current| current.drive == letter).cloned();
        let mails = Path::root(letter).join(MAIL_FOLDER);
        [here, mails].into_iter().flatten().filter_map(|folder| folder.join(text)).find(|path| {
            let entry = self.drive(letter).and_then(|drive| drive.entry(&path.names));
            path.drive == letter && matches!(entry, Ok(Entry { kind: Kind::File { .. }, .. }))
        })
    }

    /// What a path names; `None` when it names nothing that can be looked at.
    pub(crate) fn kind(&self, path: &Path) -> Option<Kind> {
        Some(self.drive(path.drive).ok()?.entry(&path.names).ok()?.kind)
    }

    /// Whether a path names something.
    pub(crate) fn exists(&self, path: &Path) -> Result<bool, DriveError> {
        match self.drive(path.drive)?.entry(&path.names) {
            Ok(_) => Ok(true),
            Err(DriveError::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn drive_mut(&mut self, letter: Letter) -> Result<&mut dyn Drive, DriveError> {
        match letter {
            Letter::C => Ok(self.c.as_mut()),
            Letter::D => match &mut self.d {
                Some(card) => Ok(card.as_mut()),
                None => Err(DriveError::Gone),
            },
        }
    }

    /// The current folder, and those it lies in, are in use.
    fn check_not_current(&self, path: &Path) -> Result<(), DriveError> {
        if path.is_or_holds(&self.current) { Err(DriveError::NotEmpty) } else { Ok(()) }
    }

    /// What a host wrote, from the current folder on; what is no path names nothing.
    pub(crate) fn path(&self, text: &str) -> Result<Path, DriveError> {
        self.current.join(text).ok_or(DriveError::NotFound)
    }

    fn drive(&self, letter: Letter) -> Result<&dyn Drive, DriveError> {
        match letter {
            Letter::C => Ok(self.c.as_ref()),
            Letter::D => self.d.as_deref().ok_or(DriveError::Gone),
        }
    }
}

/// A file being written: whole when it is published, and gone without a trace when it is dropped.
pub(crate) struct NewFile {
    staging: Box<dyn Staging>,
    file: StagedFile,
    path: Path,
}

impl NewFile {
    pub(crate) const fn drive(&self) -> Letter {
        self.path.drive
    }

    pub(crate) fn write(&mut self, octets: &[u8]) -> Result<(), DriveError> {
        self.staging.write(self.file, octets)
    }

    pub(crate) fn publish(self) -> Result<(), DriveError> {
        self.staging.publish_file(&self.path.names)
    }
}
