//! A port that is a pseudo-terminal, found through a link that stays while pseudo-terminals come and go.
//!
//! Its far side is kept open here too: hosts may open it and close it again and again, and it is never hung up. What is
//! shown while no host has it open waits for the next one, up to what the kernel holds; most hosts discard it as they
//! open a device.

use super::octets::{Port, Terminal};
use super::tty::Tty;
use crate::limits::{UNREAD_CHECK, UNREAD_WAIT};
use anyhow::{Context as _, bail};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// A pseudo-terminal; its link goes when it is dropped.
pub struct Pty {
    link: PathBuf,
    device: PathBuf,
    near: Tty,
    far: OwnedFd,
    is_attended: bool,
}

impl Pty {
    /// A fresh pseudo-terminal, and `link` leading to it.
    ///
    /// # Errors
    /// There is something at `link` that is no link to a pseudo-terminal, or it cannot be made.
    pub fn open(link: &Path) -> anyhow::Result<Self> {
        let (near, far, device) = open_pair().context("the system gives no pseudo-terminal")?;
        let near = Tty::new(near)?;
        place(link, &device)?;
        tracing::info!("{} leads to {}", link.display(), device.display());
        Ok(Self { link: link.to_owned(), device, near, far, is_attended: false })
    }

    /// Waits a little until a host has read what is shown: with our side, what it has not read is gone.
    pub async fn drain(&self) {
        let drained = async {
            loop {
                // What is written is not there to be read at once.
                tokio::time::sleep(UNREAD_CHECK).await;
                if rustix::io::ioctl_fionread(&self.far).unwrap_or_default() == 0 {
                    return;
                }
            }
        };
        if tokio::time::timeout(UNREAD_WAIT, drained).await.is_err() {
            tracing::info!("nobody reads what was shown last");
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // Another may have taken the name over meanwhile.
        if fs::read_link(&self.link).is_ok_and(|device| device == self.device)
            && let Err(error) = fs::remove_file(&self.link)
        {
            tracing::warn!(%error, link = %self.link.display(), "a link to nowhere stays");
        }
    }
}

impl Port for Pty {
    type From = Tty;
    type To = Tty;

    async fn next(&mut self) -> Terminal<Tty, Tty> {
        if std::mem::replace(&mut self.is_attended, true) {
            // Its octets never end.
            std::future::pending::<()>().await;
        }
        Terminal { from: self.near.clone(), to: self.near.clone(), speed: None, dtr: None }
    }
}

/// Both sides, and the path of the far one. It begins raw, and without an echo of its own.
fn open_pair() -> io::Result<(OwnedFd, OwnedFd, PathBuf)> {
    let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&near)?;
    unlockpt(&near)?;
    rustix::io::ioctl_fionbio(&near, true)?;
    let device = PathBuf::from(OsString::from_vec(ptsname(&near, Vec::new())?.into_bytes()));
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let far = rustix::fs::openat(CWD, &device, flags, Mode::empty())?;
    let mut modes = tcgetattr(&far)?;
    modes.make_raw();
    tcsetattr(&far, OptionalActions::Now, &modes)?;
    Ok((near, far, device))
}

/// Has `link` lead to the device, at no moment leading nowhere. A link that was left behind is replaced.
fn place(link: &Path, device: &Path) -> anyhow::Result<()> {
    match fs::read_link(link) {
        Ok(old) if old.starts_with("/dev/pts") => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Ok(_) | Err(_) => bail!(
            "{} is there already and is no link to a pseudo-terminal; remove it, or name another path",
            link.display()
        ),
    }
    let name = link.file_name().unwrap_or(OsStr::new("modem"));
    let mut new_name = OsString::from(".");
    new_name.push(name);
    new_name.push(format!(".{}", std::process::id()));
    let new = link.with_file_name(new_name);
    let failed =
        || format!("cannot make the link {}; see to its directory, or name another path", link.display());
    let _ = fs::remove_file(&new);
    std::os::unix::fs::symlink(device, &new).with_context(failed)?;
    fs::rename(&new, link).with_context(failed)
}
