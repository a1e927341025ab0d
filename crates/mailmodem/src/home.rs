//! The directory of a modem's: its drives, its sandbox's mail, the console's history.
//!
//! Not here: cards that come and go ([`crate::card`]).

use crate::directory::DirectoryDrive;
use crate::limits::{DRIVE_OCTETS_MAX, PROFILE_OCTETS_MAX};
use crate::maildir::{Maildirs, create_private_directory};
use anyhow::{Context as _, anyhow, bail};
use etcetera::BaseStrategy as _;
use modem::drive::path::Name;
use modem::drive::{Drive, NameCase};
use sandbox::first_mails;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Two pictures under the names that the note has (note §3.2).
const FIRST_PICTURES: [(&str, &[u8]); 2] = [
    ("20100202_100006.jpg", include_bytes!("../assets/20100202_100006.jpg")),
    ("20100202_100016.jpg", include_bytes!("../assets/20100202_100016.jpg")),
];

/// The directory of a modem's.
#[derive(Clone, Debug)]
pub struct Home {
    directory: PathBuf,
}

impl Home {
    /// The directory that was asked for, or else the user's.
    ///
    /// # Errors
    /// It is not known where the user's is, or it cannot be made, or is a file.
    pub fn open(directory: Option<PathBuf>) -> anyhow::Result<Self> {
        let directory = match directory {
            Some(directory) => directory,
            None => data_directory()?,
        };
        if directory.exists() && !directory.is_dir() {
            bail!("{} is not a directory; name another with --dir", directory.display());
        }
        create_private_directory(&directory).with_context(|| {
            format!("cannot make {}; name another directory with --dir", directory.display())
        })?;
        Ok(Self { directory })
    }

    /// Drive C:. On the first start there are two pictures on it.
    ///
    /// # Errors
    /// It is in use, or cannot be read or written.
    pub fn drive_c(&self, octets_max: u64) -> anyhow::Result<Box<dyn Drive>> {
        let directory = self.directory.join("drive-c");
        let is_new = !directory.exists();
        let mut drive = open_drive(&directory, NameCase::Told, octets_max)?;
        if is_new {
            add_pictures(&mut drive)
                .with_context(|| format!("cannot put the first pictures into {}", directory.display()))?;
        }
        Ok(Box::new(drive))
    }

    /// Drive D:, if there is one or one is wanted.
    ///
    /// # Errors
    /// It is in use, or cannot be read or written.
    pub fn drive_d(&self, is_wanted: bool) -> anyhow::Result<Option<Box<dyn Drive>>> {
        let directory = self.card();
        if !is_wanted && !directory.exists() {
            return Ok(None);
        }
        Ok(Some(Box::new(open_drive(&directory, NameCase::Folded, DRIVE_OCTETS_MAX)?)))
    }

    /// The directory that is drive D: while it is there.
    #[must_use]
    pub fn card(&self) -> PathBuf {
        self.directory.join("drive-d")
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.directory
    }

    /// The sandbox's Maildirs, in [`Self::mail`]; `on_delivery` is told of each file that appears. On the first start
    /// there are two mails in them, of which it is not told.
    ///
    /// # Errors
    /// Their directory cannot be made, or the first mails not be put there.
    pub fn maildirs(&self, on_delivery: impl Fn(&Path) + Send + Sync + 'static) -> anyhow::Result<Maildirs> {
        let directory = self.mail();
        let is_new = !directory.exists();
        create_private_directory(&directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        if is_new {
            first_mails::deliver(&Maildirs::new(directory.clone(), |_| {}))
                .with_context(|| format!("cannot put the first mails into {}", directory.display()))?;
        }
        Ok(Maildirs::new(directory, on_delivery))
    }

    /// Where the sandbox's Maildirs are.
    #[must_use]
    pub fn mail(&self) -> PathBuf {
        self.directory.join("mail")
    }

    /// Where what AT&W stored is kept.
    #[must_use]
    pub fn profile_file(&self) -> PathBuf {
        self.directory.join("profile")
    }

    /// What AT&W stored before; nothing, if there is none that could be its.
    #[must_use]
    pub fn profile(&self) -> String {
        let mut lines = String::new();
        let read = File::open(self.profile_file())
            .and_then(|file| file.take(PROFILE_OCTETS_MAX).read_to_string(&mut lines));
        match read {
            Ok(_) => lines,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(file = %self.profile_file().display(), %error, "what AT&W stored cannot be read");
                }
                String::new()
            }
        }
    }

    /// Where the lines typed at the console are kept.
    #[must_use]
    pub fn history(&self) -> PathBuf {
        self.directory.join("history")
    }
}

/// Has a profile take the place of the one before it, wholly or not at all.
///
/// # Errors
/// It cannot be written.
pub fn write_profile(file: &Path, lines: &str) -> io::Result<()> {
    let aside = file.with_extension("new");
    let mut written = File::create(&aside)?;
    written.write_all(lines.as_bytes())?;
    written.sync_all()?;
    std::fs::rename(aside, file)
}

/// Where data is kept when nothing is said: the service's state directory, or else the user's data directory.
///
/// # Errors
/// It is not known where that is.
pub fn data_directory() -> anyhow::Result<PathBuf> {
    if let Some(directory) = std::env::var_os("STATE_DIRECTORY") {
        return Ok(directory.into());
    }
    let user = etcetera::choose_base_strategy()
        .context("it is not known where your data is kept; name a directory with --dir")?;
    Ok(user.data_dir().join("mailmodem"))
}

fn open_drive(directory: &Path, case: NameCase, octets_max: u64) -> anyhow::Result<DirectoryDrive> {
    let opened =
        create_private_directory(directory).and_then(|()| DirectoryDrive::open(directory, case, octets_max));
    opened.map_err(|error| {
        let problem = format!("cannot use {} as a drive", directory.display());
        match error.kind() {
            io::ErrorKind::ResourceBusy => {
                anyhow!("{problem}: another mailmodem uses it; give this one its own: --dir, or dir or data_dir in its config")
            }
            _ => anyhow::Error::new(error)
                .context(format!("{problem}: see to its permissions, or name another directory with --dir")),
        }
    })
}

fn add_pictures(drive: &mut DirectoryDrive) -> anyhow::Result<()> {
    let name = |name| Name::new(name).with_context(|| format!("{name} is no name on a drive"));
    for (picture, octets) in FIRST_PICTURES {
        let mut staging = drive.stage()?;
        let file = staging.create(&name(picture)?)?;
        staging.write(file, octets)?;
        staging.publish_file(&[name("Picture")?, name(picture)?])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    /// Mails are on the drives and in the Maildirs.
    #[test]
    fn what_is_made_is_its_owners_alone() {
        let parent = tempfile::tempdir().unwrap();
        let home = Home::open(Some(parent.path().join("modem"))).unwrap();
        home.drive_c(DRIVE_OCTETS_MAX).unwrap();
        home.drive_d(true).unwrap();
        home.maildirs(|_| {}).unwrap();
        for directory in [home.path().to_owned(), home.path().join("drive-c"), home.card(), home.mail()] {
            let mode = std::fs::metadata(&directory).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o700, "{}", directory.display());
        }
    }
}
