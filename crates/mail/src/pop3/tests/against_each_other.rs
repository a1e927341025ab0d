//! Client and server on a link of memory.

use super::Post;
use crate::limits::IDLE_MAX;
use crate::machine::{Input, Instant, Machine, Output};
use crate::policy::{Policy, Security};
use crate::pop3::client::{Account, Client, Event, Failure, LogIn, Request, Step};
use crate::pop3::response::{BadResponse, Response, ResponseCode};
use crate::pop3::server::Server;
use crate::sasl::Credentials;

const MAIL_1: &[u8] = b"Subject: one\r\n\r\n.dot\r\n..\r\n.\r\nend\r\n";
const MAIL_2: &[u8] = b"Subject: two\r\n\r\n";

/// How many turns the link is kept going: an endless message is cut off by it.
const TURNS: usize = 200;

struct World {
    client: Client,
    server: Server<Post>,
    now: Instant,
    events: Vec<Event>,
}

impl World {
    fn new(user: &str, apop: bool, security: Security) -> Self {
        let credentials = Credentials::with_password(user, "tiger");
        let account = Account::new(credentials, apop, LogIn::AsNote).unwrap();
        let post = Post { has_stls: security != Security::AsOpened, ..Post::new(&[MAIL_1, MAIL_2]) };
        let (client, server) = (
            Client::new(account, Policy { security, ..Policy::default() }, Instant::POWER_ON),
            Server::new(post),
        );
        let mut world = Self { client, server, now: Instant::POWER_ON, events: Vec::new() };
        world.client.handle(Input::Opened, world.now);
        world.server.handle(Input::Opened, world.now);
        world.turn();
        world
    }

    /// A session of `user` in which log-in succeeded.
    fn logged_in(user: &str) -> Self {
        let mut world = Self::new(user, false, Security::AsOpened);
        assert_eq!(world.events(), [Event::LoggedIn], "{user}");
        world
    }

    /// Carries octets to and fro until nobody has anything to say.
    fn turn(&mut self) {
        for _ in 0..TURNS {
            let mut is_quiet = true;
            while let Some(output) = self.server.poll() {
                is_quiet = false;
                match output {
                    Output::Transmit(octets) => {
                        self.client.handle(Input::Received(&octets), self.now);
                        self.server.handle(Input::Drained, self.now);
                        break;
                    }
                    // The handshake succeeds when both want it.
                    Output::StartTls => {}
                    Output::Close | Output::Abort => self.client.handle(Input::Closed, self.now),
                    Output::Event(never) => match never {},
                }
            }
            while let Some(output) = self.client.poll() {
                is_quiet = false;
                match output {
                    Output::Transmit(octets) => self.server.handle(Input::Received(&octets), self.now),
                    Output::StartTls => {
                        self.server.handle(Input::Secured(None), self.now);
                        self.client.handle(Input::Secured(None), self.now);
                    }
                    Output::Close | Output::Abort => self.server.handle(Input::Closed, self.now),
                    Output::Event(event) => match (self.events.last_mut(), event) {
                        (Some(Event::Content(before)), Event::Content(more)) => before.extend(more),
                        (_, event) => self.events.push(event),
                    },
                }
            }
            if is_quiet {
                return;
            }
        }
    }

    fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    fn ask(&mut self, request: Request) -> Vec<Event> {
        self.client.request(request, self.now).unwrap();
        self.turn();
        self.events()
    }

    /// Nothing comes any more: the client's deadline passes.
    fn wait(&mut self) -> Vec<Event> {
        self.now = self.now + IDLE_MAX;
        self.client.handle(Input::DeadlinePassed, self.now);
        self.turn();
        self.events()
    }
}

fn text(octets: &[u8]) -> [Event; 2] {
    [Event::Content(octets.to_vec()), Event::ContentEnd]
}

#[test]
fn a_session_from_log_in_to_quit() {
    let total = (MAIL_1.len() + MAIL_2.len()) as u64;
    let entries = [
        Event::ListEntry { id: 1, octets: MAIL_1.len() as u64 },
        Event::ListEntry { id: 2, octets: MAIL_2.len() as u64 },
        Event::ListEnd,
    ];
    for (apop, security) in [
        (false, Security::AsOpened),
        (true, Security::AsOpened),
        (false, Security::WhenOffered),
        (true, Security::Required),
    ] {
        let mut world = World::new("un", apop, security);
        assert_eq!(world.events(), [Event::LoggedIn]);
        assert_eq!(world.ask(Request::Stat), [Event::Stat { count: 2, octets: total }]);
        assert_eq!(world.ask(Request::List(None)), entries);
        assert_eq!(world.ask(Request::List(Some(2))), entries[1..]);
        assert_eq!(
            world.ask(Request::Uidl(Some(2))),
            [Event::UniqueId { id: 2, unique: "u2".into() }, Event::ListEnd]
        );
        assert_eq!(world.ask(Request::Headers(1)), text(b"Subject: one\r\n\r\n"));
        assert_eq!(world.ask(Request::Retrieve(1)), text(MAIL_1));
        assert_eq!(world.ask(Request::Retrieve(2)), text(MAIL_2));
        assert!(matches!(world.ask(Request::Retrieve(3))[..], [Event::Refused { .. }]));
        assert_eq!(world.ask(Request::Delete(1)), [Event::Done]);
        assert_eq!(world.ask(Request::Reset), [Event::Done]);
        assert_eq!(world.ask(Request::Delete(2)), [Event::Done]);
        assert_eq!(world.ask(Request::Quit), [Event::LoggedOut]);
        assert_eq!(*world.server.service().deleted.borrow(), [2]);
    }
}

#[test]
fn a_log_in_that_fails() {
    let mut world = World::new("unknown", false, Security::AsOpened);
    assert_eq!(world.events(), [Event::Ended(Failure::RefusedUser(Response::negative("who?")))]);

    let mut world = World::new("locked", true, Security::AsOpened);
    let [Event::Ended(Failure::RefusedPassword(response))] = &world.events()[..] else { panic!() };
    assert_eq!(response.code(), Some(ResponseCode::InUse));

    let mut world = World::new("silent", false, Security::AsOpened);
    assert_eq!(world.events(), []);
    assert_eq!(world.wait(), [Event::Ended(Failure::Silent(Step::Pass))]);
}

#[test]
fn messages_that_do_not_come_whole() {
    let mut world = World::logged_in("cut");
    let events = world.ask(Request::Retrieve(1));
    let [Event::Content(begun), Event::Ended(Failure::Lost)] = &events[..] else { panic!("{events:?}") };
    assert!(MAIL_1.starts_with(begun) && begun.len() < MAIL_1.len());

    let mut world = World::logged_in("refused");
    assert!(world.ask(Request::Retrieve(1)).contains(&Event::Ended(Failure::Lost)));

    let mut world = World::logged_in("mute");
    assert!(matches!(world.ask(Request::Retrieve(1))[..], [Event::Content(_)]));
    let silent = Failure::Silent(Step::Request(Request::Retrieve(1)));
    assert_eq!(world.wait(), [Event::Ended(silent)]);

    let mut world = World::logged_in("endless");
    let events = world.ask(Request::Retrieve(1));
    let [Event::Content(so_far)] = &events[..] else { panic!("{} events", events.len()) };
    assert!(so_far.len() > 1_000_000);
}

#[test]
fn garbage_in_place_of_an_answer_and_within_a_message() {
    let mut world = World::logged_in("garbage");
    let step = Some(Step::Request(Request::Stat));
    let failure = Failure::Malformed { step, reason: BadResponse::NoStatus };
    assert_eq!(world.ask(Request::Stat), [Event::Ended(failure)]);

    let mut world = World::logged_in("garbage");
    let events = world.ask(Request::Retrieve(1));
    assert_eq!(
        events.last(),
        Some(&Event::Ended(Failure::Malformed { step: None, reason: BadResponse::NoStatus }))
    );
}

#[test]
fn sizes_that_are_not_true_do_no_harm() {
    let mut world = World::logged_in("lying-size");
    let octets = MAIL_1.len() as u64 + 1;
    assert_eq!(world.ask(Request::List(Some(1))), [Event::ListEntry { id: 1, octets }, Event::ListEnd]);
    assert_eq!(world.ask(Request::Retrieve(1)), text(MAIL_1));
}

#[test]
fn commands_that_are_missing_or_refused() {
    let mut world = World::logged_in("no-top");
    assert_eq!(world.ask(Request::Headers(1)), text(b"Subject: one\r\n\r\n"));
    for (user, request) in [("no-uidl", Request::Uidl(None)), ("err-on-dele", Request::Delete(1))] {
        let mut world = World::logged_in(user);
        assert!(matches!(world.ask(request)[..], [Event::Refused { .. }]));
        assert_eq!(world.ask(Request::Quit), [Event::LoggedOut]);
    }
    let mut world = World::logged_in("err-on-quit");
    world.ask(Request::Delete(1));
    let response = Response::negative("some deleted messages not removed");
    assert_eq!(world.ask(Request::Quit), [Event::Ended(Failure::QuitRefused(response))]);
}
