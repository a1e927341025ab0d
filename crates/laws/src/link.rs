//! A machine of `mail` on a link that somebody hostile has the other end of, and the laws of `mail::machine`.
//!
//! The marks: `n` the next portion · `s` the link is secured, `S` with a channel binding · `t` its deadline passes ·
//! `e` a deadline comes early · `w` a second passes · `c` the link is lost.

use crate::steps::Step;
use mail::machine::{ChannelBinding, Input, Instant, Machine, Output};
use std::fmt::Debug;
use std::time::Duration;

/// Most times that a machine waits until it gives up, once its peer is silent.
const WAITS_MAX: usize = 16;

/// What a machine did.
pub(crate) struct Played<E> {
    /// All that it wanted, in order.
    pub(crate) outputs: Vec<Output<E>>,
}

/// A machine, and what it has done.
pub(crate) struct Link<M: Machine> {
    pub(crate) machine: M,
    pub(crate) now: Instant,
    /// Octets arrive in portions of at most so many.
    portion_octets: usize,
    outputs: Vec<Output<M::Event>>,
    is_closed: bool,
}

impl<M: Machine<Event: Debug + PartialEq>> Link<M> {
    /// Opens the link.
    pub(crate) fn open(machine: M, portion_octets: usize) -> Self {
        let now = Instant::POWER_ON;
        let mut link = Self { machine, now, portion_octets, outputs: Vec::new(), is_closed: false };
        link.tell(Input::Opened);
        link
    }

    /// Tells the machine what happens. A mark that has no meaning here is for the caller.
    pub(crate) fn happen(&mut self, step: Step<'_>) {
        match step {
            Step::Octets(octets) => {
                for portion in octets.chunks(self.portion_octets) {
                    self.tell(Input::Received(portion));
                }
            }
            Step::Mark(b's') => self.tell(Input::Secured(None)),
            Step::Mark(b'S') => self.tell(Input::Secured(Some(ChannelBinding::TlsExporter([7; 32])))),
            Step::Mark(b't') => self.let_deadline_pass(),
            Step::Mark(b'e') => {
                if self.machine.deadline().is_some_and(|deadline| deadline > self.now) {
                    let before = self.outputs.len();
                    self.tell(Input::DeadlinePassed);
                    assert_eq!(self.outputs.len(), before, "a deadline that came early had an effect");
                }
            }
            Step::Mark(b'w') => self.now = self.now + Duration::from_secs(1),
            Step::Mark(b'c') => {
                self.tell(Input::Closed);
                assert_eq!(self.machine.deadline(), None, "a link that is gone is waited for");
            }
            Step::Mark(_) => {}
        }
    }

    fn let_deadline_pass(&mut self) {
        if let Some(deadline) = self.machine.deadline() {
            self.now = self.now.max(deadline);
            self.tell(Input::DeadlinePassed);
            assert!(
                self.machine.deadline().is_none_or(|next| next > self.now),
                "a deadline that passed is waited for again"
            );
        }
    }

    /// Tells it one thing, and takes what it wants; the link takes all that is sent at once.
    pub(crate) fn tell(&mut self, input: Input<'_>) {
        self.machine.handle(input, self.now);
        while self.take_outputs() {
            self.machine.handle(Input::Drained, self.now);
        }
    }

    /// Whether there were octets to send among them.
    fn take_outputs(&mut self) -> bool {
        let mut has_sent = false;
        while let Some(output) = self.machine.poll() {
            match &output {
                Output::Transmit(octets) => {
                    assert!(!self.is_closed, "octets on a link that was closed");
                    assert!(!octets.is_empty(), "no octets to send");
                    has_sent = true;
                }
                Output::StartTls => assert!(!self.is_closed, "TLS on a link that was closed"),
                Output::Close | Output::Abort => {
                    assert!(!self.is_closed, "a link closed twice");
                    self.is_closed = true;
                }
                Output::Event(_) => {}
            }
            self.outputs.push(output);
        }
        has_sent
    }

    /// Says nothing more. The machine must end by itself, and be deaf from then on.
    pub(crate) fn end(mut self) -> Played<M::Event> {
        for _ in 0..WAITS_MAX {
            self.let_deadline_pass();
        }
        assert_eq!(self.machine.deadline(), None, "it waits for ever");
        let outputs = std::mem::take(&mut self.outputs);
        for input in [Input::Received(b"250 ok\r\n"), Input::Drained, Input::DeadlinePassed, Input::Closed] {
            self.tell(input);
        }
        assert_eq!(self.outputs, [], "something had an effect after the end");
        Played { outputs }
    }
}

impl<E> Played<E> {
    /// All octets that were sent.
    pub(crate) fn sent(&self) -> Vec<u8> {
        let sent = self.outputs.iter().filter_map(|output| match output {
            Output::Transmit(octets) => Some(octets.as_slice()),
            _ => None,
        });
        sent.collect::<Vec<_>>().concat()
    }

    /// What was told.
    pub(crate) fn events(&self) -> impl Iterator<Item = &E> {
        self.outputs.iter().filter_map(|output| match output {
            Output::Event(event) => Some(event),
            _ => None,
        })
    }

    /// How often a link was to be secured, and was ended.
    pub(crate) fn handshakes_and_ends(&self) -> (usize, usize) {
        let count = |is: fn(&Output<E>) -> bool| self.outputs.iter().filter(|output| is(output)).count();
        (
            count(|output| matches!(output, Output::StartTls)),
            count(|output| matches!(output, Output::Close | Output::Abort)),
        )
    }
}
