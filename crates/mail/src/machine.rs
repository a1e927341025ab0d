//! The one shape of every machine: it is told what happened on its link, and asked what it wants done.
//!
//! The laws that every implementation keeps, and that the tests of each check:
//! any order of calls is legal · `Received(a + b)` means the same as `Received(a)`, `Received(b)` · a `DeadlinePassed`
//! that comes early is harmless · after the end nothing has an effect · memory is bounded by [`crate::limits`].

use std::ops::Add;
use std::time::Duration;

/// A point in time: milliseconds since the power came on. Passed in, never asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The moment the power came on.
    pub const POWER_ON: Self = Self(0);

    /// The point `ms` milliseconds after power-on.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds since power-on.
    #[must_use]
    pub const fn as_ms(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this point; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// What happened on a machine's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// The link stands (for TLS from the first octet: the handshake is done too).
    Opened,
    /// The handshake asked for by [`Output::StartTls`] succeeded. If it fails, `Closed` comes instead.
    Secured,
    /// Octets arrived from the peer.
    Received(&'a [u8]),
    /// Everything transmitted so far has been handed to the network.
    Drained,
    /// The link is gone, whoever ended it.
    Closed,
    /// The time named by [`Machine::deadline`] is here.
    DeadlinePassed,
}

/// What went over a link, for a trace: told by the machine that knows what in it is secret, so that none is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passage {
    /// A line was sent, without its end; secrets in it are `***`.
    Said(String),
    /// A line arrived, without its end; secrets in it are `***`.
    Heard(String),
    /// So many octets of a message were sent.
    SaidContent(usize),
    /// So many octets of a message arrived.
    HeardContent(usize),
}

/// What a machine wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<E> {
    /// Send these octets.
    Transmit(Vec<u8>),
    /// Begin the TLS handshake; answer with `Secured` or `Closed`.
    StartTls,
    /// End the link, once what was transmitted before is sent. Nothing follows it but events.
    Close,
    /// End the link at once: what was transmitted and is not sent yet must not be sent any more. Nothing follows it but
    /// events.
    Abort,
    /// Something the owner wants to know.
    Event(E),
}

/// A protocol's end of a link, without the link.
pub trait Machine {
    /// What it tells its owner.
    type Event;

    /// Takes notice of what happened. Never fails, never blocks.
    fn handle(&mut self, input: Input<'_>, now: Instant);

    /// The next thing it wants done; `None` until something happens again.
    fn poll(&mut self) -> Option<Output<Self::Event>>;

    /// When it wants [`Input::DeadlinePassed`], if at all.
    fn deadline(&self) -> Option<Instant>;
}
