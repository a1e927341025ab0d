//! Where a queue lives: a disk and two clocks, no wider than it needs them. [`ThisMachine`] is one; the simulation has
//! another, of which the power goes.
//!
//! What is written lasts when it is synced, and not before: a file by its own [`NewFile::sync`], its name, and every other
//! change of names, by the [`Place::sync`] of the directory. Until then each is there after a power failure, or not, and no
//! order among them can be relied on.
//!
//! Not here: what is written ([`super::spool`]).

use crate::lock::{LockedDir, holder};
use crate::maildir::create_private_directory;
use cap_std::fs::Dir;
use jiff::Timestamp;
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use tokio::time::Instant;

/// A machine, as a queue needs it.
pub trait Place: Send + Sync {
    /// What time it is; somebody may set it.
    fn time(&self) -> Timestamp;

    /// The time by a clock that nobody sets.
    fn now(&self) -> Instant;

    /// Makes a directory for its owner's eyes only, and those around it that are missing, so that they last.
    ///
    /// # Errors
    /// It cannot be made.
    fn make_directory(&self, directory: &Path) -> io::Result<()>;

    /// Locks a directory until what is returned is dropped.
    ///
    /// # Errors
    /// It is locked by somebody else ([`io::ErrorKind::ResourceBusy`]), or is not there.
    fn lock(&self, directory: &Path) -> io::Result<Box<dyn Send + Sync>>;

    /// The names in a directory.
    ///
    /// # Errors
    /// It cannot be read.
    fn names(&self, directory: &Path) -> io::Result<Names>;

    /// Size of a file.
    ///
    /// # Errors
    /// It is not there.
    fn octets(&self, file: &Path) -> io::Result<u64>;

    /// Opens a new file for its owner's eyes only.
    ///
    /// # Errors
    /// It is there already, or cannot be made.
    fn create(&self, file: &Path) -> io::Result<Box<dyn NewFile>>;

    /// Opens a file to read it.
    ///
    /// # Errors
    /// It is not there, or cannot be read.
    fn open(&self, file: &Path) -> io::Result<Box<dyn Read + Send>>;

    /// Gives a file another name, in place of whatever has that name: in one step.
    ///
    /// # Errors
    /// Nothing was done.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file a second name.
    ///
    /// # Errors
    /// The name is taken, or the file system knows no such thing.
    fn link(&self, file: &Path, name: &Path) -> io::Result<()>;

    /// Takes a file's name off.
    ///
    /// # Errors
    /// It is not there, or stays.
    fn remove(&self, file: &Path) -> io::Result<()>;

    /// Has the names in a directory last as they are.
    ///
    /// # Errors
    /// Nobody knows which do.
    fn sync(&self, directory: &Path) -> io::Result<()>;
}

/// The names in a directory, one by one.
pub type Names = Box<dyn Iterator<Item = io::Result<OsString>>>;

/// A file that is being written.
pub trait NewFile: Write + Send {
    /// Has what was written last.
    ///
    /// # Errors
    /// It may not.
    fn sync(&self) -> io::Result<()>;
}

impl NewFile for File {
    fn sync(&self) -> io::Result<()> {
        self.sync_all()
    }
}

/// The machine that this program runs on.
#[derive(Clone, Copy, Debug)]
pub struct ThisMachine;

impl Place for ThisMachine {
    fn time(&self) -> Timestamp {
        Timestamp::now()
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn make_directory(&self, directory: &Path) -> io::Result<()> {
        let is_missing = |part: &&Path| !part.as_os_str().is_empty() && !part.exists();
        let missing: Vec<&Path> = directory.ancestors().take_while(is_missing).collect();
        create_private_directory(directory)?;
        for made in missing {
            let around = made.parent().filter(|around| !around.as_os_str().is_empty());
            self.sync(around.unwrap_or(Path::new(".")))?;
        }
        Ok(())
    }

    fn lock(&self, directory: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let opened = Dir::from_std_file(File::open(directory)?);
        match LockedDir::new(opened) {
            Ok(locked) => Ok(Box::new(locked)),
            Err(Errno::WOULDBLOCK) => Err(io::Error::new(io::ErrorKind::ResourceBusy, in_use(directory))),
            Err(errno) => Err(errno.into()),
        }
    }

    fn names(&self, directory: &Path) -> io::Result<Names> {
        Ok(Box::new(fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name()))))
    }

    fn octets(&self, file: &Path) -> io::Result<u64> {
        Ok(fs::symlink_metadata(file)?.len())
    }

    fn create(&self, file: &Path) -> io::Result<Box<dyn NewFile>> {
        Ok(Box::new(OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?))
    }

    fn open(&self, file: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(file)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn link(&self, file: &Path, name: &Path) -> io::Result<()> {
        fs::hard_link(file, name)
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        fs::remove_file(file)
    }

    fn sync(&self, directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }
}

/// What to do about a queue that somebody else sends.
fn in_use(directory: &Path) -> String {
    let holder = holder(directory);
    let who = holder.map_or_else(|| "another mailmodem".to_owned(), |process| format!("process {process}"));
    format!(
        "{who} sends what is in {}; send on a line of that one's, or by a config with another data_dir",
        directory.display()
    )
}
