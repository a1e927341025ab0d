//! The queue's end of the modem's link: an SMTP server in this process that answers for a message when it is safe on the
//! disk, and refuses what it has no room for.
//!
//! Not here: what becomes of it then.

use super::envelope::{Envelope, Fate, Recipient};
use super::index::{Full, Queue, Room};
use super::place::NewFile;
use super::spool::{Id, Spool};
use crate::limits::FILE_BUFFER_OCTETS;
use mail::sasl::server::Claim;
use mail::smtp::command::Path;
use mail::smtp::server::{Reaction, Service};
use std::io::{self, BufWriter, Write as _};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Where mail on one link comes from, and by which rule it goes.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) upstream: String,
    pub(super) line: String,
    pub(super) server: String,
    pub(super) port: u16,
    pub(super) hello_name: String,
}

/// The service on one link.
pub(super) struct Intake {
    queue: Queue,
    spool: Arc<Spool>,
    origin: Origin,
    sender: String,
    recipients: Vec<String>,
    incoming: Option<Incoming>,
}

/// A message that comes in; dropped before it is taken, it is gone.
struct Incoming {
    spool: Arc<Spool>,
    id: Id,
    file: BufWriter<Box<dyn NewFile>>,
    room: Option<Room>,
    eight_bit: bool,
}

/// Why a message is not taken.
#[derive(Debug, thiserror::Error)]
enum NotTaken {
    #[error(transparent)]
    Full(#[from] Full),
    #[error("{0}")]
    Disk(#[from] io::Error),
}

impl Intake {
    pub(super) fn new(queue: Queue, spool: Arc<Spool>, origin: Origin) -> Self {
        Self { queue, spool, origin, sender: String::new(), recipients: Vec::new(), incoming: None }
    }

    fn refuse(&self, why: &NotTaken) -> Reaction {
        tracing::warn!(line = self.origin.line, %why, "a mail is not taken into the queue");
        // RFC 3463 §3.4: 4.3.1 is for want of room.
        Reaction::reply(452, format!("4.3.1 Not taken: {why}"))
    }

    fn begin(&self) -> Result<Incoming, NotTaken> {
        let room = self.queue.room()?;
        let (id, file) = self.spool.create()?;
        let file = BufWriter::with_capacity(FILE_BUFFER_OCTETS, file);
        Ok(Incoming { spool: Arc::clone(&self.spool), id, file, room: Some(room), eight_bit: false })
    }

    fn take(&mut self) -> Result<Id, NotTaken> {
        let nothing = || io::Error::other("no message was begun");
        let mut incoming = self.incoming.take().ok_or_else(nothing)?;
        incoming.file.flush()?;
        let room = incoming.room.take().ok_or_else(nothing)?;
        let now = self.queue.place().time();
        let recipient = |address| Recipient { address, fate: Fate::Waiting, words: None };
        let Origin { upstream, line, server, port, hello_name } = self.origin.clone();
        let envelope = Envelope {
            upstream,
            line,
            server,
            port,
            hello_name,
            sender: std::mem::take(&mut self.sender),
            recipients: std::mem::take(&mut self.recipients).into_iter().map(recipient).collect(),
            octets: room.octets(),
            eight_bit: incoming.eight_bit,
            accepted_at: now,
            tried_since: now,
            attempts: 0,
            next_try_at: now,
            words: None,
        };
        let id = incoming.id;
        self.spool.accept(id, incoming.file.get_ref().as_ref(), &envelope)?;
        tracing::info!(%id, line = envelope.line, upstream = envelope.upstream, "a mail is queued");
        self.queue.add(id, envelope, room);
        Ok(id)
    }
}

impl Service for Intake {
    fn greeting(&mut self) -> Reaction {
        Reaction::reply(220, "mailmodem's queue")
    }

    fn authenticate(&mut self, _: &Claim) -> Reaction {
        Reaction::reply(503, "5.5.1 Nobody logs in here")
    }

    fn mail(&mut self, reverse_path: &Path, _: bool) -> Reaction {
        reverse_path.as_str().clone_into(&mut self.sender);
        Reaction::reply(250, "2.1.0 Sender OK")
    }

    fn recipient(&mut self, forward_path: &Path) -> Reaction {
        let address = forward_path.as_str();
        if !self.recipients.iter().any(|other| other == address) {
            self.recipients.push(address.to_owned());
        }
        Reaction::reply(250, "2.1.5 Recipient OK")
    }

    fn data(&mut self) -> Reaction {
        match self.begin() {
            Ok(incoming) => {
                self.incoming = Some(incoming);
                Reaction::reply(354, "End with a dot on a line of its own")
            }
            Err(why) => self.refuse(&why),
        }
    }

    fn text(&mut self, octets: &[u8]) -> ControlFlow<Reaction> {
        let Some(incoming) = &mut self.incoming else { return ControlFlow::Continue(()) };
        match incoming.write(octets) {
            Ok(()) => ControlFlow::Continue(()),
            Err(why) => {
                self.incoming = None;
                ControlFlow::Break(self.refuse(&why))
            }
        }
    }

    fn text_end(&mut self) -> Reaction {
        match self.take() {
            Ok(id) => Reaction::reply(250, format!("2.0.0 Queued as {id}")),
            Err(why) => self.refuse(&why),
        }
    }

    fn reset(&mut self) {
        self.incoming = None;
        self.recipients.clear();
        self.sender.clear();
    }
}

impl Incoming {
    fn write(&mut self, octets: &[u8]) -> Result<(), NotTaken> {
        if let Some(room) = &mut self.room {
            room.grow(octets.len())?;
        }
        self.eight_bit |= !octets.is_ascii();
        self.file.write_all(octets)?;
        Ok(())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // Its room is there as long as it is not done with.
        if self.room.is_some() {
            self.spool.forget(self.id);
        }
    }
}
