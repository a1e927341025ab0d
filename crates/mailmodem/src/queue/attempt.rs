//! One attempt to send a queued mail: what goes to the server, and what is heard on the way.
//!
//! Not here: when one is made ([`super::worker`]), and by which way.

use super::Queue;
use super::envelope::Envelope;
use super::index::Due;
use super::spool::{Id, Spool};
use crate::outgoing::{NotSent, Outgoing, Told};
use mail::limits::CHUNK_OCTETS;
use mail::smtp::client::{BadRecipient, Event, Failure, Prepared, Submission, Unreadable};
use modem::route::Call;
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::Arc;

/// An attempt. Its mail is under way until it is settled.
pub struct Attempt {
    queue: Queue,
    due: Due,
    /// The recipients that were refused on the way.
    skipped: Vec<Failure>,
}

impl Attempt {
    /// The next one that is due, by an upstream that is not busy.
    #[must_use]
    pub fn next(queue: &Queue, busy: &BTreeSet<String>) -> Option<Self> {
        let due = queue.next_due(busy)?;
        Some(Self { queue: queue.clone(), due, skipped: Vec::new() })
    }

    /// Which mail it is.
    #[must_use]
    pub const fn id(&self) -> Id {
        self.due.id
    }

    /// The name of the rule that it goes by.
    #[must_use]
    pub fn upstream(&self) -> &str {
        &self.due.envelope.upstream
    }

    /// Whether somebody is still to get it. If not, there is only to be noted what became of it.
    #[must_use]
    pub const fn is_needed(&self) -> bool {
        self.due.is_needed
    }

    /// From whom and to whom it goes.
    #[must_use]
    pub fn call(&self) -> Call {
        self.due.envelope.call()
    }

    /// What is sent. Before its last octets are given out, the disk says that they may have gone.
    ///
    /// # Errors
    /// The message cannot be read.
    pub fn outgoing(&self) -> Result<Outgoing, NotSent> {
        let Due { id, envelope, spool, .. } = &self.due;
        let message =
            Spooled::open(self.queue.clone(), Arc::clone(spool), *id, envelope).map_err(|error| NotSent {
                words: format!("the message cannot be read: {error}"),
                failure: None,
            })?;
        Ok(Outgoing {
            hello_name: envelope.hello_name.clone(),
            bad_recipient: BadRecipient::Skip,
            message: Box::new(message),
            is_traced: false,
        })
    }

    /// Takes notice of what is told on the way.
    pub fn hear(&mut self, told: Told) {
        if let Told::Event(Event::Skipped(failure)) = told {
            self.skipped.push(failure);
        }
    }

    /// It is over, and this is why the mail was not sent, unless it was.
    pub fn settle(self, not_sent: Option<&NotSent>) {
        if self.due.is_needed {
            self.queue.settle(self.due, &self.skipped, not_sent);
        } else {
            self.queue.settle_again(self.due);
        }
    }
}

/// A message that is read from the spool as the link drains.
struct Spooled {
    queue: Queue,
    spool: Arc<Spool>,
    id: Id,
    file: Box<dyn Read + Send>,
    octets: u64,
    left: u64,
    eight_bit: bool,
}

impl Spooled {
    fn open(queue: Queue, spool: Arc<Spool>, id: Id, envelope: &Envelope) -> io::Result<Self> {
        let file = spool.place().open(&spool.message(id))?;
        let Envelope { octets, eight_bit, .. } = *envelope;
        Ok(Self { queue, spool, id, file, octets, left: octets, eight_bit })
    }

    fn read(&mut self, content: &mut Vec<u8>) -> io::Result<()> {
        let portion = self.left.min(CHUNK_OCTETS as u64);
        let read = (&mut self.file).take(portion).read_to_end(content)? as u64;
        if read < portion {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= portion;
        if self.left == 0 {
            // From here on nobody knows, until the server has answered.
            self.queue.mark(self.id, &self.spool)?;
        }
        Ok(())
    }
}

impl Submission for Spooled {
    fn prepare(&mut self, eight_bit: bool) -> Prepared {
        Prepared { octets: self.octets, eight_bit: self.eight_bit && eight_bit }
    }

    fn next(&mut self, content: &mut Vec<u8>) -> Result<bool, Unreadable> {
        self.read(content)
            .map_err(|error| Unreadable { what: self.id.to_string(), why: error.to_string() })?;
        Ok(self.left > 0)
    }
}
