//! The sending side, which does what it is asked.

use super::{ACK, ASK_CRC, CANCEL, Cancels, Check, EOT, Failure, LONG_OCTETS, NAK, SHORT_OCTETS, block};
use crate::drive::OpenFile;
use crate::limits::{XMODEM_CROSSING, XMODEM_REPLY_WAIT, XMODEM_TRIES_MAX};
use mail::machine::{Input, Instant, Machine, Output};
use std::collections::VecDeque;
use std::time::Duration;

pub(crate) struct Sender {
    file: Box<dyn OpenFile>,
    /// Octets of the file that are still to be read.
    unread: u64,
    /// What was read and is not answered yet: at most a long block.
    ahead: Vec<u8>,
    has_long_blocks: bool,
    state: State,
    check: Check,
    number: u8,
    /// Whether a block has been answered.
    has_begun: bool,
    tries: u32,
    cancels: Cancels,
    deadline: Instant,
    outputs: VecDeque<Output<Event>>,
}

/// The transfer is over; the other side has the file, or not. Nothing follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event(pub(crate) Result<(), Failure>);

#[derive(Clone, Copy, Debug)]
enum State {
    /// The receiver is to ask for the first block.
    Waiting,
    /// A block of so many octets of the file is to be answered.
    Sent {
        octets: usize,
        /// When it was first sent.
        at: Instant,
    },
    /// The end is to be answered.
    EndSent,
    Over,
}

impl Sender {
    /// Waits so long for a request; `None`: as long as for any other answer. Blocks have 1024 octets or 128, those at the
    /// end of the file always 128.
    pub(crate) fn new(
        file: Box<dyn OpenFile>,
        has_long_blocks: bool,
        wait: Option<Duration>,
        now: Instant,
    ) -> Self {
        Self {
            unread: file.octets(),
            file,
            ahead: Vec::new(),
            has_long_blocks,
            state: State::Waiting,
            check: Check::Sum,
            number: 1,
            has_begun: false,
            tries: 0,
            cancels: Cancels::default(),
            deadline: now + wait.unwrap_or(XMODEM_REPLY_WAIT),
            outputs: VecDeque::new(),
        }
    }

    /// Gives up.
    pub(crate) fn cancel(&mut self, failure: Failure) {
        self.outputs.push_back(Output::Transmit(CANCEL.to_vec()));
        self.end(Err(failure));
    }

    fn end(&mut self, result: Result<(), Failure>) {
        self.state = State::Over;
        self.outputs.push_back(Output::Event(Event(result)));
    }

    fn octet(&mut self, octet: u8, now: Instant) {
        if !matches!(self.state, State::Over) && self.cancels.push(octet) {
            return self.end(Err(Failure::Cancelled));
        }
        match (self.state, octet) {
            (State::Waiting, ASK_CRC | NAK) => {
                self.check = if octet == ASK_CRC { Check::Crc } else { Check::Sum };
                self.send(now, now);
            }
            // A request from before the block came, which would get it twice, and then one answer more than there are
            // blocks.
            (State::Sent { at, .. }, ASK_CRC | NAK) if !self.has_begun && now < at + XMODEM_CROSSING => {}
            (State::Sent { at, .. }, ASK_CRC) if !self.has_begun => {
                self.check = Check::Crc;
                self.send_again(at, now);
            }
            (State::Sent { at, .. }, NAK) => self.send_again(at, now),
            (State::EndSent, NAK) => self.send_again(now, now),
            (State::Sent { octets, .. }, ACK) => {
                self.ahead.drain(..octets);
                self.number = self.number.wrapping_add(1);
                self.has_begun = true;
                self.tries = 0;
                self.send(now, now);
            }
            (State::EndSent, ACK) => self.end(Ok(())),
            _ => {}
        }
    }

    fn send_again(&mut self, at: Instant, now: Instant) {
        self.tries += 1;
        if self.tries > XMODEM_TRIES_MAX {
            return self.cancel(Failure::TooManyTries);
        }
        self.send(at, now);
    }

    /// Sends the block that is not answered yet, for the first time `at`; or the end.
    fn send(&mut self, at: Instant, now: Instant) {
        if self.read_ahead().is_err() {
            return self.cancel(Failure::File);
        }
        self.deadline = now + XMODEM_REPLY_WAIT;
        let transmit = if self.ahead.is_empty() {
            self.state = State::EndSent;
            vec![EOT]
        } else {
            let is_long = self.has_long_blocks && self.ahead.len() == LONG_OCTETS;
            let block_octets = if is_long { LONG_OCTETS } else { SHORT_OCTETS };
            let octets = block_octets.min(self.ahead.len());
            self.state = State::Sent { octets, at };
            block(self.number, self.ahead.get(..octets).unwrap_or_default(), block_octets, self.check)
        };
        self.outputs.push_back(Output::Transmit(transmit));
    }

    /// Reads until there is a long block, or all of the file. A file that ends before its time is not sent as if it were
    /// whole.
    fn read_ahead(&mut self) -> Result<(), Failure> {
        while self.unread > 0 && self.ahead.len() < LONG_OCTETS {
            let mut buffer = vec![0; LONG_OCTETS - self.ahead.len()];
            let octets = self.file.read(&mut buffer).map_err(|_| Failure::File)?;
            let left = u64::try_from(octets).ok().and_then(|octets| self.unread.checked_sub(octets));
            self.unread = left.filter(|_| octets > 0).ok_or(Failure::File)?;
            self.ahead.extend(buffer.into_iter().take(octets));
        }
        Ok(())
    }
}

impl Machine for Sender {
    type Event = Event;

    fn handle(&mut self, input: Input<'_>, now: Instant) {
        match input {
            Input::Received(octets) => octets.iter().for_each(|&octet| self.octet(octet, now)),
            Input::DeadlinePassed if self.deadline().is_some_and(|deadline| now >= deadline) => {
                let waiting = matches!(self.state, State::Waiting);
                self.cancel(if waiting { Failure::NotBegun } else { Failure::Silent });
            }
            Input::Closed if !matches!(self.state, State::Over) => self.end(Err(Failure::Silent)),
            Input::DeadlinePassed | Input::Closed | Input::Opened | Input::Secured(_) | Input::Drained => {}
        }
    }

    fn poll(&mut self) -> Option<Output<Event>> {
        self.outputs.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        (!matches!(self.state, State::Over)).then_some(self.deadline)
    }
}
