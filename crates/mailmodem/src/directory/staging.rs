//! What is written aside on a drive in a directory, to appear whole or not at all.

use super::tree::{clear, reason, rename, sync};
use super::{Amount, Ground};
use cap_fs_ext::DirExt;
use cap_std::fs::{Dir, File, OpenOptions};
use modem::drive::path::Name;
use modem::drive::{DriveError, Staging};
use std::ffi::OsStr;
use std::io::{self, Write};
use std::sync::Arc;

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
    files: Vec<Name>,
    /// The file begun last, open.
    last: Option<File>,
    /// What is counted as staged for it.
    amount: Amount,
}

impl DirectoryStaging {
    /// Begins a staging under a name that nothing has.
    pub(super) fn begin(ground: &Arc<Ground>) -> Result<Self, DriveError> {
        ground.present()?;
        let mut account = ground.account();
        ground.make_room(&mut account, Amount::ENTRY)?;
        let (name, aside) = loop {
            let name = format!("{PREFIX}{}", account.stagings);
            account.stagings += 1;
            match ground.root.create_dir(&name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                created => {
                    let opened = created.and_then(|()| ground.root.open_dir_nofollow(&name));
                    break (name, opened.map_err(reason)?);
                }
            }
        };
        account.staged = account.staged.plus(Amount::ENTRY);
        drop(account);
        let ground = Arc::clone(ground);
        Ok(Self { ground, name, aside, files: Vec::new(), last: None, amount: Amount::ENTRY })
    }

    /// Counts `more` as staged for this, if there is room.
    fn take_room(&mut self, more: Amount) -> Result<(), DriveError> {
        self.ground.present()?;
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
    fn complete(&mut self) -> Result<(), DriveError> {
        self.last.take().map_or(Ok(()), |file| file.sync_all()).map_err(reason)
    }

    /// Renames what is staged into its place. The rename shows all of it at once.
    fn publish(&mut self, from: &Dir, staged: &str, path: &[Name], amount: Amount) -> Result<(), DriveError> {
        let (around, name) = self.ground.free(path)?;
        let mut account = self.ground.account();
        rename(from, staged, &around, name).map_err(reason)?;
        account.published = account.published.plus(amount);
        account.staged = account.staged.minus(amount);
        self.amount = self.amount.minus(amount);
        drop(account);
        sync(&around).map_err(reason)
    }
}

impl Staging for DirectoryStaging {
    fn create(&mut self, name: &Name) -> Result<(), DriveError> {
        self.ground.present()?;
        let key = self.ground.case.key(name);
        if self.files.iter().any(|taken| self.ground.case.key(taken) == key) {
            return Err(DriveError::Taken);
        }
        self.take_room(Amount::ENTRY)?;
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        match self.complete().and_then(|()| self.aside.open_with(name.as_str(), &options).map_err(reason)) {
            Ok(file) => {
                self.files.push(name.clone());
                self.last = Some(file);
                Ok(())
            }
            Err(error) => {
                self.give_room_back(Amount::ENTRY);
                Err(error)
            }
        }
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), DriveError> {
        self.ground.present()?;
        let Some(mut file) = self.last.as_ref().map(File::try_clone).transpose().map_err(reason)? else {
            return Err(DriveError::NotFound);
        };
        let before = file.metadata().map_err(reason)?.len();
        let more = Amount::octets(u64::try_from(octets.len()).map_err(|_| DriveError::Full)?);
        self.take_room(more)?;
        file.write_all(octets).map_err(|error| {
            self.give_room_back(more);
            // The machine's own disk may be full in the middle of it.
            file.set_len(before).map_or_else(reason, |()| reason(error))
        })
    }

    fn publish_folder(mut self: Box<Self>, folder: &[Name]) -> Result<(), DriveError> {
        self.ground.present()?;
        self.complete()?;
        sync(&self.aside).map_err(reason)?;
        let root = self.ground.root.try_clone().map_err(reason)?;
        let (name, amount) = (self.name.clone(), self.amount);
        self.publish(&root, &name, folder, amount)
    }

    fn publish_file(mut self: Box<Self>, file: &[Name]) -> Result<(), DriveError> {
        self.ground.present()?;
        let [staged] = self.files.as_slice() else { return Err(DriveError::NotFound) };
        let staged = staged.clone();
        self.complete()?;
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
