//! A message on its way into Maildirs.

use super::{Mailbox, OnDelivery, create_private_directory};
use crate::limits::FILE_BUFFER_OCTETS;
use sandbox::mailbox::{Delivery, NotStored};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A message on its way into all its Maildirs.
pub(super) struct MaildirDelivery {
    first: Incoming,
    others: Vec<Mailbox>,
    on_delivery: OnDelivery,
}

impl MaildirDelivery {
    /// Begins a delivery to these, each of which is there once.
    pub(super) fn begin(mut mailboxes: Vec<Mailbox>, on_delivery: OnDelivery) -> Result<Self, NotStored> {
        let others = mailboxes.split_off(1.min(mailboxes.len()));
        let first = mailboxes.pop().ok_or_else(|| NotStored("nobody is to get it".to_owned()))?;
        Ok(Self { first: Incoming::create(first)?, others, on_delivery })
    }
}

impl Delivery for MaildirDelivery {
    fn write(&mut self, octets: &[u8]) -> Result<(), NotStored> {
        self.first.file.write_all(octets).map_err(|error| self.first.mailbox.not_stored(&error))
    }

    fn commit(self: Box<Self>) -> Result<(), NotStored> {
        let Self { mut first, others, on_delivery } = *self;
        first.finish()?;
        let mut copies = Vec::with_capacity(others.len());
        for mailbox in others {
            let mut copy = Incoming::create(mailbox)?;
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

/// A message on its way into one Maildir; dropped before it is published, it is gone.
struct Incoming {
    mailbox: Mailbox,
    name: String,
    file: BufWriter<File>,
    is_published: bool,
}

impl Incoming {
    fn create(mailbox: Mailbox) -> Result<Self, NotStored> {
        Self::try_create(&mailbox).map_err(|error| mailbox.not_stored(&error)).map(|(name, file)| Self {
            mailbox,
            name,
            file,
            is_published: false,
        })
    }

    fn try_create(mailbox: &Mailbox) -> io::Result<(String, BufWriter<File>)> {
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
        let mut file = BufWriter::with_capacity(FILE_BUFFER_OCTETS, file);
        file.write_all(mailbox.trace.as_bytes())?;
        Ok((name, file))
    }

    fn append_content_of(&mut self, other: &mut Self) -> Result<(), NotStored> {
        let content_at = other.mailbox.trace.len() as u64;
        let source = other.file.get_mut();
        let copied = source.seek(SeekFrom::Start(content_at)).and_then(|_| io::copy(source, &mut self.file));
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
