//! Headers asked for ahead of their turn (docs/decisions/0008-headers-ahead-of-their-turn.md).
//!
//! Whoever asks for the headers of messages n, n + 1 and n + 2, one after the other, will ask for n + 3. From the third on, and
//! if the server takes commands that come together (RFC 2449 §6.6), as many are asked for ahead as there were in the row
//! before, up to [`HEADERS_AHEAD_MAX`]: at most half of what is asked for is in vain.
//!
//! Not here: what becomes of the answers ([`super::asked`]).

use super::asked::Turn;
use super::{Client, Request, Step, Top};
use crate::limits::{HEADERS_AHEAD_MAX, HEADERS_IN_ROW_MIN};
use crate::machine::Output;
use std::ops::RangeInclusive;

/// The headers that the owner asked for, each after the one before.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// The message of the last one.
    last: u32,
    /// How many they are.
    count: u32,
    /// No message beyond this number is asked for: servers end sessions of clients that ask for many that they do not
    /// have. `None` until there was a STAT.
    messages: Option<u32>,
}

impl Row {
    /// The owner asks for this one. Returns whether the row goes on with it, or begins.
    pub(super) fn goes_on_with(&mut self, id: u32) -> bool {
        let goes_on = self.last.checked_add(1) == Some(id);
        self.count = if goes_on { self.count.saturating_add(1) } else { 1 };
        self.last = id;
        goes_on
    }

    /// The next one begins a row.
    pub(super) const fn end(&mut self) {
        self.count = 0;
    }

    /// Which message's header was asked for last, if that was a row by then.
    pub(super) fn end_of_row(&self) -> Option<u32> {
        (self.count >= HEADERS_IN_ROW_MIN).then_some(self.last)
    }

    /// So many messages there are. Marked ones are not counted (RFC 1939 §5), so it may be more; none come.
    pub(super) fn count_messages(&mut self, count: u32) {
        self.messages = self.messages.max(Some(count));
    }

    /// Which to ask for now, when all up to `asked` have been. A good number at a time.
    fn ahead(&self, asked: u32) -> Option<RangeInclusive<u32>> {
        let window = self.count.min(HEADERS_AHEAD_MAX);
        let end = self.last.saturating_add(window).min(self.messages.unwrap_or(0));
        let asked = asked.max(self.last);
        let is_time = asked < end && asked - self.last <= window / 2;
        is_time.then(|| asked + 1..=end)
    }
}

impl Client {
    /// Whether it would be good to know what the server can do.
    pub(super) fn is_capability_of_interest(&self) -> bool {
        self.capabilities.is_none() && self.top == Top::Works && self.row.end_of_row().is_some()
    }

    /// Asks for the headers that the owner will probably ask for next. Only by TOP: RETR is more than reading.
    pub(super) fn read_ahead(&mut self) {
        let takes_many = self.capabilities.as_ref().is_some_and(|capabilities| capabilities.pipelining);
        if !takes_many || self.top != Top::Works || self.row.end_of_row().is_none() {
            return;
        }
        if self.row.messages.is_none() {
            // Asked once, whatever comes of it.
            self.row.messages = Some(0);
            return self.ask(Step::Request(Request::Stat), Turn::Never);
        }
        let mut lines = Vec::new();
        for id in self.row.ahead(self.asked.last_kept().unwrap_or(0)).into_iter().flatten() {
            let request = Request::Headers(id);
            lines.extend(self.line_of(&request.command()));
            self.asked.push(Step::Request(request), Turn::Later);
        }
        if !lines.is_empty() {
            self.outputs.push_back(Output::Transmit(lines));
        }
    }
}
