//! The steps on the machine's directories, none of which follows a link.
//!
//! Not here: what a drive is, and its account.

use super::Amount;
use crate::limits::{DRIVE_DEPTH_MAX, DRIVE_ENTRIES_MAX};
use cap_std::fs::{Dir, Metadata, MetadataExt};
use modem::drive::path::Name;
use modem::drive::{DriveError, Kind};
use rustix::fs::{Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use rustix::path::Arg;
use std::ffi::OsStr;
use std::io;

/// What in a folder has a name that the modem can utter, in no order.
pub(super) fn names(folder: &Dir) -> io::Result<Vec<Name>> {
    let mut names = Vec::new();
    for (read, entry) in (0..).zip(folder.entries()?) {
        if read >= DRIVE_ENTRIES_MAX {
            return Err(too_much());
        }
        names.extend(entry?.file_name().to_str().and_then(Name::new));
    }
    Ok(names)
}

/// What a name is, unless it is nothing or nothing that a drive has.
pub(super) fn kind(folder: &Dir, name: &Name) -> Result<Option<Kind>, DriveError> {
    match folder.symlink_metadata(name.as_str()) {
        Ok(metadata) => Ok(kind_of(&metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(reason(error)),
    }
}

pub(super) fn kind_of(metadata: &Metadata) -> Option<Kind> {
    if metadata.is_dir() {
        Some(Kind::Folder)
    } else if metadata.is_file() {
        Some(Kind::File { octets: metadata.len(), modified_s: metadata.mtime() })
    } else {
        None
    }
}

/// Counts what lies in a directory `depth` below the root and further down, of its own entries only those that
/// `counts` is true for. What may not be read (`lost+found`) can't be written either, and counts for nothing.
pub(super) fn count(directory: &Dir, depth: usize, counts: fn(&OsStr) -> bool) -> io::Result<Amount> {
    if depth > DRIVE_DEPTH_MAX {
        return Err(too_much());
    }
    let mut total = Amount::default();
    for entry in directory.entries()? {
        let name = entry?.file_name();
        if !counts(&name) {
            continue;
        }
        let inside = directory.symlink_metadata(&name).and_then(|metadata| match kind_of(&metadata) {
            Some(Kind::Folder) => count(&open_folder(directory, &name)?, depth + 1, |_| true),
            Some(Kind::File { octets, .. }) => Ok(Amount::octets(octets)),
            None => Ok(Amount::default()),
        });
        match inside {
            Ok(inside) => total = total.plus(inside).plus(Amount::ENTRY),
            Err(error) if is_passing(&error) || error.kind() == io::ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error),
        }
        if total.entries > DRIVE_ENTRIES_MAX {
            return Err(too_much());
        }
    }
    Ok(total)
}

/// Removes what lies in a directory, whatever it is; of its own entries only those that `goes` is true for.
pub(super) fn clear(directory: &Dir, depth: usize, goes: fn(&OsStr) -> bool) -> io::Result<()> {
    if depth > DRIVE_DEPTH_MAX {
        return Err(too_much());
    }
    for entry in directory.entries()? {
        let entry = entry?;
        let name = entry.file_name();
        if !goes(&name) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            clear(&open_folder(directory, &name)?, depth + 1, |_| true)?;
            directory.remove_dir(&name)?;
        } else {
            directory.remove_file(&name)?;
        }
    }
    Ok(())
}

/// Whether it only says that others have removed something, or put something else in its place, since it was seen.
pub(crate) fn is_passing(error: &io::Error) -> bool {
    match Errno::from_io_error(error) {
        // The last two: it is a link now, or a special file.
        Some(errno) => {
            matches!(errno, Errno::NOENT | Errno::NOTDIR | Errno::ISDIR | Errno::LOOP | Errno::NXIO)
        }
        // How cap-std says, without a number, that it was moved out of the directory while it was opened.
        None => error.kind() == io::ErrorKind::PermissionDenied,
    }
}

fn too_much() -> io::Error {
    io::Error::other(format!(
        "more than {DRIVE_ENTRIES_MAX} entries, or folders more than {DRIVE_DEPTH_MAX} deep, in the drive's directory"
    ))
}

/// Renames without ever replacing anything.
pub(super) fn rename(from: &Dir, old: &str, to: &Dir, new: &Name) -> io::Result<()> {
    Ok(rustix::fs::renameat_with(from, old, to, new.as_str(), RenameFlags::NOREPLACE)?)
}

/// Opens a folder in another, by its one name there. It is opened for reading: what cap-std opens is a mere place, which
/// can be neither locked nor synced.
pub(crate) fn open_folder(around: &Dir, name: impl Arg) -> io::Result<Dir> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(Dir::from_std_file(rustix::fs::openat(around, name, flags, Mode::empty())?.into()))
}

/// Makes the entries of a folder durable.
pub(crate) fn sync(folder: &Dir) -> io::Result<()> {
    Ok(rustix::fs::fsync(folder)?)
}

/// What an error of the machine is to the modem. What is no news about the drive's content is logged.
pub(super) fn reason(error: io::Error) -> DriveError {
    if is_passing(&error) {
        return DriveError::NotFound;
    }
    match Errno::from_io_error(&error) {
        Some(Errno::EXIST) => DriveError::Taken,
        Some(Errno::NOTEMPTY) => DriveError::NotEmpty,
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG | Errno::MLINK) => DriveError::Full,
        Some(Errno::NODEV | Errno::STALE | Errno::NOTCONN) => DriveError::Gone,
        _ => {
            tracing::warn!(%error, "the drive's directory cannot be read or written");
            DriveError::Broken
        }
    }
}
