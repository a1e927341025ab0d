//! The one shape of every machine: it is told what happened on its link, and asked what it wants done.
//!
//! The laws that every implementation keeps, and that the tests of each check:
//! any order of calls is legal · `Received(a + b)` means the same as `Received(a)`, `Received(b)` · a `DeadlinePassed`
//! that comes early is harmless · after the end nothing has an effect · memory is bounded by [`crate::limits`].

use crate::limits::CERTIFICATE_DIGEST_OCTETS_MAX;
use std::fmt;
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
    /// The link stands (for TLS from the first octet: the handshake is done too, and `Secured` follows at once).
    Opened,
    /// The handshake asked for by [`Output::StartTls`] succeeded; if it fails, `Closed` comes instead. Right after
    /// `Opened`: the link was secured from its first octet. With what binds a log-in to the link, if it is known.
    Secured(Option<ChannelBinding>),
    /// Octets arrived from the peer.
    Received(&'a [u8]),
    /// Everything transmitted so far has been handed to the network.
    Drained,
    /// The link is gone, whoever ended it.
    Closed,
    /// The time named by [`Machine::deadline`] is here.
    DeadlinePassed,
}

/// Octets that both ends of a link under TLS know, and that no other link has: a log-in that proves to know them cannot
/// be passed on by somebody between (RFC 5056).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ChannelBinding {
    /// `tls-exporter` (RFC 9266): of TLS 1.3, or of TLS 1.2 with the extended master secret.
    TlsExporter([u8; 32]),
    /// `tls-server-end-point` (RFC 5929 §4): the digest of the server's certificate.
    TlsServerEndPoint(CertificateDigest),
}

impl ChannelBinding {
    /// Its registered name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TlsExporter(_) => "tls-exporter",
            Self::TlsServerEndPoint(_) => "tls-server-end-point",
        }
    }

    /// The octets.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        match self {
            Self::TlsExporter(octets) => octets,
            Self::TlsServerEndPoint(digest) => digest.octets(),
        }
    }
}

/// The name alone: the octets are nobody else's business.
impl fmt::Debug for ChannelBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A digest of at most [`CERTIFICATE_DIGEST_OCTETS_MAX`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CertificateDigest {
    octets: [u8; CERTIFICATE_DIGEST_OCTETS_MAX],
    length: usize,
}

impl CertificateDigest {
    /// `None` for an empty one or one of too many octets.
    #[must_use]
    pub fn new(digest: &[u8]) -> Option<Self> {
        let mut octets = [0; CERTIFICATE_DIGEST_OCTETS_MAX];
        octets.get_mut(..digest.len()).filter(|octets| !octets.is_empty())?.copy_from_slice(digest);
        Some(Self { octets, length: digest.len() })
    }

    fn octets(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }
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
