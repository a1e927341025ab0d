//! The messages of a session: their marks, and the listings of them.
//!
//! Deliberately not here: what the messages are ([`super::service`]).

use super::service::{Mail, Reaction};
use crate::limits::CHUNK_OCTETS;

#[derive(Clone, Copy)]
pub(super) enum Column {
    Octets,
    Unique,
}

/// The messages of a session, each with its mark.
pub(super) struct Maildrop(Vec<(Mail, bool)>);

impl Maildrop {
    /// None of them is marked.
    pub(super) fn of(mails: Vec<Mail>) -> Self {
        Self(mails.into_iter().map(|mail| (mail, false)).collect())
    }

    /// The message of this number with its mark, which is not set.
    pub(super) fn unmarked(&mut self, id: u32) -> Result<&mut (Mail, bool), Reaction> {
        let at = usize::try_from(id).ok().and_then(|id| id.checked_sub(1));
        match at.and_then(|at| self.0.get_mut(at)) {
            Some((_, true)) => Err(refusal("that message is marked as deleted")),
            Some(unmarked) => Ok(unmarked),
            None => Err(refusal("no such message")),
        }
    }

    /// Takes all marks back.
    pub(super) fn unmark(&mut self) {
        for (_, mark) in &mut self.0 {
            *mark = false;
        }
    }

    /// The numbers of the messages that are marked.
    pub(super) fn marked(&self) -> Vec<u32> {
        (1..).zip(&self.0).filter_map(|(id, (_, mark))| mark.then_some(id)).collect()
    }

    /// Count and octets of the messages that are not marked.
    pub(super) fn total(&self) -> (usize, u64) {
        let left = self.0.iter().filter(|(_, mark)| !mark);
        left.fold((0, 0), |(count, octets), (mail, _)| (count + 1, mail.octets.saturating_add(octets)))
    }

    /// Writes a portion of a listing, from the message at `at` on. Returns where to go on, unless that was the end.
    pub(super) fn list_portion(&self, column: Column, mut at: usize, wire: &mut Vec<u8>) -> Option<usize> {
        while wire.len() < CHUNK_OCTETS {
            let Some((mail, mark)) = self.0.get(at) else {
                wire.extend_from_slice(b".\r\n");
                return None;
            };
            at += 1;
            if !mark {
                wire.extend_from_slice(column.entry(at, mail).as_bytes());
                wire.extend_from_slice(b"\r\n");
            }
        }
        Some(at)
    }
}

impl Column {
    /// The line of a message, without its end.
    pub(super) fn entry(self, id: impl std::fmt::Display, mail: &Mail) -> String {
        match self {
            Self::Octets => format!("{id} {}", mail.octets),
            Self::Unique => format!("{id} {}", mail.unique),
        }
    }
}

/// -ERR with this text.
pub(super) fn refusal(text: &str) -> Reaction {
    Reaction::Refuse(text.to_owned())
}
