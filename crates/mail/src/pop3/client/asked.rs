//! What was asked of the server and is not answered, in order: an answer is always the first one's. And the answers that
//! are kept until their turn comes.
//!
//! Not here: what is asked, and when ([`super`], [`super::ahead`]).

use super::{Event, Request, Step};
use crate::limits::HEADERS_AHEAD_OCTETS_MAX;
use std::collections::VecDeque;

/// Whether somebody waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The owner does, or the log-in.
    Now,
    /// The owner may ask for it: it is kept.
    Later,
    /// Nobody: it is read, and dropped.
    Never,
}

/// What becomes of a part of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The owner is told.
    Owner(Event),
    /// It is kept, or dropped because nobody wants it.
    Kept,
    /// It was to be kept, and there is no room: nothing that was asked so far is kept any more.
    NoRoom,
}

#[derive(Debug)]
struct Asked {
    step: Step,
    turn: Turn,
    /// What the owner is to be told of it.
    events: Vec<Event>,
}

impl Asked {
    /// Of which message this is the header, if it is kept.
    fn header_kept(&self) -> Option<u32> {
        match (self.turn, self.step) {
            (Turn::Later, Step::Request(Request::Headers(id))) => Some(id),
            _ => None,
        }
    }

    fn octets(&self) -> usize {
        self.events.iter().map(octets).sum()
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Queue {
    asked: VecDeque<Asked>,
    /// What is answered and kept.
    kept: VecDeque<Asked>,
}

impl Queue {
    pub(super) fn push(&mut self, step: Step, turn: Turn) {
        self.asked.push_back(Asked { step, turn, events: Vec::new() });
    }

    /// What is being answered, if anything was asked.
    pub(super) fn first(&self) -> Option<Step> {
        self.asked.front().map(|first| first.step)
    }

    /// Whether somebody waits for an answer.
    pub(super) fn is_awaited(&self) -> bool {
        self.asked.iter().any(|asked| asked.turn == Turn::Now)
    }

    /// The first is answered.
    pub(super) fn pop(&mut self) {
        self.kept.extend(self.asked.pop_front().filter(|first| first.turn == Turn::Later));
    }

    /// Takes a part of the first one's answer.
    pub(super) fn take(&mut self, event: Event) -> Place {
        let room = HEADERS_AHEAD_OCTETS_MAX.saturating_sub(self.kept.iter().map(Asked::octets).sum());
        let Some(first) = self.asked.front_mut() else { return Place::Owner(event) };
        match first.turn {
            Turn::Now => return Place::Owner(event),
            Turn::Never => {}
            Turn::Later if first.octets() + octets(&event) > room => {
                self.asked.iter_mut().for_each(drop_answer);
                return Place::NoRoom;
            }
            Turn::Later => match (first.events.last_mut(), event) {
                (Some(Event::Content(before)), Event::Content(more)) => before.extend(more),
                (_, event) => first.events.push(event),
            },
        }
        Place::Kept
    }

    /// The owner asks for the header of a message. If that was asked for before: what came of it; the rest is the
    /// owner's when it comes.
    pub(super) fn claim(&mut self, id: u32) -> Option<Vec<Event>> {
        let is_it = |asked: &Asked| asked.header_kept() == Some(id);
        if let Some(at) = self.kept.iter().position(is_it) {
            return self.kept.remove(at).map(|kept| kept.events);
        }
        let under_way = self.asked.iter_mut().find(|asked| is_it(asked))?;
        under_way.turn = Turn::Now;
        Some(std::mem::take(&mut under_way.events))
    }

    /// Keeps no answers for these messages that were asked for so far.
    pub(super) fn forget(&mut self, is_of: impl Fn(u32) -> bool) {
        let is_forgotten = |asked: &Asked| asked.header_kept().is_some_and(&is_of);
        self.kept.retain(|kept| !is_forgotten(kept));
        self.asked.iter_mut().filter(|asked| is_forgotten(asked)).for_each(drop_answer);
    }

    /// The last message of which the header is kept, or will be.
    pub(super) fn last_kept(&self) -> Option<u32> {
        self.kept.iter().chain(&self.asked).filter_map(Asked::header_kept).max()
    }
}

/// Unless somebody waits for it.
fn drop_answer(asked: &mut Asked) {
    if asked.turn == Turn::Later {
        asked.turn = Turn::Never;
        asked.events = Vec::new();
    }
}

fn octets(event: &Event) -> usize {
    match event {
        Event::Content(octets) => octets.len(),
        Event::Refused { response, .. } => response.text.len(),
        _ => 0,
    }
}
