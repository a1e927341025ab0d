//! The receiving side, which drives the transfer: it asks, and asks again.

use super::{
    ACK, ASK_CRC, CAN, CANCEL, Cancels, Check, EOT, Failure, HEAD_OCTETS, LONG_OCTETS, NAK, SHORT_OCTETS,
    SOH, STX, opened,
};
use crate::limits::{
    XMODEM_BLOCK_WAIT, XMODEM_CRC_ASKS, XMODEM_CRC_WAIT, XMODEM_END_WAIT, XMODEM_OCTET_WAIT, XMODEM_TRIES_MAX,
};
use mail::machine::{Input, Instant, Machine, Output};
use std::collections::VecDeque;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Receiver {
    state: State,
    check: Check,
    /// The number of the block that comes next.
    next: u8,
    /// Whether a block has been taken.
    has_begun: bool,
    /// Requests in vain since the last block.
    tries: u32,
    cancels: Cancels,
    deadline: Instant,
    /// Until something that may be a block has come.
    begin_by: Option<Instant>,
    outputs: VecDeque<Output<Event>>,
}

/// What comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The next octets of the file. The sender is told so only after this.
    Block(Vec<u8>),
    /// The file is whole. The sender is told so only after this.
    Whole,
    /// The transfer is over, with the whole file or without. Nothing follows.
    Ended(Result<(), Failure>),
}

#[derive(Debug)]
enum State {
    /// The next octet begins a block, or ends the file.
    Between,
    /// Within a block of so many octets.
    Block(Vec<u8>, usize),
    /// A block was damaged; what else comes of it is dropped, until the line is quiet, but not for ever.
    Damaged {
        by: Instant,
    },
    /// An EOT came, which counts if nothing follows.
    End,
    Over,
}

impl Receiver {
    /// Asks for the first block, at once and until `wait` has passed; `None`: as often as the protocol has it.
    pub(crate) fn new(wait: Option<Duration>, now: Instant) -> Self {
        let mut receiver = Self {
            state: State::Between,
            check: Check::Crc,
            next: 1,
            has_begun: false,
            tries: 0,
            cancels: Cancels::default(),
            deadline: now,
            begin_by: wait.map(|wait| now + wait),
            outputs: VecDeque::new(),
        };
        receiver.ask(now);
        receiver
    }

    /// Gives up, since the last [`Event`] could not be obeyed: what was to be said after it is not said.
    pub(crate) fn cancel(&mut self, failure: Failure) {
        self.outputs.clear();
        self.fail(failure);
    }

    fn fail(&mut self, failure: Failure) {
        self.outputs.push_back(Output::Transmit(CANCEL.to_vec()));
        self.end(Err(failure));
    }

    fn end(&mut self, result: Result<(), Failure>) {
        self.state = State::Over;
        self.outputs.push_back(Output::Event(Event::Ended(result)));
    }

    fn say(&mut self, octet: u8) {
        self.outputs.push_back(Output::Transmit(vec![octet]));
    }

    /// Asks for the next block, which is also how the last request was in vain.
    fn ask(&mut self, now: Instant) {
        self.state = State::Between;
        let (octet, wait) = match self.check {
            Check::Crc if !self.has_begun => (ASK_CRC, XMODEM_CRC_WAIT),
            Check::Crc | Check::Sum => (NAK, XMODEM_BLOCK_WAIT),
        };
        self.say(octet);
        self.deadline = now + wait;
    }

    fn ask_again(&mut self, now: Instant) {
        self.tries += 1;
        if self.tries > XMODEM_TRIES_MAX {
            return self.fail(if self.has_begun { Failure::TooManyTries } else { Failure::NotBegun });
        }
        self.ask(now);
    }

    fn octet(&mut self, octet: u8, now: Instant) {
        match &mut self.state {
            State::Over => {}
            State::Between => self.first_octet(octet, now),
            State::Block(block, octets) => {
                block.push(octet);
                let is_complete = block.len() == *octets;
                self.deadline = now + XMODEM_OCTET_WAIT;
                if is_complete
                    && let State::Block(block, _) = std::mem::replace(&mut self.state, State::Between)
                {
                    self.block(&block, now);
                }
            }
            State::Damaged { by } => self.deadline = (now + XMODEM_OCTET_WAIT).min(*by),
            State::End if octet == EOT => self.whole(),
            State::End => self.damaged(now),
        }
    }

    fn first_octet(&mut self, octet: u8, now: Instant) {
        let after_cancel = self.cancels.is_half();
        if self.cancels.push(octet) {
            return self.end(Err(Failure::Cancelled));
        }
        match octet {
            // The other half was damaged; this may be it.
            _ if after_cancel => self.damaged(now),
            SOH => self.begin_block(SOH, SHORT_OCTETS, now),
            STX => self.begin_block(STX, LONG_OCTETS, now),
            EOT => {
                self.state = State::End;
                self.deadline = now + XMODEM_END_WAIT;
            }
            CAN => {}
            _ if self.has_begun => self.damaged(now),
            // What a terminal still had to say.
            _ => return,
        }
        self.begin_by = None;
    }

    fn begin_block(&mut self, head: u8, data_octets: usize, now: Instant) {
        self.state = State::Block(vec![head], HEAD_OCTETS + data_octets + self.check.octets());
        self.deadline = now + XMODEM_OCTET_WAIT;
    }

    fn damaged(&mut self, now: Instant) {
        self.state = State::Damaged { by: now + XMODEM_BLOCK_WAIT };
        self.deadline = now + XMODEM_OCTET_WAIT;
    }

    fn block(&mut self, block: &[u8], now: Instant) {
        match opened(block, self.check) {
            None => self.damaged(now),
            Some((number, data)) if number == self.next => {
                self.outputs.push_back(Output::Event(Event::Block(data.to_vec())));
                self.say(ACK);
                self.next = self.next.wrapping_add(1);
                self.has_begun = true;
                self.tries = 0;
                self.state = State::Between;
                self.deadline = now + XMODEM_BLOCK_WAIT;
            }
            // The last one again: its sender did not hear that it came.
            Some((number, _)) if self.has_begun && number == self.next.wrapping_sub(1) => {
                self.tries += 1;
                if self.tries > XMODEM_TRIES_MAX {
                    return self.fail(Failure::TooManyTries);
                }
                self.say(ACK);
                self.state = State::Between;
                self.deadline = now + XMODEM_BLOCK_WAIT;
            }
            Some(_) => self.fail(Failure::OutOfOrder),
        }
    }

    fn whole(&mut self) {
        self.outputs.push_back(Output::Event(Event::Whole));
        self.say(ACK);
        self.end(Ok(()));
    }

    fn deadline_passed(&mut self, now: Instant) {
        match self.state {
            State::Over => {}
            State::Between if !self.has_begun => {
                if self.begin_by.is_some_and(|by| now >= by) {
                    return self.fail(Failure::NotBegun);
                }
                if self.check == Check::Crc && self.tries + 1 == XMODEM_CRC_ASKS {
                    self.check = Check::Sum;
                    self.tries = 0;
                    return self.ask(now);
                }
                self.ask_again(now);
            }
            State::Between | State::Block(..) | State::Damaged { .. } => self.ask_again(now),
            State::End => self.whole(),
        }
    }
}

impl Machine for Receiver {
    type Event = Event;

    fn handle(&mut self, input: Input<'_>, now: Instant) {
        match input {
            Input::Received(octets) => octets.iter().for_each(|&octet| self.octet(octet, now)),
            Input::DeadlinePassed if self.deadline().is_some_and(|deadline| now >= deadline) => {
                self.deadline_passed(now);
            }
            Input::Closed if !matches!(self.state, State::Over) => self.end(Err(Failure::Silent)),
            Input::DeadlinePassed | Input::Closed | Input::Opened | Input::Secured(_) | Input::Drained => {}
        }
    }

    fn poll(&mut self) -> Option<Output<Event>> {
        self.outputs.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Over => None,
            State::Between => self.begin_by.into_iter().chain([self.deadline]).min(),
            State::Block(..) | State::Damaged { .. } | State::End => Some(self.deadline),
        }
    }
}
