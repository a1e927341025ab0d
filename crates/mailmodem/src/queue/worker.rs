//! Sends what is in the queue, as it becomes due: several at once, but one for each upstream.
//!
//! Not here: what is due, what one attempt sends, and what its outcome means ([`super::index`], [`super::attempt`],
//! [`super::verdict`]).

use super::Queue;
use super::attempt::Attempt;
use crate::limits::{LINE_GRACE, QUEUE_CHECK, QUEUE_SENDS_MAX};
use crate::network::SharedUpstreams;
use crate::outgoing::NotSent;
use crate::upstream::{Deliver, Delivery, LogIn, Upstream};
use std::collections::BTreeSet;
use std::pin::pin;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

/// Whether a queue that cannot be opened, since another process has it or the disk fails, is opened as soon as it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// It is: this process is there to send what is in it.
    Again,
    /// It is not, unless a mail needs it: it is left to the process that has it, and to the next one of its kind.
    Once,
}

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
    pub fn begin(queue: Option<Queue>, upstreams: &SharedUpstreams, opening: Opening) -> Self {
        let Some(queue) = queue else { return Self::default() };
        let (stop, stopped) = oneshot::channel();
        let work = run(queue, upstreams.clone(), opening, async move { drop(stopped.await) });
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
async fn run(queue: Queue, upstreams: SharedUpstreams, opening: Opening, stop: impl Future<Output = ()>) {
    let mut stop = pin!(stop);
    let mut sends = JoinSet::new();
    let mut busy = BTreeSet::new();
    let mut trouble = None;
    open(&queue, &upstreams, &mut trouble);
    loop {
        if trouble.is_some() && opening == Opening::Again {
            open(&queue, &upstreams, &mut trouble);
        }
        queue.obey();
        while sends.len() < QUEUE_SENDS_MAX
            && let Some(attempt) = Attempt::next(&queue, &busy)
        {
            let upstream = attempt.upstream().to_owned();
            busy.insert(upstream.clone());
            let (queue, upstreams) = (queue.clone(), upstreams.clone());
            sends.spawn(async move {
                // It is told apart from its end, so that a defect in one does not keep the others from going.
                let sent = tokio::spawn(make(attempt, queue, upstreams)).await;
                (upstream, sent)
            });
        }
        let next_try = if sends.len() < QUEUE_SENDS_MAX { queue.next_try(&busy) } else { None };
        let next_check = Instant::now() + QUEUE_CHECK;
        let wake = async {
            let is_tried_again = trouble.is_some() && opening == Opening::Again;
            if is_tried_again || queue.may_be_ordered() {
                sleep_until(next_try.unwrap_or(next_check).min(next_check)).await;
            } else {
                std::future::pending::<()>().await;
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

/// Opens the queue, if it is needed: what an earlier process left in it is to be sent, or an upstream may want it. Each new
/// `trouble` with that is told once.
fn open(queue: &Queue, upstreams: &SharedUpstreams, trouble: &mut Option<String>) {
    let is_wanted = upstreams.get().iter().any(|upstream| upstream.delivery == Delivery::Queued);
    // Otherwise it is opened by the first mail that needs it.
    if !is_wanted && !queue.is_there() {
        return;
    }
    let error = queue.open().err().map(|error| error.to_string());
    if let Some(error) = error.as_ref().filter(|error| trouble.as_ref() != Some(error)) {
        tracing::error!(error, "the queue cannot be used");
    }
    *trouble = error;
}

async fn make(mut attempt: Attempt, queue: Queue, upstreams: SharedUpstreams) {
    let name = attempt.upstream().to_owned();
    let rule = || upstreams.get().named(&name).cloned();
    let by = rule();
    let outcome = if attempt.is_needed() { send(&mut attempt, by.as_deref()).await } else { Ok(()) };
    attempt.settle(outcome.as_ref().err());
    // Those that waited were hurried when it changed.
    if rule() != by {
        queue.hurry(&BTreeSet::from([name]));
    }
}

async fn send(attempt: &mut Attempt, upstream: Option<&Upstream>) -> Result<(), NotSent> {
    let not_sent = |words| NotSent { words, failure: None };
    let name = attempt.upstream();
    let upstream = upstream
        .ok_or_else(|| not_sent(format!("there is no upstream \"{name}\" in the config any more")))?;
    if upstream.deliver == Deliver::Sandbox {
        return Err(not_sent(format!("upstream \"{name}\" keeps its mail on this machine now")));
    }
    // A rule that queues says who logs in. One that does not any more would have nobody do it.
    if upstream.log_in == LogIn::AsNamed {
        return Err(not_sent(format!("upstream \"{name}\" says no more who logs in")));
    }
    let (id, outgoing, call) = (attempt.id(), attempt.outgoing()?, attempt.call());
    let reply = outgoing.send(upstream, &call, |_, told| attempt.hear(told)).await?;
    let (server, port) = upstream.server(&call);
    tracing::info!(%id, upstream = upstream.name, "{server}:{port} took a queued mail: {reply}");
    Ok(())
}
