//! The client's end of a POP3 session (RFC 1939). It logs in by itself; after that its owner makes requests, one at a
//! time. The two functions to read are `Client::ask`, which says a line, and `Client::on_response`, which decides what
//! comes next. What was asked is in a queue, and each answer is that of the first in it.
//!
//! Headers that are asked for in a row may be asked of the server ahead of their turn (`client/ahead.rs`): the owner sees
//! nothing of it but that its answer is there sooner.
//!
//! Memory: a line, the headers kept for later, and what arrived since the owner last polled. Texts and listings are passed
//! on as they arrive; the owner polls until `None` after everything it tells the machine.
//!
//! Deliberately not here: why a link could not be had; what a message means; the words of SASL ([`crate::sasl`]).

mod ahead;
mod asked;
mod event;
mod log_in;
mod reading;

use self::ahead::Row;
use self::asked::{Place, Queue, Turn};
pub use self::event::{Event, Failure, Step};
pub use self::log_in::{Account, BadAccount, LogIn};
use self::reading::{Text, entry};
use super::apop;
use super::capability::Capabilities;
use super::command::Command;
use super::response::{BadResponse, Response, two_numbers};
use super::top::TopCut;
use crate::limits::{HEADER_TEXT_OCTETS_MAX, IDLE_MAX, POP3_AUTH_LINE_OCTETS_MAX, RESPONSE_LINE_OCTETS_MAX};
use crate::line::LineReader;
use crate::machine::{ChannelBinding, Input, Instant, Machine, Output, Passage};
use crate::policy::{Link, Policy, Security};
use crate::sasl::{BadChallenge, Exchange};
use crate::secret::Confided;
use std::collections::VecDeque;

/// What the owner of a session can ask for. Messages are numbered from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Count and size of all messages: [`Event::Stat`].
    Stat,
    /// The size of one message or of each: [`Event::ListEntry`], then [`Event::ListEnd`].
    List(Option<u32>),
    /// The unique identifier of one message or of each: [`Event::UniqueId`], then [`Event::ListEnd`].
    Uidl(Option<u32>),
    /// The header section of a message, with the empty line that ends it: [`Event::Content`], then
    /// [`Event::ContentEnd`]. By TOP, or from a server without it by RETR, of which the body is read and dropped.
    Headers(u32),
    /// A whole message: [`Event::Content`], then [`Event::ContentEnd`].
    Retrieve(u32),
    /// Mark a message for deletion: [`Event::Done`].
    Delete(u32),
    /// Take all marks away: [`Event::Done`].
    Reset,
    /// End the session, and delete what is marked: [`Event::LoggedOut`].
    Quit,
}

impl Request {
    /// The command that asks for it.
    #[must_use]
    pub const fn command(self) -> Command {
        match self {
            Self::Stat => Command::Stat,
            Self::List(id) => Command::List(id),
            Self::Uidl(id) => Command::Uidl(id),
            Self::Headers(id) => Command::Top { id, lines: 0 },
            Self::Retrieve(id) => Command::Retr(id),
            Self::Delete(id) => Command::Dele(id),
            Self::Reset => Command::Rset,
            Self::Quit => Command::Quit,
        }
    }
}

/// A request made while another is not answered, before the log-in or after the end. Nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the session takes no request now")]
pub struct Busy;

/// A session. See the module.
#[derive(Debug)]
pub struct Client {
    account: Account,
    policy: Policy,
    link: Link,
    is_traced: bool,
    confided: Confided,
    /// Under [`Step::Auth`].
    exchange: Option<Exchange>,
    timestamp: Option<String>,
    /// `None` until CAPA was asked on the link as it is now.
    capabilities: Option<Capabilities>,
    top: Top,
    asked: Queue,
    row: Row,
    state: State,
    lines: LineReader,
    /// When something was last asked, or a line or a piece of a text arrived: pieces of a line are no progress, or a
    /// server could drip one for hours.
    progress: Instant,
    outputs: VecDeque<Output<Event>>,
}

#[derive(Debug)]
enum State {
    Unopened,
    /// What comes next is the first line of an answer, or the end of the handshake; if anything was asked.
    Response,
    /// … is a line of a listing, of which so many came.
    Listing(usize),
    /// … is a piece of a text.
    Text(Text),
    Ended,
}

/// Whether the server has TOP. CAPA does not tell: before the log-in it need not list all (RFC 2449 §5). Nor does a
/// refusal alone: it may be the message that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Top {
    Untried,
    Works,
    /// Refused; RETR of the same message is being tried.
    Doubted,
    Missing,
}

impl Client {
    /// A session on a link that is being opened from `now` on.
    #[must_use]
    pub fn new(account: Account, policy: Policy, now: Instant) -> Self {
        Self {
            account,
            policy,
            link: Link::Clear,
            is_traced: false,
            confided: Confided::default(),
            exchange: None,
            timestamp: None,
            capabilities: None,
            top: Top::Untried,
            asked: Queue::default(),
            row: Row::default(),
            state: State::Unopened,
            lines: LineReader::new(RESPONSE_LINE_OCTETS_MAX),
            progress: now,
            outputs: VecDeque::new(),
        }
    }

    /// Tells each [`Event::Passage`] from here on.
    pub const fn trace(&mut self) {
        self.is_traced = true;
    }

    /// For a trace, if there is one.
    fn tell(&mut self, passage: impl FnOnce(&Self) -> Passage) {
        if self.is_traced {
            let passage = passage(self);
            self.outputs.push_back(Output::Event(Event::Passage(passage)));
        }
    }

    /// Asks for something, once logged in, and once what was asked before is answered.
    ///
    /// # Errors
    /// [`Busy`] otherwise; and when the session ends with it, because the server had begun to say something unasked.
    pub fn request(&mut self, request: Request, now: Instant) -> Result<(), Busy> {
        if matches!(self.state, State::Unopened | State::Ended) || self.asked.is_awaited() {
            return Err(Busy);
        }
        self.progress = now;
        if self.asked.first().is_none() && !self.lines.is_empty() {
            // The rest of a line begun before the question would become the answer to it.
            self.malformed(BadResponse::Unasked);
            return Err(Busy);
        }
        match request {
            Request::Headers(id) if self.row.goes_on_with(id) => {}
            Request::Headers(_) | Request::Reset => self.asked.forget(|_| true),
            Request::Delete(id) => self.asked.forget(|kept| kept == id),
            _ => {}
        }
        if matches!(request, Request::Headers(_)) && self.is_capability_of_interest() {
            self.ask(Step::Capa, Turn::Now);
        } else {
            self.begin(request);
        }
        Ok(())
    }

    /// Answers a request by what is there already, or asks the server.
    fn begin(&mut self, request: Request) {
        let claimed = if let Request::Headers(id) = request { self.asked.claim(id) } else { None };
        match claimed {
            Some(events) => events.into_iter().for_each(|event| self.tell_owner(event)),
            None => self.ask(Step::Request(request), Turn::Now),
        }
        if matches!(request, Request::Headers(_)) {
            self.read_ahead();
        }
    }

    /// Goes on with a step when the one before is answered.
    fn enter(&mut self, step: Step) {
        self.finish();
        self.ask(step, Turn::Now);
    }

    /// Says what a step says. The answer comes when all that was asked before is answered.
    fn ask(&mut self, step: Step, turn: Turn) {
        self.asked.push(step, turn);
        let command = match step {
            Step::Greeting => return,
            Step::Handshake => return self.outputs.push_back(Output::StartTls),
            Step::Capa => {
                self.capabilities = Some(Capabilities::NONE);
                Command::Capa
            }
            Step::Stls => Command::Stls,
            Step::User => Command::User(self.account.credentials.user.clone()),
            Step::Pass => Command::Pass(self.account.credentials.proof.secret().clone()),
            Step::Apop => {
                Command::Apop { name: self.account.credentials.user.clone(), digest: self.apop_digest() }
            }
            Step::Auth => match &mut self.exchange {
                Some(exchange) => Command::auth(exchange, POP3_AUTH_LINE_OCTETS_MAX),
                None => return,
            },
            Step::Request(Request::Headers(id)) if matches!(self.top, Top::Doubted | Top::Missing) => {
                Command::Retr(id)
            }
            Step::Request(request) => request.command(),
        };
        self.say(&command);
    }

    /// Decides what follows from the first line of an answer.
    fn on_response(&mut self, step: Step, response: Response) {
        match (step, response.is_positive) {
            (Step::Greeting, true) => {
                self.timestamp = apop::timestamp(&response.text).map(str::to_owned);
                let is_asked = self.security() != Security::AsOpened || self.account.log_in != LogIn::AsNote;
                if is_asked { self.enter(Step::Capa) } else { self.log_in() }
            }
            (Step::Greeting, false) => self.fail(Failure::GreetingRefused(response)),
            (Step::Capa, true) => self.state = State::Listing(0),
            // No CAPA, nothing known: RFC 2449 is younger than many servers.
            (Step::Capa, false) => self.on_capabilities(),
            (Step::Stls, true) => self.enter(Step::Handshake),
            (Step::Stls, false) if self.security() == Security::Required => {
                self.part(Failure::TlsRefused(response));
            }
            (Step::Stls, false) => self.log_in(),
            (Step::Handshake, _) => self.malformed(BadResponse::Unasked),
            (Step::User, true) => self.enter(Step::Pass),
            (Step::User, false) => self.part(Failure::RefusedUser(response)),
            (Step::Pass | Step::Apop, true) => self.answer(Event::LoggedIn),
            (Step::Auth, true) => match self.exchange.take().map_or(Ok(()), |exchange| exchange.conclude()) {
                Ok(()) => self.answer(Event::LoggedIn),
                // Not a word more to it: after the log-in a QUIT would be one, too.
                Err(unproven) => self.fail(BadChallenge::from(unproven).into()),
            },
            (Step::Pass | Step::Apop | Step::Auth, false) => {
                let reason = self.exchange.as_ref().and_then(Exchange::reason);
                let reason = reason.map(|reason| self.confided.cut_from(reason));
                self.part(match reason {
                    Some(reason) => Failure::RefusedFor { response, reason },
                    None => Failure::RefusedPassword(response),
                });
            }
            (Step::Request(request), true) => self.on_granted(request, &response.text),
            (Step::Request(Request::Quit), false) => self.fail(Failure::QuitRefused(response)),
            (Step::Request(Request::Headers(_)), false) if self.top == Top::Untried => {
                self.top = Top::Doubted;
                self.enter(step);
            }
            (Step::Request(request), false) => {
                if self.top == Top::Doubted {
                    self.top = Top::Untried;
                }
                self.answer(Event::Refused { request, response });
            }
        }
    }

    /// The +OK to a request: its answer, or the start of it.
    fn on_granted(&mut self, request: Request, text: &str) {
        match request {
            Request::Stat => match two_numbers(text) {
                Some((count, octets)) => self.answer(Event::Stat { count, octets }),
                None => self.malformed(BadResponse::NoNumbers),
            },
            Request::List(Some(id)) | Request::Uidl(Some(id)) => match entry(request, text) {
                Some((listed, event)) if listed == id => {
                    self.pass_on(event);
                    self.answer(Event::ListEnd);
                }
                _ => self.malformed(BadResponse::NoNumbers),
            },
            Request::List(None) | Request::Uidl(None) => self.state = State::Listing(0),
            Request::Headers(_) => {
                self.top =
                    if matches!(self.top, Top::Untried | Top::Works) { Top::Works } else { Top::Missing };
                let header = Some((TopCut::new(0), HEADER_TEXT_OCTETS_MAX));
                self.state = State::Text(Text::new(header));
            }
            Request::Retrieve(_) => {
                self.state = State::Text(Text::new(None));
            }
            Request::Delete(_) | Request::Reset => self.answer(Event::Done),
            Request::Quit => self.end(Event::LoggedOut),
        }
    }

    /// What is still to be done for the link.
    const fn security(&self) -> Security {
        if self.link.is_secured() { Security::AsOpened } else { self.policy.security }
    }

    /// What CAPA said, if anything, decides whether TLS begins. Asked again under TLS: what came in clear may have
    /// been another's words, and counts no more (RFC 2595 §4). After the log-in it decides whether headers are asked for
    /// ahead.
    fn on_capabilities(&mut self) {
        if let Some(id) = self.row.end_of_row() {
            self.finish();
            return self.begin(Request::Headers(id));
        }
        match self.security() {
            Security::AsOpened => self.log_in(),
            _ if self.capabilities.as_ref().is_some_and(|capabilities| capabilities.stls) => {
                self.enter(Step::Stls);
            }
            Security::Required => self.part(Failure::TlsNotOffered),
            Security::WhenOffered => self.log_in(),
        }
    }

    /// TLS stands: from the first octet if the greeting is still awaited, and nothing of it came yet.
    fn on_secured(&mut self, binding: Option<ChannelBinding>) {
        if !self.lines.is_empty() {
            return self.malformed(BadResponse::Unasked);
        }
        self.link = Link::Secured(binding);
        // The greeting is not repeated (RFC 2595 §4): its timestamp stays; a forged one makes the log-in fail.
        if self.asked.first() == Some(Step::Handshake) {
            self.enter(Step::Capa);
        }
    }

    fn say(&mut self, command: &Command) {
        if let Command::Auth { initial: Some(initial), .. } = command {
            self.confided.tell(initial);
        }
        let line = self.line_of(command);
        self.outputs.push_back(Output::Transmit(line));
    }

    /// The line of a command, which is going to be sent.
    fn line_of(&mut self, command: &Command) -> Vec<u8> {
        self.tell(|_| Passage::Said(command.to_string()));
        command.to_octets()
    }

    /// The end of an answer.
    fn answer(&mut self, event: Event) {
        self.pass_on(event);
        self.finish();
    }

    /// What was asked first is answered.
    fn finish(&mut self) {
        self.state = State::Response;
        self.asked.pop();
    }

    /// Passes a part of an answer on to whom it may concern.
    fn pass_on(&mut self, event: Event) {
        if let Event::Stat { count, .. } = event {
            self.row.count_messages(count);
        }
        match self.asked.take(event) {
            Place::Owner(event) => self.tell_owner(event),
            Place::Kept => {}
            Place::NoRoom => self.row.end(),
        }
    }

    fn tell_owner(&mut self, event: Event) {
        if let Event::Refused { request: Request::Headers(_), .. } = event {
            self.row.end();
        }
        self.outputs.push_back(Output::Event(event));
    }

    fn malformed(&mut self, reason: BadResponse) {
        self.fail(Failure::Malformed { step: self.asked.first(), reason });
    }

    /// Ends a session that did not get to the log-in, with the courtesy of a QUIT. (After the log-in a QUIT would
    /// delete.)
    fn part(&mut self, failure: Failure) {
        self.say(&Command::Quit);
        self.fail(failure);
    }

    fn fail(&mut self, failure: Failure) {
        self.end(Event::Ended(failure));
    }

    fn end(&mut self, event: Event) {
        self.outputs.push_back(Output::Close);
        self.end_closed(event);
    }

    fn end_closed(&mut self, event: Event) {
        self.state = State::Ended;
        self.asked = Queue::default();
        self.lines.clear();
        self.outputs.push_back(Output::Event(event));
    }
}

impl Machine for Client {
    type Event = Event;

    fn handle(&mut self, input: Input<'_>, now: Instant) {
        match (&self.state, input) {
            (State::Ended, _) => {}
            (_, Input::Closed) if self.asked.first() == Some(Step::Handshake) => {
                self.end_closed(Event::Ended(Failure::TlsFailed));
            }
            (State::Unopened, Input::Closed) => self.end_closed(Event::Ended(Failure::NotOpened)),
            (_, Input::Closed) => self.end_closed(Event::Ended(Failure::Lost)),
            (State::Unopened, Input::Opened) => {
                self.progress = now;
                self.enter(Step::Greeting);
            }
            (_, Input::Secured(binding))
                if matches!(self.asked.first(), Some(Step::Greeting | Step::Handshake)) =>
            {
                self.progress = now;
                self.on_secured(binding);
            }
            (_, Input::Received(octets)) => self.receive(octets, now),
            (_, Input::DeadlinePassed) if self.deadline().is_some_and(|deadline| now >= deadline) => {
                self.fail(match self.asked.first() {
                    None => Failure::NotOpened,
                    Some(Step::Greeting) if !self.link.is_secured() && self.lines.is_empty() => {
                        Failure::NotGreeted
                    }
                    Some(step) => Failure::Silent(step),
                });
            }
            _ => {}
        }
    }

    fn poll(&mut self) -> Option<Output<Event>> {
        self.outputs.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        let is_awaited = matches!(self.state, State::Unopened) || self.asked.is_awaited();
        is_awaited.then(|| self.progress + IDLE_MAX)
    }
}
