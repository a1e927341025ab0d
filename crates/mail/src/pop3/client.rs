//! The client's end of a POP3 session (RFC 1939). It logs in by itself; after that its owner makes requests, one at a
//! time. The two functions to read are `Client::enter`, which says a line, and `Client::on_response`, which
//! decides what comes next.
//!
//! Memory: a line, and what arrived since the owner last polled. Texts and listings are passed on as they arrive; the
//! owner polls until `None` after everything it tells the machine.
//!
//! Deliberately not here: why a link could not be had; what a message means; the words of SASL ([`crate::sasl`]).

mod event;
mod log_in;

pub use self::event::{Event, Failure, Step};
pub use self::log_in::{Account, BadAccount, LogIn};
use super::apop;
use super::capability::Capabilities;
use super::command::Command;
use super::response::{BadResponse, Response, two_numbers, unique_id};
use super::top::TopCut;
use crate::dot::DotReader;
use crate::limits::{
    CAPABILITIES_MAX, HEADER_TEXT_OCTETS_MAX, IDLE_MAX, LISTING_LINES_MAX, POP3_AUTH_LINE_OCTETS_MAX,
    RESPONSE_LINE_OCTETS_MAX,
};
use crate::line::{Line, LineReader};
use crate::machine::{ChannelBinding, Input, Instant, Machine, Output, Passage};
use crate::policy::{Link, Policy, Security};
use crate::sasl::{BadChallenge, Exchange};
use crate::secret::{Confided, Secret};
use crate::smtp::reply::printable;
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
    capabilities: Capabilities,
    top: Top,
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
    /// The first line of an answer, or the end of the handshake, is awaited.
    Response(Step),
    /// The lines of a listing are.
    Listing {
        step: Step,
        lines: usize,
    },
    Text(Text),
    Idle,
    Ended,
}

#[derive(Debug)]
struct Text {
    request: Request,
    reader: DotReader,
    /// For a header section: where it ends, and how many octets may still arrive.
    header: Option<(TopCut, usize)>,
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
            capabilities: Capabilities::NONE,
            top: Top::Untried,
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
    /// [`Busy`] otherwise.
    pub fn request(&mut self, request: Request, now: Instant) -> Result<(), Busy> {
        if !matches!(self.state, State::Idle) {
            return Err(Busy);
        }
        self.progress = now;
        if self.lines.is_empty() {
            self.enter(Step::Request(request));
        } else {
            // The rest of a line begun before the question would become the answer to it.
            self.malformed(BadResponse::Unasked);
        }
        Ok(())
    }

    /// Says what a step says, and waits for the answer.
    fn enter(&mut self, step: Step) {
        self.state = State::Response(step);
        let command = match step {
            Step::Greeting => return,
            Step::Handshake => return self.outputs.push_back(Output::StartTls),
            Step::Capa => Command::Capa,
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
            (Step::Capa, true) => self.state = State::Listing { step, lines: 0 },
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
                    self.outputs.push_back(Output::Event(event));
                    self.answer(Event::ListEnd);
                }
                _ => self.malformed(BadResponse::NoNumbers),
            },
            Request::List(None) | Request::Uidl(None) => {
                self.state = State::Listing { step: Step::Request(request), lines: 0 };
            }
            Request::Headers(_) => {
                self.top =
                    if matches!(self.top, Top::Untried | Top::Works) { Top::Works } else { Top::Missing };
                let header = Some((TopCut::new(0), HEADER_TEXT_OCTETS_MAX));
                self.state = State::Text(Text { request, reader: DotReader::default(), header });
            }
            Request::Retrieve(_) => {
                self.state = State::Text(Text { request, reader: DotReader::default(), header: None });
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
    /// been another's words, and counts no more (RFC 2595 §4).
    fn on_capabilities(&mut self) {
        match self.security() {
            Security::AsOpened => self.log_in(),
            _ if self.capabilities.stls => self.enter(Step::Stls),
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
        if matches!(self.state, State::Response(Step::Handshake)) {
            self.capabilities = Capabilities::NONE;
            self.enter(Step::Capa);
        }
    }

    /// Takes octets from the server.
    fn receive(&mut self, octets: &[u8], now: Instant) {
        let octets = self.read_text(octets, now);
        self.lines.push(octets);
        loop {
            match self.state {
                State::Ended => return,
                // In clear, where TLS was to begin: none of it may be read as if it came under TLS (CVE-2011-0411).
                State::Response(Step::Handshake) if !self.lines.is_empty() => {
                    return self.malformed(BadResponse::Unasked);
                }
                State::Text(_) => {
                    let octets = self.lines.take_rest();
                    let octets = self.read_text(&octets, now);
                    self.lines.push(octets);
                }
                _ => {}
            }
            let line = match self.lines.next_line() {
                Some(Line::Whole(line)) => line.to_vec(),
                Some(Line::TooLong) => return self.malformed(BadResponse::LineTooLong),
                None => break,
            };
            self.progress = now;
            self.on_line(&line);
        }
        if self.lines.is_swallowing() {
            self.malformed(BadResponse::LineTooLong);
        }
    }

    fn on_line(&mut self, line: &[u8]) {
        let challenge = match (&self.state, line) {
            (State::Response(Step::Auth), b"+") => Some(&b""[..]),
            (State::Response(Step::Auth), [b'+', b' ', challenge @ ..]) => Some(challenge),
            _ => None,
        };
        self.tell(|client| {
            Passage::Heard(match challenge {
                // With the answer to it, it may give the password away.
                Some(_) => format!("+ {}", Secret::MASK),
                None => client.confided.cut_from(&printable(line)),
            })
        });
        if let Some(challenge) = challenge {
            return self.answer_challenge(challenge);
        }
        if let State::Listing { step, ref mut lines } = self.state {
            *lines += 1;
            let lines = *lines;
            return self.on_listed(step, lines, line);
        }
        let response = match Response::parse(line) {
            Ok(response) if response.is_positive => response,
            Ok(response) => Response::negative(self.confided.cut_from(&response.text)),
            Err(reason) => return self.malformed(reason),
        };
        match self.state {
            State::Response(step) => self.on_response(step, response),
            // An autologout (RFC 1939 §3) may be announced.
            State::Idle if !response.is_positive => self.fail(Failure::Released(response)),
            _ => self.malformed(BadResponse::Unasked),
        }
    }

    /// Takes line number `lines` of the listing that answers `step`.
    fn on_listed(&mut self, step: Step, lines: usize, line: &[u8]) {
        let listed = match line {
            b"." => None,
            [b'.', stuffed @ ..] => Some(printable(stuffed)),
            _ => Some(printable(line)),
        };
        match (step, listed) {
            (Step::Request(_), None) => self.answer(Event::ListEnd),
            (_, None) => self.on_capabilities(),
            (Step::Request(_), Some(_)) if lines > LISTING_LINES_MAX => self.malformed(BadResponse::Endless),
            (Step::Request(request), Some(listed)) => match entry(request, &listed) {
                Some((_, event)) => self.outputs.push_back(Output::Event(event)),
                None => self.malformed(BadResponse::NoNumbers),
            },
            (_, Some(_)) if lines > CAPABILITIES_MAX => self.malformed(BadResponse::Endless),
            (_, Some(listed)) => self.capabilities.push(&listed),
        }
    }

    /// Takes what belongs to a text, if one is being read, and returns the octets behind it.
    fn read_text<'o>(&mut self, octets: &'o [u8], now: Instant) -> &'o [u8] {
        let State::Text(Text { request, reader, header }) = &mut self.state else { return octets };
        if !octets.is_empty() {
            self.progress = now;
        }
        let request = *request;
        let allowed = header.as_ref().map_or(octets.len(), |(_, left)| octets.len().min(*left));
        let (wire, beyond) = octets.split_at_checked(allowed).unwrap_or((octets, &[]));
        let mut content = Vec::with_capacity(wire.len());
        let end = reader.push(wire, |portion| {
            content.extend_from_slice(match header {
                Some((cut, _)) => cut.push(portion),
                None => portion,
            });
        });
        if let Some((_, left)) = header {
            *left -= wire.len();
        }
        let taken = end.unwrap_or(wire.len());
        if taken > 0 {
            self.tell(|_| Passage::HeardContent(taken));
        }
        if !content.is_empty() {
            self.outputs.push_back(Output::Event(Event::Content(content)));
        }
        match (end, request) {
            (Some(end), _) => {
                self.answer(Event::ContentEnd);
                octets.get(end..).unwrap_or_default()
            }
            (None, Request::Headers(id)) if !beyond.is_empty() => {
                self.fail(Failure::HeaderTooLong(id));
                &[]
            }
            (None, _) => &[],
        }
    }

    fn say(&mut self, command: &Command) {
        if let Command::Auth { initial: Some(initial), .. } = command {
            self.confided.tell(initial);
        }
        self.tell(|_| Passage::Said(command.to_string()));
        self.outputs.push_back(Output::Transmit(command.to_octets()));
    }

    /// The end of an answer: the next request may come.
    fn answer(&mut self, event: Event) {
        self.state = State::Idle;
        self.outputs.push_back(Output::Event(event));
    }

    fn malformed(&mut self, reason: BadResponse) {
        self.fail(Failure::Malformed { step: self.awaited(), reason });
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
        self.lines.clear();
        self.outputs.push_back(Output::Event(event));
    }

    /// What is being waited for.
    const fn awaited(&self) -> Option<Step> {
        match self.state {
            State::Response(step) | State::Listing { step, .. } => Some(step),
            State::Text(Text { request, .. }) => Some(Step::Request(request)),
            State::Unopened | State::Idle | State::Ended => None,
        }
    }
}

impl Machine for Client {
    type Event = Event;

    fn handle(&mut self, input: Input<'_>, now: Instant) {
        match (&self.state, input) {
            (State::Ended, _) => {}
            (State::Response(Step::Handshake), Input::Closed) => {
                self.end_closed(Event::Ended(Failure::TlsFailed));
            }
            (State::Unopened, Input::Closed) => self.end_closed(Event::Ended(Failure::NotOpened)),
            (_, Input::Closed) => self.end_closed(Event::Ended(Failure::Lost)),
            (State::Unopened, Input::Opened) => {
                self.progress = now;
                self.enter(Step::Greeting);
            }
            (State::Response(Step::Greeting | Step::Handshake), Input::Secured(binding)) => {
                self.progress = now;
                self.on_secured(binding);
            }
            (_, Input::Received(octets)) if !octets.is_empty() && !matches!(self.state, State::Unopened) => {
                self.receive(octets, now);
            }
            (_, Input::DeadlinePassed) if self.deadline().is_some_and(|deadline| now >= deadline) => {
                self.fail(match self.awaited() {
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
        (!matches!(self.state, State::Idle | State::Ended)).then(|| self.progress + IDLE_MAX)
    }
}

/// The entry of a listing, and the number of its message.
fn entry(request: Request, listed: &str) -> Option<(u32, Event)> {
    let (id, event) = match request {
        Request::Uidl(_) => {
            let (id, unique) = unique_id(listed)?;
            (id, Event::UniqueId { id, unique })
        }
        _ => {
            let (id, octets) = two_numbers(listed)?;
            (id, Event::ListEntry { id, octets })
        }
    };
    (id > 0).then_some((id, event))
}
