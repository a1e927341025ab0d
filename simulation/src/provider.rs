//! The provider at the far end: the sandbox's, with a ledger of what each link delivered and removed. The ledger is the
//! oracle: what it does not hold was not delivered.
//!
//! Not here: servers that lie ([`crate::liar`]), and the wire between ([`crate::link`]).

use sandbox::mailbox::{
    Delivery, Envelope, Mailboxes, Maildrop, MemoryMailboxes, NotOpened, NotServed, NotStored, Text,
};
use sandbox::provider::{Connection, DialTrouble, Provider, Service, Settings};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A mail that was delivered.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// By which link.
    pub link: u64,
    /// From whom, to whom.
    pub envelope: Envelope,
    /// The message.
    pub octets: Vec<u8>,
}

/// Mails that were removed by one QUIT.
#[derive(Clone, Debug)]
pub struct Removed {
    /// By which link.
    pub link: u64,
    /// Their numbers in that session.
    pub ids: Vec<u32>,
}

/// What happened to the mailboxes, in order.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Mails that came.
    pub delivered: Vec<Delivered>,
    /// Mails that went.
    pub removed: Vec<Removed>,
    /// What each link's session was shown.
    pub opened: BTreeMap<u64, Vec<Vec<u8>>>,
}

impl Ledger {
    /// The mail that has this number in the session of `link`.
    #[must_use]
    pub fn mail(&self, link: u64, id: u32) -> Option<Vec<u8>> {
        self.opened.get(&link)?.get(usize::try_from(id).ok()?.checked_sub(1)?).cloned()
    }
}

/// Honest servers over the same mailboxes.
#[derive(Clone, Debug, Default)]
pub struct Office {
    mailboxes: MemoryMailboxes,
    ledger: Arc<Mutex<Ledger>>,
}

impl Office {
    /// Puts a mail into a mailbox; not in the ledger.
    ///
    /// # Errors
    /// There is no room.
    pub fn put(&self, recipient: &str, octets: &[u8]) -> Result<(), NotStored> {
        let envelope =
            Envelope { sender: "sender@server.com".to_owned(), recipients: vec![recipient.to_owned()] };
        let mut delivery = self.mailboxes.begin(envelope)?;
        delivery.write(octets)?;
        delivery.commit()
    }

    /// The ledger.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server's end of `link`. With `pipelining`, one of POP3 says that it takes commands together.
    ///
    /// # Errors
    /// The name means trouble.
    pub fn connect(
        &self,
        link: u64,
        service: Service,
        server: &str,
        pipelining: bool,
    ) -> Result<Connection, DialTrouble> {
        let desk = Desk { office: self.clone(), link };
        // One provider for each link: so the ledger knows which link it was.
        Provider::new(desk, Settings { pipelining, ..Settings::default() }).connect(service, server)
    }
}

/// The mailboxes as one link sees them.
struct Desk {
    office: Office,
    link: u64,
}

impl Mailboxes for Desk {
    fn begin(&self, envelope: Envelope) -> Result<Box<dyn Delivery>, NotStored> {
        Ok(Box::new(Witnessed {
            delivery: self.office.mailboxes.begin(envelope.clone())?,
            office: self.office.clone(),
            delivered: Delivered { link: self.link, envelope, octets: Vec::new() },
        }))
    }

    fn maildrop(&self, user: &str) -> Result<Box<dyn Maildrop>, NotOpened> {
        let mut maildrop = self.office.mailboxes.maildrop(user)?;
        let mut mails = Vec::new();
        for id in (1_u32..).take(maildrop.mails().len()) {
            let mut text = maildrop.open(id)?;
            let mut octets = Vec::new();
            loop {
                match text.read()? {
                    portion if portion.is_empty() => break,
                    portion => octets.extend(portion),
                }
            }
            mails.push(octets);
        }
        self.office.ledger().opened.insert(self.link, mails);
        Ok(Box::new(WitnessedDrop { maildrop, office: self.office.clone(), link: self.link }))
    }
}

struct Witnessed {
    delivery: Box<dyn Delivery>,
    office: Office,
    delivered: Delivered,
}

impl Delivery for Witnessed {
    fn write(&mut self, octets: &[u8]) -> Result<(), NotStored> {
        self.delivered.octets.extend_from_slice(octets);
        self.delivery.write(octets)
    }

    fn commit(self: Box<Self>) -> Result<(), NotStored> {
        let Self { delivery, office, delivered } = *self;
        delivery.commit()?;
        office.ledger().delivered.push(delivered);
        Ok(())
    }
}

struct WitnessedDrop {
    maildrop: Box<dyn Maildrop>,
    office: Office,
    link: u64,
}

impl Maildrop for WitnessedDrop {
    fn mails(&self) -> Vec<mail::pop3::server::Mail> {
        self.maildrop.mails()
    }

    fn open(&mut self, id: u32) -> Result<Box<dyn Text>, NotServed> {
        self.maildrop.open(id)
    }

    fn remove(self: Box<Self>, ids: &[u32]) -> Result<(), NotServed> {
        let Self { maildrop, office, link } = *self;
        maildrop.remove(ids)?;
        office.ledger().removed.push(Removed { link, ids: ids.to_vec() });
        Ok(())
    }
}
