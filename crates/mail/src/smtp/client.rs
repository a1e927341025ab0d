//! The client's end of SMTP: sends one message over one link, and says what became of it (RFC 5321).
//!
//! Two functions are the whole of it: [`Client::enter`] says the line of a state, [`Client::on_reply`] decides the next
//! state from the reply. Not here: the message, which comes from a [`Submission`] as the link drains, and the words a
//! modem has for an outcome.

use super::command::{Command, Path};
use super::extensions::Extensions;
use super::reply::{BadReply, Reply, ReplyReader, Severity};
use crate::dot::DotStuffer;
use crate::limits::{CHUNK_OCTETS, IDLE_MAX, QUIT_WAIT_MAX, REPLY_LINE_OCTETS_MAX};
use crate::line::{Line, LineReader};
use crate::machine::{Input, Instant, Machine, Output};
use crate::sasl::{Credentials, Exchange, Mechanism};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::VecDeque;

pub use super::failure::{Failure, Nonsense, Step};
pub use super::submission::{Prepared, Submission, Unreadable};

/// Whether the link is to be secured by STARTTLS (RFC 3207).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// No: it stays in clear, or was secured before the first octet.
    AsOpened,
    /// If the server offers it.
    WhenOffered,
    /// It must be; otherwise nothing is sent.
    Required,
}

/// What becomes of a message of which some recipients are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BadRecipient {
    /// It is sent to nobody: one refused recipient is its end.
    #[default]
    Fail,
    /// It goes to the others; each refused one is told by [`Event::Skipped`].
    Skip,
}

/// Everything needed to send one message.
pub struct Order {
    /// How the client calls itself: a domain or an address literal (RFC 5321 §4.1.4).
    pub hello_name: String,
    /// STARTTLS or not.
    pub security: Security,
    /// Used if there; a server that takes none of our mechanisms fails the send then.
    pub credentials: Option<Credentials>,
    /// The envelope's sender.
    pub sender: Path,
    /// The envelope's recipients, at least one, as they were given: one that cannot be a [`Path`] is refused here.
    pub recipients: Vec<String>,
    /// What a refused recipient means for the others.
    pub bad_recipient: BadRecipient,
    /// The message.
    pub message: Box<dyn Submission>,
}

/// What the client tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The server has greeted, and the session is open.
    Greeted,
    /// This recipient was refused; the message goes to the others.
    Skipped(Failure),
    /// The end: the message was accepted by the server, or was not. Comes once, last.
    Finished(Result<(), Failure>),
}

/// Sends one message. See the module's words.
pub struct Client {
    order: Order,
    state: State,
    lines: LineReader,
    replies: ReplyReader,
    extensions: Extensions,
    secured: bool,
    envelope: Envelope,
    /// Under [`BadRecipient::Skip`], the refused recipient not told yet: the last one is the outcome if none is left.
    skipped: Option<Failure>,
    outputs: VecDeque<Output<Event>>,
    deadline: Option<Instant>,
}

enum State {
    Opening,
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    Securing,
    Auth(Exchange, Mechanism),
    /// The exchange was cancelled; the reply to `*` is awaited.
    AuthCancelled(Mechanism),
    Envelope,
    /// A refused transaction whose pipelined DATA is still to be answered.
    EnvelopeRefused(Failure),
    Body(DotStuffer),
    /// The reply to the final dot is awaited.
    Final,
    /// The outcome stands; the reply to QUIT is awaited.
    Quit(Result<(), Failure>),
    Ended,
}

/// The commands of the transaction: MAIL, RCPT for each recipient, DATA. Replies come in their order.
#[derive(Default)]
struct Envelope {
    commands: Vec<(Step, Command)>,
    /// Which recipient an RCPT is for.
    addresses: Vec<String>,
    sent: usize,
    answered: usize,
    accepted: usize,
}

impl Client {
    /// A client whose link is being opened since `now`.
    #[must_use]
    pub fn new(order: Order, now: Instant) -> Self {
        Self {
            order,
            state: State::Opening,
            lines: LineReader::new(REPLY_LINE_OCTETS_MAX),
            replies: ReplyReader::default(),
            extensions: Extensions::default(),
            secured: false,
            envelope: Envelope::default(),
            skipped: None,
            outputs: VecDeque::new(),
            deadline: Some(now + IDLE_MAX),
        }
    }

    /// Whether the server offers authentication; known from its EHLO on.
    #[must_use]
    pub fn authentication_is_offered(&self) -> bool {
        self.extensions.authentication.is_some()
    }

    /// Goes into a state, and says its line.
    fn enter(&mut self, state: State, now: Instant) {
        self.deadline = Some(now + IDLE_MAX);
        match &state {
            State::Ehlo => self.say(&Command::Ehlo(self.order.hello_name.clone())),
            State::Helo => self.say(&Command::Helo(self.order.hello_name.clone())),
            State::StartTls => self.say(&Command::StartTls),
            State::Quit(_) => {
                self.say(&Command::Quit);
                self.deadline = Some(now + QUIT_WAIT_MAX);
            }
            State::Opening
            | State::Greeting
            | State::Securing
            | State::Auth(..)
            | State::AuthCancelled(_)
            | State::Envelope
            | State::EnvelopeRefused(_)
            | State::Body(_)
            | State::Final
            | State::Ended => {}
        }
        self.state = state;
    }

    /// Decides what follows a reply.
    fn on_reply(&mut self, reply: Reply, now: Instant) {
        let state = std::mem::replace(&mut self.state, State::Ended);
        let positive = reply.is_positive();
        match state {
            State::Greeting if reply.code == 220 => {
                self.outputs.push_back(Output::Event(Event::Greeted));
                self.enter(State::Ehlo, now);
            }
            State::Greeting => self.refused(Step::Greeting, reply, now),
            State::Ehlo if positive => {
                self.extensions = Extensions::from_reply(&reply);
                self.after_hello(now);
            }
            // RFC 5321 §4.1.4: a server from before extensions does not know EHLO. A 530 or 421 is about something else.
            State::Ehlo if reply.severity() == Severity::Permanent && reply.code != 530 => {
                self.enter(State::Helo, now);
            }
            State::Ehlo => self.refused(Step::Ehlo, reply, now),
            State::Helo if positive => self.after_hello(now),
            State::Helo => self.refused(Step::Helo, reply, now),
            State::StartTls if reply.code == 220 => {
                if self.lines.is_empty() {
                    self.lines.clear();
                    self.replies.clear();
                    self.outputs.push_back(Output::StartTls);
                    self.enter(State::Securing, now);
                } else {
                    self.abort(Failure::Malformed(Step::StartTls, Nonsense::Injected));
                }
            }
            State::StartTls if self.order.security == Security::WhenOffered => self.after_security(now),
            State::StartTls => self.refused(Step::StartTls, reply, now),
            State::Auth(exchange, mechanism) => self.on_auth_reply(exchange, mechanism, reply, now),
            State::AuthCancelled(mechanism) => self.finish(Err(Failure::BadChallenge(mechanism)), now),
            State::Envelope => self.on_envelope_reply(reply, now),
            State::EnvelopeRefused(failure) => self.on_refused_envelope_reply(failure, &reply, now),
            // The server gives its verdict before the end of the message: it will not take it.
            State::Body(_) => self.abort(Failure::Refused { step: Step::Message, reply }),
            State::Final if positive => self.finish(Ok(()), now),
            State::Final => self.refused(Step::FinalDot, reply, now),
            State::Quit(outcome) => self.end(outcome),
            State::Opening | State::Securing => {
                self.abort(Failure::Malformed(self.step(), Nonsense::TooEarly));
            }
            State::Ended => {}
        }
    }

    fn after_hello(&mut self, now: Instant) {
        match self.order.security {
            Security::Required | Security::WhenOffered if self.secured => self.after_security(now),
            Security::AsOpened => self.after_security(now),
            Security::Required | Security::WhenOffered if self.extensions.start_tls => {
                self.enter(State::StartTls, now);
            }
            Security::WhenOffered => self.after_security(now),
            Security::Required => self.finish(Err(Failure::TlsNotOffered), now),
        }
    }

    fn after_security(&mut self, now: Instant) {
        let Some(credentials) = self.order.credentials.clone() else {
            return self.begin_transaction(now);
        };
        // The strongest that is offered, and no other after it: a server, or somebody between, that fails a strong one
        // must not get the password by a weak one.
        let offered = self.extensions.authentication.as_deref().unwrap_or_default();
        let Some(mechanism) = offered.split_whitespace().filter_map(Mechanism::named).max() else {
            let offered = if offered.is_empty() { "none".to_owned() } else { offered.to_owned() };
            return self.finish(Err(Failure::NoMechanism(offered)), now);
        };
        let mut exchange = Exchange::new(mechanism, credentials);
        let initial = exchange.initial();
        self.say(&Command::Auth { mechanism: mechanism.name().to_owned(), initial });
        self.enter(State::Auth(exchange, mechanism), now);
    }

    /// RFC 4954 §4: 334 asks for more, 2yz is success.
    fn on_auth_reply(&mut self, mut exchange: Exchange, mechanism: Mechanism, reply: Reply, now: Instant) {
        match reply.code {
            235 => self.begin_transaction(now),
            334 => {
                let challenge = STANDARD.decode(reply.lines.first().map_or("", |line| line.trim())).ok();
                match challenge.and_then(|challenge| exchange.respond(&challenge)) {
                    Some(response) => {
                        let mut line = STANDARD.encode(response.reveal()).into_bytes();
                        line.extend_from_slice(b"\r\n");
                        self.outputs.push_back(Output::Transmit(line));
                        self.enter(State::Auth(exchange, mechanism), now);
                    }
                    None => {
                        self.outputs.push_back(Output::Transmit(b"*\r\n".to_vec()));
                        self.enter(State::AuthCancelled(mechanism), now);
                    }
                }
            }
            _ => self.refused(Step::Auth, reply, now),
        }
    }

    /// MAIL, a RCPT for each recipient, DATA: RFC 5321 §3.3.
    fn begin_transaction(&mut self, now: Instant) {
        let prepared = self.order.message.prepare(self.extensions.eight_bit_mime);
        if let Some(limit) = self.extensions.size_max.filter(|&limit| prepared.octets > limit) {
            return self.finish(Err(Failure::TooLarge { octets: prepared.octets, limit }), now);
        }
        let utf8_offered = self.extensions.smtp_utf8;
        if !self.order.sender.is_ascii() && !utf8_offered {
            return self.finish(Err(Failure::SenderNotCarried), now);
        }
        let mut utf8 = !self.order.sender.is_ascii();
        let mut recipients = Vec::new();
        for address in std::mem::take(&mut self.order.recipients) {
            match address.parse::<Path>().ok().filter(|path| path.is_ascii() || utf8_offered) {
                Some(path) => {
                    utf8 |= !path.is_ascii();
                    recipients.push((address, path));
                }
                None => {
                    let failure = Failure::BadRecipient { address, reply: None };
                    if self.order.bad_recipient == BadRecipient::Fail {
                        return self.finish(Err(failure), now);
                    }
                    self.skip(failure);
                }
            }
        }
        if recipients.is_empty() {
            return self.fail_for_want_of_recipients(now);
        }
        let mut envelope = Envelope::default();
        envelope.commands.push((
            Step::Mail,
            Command::Mail {
                reverse_path: self.order.sender.clone(),
                size: self.extensions.size.then_some(prepared.octets),
                eight_bit: prepared.eight_bit,
                utf8,
            },
        ));
        for (address, forward_path) in recipients {
            envelope.addresses.push(address);
            envelope.commands.push((Step::Rcpt, Command::Rcpt { forward_path }));
        }
        envelope.commands.push((Step::Data, Command::Data));
        self.envelope = envelope;
        self.say_envelope();
        self.enter(State::Envelope, now);
    }

    /// Says as much of the envelope as may be said now: one command, or all that pipelining allows (RFC 2920 §3.1).
    ///
    /// DATA waits for the answers to several recipients when one refusal is to stop the mail for all: once DATA is
    /// accepted, a mail can only be withheld from the accepted ones by breaking the link.
    fn say_envelope(&mut self) {
        let all_must_be_taken =
            self.order.bad_recipient == BadRecipient::Fail && self.envelope.addresses.len() > 1;
        let mut wire = Vec::new();
        while let Some((step, command)) = self.envelope.commands.get(self.envelope.sent) {
            let unanswered = self.envelope.sent > self.envelope.answered;
            let waits = !self.extensions.pipelining || (*step == Step::Data && all_must_be_taken);
            if unanswered && waits {
                break;
            }
            wire.extend_from_slice(command.to_string().as_bytes());
            wire.extend_from_slice(b"\r\n");
            self.envelope.sent += 1;
        }
        if !wire.is_empty() {
            self.outputs.push_back(Output::Transmit(wire));
        }
    }

    fn on_envelope_reply(&mut self, reply: Reply, now: Instant) {
        let at = self.envelope.answered;
        let Some((step, _)) = self.envelope.commands.get(at) else {
            return self.abort(Failure::Malformed(Step::Data, Nonsense::TooEarly));
        };
        let step = *step;
        self.envelope.answered += 1;
        match step {
            Step::Rcpt => {
                if reply.is_positive() {
                    self.envelope.accepted += 1;
                } else if reply.code == 421 || reply.code == 530 {
                    // Not about this recipient: the server is going away, or wants a log-in.
                    return self.refuse_envelope(Failure::Refused { step, reply }, now);
                } else {
                    // Commands are MAIL and then the recipients in order.
                    let address = self.envelope.addresses.get(at - 1).cloned().unwrap_or_default();
                    let failure = Failure::BadRecipient { address, reply: Some(reply) };
                    if self.order.bad_recipient == BadRecipient::Fail {
                        return self.refuse_envelope(failure, now);
                    }
                    self.skip(failure);
                }
                if self.envelope.answered > self.envelope.addresses.len() {
                    if self.envelope.accepted == 0 {
                        return self.fail_for_want_of_recipients(now);
                    }
                    self.tell_skipped();
                }
            }
            Step::Data if reply.code == 354 => {
                self.enter(State::Body(DotStuffer::default()), now);
                return self.send_portion(now);
            }
            Step::Mail if reply.is_positive() => {}
            _ => return self.refuse_envelope(Failure::Refused { step, reply }, now),
        }
        self.say_envelope();
        self.enter(State::Envelope, now);
    }

    fn skip(&mut self, failure: Failure) {
        self.tell_skipped();
        self.skipped = Some(failure);
    }

    fn tell_skipped(&mut self) {
        let event = self.skipped.take().map(|failure| Output::Event(Event::Skipped(failure)));
        self.outputs.extend(event);
    }

    /// Every recipient was refused, the last of them by what is the outcome now.
    fn fail_for_want_of_recipients(&mut self, now: Instant) {
        let none = || Failure::BadRecipient { address: String::new(), reply: None };
        let failure = self.skipped.take().unwrap_or_else(none);
        self.refuse_envelope(failure, now);
    }

    /// The mail will not be sent; answers to what was pipelined are still to come.
    fn refuse_envelope(&mut self, failure: Failure, now: Instant) {
        if self.envelope.answered < self.envelope.sent {
            self.enter(State::EnvelopeRefused(failure), now);
        } else {
            self.finish(Err(failure), now);
        }
    }

    fn on_refused_envelope_reply(&mut self, failure: Failure, reply: &Reply, now: Instant) {
        if reply.code == 421 {
            return self.end(Err(failure));
        }
        let is_data = matches!(self.envelope.commands.get(self.envelope.answered), Some((Step::Data, _)));
        if is_data && reply.code == 354 {
            if self.envelope.accepted > 0 {
                // A dot would deliver an empty mail to them. A link that breaks in DATA delivers nothing.
                return self.abort(failure);
            }
            // RFC 2920 §3.1: a server that accepts DATA though it refused every recipient gets a single dot.
            self.outputs.push_back(Output::Transmit(b".\r\n".to_vec()));
            return self.enter(State::EnvelopeRefused(failure), now);
        }
        self.envelope.answered += 1;
        self.refuse_envelope(failure, now);
    }

    /// Sends the next portion of the message. The final dot goes out with the last one: a dot in a segment of its own
    /// would wait for an acknowledgement that the other side delays.
    fn send_portion(&mut self, now: Instant) {
        let State::Body(stuffer) = &mut self.state else { return };
        let mut content = Vec::with_capacity(CHUNK_OCTETS + CHUNK_OCTETS / 8);
        match self.order.message.next(&mut content) {
            Ok(more) => {
                let mut wire = Vec::with_capacity(content.len() + 64);
                stuffer.push(&content, &mut wire);
                self.deadline = Some(now + IDLE_MAX);
                if !more {
                    std::mem::take(stuffer).finish(&mut wire);
                    self.enter(State::Final, now);
                }
                self.outputs.push_back(Output::Transmit(wire));
            }
            Err(unreadable) => self.abort(Failure::Unreadable(unreadable)),
        }
    }

    fn refused(&mut self, step: Step, reply: Reply, now: Instant) {
        self.finish(Err(Failure::Refused { step, reply }), now);
    }

    /// The outcome stands: takes leave of the server (RFC 5321 §4.1.1.10).
    fn finish(&mut self, outcome: Result<(), Failure>, now: Instant) {
        // A server that said 421 has closed its end already (RFC 5321 §3.8).
        if matches!(&outcome, Err(Failure::Refused { reply, .. }) if reply.code == 421) {
            return self.end(outcome);
        }
        self.lines.clear();
        self.enter(State::Quit(outcome), now);
    }

    /// Breaks the link without a word, and without a final dot: what was sent of a message is void.
    fn abort(&mut self, failure: Failure) {
        self.end(Err(failure));
    }

    fn end(&mut self, outcome: Result<(), Failure>) {
        self.state = State::Ended;
        self.deadline = None;
        self.lines.clear();
        self.outputs.push_back(Output::Close);
        self.outputs.push_back(Output::Event(Event::Finished(outcome)));
    }

    fn say(&mut self, command: &Command) {
        self.outputs.push_back(Output::Transmit(format!("{command}\r\n").into_bytes()));
    }

    /// What is being waited for.
    fn step(&self) -> Step {
        match &self.state {
            State::Opening | State::Greeting => Step::Greeting,
            State::Ehlo => Step::Ehlo,
            State::Helo => Step::Helo,
            State::StartTls | State::Securing => Step::StartTls,
            State::Auth(..) | State::AuthCancelled(_) => Step::Auth,
            State::Envelope | State::EnvelopeRefused(_) => {
                self.envelope.commands.get(self.envelope.answered).map_or(Step::Data, |(step, _)| *step)
            }
            State::Body(_) => Step::Message,
            State::Final => Step::FinalDot,
            State::Quit(_) | State::Ended => Step::Quit,
        }
    }

    /// The link is gone.
    fn on_closed(&mut self) {
        let step = self.step();
        let outcome = match std::mem::replace(&mut self.state, State::Ended) {
            State::Ended => return,
            State::Quit(outcome) => outcome,
            State::Opening => Err(Failure::NotOpened),
            State::Securing => Err(Failure::TlsFailed),
            State::AuthCancelled(mechanism) => Err(Failure::BadChallenge(mechanism)),
            State::EnvelopeRefused(failure) => Err(failure),
            _ => Err(Failure::Lost(step)),
        };
        self.end(outcome);
    }

    fn on_deadline(&mut self) {
        let step = self.step();
        let outcome = match std::mem::replace(&mut self.state, State::Ended) {
            State::Ended => return,
            State::Quit(outcome) => outcome,
            State::Opening => Err(Failure::NotOpened),
            State::AuthCancelled(mechanism) => Err(Failure::BadChallenge(mechanism)),
            State::EnvelopeRefused(failure) => Err(failure),
            _ => Err(Failure::Silent(step)),
        };
        self.end(outcome);
    }

    fn on_received(&mut self, octets: &[u8], now: Instant) {
        if matches!(self.state, State::Securing) {
            return self.abort(Failure::Malformed(Step::StartTls, Nonsense::Injected));
        }
        self.lines.push(octets);
        loop {
            if matches!(self.state, State::Ended) {
                return;
            }
            let line = match self.lines.next_line() {
                Some(Line::Whole(line)) => Some(self.replies.push(line)),
                Some(Line::TooLong) => Some(Err(BadReply::LineTooLong)),
                None => None,
            };
            let reply = match line {
                Some(reply) => reply,
                None if self.lines.is_swallowing() => Err(BadReply::LineTooLong),
                None => return,
            };
            match reply {
                Ok(None) => {}
                Ok(Some(reply)) => {
                    let outstanding = self.outstanding();
                    let step = self.step();
                    self.on_reply(reply, now);
                    if outstanding <= 1 && self.answers_are_in_order() && !self.lines.is_empty() {
                        return self.abort(Failure::Malformed(step, Nonsense::TooEarly));
                    }
                }
                // What follows a settled outcome cannot change it.
                Err(_) if matches!(self.state, State::Quit(_)) => return self.on_closed(),
                Err(bad) => return self.abort(Failure::Malformed(self.step(), bad.into())),
            }
        }
    }

    /// How many replies are due.
    const fn outstanding(&self) -> usize {
        match &self.state {
            State::Envelope | State::EnvelopeRefused(_) => self.envelope.sent - self.envelope.answered,
            _ => 1,
        }
    }

    /// Whether a reply that is here before anything new was asked is nonsense now. While a message is being sent the
    /// server may break in, and after the outcome nothing matters.
    const fn answers_are_in_order(&self) -> bool {
        !matches!(self.state, State::Body(_) | State::Quit(_) | State::Ended)
    }
}

impl Machine for Client {
    type Event = Event;

    fn handle(&mut self, input: Input<'_>, now: Instant) {
        match (input, &self.state) {
            (_, State::Ended) => {}
            (Input::Opened, State::Opening) => self.enter(State::Greeting, now),
            (Input::Secured, State::Securing) => {
                // RFC 3207 §4.2: what was known before is forgotten, and asked for again.
                self.secured = true;
                self.extensions = Extensions::default();
                self.enter(State::Ehlo, now);
            }
            (Input::Received(octets), _) => self.on_received(octets, now),
            (Input::Drained, State::Body(_)) => self.send_portion(now),
            (Input::Closed, _) => self.on_closed(),
            (Input::DeadlinePassed, _) if self.deadline.is_some_and(|deadline| deadline <= now) => {
                self.on_deadline();
            }
            (Input::Opened | Input::Secured | Input::Drained | Input::DeadlinePassed, _) => {}
        }
    }

    fn poll(&mut self) -> Option<Output<Event>> {
        self.outputs.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}
