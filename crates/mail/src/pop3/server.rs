//! The server's end of a POP3 session (RFC 1939): states, marks and listings are kept here; who may log in, and what
//! the messages are, is a [`Service`]'s to say. A service can also have things go wrong ([`Reaction`]).
//!
//! Commands may come together (RFC 2449 §6.6). They are obeyed one after the other, and none while more than a portion
//! waits to be sent.
//!
//! Memory: what came and is not obeyed, with a bound, the numbers of the messages, and two portions of what is being sent.
//!
//! Deliberately not here: what a service has to do (`service`); listings (`maildrop`); accounts, locks and storage; the
//! words of SASL ([`crate::sasl`]).

mod maildrop;
mod service;

pub use service::{Content, Mail, Proof, Reaction, Service};

use super::apop;
use super::capability::Capabilities;
use super::command::Command;
use super::response::Response;
use super::top::TopCut;
use crate::dot::DotStuffer;
use crate::limits::{AUTOLOGOUT, CHUNK_OCTETS, COMMAND_LINE_OCTETS_MAX, SERVER_HELD_OCTETS_MAX};
use crate::line::{Line, LineReader};
use crate::machine::{Input, Instant, Machine, Output};
use crate::policy::Link;
use crate::sasl::Mechanism;
use crate::sasl::server::{Exchange, Ground, Step};
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maildrop::{Column, Maildrop, refusal};
use std::collections::VecDeque;
use std::convert::Infallible;

/// A session. See the module.
pub struct Server<S: Service> {
    service: S,
    state: State,
    timestamp: Option<String>,
    link: Link,
    /// The response being sent, if it is of more than a line.
    sending: Option<Sending<S::Content>>,
    /// Octets handed to the link since it last had no more to send.
    unsent: usize,
    /// What arrived while the link has enough to send.
    pipelined: Vec<u8>,
    lines: LineReader,
    /// When something last arrived or was sent.
    progress: Instant,
    outputs: VecDeque<Output<Infallible>>,
}

enum State {
    Unopened,
    /// RFC 1939 §4; with the name that USER gave.
    Authorization {
        name: Option<Vec<u8>>,
    },
    /// A response of SASL's comes; no longer command than one.
    Response(Exchange),
    /// That the client has read why its claim is refused; the refusal itself follows.
    Refused(Reaction),
    Handshake,
    /// RFC 1939 §5.
    Transaction(Maildrop),
    /// After [`Reaction::Silence`].
    Mute,
    Ended,
}

enum Sending<C> {
    Text {
        content: C,
        stuffer: DotStuffer,
        cut: Option<TopCut>,
    },
    /// A listing, from the message at this index (0 for number 1).
    Listing {
        column: Column,
        at: usize,
    },
}

impl<S: Service> Server<S> {
    /// A session on a link that is not open yet.
    pub const fn new(service: S) -> Self {
        Self {
            service,
            state: State::Unopened,
            timestamp: None,
            link: Link::Clear,
            sending: None,
            unsent: 0,
            pipelined: Vec::new(),
            lines: LineReader::new(COMMAND_LINE_OCTETS_MAX),
            progress: Instant::POWER_ON,
            outputs: VecDeque::new(),
        }
    }

    /// What is being served.
    pub const fn service(&self) -> &S {
        &self.service
    }

    fn greet(&mut self) {
        self.state = State::Authorization { name: None };
        match self.service.greeting() {
            Ok(text) => {
                self.timestamp = apop::timestamp(&text).map(str::to_owned);
                self.respond(text);
            }
            Err(reaction) => {
                let is_refusal = matches!(reaction, Reaction::Refuse(_));
                self.react(reaction);
                if is_refusal {
                    self.end();
                }
            }
        }
    }

    /// Takes octets from the client.
    fn receive(&mut self, octets: &[u8]) {
        match self.state {
            State::Mute => {}
            // In clear, where TLS was to begin (CVE-2011-0411).
            State::Handshake => self.end(),
            _ if self.has_enough_to_send() => {
                self.pipelined.extend_from_slice(octets);
                self.bound_pipelined();
            }
            _ => {
                self.lines.push(octets);
                self.read_commands();
            }
        }
    }

    fn read_commands(&mut self) {
        loop {
            match self.state {
                State::Ended | State::Mute => return self.lines.clear(),
                State::Handshake if !self.lines.is_empty() => return self.end(),
                _ if self.has_enough_to_send() => {
                    self.pipelined = self.lines.take_rest();
                    return self.bound_pipelined();
                }
                _ => {}
            }
            let line = match self.lines.next_line() {
                None => return,
                // It may be a password.
                Some(Line::Whole(line)) => Ok(Secret::new(line)),
                Some(Line::TooLong) => Err(refusal("line too long")),
            };
            let obeyed = match self.take_exchange() {
                Some(State::Response(exchange)) => line.and_then(|line| self.read_response(exchange, &line)),
                Some(State::Refused(refusal)) => Err(refusal),
                _ => line.and_then(|line| match Command::parse(line.reveal()) {
                    Ok(command) => self.obey(command),
                    Err(bad) => Err(Reaction::Refuse(bad.to_string())),
                }),
            };
            if let Err(reaction) = obeyed {
                self.react(reaction);
            }
        }
    }

    const fn has_enough_to_send(&self) -> bool {
        self.sending.is_some() || self.unsent >= CHUNK_OCTETS
    }

    fn bound_pipelined(&mut self) {
        if self.pipelined.len() > SERVER_HELD_OCTETS_MAX {
            self.end();
        }
    }

    fn obey(&mut self, command: Command) -> Result<(), Reaction> {
        self.service.before(&command)?;
        let capabilities = self.capabilities();
        match (command, &mut self.state) {
            (Command::Capa, _) => self.list_capabilities(),
            (Command::Quit, State::Authorization { .. }) => {
                self.respond("bye");
                self.end();
            }
            (Command::Stls, State::Authorization { .. }) if capabilities.stls => {
                self.respond("begin TLS");
                self.outputs.push_back(Output::StartTls);
                self.state = State::Handshake;
            }
            (Command::User(user), State::Authorization { name }) => {
                *name = Some(user);
                self.respond("and the password?");
            }
            (Command::Pass(password), State::Authorization { name }) => {
                // A refused name must be given again.
                let name = name.take().ok_or_else(|| refusal("USER first"))?;
                let mails = self.service.log_in(&name, Proof::Password(&password))?;
                self.welcome(mails);
            }
            (Command::Apop { name, digest }, State::Authorization { .. }) => {
                let timestamp = self.timestamp.as_deref().ok_or_else(|| refusal("no APOP here"))?;
                let mails = self.service.log_in(&name, Proof::Digest { timestamp, digest: &digest })?;
                self.welcome(mails);
            }
            (Command::Auth { mechanism, initial }, State::Authorization { .. }) => {
                self.begin_exchange(&mechanism, initial)?;
            }
            (Command::Noop, State::Transaction(_)) => self.respond(""),
            (Command::Stat, State::Transaction(maildrop)) => {
                let (count, octets) = maildrop.total();
                self.respond(format!("{count} {octets}"));
            }
            (Command::List(id), State::Transaction(_)) => self.list(Column::Octets, id)?,
            (Command::Uidl(id), State::Transaction(_)) if capabilities.uidl => {
                self.list(Column::Unique, id)?;
            }
            (Command::Retr(id), State::Transaction(maildrop)) => {
                maildrop.unmarked(id)?;
                self.send_text(id, None)?;
            }
            (Command::Top { id, lines }, State::Transaction(maildrop)) if capabilities.top => {
                maildrop.unmarked(id)?;
                self.send_text(id, Some(TopCut::new(lines)))?;
            }
            (Command::Dele(id), State::Transaction(maildrop)) => {
                maildrop.unmarked(id)?.1 = true;
                self.respond("marked");
            }
            (Command::Rset, State::Transaction(maildrop)) => {
                maildrop.unmark();
                self.respond("no marks");
            }
            (Command::Quit, State::Transaction(maildrop)) => {
                match self.service.commit(&maildrop.marked()) {
                    Ok(()) => self.respond("bye"),
                    Err(reaction) => self.react(reaction),
                }
                if !matches!(self.state, State::Mute | State::Ended) {
                    self.end();
                }
            }
            _ => return Err(refusal("not here, or not now")),
        }
        Ok(())
    }

    /// Takes the exchange that is under way, if one is; the next log-in may come after it.
    fn take_exchange(&mut self) -> Option<State> {
        let is_one = matches!(self.state, State::Response(_) | State::Refused(_));
        is_one.then(|| std::mem::replace(&mut self.state, State::Authorization { name: None }))
    }

    fn begin_exchange(&mut self, mechanism: &str, initial: Option<Secret>) -> Result<(), Reaction> {
        let offered = self.capabilities().sasl.unwrap_or_default();
        let is_offered = offered.split_ascii_whitespace().any(|name| name == mechanism);
        let mechanism = Mechanism::named(mechanism).filter(|_| is_offered);
        let mechanism = mechanism.ok_or_else(|| refusal("mechanism not offered"))?;
        let step = self.in_exchange(|ground| Exchange::begin(mechanism, initial, ground));
        self.step(step)
    }

    /// Takes a line of an exchange (RFC 5034 §4).
    fn read_response(&mut self, exchange: Exchange, line: &Secret) -> Result<(), Reaction> {
        let response = match line.reveal() {
            b"*" => return Err(refusal("cancelled")),
            line => STANDARD.decode(line).map_err(|_| refusal("not base64"))?,
        };
        let step = self.in_exchange(|ground| exchange.respond(&Secret::new(response), ground));
        self.step(step)
    }

    fn in_exchange(&mut self, said: impl FnOnce(&mut Ground<'_>) -> Step) -> Step {
        let offered = self.capabilities().sasl.unwrap_or_default();
        let binds = offered.split_ascii_whitespace().filter_map(Mechanism::named).any(Mechanism::binds);
        let binding = self.link.binding().filter(|_| binds);
        let challenge = self.service.challenge();
        let password_of = &mut |user: &str| self.service.password_of(user);
        said(&mut Ground { challenge: &challenge, binding, password_of })
    }

    fn step(&mut self, step: Step) -> Result<(), Reaction> {
        match step {
            Step::Challenge(challenge, exchange) => {
                self.challenge(challenge.reveal());
                self.state = State::Response(exchange);
                Ok(())
            }
            Step::Done(claim) => {
                match (self.service.log_in(claim.user().as_bytes(), Proof::Sasl(&claim)), claim.report()) {
                    (Ok(mails), _) => self.welcome(mails),
                    (Err(refusal @ Reaction::Refuse(_)), Some(report)) => {
                        self.challenge(report.as_bytes());
                        self.state = State::Refused(refusal);
                    }
                    (Err(reaction), _) => return Err(reaction),
                }
                Ok(())
            }
            Step::Malformed => Err(refusal("not a response of this mechanism")),
        }
    }

    fn challenge(&mut self, challenge: &[u8]) {
        self.transmit(format!("+ {}\r\n", STANDARD.encode(challenge)).into_bytes());
    }

    fn capabilities(&self) -> Capabilities {
        let all = self.service.capabilities();
        let can_bind = self.link.binding().is_some();
        let is_offered = |name: &&str| can_bind || !Mechanism::named(name).is_some_and(Mechanism::binds);
        let sasl = all
            .sasl
            .map(|names| names.split_ascii_whitespace().filter(is_offered).collect::<Vec<_>>().join(" "));
        Capabilities { stls: all.stls && !self.link.is_secured(), sasl, ..all }
    }

    fn list_capabilities(&mut self) {
        let mut lines = Response::positive("this can be done").to_octets();
        for keyword in self.capabilities().keywords() {
            lines.extend_from_slice(format!("{keyword}\r\n").as_bytes());
        }
        lines.extend_from_slice(b".\r\n");
        self.transmit(lines);
    }

    fn welcome(&mut self, mails: Vec<Mail>) {
        let maildrop = Maildrop::of(mails);
        let (count, octets) = maildrop.total();
        self.state = State::Transaction(maildrop);
        self.respond(format!("{count} messages, {octets} octets"));
    }

    fn list(&mut self, column: Column, id: Option<u32>) -> Result<(), Reaction> {
        let State::Transaction(maildrop) = &mut self.state else { return Ok(()) };
        if let Some(id) = id {
            let entry = column.entry(id, &maildrop.unmarked(id)?.0);
            self.respond(entry);
        } else {
            self.respond("one line each");
            self.sending = Some(Sending::Listing { column, at: 0 });
            self.send_more();
        }
        Ok(())
    }

    fn send_text(&mut self, id: u32, cut: Option<TopCut>) -> Result<(), Reaction> {
        let content = self.service.open(id)?;
        self.respond("here it is");
        self.sending = Some(Sending::Text { content, stuffer: DotStuffer::default(), cut });
        self.send_more();
        Ok(())
    }

    /// Sends the next portion of a response of many lines.
    fn send_more(&mut self) {
        let mut wire = Vec::new();
        let sent = match (self.sending.take(), &self.state) {
            (Some(Sending::Text { content, stuffer, cut }), _) => {
                send_text_portion(content, stuffer, cut, &mut wire)
            }
            (Some(Sending::Listing { column, at }), State::Transaction(maildrop)) => {
                Ok(maildrop.list_portion(column, at, &mut wire).map(|at| Sending::Listing { column, at }))
            }
            _ => return,
        };
        self.transmit(wire);
        match sent {
            Ok(sending) => self.sending = sending,
            Err(Reaction::Refuse(_)) => self.end(),
            Err(reaction) => self.react(reaction),
        }
    }

    fn react(&mut self, reaction: Reaction) {
        match reaction {
            Reaction::Refuse(text) => self.transmit(Response::negative(text).to_octets()),
            Reaction::Silence => self.state = State::Mute,
            Reaction::Cut => self.end(),
            Reaction::Garbage(octets) => self.transmit(octets),
        }
    }

    fn respond(&mut self, text: impl Into<String>) {
        self.transmit(Response::positive(text).to_octets());
    }

    fn transmit(&mut self, octets: Vec<u8>) {
        if !octets.is_empty() {
            self.unsent += octets.len();
            self.outputs.push_back(Output::Transmit(octets));
        }
    }

    fn end(&mut self) {
        self.outputs.push_back(Output::Close);
        self.end_closed();
    }

    fn end_closed(&mut self) {
        self.state = State::Ended;
        self.sending = None;
        self.pipelined = Vec::new();
        self.lines.clear();
    }
}

impl<S: Service> Machine for Server<S> {
    type Event = Infallible;

    fn handle(&mut self, input: Input<'_>, now: Instant) {
        match (&self.state, input) {
            (State::Ended, _) => {}
            (_, Input::Closed) => self.end_closed(),
            (State::Unopened, Input::Opened) => {
                self.progress = now;
                self.greet();
            }
            (State::Unopened, _) => {}
            // From the first octet, if it is not by STLS.
            (State::Handshake | State::Authorization { name: None }, Input::Secured(binding))
                if self.lines.is_empty() =>
            {
                self.progress = now;
                self.link = Link::Secured(binding);
                self.state = State::Authorization { name: None };
            }
            (_, Input::Received(octets)) if !octets.is_empty() => {
                self.progress = now;
                self.receive(octets);
            }
            (_, Input::Drained) => {
                self.unsent = 0;
                if self.sending.is_some() {
                    self.progress = now;
                    self.send_more();
                }
                if !self.has_enough_to_send() {
                    self.lines.push(&std::mem::take(&mut self.pipelined));
                    self.read_commands();
                }
            }
            // Without a word, and without a deletion (RFC 1939 §3).
            (_, Input::DeadlinePassed) if self.deadline().is_some_and(|deadline| now >= deadline) => {
                self.end();
            }
            _ => {}
        }
    }

    fn poll(&mut self) -> Option<Output<Infallible>> {
        self.outputs.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        (!matches!(self.state, State::Unopened | State::Ended)).then(|| self.progress + AUTOLOGOUT)
    }
}

/// Reads from `content` until `wire` holds a good portion. Returns what is left to send.
fn send_text_portion<C: Content>(
    mut content: C,
    mut stuffer: DotStuffer,
    mut cut: Option<TopCut>,
    wire: &mut Vec<u8>,
) -> Result<Option<Sending<C>>, Reaction> {
    while wire.len() < CHUNK_OCTETS {
        let portion = match content.read() {
            Ok(portion) => portion,
            Err(Reaction::Garbage(octets)) => {
                wire.extend_from_slice(&octets);
                break;
            }
            Err(reaction) => return Err(reaction),
        };
        stuffer.push(cut.as_mut().map_or(&portion, |cut| cut.push(&portion)), wire);
        if portion.is_empty() || cut.as_ref().is_some_and(TopCut::has_ended) {
            stuffer.finish(wire);
            return Ok(None);
        }
    }
    Ok(Some(Sending::Text { content, stuffer, cut }))
}
