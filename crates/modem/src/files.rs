//! The modem's drives as its commands use them: which there are, the current folder, and where mails are saved.
//!
//! Not here: how a drive keeps its files ([`crate::drive`]).

use crate::drive::path::Path;
use crate::drive::{Drive, DriveError, Entry, Kind, Letter, OpenFile};
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
        match self.drive(path.drive)?.entry(&path.names)?.kind {
            Kind::File { octets, .. } => Ok((path, octets)),
            Kind::Folder => Err(DriveError::NotFound),
        }
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

    /// What a host wrote, from the current folder on; what is no path names nothing.
    fn path(&self, text: &str) -> Result<Path, DriveError> {
        self.current.join(text).ok_or(DriveError::NotFound)
    }

    fn drive(&self, letter: Letter) -> Result<&dyn Drive, DriveError> {
        match letter {
            Letter::C => Ok(self.c.as_ref()),
            Letter::D => self.d.as_deref().ok_or(DriveError::Gone),
        }
    }
}
