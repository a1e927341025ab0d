//! What a POP3 session sees of Maildirs.
//!
//! Links and special files are passed over, as is what has gone meanwhile. Each Maildir is locked while a session has
//! it, so that another process's sessions keep out.

use super::text::MaildirText;
use super::{directory_name, not_served};
use crate::directory::tree::{is_passing, open_folder, sync};
use crate::limits::{MAILDROP_MAILBOXES_MAX, MAILDROP_MAILS_MAX};
use crate::lock::LockedDir;
use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt as _, OpenOptionsSyncExt as _};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use mail::pop3::server::Mail as Listed;
use rustix::io::Errno;
use sandbox::mailbox::{Maildrop, NotOpened, NotServed, Session, Text, is_for};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::path::Path;

/// Where mails lie, in the way that they go: one that is moved while both are read is seen twice, and not missed.
const PARTS: [&str; 2] = ["new", "cur"];

/// A user's Maildirs, for one session.
pub(super) struct MaildirMaildrop {
    mailboxes: Vec<Mailbox>,
    mails: Vec<Mail>,
    _session: Session,
}

struct Mailbox {
    name: String,
    /// Locked.
    directory: LockedDir,
}

struct Mail {
    age: Age,
    place: Place,
    octets: u64,
}

/// What mails are sorted by, and told apart.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Age {
    /// When it was delivered, as its file's name says: seconds since 1970.
    delivered_s: u64,
    /// The part of the file's name that stays when others rename it.
    unique: String,
    /// Among the maildrop's.
    mailbox: usize,
}

/// Where in its mailbox a mail's file was seen.
struct Place {
    part: &'static str,
    name: String,
}

impl MaildirMaildrop {
    /// Opens the Maildirs of `user` in the directory `root`.
    pub(super) fn open(root: &Path, user: &str, session: Session) -> Result<Self, NotOpened> {
        Self::try_open(root, user, session).map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::WOULDBLOCK) => NotOpened::InUse,
            _ => not_served(&error).into(),
        })
    }

    fn try_open(root: &Path, user: &str, session: Session) -> io::Result<Self> {
        let mailboxes = match Dir::open_ambient_dir(root, ambient_authority()) {
            Ok(root) => mailboxes_of(user, &root)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut seen = BTreeMap::new();
        for (at, mailbox) in mailboxes.iter().enumerate() {
            mailbox.see_mails(at, &mut seen)?;
        }
        let mut mails = Vec::with_capacity(seen.len());
        for (age, place) in seen {
            let Some(mailbox) = mailboxes.get(age.mailbox) else { continue };
            if let Some(file) = mailbox.open(&place)? {
                mails.push(Mail { age, place, octets: MaildirText::begin(file)?.octets()? });
            }
        }
        Ok(Self { mailboxes, mails, _session: session })
    }

    /// The file of the mail of this number.
    fn file(&self, id: u32) -> io::Result<Option<File>> {
        let mail = usize::try_from(id).ok().and_then(|id| self.mails.get(id.checked_sub(1)?));
        let Some(Mail { age, place, .. }) = mail else { return Ok(None) };
        let Some(mailbox) = self.mailboxes.get(age.mailbox) else { return Ok(None) };
        if let Some(file) = mailbox.open(place)? {
            return Ok(Some(file));
        }
        mailbox.find(&age.unique)?.map_or(Ok(None), |place| mailbox.open(&place))
    }

    fn try_remove(&self, ids: &[u32]) -> io::Result<()> {
        let ids: BTreeSet<u32> = ids.iter().copied().collect();
        let going = (1..).zip(&self.mails).filter(|(id, _)| ids.contains(id)).map(|(_, mail)| &mail.age);
        let going: BTreeSet<(usize, &str)> = going.map(|age| (age.mailbox, age.unique.as_str())).collect();
        for (at, mailbox) in self.mailboxes.iter().enumerate() {
            if going.iter().any(|(mailbox, _)| *mailbox == at) {
                mailbox.remove(|unique| going.contains(&(at, unique)))?;
            }
        }
        Ok(())
    }
}

impl Maildrop for MaildirMaildrop {
    fn mails(&self) -> Vec<Listed> {
        let listed = |Mail { age, octets, .. }: &Mail| {
            // Two Maildirs may have files of the same name. One Maildir never has, and never again.
            let mailbox = self.mailboxes.get(age.mailbox).map_or("", |mailbox| &mailbox.name);
            Listed { octets: *octets, unique: unique_identifier(mailbox, &age.unique) }
        };
        self.mails.iter().map(listed).collect()
    }

    fn open(&mut self, id: u32) -> Result<Box<dyn Text>, NotServed> {
        let file = self.file(id).map_err(|error| not_served(&error))?;
        let file = file.ok_or_else(|| NotServed("no such mail any more".to_owned()))?;
        Ok(Box::new(MaildirText::begin(file).map_err(|error| not_served(&error))?))
    }

    fn remove(self: Box<Self>, ids: &[u32]) -> Result<(), NotServed> {
        self.try_remove(ids).map_err(|error| not_served(&error))
    }
}

/// Opens and locks the Maildirs whose mail is for `user`.
fn mailboxes_of(user: &str, root: &Dir) -> io::Result<Vec<Mailbox>> {
    let Some(user) = directory_name(user) else { return Ok(Vec::new()) };
    let mut names = BTreeSet::new();
    let mut passed_over = 0_u64;
    for entry in root.entries()? {
        let name = entry?.file_name();
        names.extend(name.to_str().filter(|name| is_for(&user, name)).map(str::to_owned));
        if names.len() > MAILDROP_MAILBOXES_MAX {
            names.pop_last();
            passed_over += 1;
        }
    }
    if passed_over > 0 {
        tracing::warn!(user, passed_over, "a user has more Maildirs than one session can fetch from");
    }
    let mut mailboxes = Vec::with_capacity(names.len());
    for name in names {
        if let Some(directory) = open_directory(root, &name)? {
            // Locked before it is read: what another session removes is not seen here.
            let directory = LockedDir::new(directory)?;
            mailboxes.push(Mailbox { name, directory });
        }
    }
    Ok(mailboxes)
}

impl Mailbox {
    /// Adds its mails to those seen, which stay the oldest.
    fn see_mails(&self, mailbox: usize, seen: &mut BTreeMap<Age, Place>) -> io::Result<()> {
        for part in PARTS {
            let Some(directory) = open_directory(&self.directory, part)? else { continue };
            for name in file_names(&directory)? {
                let name = name?;
                let unique = unique_part(&name).to_owned();
                seen.insert(Age { delivered_s: delivered_s(&unique), unique, mailbox }, Place { part, name });
                if seen.len() > MAILDROP_MAILS_MAX {
                    seen.pop_last();
                }
            }
        }
        Ok(())
    }

    /// Opens a mail. `None` if it has gone, or is no file, or is kept from us.
    fn open(&self, place: &Place) -> io::Result<Option<File>> {
        let Some(directory) = open_directory(&self.directory, place.part)? else { return Ok(None) };
        // A FIFO must not wait for a writer.
        let mut options = OpenOptions::new();
        options.read(true).follow(FollowSymlinks::No).nonblock(true);
        match directory.open_with(&place.name, &options) {
            Ok(file) => Ok(file.metadata()?.is_file().then(|| file.into_std())),
            Err(error) if is_passing(&error) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                tracing::warn!(mailbox = self.name, mail = place.name, %error, "a mail is passed over");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Where a mail is now, which a mail program may have moved or renamed.
    fn find(&self, unique: &str) -> io::Result<Option<Place>> {
        for part in PARTS {
            let Some(directory) = open_directory(&self.directory, part)? else { continue };
            for name in file_names(&directory)? {
                let name = name?;
                if unique_part(&name) == unique {
                    return Ok(Some(Place { part, name }));
                }
            }
        }
        Ok(None)
    }

    /// Removes the mails whose names' unique parts `goes` is true for, wherever they are now, for good.
    fn remove(&self, goes: impl Fn(&str) -> bool) -> io::Result<()> {
        for part in PARTS {
            let Some(directory) = open_directory(&self.directory, part)? else { continue };
            for name in file_names(&directory)? {
                let name = name?;
                if goes(unique_part(&name)) {
                    match directory.remove_file(&name) {
                        Err(error) if !is_passing(&error) => return Err(error),
                        _ => {}
                    }
                }
            }
            sync(&directory)?;
        }
        Ok(())
    }
}

/// Opens a directory in another. `None` if there is none, or a link.
fn open_directory(around: &Dir, name: &str) -> io::Result<Option<Dir>> {
    match open_folder(around, name) {
        Ok(directory) => Ok(Some(directory)),
        Err(error) if is_passing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The names of mails. Those that begin with a dot are none (maildir(5)).
fn file_names(part: &Dir) -> io::Result<impl Iterator<Item = io::Result<String>>> {
    Ok(part.entries()?.filter_map(|entry| match entry.map(|entry| entry.file_name().into_string()) {
        Ok(Ok(name)) => (!name.starts_with('.')).then_some(Ok(name)),
        // No program of ours, nor any mail program, calls a mail so.
        Ok(Err(_)) => None,
        Err(error) => Some(Err(error)),
    }))
}

/// A file's name without what others may change: the info behind the colon (maildir(5)).
fn unique_part(name: &str) -> &str {
    name.split_once(':').map_or(name, |(unique, _)| unique)
}

/// When a mail was delivered, as its name says; 0 if it says nothing.
fn delivered_s(unique: &str) -> u64 {
    unique.split_once('.').map_or(unique, |(seconds, _)| seconds).parse().unwrap_or_default()
}

/// What RFC 1939 §7 asks for, of a name that may be too long for it: a digest in 64 digits.
fn unique_identifier(mailbox: &str, unique: &str) -> String {
    let mut digits = String::new();
    for octet in Sha256::digest(format!("{mailbox}/{unique}")) {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{octet:02x}");
    }
    digits
}
