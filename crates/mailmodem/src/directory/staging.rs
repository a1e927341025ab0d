//! What is written aside on a drive in a directory, to appear whole or not at all.

use super::tree::{clear, open_folder, reason, rename, sync};
use super::{Amount, Ground};
use crate::limits::{STAGED_OCTETS_HELD_MAX, UNSYNCED_FILES_MAX};
use cap_std::fs::{Dir, File, OpenOptions};
use modem::drive::path::Name;
use modem::drive::{DriveError, StagedFile, Staging};
use std::ffi::OsStr;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// How the names of stagings begin: no name on a drive begins with a dot.
const PREFIX: &str = ".mailmodem-staging-";

/// Whether this is the name of a staging, if it is found at the root.
pub(super) fn is_staging(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(PREFIX.as_bytes())
}

/// A staging of a drive in a directory: a hidden directory at its root, renamed when it is published.
pub(super) struct DirectoryStaging {
    ground: Arc<Ground>,
    name: String,
    aside: Dir,
    files: Vec<Staged>,
    /// Has the files that are complete made durable, while others are written.
    syncer: Option<Syncer>,
    /// The machine did not take something: what is staged is not what was written, and must not appear.
    is_spoilt: bool,
    /// What is counted as staged for it.
    amount: Amount,
}

/// A file of a staging.
struct Staged {
    name: Name,
    /// `None` when it is complete.
    open: Option<Written>,
}

/// A file being written, in steps of a size that is worth a call of the system.
struct Written {
    file: File,
    held: Vec<u8>,
}

impl Written {
    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        if self.held.len() + octets.len() > STAGED_OCTETS_HELD_MAX {
            self.file.write_all(&self.held)?;
            self.held.clear();
            if octets.len() > STAGED_OCTETS_HELD_MAX / 2 {
                return self.file.write_all(octets);
            }
        }
        self.held.extend_from_slice(octets);
        Ok(())
    }

    /// All of it is the system's.
    fn end(mut self) -> io::Result<File> {
        self.file.write_all(&self.held)?;
        Ok(self.file)
    }
}

/// Waits for the disk, in a thread of its own, so that what is still coming need not.
struct Syncer {
    files: SyncSender<File>,
    thread: JoinHandle<io::Result<()>>,
}

impl Syncer {
    fn start() -> io::Result<Self> {
        let (files, complete) = sync_channel::<File>(UNSYNCED_FILES_MAX);
        let sync = move || complete.into_iter().try_for_each(|file| file.sync_all());
        Ok(Self { files, thread: thread::Builder::new().name("disk".to_owned()).spawn(sync)? })
    }

    fn finish(self) -> io::Result<()> {
        drop(self.files);
        self.thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that waits for the disk failed")))
    }
}

impl DirectoryStaging {
    /// Begins a staging under a name that nothing has.
    pub(super) fn begin(ground: &Arc<Ground>) -> Result<Self, DriveError> {
        let mut account = ground.account();
        ground.make_room(&mut account, Amount::ENTRY)?;
        let (name, aside) = loop {
            let name = format!("{PREFIX}{}", account.stagings);
            account.stagings += 1;
            match ground.root.create_dir(&name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                created => {
                    let opened = created.and_then(|()| open_folder(&ground.root, &name));
                    break (name, opened.map_err(reason)?);
                }
            }
        };
        account.staged = account.staged.plus(Amount::ENTRY);
        drop(account);
        let ground = Arc::clone(ground);
        Ok(Self {
            ground,
            name,
            aside,
            files: Vec::new(),
            syncer: None,
            is_spoilt: false,
            amount: Amount::ENTRY,
        })
    }

    /// Counts `more` as staged for this, if there is room.
    fn take_room(&mut self, more: Amount) -> Result<(), DriveError> {
        let mut account = self.ground.account();
        self.ground.make_room(&mut account, more)?;
        account.staged = account.staged.plus(more);
        self.amount = self.amount.plus(more);
        Ok(())
    }

    fn give_room_back(&mut self, less: Amount) {
        let mut account = self.ground.account();
        account.staged = account.staged.minus(less);
        self.amount = self.amount.minus(less);
    }

    /// Makes what is staged durable where it is.
    fn complete_all(&mut self) -> Result<(), DriveError> {
        let mut open = self.files.iter_mut().filter_map(|file| file.open.take());
        let written = open.try_for_each(|open| open.end()?.sync_all());
        let synced = self.syncer.take().map_or(Ok(()), Syncer::finish);
        self.unspoilt(written.and(synced))?;
        if self.is_spoilt { Err(DriveError::Broken) } else { Ok(()) }
    }

    fn unspoilt(&mut self, done: io::Result<()>) -> Result<(), DriveError> {
        self.is_spoilt |= done.is_err();
        done.map_err(reason)
    }

    /// Renames what is staged into its place. The rename shows all of it at once.
    fn publish(&mut self, from: &Dir, staged: &str, path: &[Name], amount: Amount) -> Result<(), DriveError> {
        let ground = Arc::clone(&self.ground);
        let (around, name) = ground.place(path)?;
        let mut account = ground.account();
        ground.unless_gone(rename(from, staged, &around, name).map_err(reason))?;
        account.published = account.published.plus(amount);
        account.staged = account.staged.minus(amount);
        self.amount = self.amount.minus(amount);
        drop(account);
        sync(&around).map_err(reason)
    }
}

impl Staging for DirectoryStaging {
    fn create(&mut self, name: &Name) -> Result<StagedFile, DriveError> {
        let key = self.ground.case.key(name);
        if self.files.iter().any(|taken| self.ground.case.key(&taken.name) == key) {
            return Err(DriveError::Taken);
        }
        self.take_room(Amount::ENTRY)?;
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        match self.aside.open_with(name.as_str(), &options) {
            Ok(file) => {
                let open = Some(Written { file, held: Vec::new() });
                self.files.push(Staged { name: name.clone(), open });
                Ok(StagedFile::nth(self.files.len() - 1))
            }
            Err(error) => {
                self.give_room_back(Amount::ENTRY);
                self.ground.unless_gone(Err(reason(error)))
            }
        }
    }

    fn write(&mut self, file: StagedFile, octets: &[u8]) -> Result<(), DriveError> {
        let is_open = self.files.get(file.index()).is_some_and(|file| file.open.is_some());
        if !is_open {
            return Err(DriveError::NotFound);
        }
        self.take_room(Amount::octets(u64::try_from(octets.len()).map_err(|_| DriveError::Full)?))?;
        let open = self.files.get_mut(file.index()).and_then(|file| file.open.as_mut());
        let written = open.map_or(Ok(()), |open| open.write(octets));
        self.unspoilt(written)
    }

    fn complete(&mut self, file: StagedFile) -> Result<(), DriveError> {
        let open = self.files.get_mut(file.index()).and_then(|file| file.open.take());
        let completed = open.ok_or(DriveError::NotFound)?.end().and_then(|file| {
            let syncer = match &mut self.syncer {
                Some(syncer) => syncer,
                none => none.insert(Syncer::start()?),
            };
            // A thread that has ended tells why when it is asked.
            let _ = syncer.files.send(file);
            Ok(())
        });
        self.unspoilt(completed)
    }

    fn publish_folder(mut self: Box<Self>, folder: &[Name]) -> Result<(), DriveError> {
        self.complete_all()?;
        sync(&self.aside).map_err(reason)?;
        let (ground, name, amount) = (Arc::clone(&self.ground), self.name.clone(), self.amount);
        self.publish(&ground.root, &name, folder, amount)
    }

    fn publish_file(mut self: Box<Self>, file: &[Name]) -> Result<(), DriveError> {
        let [staged] = self.files.as_slice() else { return Err(DriveError::NotFound) };
        let staged = staged.name.clone();
        self.complete_all()?;
        let aside = self.aside.try_clone().map_err(reason)?;
        let amount = self.amount.minus(Amount::ENTRY);
        self.publish(&aside, staged.as_str(), file, Amount { entries: 1, ..amount })
    }
}

impl Drop for DirectoryStaging {
    fn drop(&mut self) {
        // Nothing is counted for it any more: it has been published as a folder.
        if self.amount == Amount::default() {
            return;
        }
        let root = &self.ground.root;
        let cleared = clear(&self.aside, 0, |_| true).and_then(|()| root.remove_dir(&self.name));
        if let Err(error) = cleared
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, staging = self.name, "a staging is left over until the drive is opened again");
        }
        self.give_room_back(self.amount);
    }
}
