//! A drive in a directory of the machine, which nothing done through the drive can leave.
//!
//! Everything is reached one checked name at a time from the directory as it was opened, and links are never followed,
//! so neither a name, nor a link, nor a link put in place meanwhile leads outside. Links, special files and names that
//! are none on a drive are not listed, but what files of such names take counts as used.
//!
//! What is staged lies in a hidden directory of the drive's own, under a name the modem cannot utter, and is renamed
//! when it is published. The directory is locked while it is a drive, so a staging found at opening is a killed
//! process's and is cleared.
//!
//! The drive keeps account of what its files take: counted when it is opened, again whenever its space is asked for,
//! and again before anything is refused for lack of room. In between, only what is done through the drive is known, so
//! what others put into the directory is noticed late, and what others take out never makes the drive full.
//!
//! Not here: where the directory is, and whether it comes back. One that has been removed stays `Gone`.

mod staging;
pub(crate) mod tree;

use crate::limits::DRIVE_ENTRIES_MAX;
use crate::lock::LockedDir;
use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, MetadataExt, OpenOptions};
use modem::drive::path::Name;
use modem::drive::{Drive, DriveError, Entry, FIRST_FOLDERS, Kind, NameCase, OpenFile, Space, Staging};
use rustix::io::Errno;
use staging::{DirectoryStaging, is_staging};
use std::io::{self, Read};
use std::ops::Deref;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tree::{clear, count, kind, kind_of, names, open_folder, reason, rename, sync};

/// A drive in a directory.
#[derive(Debug)]
pub struct DirectoryDrive {
    ground: Arc<Ground>,
}

impl DirectoryDrive {
    /// Makes an existing directory a drive of `octets_max` octets. An empty one gets the first folders; leftovers of a
    /// killed process are cleared.
    ///
    /// # Errors
    /// `ResourceBusy` when the directory is a drive already, of this process or another; whatever keeps it from being
    /// read and written; more in it than [`DRIVE_ENTRIES_MAX`] or [`DRIVE_DEPTH_MAX`](crate::limits::DRIVE_DEPTH_MAX) allow.
    pub fn open(directory: &Path, case: NameCase, octets_max: u64) -> io::Result<Self> {
        Self::open_bounded(directory, case, Amount { octets: octets_max, entries: DRIVE_ENTRIES_MAX })
    }

    fn open_bounded(directory: &Path, case: NameCase, max: Amount) -> io::Result<Self> {
        let root = open_folder(&Dir::open_ambient_dir(directory, ambient_authority())?, ".")?;
        // The lock ends with the last staging.
        let root = LockedDir::new(root).map_err(|errno| match errno {
            Errno::WOULDBLOCK => {
                io::Error::new(io::ErrorKind::ResourceBusy, "the directory is in use as a drive")
            }
            errno => errno.into(),
        })?;
        clear(&root, 0, is_staging)?;
        let ground = Ground { root, case, max, account: Mutex::default() };
        let published = ground.count()?;
        ground.account().published = published;
        if ground.root.entries()?.next().is_none() {
            ground.create_first_folders(&mut ground.account())?;
        }
        Ok(Self { ground: Arc::new(ground) })
    }
}

impl Drive for DirectoryDrive {
    fn list(&self, folder: &[Name]) -> Result<Vec<Entry>, DriveError> {
        let ground = &self.ground;
        // A directory that has been removed lists as an empty one.
        ground.present()?;
        let folder = ground.folder(folder)?;
        let mut entries = Vec::new();
        for name in names(&folder).map_err(reason)? {
            if let Some(kind) = kind(&folder, &name)? {
                entries.push(Entry { name, kind });
            }
        }
        // Others may have put two names here that are one on this drive; the first is the one that is found.
        entries.sort_by_cached_key(|entry| (ground.case.key(&entry.name), entry.name.clone()));
        entries.dedup_by_key(|entry| ground.case.key(&entry.name));
        Ok(entries)
    }

    fn entry(&self, path: &[Name]) -> Result<Entry, DriveError> {
        Ok(self.ground.locate(path)?.1)
    }

    fn open(&self, file: &[Name]) -> Result<Box<dyn OpenFile>, DriveError> {
        let (folder, entry) = self.ground.locate(file)?;
        let Kind::File { .. } = entry.kind else { return Err(DriveError::NotFound) };
        // Should a FIFO have taken the file's place meanwhile, opening it must not wait for a writer.
        let mut options = OpenOptions::new();
        options.read(true).follow(FollowSymlinks::No).nonblock(true);
        let file = folder.open_with(entry.name.as_str(), &options).map_err(reason)?;
        match kind_of(&file.metadata().map_err(reason)?) {
            Some(Kind::File { octets, .. }) => {
                Ok(Box::new(DirectoryFile { octets, rest: file.take(octets) }))
            }
            _ => Err(DriveError::NotFound),
        }
    }

    fn space(&self) -> Result<Space, DriveError> {
        self.ground.present()?;
        let mut account = self.ground.account();
        account.published = self.ground.count().map_err(reason)?;
        Ok(Space { total: self.ground.max.octets, used: account.published.plus(account.staged).octets })
    }

    fn create_folder(&mut self, folder: &[Name]) -> Result<(), DriveError> {
        let (around, name) = self.ground.free(folder)?;
        let mut account = self.ground.account();
        self.ground.make_room(&mut account, Amount::ENTRY)?;
        self.ground.unless_gone(around.create_dir(name.as_str()).map_err(reason))?;
        account.published = account.published.plus(Amount::ENTRY);
        // What is published inside is durable only if the folder is.
        sync(&around).map_err(reason)
    }

    fn remove_folder(&mut self, folder: &[Name]) -> Result<(), DriveError> {
        let (around, entry) = self.ground.locate(folder)?;
        if entry.kind != Kind::Folder {
            return Err(DriveError::NotFound);
        }
        let mut account = self.ground.account();
        around.remove_dir(entry.name.as_str()).map_err(reason)?;
        account.published = account.published.minus(Amount::ENTRY);
        Ok(())
    }

    fn remove_file(&mut self, file: &[Name]) -> Result<(), DriveError> {
        let (folder, entry) = self.ground.locate(file)?;
        let Kind::File { octets, .. } = entry.kind else { return Err(DriveError::NotFound) };
        let mut account = self.ground.account();
        folder.remove_file(entry.name.as_str()).map_err(reason)?;
        account.published = account.published.minus(Amount { octets, entries: 1 });
        Ok(())
    }

    fn rename(&mut self, from: &[Name], to: &[Name]) -> Result<(), DriveError> {
        let ground = &self.ground;
        let (old_folder, entry) = ground.locate(from)?;
        let (name, around) = to.split_last().ok_or(DriveError::Taken)?;
        let key = |names: &[Name]| names.iter().map(|name| ground.case.key(name)).collect::<Vec<_>>();
        let (old_key, new_key) = (key(from), key(to));
        let new_folder = if old_key == new_key {
            // Its own name in another case is free to it.
            if entry.name == *name {
                return Err(DriveError::Taken);
            }
            ground.folder(around)?
        } else if new_key.starts_with(&old_key) {
            return Err(DriveError::NotFound);
        } else {
            ground.free(to)?.0
        };
        if entry.kind == Kind::Folder {
            // Moved again and again, folders would become too deep to be counted.
            let moved = open_folder(&old_folder, entry.name.as_str()).map_err(reason)?;
            count(&moved, to.len(), |_| true).map_err(|_| DriveError::Full)?;
        }
        rename(&old_folder, entry.name.as_str(), &new_folder, name).map_err(reason)
    }

    fn stage(&mut self) -> Result<Box<dyn Staging>, DriveError> {
        let begun = DirectoryStaging::begin(&self.ground);
        Ok(Box::new(self.ground.unless_gone(begun)?))
    }

    fn format(&mut self) -> Result<(), DriveError> {
        self.ground.present()?;
        let mut account = self.ground.account();
        let cleared = clear(&self.ground.root, 0, |name| !is_staging(name));
        account.published = self.ground.count().map_err(reason)?;
        cleared.and_then(|()| self.ground.create_first_folders(&mut account)).map_err(reason)
    }
}

/// What a drive and its stagings share.
#[derive(Debug)]
struct Ground {
    root: LockedDir,
    case: NameCase,
    max: Amount,
    account: Mutex<Account>,
}

/// What lies in the directory, as far as it is known. Whoever adds or takes away holds the account meanwhile, so a
/// count sees each thing once.
#[derive(Debug, Default)]
struct Account {
    published: Amount,
    staged: Amount,
    /// How many stagings there have been: the next one's name.
    stagings: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amount {
    octets: u64,
    entries: u64,
}

impl Amount {
    const ENTRY: Self = Self { octets: 0, entries: 1 };

    const fn octets(octets: u64) -> Self {
        Self { octets, entries: 0 }
    }

    const fn plus(self, more: Self) -> Self {
        Self {
            octets: self.octets.saturating_add(more.octets),
            entries: self.entries.saturating_add(more.entries),
        }
    }

    /// Others may have made a file longer than it was counted, so this may go below nothing.
    const fn minus(self, less: Self) -> Self {
        Self {
            octets: self.octets.saturating_sub(less.octets),
            entries: self.entries.saturating_sub(less.entries),
        }
    }

    const fn fits(self, max: Self) -> bool {
        self.octets <= max.octets && self.entries <= max.entries
    }
}

impl Ground {
    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was done, or why not. A directory that has been removed can be used through its descriptor as if it were
    /// empty, so nothing is found there.
    fn unless_gone<T>(&self, done: Result<T, DriveError>) -> Result<T, DriveError> {
        if matches!(done, Err(DriveError::NotFound)) {
            self.present()?;
        }
        done
    }

    /// Whether the directory is still there. One that has been removed has no name left that links to it.
    fn present(&self) -> Result<(), DriveError> {
        let metadata = self.root.dir_metadata().map_err(reason)?;
        if metadata.nlink() == 0 { Err(DriveError::Gone) } else { Ok(()) }
    }

    /// Opens a folder.
    fn folder(&self, names: &[Name]) -> Result<Folder<'_>, DriveError> {
        let mut folder = Folder::Root(&self.root);
        for name in names {
            let inside = match self.case {
                // What is there by this name opens, or does not.
                NameCase::Told => open_folder(&folder, name.as_str()).map_err(reason),
                NameCase::Folded => self
                    .find(&folder, name)
                    .and_then(|entry| open_folder(&folder, entry.name.as_str()).map_err(reason)),
            };
            folder = Folder::Inside(self.unless_gone(inside)?);
        }
        Ok(folder)
    }

    /// The folder that something lies in, and its entry there as it is on disk.
    fn locate(&self, path: &[Name]) -> Result<(Folder<'_>, Entry), DriveError> {
        let (name, around) = path.split_last().ok_or(DriveError::NotFound)?;
        let folder = self.folder(around)?;
        let entry = self.unless_gone(self.find(&folder, name))?;
        Ok((folder, entry))
    }

    /// The folder for something new, and its name there, which is free.
    fn free<'a>(&self, path: &'a [Name]) -> Result<(Folder<'_>, &'a Name), DriveError> {
        let (folder, name) = self.place(path)?;
        match folder.symlink_metadata(name.as_str()) {
            Ok(_) => Err(DriveError::Taken),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((folder, name)),
            Err(error) => Err(reason(error)),
        }
    }

    /// The folder for something new, and its name there, which nothing has in another spelling. That nothing has it as it
    /// is, is for whoever puts it there to see: nothing is replaced.
    fn place<'a>(&self, path: &'a [Name]) -> Result<(Folder<'_>, &'a Name), DriveError> {
        let (name, around) = path.split_last().ok_or(DriveError::Taken)?;
        let folder = self.folder(around)?;
        if self.case == NameCase::Folded && !self.spellings(&folder, name)?.is_empty() {
            return Err(DriveError::Taken);
        }
        Ok((folder, name))
    }

    fn find(&self, folder: &Dir, name: &Name) -> Result<Entry, DriveError> {
        for name in self.spellings(folder, name)? {
            if let Some(kind) = kind(folder, &name)? {
                return Ok(Entry { name, kind });
            }
        }
        Err(DriveError::NotFound)
    }

    /// The names that `name` may have on disk, whether or not there is something of that name.
    fn spellings(&self, folder: &Dir, name: &Name) -> Result<Vec<Name>, DriveError> {
        if self.case == NameCase::Told {
            return Ok(vec![name.clone()]);
        }
        let key = self.case.key(name);
        let mut spellings = names(folder).map_err(reason)?;
        spellings.retain(|spelling| self.case.key(spelling) == key);
        spellings.sort();
        Ok(spellings)
    }

    /// Counts what is published.
    fn count(&self) -> io::Result<Amount> {
        count(&self.root, 0, |name| !is_staging(name))
    }

    /// Makes sure that there is room for `more`. Counts anew before it says no: others may have made room.
    fn make_room(&self, account: &mut Account, more: Amount) -> Result<(), DriveError> {
        let fits = |account: &Account| account.published.plus(account.staged).plus(more).fits(self.max);
        if !fits(account) {
            account.published = self.count().map_err(reason)?;
        }
        if fits(account) { Ok(()) } else { Err(DriveError::Full) }
    }

    fn create_first_folders(&self, account: &mut Account) -> io::Result<()> {
        for name in FIRST_FOLDERS {
            self.root.create_dir(name)?;
            account.published = account.published.plus(Amount::ENTRY);
        }
        sync(&self.root)
    }
}

/// A folder of a drive.
enum Folder<'a> {
    Root(&'a Dir),
    Inside(Dir),
}

impl Deref for Folder<'_> {
    type Target = Dir;

    fn deref(&self) -> &Dir {
        match self {
            Self::Root(root) => root,
            Self::Inside(folder) => folder,
        }
    }
}

struct DirectoryFile {
    octets: u64,
    /// Ends where the file ended when it was opened, should others make it longer.
    rest: io::Take<File>,
}

impl OpenFile for DirectoryFile {
    fn octets(&self) -> u64 {
        self.octets
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, DriveError> {
        loop {
            match self.rest.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result.map_err(reason),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Folders and files take entries, which are bounded; the public tests would need a million of them.
    #[test]
    fn folders_without_octets_fill_a_drive_too() {
        let directory = tempfile::TempDir::new().unwrap();
        let max = Amount { octets: 100, entries: 7 };
        let names = ["a", "b", "c", "d"].map(|name| Name::new(name).unwrap());
        let mut drive = DirectoryDrive::open_bounded(directory.path(), NameCase::Told, max).unwrap();
        drive.create_folder(&names[..1]).unwrap();
        let mut staging = drive.stage().unwrap();
        staging.create(&names[0]).unwrap();
        assert_eq!(staging.create(&names[1]), Err(DriveError::Full));
        assert_eq!(drive.create_folder(&names[1..2]), Err(DriveError::Full));
        assert_eq!(drive.stage().err(), Some(DriveError::Full));
        // The file takes an entry, the staging's own is free again.
        staging.publish_file(&names[1..2]).unwrap();
        drive.create_folder(&names[2..3]).unwrap();
        assert_eq!(drive.create_folder(&names[3..4]), Err(DriveError::Full));
        // Others make room.
        std::fs::remove_dir(directory.path().join("a")).unwrap();
        assert_eq!(drive.create_folder(&names[3..4]), Ok(()));
        let account = drive.ground.account();
        assert_eq!(account.staged, Amount::default());
        assert_eq!(account.published, drive.ground.count().unwrap());
    }
}
