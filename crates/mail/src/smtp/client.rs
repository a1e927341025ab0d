//! The client's end of SMTP: sends one message over one link, and says what became of it (RFC 5321).
//!
//! Two functions are the heart of it: `enter` says the line of a state, `on_reply` decides the next state from the reply.
//! Not here: the message, which comes from a [`Submission`] as the link drains, and the words a modem has for an
//! outcome.
//!
//! A reply that comes before its command is nonsense, and is known for it when it arrives together with the reply before
//! it. One that comes later by itself cannot be told from a quick answer: here alone portions make a difference.

use super::command::{Command, Path};
use super::envelope::Envelope;
use super::extensions::Extensions;
use super::reply::{BadReply, Reply, ReplyReader, Severity, printable};
use crate::dot::DotStuffer;
use crate::limits::{AUTH_LINE_OCTETS_MAX, CHUNK_OCTETS, IDLE_MAX, QUIT_WAIT_MAX, REPLY_LINE_OCTETS_MAX};
use crate::line::{Line, LineReader};
use crate::machine::{ChannelBinding, Input, Instant, Machine, Output, Passage};
use crate::policy::{Link, Policy, Security};
use crate::sasl::{BadChallenge, Credentials, Exchange, Nonce};
use crate::secret::{Confided, Secret};
use base64::Engine as _;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::time::Duration;

pub use super::failure::{Failure, Nonsense, Step};
pub use super::submission::{Prepared, Submission, Unreadable};

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
    /// STARTTLS or not, and what may be said without it.
    pub policy: Policy,
    /// Used if there; a server that takes none of our mechanisms fails the send then.
    pub credentials: Option<Credentials>,
    /// For SCRAM; without it, it is not spoken.
    pub nonce: Option<Nonce>,
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
    /// What went over the link; only if [`Client::trace`] was called.
    Passage(Passage),
    /// The server has greeted, and the session is open.
    Greeted,
    /// This recipient was refused; the message goes to the others.
    Skipped(Failure),
    /// The end: the server accepted the message, by this reply, or did not. Comes once, last.
    Finished(Result<Reply, Failure>),
}

/// Sends one message. See the module's words.
pub struct Client {
    order: Order,
    state: State,
    lines: LineReader,
    replies: ReplyReader,
    extensions: Extensions,
    link: Link,
    is_traced: bool,
    confided: Confided,
    envelope: Envelope,
    /// Under [`BadRecipient::Skip`], the refused recipient not told yet: the last one is the outcome if none is left.
    skipped: Option<Failure>,
    outputs: VecDeque<Output<Event>>,
    deadline: Option<Instant>,
    verdict_wait: Duration,
}

enum State {
    Opening,
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    Securing,
    Auth(Box<Exchange>),
    Envelope,
    /// A refused transaction; answers to what was pipelined are still to come.
    EnvelopeRefused(Failure),
    Body(DotStuffer),
    /// The reply to the final dot is awaited.
    Final,
    /// What the server had agreed to go on with was cancelled; the reply to that is awaited, whatever it is.
    Cancelled(Failure),
    /// The message will not be sent; the reply to QUIT is awaited.
    Quit(Failure),
    Ended,
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
            link: Link::Clear,
            is_traced: false,
            confided: Confided::default(),
            envelope: Envelope::default(),
            skipped: None,
            outputs: VecDeque::new(),
            deadline: Some(now + IDLE_MAX),
            verdict_wait: IDLE_MAX,
        }
    }

    /// Has it wait so long, in place of [`IDLE_MAX`], for the answer to the whole message. Who gives up early does not
    /// know whether the message was taken (RFC 5321 §4.5.3.2.6).
    #[must_use]
    pub fn waiting_for_the_verdict(self, verdict_wait: Duration) -> Self {
        Self { verdict_wait, ..self }
    }

    /// Whether it has credentials to log in with.
    #[must_use]
    pub const fn has_credentials(&self) -> bool {
        self.order.credentials.is_some()
    }

    /// Tells each [`Event::Passage`] from here on.
    pub const fn trace(&mut self) {
        self.is_traced = true;
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
            _ => {}
        }
        self.state = state;
    }

    /// Decides what follows a reply.
    fn on_reply(&mut self, reply: Reply, now: Instant) {
        let step = self.step();
        // RFC 5321 §3.8: it may come in place of any reply, and the server closes its end with it.
        if reply.code == 421 {
            return self.break_off(Failure::Refused { step, reply });
        }
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Greeting if reply.code == 220 => {
                self.outputs.push_back(Output::Event(Event::Greeted));
                self.enter(State::Ehlo, now);
            }
            State::Ehlo if reply.is_positive() => {
                self.extensions = Extensions::from_reply(&reply);
                self.after_hello(now);
            }
            // RFC 5321 §3.2: a server from before extensions does not know EHLO. A 530 is about something else.
            State::Ehlo if reply.severity() == Severity::Permanent && reply.code != 530 => {
                self.enter(State::Helo, now);
            }
            State::Helo if reply.is_positive() => self.after_hello(now),
            State::StartTls if reply.code == 220 && self.lines.is_empty() => {
                self.outputs.push_back(Output::StartTls);
                self.enter(State::Securing, now);
            }
            State::StartTls if reply.code == 220 => {
                self.end(Err(Failure::Malformed(step, Nonsense::Injected)));
            }
            State::StartTls if self.order.policy.security == Security::WhenOffered => {
                self.after_security(now);
            }
            // RFC 4954 §4: 334 asks for more, 235 is success.
            State::Auth(exchange) if reply.code == 334 => self.answer_challenge(exchange, &reply, now),
            State::Auth(exchange) if reply.code == 235 => match exchange.conclude() {
                Ok(()) => self.begin_transaction(now),
                Err(unproven) => self.give_up(BadChallenge::from(unproven).into(), now),
            },
            State::Auth(exchange) => {
                let reason = exchange.reason().map(|reason| self.confided.cut_from(reason));
                let failure = match reason {
                    Some(reason) => Failure::RefusedFor { reply, reason },
                    None => Failure::Refused { step, reply },
                };
                self.give_up(failure, now);
            }
            State::Envelope => self.on_envelope_reply(reply, now),
            State::EnvelopeRefused(failure) => self.on_refused_envelope_reply(failure, &reply, now),
            // The server gives its verdict before the end of the message: it will not take it.
            State::Body(_) => self.end(Err(match reply.severity() {
                Severity::Transient | Severity::Permanent => Failure::Refused { step, reply },
                Severity::Positive | Severity::Intermediate => Failure::Malformed(step, Nonsense::TooEarly),
            })),
            // Nothing that a server says after this can change it, so its reply to QUIT is not waited for.
            State::Final if reply.is_positive() => {
                self.say(&Command::Quit);
                self.end(Ok(reply));
            }
            State::Cancelled(failure) => self.give_up(failure, now),
            State::Quit(failure) => self.end(Err(failure)),
            _ => self.give_up(Failure::Refused { step, reply }, now),
        }
    }

    fn after_hello(&mut self, now: Instant) {
        let security = if self.link.is_secured() { Security::AsOpened } else { self.order.policy.security };
        match security {
            Security::Required | Security::WhenOffered if self.extensions.start_tls => {
                self.enter(State::StartTls, now);
            }
            Security::Required => self.give_up(Failure::TlsNotOffered, now),
            Security::WhenOffered | Security::AsOpened => self.after_security(now),
        }
    }

    fn after_security(&mut self, now: Instant) {
        let Some(credentials) = &self.order.credentials else {
            return self.begin_transaction(now);
        };
        let offered = self.extensions.authentication.as_deref().unwrap_or_default();
        let begun = self.order.policy.begin(offered, credentials, self.link, self.order.nonce.as_ref());
        let mut exchange = match begun {
            Ok(exchange) => exchange,
            Err(no_log_in) => return self.give_up(no_log_in.into(), now),
        };
        self.confided.tell(credentials.proof.secret());
        let auth = Command::auth(&mut exchange, AUTH_LINE_OCTETS_MAX);
        if let Command::Auth { initial: Some(initial), .. } = &auth {
            self.confided.tell(initial);
        }
        self.say(&auth);
        self.enter(State::Auth(Box::new(exchange)), now);
    }

    fn answer_challenge(&mut self, mut exchange: Box<Exchange>, reply: &Reply, now: Instant) {
        let unanswerable = || BadChallenge::Unanswerable(exchange.mechanism());
        let challenge = STANDARD.decode(reply.lines.first().map_or("", |line| line.trim()));
        let answered = challenge.map_err(|_| unanswerable());
        let response = match answered.and_then(|challenge| exchange.respond(&challenge)) {
            Ok(response) => response,
            Err(bad) => return self.cancel("*", bad.into(), now),
        };
        self.tell(|_| Passage::Said(Secret::MASK.to_owned()));
        self.confided.tell(&response);
        self.transmit_line(&Base64Display::new(response.reveal(), &STANDARD));
        self.enter(State::Auth(exchange), now);
    }

    /// MAIL, a RCPT for each recipient, DATA: RFC 5321 §3.3.
    fn begin_transaction(&mut self, now: Instant) {
        let prepared = self.order.message.prepare(self.extensions.eight_bit_mime);
        if let Some(limit) = self.extensions.size_max.filter(|&limit| prepared.octets > limit) {
            return self.give_up(Failure::TooLarge { octets: prepared.octets, limit }, now);
        }
        let utf8_offered = self.extensions.smtp_utf8;
        if !self.order.sender.is_ascii() && !utf8_offered {
            return self.give_up(Failure::SenderNotCarried, now);
        }
        let mut utf8 = !self.order.sender.is_ascii();
        let mut recipients = Vec::new();
        for address in std::mem::take(&mut self.order.recipients) {
            match address.parse::<Path>().ok().filter(|path| path.is_ascii() || utf8_offered) {
                Some(path) => {
                    utf8 |= !path.is_ascii();
                    recipients.push(path);
                }
                None => {
                    let failure = Failure::BadRecipient { address, reply: None };
                    if self.order.bad_recipient == BadRecipient::Fail {
                        return self.give_up(failure, now);
                    }
                    self.skip(failure);
                }
            }
        }
        if recipients.is_empty() {
            return self.fail_for_want_of_recipients(now);
        }
        let mail = Command::Mail {
            reverse_path: self.order.sender.clone(),
            size: self.extensions.size.then_some(prepared.octets),
            eight_bit: prepared.eight_bit,
            utf8,
        };
        self.envelope = Envelope::new(mail, recipients, self.order.bad_recipient, self.extensions.pipelining);
        self.go_on_with_envelope(now);
    }

    fn go_on_with_envelope(&mut self, now: Instant) {
        let group = self.envelope.next_group();
        if !group.is_empty() {
            for line in String::from_utf8_lossy(&group).lines() {
                self.tell(|_| Passage::Said(line.to_owned()));
            }
            self.outputs.push_back(Output::Transmit(group));
        }
        self.enter(State::Envelope, now);
    }

    fn on_envelope_reply(&mut self, reply: Reply, now: Instant) {
        let step = self.envelope.step();
        match self.envelope.answered(&reply) {
            Some(Command::Mail { .. }) if reply.is_positive() => self.go_on_with_envelope(now),
            // A 530 is not about this recipient: the server wants a log-in.
            Some(Command::Rcpt { forward_path }) if reply.code != 530 => {
                self.on_recipient_reply(&forward_path, reply, now);
            }
            Some(Command::Data) if reply.code == 354 => {
                self.enter(State::Body(DotStuffer::default()), now);
                self.send_portion(now);
            }
            _ => self.refuse_envelope(Failure::Refused { step, reply }, now),
        }
    }

    fn on_recipient_reply(&mut self, forward_path: &Path, reply: Reply, now: Instant) {
        if !reply.is_positive() {
            let address = forward_path.as_str().to_owned();
            let failure = Failure::BadRecipient { address, reply: Some(reply) };
            match self.order.bad_recipient {
                BadRecipient::Fail => return self.refuse_envelope(failure, now),
                BadRecipient::Skip => self.skip(failure),
            }
        }
        if self.envelope.recipients_are_answered() {
            if !self.envelope.has_accepted() {
                return self.fail_for_want_of_recipients(now);
            }
            self.tell_skipped();
        }
        self.go_on_with_envelope(now);
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

    /// The mail will not be sent; what was pipelined is still to be answered.
    fn refuse_envelope(&mut self, failure: Failure, now: Instant) {
        if self.envelope.unanswered() > 0 {
            self.enter(State::EnvelopeRefused(failure), now);
        } else {
            self.give_up(failure, now);
        }
    }

    fn on_refused_envelope_reply(&mut self, failure: Failure, reply: &Reply, now: Instant) {
        match self.envelope.answered(reply) {
            // A dot would deliver an empty mail to those accepted. A link that breaks in DATA delivers nothing.
            Some(Command::Data) if reply.code == 354 && self.envelope.has_accepted() => {
                self.end(Err(failure));
            }
            // RFC 2920 §3.1: a server that accepts DATA though it refused every recipient gets a single dot.
            Some(Command::Data) if reply.code == 354 => self.cancel(".", failure, now),
            _ => self.refuse_envelope(failure, now),
        }
    }

    /// Sends the next portion of the message. The final dot goes out with the last one: a dot in a segment of its own
    /// would wait for an acknowledgement that the other side delays.
    fn send_portion(&mut self, now: Instant) {
        let State::Body(stuffer) = &mut self.state else { return };
        let mut content = Vec::with_capacity(CHUNK_OCTETS + CHUNK_OCTETS / 8);
        match self.order.message.next(&mut content) {
            Ok(more) => {
                let mut wire = stuffer.stuffed(content);
                self.deadline = Some(now + IDLE_MAX);
                if !more {
                    std::mem::take(stuffer).finish(&mut wire);
                    self.enter(State::Final, now);
                }
                self.tell(|_| Passage::SaidContent(wire.len()));
                self.outputs.push_back(Output::Transmit(wire));
            }
            Err(unreadable) => self.break_off(unreadable.into()),
        }
    }

    /// Takes back what the server has just agreed to, by the line for it.
    fn cancel(&mut self, line: &str, failure: Failure, now: Instant) {
        self.tell(|_| Passage::Said(line.to_owned()));
        self.transmit_line(&line);
        self.enter(State::Cancelled(failure), now);
    }

    /// The message will not be sent: takes leave of the server (RFC 5321 §4.1.1.10).
    fn give_up(&mut self, failure: Failure, now: Instant) {
        self.enter(State::Quit(failure), now);
    }

    /// Ends without another word: by the outcome that stands already, or else by `failure`.
    fn break_off(&mut self, failure: Failure) {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Quit(standing) | State::EnvelopeRefused(standing) | State::Cancelled(standing) => {
                self.end(Err(standing));
            }
            // Without its final dot, what was sent of the message is void: the dot must not follow the outcome.
            State::Body(_) | State::Final => self.end_by(Output::Abort, Err(failure)),
            _ => self.end(Err(failure)),
        }
    }

    fn end(&mut self, outcome: Result<Reply, Failure>) {
        self.end_by(Output::Close, outcome);
    }

    fn end_by(&mut self, ending: Output<Event>, outcome: Result<Reply, Failure>) {
        self.state = State::Ended;
        self.deadline = None;
        self.lines.clear();
        self.outputs.push_back(ending);
        self.outputs.push_back(Output::Event(Event::Finished(outcome)));
    }

    /// For a trace, if there is one.
    fn tell(&mut self, passage: impl FnOnce(&Self) -> Passage) {
        if self.is_traced {
            let passage = passage(self);
            self.outputs.push_back(Output::Event(Event::Passage(passage)));
        }
    }

    /// A line from the server, as a trace may tell it.
    fn heard(&self, line: &[u8]) -> Passage {
        Passage::Heard(match line.get(..3) {
            // A challenge, with the answer to it, may give the password away (RFC 4954 §4; nothing else is a 334).
            Some(b"334") => format!("334 {}", Secret::MASK),
            _ => self.confided.cut_from(&printable(line)),
        })
    }

    fn say(&mut self, command: &Command) {
        self.tell(|_| Passage::Said(command.masked()));
        self.transmit_line(command);
    }

    /// It may hold a password, and leaves no copy but the one that is transmitted.
    fn transmit_line(&mut self, line: &dyn fmt::Display) {
        let mut octets = Secret::default();
        // Writing to a secret cannot fail.
        let _ = write!(octets, "{line}\r\n");
        self.outputs.push_back(Output::Transmit(octets.into_octets()));
    }

    /// What is being waited for.
    fn step(&self) -> Step {
        match &self.state {
            State::Opening | State::Greeting => Step::Greeting,
            State::Ehlo => Step::Ehlo,
            State::Helo => Step::Helo,
            State::StartTls | State::Securing => Step::StartTls,
            State::Auth(..) => Step::Auth,
            State::Envelope | State::EnvelopeRefused(_) => self.envelope.step(),
            State::Body(_) => Step::Message,
            State::Final => Step::FinalDot,
            State::Cancelled(_) | State::Quit(_) | State::Ended => Step::Quit,
        }
    }

    /// TLS stands: from the first octet if the greeting is still awaited, and nothing of it came yet.
    fn on_secured(&mut self, binding: Option<ChannelBinding>, now: Instant) {
        if !self.lines.is_empty() || !self.replies.is_empty() {
            return self.break_off(Failure::Malformed(self.step(), Nonsense::Injected));
        }
        self.link = Link::Secured(binding);
        if matches!(self.state, State::Securing) {
            // RFC 3207 §4.2: what was known before is forgotten, and asked for again.
            self.extensions = Extensions::default();
            self.enter(State::Ehlo, now);
        }
    }

    /// The link is gone.
    fn on_closed(&mut self) {
        self.break_off(match self.state {
            State::Opening => Failure::NotOpened,
            State::Securing => Failure::TlsFailed,
            _ => Failure::Lost(self.step()),
        });
    }

    fn on_deadline(&mut self) {
        self.break_off(match self.state {
            State::Opening => Failure::NotOpened,
            State::Greeting if !self.link.is_secured() && self.lines.is_empty() => Failure::NotGreeted,
            _ => Failure::Silent(self.step()),
        });
    }

    fn on_received(&mut self, octets: &[u8], now: Instant) {
        match self.state {
            State::Opening => return self.break_off(Failure::Malformed(Step::Greeting, Nonsense::TooEarly)),
            State::Securing => return self.break_off(Failure::Malformed(Step::StartTls, Nonsense::Injected)),
            _ => self.lines.push(octets),
        }
        while !matches!(self.state, State::Ended) {
            let read = match self.lines.next_line() {
                Some(Line::Whole(line)) => {
                    let line = line.to_vec();
                    self.tell(|client| client.heard(&line));
                    Some(self.replies.push(&line))
                }
                Some(Line::TooLong) => Some(Err(BadReply::LineTooLong)),
                None => None,
            };
            match read {
                Some(Ok(None)) => {}
                Some(Ok(Some(mut reply))) => {
                    // It may be quoted to people, a positive one too where it is nonsense. A challenge is not, and has to be
                    // answered as it came.
                    if !(reply.code == 334 && matches!(self.state, State::Auth(..))) {
                        reply.lines = reply.lines.iter().map(|line| self.confided.cut_from(line)).collect();
                    }
                    self.on_reply_among_octets(reply, now);
                }
                Some(Err(bad)) => self.break_off(Failure::Malformed(self.step(), bad.into())),
                // Not waited for: the end of such a line may never come.
                None if self.lines.is_swallowing() => {
                    self.break_off(Failure::Malformed(self.step(), BadReply::LineTooLong.into()));
                }
                None => return,
            }
        }
    }

    /// Takes a reply, and looks at what came with it: nothing may, once all that was asked is answered.
    fn on_reply_among_octets(&mut self, reply: Reply, now: Instant) {
        let (step, said) = (self.step(), self.outputs.len());
        let is_last = match &self.state {
            State::Envelope | State::EnvelopeRefused(_) => self.envelope.unanswered() == 1,
            _ => true,
        };
        self.on_reply(reply, now);
        // After the outcome nothing matters.
        let goes_on = !matches!(self.state, State::Quit(_) | State::Ended);
        if is_last && goes_on && !self.lines.is_empty() {
            // What it would have said next goes unsaid: a message must not leave when its failure is told.
            self.outputs.truncate(said);
            self.break_off(Failure::Malformed(step, Nonsense::TooEarly));
        }
    }
}

impl Machine for Client {
    type Event = Event;

    fn handle(&mut self, input: Input<'_>, now: Instant) {
        match (input, &self.state) {
            (_, State::Ended) => {}
            (Input::Opened, State::Opening) => self.enter(State::Greeting, now),
            (Input::Secured(binding), State::Greeting | State::Securing) => self.on_secured(binding, now),
            (Input::Received(octets), _) => self.on_received(octets, now),
            // No portion before the last one was taken away.
            (Input::Drained, State::Body(_)) if self.outputs.is_empty() => self.send_portion(now),
            // The server's time to answer begins when it has the dot: a portion may take long on a slow link.
            (Input::Drained, State::Final) => self.deadline = Some(now + self.verdict_wait),
            (Input::Closed, _) => self.on_closed(),
            (Input::DeadlinePassed, _) if self.deadline.is_some_and(|deadline| deadline <= now) => {
                self.on_deadline();
            }
            (Input::Opened | Input::Secured(_) | Input::Drained | Input::DeadlinePassed, _) => {}
        }
    }

    fn poll(&mut self) -> Option<Output<Event>> {
        self.outputs.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}
