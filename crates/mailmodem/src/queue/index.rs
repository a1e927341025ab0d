//! The queue as its process knows it: every mail of the [`super::spool`], what is under way, what is due, and how
//! much room is left.
//!
//! Waits are counted by a clock that nobody sets: only over a restart does the machine's clock count, and however wrong
//! it is, no mail waits for longer than [`Settings::retry_wait_max`], and each is tried before it is given up.
//!
//! Not here: sending ([`super::worker`]).

use super::envelope::{Envelope, Fate};
use super::orders::{self, Order};
use super::place::{Place, ThisMachine};
use super::spool::{self, Id, Listed, Spool, State};
use super::verdict::{self, Verdict};
use super::{Settings, WhenFateUnknown, bounce};
use crate::outgoing::NotSent;
use jiff::Timestamp;
use mail::smtp::client::Failure;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// A queue. A clone is the same one.
#[derive(Clone)]
pub struct Queue(Arc<Shared>);

struct Shared {
    place: Arc<dyn Place>,
    settings: Settings,
    ground: Mutex<Ground>,
    /// Something may be due, or ordered.
    changed: Notify,
}

#[derive(Default)]
struct Ground {
    /// `None` until it is needed: most machines never queue.
    spool: Option<Arc<Spool>>,
    entries: BTreeMap<Id, Entry>,
    /// How many mails there are, those that come in included.
    mails: usize,
    /// And how many octets.
    octets: u64,
    /// There was one, at the start, of which the envelope could not be read.
    has_unread: bool,
}

struct Entry {
    envelope: Envelope,
    /// As it is on the disk.
    state: State,
    /// What the disk does not say yet, if that could not be written.
    unnoted: Option<Standing>,
    is_under_way: bool,
    next_try: Instant,
    /// When it is given up.
    expires: Instant,
}

/// How a mail stands after an attempt.
#[derive(Clone, Copy, Debug)]
struct Standing {
    /// Whether the server has it or not, for those who still wait.
    is_known: bool,
    /// Somebody has it now, and no envelope on the disk says so.
    has_gone: bool,
}

impl Default for Standing {
    fn default() -> Self {
        Self { is_known: true, has_gone: false }
    }
}

/// The mail that is due, under way from here on.
pub(super) struct Due {
    pub(super) id: Id,
    pub(super) envelope: Envelope,
    pub(super) spool: Arc<Spool>,
    /// Whether it is to be sent; if not, there is only to be noted what became of it.
    pub(super) is_needed: bool,
}

/// There is no room for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue is full")]
pub(super) struct Full;

impl Queue {
    /// A queue that is opened when it is needed.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self::at(Arc::new(ThisMachine), settings)
    }

    /// One that lives elsewhere than on this machine.
    #[must_use]
    pub fn at(place: Arc<dyn Place>, settings: Settings) -> Self {
        let (ground, changed) = (Mutex::default(), Notify::new());
        Self(Arc::new(Shared { place, settings, ground, changed }))
    }

    pub(super) fn place(&self) -> &dyn Place {
        self.0.place.as_ref()
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    fn ground(&self) -> MutexGuard<'_, Ground> {
        // It is whole between any two steps, even if a thread that had it panicked.
        self.0.ground.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is anything of it on the disk.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.settings().directory.exists()
    }

    /// Opens it, if that was not done yet.
    ///
    /// # Errors
    /// It is in use, or cannot be read or written.
    pub fn open(&self) -> io::Result<()> {
        self.spool().map(drop)
    }

    pub(super) fn spool(&self) -> io::Result<Arc<Spool>> {
        let mut ground = self.ground();
        if let Some(spool) = &ground.spool {
            return Ok(Arc::clone(spool));
        }
        let spool = Arc::new(Spool::open(Arc::clone(&self.0.place), self.settings().directory.clone())?);
        let listed = spool::list(self.place(), spool.directory())?;
        spool.clear_beside(&listed)?;
        for listed in listed {
            self.take_up(&mut ground, &spool, listed);
        }
        ground.spool = Some(Arc::clone(&spool));
        if ground.mails > 0 {
            tracing::info!(mails = ground.mails, "in the queue");
        }
        drop(ground);
        self.0.changed.notify_one();
        Ok(spool)
    }

    /// Takes up a mail that an earlier process has left.
    fn take_up(&self, ground: &mut Ground, spool: &Spool, listed: Listed) {
        let Listed { id, state: mut at, envelope } = listed;
        let mut envelope = match envelope {
            Ok(envelope) => envelope,
            Err(error) => {
                ground.has_unread = true;
                return tracing::error!(%id, %error, "a queued mail's envelope cannot be read");
            }
        };
        let to = match (at, self.settings().when_fate_unknown) {
            // With nobody left to wait for it, the outcome was written.
            (State::Sending, _) if !envelope.waits() => State::Waiting,
            (State::Sending, WhenFateUnknown::Hold) => State::Unknown,
            (State::Sending | State::Unknown, WhenFateUnknown::Resend) => State::Waiting,
            (at, _) => at,
        };
        let standing = Standing { is_known: to != State::Unknown, has_gone: false };
        let mut unnoted = None;
        if at == State::Sending && to == State::Unknown {
            // Not what the attempt before this one came to: its owner would take that for the last word.
            envelope.attempts = envelope.attempts.saturating_add(1);
            verdict::is_left_open(
                &mut envelope,
                "this program ended before the answer to the whole message was known",
            );
            if let Err(error) = spool.write(id, at, &envelope) {
                tracing::error!(%id, %error, "cannot note why the fate of a queued mail is unknown");
                unnoted = Some(standing);
            }
        }
        if at != to
            && let Err(error) = spool.turn(id, &mut at, to)
        {
            tracing::error!(%id, %error, "cannot note the state of a queued mail");
            unnoted = Some(standing);
        }
        if to == State::Unknown
            && let Err(error) = self.tell(spool, id, to, &envelope)
        {
            tracing::error!(%id, %error, "cannot tell of a queued mail that is held");
            unnoted = Some(standing);
        }
        let now = self.place().time();
        let settings = self.settings();
        let since = |time: Timestamp| Duration::try_from(now.duration_since(time)).unwrap_or_default();
        let until = |time: Timestamp| Duration::try_from(time.duration_since(now)).unwrap_or_default();
        let wait = until(envelope.next_try_at).min(settings.retry_wait_max);
        let left = settings.deadline.saturating_sub(since(envelope.tried_since));
        ground.mails += 1;
        ground.octets = ground.octets.saturating_add(envelope.octets);
        let next_try = self.place().now() + wait.min(left);
        let expires = self.place().now() + left;
        ground
            .entries
            .insert(id, Entry { envelope, state: at, unnoted, is_under_way: false, next_try, expires });
    }

    /// Room for one more mail, as yet without octets.
    pub(super) fn room(&self) -> Result<Room, Full> {
        let mut ground = self.ground();
        if ground.mails >= self.settings().mails_max || ground.octets >= self.settings().octets_max {
            return Err(Full);
        }
        ground.mails += 1;
        Ok(Room { queue: self.clone(), octets: 0, is_taken: false })
    }

    /// A mail is on the disk, and has its place in `room`.
    pub(super) fn add(&self, id: Id, envelope: Envelope, mut room: Room) {
        room.is_taken = true;
        let now = self.place().now();
        let expires = now + self.settings().deadline;
        let entry = Entry {
            envelope,
            state: State::Waiting,
            unnoted: None,
            is_under_way: false,
            next_try: now,
            expires,
        };
        self.ground().entries.insert(id, entry);
        self.0.changed.notify_one();
    }

    /// The rules of these upstreams are not what they were: what waits for them is due.
    pub fn hurry(&self, upstreams: &BTreeSet<String>) {
        let now = self.place().now();
        for entry in self.ground().entries.values_mut() {
            if upstreams.contains(&entry.envelope.upstream) {
                entry.next_try = entry.next_try.min(now);
            }
        }
        self.0.changed.notify_one();
    }

    /// Waits until something may be due, or ordered.
    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ground().entries.is_empty()
    }

    /// Whether there is a mail that its owner may order something about.
    pub(super) fn may_be_ordered(&self) -> bool {
        let ground = self.ground();
        ground.has_unread || !ground.entries.is_empty()
    }

    /// How much room is taken, by those that come in too: mails, and their octets.
    #[must_use]
    pub fn taken(&self) -> (usize, u64) {
        let ground = self.ground();
        (ground.mails, ground.octets)
    }

    /// The next mail that is due, by an upstream that is not busy: it is under way from here on.
    pub(super) fn next_due(&self, busy: &BTreeSet<String>) -> Option<Due> {
        let now = self.place().now();
        let mut ground = self.ground();
        let spool = Arc::clone(ground.spool.as_ref()?);
        let due = ground.entries.iter_mut().filter(|(_, entry)| entry.is_available(busy));
        let (id, entry) = due.filter(|(_, entry)| entry.next_try <= now).min_by_key(|(_, e)| e.next_try)?;
        entry.is_under_way = true;
        let is_needed = entry.state == State::Waiting && entry.envelope.waits() && entry.unnoted.is_none();
        if is_needed {
            entry.envelope.attempts = entry.envelope.attempts.saturating_add(1);
        }
        Some(Due { id: *id, envelope: entry.envelope.clone(), spool, is_needed })
    }

    /// When the next one will be.
    #[must_use]
    pub fn next_try(&self, busy: &BTreeSet<String>) -> Option<Instant> {
        let ground = self.ground();
        let available = ground.entries.values().filter(|entry| entry.is_available(busy));
        available.map(|entry| entry.next_try).min()
    }

    /// The whole message of a mail is about to have gone.
    ///
    /// # Errors
    /// That could not be noted; it must not go.
    pub(super) fn mark(&self, id: Id, spool: &Spool) -> io::Result<()> {
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        let mut state = self.ground().entries.get(&id).map(|entry| entry.state).ok_or_else(gone)?;
        let turned = spool.turn(id, &mut state, State::Sending);
        if let Some(entry) = self.ground().entries.get_mut(&id) {
            entry.state = state;
        }
        turned
    }

    /// A mail is not under way any more. What became of it is written, told and, if it is over, done with.
    pub(super) fn settle(&self, due: Due, skipped: &[Failure], not_sent: Option<&NotSent>) {
        let Due { id, mut envelope, spool, .. } = due;
        let Some(expires) = self.ground().entries.get(&id).map(|it| it.expires) else { return };
        let before = envelope.clone();
        let is_known = match verdict::enter(&mut envelope, skipped, not_sent) {
            Verdict::Known => true,
            Verdict::Unknown => self.settings().when_fate_unknown == WhenFateUnknown::Resend,
        };
        let now = self.place().now();
        if is_known && expires <= now {
            verdict::give_up(&mut envelope, self.settings().deadline.as_secs() / 3600);
        }
        let wait = self.wait_after(envelope.attempts).min(expires.saturating_duration_since(now));
        let has_gone = envelope.having(Fate::Sent).count() > before.having(Fate::Sent).count();
        for (was, is) in before.recipients.iter().zip(&envelope.recipients) {
            if was.fate != is.fate && is.fate == Fate::Failed {
                let why = is.words.as_deref().unwrap_or_default();
                tracing::warn!(%id, recipient = is.address, why, "a queued mail is given up");
            }
        }
        self.note(&spool, id, envelope, Standing { is_known, has_gone }, wait);
    }

    /// Nothing was tried: what an attempt before came to, and could not be noted or done with, is now.
    pub(super) fn settle_again(&self, due: Due) {
        let Due { id, envelope, spool, .. } = due;
        let unnoted = self.ground().entries.get(&id).and_then(|entry| entry.unnoted);
        let wait = self.wait_after(envelope.attempts);
        self.note(&spool, id, envelope, unnoted.unwrap_or_default(), wait);
    }

    /// Notes how a mail stands that is to be tried again after this wait.
    fn note(&self, spool: &Spool, id: Id, mut envelope: Envelope, mut standing: Standing, wait: Duration) {
        let Some(mut state) = self.ground().entries.get(&id).map(|it| it.state) else { return };
        let wait = if envelope.waits() { wait } else { Duration::ZERO };
        envelope.next_try_at = in_a_while(self.place().time(), wait);
        let noted = self.record(spool, id, &mut state, &envelope, &mut standing);
        let mut ground = self.ground();
        if matches!(noted, Ok(true)) {
            return ground.drop_entry(id);
        }
        let Some(entry) = ground.entries.get_mut(&id) else { return };
        let mut next_try = self.place().now() + wait;
        if let Err(error) = &noted {
            tracing::error!(%id, %error, "cannot note what became of a queued mail");
            next_try = next_try.max(self.place().now() + self.settings().retry_wait_min);
        }
        let unnoted = noted.is_err().then_some(standing);
        *entry = Entry { envelope, state, unnoted, is_under_way: false, next_try, expires: entry.expires };
    }

    /// Returns whether it is over.
    fn record(
        &self,
        spool: &Spool,
        id: Id,
        state: &mut State,
        envelope: &Envelope,
        standing: &mut Standing,
    ) -> io::Result<bool> {
        let is_over = standing.is_known && !envelope.waits();
        if is_over && !envelope.has_failed() {
            spool.remove(id, *state)?;
            tracing::info!(%id, attempts = envelope.attempts, "a queued mail is sent");
            bounce::forget(spool, id);
            return Ok(true);
        }
        let written = spool.write(id, *state, envelope);
        // On a full disk the outcome may be lost, but not that some have the mail now: nobody gets it twice.
        standing.has_gone &= written.is_err();
        let is_held = !standing.is_known || standing.has_gone;
        spool.turn(id, state, if is_held { State::Unknown } else { State::Waiting })?;
        written?;
        self.tell(spool, id, *state, envelope)?;
        if is_over {
            spool.remove(id, *state)?;
        }
        Ok(is_over)
    }

    /// Tells the owner how a mail stands that is not sent.
    fn tell(&self, spool: &Spool, id: Id, state: State, envelope: &Envelope) -> io::Result<()> {
        let words = envelope.words.as_deref().unwrap_or_default();
        if state == State::Unknown {
            tracing::warn!(%id, why = words, "a queued mail is held: whether it was sent is unknown");
        } else if envelope.waits() {
            tracing::warn!(%id, why = words, next_try_at = %envelope.next_try_at, "a queued mail did not go yet");
        }
        if state == State::Unknown || envelope.has_failed() {
            bounce::tell(spool, id, state, envelope, self.settings().octets_max)?;
        }
        Ok(())
    }

    /// How long a mail waits after so many attempts.
    fn wait_after(&self, attempts: u32) -> Duration {
        let Settings { retry_wait_min, retry_wait_max, .. } = self.settings();
        let doubled = 2_u32.checked_pow(attempts.saturating_sub(1));
        doubled.map_or(*retry_wait_max, |times| retry_wait_min.saturating_mul(times)).min(*retry_wait_max)
    }

    /// Carries out the owner's orders that can be carried out now.
    pub fn obey(&self) {
        let Some(spool) = self.ground().spool.clone() else { return };
        let place = spool.orders();
        for (order, id) in orders::read(self.place(), &place) {
            self.take_up_late(&spool, id);
            let take_off = || orders::done(self.place(), &place, order, id);
            let obeyed = match order {
                // Its turn comes when the mail is not under way any more.
                _ if self.is_under_way(id) => continue,
                // Taken off first: if it came back with the power, the mail might be sent again against its owner's will.
                Order::Retry | Order::Resend => take_off().and_then(|()| self.retry(&spool, order, id)),
                // The order stays until it is done.
                Order::Remove => self.remove(&spool, id).and_then(|()| take_off()),
            };
            if let Err(error) = obeyed {
                tracing::error!(%id, %error, "an order for a queued mail cannot be carried out");
            }
        }
    }

    /// Takes up a mail that could not be read at the start, and can be now.
    fn take_up_late(&self, spool: &Spool, id: Id) {
        let mut ground = self.ground();
        if ground.entries.contains_key(&id) || !spool.is_from_before(id) {
            return;
        }
        let Some(listed) = spool::find(self.place(), spool.directory(), id) else { return };
        let listed = [listed];
        if let Err(error) = spool.clear_beside(&listed) {
            tracing::error!(%id, %error, "cannot remove what is left beside a queued mail's envelope");
        }
        let [listed] = listed;
        self.take_up(&mut ground, spool, listed);
    }

    fn is_under_way(&self, id: Id) -> bool {
        self.ground().entries.get(&id).is_some_and(|entry| entry.is_under_way)
    }

    fn retry(&self, spool: &Spool, order: Order, id: Id) -> io::Result<()> {
        let mut ground = self.ground();
        let Some(entry) = ground.entries.get_mut(&id) else { return Ok(()) };
        if order == Order::Retry && entry.is_held() {
            tracing::warn!(%id, "a queued mail is not tried again: its fate is unknown since that was ordered");
            return Ok(());
        }
        tracing::info!(%id, state = entry.state.name(), "a queued mail is tried again by its owner's order");
        entry.envelope.next_try_at = self.place().time();
        entry.envelope.tried_since = self.place().time();
        entry.next_try = self.place().now();
        entry.expires = self.place().now() + self.settings().deadline;
        spool.write(id, entry.state, &entry.envelope)?;
        spool.turn(id, &mut entry.state, State::Waiting)?;
        entry.unnoted = None;
        if !entry.envelope.has_failed() {
            bounce::forget(spool, id);
        }
        Ok(())
    }

    fn remove(&self, spool: &Spool, id: Id) -> io::Result<()> {
        let mut ground = self.ground();
        // One that is not taken up: its envelope cannot be read, or it was not accepted and a failing disk kept it.
        let Some(entry) = ground.entries.get(&id) else { return spool.remove_all(id) };
        tracing::info!(%id, "a queued mail is removed by its owner's order");
        spool.remove(id, entry.state)?;
        if !entry.envelope.has_failed() {
            bounce::forget(spool, id);
        }
        ground.drop_entry(id);
        Ok(())
    }
}

impl Ground {
    fn drop_entry(&mut self, id: Id) {
        if let Some(entry) = self.entries.remove(&id) {
            self.mails = self.mails.saturating_sub(1);
            self.octets = self.octets.saturating_sub(entry.envelope.octets);
        }
    }
}

impl Entry {
    fn is_available(&self, busy: &BTreeSet<String>) -> bool {
        let is_wanted = self.state == State::Waiting || self.unnoted.is_some();
        !self.is_under_way && is_wanted && !busy.contains(&self.envelope.upstream)
    }

    /// Whether nobody knows if the server has it.
    fn is_held(&self) -> bool {
        self.unnoted.map_or(self.state == State::Unknown, |standing| !standing.is_known)
    }
}

/// That time, and so much more.
fn in_a_while(time: Timestamp, wait: Duration) -> Timestamp {
    time.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// The room that a mail takes while it comes in.
pub(super) struct Room {
    queue: Queue,
    octets: u64,
    /// Whether it is the mail's in the queue now.
    is_taken: bool,
}

impl Room {
    /// Takes more.
    pub(super) fn grow(&mut self, octets: usize) -> Result<(), Full> {
        let octets = octets as u64;
        let mut ground = self.queue.ground();
        if ground.octets.saturating_add(octets) > self.queue.settings().octets_max {
            return Err(Full);
        }
        ground.octets += octets;
        self.octets += octets;
        Ok(())
    }

    /// How many octets it has taken.
    pub(super) const fn octets(&self) -> u64 {
        self.octets
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if !self.is_taken {
            let mut ground = self.queue.ground();
            ground.mails = ground.mails.saturating_sub(1);
            ground.octets = ground.octets.saturating_sub(self.octets);
        }
    }
}
