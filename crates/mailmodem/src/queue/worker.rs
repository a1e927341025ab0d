//! Sends what is in the queue, as it becomes due: several at once, but one for each upstream.
//!
//! Not here: what is due, and what an outcome means ([`super::index`], [`super::verdict`]).

use super::Queue;
use super::envelope::Envelope;
use super::index::Due;
use super::spool::{Id, Spool};
use crate::limits::{LINE_GRACE, QUEUE_CHECK, QUEUE_SENDS_MAX};
use crate::network::SharedUpstreams;
use crate::outgoing::{NotSent, Outgoing, Told};
use crate::upstream::{Deliver, Delivery, LogIn, Upstream};
use mail::limits::CHUNK_OCTETS;
use mail::smtp::client::{BadRecipient, Event, Failure, Prepared, Submission, Unreadable};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

/// What sends queued mail, if there is a queue.
#[derive(Default)]
pub struct Worker {
    task: Option<JoinHandle<()>>,
    /// Taken when it is told to end.
    stop: Option<oneshot::Sender<()>>,
}

impl Worker {
    /// Begins to send what is in the queue, and what will be.
    #[must_use]
    pub fn begin(queue: Option<Queue>, upstreams: &SharedUpstreams) -> Self {
        let Some(queue) = queue else { return Self::default() };
        // Otherwise it is opened by the first mail that needs it.
        let is_wanted = upstreams.get().iter().any(|upstream| upstream.delivery == Delivery::Queued);
        if (is_wanted || queue.is_there())
            && let Err(error) = queue.open()
        {
            tracing::error!(%error, "the queue cannot be used");
        }
        let (stop, stopped) = oneshot::channel();
        let work = run(queue, upstreams.clone(), async move { drop(stopped.await) });
        Self { task: Some(tokio::spawn(work)), stop: Some(stop) }
    }

    /// Has it begin nothing more.
    pub fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended by a defect, which is told below.
            let _ = stop.send(());
        }
    }

    /// Waits until what was under way then has come to its end, for no longer than [`LINE_GRACE`].
    pub async fn ended(&mut self) {
        if let Some(task) = &mut self.task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "a defect of this program's: queued mail was not sent any more");
        }
    }
}

/// Sends mail until it is to `stop`. What is under way then may come to its end within [`LINE_GRACE`]; what does not
/// is as if the process were killed.
async fn run(queue: Queue, upstreams: SharedUpstreams, stop: impl Future<Output = ()>) {
    let mut stop = pin!(stop);
    let mut sends = JoinSet::new();
    let mut busy = BTreeSet::new();
    loop {
        queue.obey();
        while sends.len() < QUEUE_SENDS_MAX
            && let Some(due) = queue.next_due(&busy)
        {
            let upstream = due.envelope.upstream.clone();
            busy.insert(upstream.clone());
            let (queue, upstreams) = (queue.clone(), upstreams.clone());
            sends.spawn(async move {
                // It is told apart from its end, so that a defect in one does not keep the others from going.
                let sent = tokio::spawn(attempt(queue, upstreams, due)).await;
                (upstream, sent)
            });
        }
        let next_try = if sends.len() < QUEUE_SENDS_MAX { queue.next_try(&busy) } else { None };
        let next_check = Instant::now() + QUEUE_CHECK;
        let wake = async {
            // Nobody orders anything about nothing.
            if queue.is_empty() {
                std::future::pending::<()>().await;
            } else {
                sleep_until(next_try.unwrap_or(next_check).min(next_check)).await;
            }
        };
        tokio::select! {
            () = &mut stop => break,
            () = queue.changed() => {}
            () = wake => {}
            Some(ended) = sends.join_next() => match ended {
                Ok((upstream, sent)) => {
                    busy.remove(&upstream);
                    if let Err(error) = sent {
                        tracing::error!(%error, "a defect of this program's: a queued mail rests until the next start");
                    }
                }
                Err(error) => tracing::error!(%error, "a defect of this program's"),
            },
        }
    }
    let ended = tokio::time::timeout(LINE_GRACE, async { while sends.join_next().await.is_some() {} });
    if ended.await.is_err() {
        tracing::warn!(mails = sends.len(), "ended while queued mails were under way");
    }
}

async fn attempt(queue: Queue, upstreams: SharedUpstreams, due: Due) {
    let mut skipped = Vec::new();
    let name = due.envelope.upstream.clone();
    let rule = || upstreams.get().named(&name).cloned();
    let by = rule();
    let outcome =
        if due.envelope.waits() { send(&queue, by.as_deref(), &due, &mut skipped).await } else { Ok(()) };
    queue.settle(due, &skipped, outcome.as_ref().err());
    // Those that waited were hurried when it changed.
    if rule() != by {
        queue.hurry(&BTreeSet::from([name]));
    }
}

async fn send(
    queue: &Queue,
    upstream: Option<&Upstream>,
    due: &Due,
    skipped: &mut Vec<Failure>,
) -> Result<(), NotSent> {
    let Due { id, envelope, spool } = due;
    let not_sent = |words| NotSent { words, failure: None };
    let upstream = upstream.ok_or_else(|| {
        not_sent(format!("there is no upstream \"{}\" in the config any more", envelope.upstream))
    })?;
    if upstream.deliver == Deliver::Sandbox {
        return Err(not_sent(format!("upstream \"{}\" keeps its mail on this machine now", upstream.name)));
    }
    // A rule that queues says who logs in. One that does not any more would have nobody do it.
    if upstream.log_in == LogIn::AsNamed {
        return Err(not_sent(format!("upstream \"{}\" says no more who logs in", upstream.name)));
    }
    let message = Spooled::open(queue.clone(), Arc::clone(spool), *id, envelope)
        .map_err(|error| not_sent(format!("the message cannot be read: {error}")))?;
    let outgoing = Outgoing {
        hello_name: envelope.hello_name.clone(),
        bad_recipient: BadRecipient::Skip,
        message: Box::new(message),
        is_traced: false,
    };
    let tell = |_, told| {
        if let Told::Event(Event::Skipped(failure)) = told {
            skipped.push(failure);
        }
    };
    outgoing.send(upstream, &envelope.call(), tell).await
}

/// A message that is read from the spool as the link drains.
struct Spooled {
    queue: Queue,
    spool: Arc<Spool>,
    id: Id,
    file: File,
    octets: u64,
    left: u64,
    eight_bit: bool,
}

impl Spooled {
    fn open(queue: Queue, spool: Arc<Spool>, id: Id, envelope: &Envelope) -> io::Result<Self> {
        let file = File::open(spool.message(id))?;
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
