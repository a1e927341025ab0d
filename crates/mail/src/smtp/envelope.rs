//! The commands of one transaction: MAIL, a RCPT for each recipient, DATA (RFC 5321 §3.3), and which of them may go
//! together (RFC 2920 §3.1).
//!
//! Not here: what the answers mean, which is the client's to decide.

use super::client::BadRecipient;
use super::command::{Command, Path};
use super::failure::Step;
use super::reply::Reply;
use std::collections::VecDeque;

/// A transaction under way. Replies come in the order of the commands.
#[derive(Default)]
pub(super) struct Envelope {
    unsent: VecDeque<Command>,
    unanswered: VecDeque<Command>,
    pipelining: bool,
    /// DATA waits for the answers to all before it.
    data_waits: bool,
    has_accepted: bool,
}

impl Envelope {
    /// A transaction of `mail` and its recipients.
    ///
    /// DATA waits for the answers to several recipients when one refusal is to stop the mail for all: once DATA is
    /// accepted, a mail can only be withheld from the accepted ones by breaking the link.
    pub(super) fn new(mail: Command, recipients: Vec<Path>, policy: BadRecipient, pipelining: bool) -> Self {
        let data_waits = policy == BadRecipient::Fail && recipients.len() > 1;
        let mut unsent = VecDeque::from([mail]);
        unsent.extend(recipients.into_iter().map(|forward_path| Command::Rcpt { forward_path }));
        unsent.push_back(Command::Data);
        Self { unsent, pipelining, data_waits, ..Self::default() }
    }

    /// The lines that may be sent now: one command, or all that pipelining allows. Empty while answers must come first.
    pub(super) fn next_group(&mut self) -> Vec<u8> {
        let mut wire = Vec::new();
        while let Some(command) = self.unsent.front() {
            let waits = !self.pipelining || (*command == Command::Data && self.data_waits);
            if waits && !self.unanswered.is_empty() {
                break;
            }
            wire.extend_from_slice(format!("{command}\r\n").as_bytes());
            self.unanswered.extend(self.unsent.pop_front());
        }
        wire
    }

    /// Takes the command that `reply` is the answer to.
    pub(super) fn answered(&mut self, reply: &Reply) -> Option<Command> {
        let command = self.unanswered.pop_front();
        self.has_accepted |= matches!(command, Some(Command::Rcpt { .. })) && reply.is_positive();
        command
    }

    /// How many answers are due.
    pub(super) fn unanswered(&self) -> usize {
        self.unanswered.len()
    }

    /// Whether the server would deliver a message to somebody.
    pub(super) const fn has_accepted(&self) -> bool {
        self.has_accepted
    }

    /// Whether every recipient has had its answer.
    pub(super) fn recipients_are_answered(&self) -> bool {
        self.unanswered.iter().chain(&self.unsent).all(|command| *command == Command::Data)
    }

    /// What is to be answered next.
    pub(super) fn step(&self) -> Step {
        match self.unanswered.front() {
            Some(Command::Mail { .. }) => Step::Mail,
            Some(Command::Rcpt { .. }) => Step::Rcpt,
            _ => Step::Data,
        }
    }
}
