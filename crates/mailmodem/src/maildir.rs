//! The sandbox's mailboxes as Maildirs: a directory for each address, which any mail program can open.
//!
//! A message is written to the first recipient's `tmp` as it comes, octet for octet behind two trace lines of ours. Only
//! when it is whole and safe on the disk for every recipient does it appear in their `new`.
//!
//! Mail is fetched from `new` and `cur`, whoever put it there. What came by us is brought octet for octet, without our
//! trace lines; of what another program put there the line ends are brought as CRLF. What others do there meanwhile is
//! no harm: mail programs move mails from `new` to `cur`, and rename them.
//!
//! Not here: folders inside a Maildir.

mod delivery;
mod maildrop;
mod text;
mod trace;

use self::delivery::MaildirDelivery;
use self::maildrop::MaildirMaildrop;
use crate::limits::MAILBOX_NAME_OCTETS_MAX;
use sandbox::mailbox::{Delivery, Envelope, Mailboxes, Maildrop, NotOpened, NotServed, NotStored, Sessions};
use std::fmt::Write as _;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Is told of each file that appears.
type OnDelivery = Arc<dyn Fn(&Path) + Send + Sync>;

/// Maildirs in one directory.
pub struct Maildirs {
    directory: PathBuf,
    on_delivery: OnDelivery,
    sessions: Sessions,
}

impl Maildirs {
    /// Maildirs in `directory`, which is made when the first mail comes. `on_delivery` is told of each file that
    /// appears.
    #[must_use]
    pub fn new(directory: PathBuf, on_delivery: impl Fn(&Path) + Send + Sync + 'static) -> Self {
        Self { directory, on_delivery: Arc::new(on_delivery), sessions: Sessions::default() }
    }

    fn mailbox(&self, sender: &str, recipient: &str) -> Result<Mailbox, NotStored> {
        let name = directory_name(recipient)
            .ok_or_else(|| NotStored("the address is too long for the name of a directory".to_owned()))?;
        let trace = trace::lines(sender, recipient)
            .ok_or_else(|| NotStored("no header field can hold the addresses".to_owned()))?;
        Ok(Mailbox { directory: self.directory.join(name), trace })
    }
}

impl Mailboxes for Maildirs {
    fn begin(&self, envelope: Envelope) -> Result<Box<dyn Delivery>, NotStored> {
        let mut mailboxes: Vec<Mailbox> = Vec::new();
        for recipient in &envelope.recipients {
            let mailbox = self.mailbox(&envelope.sender, recipient)?;
            if mailboxes.iter().all(|other| other.directory != mailbox.directory) {
                mailboxes.push(mailbox);
            }
        }
        Ok(Box::new(MaildirDelivery::begin(mailboxes, Arc::clone(&self.on_delivery))?))
    }

    fn maildrop(&self, user: &str) -> Result<Box<dyn Maildrop>, NotOpened> {
        // Sessions of other processes are kept out by locks.
        let session = self.sessions.enter(user)?;
        Ok(Box::new(MaildirMaildrop::open(&self.directory, user, session)?))
    }
}

/// A Maildir that gets a mail.
struct Mailbox {
    directory: PathBuf,
    /// What stands before the mail's own octets here.
    trace: String,
}

impl Mailbox {
    fn not_stored(&self, error: &io::Error) -> NotStored {
        tracing::error!(mailbox = %self.directory.display(), %error, "cannot store mail");
        NotStored(error.to_string())
    }
}

fn not_served(error: &io::Error) -> NotServed {
    tracing::error!(%error, "cannot read or remove mail");
    NotServed(error.to_string())
}

/// Makes a directory, and those around it, for the user's eyes only.
///
/// # Errors
/// As [`std::fs::create_dir_all`].
pub fn create_private_directory(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// The name of an address's directory: lower case, with everything that a file system may take amiss written as `%XX`.
/// Two addresses that differ in more than case have two names. `None` if that is too long.
///
/// `@` stays what it is, and what stands on either side is written alike whatever stands on the other: whom mail is for
/// is told by names of directories as well as by addresses.
fn directory_name(address: &str) -> Option<String> {
    let mut name = String::new();
    for (at, octet) in address.bytes().enumerate() {
        match octet {
            b'a'..=b'z' | b'0'..=b'9' | b'A'..=b'Z' | b'_' | b'@' => {
                name.push(char::from(octet.to_ascii_lowercase()));
            }
            b'.' | b'-' | b'+' | b'=' if at > 0 => name.push(char::from(octet)),
            // Writing to a String cannot fail.
            _ => drop(write!(name, "%{octet:02X}")),
        }
    }
    (!name.is_empty() && name.len() <= MAILBOX_NAME_OCTETS_MAX).then_some(name)
}

#[cfg(test)]
mod tests;
