//! Directories that one process at a time uses.

use cap_std::fs::Dir;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::ops::Deref;

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
