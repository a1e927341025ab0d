//! Mailboxes that are gone with the process.

use super::{
    Delivery, Envelope, Listed, Mail, Mailboxes, Maildrop, NotOpened, NotServed, NotStored, Session,
    Sessions, Text, is_for,
};
use crate::limits::MEMORY_OCTETS_MAX;
use mail::limits::CHUNK_OCTETS;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Mailboxes in memory. A clone is one more handle of the same.
#[derive(Clone, Debug)]
pub struct MemoryMailboxes {
    state: Arc<Mutex<State>>,
    sessions: Sessions,
    octets_max: usize,
}

#[derive(Debug, Default)]
struct State {
    /// In the order in which they became whole; each has at least one copy.
    stored: Vec<Stored>,
    /// How many copies there have ever been.
    copies: u64,
}

#[derive(Debug)]
struct Stored {
    mail: Arc<Mail>,
    copies: Vec<MailCopy>,
}

/// That a message is in the mailbox of an address.
#[derive(Debug)]
struct MailCopy {
    address: String,
    number: u64,
}

impl Default for MemoryMailboxes {
    fn default() -> Self {
        Self::with_room(MEMORY_OCTETS_MAX)
    }
}

impl MemoryMailboxes {
    /// Mailboxes that hold `octets_max` of messages together.
    #[must_use]
    pub fn with_room(octets_max: usize) -> Self {
        Self { state: Arc::default(), sessions: Sessions::default(), octets_max }
    }

    /// All messages that are still in a mailbox, in the order in which they became whole.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.locked().stored.iter().map(|stored| Mail::clone(&stored.mail)).collect()
    }

    /// The messages in the mailbox of `address`, letter case apart.
    #[must_use]
    pub fn mails_to(&self, address: &str) -> Vec<Mail> {
        let is_there =
            |stored: &&Stored| stored.copies.iter().any(|copy| copy.address.eq_ignore_ascii_case(address));
        self.locked().stored.iter().filter(is_there).map(|stored| Mail::clone(&stored.mail)).collect()
    }

    /// What is there is whole between any two calls on it, even if a thread that had it panicked.
    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mailboxes for MemoryMailboxes {
    fn begin(&self, envelope: Envelope) -> Result<Box<dyn Delivery>, NotStored> {
        let mail = Mail { envelope, octets: Vec::new() };
        Ok(Box::new(MemoryDelivery { mailboxes: self.clone(), mail }))
    }

    fn maildrop(&self, user: &str) -> Result<Box<dyn Maildrop>, NotOpened> {
        let session = self.sessions.enter(user)?;
        let copies = |stored: &Stored| {
            let own = stored.copies.iter().filter(|copy| is_for(user, &copy.address));
            own.map(|copy| (copy.number, Arc::clone(&stored.mail))).collect::<Vec<_>>()
        };
        let mails = self.locked().stored.iter().flat_map(copies).collect();
        Ok(Box::new(MemoryMaildrop { mailboxes: self.clone(), mails, _session: session }))
    }
}

struct MemoryDelivery {
    mailboxes: MemoryMailboxes,
    mail: Mail,
}

impl Delivery for MemoryDelivery {
    fn write(&mut self, octets: &[u8]) -> Result<(), NotStored> {
        if self.mail.octets.len().saturating_add(octets.len()) > self.mailboxes.octets_max {
            return Err(NotStored("no room for a mail of this size".to_owned()));
        }
        self.mail.octets.extend_from_slice(octets);
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<(), NotStored> {
        let Self { mailboxes, mail } = *self;
        let mut state = mailboxes.locked();
        let stored: usize = state.stored.iter().map(|stored| stored.mail.octets.len()).sum();
        if stored.saturating_add(mail.octets.len()) > mailboxes.octets_max {
            return Err(NotStored("no room for more mail".to_owned()));
        }
        let mut copies: Vec<MailCopy> = Vec::new();
        for address in &mail.envelope.recipients {
            if !copies.iter().any(|copy| copy.address.eq_ignore_ascii_case(address)) {
                state.copies += 1;
                copies.push(MailCopy { address: address.clone(), number: state.copies });
            }
        }
        state.stored.push(Stored { mail: Arc::new(mail), copies });
        Ok(())
    }
}

struct MemoryMaildrop {
    mailboxes: MemoryMailboxes,
    /// Each with the number of its copy.
    mails: Vec<(u64, Arc<Mail>)>,
    _session: Session,
}

impl MemoryMaildrop {
    fn get(&self, id: u32) -> Option<&(u64, Arc<Mail>)> {
        self.mails.get(usize::try_from(id).ok()?.checked_sub(1)?)
    }
}

impl Maildrop for MemoryMaildrop {
    fn mails(&self) -> Vec<Listed> {
        let listed = |(number, mail): &(u64, Arc<Mail>)| Listed {
            octets: mail.octets.len() as u64,
            unique: number.to_string(),
        };
        self.mails.iter().map(listed).collect()
    }

    fn open(&mut self, id: u32) -> Result<Box<dyn Text>, NotServed> {
        let (_, mail) = self.get(id).ok_or_else(|| NotServed("no such mail".to_owned()))?;
        Ok(Box::new(MemoryText { mail: Arc::clone(mail), read: 0 }))
    }

    fn remove(self: Box<Self>, ids: &[u32]) -> Result<(), NotServed> {
        let numbers: BTreeSet<u64> =
            ids.iter().filter_map(|&id| self.get(id)).map(|(number, _)| *number).collect();
        self.mailboxes.locked().stored.retain_mut(|stored| {
            stored.copies.retain(|copy| !numbers.contains(&copy.number));
            !stored.copies.is_empty()
        });
        Ok(())
    }
}

struct MemoryText {
    mail: Arc<Mail>,
    read: usize,
}

impl Text for MemoryText {
    fn read(&mut self) -> Result<Vec<u8>, NotServed> {
        let rest = self.mail.octets.get(self.read..).unwrap_or_default();
        let portion = rest.get(..CHUNK_OCTETS).unwrap_or(rest).to_vec();
        self.read += portion.len();
        Ok(portion)
    }
}
