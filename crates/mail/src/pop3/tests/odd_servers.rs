//! The client, told word by word what a server says.

use crate::limits::{
    CAPABILITIES_MAX, HEADER_TEXT_OCTETS_MAX, IDLE_MAX, LISTING_LINES_MAX, RESPONSE_LINE_OCTETS_MAX,
};
use crate::machine::{Input, Instant, Machine, Output};
use crate::policy::{Policy, Security};
use crate::pop3::client::{Account, BadAccount, Busy, Client, Event, Failure, LogIn, Request, Step};
use crate::pop3::response::{BadResponse, Response, ResponseCode};
use crate::sasl::{BadCredentials, Credentials};
use proptest::prelude::*;
use std::time::Duration;

fn account(user: &str, password: &str, apop: bool) -> Result<Account, BadAccount> {
    Account::new(Credentials::with_password(user, password), apop, LogIn::AsNote)
}

/// A client and all that it wanted since the last look. What it hears in one portion, its twin hears octet by octet, and
/// must want the same.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) now: Instant,
    said: String,
    events: Vec<Event>,
    begun_tls: bool,
    pub(super) is_closed: bool,
    /// `None` in the twin.
    twin: Option<Box<Session>>,
}

impl Session {
    pub(super) fn new(apop: bool, security: Security) -> Self {
        Self::of(account("un", "tiger", apop).unwrap(), Policy { security, ..Policy::default() })
    }

    pub(super) fn of(account: Account, policy: Policy) -> Self {
        let twin = Box::new(Self::with_twin(account.clone(), policy, None));
        let mut session = Self::with_twin(account, policy, Some(twin));
        session.tell(Input::Opened);
        session
    }

    fn with_twin(account: Account, policy: Policy, twin: Option<Box<Self>>) -> Self {
        let now = Instant::from_ms(1_000);
        let client = Client::new(account, policy, now);
        let (said, events) = (String::new(), Vec::new());
        Self { client, now, said, events, begun_tls: false, is_closed: false, twin }
    }

    /// A session that is logged in, and has been looked at.
    pub(super) fn logged_in() -> Self {
        let mut session = Self::new(false, Security::AsOpened);
        for (server, client) in
            [("+OK hi\r\n", "USER un\r\n"), ("+OK\r\n", "PASS tiger\r\n"), ("+OK\r\n", "")]
        {
            assert_eq!(session.hear(server), client);
        }
        assert_eq!(session.events(), [Event::LoggedIn]);
        session
    }

    pub(super) fn tell(&mut self, input: Input<'_>) {
        if let Some(twin) = &mut self.twin {
            twin.now = self.now;
            twin.tell(input);
        }
        self.client.handle(input, self.now);
        while let Some(output) = self.client.poll() {
            match output {
                Output::Transmit(octets) => self.said.push_str(std::str::from_utf8(&octets).unwrap()),
                Output::StartTls => self.begun_tls = true,
                Output::Close | Output::Abort => self.is_closed = true,
                Output::Event(event) => match (self.events.last_mut(), event) {
                    (Some(Event::Content(before)), Event::Content(more)) => before.extend(more),
                    (_, event) => self.events.push(event),
                },
            }
        }
    }

    /// The server says something; what the client says to it.
    #[track_caller]
    pub(super) fn hear(&mut self, server: &str) -> String {
        let mut twin = self.twin.take();
        self.tell(Input::Received(server.as_bytes()));
        if let Some(twin) = &mut twin {
            twin.now = self.now;
            for octets in server.as_bytes().chunks(1).chain(server.is_empty().then_some(&b""[..])) {
                twin.tell(Input::Received(octets));
            }
        }
        self.twin = twin;
        self.said()
    }

    #[track_caller]
    pub(super) fn ask(&mut self, request: Request) -> String {
        self.request(request).unwrap();
        self.tell(Input::Drained);
        self.said()
    }

    #[track_caller]
    pub(super) fn request(&mut self, request: Request) -> Result<(), Busy> {
        let taken = self.client.request(request, self.now);
        if let Some(twin) = &mut self.twin {
            assert_eq!(twin.client.request(request, self.now), taken, "octet by octet");
        }
        taken
    }

    #[track_caller]
    fn said(&mut self) -> String {
        if let Some(twin) = &mut self.twin {
            let of_twin = (std::mem::take(&mut twin.said), twin.begun_tls, twin.is_closed);
            assert_eq!(of_twin, (self.said.clone(), self.begun_tls, self.is_closed), "octet by octet");
            assert_eq!(twin.client.deadline(), self.client.deadline(), "octet by octet");
        }
        std::mem::take(&mut self.said)
    }

    #[track_caller]
    pub(super) fn events(&mut self) -> Vec<Event> {
        if let Some(twin) = &mut self.twin {
            assert_eq!(std::mem::take(&mut twin.events), self.events, "octet by octet");
        }
        std::mem::take(&mut self.events)
    }

    /// Why it ended; that it did, and closed the link.
    #[track_caller]
    pub(super) fn failure(&mut self) -> Failure {
        assert!(self.is_closed);
        assert_eq!(self.client.deadline(), None);
        let ended = self.events.pop();
        if let Some(twin) = &mut self.twin {
            assert_eq!(twin.events.pop(), ended, "octet by octet");
        }
        match ended {
            Some(Event::Ended(failure)) => failure,
            other => panic!("{other:?}"),
        }
    }
}

fn malformed(step: Step, reason: BadResponse) -> Failure {
    Failure::Malformed { step: Some(step), reason }
}

pub(super) fn asked(request: Request, reason: BadResponse) -> Failure {
    malformed(Step::Request(request), reason)
}

pub(super) const GREETING_WITH_STAMP: &str = "+OK ready <1896.697170952@dbc.mtview.ca.us>\r\n";

#[test]
fn tls_required_and_no_capa_means_no_log_in() {
    let mut session = Session::new(true, Security::Required);
    assert_eq!(session.hear(GREETING_WITH_STAMP), "CAPA\r\n");
    assert_eq!(session.hear("-ERR what?\r\n"), "QUIT\r\n");
    assert_eq!(session.failure(), Failure::TlsNotOffered);
}

#[test]
fn tls_required_and_not_listed_or_refused_means_no_log_in() {
    let mut session = Session::new(false, Security::Required);
    session.hear("+OK\r\n");
    assert_eq!(session.hear("+OK\r\nUSER\r\n.\r\n"), "QUIT\r\n");
    assert_eq!(session.failure(), Failure::TlsNotOffered);

    let mut session = Session::new(false, Security::Required);
    session.hear("+OK\r\n");
    assert_eq!(session.hear("+OK\r\nSTLS\r\n.\r\n"), "STLS\r\n");
    assert_eq!(session.hear("-ERR no\r\n"), "QUIT\r\n");
    assert_eq!(session.failure(), Failure::TlsRefused(Response::negative("no")));
}

#[test]
fn tls_if_offered_goes_on_without() {
    for capa in ["-ERR what?\r\n", "+OK\r\nTOP\r\n.\r\n"] {
        let mut session = Session::new(true, Security::WhenOffered);
        session.hear(GREETING_WITH_STAMP);
        assert!(session.hear(capa).starts_with("APOP un "));
        let mut session = Session::new(true, Security::WhenOffered);
        session.hear("+OK\r\n");
        assert_eq!(session.hear(capa), "USER un\r\n");
    }
}

#[test]
fn capabilities_are_asked_again_under_tls() {
    let mut session = Session::new(false, Security::Required);
    session.hear("+OK\r\n");
    session.hear("+OK\r\nSTLS\r\nTOP\r\n.\r\n");
    assert_eq!(session.hear("+OK begin\r\n"), "");
    assert!(session.begun_tls);
    session.tell(Input::Secured(None));
    assert_eq!(session.hear(""), "CAPA\r\n");
    // It is not asked for TLS again.
    assert_eq!(session.hear("+OK\r\nSTLS\r\nUSER\r\n.\r\n"), "USER un\r\n");
    session.hear("+OK\r\n");
    session.hear("+OK\r\n");
    // What is not listed before the log-in may be there after it.
    assert_eq!(session.ask(Request::Headers(1)), "TOP 1 0\r\n");
    assert_eq!(session.hear("-ERR what?\r\n"), "RETR 1\r\n");
}

#[test]
fn what_comes_in_clear_behind_stls_is_no_answer_under_tls() {
    for behind in ["+OK injected\r\n", "+"] {
        for apart in [false, true] {
            let mut session = Session::new(false, Security::Required);
            session.hear("+OK\r\n");
            session.hear("+OK\r\nSTLS\r\n.\r\n");
            if apart {
                session.hear("+OK begin\r\n");
                session.hear(behind);
            } else {
                session.hear(&format!("+OK begin\r\n{behind}"));
            }
            assert_eq!(session.failure(), malformed(Step::Handshake, BadResponse::Unasked));
        }
    }
}

#[test]
fn a_failed_handshake_is_told_apart_from_a_lost_link() {
    let mut session = Session::new(false, Security::Required);
    session.hear("+OK\r\n");
    session.hear("+OK\r\nSTLS\r\n.\r\n");
    session.hear("+OK\r\n");
    session.tell(Input::Closed);
    assert_eq!(session.events(), [Event::Ended(Failure::TlsFailed)]);
}

#[test]
fn apop_when_asked_for_and_offered_and_never_the_password_after_it() {
    let mut session = Session::new(true, Security::AsOpened);
    let said = session.hear(GREETING_WITH_STAMP);
    assert!(said.starts_with("APOP un ") && said.len() == "APOP un ".len() + 34, "{said}");
    assert_eq!(session.hear("-ERR no\r\n"), "QUIT\r\n");
    assert_eq!(session.failure(), Failure::RefusedPassword(Response::negative("no")));

    let mut session = Session::new(false, Security::AsOpened);
    assert_eq!(session.hear(GREETING_WITH_STAMP), "USER un\r\n");
}

#[test]
fn a_malformed_timestamp_means_no_apop() {
    for greeting in
        ["+OK <>\r\n", "+OK <1896@>\r\n", "+OK <18 96@b>\r\n", "+OK <18\u{e9}96@b>\r\n", "+OK 1@b\r\n"]
    {
        let mut session = Session::new(true, Security::AsOpened);
        assert_eq!(session.hear(greeting), "USER un\r\n", "{greeting:?}");
    }
}

#[test]
fn a_refused_user_and_a_refused_password_are_told_apart() {
    let mut session = Session::new(false, Security::AsOpened);
    session.hear("+OK\r\n");
    assert_eq!(session.hear("-ERR who?\r\n"), "QUIT\r\n");
    assert_eq!(session.failure(), Failure::RefusedUser(Response::negative("who?")));

    let mut session = Session::new(false, Security::AsOpened);
    session.hear("+OK\r\n");
    session.hear("+OK\r\n");
    assert_eq!(session.hear("-ERR [AUTH] tiger is wrong\r\n"), "QUIT\r\n");
    let failure = session.failure();
    assert_eq!(failure.to_string(), "answered \"-ERR [AUTH] *** is wrong\" to the log-in");
    assert!(!format!("{failure:?}{:?}", session.client).contains("tiger"));
}

#[test]
fn response_codes_are_kept() {
    for (text, code) in [
        ("[IN-USE] busy", ResponseCode::InUse),
        ("[LOGIN-DELAY] later", ResponseCode::LoginDelay),
        ("[SYS/TEMP] later", ResponseCode::SysTemp),
        ("[SYS/PERM] never", ResponseCode::SysPerm),
        ("[AUTH] no", ResponseCode::Auth),
    ] {
        let mut session = Session::new(false, Security::AsOpened);
        session.hear("+OK\r\n");
        session.hear("+OK\r\n");
        session.hear(&format!("-ERR {text}\r\n"));
        let Failure::RefusedPassword(response) = session.failure() else { panic!() };
        assert_eq!(response.code(), Some(code));
        assert_eq!(response.to_string(), format!("-ERR {text}"));
    }
}

#[test]
fn a_greeting_that_is_none() {
    let mut session = Session::new(false, Security::AsOpened);
    assert_eq!(session.hear("-ERR full\r\n"), "");
    assert_eq!(session.failure(), Failure::GreetingRefused(Response::negative("full")));
    for greeting in ["220 smtp\r\n", "\r\n", "* OK imap\r\n", "\0\u{ff}\r\n"] {
        let mut session = Session::new(false, Security::AsOpened);
        assert_eq!(session.hear(greeting), "");
        assert_eq!(session.failure(), malformed(Step::Greeting, BadResponse::NoStatus));
    }
}

#[test]
fn a_line_without_an_end() {
    let mut session = Session::new(false, Security::AsOpened);
    session.hear(&"+OK ".repeat(RESPONSE_LINE_OCTETS_MAX));
    assert_eq!(session.failure(), malformed(Step::Greeting, BadResponse::LineTooLong));
}

#[test]
fn a_line_end_in_user_name_or_password_is_refused_here() {
    for bad in ["a\r", "a\nb", "a\0"] {
        assert_eq!(account(bad, "p", false).unwrap_err(), BadCredentials::User.into());
        assert_eq!(account("u", bad, false).unwrap_err(), BadCredentials::Password.into());
    }
    assert_eq!(account("", "p", false).unwrap_err(), BadAccount::NoUser);
    assert!(account("u \u{e9}", "", true).is_ok());
}

#[test]
fn a_bare_ok_to_every_command() {
    for request in [Request::Stat, Request::List(Some(1)), Request::Uidl(Some(1))] {
        let mut session = Session::logged_in();
        session.ask(request);
        session.hear("+OK\r\n");
        assert_eq!(session.failure(), asked(request, BadResponse::NoNumbers));
    }
    for request in [Request::Delete(1), Request::Reset] {
        let mut session = Session::logged_in();
        session.ask(request);
        session.hear("+OK\r\n");
        assert_eq!(session.events(), [Event::Done]);
    }
    for request in [Request::List(None), Request::Uidl(None), Request::Headers(1), Request::Retrieve(1)] {
        let mut session = Session::logged_in();
        session.ask(request);
        session.hear("+OK\r\n");
        session.now = session.now + IDLE_MAX;
        session.tell(Input::DeadlinePassed);
        assert_eq!(session.failure(), Failure::Silent(Step::Request(request)));
    }
    let mut session = Session::logged_in();
    session.ask(Request::Quit);
    session.hear("+OK\r\n");
    assert!(session.is_closed);
    assert_eq!(session.events(), [Event::LoggedOut]);
}

#[test]
fn numbers_out_of_range_and_of_another_message() {
    for (request, answer) in [
        (Request::Stat, "+OK 4294967296 1\r\n"),
        (Request::Stat, "+OK 1 18446744073709551616\r\n"),
        (Request::Stat, "+OK -1 0\r\n"),
        (Request::Stat, "+OK 1\r\n"),
        (Request::List(Some(1)), "+OK 2 100\r\n"),
        (Request::List(Some(1)), "+OK 1 big\r\n"),
        (Request::List(None), "+OK\r\n0 1\r\n"),
        (Request::List(None), "+OK\r\nrubbish\r\n"),
        (Request::List(None), "+OK\r\n\r\n"),
        (Request::Uidl(None), "+OK\r\n1\r\n"),
    ] {
        let mut session = Session::logged_in();
        session.ask(request);
        session.hear(answer);
        assert_eq!(session.failure(), asked(request, BadResponse::NoNumbers), "{answer:?}");
    }
}

#[test]
fn listings_empty_and_odd() {
    let mut session = Session::logged_in();
    assert_eq!(session.ask(Request::List(None)), "LIST\r\n");
    session.hear("+OK 0 messages\r\n.\r\n");
    assert_eq!(session.events(), [Event::ListEnd]);
    session.ask(Request::List(None));
    session.hear("+OK\n1 100\n7 200 extra\n..8 300\n");
    // The stuffed dot goes; what is left of it is no number.
    assert_eq!(session.failure(), asked(Request::List(None), BadResponse::NoNumbers));
    let first = [Event::ListEntry { id: 1, octets: 100 }, Event::ListEntry { id: 7, octets: 200 }];
    assert_eq!(session.events(), first);

    let mut session = Session::logged_in();
    assert_eq!(session.ask(Request::Uidl(Some(3))), "UIDL 3\r\n");
    session.hear("+OK 3 abc\r\n");
    assert_eq!(session.events(), [Event::UniqueId { id: 3, unique: "abc".into() }, Event::ListEnd]);
}

#[test]
fn a_million_entries_and_not_one_more() {
    let mut session = Session::logged_in();
    session.ask(Request::List(None));
    session.hear("+OK\r\n");
    let (thousand, mut entries) = ("1 1\r\n".repeat(1_000), 0);
    for _ in 0..LISTING_LINES_MAX / 1_000 {
        session.hear(&thousand);
        entries += session.events().len();
    }
    assert_eq!(entries, LISTING_LINES_MAX);
    session.hear("1 1\r\n");
    assert_eq!(session.failure(), asked(Request::List(None), BadResponse::Endless));
}

#[test]
fn capabilities_without_an_end() {
    let mut session = Session::new(false, Security::WhenOffered);
    session.hear("+OK\r\n");
    session.hear(&format!("+OK\r\n{}", "X-Y\r\n".repeat(CAPABILITIES_MAX + 1)));
    assert_eq!(session.failure(), malformed(Step::Capa, BadResponse::Endless));
}

#[test]
fn a_text_comes_through_as_it_is() {
    let mut session = Session::logged_in();
    assert_eq!(session.ask(Request::Retrieve(2)), "RETR 2\r\n");
    session.hear("+OK\r\n..a\r\n...\r\nb\0c\rd\n.\r\ne\u{e9}\r\n\r\n.\r\n");
    let text = ".a\r\n..\r\nb\0c\rd\n.\r\ne\u{e9}\r\n\r\n";
    assert_eq!(session.events(), [Event::Content(text.into()), Event::ContentEnd]);
    session.ask(Request::Retrieve(2));
    session.hear("+OK\r\n.\r\n");
    assert_eq!(session.events(), [Event::ContentEnd]);
}

#[test]
fn a_long_text_is_never_held() {
    let mut session = Session::logged_in();
    // Its octets one by one would show no more, and take a while.
    session.twin = None;
    session.request(Request::Retrieve(1)).unwrap();
    session.tell(Input::Received(b"+OK\r\n"));
    // One line of 100 MB.
    let wire = vec![b'x'; 1 << 20];
    for _ in 0..100 {
        session.client.handle(Input::Received(&wire), session.now);
        let Some(Output::Event(Event::Content(portion))) = session.client.poll() else { panic!() };
        assert!(portion.len() <= wire.len() && portion.capacity() <= wire.len());
        assert_eq!(session.client.poll(), None);
    }
    session.tell(Input::Received(b"\r\n.\r\n"));
    assert_eq!(session.events(), [Event::Content(b"\r\n".to_vec()), Event::ContentEnd]);
}

#[test]
fn only_the_header_section_is_passed_on() {
    let mut session = Session::logged_in();
    assert_eq!(session.ask(Request::Headers(1)), "TOP 1 0\r\n");
    session.hear("+OK\r\nA: 1\r\n\r\nbody\r\n.\r\n");
    assert_eq!(session.events(), [Event::Content(b"A: 1\r\n\r\n".to_vec()), Event::ContentEnd]);
    // It has TOP, so a refusal is about the message.
    session.ask(Request::Headers(9));
    assert_eq!(session.hear("-ERR no such message\r\n"), "");
    let response = Response::negative("no such message");
    assert_eq!(session.events(), [Event::Refused { request: Request::Headers(9), response }]);
}

#[test]
fn a_server_without_top_is_asked_once() {
    let mut session = Session::logged_in();
    session.ask(Request::Headers(9));
    assert_eq!(session.hear("-ERR unknown command\r\n"), "RETR 9\r\n");
    session.hear("-ERR no such message\r\n");
    let response = Response::negative("no such message");
    assert_eq!(session.events(), [Event::Refused { request: Request::Headers(9), response }]);
    // Nothing is known yet: it may have been the message.
    assert_eq!(session.ask(Request::Headers(1)), "TOP 1 0\r\n");
    assert_eq!(session.hear("-ERR unknown command\r\n"), "RETR 1\r\n");
    session.hear("+OK\r\nA: 1\r\n\r\nbo");
    session.hear("dy\r\n.\r\n");
    assert_eq!(session.events(), [Event::Content(b"A: 1\r\n\r\n".to_vec()), Event::ContentEnd]);
    assert_eq!(session.ask(Request::Headers(2)), "RETR 2\r\n");
}

#[test]
fn a_header_section_without_an_end() {
    let mut session = Session::logged_in();
    session.ask(Request::Headers(1));
    session.hear("+OK\r\n");
    let portion = "x".repeat(1 << 20);
    for _ in 0..HEADER_TEXT_OCTETS_MAX >> 20 {
        session.hear(&portion);
        assert!(!session.is_closed);
        session.events();
    }
    session.hear("x");
    assert_eq!(session.failure(), Failure::HeaderTooLong(1));
}

#[test]
fn a_refused_request_leaves_the_session_open() {
    for request in [
        Request::Stat,
        Request::List(None),
        Request::List(Some(9)),
        Request::Uidl(None),
        Request::Retrieve(9),
        Request::Delete(9),
        Request::Reset,
    ] {
        let mut session = Session::logged_in();
        session.ask(request);
        session.hear("-ERR tiger\r\n");
        let response = Response::negative("***");
        assert_eq!(session.events(), [Event::Refused { request, response }]);
        session.ask(Request::Stat);
        session.hear("+OK 2 320\r\n");
        assert_eq!(session.events(), [Event::Stat { count: 2, octets: 320 }]);
    }
}

#[test]
fn a_refused_quit_is_told() {
    let mut session = Session::logged_in();
    session.ask(Request::Quit);
    session.hear("-ERR some deleted messages not removed\r\n");
    let response = Response::negative("some deleted messages not removed");
    assert_eq!(session.failure(), Failure::QuitRefused(response));
}

#[test]
fn one_request_at_a_time() {
    let mut session = Session::new(false, Security::AsOpened);
    assert_eq!(session.request(Request::Stat), Err(Busy));
    let mut session = Session::logged_in();
    session.ask(Request::Stat);
    assert_eq!(session.request(Request::Stat), Err(Busy));
    session.tell(Input::Closed);
    assert_eq!(session.request(Request::Stat), Err(Busy));
    assert_eq!(session.hear(""), "");
}

#[test]
fn a_server_that_goes_away() {
    for said in ["", "+OK", "+OK\r\n", "+OK\r\nsome", "+OK\r\nsome\r\n."] {
        let mut session = Session::logged_in();
        session.ask(Request::Retrieve(1));
        session.hear(said);
        session.events();
        session.tell(Input::Closed);
        assert_eq!(session.events(), [Event::Ended(Failure::Lost)]);
        assert!(!session.is_closed);
    }
    let mut idle = Session::logged_in();
    assert_eq!(idle.client.deadline(), None);
    idle.tell(Input::Closed);
    assert_eq!(idle.events(), [Event::Ended(Failure::Lost)]);
}

#[test]
fn octets_that_nobody_asked_for() {
    let mut session = Session::logged_in();
    session.hear("-ERR autologout\r\n");
    assert_eq!(session.failure(), Failure::Released(Response::negative("autologout")));
    session.tell(Input::Closed);
    assert_eq!(session.events(), []);

    let unasked = Failure::Malformed { step: None, reason: BadResponse::Unasked };
    let mut session = Session::logged_in();
    session.hear("+OK 99 99\r\n");
    assert_eq!(session.failure(), unasked);

    let mut session = Session::logged_in();
    session.ask(Request::Retrieve(1));
    session.hear("+OK\r\n.\r\n+OK 99 99\r\n");
    assert_eq!(session.failure(), unasked);

    let mut session = Session::logged_in();
    session.hear("+OK 9");
    assert_eq!(session.request(Request::Stat), Err(Busy));
    assert_eq!(session.hear(""), "");
    assert_eq!(session.failure(), unasked);
}

#[test]
fn thirty_seconds_without_progress_at_every_step() {
    let steps: [(&[&str], Option<Request>, Step); 8] = [
        (&[], None, Step::Greeting),
        (&["+OK\r\n"], None, Step::Capa),
        (&["+OK\r\n", "+OK\r\nSTLS\r\n.\r\n"], None, Step::Stls),
        (&["+OK\r\n", "+OK\r\nSTLS\r\n.\r\n", "+OK\r\n"], None, Step::Handshake),
        (&["+OK\r\n", "-ERR\r\n"], None, Step::User),
        (&["+OK\r\n", "-ERR\r\n", "+OK\r\n"], None, Step::Pass),
        (&["+OK\r\n", "-ERR\r\n", "+OK\r\n", "+OK\r\n"], Some(Request::Stat), Step::Request(Request::Stat)),
        (&["+OK\r\n", "-ERR\r\n", "+OK\r\n", "+OK\r\n"], Some(Request::Quit), Step::Request(Request::Quit)),
    ];
    for (said, request, step) in steps {
        let mut session = Session::new(false, Security::WhenOffered);
        for line in said {
            session.hear(line);
        }
        if let Some(request) = request {
            session.ask(request);
        }
        assert_eq!(session.client.deadline(), Some(session.now + IDLE_MAX));
        session.now = session.now + (IDLE_MAX - Duration::from_millis(1));
        session.tell(Input::DeadlinePassed);
        assert!(!session.is_closed, "early, {step}");
        session.now = session.now + Duration::from_millis(1);
        session.tell(Input::DeadlinePassed);
        let failure = session.failure();
        if step == Step::Greeting {
            assert_eq!(failure, Failure::NotGreeted);
            continue;
        }
        assert_eq!(failure, Failure::Silent(step));
        assert_eq!(failure.to_string(), format!("did not answer {step} within 30 s"));
    }
}

#[test]
fn a_slow_server_is_no_silent_one() {
    let mut session = Session::logged_in();
    session.ask(Request::Retrieve(1));
    for piece in ["+OK\r\n", "a", "\r", "\n", ".", "\r", "\n"] {
        session.now = session.now + Duration::from_secs(29);
        session.tell(Input::DeadlinePassed);
        session.hear(piece);
    }
    assert_eq!(session.events(), [Event::Content(b"a\r\n".to_vec()), Event::ContentEnd]);
    assert_eq!(session.client.deadline(), None);
}

#[test]
fn pieces_of_a_line_are_no_progress() {
    let mut session = Session::logged_in();
    session.ask(Request::Stat);
    session.now = session.now + Duration::from_secs(29);
    session.hear("+OK");
    session.now = session.now + Duration::from_secs(1);
    session.tell(Input::DeadlinePassed);
    assert_eq!(session.failure(), Failure::Silent(Step::Request(Request::Stat)));
}

#[test]
fn a_link_that_does_not_open() {
    for late in [false, true] {
        let mut client =
            Client::new(account("un", "tiger", false).unwrap(), Policy::default(), Instant::POWER_ON);
        let deadline = Instant::POWER_ON + IDLE_MAX;
        for input in
            [Input::Received(b"+OK\r\n"), Input::Secured(None), Input::Drained, Input::DeadlinePassed]
        {
            client.handle(input, Instant::POWER_ON);
            assert_eq!((client.poll(), client.deadline()), (None, Some(deadline)));
        }
        if late {
            client.handle(Input::DeadlinePassed, deadline);
            assert_eq!(client.poll(), Some(Output::Close));
        } else {
            client.handle(Input::Closed, deadline);
        }
        assert_eq!(client.poll(), Some(Output::Event(Event::Ended(Failure::NotOpened))));
        // And nothing after the end.
        for input in [Input::Opened, Input::Received(b"+OK\r\n"), Input::Closed, Input::DeadlinePassed] {
            client.handle(input, Instant::from_ms(1_000_000));
            assert_eq!((client.poll(), client.deadline()), (None, None));
        }
    }
}

/// What a server may say: POP3 for the most part.
fn any_words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "+OK",
        "-ERR",
        " ",
        "1",
        "2 320",
        "\r\n",
        "\r\n",
        "\r\n",
        "\n",
        "\r",
        ".",
        "..",
        ".\r\n",
        "STLS\r\n",
        "A: 1\r\n",
        "<1@b>",
        "+OK\r\n",
        "-ERR no\r\n",
        "+OK 1 1\r\n",
        "PIPELINING\r\n",
        "+OK\r\nA: 1\r\n\r\n.\r\n",
        "+OK\r\n\r\n.\r\n",
        "+OK\r\nPIPELINING\r\n.\r\n+OK\r\n\r\n.\r\n+OK 9 9\r\n",
        "\0",
        "x",
    ]);
    prop::collection::vec(word, 0..12).prop_map(|words| words.concat())
}

fn any_request() -> impl Strategy<Value = Request> {
    prop::sample::select(vec![
        Request::Stat,
        Request::List(None),
        Request::List(Some(1)),
        Request::Uidl(None),
        Request::Uidl(Some(1)),
        Request::Headers(1),
        Request::Retrieve(1),
        Request::Delete(1),
        Request::Reset,
        Request::Quit,
    ])
}

/// What an owner asks for, and what the server says then.
fn any_rounds() -> impl Strategy<Value = Vec<(Request, String)>> {
    let in_a_row = [
        (Request::Headers(1), "+OK\r\nA: 1\r\n\r\n.\r\n"),
        (Request::Headers(2), "+OK\r\n\r\n.\r\n"),
        (Request::Headers(3), "+OK\r\nPIPELINING\r\n.\r\n+OK\r\n\r\n.\r\n+OK 9 9\r\n"),
    ];
    let in_a_row = in_a_row.map(|(request, words)| (request, words.to_owned())).to_vec();
    let ahead = (1u32..10).prop_map(|count| (4..4 + count).map(Request::Headers).collect::<Vec<_>>());
    prop_oneof![
        prop::collection::vec((any_request(), any_words()), 0..4),
        (ahead, prop::collection::vec((any_request(), any_words()), 4)).prop_map(move |(ahead, others)| {
            let words = others.iter().map(|(_, words)| words.clone()).collect::<Vec<_>>();
            let ahead = ahead.into_iter().zip(words.into_iter().cycle());
            in_a_row.clone().into_iter().chain(ahead).chain(others).collect()
        }),
    ]
}

proptest! {
    #[test]
    fn portions_make_no_difference(
        log_in in prop_oneof![
            4 => Just("+OK <1@b>\r\n+OK\r\n+OK\r\n".to_owned()),
            2 => any_words().prop_map(|words| format!("+OK\r\n+OK\r\nSTLS\r\n.\r\n+OK\r\n{words}")),
            1 => any_words(),
        ],
        security in prop::sample::select(vec![Security::AsOpened, Security::WhenOffered, Security::Required]),
        apop in any::<bool>(),
        rounds in any_rounds(),
    ) {
        let run = |portion: usize| {
            let mut session = Session::new(apop, security);
            let mut refused = Vec::new();
            let hear = |session: &mut Session, words: &str| {
                for octets in words.as_bytes().chunks(portion) {
                    session.tell(Input::Received(octets));
                    session.tell(Input::DeadlinePassed);
                }
                session.tell(Input::Secured(None));
            };
            hear(&mut session, &log_in);
            for (request, words) in &rounds {
                refused.push(session.request(*request));
                hear(&mut session, words);
            }
            session.tell(Input::Closed);
            (session.said, session.events, session.begun_tls, session.is_closed, refused)
        };
        let whole = run(usize::MAX);
        prop_assert_eq!(run(1), whole.clone());
        prop_assert_eq!(run(3), whole);
    }
}
