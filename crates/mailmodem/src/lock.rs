//! Directories that one process at a time uses.

use cap_std::fs::Dir;
use rustix::fs::{FlockOperation, flock, major, minor};
use rustix::io::Errno;
use std::ops::Deref;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// A directory that is locked until this is dropped. The lock is on the directory itself, so there is no lock file that
/// someone could remove.
#[derive(Debug)]
pub(crate) struct LockedDir(Dir);

impl LockedDir {
    /// Locks a directory.
    ///
    /// # Errors
    /// `WOULDBLOCK`: it is locked already, by this process or another.
    pub(crate) fn new(directory: Dir) -> Result<Self, Errno> {
        flock(&directory, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self(directory))
    }
}

/// The process that has locked a directory, where the system tells. It may be this one.
pub(crate) fn holder(directory: &Path) -> Option<u32> {
    let metadata = directory.metadata().ok()?;
    let (device, inode) = (metadata.dev(), metadata.ino());
    let place = format!("{:02x}:{:02x}:{inode}", major(device), minor(device));
    // proc_locks(5): its number, its kind, how binding it is, for what, whose, on what, and which part of that.
    std::fs::read_to_string("/proc/locks").ok()?.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let ["FLOCK", _, _, process, locked, ..] = fields.get(1..)? else { return None };
        // It is 0 for one that is not in this container.
        (*locked == place).then(|| process.parse().ok().filter(|&process| process != 0))?
    })
}

impl Deref for LockedDir {
    type Target = Dir;

    fn deref(&self) -> &Dir {
        &self.0
    }
}

impl Drop for LockedDir {
    /// To close it is not enough: a process that is being started has a copy of it for a moment, and the lock with it.
    fn drop(&mut self) {
        if let Err(error) = flock(&self.0, FlockOperation::Unlock) {
            tracing::warn!(%error, "a directory stays locked until it is closed");
        }
    }
}
