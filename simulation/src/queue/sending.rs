//! A mail on its way to the server: the queue's attempt, the client that makes it, the wires, and the server's end.
//!
//! Not here: what is drawn of the server ([`super::far`]).

use super::far::{Manner, Server, Taken};
use crate::chance::Chance;
use mail::machine::{Input, Instant, Machine as _, Output};
use mail::smtp::client::{Client, Event, Failure};
use mailmodem::outgoing::{self, NotSent};
use mailmodem::queue::Attempt;
use modem::route::Route;
use std::time::Duration;

/// See the module's words.
pub(super) struct Sending {
    pub(super) attempt: Attempt,
    pub(super) number: usize,
    /// Those for whom the server has the mail by this attempt.
    pub(super) have_it: Vec<String>,
    client: Client,
    begun: Duration,
    server: Server,
    /// On its way to the server, and from it.
    up: Vec<u8>,
    down: Vec<u8>,
    is_to_drain: bool,
    is_lost: bool,
}

/// What comes of a step.
#[derive(Default)]
pub(super) struct Told {
    /// The server has a mail.
    pub(super) taken: Option<Taken>,
    /// How many octets were said.
    pub(super) said: usize,
    /// Whom the server has refused for good.
    pub(super) refused: Vec<String>,
    /// The attempt is over.
    pub(super) outcome: Option<Result<(), Failure>>,
}

impl Sending {
    /// A link stands.
    pub(super) fn begin(
        attempt: Attempt,
        number: usize,
        manner: Manner,
        now: Duration,
    ) -> Result<(Self, Told), (Box<Attempt>, NotSent)> {
        let client = attempt.outgoing().and_then(|outgoing| {
            let client = outgoing.client(&attempt.call(), Route::default(), Instant::from_ms(0));
            client.ok_or_else(|| NotSent { words: "the sender cannot be one".to_owned(), failure: None })
        });
        let client = match client {
            Ok(client) => client,
            Err(why) => return Err((Box::new(attempt), why)),
        };
        let (server, down) = Server::new(manner);
        let mut sending = Self {
            attempt,
            number,
            have_it: Vec::new(),
            client,
            begun: now,
            server,
            up: Vec::new(),
            down,
            is_to_drain: false,
            is_lost: false,
        };
        let told = sending.handle(Input::Opened, now);
        Ok((sending, told))
    }

    fn handle(&mut self, input: Input<'_>, now: Duration) -> Told {
        let now = now.saturating_sub(self.begun).as_millis();
        self.client.handle(input, Instant::from_ms(u64::try_from(now).unwrap_or(u64::MAX)));
        let mut told = Told::default();
        while let Some(output) = self.client.poll() {
            match output {
                Output::Transmit(octets) if !self.is_lost => {
                    told.said += octets.len();
                    self.up.extend(octets);
                    self.is_to_drain = true;
                }
                Output::Transmit(_) => {}
                Output::StartTls | Output::Close | Output::Abort => self.is_lost = true,
                Output::Event(Event::Finished(outcome)) => told.outcome = Some(outcome.map(drop)),
                Output::Event(event) => self.attempt.hear(outgoing::Told::Event(event)),
            }
        }
        told
    }

    /// What was said last was not said, for there was no power.
    pub(super) fn take_back(&mut self, said: usize) {
        self.up.truncate(self.up.len().saturating_sub(said));
    }

    /// Whether anything is on its way, or late.
    pub(super) fn is_moving(&self, now: Duration) -> bool {
        self.is_to_drain
            || self.until_deadline(now).is_some_and(|wait| wait.is_zero())
            || !self.up.is_empty()
            || !self.down.is_empty()
            || (self.server.is_over && !self.is_lost)
    }

    /// How long it waits for that at most.
    pub(super) fn until_deadline(&self, now: Duration) -> Option<Duration> {
        let deadline = self.begun + Duration::from_millis(self.client.deadline()?.as_ms());
        Some(deadline.saturating_sub(now))
    }

    /// One thing happens on the link.
    pub(super) fn step(&mut self, chance: &mut Chance, now: Duration, may_be_lost: bool) -> Told {
        if self.until_deadline(now).is_some_and(|wait| wait.is_zero()) {
            return self.handle(Input::DeadlinePassed, now);
        }
        if may_be_lost && chance.one_in(60) {
            // Nobody knows what of it comes there yet.
            self.down.clear();
            self.server.is_over = true;
        }
        match chance.below(3) {
            0 if self.is_to_drain => {
                self.is_to_drain = false;
                self.handle(Input::Drained, now)
            }
            1 if !self.down.is_empty() => {
                let octets = take(&mut self.down, chance);
                self.handle(Input::Received(&octets), now)
            }
            1 if self.server.is_over && !self.is_lost => {
                self.is_lost = true;
                self.handle(Input::Closed, now)
            }
            _ => {
                let octets = take(&mut self.up, chance);
                let taken = self.reach(&octets);
                let mut refused = std::mem::take(&mut self.server.refused);
                if refused.iter().any(String::is_empty) {
                    refused = self.attempt.call().recipients;
                }
                Told { taken, refused, ..Told::default() }
            }
        }
    }

    /// Octets reach the server.
    fn reach(&mut self, octets: &[u8]) -> Option<Taken> {
        let (said, taken) = self.server.hear(octets);
        self.down.extend(said);
        if let Some(taken) = &taken {
            self.have_it.extend(taken.recipients.iter().cloned());
        }
        taken
    }

    /// The near end is no more; what was on its way comes there, or not.
    pub(super) fn leave(&mut self, chance: &mut Chance) -> Option<Taken> {
        let octets = if chance.one_in(2) { std::mem::take(&mut self.up) } else { take(&mut self.up, chance) };
        self.reach(&octets)
    }
}

/// The first of these octets, all of them mostly.
fn take(octets: &mut Vec<u8>, chance: &mut Chance) -> Vec<u8> {
    let count = if chance.one_in(4) { chance.count(0, octets.len()) } else { octets.len() };
    octets.drain(..count.min(octets.len())).collect()
}
