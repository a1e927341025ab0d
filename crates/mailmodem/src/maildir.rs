//! The sandbox's mailboxes as Maildirs: a directory for each address, which any mail program can open.
//!
//! A message is written to the first recipient's `tmp` as it comes, octet for octet behind two trace lines of ours. Only
//! when it is whole and safe on the disk for every recipient does it appear in their `new`.
//!
//! Not here: reading mailboxes.

use crate::limits::{FILE_BUFFER_OCTETS, MAILBOX_NAME_OCTETS_MAX};
use sandbox::mailbox::{Delivery, Envelope, Mailboxes, NotStored};
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Is told of each file that appears.
type OnDelivery = Arc<dyn Fn(&Path) + Send + Sync>;

/// Maildirs in one directory.
pub struct Maildirs {
    directory: PathBuf,
    on_delivery: OnDelivery,
}

impl Maildirs {
    /// Maildirs in `directory`, which is made when the first mail comes. `on_delivery` is told of each file that
    /// appears.
    #[must_use]
    pub fn new(directory: PathBuf, on_delivery: impl Fn(&Path) + Send + Sync + 'static) -> Self {
        Self { directory, on_delivery: Arc::new(on_delivery) }
    }

    fn mailbox(&self, recipient: &str) -> Result<Mailbox, NotStored> {
        let name = directory_name(recipient)
            .ok_or_else(|| NotStored("the address is too long for the name of a directory".to_owned()))?;
        Ok(Mailbox { directory: self.directory.join(name), recipient: recipient.to_owned() })
    }
}

impl Mailboxes for Maildirs {
    fn begin(&self, envelope: Envelope) -> Result<Box<dyn Delivery>, NotStored> {
        let mut mailboxes: Vec<Mailbox> = Vec::new();
        for recipient in &envelope.recipients {
            let mailbox = self.mailbox(recipient)?;
            if mailboxes.iter().all(|other| other.directory != mailbox.directory) {
                mailboxes.push(mailbox);
            }
        }
        let others = mailboxes.split_off(1.min(mailboxes.len()));
        let first = mailboxes.pop().ok_or_else(|| NotStored("nobody is to get it".to_owned()))?;
        let first = Incoming::create(first, &envelope.sender)?;
        Ok(Box::new(MaildirDelivery {
            sender: envelope.sender,
            first,
            others,
            on_delivery: Arc::clone(&self.on_delivery),
        }))
    }
}

/// A Maildir, and whose it is.
struct Mailbox {
    directory: PathBuf,
    recipient: String,
}

/// A message on its way into one Maildir; dropped before it is published, it is gone.
struct Incoming {
    mailbox: Mailbox,
    name: String,
    file: BufWriter<File>,
    /// Where the message begins, behind the trace lines.
    content_at: u64,
    is_published: bool,
}

struct MaildirDelivery {
    sender: String,
    first: Incoming,
    others: Vec<Mailbox>,
    on_delivery: OnDelivery,
}

impl Delivery for MaildirDelivery {
    fn write(&mut self, octets: &[u8]) -> Result<(), NotStored> {
        self.first.file.write_all(octets).map_err(|error| self.first.mailbox.not_stored(&error))
    }

    fn commit(self: Box<Self>) -> Result<(), NotStored> {
        let Self { sender, mut first, others, on_delivery } = *self;
        first.finish()?;
        let mut copies = Vec::with_capacity(others.len());
        for mailbox in others {
            let mut copy = Incoming::create(mailbox, &sender)?;
            copy.append_content_of(&mut first)?;
            copy.finish()?;
            copies.push(copy);
        }
        copies.insert(0, first);
        for at in 0..copies.len() {
            if let Some(Err(error)) = copies.get_mut(at).map(Incoming::publish) {
                copies.iter_mut().for_each(Incoming::take_back);
                return Err(error);
            }
        }
        copies.iter().for_each(|copy| on_delivery(&copy.path("new")));
        Ok(())
    }
}

impl Mailbox {
    fn not_stored(&self, error: &io::Error) -> NotStored {
        tracing::error!(mailbox = %self.directory.display(), %error, "cannot store mail");
        NotStored(error.to_string())
    }
}

impl Incoming {
    fn create(mailbox: Mailbox, sender: &str) -> Result<Self, NotStored> {
        Self::try_create(&mailbox, sender)
            .map_err(|error| mailbox.not_stored(&error))
            .map(|(name, file, content_at)| Self { mailbox, name, file, content_at, is_published: false })
    }

    fn try_create(mailbox: &Mailbox, sender: &str) -> io::Result<(String, BufWriter<File>, u64)> {
        for part in ["tmp", "new", "cur"] {
            create_private_directory(&mailbox.directory.join(part))?;
        }
        let name = unique_name();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(mailbox.directory.join("tmp").join(&name))?;
        let trace = format!("Return-Path: <{sender}>\r\nDelivered-To: {}\r\n", mailbox.recipient);
        let mut file = BufWriter::with_capacity(FILE_BUFFER_OCTETS, file);
        file.write_all(trace.as_bytes())?;
        Ok((name, file, trace.len() as u64))
    }

    fn append_content_of(&mut self, other: &mut Self) -> Result<(), NotStored> {
        let source = other.file.get_mut();
        let copied =
            source.seek(SeekFrom::Start(other.content_at)).and_then(|_| io::copy(source, &mut self.file));
        copied.map(drop).map_err(|error| self.mailbox.not_stored(&error))
    }

    /// Everything is written; makes it last.
    fn finish(&mut self) -> Result<(), NotStored> {
        let finished = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        finished.map_err(|error| self.mailbox.not_stored(&error))
    }

    fn publish(&mut self) -> Result<(), NotStored> {
        let published = fs::rename(self.path("tmp"), self.path("new"));
        self.is_published = published.is_ok();
        // The name too must last.
        published
            .and_then(|()| File::open(self.mailbox.directory.join("new"))?.sync_all())
            .map_err(|error| self.mailbox.not_stored(&error))
    }

    fn take_back(&mut self) {
        if self.is_published {
            remove(&self.path("new"));
        }
    }

    fn path(&self, part: &str) -> PathBuf {
        self.mailbox.directory.join(part).join(&self.name)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.is_published {
            remove(&self.path("tmp"));
        }
    }
}

fn remove(file: &Path) {
    if let Err(error) = fs::remove_file(file) {
        tracing::warn!(file = %file.display(), %error, "cannot remove what was not delivered");
    }
}

/// Makes a directory, and those around it, for the user's eyes only.
///
/// # Errors
/// As [`fs::create_dir_all`].
pub fn create_private_directory(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// A name that no other delivery has: time, process, count and host, as Maildirs have them.
fn unique_name() -> String {
    static DELIVERIES: AtomicU64 = AtomicU64::new(0);
    let count = DELIVERIES.fetch_add(1, Ordering::Relaxed);
    let now = jiff::Timestamp::now();
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy().replace('/', "\\057").replace(':', "\\072");
    let (seconds, microseconds) = (now.as_second(), now.subsec_microsecond());
    format!("{seconds}.M{microseconds:06}P{}Q{count}.{host}", std::process::id())
}

/// The name of an address's directory: lower case, with everything that a file system may take amiss written as `%XX`.
/// Two addresses that differ in more than case have two names. `None` if that is too long.
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
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::Mutex;

    fn envelope(recipients: &[&str]) -> Envelope {
        Envelope {
            sender: "mike@server.com".to_owned(),
            recipients: recipients.iter().map(ToString::to_string).collect(),
        }
    }

    fn files(directory: &Path) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn a_mail_is_in_every_mailbox_once_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let maildirs = Maildirs::new(directory.path().to_owned(), {
            let told = Arc::clone(&told);
            move |file| told.lock().unwrap().push(file.to_owned())
        });
        let mut delivery = maildirs.begin(envelope(&["To@x.y", "cc@x.y", "to@X.Y"])).unwrap();
        delivery.write(b"Subject: s\r\n").unwrap();
        delivery.write(b"\r\ntext\r\n").unwrap();
        for name in ["to@x.y", "cc@x.y"] {
            assert_eq!(files(&directory.path().join(name).join("new")), Vec::<PathBuf>::new());
        }
        delivery.commit().unwrap();
        for (name, address) in [("to@x.y", "To@x.y"), ("cc@x.y", "cc@x.y")] {
            let mailbox = directory.path().join(name);
            let new = files(&mailbox.join("new"));
            assert_eq!(new.len(), 1);
            let expected = format!(
                "Return-Path: <mike@server.com>\r\nDelivered-To: {address}\r\nSubject: s\r\n\r\ntext\r\n"
            );
            assert_eq!(fs::read_to_string(&new[0]).unwrap(), expected);
            assert!(told.lock().unwrap().contains(&new[0]));
            assert!(mailbox.join("cur").is_dir() && files(&mailbox.join("tmp")).is_empty());
        }
        assert_eq!(told.lock().unwrap().len(), 2);
    }

    #[test]
    fn what_is_not_committed_leaves_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let maildirs = Maildirs::new(directory.path().to_owned(), |_| panic!("nothing was delivered"));
        let mut delivery = maildirs.begin(envelope(&["a@b"])).unwrap();
        delivery.write(&[b'x'; 3 * FILE_BUFFER_OCTETS]).unwrap();
        let mailbox = directory.path().join("a@b");
        assert_eq!(files(&mailbox.join("tmp")).len(), 1);
        drop(delivery);
        assert!(files(&mailbox.join("tmp")).is_empty() && files(&mailbox.join("new")).is_empty());
    }

    #[test]
    fn a_mail_that_one_mailbox_cannot_take_is_in_none() {
        let directory = tempfile::tempdir().unwrap();
        let maildirs = Maildirs::new(directory.path().to_owned(), |_| panic!("nothing was delivered"));
        fs::write(directory.path().join("broken@x"), "a file where a Maildir should be").unwrap();
        let mut delivery = maildirs.begin(envelope(&["whole@x", "broken@x"])).unwrap();
        delivery.write(b"text\r\n").unwrap();
        assert!(delivery.commit().is_err());
        let whole = directory.path().join("whole@x");
        assert!(files(&whole.join("new")).is_empty() && files(&whole.join("tmp")).is_empty());
    }

    #[test]
    fn names_of_mailboxes() {
        for (address, name) in [
            ("ToAddr@server.com", "toaddr@server.com"),
            ("..", "%2E."),
            ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
            ("\"a b\"@x", "%22a%20b%22@x"),
            ("50%@x", "50%25@x"),
            ("\u{fc}@x", "%C3%BC@x"),
        ] {
            assert_eq!(directory_name(address).as_deref(), Some(name));
        }
        assert_eq!(directory_name(""), None);
        assert_eq!(directory_name(&"/".repeat(MAILBOX_NAME_OCTETS_MAX / 3 + 1)), None);
    }

    proptest! {
        #[test]
        fn any_address_names_one_plain_directory(address in ".{1,80}") {
            let name = directory_name(&address).map(PathBuf::from);
            if let Some(name) = name {
                prop_assert_eq!(name.components().count(), 1);
                prop_assert_eq!(name.file_name(), Some(name.as_os_str()));
                prop_assert!(!name.to_str().unwrap().starts_with('.'));
            }
        }
    }
}
