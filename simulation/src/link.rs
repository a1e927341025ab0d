//! A link as the network has it: how it opens, if it does, and what its two wires do to octets. Everything is drawn when
//! the link is asked for.
//!
//! Not here: what is said on it ([`crate::provider`], [`crate::liar`]), and when events come ([`crate::world`]).

use crate::chance::Chance;
use crate::liar::Liar;
use crate::replies::Replies;
use mail::machine::Instant;
use modem::modem::{LinkId, ObstacleKind, Protocol};
use sandbox::provider::Connection;
use std::time::Duration;

/// How it opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It does.
    Opens,
    /// It does not, and the modem is told.
    Refused(ObstacleKind),
    /// Nothing is ever heard of it.
    Silent,
    /// It is told to be closed while it opens.
    Closes,
}

/// Who is at the far end.
pub enum Far {
    /// Nobody, or nobody any more.
    Nobody,
    /// The sandbox's server.
    Honest(Connection),
    /// Another.
    Liar(Liar),
}

/// What a wire brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carried {
    /// Octets.
    Octets(Vec<u8>),
    /// Its end.
    Cut,
}

/// One direction of a link.
#[derive(Debug, Default)]
pub struct Wire {
    latency_ms: u64,
    portion_octets_max: usize,
    cut_at: Option<usize>,
    silent_at: Option<usize>,
    garbled_at: Option<usize>,
    carried: usize,
    /// When what was sent last arrives: nothing overtakes.
    until: Instant,
    is_cut: bool,
    /// What arrives is not what was sent.
    pub is_altered: bool,
}

impl Wire {
    /// A wire with what the seed does to it.
    fn draw(chance: &mut Chance, is_faulty: bool) -> Self {
        let mut wire = Self {
            latency_ms: chance.pick(&[0, 0, 1, 20, 150, 2_000]),
            portion_octets_max: chance.pick(&[1, 2, 7, 64, 1_460, usize::MAX, usize::MAX, usize::MAX]),
            ..Self::default()
        };
        if is_faulty && chance.one_in(2) {
            let reach = chance.pick(&[40, 300, 900, 4_000, 60_000]);
            let at = Some(chance.count(0, reach));
            match chance.below(5) {
                0 | 1 => wire.cut_at = at,
                2 => wire.silent_at = at,
                3 => wire.garbled_at = at,
                _ => wire.latency_ms = chance.pick(&[8_000, 20_000, 29_000, 31_000]),
            }
        }
        wire
    }

    /// What becomes of octets that are sent now.
    pub fn carry(&mut self, octets: &[u8], now: Instant, chance: &mut Chance) -> Vec<(Instant, Carried)> {
        let mut carried = Vec::new();
        if self.is_cut {
            return carried;
        }
        let mut octets = octets.to_vec();
        let before = self.carried;
        self.carried += octets.len();
        if let Some(at) = self.garbled_at.filter(|&at| at >= before && at < self.carried) {
            self.garble(&mut octets, at - before, chance);
        }
        let cut = self.cut_at.filter(|&at| at < self.carried).map(|at| at.saturating_sub(before));
        let silent = self.silent_at.filter(|&at| at < self.carried).map(|at| at.saturating_sub(before));
        octets.truncate(cut.unwrap_or(usize::MAX).min(silent.unwrap_or(usize::MAX)));
        for portion in octets.chunks(self.portion_octets_max.max(octets.len() / 200 + 1)) {
            carried.push((self.arrival(now, chance), Carried::Octets(portion.to_vec())));
        }
        if cut.is_some() {
            self.is_cut = true;
            carried.push((self.arrival(now, chance), Carried::Cut));
        }
        carried
    }

    /// When what is sent now arrives.
    pub fn arrival(&mut self, now: Instant, chance: &mut Chance) -> Instant {
        let jitter = if chance.one_in(8) { chance.below(40) } else { 0 };
        self.until = self.until.max(now + Duration::from_millis(self.latency_ms + jitter));
        self.until
    }

    fn garble(&mut self, octets: &mut Vec<u8>, at: usize, chance: &mut Chance) {
        self.is_altered = true;
        match chance.below(4) {
            0 => drop(octets.get(at).is_some().then(|| octets.remove(at))),
            1 => octets.insert(at, chance.octet()),
            2 => {
                if let Some(octet) = octets.get_mut(at) {
                    *octet = chance.octet();
                }
            }
            _ => {
                let line = chance.pick(&[
                    "250 ok\r\n",
                    "354 go\r\n",
                    "+OK\r\n",
                    "-ERR no\r\n",
                    ".\r\n",
                    "421 bye\r\n",
                    "\r\n",
                ]);
                octets.splice(at..at, line.bytes());
            }
        }
    }
}

/// A link. See the module's words.
pub struct Link {
    /// The modem's name for it.
    pub id: LinkId,
    /// What is spoken on it.
    pub protocol: Protocol,
    /// Where it leads.
    pub server: String,
    /// How it opens.
    pub fate: Fate,
    /// When.
    pub opens_after: Duration,
    /// Whether the far end is a liar.
    pub is_liar: bool,
    /// The other side.
    pub far: Far,
    /// From the modem.
    pub up: Wire,
    /// To the modem.
    pub down: Wire,
    /// How long the network takes to take what is transmitted; `None`: for ever, from the portion of that number on.
    pub drain_ms: u64,
    /// From this portion on nothing is taken.
    pub stuck_from: Option<usize>,
    /// Transmitted, and not taken by the network yet.
    pub unsent: Vec<Vec<u8>>,
    /// How many portions the network has taken.
    pub taken: usize,
    /// The modem was told that it stands.
    pub is_open: bool,
    /// The modem ended it, or was told of its end: what arrives after that finds nobody.
    pub is_over: bool,
    /// The modem was told that it is gone, or that it does not open.
    pub is_lost: bool,
    /// When something that the modem waits for came last, or it said something.
    pub progress: Instant,
    /// All that the modem transmitted.
    pub transmitted: Vec<u8>,
    /// All that reached it.
    pub received: Vec<u8>,
    /// What that is by its shape.
    pub replies: Replies,
    /// How much had reached it when it transmitted the final dot.
    pub dot_at: Option<usize>,
    /// A mail was delivered, and the reply is the next thing that the server says.
    pub reply_is_due: bool,
    /// How much the server had said when it had said that reply.
    pub said_at_reply: Option<usize>,
    /// How much the server has said.
    pub said: usize,
}

impl Link {
    /// A link that is asked for, with its fate. `worst` is what the world allows: 0 nothing, 1 honest servers, 2 all.
    pub fn draw(id: LinkId, protocol: Protocol, server: String, chance: &mut Chance, worst: u64) -> Self {
        let is_faulty = worst > 0 && chance.per_cent(60);
        let fate = if worst > 0 && chance.per_cent(8) {
            chance.pick(&[
                Fate::Refused(ObstacleKind::Network),
                Fate::Refused(ObstacleKind::Tls),
                Fate::Silent,
                Fate::Closes,
            ])
        } else {
            Fate::Opens
        };
        let slow = worst > 0 && chance.one_in(12);
        Self {
            id,
            protocol,
            server,
            fate,
            opens_after: Duration::from_millis(if slow {
                chance.below(40_000)
            } else {
                chance.pick(&[0, 1, 30, 400])
            }),
            is_liar: worst > 1 && chance.per_cent(50),
            far: Far::Nobody,
            up: Wire::draw(chance, is_faulty),
            down: Wire::draw(chance, is_faulty),
            drain_ms: chance.pick(&[0, 0, 1, 50, 3_000]),
            stuck_from: (is_faulty && chance.one_in(12)).then(|| chance.count(0, 12)),
            unsent: Vec::new(),
            taken: 0,
            is_open: false,
            is_over: false,
            is_lost: false,
            progress: Instant::POWER_ON,
            transmitted: Vec::new(),
            received: Vec::new(),
            replies: Replies::new(protocol),
            dot_at: None,
            reply_is_due: false,
            said_at_reply: None,
            said: 0,
        }
    }

    /// Takes note of what the modem transmits.
    pub fn transmit(&mut self, octets: &[u8]) {
        let was_in_data = self.has_said_data();
        self.transmitted.extend_from_slice(octets);
        self.replies.ask(octets);
        let is_dot = self.transmitted.ends_with(b"\r\n.\r\n");
        if self.protocol == Protocol::Smtp && was_in_data && is_dot && self.dot_at.is_none() {
            self.dot_at = Some(self.received.len());
        }
        self.unsent.push(octets.to_vec());
    }

    /// Whether the other side is honest and the wires have changed nothing so far.
    #[must_use]
    pub fn is_true(&self) -> bool {
        !self.is_liar && !self.up.is_altered && !self.down.is_altered
    }

    /// Whether the provider's reply to the final dot has reached the modem as it was said: to the modem's, that is, and not
    /// to one that the wire to the provider has slipped in before.
    #[must_use]
    pub fn has_heard_reply(&self) -> bool {
        !self.is_liar
            && !self.down.is_altered
            && self.said_at_reply.is_some_and(|end| {
                self.received.len() >= end && self.dot_at.is_some_and(|before| before < end)
            })
    }

    /// Whether a whole positive reply has come since the final dot was transmitted.
    #[must_use]
    pub fn has_heard_yes(&self) -> bool {
        let Some(at) = self.dot_at else { return false };
        // The reply's line may have begun to arrive before.
        let start = self.received.get(..at).unwrap_or_default().iter().rposition(|&octet| octet == b'\n');
        let since = self.received.get(start.map_or(0, |lf| lf + 1)..).unwrap_or_default();
        since
            .split_inclusive(|&octet| octet == b'\n')
            .any(|line| line.ends_with(b"\n") && line.starts_with(b"2"))
    }

    /// Takes note of octets that have reached the modem. True: they are progress, as [`Replies::receive`] has it.
    pub fn receive(&mut self, octets: &[u8]) -> bool {
        self.received.extend_from_slice(octets);
        self.replies.receive(octets)
    }

    /// Whether a message is under way.
    #[must_use]
    pub fn is_in_data(&self) -> bool {
        self.has_said_data() && !self.transmitted.ends_with(b"DATA\r\n")
    }

    fn has_said_data(&self) -> bool {
        self.protocol == Protocol::Smtp && self.transmitted.windows(6).any(|line| line == b"DATA\r\n")
    }
}
