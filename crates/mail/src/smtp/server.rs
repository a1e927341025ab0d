//! The server's end of an SMTP link (RFC 5321): which command may come when, and what a bad one is answered. What a
//! good one is answered is decided by a [`Service`], which may also misbehave on purpose.
//!
//! Not here: mailboxes, users, and names that mean trouble; all that is the service's. Nor a clock: a late answer is a
//! deadline.

use super::command::{BadCommand, Command, Path};
use super::reply::Reply;
use crate::dot::DotReader;
use crate::limits::{COMMAND_LINE_OCTETS_MAX, RECIPIENTS_MAX, SERVER_HELD_OCTETS_MAX, SERVER_IDLE_MAX};
use crate::line::{Line, LineReader};
use crate::machine::{Input, Instant, Machine, Output};
use crate::policy::Link;
use crate::sasl::Mechanism;
use crate::sasl::server::{Claim, Exchange, Ground, Step};
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::time::Duration;

/// What a [`Service`] does about a command. A reply below 400 accepts it, every other reaction does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Answers. A 421 also ends the link, as it says (RFC 5321 §3.8).
    Reply(Reply),
    /// Answers after this time; what the client sends meanwhile waits.
    Later(Duration, Reply),
    /// Never answers again, and reads no more.
    Silence,
    /// Ends the link without a word.
    Cut,
    /// Sends these octets for an answer.
    Garbage(Vec<u8>),
}

impl Reaction {
    /// An answer of one line.
    #[must_use]
    pub fn reply(code: u16, text: impl Into<String>) -> Self {
        Self::Reply(Reply::new(code, text))
    }
}

/// Who decides. The server has seen to it that each call comes when it may, and that its arguments are sound.
pub trait Service {
    /// The link stands. Not accepted: nothing but QUIT works on it (RFC 5321 §3.1).
    fn greeting(&mut self) -> Reaction;

    /// A client proves who it is (RFC 4954); the accepting reply is a 235.
    fn authenticate(&mut self, claim: &Claim) -> Reaction;

    /// The password of a user. SCRAM needs it before a claim is made; without it, the claim is that nothing is proven.
    fn password_of(&mut self, _user: &str) -> Option<Secret> {
        None
    }

    /// A transaction begins; `authenticated` tells of an accepted AUTH on this link.
    fn mail(&mut self, reverse_path: &Path, authenticated: bool) -> Reaction;

    /// One more recipient for it.
    fn recipient(&mut self, forward_path: &Path) -> Reaction;

    /// The text may come: a 354 accepts, and [`Self::text`] follows. At least one recipient was accepted.
    fn data(&mut self) -> Reaction;

    /// A portion of the text, as the author wrote it (the dots are out). After a `Break` no more of it is given, and
    /// its reaction stands in for [`Self::text_end`]'s; `Silence` and `Cut` do not wait for the text's end.
    fn text(&mut self, octets: &[u8]) -> ControlFlow<Reaction>;

    /// The text is whole: with an accepting reply the service answers for the message (RFC 5321 §6.1).
    fn text_end(&mut self) -> Reaction;

    /// Whatever transaction there was is over, not necessarily well. Also called when there was none.
    fn reset(&mut self);
}

/// What a server says of itself, and its bounds. Besides, it always offers PIPELINING, SMTPUTF8 and
/// ENHANCEDSTATUSCODES.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its host name, printable ASCII; the first word of its answer to EHLO.
    pub name: String,
    /// Longest message it takes, offered as SIZE (RFC 1870).
    pub message_octets_max: u64,
    /// Most recipients of one message; RFC 5321 §4.5.3.1.8 wants no fewer than 100.
    pub recipients_max: usize,
    /// Whether 8BITMIME is offered (RFC 6152). Who hands messages on to servers that may lack it does not.
    pub eight_bit_mime: bool,
    /// What AUTH offers; none: no AUTH. What binds is left out where the link has nothing to bind to.
    pub mechanisms: Vec<Mechanism>,
    /// Whether STARTTLS is offered, until it was used.
    pub start_tls: bool,
    /// What CRAM-MD5 asks with, and SCRAM adds as its nonce: a text like `<1896.697170952@host>`, another one on each
    /// link (RFC 2195 §2).
    pub challenge: String,
}

impl Settings {
    /// A server called `name` with a given bound for messages, that offers the mechanisms of its time and no STARTTLS.
    #[must_use]
    pub fn new(name: impl Into<String>, message_octets_max: u64, challenge: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            message_octets_max,
            recipients_max: RECIPIENTS_MAX,
            eight_bit_mime: true,
            mechanisms: vec![Mechanism::Plain, Mechanism::Login, Mechanism::CramMd5],
            start_tls: false,
            challenge: challenge.into(),
        }
    }
}

/// The server on one link.
pub struct Server<S> {
    service: S,
    settings: Settings,
    phase: Phase,
    /// Whether the greeting invited the client.
    is_open: bool,
    /// Whether the client said EHLO or HELO.
    is_greeted: bool,
    link: Link,
    is_authenticated: bool,
    /// `None` before MAIL was accepted.
    transaction: Option<Transaction>,
    received: LineReader,
    /// An answer that is due at its time; until then nothing more is read.
    later: Option<(Instant, Reply)>,
    outputs: VecDeque<Output<Infallible>>,
    idle_at: Option<Instant>,
}

/// What the next octets are.
#[derive(Debug)]
enum Phase {
    /// Nothing: the link does not stand yet.
    Unopened,
    Commands,
    /// A response in an authentication.
    Response(Exchange),
    /// That the client has read why its claim is refused; the refusal itself follows.
    Refused(Reaction),
    Text(Text),
    /// Nothing that was sent in clear counts any more.
    Handshake,
    /// Of no interest.
    Silent,
    Ended,
}

#[derive(Debug, Default)]
struct Text {
    reader: DotReader,
    octets: u64,
    /// What its end will be answered, when the text is no longer wanted.
    verdict: Option<Reaction>,
}

#[derive(Debug)]
struct Transaction {
    /// Whether MAIL declared SMTPUTF8.
    utf8: bool,
    /// How many were accepted.
    recipients: usize,
}

impl<S: Service> Machine for Server<S> {
    type Event = Infallible;

    fn handle(&mut self, input: Input<'_>, now: Instant) {
        match (input, &self.phase) {
            (_, Phase::Ended) => {}
            (Input::Closed, _) => {
                self.forget();
                self.outputs.clear();
            }
            (Input::Opened, Phase::Unopened) => {
                self.phase = Phase::Commands;
                self.idle_at = Some(now + SERVER_IDLE_MAX);
                let greeting = self.service.greeting();
                self.is_open = self.react(greeting, now);
            }
            (Input::Secured(binding), Phase::Handshake) => {
                // Nothing learnt in clear is kept (RFC 3207 §4.2).
                self.is_greeted = false;
                self.is_authenticated = false;
                self.link = Link::Secured(binding);
                self.phase = Phase::Commands;
                self.idle_at = Some(now + SERVER_IDLE_MAX);
            }
            // From the first octet.
            (Input::Secured(binding), Phase::Commands) if !self.is_greeted && self.received.is_empty() => {
                self.link = Link::Secured(binding);
            }
            (
                Input::Received(octets),
                Phase::Commands | Phase::Response(_) | Phase::Refused(_) | Phase::Text(_),
            ) => {
                self.idle_at = Some(now + SERVER_IDLE_MAX);
                self.received.push(octets);
                self.read(now);
            }
            (Input::DeadlinePassed, _) if self.deadline().is_some_and(|deadline| now >= deadline) => {
                self.deadline_passed(now);
            }
            _ => {}
        }
    }

    fn poll(&mut self) -> Option<Output<Infallible>> {
        self.outputs.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        self.later.as_ref().map(|(at, _)| *at).or(self.idle_at)
    }
}

impl<S: Service> Server<S> {
    /// The server of a link that does not stand yet.
    #[must_use]
    pub const fn new(service: S, settings: Settings) -> Self {
        Self {
            service,
            settings,
            phase: Phase::Unopened,
            is_open: false,
            is_greeted: false,
            link: Link::Clear,
            is_authenticated: false,
            transaction: None,
            received: LineReader::new(COMMAND_LINE_OCTETS_MAX),
            later: None,
            outputs: VecDeque::new(),
            idle_at: None,
        }
    }

    /// Reads what was received, in its order (RFC 2920 §3.2), as far as it goes without waiting.
    fn read(&mut self, now: Instant) {
        while self.later.is_none() {
            match self.phase {
                Phase::Text(_) => {
                    let octets = self.received.take_rest();
                    if octets.is_empty() {
                        return;
                    }
                    self.read_text(&octets, now);
                }
                Phase::Commands | Phase::Response(_) | Phase::Refused(_) => {
                    let line = match self.received.next_line() {
                        None => return,
                        // It may be a password.
                        Some(Line::Whole(line)) => Some(Secret::new(line)),
                        Some(Line::TooLong) => None,
                    };
                    match std::mem::replace(&mut self.phase, Phase::Commands) {
                        Phase::Response(exchange) => self.read_response(exchange, line.as_ref(), now),
                        Phase::Refused(refusal) => {
                            self.react(refusal, now);
                        }
                        _ => self.read_command(line.as_ref(), now),
                    }
                }
                Phase::Unopened | Phase::Handshake | Phase::Silent | Phase::Ended => return,
            }
        }
        if self.received.held_octets() > SERVER_HELD_OCTETS_MAX {
            self.end();
        }
    }

    /// Takes a command's line; `None` for one that was too long.
    fn read_command(&mut self, line: Option<&Secret>, now: Instant) {
        let Some(line) = line else { return self.answer(500, "5.5.2 Line too long") };
        match Command::parse(line.reveal()) {
            Ok(command) => self.obey(command, now),
            Err(BadCommand::Unknown) => self.answer(500, "5.5.1 Command unrecognized"),
            Err(BadCommand::Syntax) => self.answer(501, "5.5.4 Syntax error in parameters"),
            Err(BadCommand::Address(why)) => self.answer(501, format!("5.1.0 {why}")),
            Err(BadCommand::Parameter) => self.answer(555, "5.5.4 Parameter not recognized"),
            Err(BadCommand::Base64) => self.answer(501, "5.5.2 Not base64"),
        }
    }

    fn obey(&mut self, command: Command, now: Instant) {
        match command {
            Command::Quit => {
                self.answer(221, format!("2.0.0 {} closes the channel", self.settings.name));
                self.end();
            }
            _ if !self.is_open => self.answer(503, "5.5.1 No service here"),
            Command::Ehlo(_) => self.hello(true),
            Command::Helo(_) => self.hello(false),
            Command::Noop => self.answer(250, "2.0.0 OK"),
            Command::Help => self.answer(214, "2.0.0 See RFC 5321"),
            Command::Vrfy(_) => self.answer(252, "2.5.0 Cannot tell, but will take mail for it"),
            Command::Rset => {
                self.drop_transaction();
                self.answer(250, "2.0.0 OK");
            }
            Command::StartTls => self.start_tls(),
            _ if !self.is_greeted => self.answer(503, "5.5.1 EHLO first"),
            Command::Auth { mechanism, initial } => self.auth(&mechanism, initial, now),
            Command::Mail { reverse_path, size, utf8, .. } => self.mail(&reverse_path, size, utf8, now),
            Command::Rcpt { forward_path } => self.recipient(&forward_path, now),
            Command::Data => self.data(now),
        }
    }

    fn hello(&mut self, extended: bool) {
        // EHLO in a transaction drops it like RSET (RFC 5321 §4.1.4).
        self.drop_transaction();
        self.is_greeted = true;
        let mut reply = Reply::new(250, self.settings.name.clone());
        if extended {
            reply.lines.push(format!("SIZE {}", self.settings.message_octets_max));
            let eight_bit_mime = self.settings.eight_bit_mime.then_some("8BITMIME");
            let offered = ["PIPELINING"].into_iter().chain(eight_bit_mime);
            reply.lines.extend(offered.chain(["SMTPUTF8", "ENHANCEDSTATUSCODES"]).map(String::from));
            let names: Vec<_> = self.mechanisms().map(Mechanism::name).collect();
            if !names.is_empty() {
                reply.lines.push(format!("AUTH {}", names.join(" ")));
            }
            if self.offers_tls() {
                reply.lines.push("STARTTLS".to_owned());
            }
        }
        self.send(&reply);
    }

    /// What is offered on this link.
    fn mechanisms(&self) -> impl Iterator<Item = Mechanism> {
        let can_bind = self.link.binding().is_some();
        self.settings.mechanisms.iter().copied().filter(move |mechanism| can_bind || !mechanism.binds())
    }

    const fn offers_tls(&self) -> bool {
        self.settings.start_tls && !self.link.is_secured()
    }

    fn start_tls(&mut self) {
        if !self.offers_tls() {
            return self.answer(if self.link.is_secured() { 503 } else { 502 }, "5.5.1 No TLS to start");
        }
        self.answer(220, "2.0.0 Ready to start TLS");
        self.outputs.push_back(Output::StartTls);
        self.drop_transaction();
        // Commands behind STARTTLS were put there by who knows whom.
        self.received.clear();
        self.phase = Phase::Handshake;
    }

    fn auth(&mut self, mechanism: &str, initial: Option<Secret>, now: Instant) {
        if self.settings.mechanisms.is_empty() {
            return self.answer(502, "5.5.1 No AUTH here");
        }
        if self.is_authenticated || self.transaction.is_some() {
            return self.answer(503, "5.5.1 Not now");
        }
        let offered = self.mechanisms().find(|offered| offered.name() == mechanism);
        match offered {
            None => self.answer(504, "5.5.4 Mechanism not offered"),
            Some(offered) => {
                let step = self.in_exchange(|ground| Exchange::begin(offered, initial, ground));
                self.step(step, now);
            }
        }
    }

    fn in_exchange(&mut self, said: impl FnOnce(&mut Ground<'_>) -> Step) -> Step {
        let binding = self.mechanisms().any(Mechanism::binds).then(|| self.link.binding()).flatten();
        let Self { service, settings, .. } = self;
        let password_of = &mut |user: &str| service.password_of(user);
        said(&mut Ground { challenge: &settings.challenge, binding, password_of })
    }

    /// Takes a line of an authentication (RFC 4954 §4); `None` for one that was too long.
    fn read_response(&mut self, exchange: Exchange, line: Option<&Secret>, now: Instant) {
        match line.map(Secret::reveal) {
            None => self.answer(500, "5.5.6 Line too long"),
            Some(b"*") => self.answer(501, "5.7.0 Authentication cancelled"),
            Some(line) => match STANDARD.decode(line) {
                Ok(response) => {
                    let step = self.in_exchange(|ground| exchange.respond(&Secret::new(response), ground));
                    self.step(step, now);
                }
                Err(_) => self.answer(501, "5.5.2 Not base64"),
            },
        }
    }

    fn step(&mut self, step: Step, now: Instant) {
        match step {
            Step::Challenge(challenge, exchange) => {
                self.answer(334, STANDARD.encode(challenge.reveal()));
                self.phase = Phase::Response(exchange);
            }
            Step::Done(claim) => {
                let reaction = self.service.authenticate(&claim);
                match (claim.report(), &reaction) {
                    (Some(report), Reaction::Reply(reply)) if reply.code >= 400 => {
                        self.answer(334, STANDARD.encode(report));
                        self.phase = Phase::Refused(reaction);
                    }
                    _ => self.is_authenticated = self.react(reaction, now),
                }
            }
            Step::Malformed => self.answer(501, "5.5.2 Not a response of this mechanism"),
        }
    }

    fn mail(&mut self, reverse_path: &Path, size: Option<u64>, utf8: bool, now: Instant) {
        if self.transaction.is_some() {
            return self.answer(503, "5.5.1 One MAIL at a time");
        }
        if size > Some(self.settings.message_octets_max) {
            return self.send(&too_large());
        }
        if !utf8 && !reverse_path.is_ascii() {
            return self.answer(553, "5.6.7 Address needs SMTPUTF8");
        }
        let reaction = self.service.mail(reverse_path, self.is_authenticated);
        if self.react(reaction, now) {
            self.transaction = Some(Transaction { utf8, recipients: 0 });
        }
    }

    fn recipient(&mut self, forward_path: &Path, now: Instant) {
        match &self.transaction {
            None => self.answer(503, "5.5.1 MAIL first"),
            Some(transaction) if transaction.recipients >= self.settings.recipients_max => {
                self.answer(452, "4.5.3 Too many recipients");
            }
            Some(transaction) if !transaction.utf8 && !forward_path.is_ascii() => {
                self.answer(553, "5.6.7 Address needs SMTPUTF8");
            }
            Some(_) => {
                let reaction = self.service.recipient(forward_path);
                if self.react(reaction, now)
                    && let Some(transaction) = &mut self.transaction
                {
                    transaction.recipients += 1;
                }
            }
        }
    }

    fn data(&mut self, now: Instant) {
        match &self.transaction {
            None => self.answer(503, "5.5.1 MAIL first"),
            // Usual after pipelined RCPTs that were all refused (RFC 2920 §3.1).
            Some(Transaction { recipients: 0, .. }) => self.answer(554, "5.5.1 No valid recipients"),
            Some(_) => {
                let reaction = self.service.data();
                if self.react(reaction, now) {
                    self.phase = Phase::Text(Text::default());
                }
            }
        }
    }

    /// Takes octets of the text; those behind its end go back to what was received.
    fn read_text(&mut self, octets: &[u8], now: Instant) {
        let Phase::Text(Text { reader, octets: count, verdict }) = &mut self.phase else { return };
        let (service, octets_max) = (&mut self.service, self.settings.message_octets_max);
        let end = reader.push(octets, |portion| {
            *count = count.saturating_add(portion.len() as u64);
            if verdict.is_none() {
                *verdict = if *count > octets_max {
                    service.reset();
                    Some(Reaction::Reply(too_large()))
                } else {
                    service.text(portion).break_value()
                };
            }
        });
        if end.is_none() && !matches!(verdict, Some(Reaction::Cut | Reaction::Silence)) {
            return;
        }
        let reaction = verdict.take().unwrap_or_else(|| service.text_end());
        self.received.push(octets.get(end.unwrap_or(octets.len())..).unwrap_or_default());
        self.phase = Phase::Commands;
        self.react(reaction, now);
        self.drop_transaction();
    }

    fn deadline_passed(&mut self, now: Instant) {
        if let Some((_, reply)) = self.later.take() {
            self.idle_at = Some(now + SERVER_IDLE_MAX);
            self.deliver(&reply);
            self.read(now);
            return;
        }
        if !matches!(self.phase, Phase::Silent | Phase::Handshake) {
            self.answer(421, "4.4.2 Nothing heard for too long");
        }
        self.end();
    }

    /// Does what the service decided. Returns whether the command was accepted.
    fn react(&mut self, reaction: Reaction, now: Instant) -> bool {
        match reaction {
            Reaction::Reply(reply) => {
                self.deliver(&reply);
                reply.code < 400
            }
            Reaction::Later(wait, reply) => {
                let is_accepted = reply.code < 400;
                self.later = Some((now + wait, reply));
                is_accepted
            }
            Reaction::Silence => {
                self.received.clear();
                self.drop_transaction();
                self.phase = Phase::Silent;
                false
            }
            Reaction::Cut => {
                self.end();
                false
            }
            Reaction::Garbage(octets) => {
                self.transmit(octets);
                false
            }
        }
    }

    fn answer(&mut self, code: u16, text: impl Into<String>) {
        self.send(&Reply::new(code, text));
    }

    /// Sends a reply of the service's, which may be the last.
    fn deliver(&mut self, reply: &Reply) {
        self.send(reply);
        if reply.code == 421 {
            self.end();
        }
    }

    fn send(&mut self, reply: &Reply) {
        self.transmit(reply.to_octets());
    }

    fn transmit(&mut self, octets: Vec<u8>) {
        match self.outputs.back_mut() {
            Some(Output::Transmit(before)) => before.extend_from_slice(&octets),
            _ => self.outputs.push_back(Output::Transmit(octets)),
        }
    }

    fn drop_transaction(&mut self) {
        self.transaction = None;
        self.service.reset();
    }

    fn end(&mut self) {
        self.forget();
        self.outputs.push_back(Output::Close);
    }

    /// The link is of no more interest.
    fn forget(&mut self) {
        self.drop_transaction();
        self.received.clear();
        self.later = None;
        self.idle_at = None;
        self.phase = Phase::Ended;
    }
}

fn too_large() -> Reply {
    Reply::new(552, "5.3.4 Message too large")
}
