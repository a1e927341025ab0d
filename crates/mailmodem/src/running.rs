//! A client on its link, until it is over: for whoever has one errand at a server, and not a modem.
//!
//! Not here: how the link comes about ([`crate::network`]), and what the client says (`mail`).

use crate::limits::RECEIVED_OCTETS_MAX;
use crate::link::{Event, Link, Stopwatch};
use crate::tls::Handshake;
use mail::machine::{Input, Instant, Machine, Output};
use modem::modem::Obstacle;
use std::io;
use std::pin::pin;

/// A client on its link.
pub struct Running<M> {
    machine: M,
    /// `None` when it is over.
    link: Option<Link>,
    /// What the client has ended, while its rest goes out.
    ended: Option<Link>,
    is_opened: bool,
    /// Whether it was asked for something, and wants something of the link then.
    is_asked: bool,
    /// What was agreed on before the client hears of its link.
    secured: Option<Handshake>,
    watch: Stopwatch,
    buffer: Vec<u8>,
}

/// What a client on its link tells.
#[derive(Debug)]
pub enum Told<E> {
    /// What the client says.
    Event(E),
    /// The link is secured.
    Secured(Handshake),
    /// It could not be, for this reason; the client hears that the link is gone.
    Obstructed(Obstacle),
    /// The link was lost, and that was no ordinary end.
    Lost(io::Error),
}

impl<M: Machine> Running<M> {
    /// A client that was made at a time of this watch, and has not heard of its link yet; with what was agreed on, if that
    /// is secured from its first octet.
    #[must_use]
    pub fn new(machine: M, link: Link, secured: Option<Handshake>, watch: Stopwatch) -> Self {
        let buffer = vec![0; RECEIVED_OCTETS_MAX];
        Self {
            machine,
            link: Some(link),
            ended: None,
            is_opened: false,
            is_asked: false,
            secured,
            watch,
            buffer,
        }
    }

    /// The client.
    #[must_use]
    pub const fn machine(&self) -> &M {
        &self.machine
    }

    /// Waits for the next thing to happen, and does what the client wants then. Gives what was told meanwhile; `None`
    /// when it is over. To drop this is to end the link.
    pub async fn step(&mut self) -> Option<Vec<Told<M::Event>>> {
        let link = self.link.as_mut()?;
        let mut told = Vec::new();
        if std::mem::take(&mut self.is_asked) {
            // What it wants is waited for already.
        } else if self.is_opened {
            let deadline = pin!(self.watch.reach(self.machine.deadline()));
            tokio::select! {
                event = link.next(&mut self.buffer) => match event {
                    Event::Received(octets) => {
                        let received = self.buffer.get(..octets).unwrap_or_default();
                        self.machine.handle(Input::Received(received), self.watch.now());
                    }
                    Event::Drained => self.machine.handle(Input::Drained, self.watch.now()),
                    Event::Closed(error) => {
                        told.extend(error.map(Told::Lost));
                        self.link = None;
                        self.machine.handle(Input::Closed, self.watch.now());
                    }
                },
                () = deadline => self.machine.handle(Input::DeadlinePassed, self.watch.now()),
            }
        } else {
            self.is_opened = true;
            self.machine.handle(Input::Opened, self.watch.now());
            if let Some(handshake) = self.secured.take() {
                self.machine.handle(Input::Secured(handshake.binding), self.watch.now());
                told.push(Told::Secured(handshake));
            }
        }
        self.carry_out(&mut told).await;
        Some(told)
    }

    /// Has the client do something of its own.
    ///
    /// # Errors
    /// The client's.
    pub fn ask<E>(&mut self, asking: impl FnOnce(&mut M, Instant) -> Result<(), E>) -> Result<(), E> {
        asking(&mut self.machine, self.watch.now())?;
        self.is_asked = true;
        Ok(())
    }

    /// Does what the client wants.
    async fn carry_out(&mut self, told: &mut Vec<Told<M::Event>>) {
        while let Some(output) = self.machine.poll() {
            match output {
                Output::Transmit(octets) => {
                    if let Some(link) = &mut self.link {
                        link.transmit(octets);
                    }
                }
                Output::StartTls => self.secure(told).await,
                Output::Close => self.ended = self.link.take(),
                Output::Abort => drop(self.link.take().map(Link::abort)),
                Output::Event(event) => told.push(Told::Event(event)),
            }
        }
    }

    async fn secure(&mut self, told: &mut Vec<Told<M::Event>>) {
        let Some(link) = self.link.take() else { return };
        let deadline = pin!(self.watch.reach(self.machine.deadline()));
        tokio::select! {
            secured = link.secure() => match secured {
                Ok((link, handshake)) => {
                    self.link = Some(link);
                    self.machine.handle(Input::Secured(handshake.binding), self.watch.now());
                    told.push(Told::Secured(handshake));
                }
                Err(obstacle) => {
                    told.push(Told::Obstructed(obstacle));
                    self.machine.handle(Input::Closed, self.watch.now());
                }
            },
            () = deadline => self.machine.handle(Input::DeadlinePassed, self.watch.now()),
        }
    }

    /// Lets the rest of an ended link go out.
    pub async fn leave(self) {
        if let Some(ended) = self.ended {
            ended.close().await;
        }
    }
}
