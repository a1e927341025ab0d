//! A line hands a mail over, in words and in its own time.
//!
//! Not here: what is done with it ([`mailmodem::queue`]).

use super::laws::Mail;
use crate::chance::Chance;
use mail::machine::{Input, Instant, Machine, Output};
use std::collections::VecDeque;
use std::convert::Infallible;

/// A mail on its way into the queue.
pub(super) struct Arrival {
    pub(super) number: usize,
    server: Box<dyn Machine<Event = Infallible> + Send>,
    to_say: VecDeque<Vec<u8>>,
    is_opened: bool,
}

/// What the line hears.
pub(super) enum Heard {
    /// Nothing that matters.
    Nothing,
    /// It is not taken.
    Refused(String),
    /// It is, by this name.
    Accepted(String),
}

impl Arrival {
    pub(super) fn new(
        number: usize,
        server: Box<dyn Machine<Event = Infallible> + Send>,
        mail: &Mail,
        chance: &mut Chance,
    ) -> Self {
        let mut hello = String::from("EHLO panel\r\nMAIL FROM:<panel@server.com>\r\n");
        for recipient in &mail.recipients {
            hello += &format!("RCPT TO:<{}>\r\n", recipient.address);
        }
        let mut stuffed = Vec::new();
        for line in mail.text.split_inclusive(|octet| *octet == b'\n') {
            if line.starts_with(b".") {
                stuffed.push(b'.');
            }
            stuffed.extend_from_slice(line);
        }
        let portion = chance.count(1.max(stuffed.len() / 4), stuffed.len());
        let portions = stuffed.chunks(portion.max(1)).map(<[u8]>::to_vec);
        let to_say = [hello.into_bytes(), b"DATA\r\n".to_vec()].into_iter();
        let to_say = to_say.chain(portions).chain([b".\r\n".to_vec()]).collect();
        Self { number, server, to_say, is_opened: false }
    }

    /// The line says more, and hears what it is answered.
    pub(super) fn step(&mut self, now: Instant) -> Heard {
        if !self.is_opened {
            self.is_opened = true;
            self.server.handle(Input::Opened, now);
        }
        let Some(octets) = self.to_say.pop_front() else {
            return Heard::Refused("nobody answers".to_owned());
        };
        self.server.handle(Input::Received(&octets), now);
        let mut answers = Vec::new();
        while let Some(output) = self.server.poll() {
            if let Output::Transmit(octets) = output {
                answers.extend(octets);
            }
        }
        let answers = String::from_utf8_lossy(&answers).into_owned();
        if let Some(refusal) = answers.lines().find(|line| line.starts_with(['4', '5'])) {
            return Heard::Refused(refusal.to_owned());
        }
        match answers.split_once("Queued as ") {
            Some((_, id)) if self.to_say.is_empty() => Heard::Accepted(id.trim().to_owned()),
            _ => Heard::Nothing,
        }
    }
}
