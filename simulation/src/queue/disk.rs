//! A machine of which the power goes: a disk in memory and two clocks, as [`mailmodem::queue`] wants them.
//!
//! What was not synced is lost or kept by chance, each change of a name and the end of each file by itself; a renaming is
//! one change. Any operation may be the last one before the power goes, and in a bad world any may fail. What a failed
//! syncing leaves is as if it had not been tried.
//!
//! Not here: when the power goes or the disk is bad ([`super::world`]), and what must be found then ([`super::laws`]).
//! Directories are made in one step that lasts.

use crate::chance::Chance;
use jiff::Timestamp;
use mailmodem::queue::place::{Names, NewFile, Place};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The machine. A clone is the same one.
#[derive(Clone)]
pub(super) struct Machine(Arc<Mutex<Hardware>>);

/// What it is made of.
pub(super) struct Hardware {
    chance: Chance,
    directories: BTreeMap<PathBuf, Directory>,
    files: BTreeMap<FileId, File>,
    files_made: u64,
    /// Whose lock it is, counted; 0: nobody's.
    locked_by: u64,
    locks_made: u64,
    is_off: bool,
    /// After so many operations more the power goes.
    power_lasts: Option<u64>,
    /// What new octets and names come to.
    pub(super) is_full: bool,
    /// One operation in so many fails; 0: none.
    pub(super) fails_one_in: u64,
    /// Whether a file can have two names.
    pub(super) has_links: bool,
    /// How many operations have failed.
    pub(super) failures: u64,
    /// How many changes there were.
    pub(super) changes: u64,
    /// Since the world began.
    elapsed: Duration,
    begun: Instant,
    time: Timestamp,
}

/// Names a file whatever its name is.
pub(super) type FileId = u64;

#[derive(Default)]
struct Directory {
    names: BTreeMap<OsString, FileId>,
    synced: BTreeMap<OsString, FileId>,
    /// What has happened to the names since.
    changes: Vec<Change>,
}

struct Change {
    off: Option<OsString>,
    on: Option<(OsString, FileId)>,
}

struct File {
    octets: Vec<u8>,
    /// So many of them last.
    synced_octets: usize,
}

/// What an operation needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// Room for a name or for octets.
    Room,
}

impl Machine {
    pub(super) fn new(chance: Chance, time: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Hardware {
            chance,
            directories: BTreeMap::new(),
            files: BTreeMap::new(),
            files_made: 0,
            locked_by: 0,
            locks_made: 0,
            is_off: false,
            power_lasts: None,
            is_full: false,
            fails_one_in: 0,
            has_links: true,
            failures: 0,
            changes: 0,
            elapsed: Duration::ZERO,
            begun: Instant::now(),
            time,
        })))
    }

    /// What it is made of, for those who know more than a program does.
    pub(super) fn hardware(&self) -> MutexGuard<'_, Hardware> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One operation of a program's.
    fn operate<T>(&self, needs: Needs, work: impl FnOnce(&mut Hardware) -> io::Result<T>) -> io::Result<T> {
        let mut hardware = self.hardware();
        let no_power = || Err(io::Error::other("no power"));
        if hardware.is_off {
            return no_power();
        }
        let is_last = hardware.power_lasts == Some(0);
        hardware.power_lasts = hardware.power_lasts.map(|operations| operations.saturating_sub(1));
        if is_last && hardware.chance.one_in(2) {
            hardware.is_off = true;
            return no_power();
        }
        let result = hardware.fail(needs).and_then(|()| work(&mut hardware));
        hardware.is_off = is_last;
        if is_last { no_power() } else { result }
    }
}

impl Hardware {
    fn fail(&mut self, needs: Needs) -> io::Result<()> {
        let kind = if needs == Needs::Room && self.is_full {
            io::ErrorKind::StorageFull
        } else if self.fails_one_in > 0 && self.chance.one_in(self.fails_one_in) {
            io::ErrorKind::Other
        } else {
            return Ok(());
        };
        self.failures += 1;
        Err(kind.into())
    }

    fn directory(&mut self, file: &Path) -> io::Result<(&mut Directory, OsString)> {
        let (Some(parent), Some(name)) = (file.parent(), file.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        self.changes += 1;
        let directory = self.directories.get_mut(parent).ok_or(io::ErrorKind::NotFound)?;
        Ok((directory, name.to_owned()))
    }

    /// The file of this name.
    pub(super) fn find(&self, file: &Path) -> Option<FileId> {
        self.directories.get(file.parent()?)?.names.get(file.file_name()?).copied()
    }

    /// The names in a directory, and their files.
    pub(super) fn names(&self, directory: &Path) -> impl Iterator<Item = (&str, FileId)> {
        let names = self.directories.get(directory).into_iter().flat_map(|directory| &directory.names);
        names.filter_map(|(name, file)| Some((name.to_str()?, *file)))
    }

    /// What is in a file.
    pub(super) fn octets(&self, file: FileId) -> &[u8] {
        self.files.get(&file).map(|file| file.octets.as_slice()).unwrap_or_default()
    }

    /// Somebody else makes an empty file.
    pub(super) fn put(&mut self, file: &Path) {
        if self.find(file).is_none() {
            let id = self.make();
            if let Ok((directory, name)) = self.directory(file) {
                directory.change(None, Some((name, id)));
            }
        }
    }

    fn make(&mut self) -> FileId {
        self.files_made += 1;
        self.files.insert(self.files_made, File { octets: Vec::new(), synced_octets: 0 });
        self.files_made
    }

    /// Whether there is no power, so that nothing that a program says any more was said.
    pub(super) const fn is_off(&self) -> bool {
        self.is_off
    }

    /// From here on nothing is done.
    pub(super) const fn switch_off(&mut self) {
        self.is_off = true;
    }

    /// The power goes at some operation to come.
    pub(super) const fn let_power_last(&mut self, operations: u64) {
        self.power_lasts = Some(operations);
    }

    /// A program was killed, and the machine stays: what it did is done.
    pub(super) const fn go_on(&mut self) {
        (self.is_off, self.power_lasts, self.locked_by) = (false, None, 0);
    }

    /// The power went, and comes back: what was not synced is there, or not.
    pub(super) fn come_back(&mut self) {
        self.go_on();
        self.changes += 1;
        let Self { directories, files, chance, .. } = self;
        // A disk that writes all at once, or nothing, is as likely as one that has an order of its own.
        let kept_per_cent = chance.pick(&[0, 100, 20, 50, 80]);
        for directory in directories.values_mut() {
            for change in std::mem::take(&mut directory.changes) {
                if chance.per_cent(kept_per_cent) {
                    change.apply(&mut directory.synced);
                }
            }
            directory.names = directory.synced.clone();
        }
        files.retain(|id, _| {
            directories.values().any(|directory| directory.names.values().any(|it| it == id))
        });
        for file in files.values_mut() {
            let whole = file.octets.len();
            if file.synced_octets < whole {
                match chance.below(4) {
                    0 => {}
                    1 => file.octets.truncate(file.synced_octets),
                    2 => file.octets.truncate(chance.count(file.synced_octets, whole)),
                    // Its size came to last, and its octets did not.
                    _ => file.octets.iter_mut().skip(file.synced_octets).for_each(|octet| *octet = 0),
                }
            }
            file.synced_octets = file.octets.len();
        }
    }

    /// Time goes by.
    pub(super) fn advance(&mut self, by: Duration) {
        self.elapsed += by;
        self.set_clock(i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    }

    /// Somebody sets the machine's time, forward or back.
    pub(super) fn set_clock(&mut self, by_ms: i64) {
        let by = jiff::SignedDuration::from_millis(by_ms);
        self.time = self.time.checked_add(by).unwrap_or(self.time);
    }

    /// How long there has been a world.
    pub(super) const fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// How long it is until then.
    pub(super) fn until(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.begun + self.elapsed)
    }
}

impl Directory {
    fn change(&mut self, off: Option<OsString>, on: Option<(OsString, FileId)>) {
        let change = Change { off, on };
        change.apply(&mut self.names);
        self.changes.push(change);
    }

    fn get(&self, name: &OsString) -> io::Result<FileId> {
        Ok(self.names.get(name).copied().ok_or(io::ErrorKind::NotFound)?)
    }
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<OsString, FileId>) {
        if let Some(name) = &self.off {
            names.remove(name);
        }
        if let Some((name, file)) = &self.on {
            names.insert(name.clone(), *file);
        }
    }
}

impl Place for Machine {
    fn time(&self) -> Timestamp {
        self.hardware().time
    }

    fn now(&self) -> Instant {
        let hardware = self.hardware();
        hardware.begun + hardware.elapsed
    }

    fn make_directory(&self, directory: &Path) -> io::Result<()> {
        self.operate(Needs::Nothing, |hardware| {
            hardware.directories.entry(directory.to_owned()).or_default();
            Ok(())
        })
    }

    fn lock(&self, directory: &Path) -> io::Result<Box<dyn Send + Sync>> {
        self.operate(Needs::Nothing, |hardware| {
            hardware.directories.get(directory).ok_or(io::ErrorKind::NotFound)?;
            if hardware.locked_by != 0 {
                return Err(io::ErrorKind::ResourceBusy.into());
            }
            hardware.locks_made += 1;
            hardware.locked_by = hardware.locks_made;
            Ok(Box::new(Lock { machine: self.clone(), id: hardware.locks_made }) as Box<dyn Send + Sync>)
        })
    }

    fn names(&self, directory: &Path) -> io::Result<Names> {
        self.operate(Needs::Nothing, |hardware| {
            let directory = hardware.directories.get(directory).ok_or(io::ErrorKind::NotFound)?;
            let names: Vec<OsString> = directory.names.keys().cloned().collect();
            Ok(Box::new(names.into_iter().map(Ok)) as Names)
        })
    }

    fn octets(&self, file: &Path) -> io::Result<u64> {
        self.operate(Needs::Nothing, |hardware| {
            let file = hardware.find(file).ok_or(io::ErrorKind::NotFound)?;
            u64::try_from(hardware.octets(file).len()).map_err(io::Error::other)
        })
    }

    fn create(&self, file: &Path) -> io::Result<Box<dyn NewFile>> {
        self.operate(Needs::Room, |hardware| {
            if hardware.find(file).is_some() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            let id = hardware.make();
            let (directory, name) = hardware.directory(file)?;
            directory.change(None, Some((name, id)));
            Ok(Box::new(Writing { machine: self.clone(), id }) as Box<dyn NewFile>)
        })
    }

    fn open(&self, file: &Path) -> io::Result<Box<dyn Read + Send>> {
        self.operate(Needs::Nothing, |hardware| {
            let file = hardware.find(file).ok_or(io::ErrorKind::NotFound)?;
            let octets = Cursor::new(hardware.octets(file).to_vec());
            Ok(Box::new(Reading { machine: self.clone(), octets }) as Box<dyn Read + Send>)
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.operate(Needs::Nothing, |hardware| {
            let (_, to) = hardware.directory(to)?;
            let (directory, from) = hardware.directory(from)?;
            let file = directory.get(&from)?;
            directory.change(Some(from), Some((to, file)));
            Ok(())
        })
    }

    fn link(&self, file: &Path, name: &Path) -> io::Result<()> {
        self.operate(Needs::Room, |hardware| {
            if !hardware.has_links {
                return Err(io::ErrorKind::Unsupported.into());
            }
            let file = hardware.find(file).ok_or(io::ErrorKind::NotFound)?;
            let (directory, name) = hardware.directory(name)?;
            if directory.names.contains_key(&name) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            directory.change(None, Some((name, file)));
            Ok(())
        })
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        self.operate(Needs::Nothing, |hardware| {
            let (directory, name) = hardware.directory(file)?;
            directory.get(&name)?;
            directory.change(Some(name), None);
            Ok(())
        })
    }

    fn sync(&self, directory: &Path) -> io::Result<()> {
        self.operate(Needs::Nothing, |hardware| {
            let directory = hardware.directories.get_mut(directory).ok_or(io::ErrorKind::NotFound)?;
            directory.synced = directory.names.clone();
            directory.changes.clear();
            Ok(())
        })
    }
}

/// The lock of a directory.
struct Lock {
    machine: Machine,
    id: u64,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut hardware = self.machine.hardware();
        if hardware.locked_by == self.id {
            hardware.locked_by = 0;
        }
    }
}

/// A file that is being written.
struct Writing {
    machine: Machine,
    id: FileId,
}

impl Write for Writing {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let id = self.id;
        // As much as there was room for.
        self.machine.operate(Needs::Room, |hardware| {
            let taken = if octets.len() > 1 && hardware.chance.one_in(4) {
                hardware.chance.count(1, octets.len())
            } else {
                octets.len()
            };
            let file = hardware.files.get_mut(&id).ok_or(io::ErrorKind::NotFound)?;
            file.octets.extend_from_slice(octets.get(..taken).unwrap_or(octets));
            Ok(taken)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl NewFile for Writing {
    fn sync(&self) -> io::Result<()> {
        self.machine.operate(Needs::Nothing, |hardware| {
            let file = hardware.files.get_mut(&self.id).ok_or(io::ErrorKind::NotFound)?;
            file.synced_octets = file.octets.len();
            Ok(())
        })
    }
}

/// A file that is being read: what was in it when it was opened, which no other writes.
struct Reading {
    machine: Machine,
    octets: Cursor<Vec<u8>>,
}

impl Read for Reading {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Self { machine, octets } = self;
        machine.operate(Needs::Nothing, |_| octets.read(into))
    }
}
