//! The modem's drives as it sees them: folders and files behind a trait, reached by checked names only.
//!
//! Not here: directories of the machine. The program lends the modem a [`Drive`] that keeps it inside one; tests lend
//! a [`memory::MemoryDrive`], which behaves the same.

pub mod memory;
pub mod path;

use path::Name;
use std::fmt;

/// One of the modem's two drives (commands.md §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Letter {
    /// `C:`, local, always there; its names are told apart by case.
    C,
    /// `D:`, the storage card, which comes and goes; case makes no difference.
    D,
}

impl Letter {
    /// How names on this drive compare (commands.md §4).
    #[must_use]
    pub const fn name_case(self) -> NameCase {
        match self {
            Self::C => NameCase::Told,
            Self::D => NameCase::Folded,
        }
    }
}

impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::C => "C:",
            Self::D => "D:",
        })
    }
}

/// Whether two names that differ in case alone are one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameCase {
    /// `a` and `A` are two names (C:).
    Told,
    /// `a` and `A` are one name, shown as it was first written (D:).
    Folded,
}

impl NameCase {
    /// What two names must have alike to be one name. Names are in order when their keys are.
    #[must_use]
    pub fn key(self, name: &Name) -> String {
        match self {
            Self::Told => name.as_str().to_owned(),
            Self::Folded => name.as_str().to_lowercase(),
        }
    }
}

/// The folders a fresh drive starts with (commands.md §4).
pub const FIRST_FOLDERS: [&str; 4] = ["Picture", "Audio", "Video", "VideoCall"];

/// A folder or a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in its folder, as it was created.
    pub name: Name,
    /// What it is.
    pub kind: Kind,
}

/// What an [`Entry`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A file.
    File {
        /// Its size.
        octets: u64,
        /// When it was last written: UTC seconds since 1970.
        modified_s: i64,
    },
}

/// Sizes of a drive, in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// What it may hold.
    pub total: u64,
    /// What its files take.
    pub used: u64,
}

/// Why a drive did not do it. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DriveError {
    /// No such folder or file, or a folder where a file is meant, or the reverse.
    #[error("no such file or folder")]
    NotFound,
    /// The name is taken.
    #[error("the name is taken")]
    Taken,
    /// The folder is not empty.
    #[error("the folder is not empty")]
    NotEmpty,
    /// The drive has no room for it.
    #[error("the drive is full")]
    Full,
    /// The drive is not there (any more).
    #[error("the drive is gone")]
    Gone,
    /// The drive's directory can't be read or written; the program's log says why.
    #[error("the drive cannot be read or written")]
    Broken,
}

/// A drive. Paths are names from its root; the empty path is the root itself.
///
/// A link inside a drive is neither followed nor listed. The size given to a drive is enforced: an operation that
/// would go over it fails with [`DriveError::Full`].
pub trait Drive: Send {
    /// What a folder holds, in name order.
    ///
    /// # Errors
    /// `NotFound` when there is no such folder.
    fn list(&self, folder: &[Name]) -> Result<Vec<Entry>, DriveError>;

    /// What a path names. The root is a folder without a name of its own, so it has no entry: `NotFound`.
    ///
    /// # Errors
    /// `NotFound` when it names nothing.
    fn entry(&self, path: &[Name]) -> Result<Entry, DriveError>;

    /// Opens a file for reading. The content stays readable when the file is removed or replaced meanwhile.
    ///
    /// # Errors
    /// `NotFound` when there is no such file.
    fn open(&self, file: &[Name]) -> Result<Box<dyn OpenFile>, DriveError>;

    /// Total and used octets.
    ///
    /// # Errors
    /// Only those of a drive that is gone or broken.
    fn space(&self) -> Result<Space, DriveError>;

    /// Creates a folder in an existing one.
    ///
    /// # Errors
    /// `Taken`, or `NotFound` for the folder around it.
    fn create_folder(&mut self, folder: &[Name]) -> Result<(), DriveError>;

    /// Removes an empty folder.
    ///
    /// # Errors
    /// `NotFound`, `NotEmpty`.
    fn remove_folder(&mut self, folder: &[Name]) -> Result<(), DriveError>;

    /// Removes a file.
    ///
    /// # Errors
    /// `NotFound`.
    fn remove_file(&mut self, file: &[Name]) -> Result<(), DriveError>;

    /// Gives a file or folder another path on this drive. Never replaces anything.
    ///
    /// # Errors
    /// `NotFound` for `from` or the folder around `to`, `Taken` for `to`.
    fn rename(&mut self, from: &[Name], to: &[Name]) -> Result<(), DriveError>;

    /// Begins files aside: unseen by every other operation until published, and gone without a trace when dropped.
    /// Their octets count as used while they are written.
    ///
    /// # Errors
    /// Only those of a drive that is gone or broken.
    fn stage(&mut self) -> Result<Box<dyn Staging>, DriveError>;

    /// Empties the drive and creates its first folders anew.
    ///
    /// # Errors
    /// Only those of a drive that is gone or broken.
    fn format(&mut self) -> Result<(), DriveError>;
}

/// A file open for reading.
pub trait OpenFile: Send {
    /// Its size when it was opened.
    fn octets(&self) -> u64;

    /// Reads the next octets into `buffer`, at least one unless the file ends; 0 at its end.
    ///
    /// # Errors
    /// `Gone` or `Broken`.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, DriveError>;
}

/// A file of a [`Staging`], by the order in which its files were begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StagedFile(usize);

impl StagedFile {
    /// The one begun after `before` others.
    #[must_use]
    pub const fn nth(before: usize) -> Self {
        Self(before)
    }

    /// How many were begun before it.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0
    }
}

/// Files being written aside, to appear all at once or not at all.
pub trait Staging: Send {
    /// Begins a file. Several may be written at a time.
    ///
    /// # Errors
    /// `Taken` when this staging has a file of that name.
    fn create(&mut self, name: &Name) -> Result<StagedFile, DriveError>;

    /// Appends to a file: all of the octets, or none.
    ///
    /// # Errors
    /// `Full` when the drive has no room, `NotFound` for a file that is complete or of another staging. That the drive
    /// is gone may be told only when it is published.
    fn write(&mut self, file: StagedFile, octets: &[u8]) -> Result<(), DriveError>;

    /// Ends a file, so that nothing of it is held any more. Publishing ends those that are not ended.
    ///
    /// # Errors
    /// As [`Self::write`].
    fn complete(&mut self, file: StagedFile) -> Result<(), DriveError>;

    /// Makes the staged files appear as a new folder. Durable when it returns.
    ///
    /// # Errors
    /// `Taken`, `NotFound` for the folder around it; the staged files are gone then.
    fn publish_folder(self: Box<Self>, folder: &[Name]) -> Result<(), DriveError>;

    /// Makes the one staged file appear under another path; it never replaces anything. Durable when it returns.
    ///
    /// # Errors
    /// `Taken`, `NotFound` for the folder around it or when not just one file is staged; it is gone then.
    fn publish_file(self: Box<Self>, file: &[Name]) -> Result<(), DriveError>;
}
