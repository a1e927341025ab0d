//! Headers that the client asks for ahead of their turn.

use super::Post;
use super::odd_servers::{Session, asked};
use crate::limits::{
    HEADER_TEXT_OCTETS_MAX, HEADERS_AHEAD_MAX, HEADERS_AHEAD_OCTETS_MAX, IDLE_MAX, RESPONSE_LINE_OCTETS_MAX,
};
use crate::machine::{Input, Instant, Machine, Output};
use crate::policy::{Policy, Security};
use crate::pop3::client::{Account, Busy, Client, Event, Failure, LogIn, Request, Step};
use crate::pop3::response::{BadResponse, Response};
use crate::pop3::server::Server;
use crate::sasl::Credentials;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::time::Duration;

const CAPA: &str = "+OK\r\nTOP\r\nPIPELINING\r\n.\r\n";

fn header(id: u32) -> String {
    format!("+OK\r\nSubject: {id}\r\n\r\n.\r\n")
}

fn headers(ids: impl IntoIterator<Item = u32>) -> String {
    ids.into_iter().map(header).collect()
}

fn tops(ids: impl IntoIterator<Item = u32>) -> String {
    ids.into_iter().map(|id| format!("TOP {id} 0\r\n")).collect()
}

fn text(id: u32) -> [Event; 2] {
    [Event::Content(format!("Subject: {id}\r\n\r\n").into_bytes()), Event::ContentEnd]
}

fn refused(id: u32) -> [Event; 1] {
    [Event::Refused { request: Request::Headers(id), response: Response::negative("no") }]
}

/// A session that was asked for headers 1 to 3 of so many messages, and has answered them.
fn in_a_row(messages: u32) -> Session {
    let mut session = Session::logged_in();
    for id in [1, 2] {
        assert_eq!(session.ask(Request::Headers(id)), tops([id]));
        assert_eq!(session.hear(&header(id)), "");
        assert_eq!(session.events(), text(id));
    }
    assert_eq!(session.ask(Request::Headers(3)), "CAPA\r\n");
    assert_eq!(session.hear(CAPA), tops([3]) + "STAT\r\n");
    assert_eq!(session.hear(&format!("{}+OK {messages} 1\r\n", header(3))), "");
    assert_eq!(session.events(), text(3));
    session
}

/// … and then for header 4, which is answered; 5 to 8 are asked for ahead.
fn four_ahead() -> Session {
    let mut session = in_a_row(1_000);
    assert_eq!(session.ask(Request::Headers(4)), tops([4]) + &tops(5..=8));
    assert_eq!(session.hear(&header(4)), "");
    assert_eq!(session.events(), text(4));
    session
}

#[test]
fn a_short_session_is_what_it_was() {
    let mut session = Session::logged_in();
    for id in [1, 2, 4, 5, 7, 7, 8, 3, 2, 1, u32::MAX, 1] {
        assert_eq!(session.ask(Request::Headers(id)), tops([id]));
        session.hear(&header(id));
        assert_eq!(session.events(), text(id));
    }
}

#[test]
fn nothing_is_asked_ahead_of_a_server_that_does_not_say_it_takes_it() {
    for capa in ["-ERR what?\r\n", "+OK\r\nTOP\r\nUIDL\r\n.\r\n"] {
        let mut session = Session::logged_in();
        for id in [1, 2] {
            session.ask(Request::Headers(id));
            session.hear(&header(id));
        }
        assert_eq!(session.ask(Request::Headers(3)), "CAPA\r\n");
        assert_eq!(session.request(Request::Headers(4)), Err(Busy));
        assert_eq!(session.hear(capa), tops([3]));
        for id in 4..40 {
            session.hear(&header(id - 1));
            // It is not asked again.
            assert_eq!(session.ask(Request::Headers(id)), tops([id]));
        }
    }
}

#[test]
fn nothing_is_asked_ahead_of_a_server_without_top() {
    let mut session = Session::logged_in();
    assert_eq!(session.ask(Request::Headers(1)), tops([1]));
    assert_eq!(session.hear("-ERR what?\r\n"), "RETR 1\r\n");
    for id in 2..40 {
        session.hear("+OK\r\n\r\nbody\r\n.\r\n");
        assert_eq!(session.ask(Request::Headers(id)), format!("RETR {id}\r\n"));
    }
}

#[test]
fn what_capa_said_before_the_log_in_counts() {
    let mut session = Session::new(false, Security::WhenOffered);
    session.hear("+OK\r\n");
    assert_eq!(session.hear(CAPA), "USER un\r\n");
    session.hear("+OK\r\n");
    session.hear("+OK\r\n");
    session.ask(Request::Stat);
    session.hear("+OK 5 1\r\n");
    for id in [1, 2] {
        assert_eq!(session.ask(Request::Headers(id)), tops([id]));
        session.hear(&header(id));
    }
    // The owner has asked how many there are.
    assert_eq!(session.ask(Request::Headers(3)), tops([3]) + &tops(4..=5));
}

#[test]
fn as_many_as_were_in_the_row_and_none_that_is_not_there() {
    let mut session = in_a_row(100);
    let (mut asked, mut answered) = (3, 3);
    for id in 4..=100 {
        let said = session.ask(Request::Headers(id));
        let next = asked + u32::try_from(said.lines().count()).unwrap();
        assert_eq!(said, tops(asked + 1..=next));
        asked = next;
        assert!((id..=id + id.min(HEADERS_AHEAD_MAX)).contains(&asked) && asked <= 100, "{id}: {asked}");
        assert!(asked - id >= id.min(HEADERS_AHEAD_MAX).min(100 - id) / 2, "{id}: {asked}");
        if answered < id {
            assert_eq!(session.events(), []);
            session.hear(&headers(answered + 1..=asked));
            answered = asked;
        }
        // At once, or with all the others.
        assert_eq!(session.events(), text(id));
    }
    assert_eq!(session.ask(Request::Headers(101)), tops([101]));
    session.hear("-ERR no\r\n");
    assert_eq!(session.events(), refused(101));
}

#[test]
fn one_under_way_is_passed_on_as_it_comes() {
    let mut session = four_ahead();
    session.hear("+OK\r\nSub");
    assert_eq!(session.events(), []);
    assert_eq!(session.ask(Request::Headers(5)), "");
    assert_eq!(session.events(), [Event::Content(b"Sub".to_vec())]);
    assert_eq!(session.request(Request::Headers(6)), Err(Busy));
    session.hear("ject");
    assert_eq!(session.events(), [Event::Content(b"ject".to_vec())]);
    session.hear(": 5\r\n\r\n.\r\n");
    assert_eq!(session.events(), [Event::Content(b": 5\r\n\r\n".to_vec()), Event::ContentEnd]);
}

#[test]
fn other_requests_wait_for_what_is_under_way() {
    for (request, said, answer, events) in [
        (Request::Stat, "STAT\r\n", "+OK 2 3\r\n", vec![Event::Stat { count: 2, octets: 3 }]),
        (
            Request::List(None),
            "LIST\r\n",
            "+OK\r\n7 9\r\n.\r\n",
            vec![Event::ListEntry { id: 7, octets: 9 }, Event::ListEnd],
        ),
        (
            Request::Retrieve(6),
            "RETR 6\r\n",
            "+OK\r\na\r\n.\r\n",
            vec![Event::Content(b"a\r\n".to_vec()), Event::ContentEnd],
        ),
        (Request::Delete(6), "DELE 6\r\n", "+OK\r\n", vec![Event::Done]),
        (Request::Reset, "RSET\r\n", "+OK\r\n", vec![Event::Done]),
        (Request::Quit, "QUIT\r\n", "+OK\r\n", vec![Event::LoggedOut]),
    ] {
        let mut session = four_ahead();
        session.hear(&header(5));
        assert_eq!(session.ask(request), said);
        assert_eq!(session.request(Request::Stat), Err(Busy));
        session.hear(&headers(6..=8));
        assert_eq!(session.events(), []);
        session.hear(answer);
        assert_eq!(session.events(), events);
    }
}

#[test]
fn a_refusal_is_kept_and_ends_the_row() {
    let mut session = four_ahead();
    session.hear(&(header(5) + "-ERR no\r\n" + &headers(7..=8)));
    assert_eq!(session.ask(Request::Headers(5)), "");
    assert_eq!(session.events(), text(5));
    assert_eq!(session.ask(Request::Headers(6)), "");
    assert_eq!(session.events(), refused(6));
    for id in [7, 8] {
        assert_eq!(session.ask(Request::Headers(id)), "");
        assert_eq!(session.events(), text(id));
    }
    // Three in a row again.
    assert_eq!(session.ask(Request::Headers(9)), tops([9]) + &tops(10..=12));
}

#[test]
fn a_deletion_makes_what_was_kept_of_it_untrue() {
    for is_kept in [true, false] {
        let mut session = four_ahead();
        let kept = headers(5..=8);
        let under_way = if is_kept {
            session.hear(&kept);
            String::new()
        } else {
            kept
        };
        assert_eq!(session.ask(Request::Delete(5)), "DELE 5\r\n");
        session.hear(&(under_way + "+OK\r\n"));
        assert_eq!(session.events(), [Event::Done]);
        assert_eq!(session.ask(Request::Headers(5)), tops([5]));
        session.hear("-ERR no\r\n");
        assert_eq!(session.events(), refused(5));
        assert_eq!(session.ask(Request::Headers(6)), "");
        assert_eq!(session.events(), text(6));
    }
}

#[test]
fn a_reset_and_another_row_make_all_untrue_or_vain() {
    for is_kept in [true, false] {
        for leap in [false, true] {
            let mut session = four_ahead();
            let under_way = if is_kept {
                session.hear(&(headers(5..=7) + "-ERR no\r\n"));
                String::new()
            } else {
                headers(5..=7) + "-ERR no\r\n"
            };
            if leap {
                assert_eq!(session.ask(Request::Headers(100)), tops([100]));
                session.hear(&(under_way + &header(100)));
                assert_eq!(session.events(), text(100));
            } else {
                assert_eq!(session.ask(Request::Reset), "RSET\r\n");
                session.hear(&(under_way + "+OK\r\n"));
                assert_eq!(session.events(), [Event::Done]);
            }
            let said = session.ask(Request::Headers(5));
            assert!(said.starts_with("TOP 5 0\r\n"), "{said}");
            session.hear(&header(5));
            assert_eq!(session.events(), text(5));
        }
    }
}

/// One that is too large to be kept, behind one that is kept.
#[test]
fn what_there_is_no_room_for_is_asked_again() {
    let huge = format!("Subject: {}\r\n\r\n", "x".repeat(HEADERS_AHEAD_OCTETS_MAX));
    let mut session = four_ahead();
    session.hear(&header(5));
    session.hear(&format!("+OK\r\n{huge}.\r\n"));
    session.hear(&headers(7..=8));
    assert_eq!(session.ask(Request::Headers(5)), "");
    assert_eq!(session.events(), text(5));
    assert_eq!(session.ask(Request::Headers(6)), tops([6]));
    session.hear(&format!("+OK\r\n{huge}.\r\n"));
    assert_eq!(session.events(), [Event::Content(huge.into_bytes()), Event::ContentEnd]);
    // What came behind it was not kept either; and now there are three in a row again.
    assert_eq!(session.ask(Request::Headers(7)), tops([7]) + &tops(8..=10));
}

#[test]
fn what_is_kept_is_bounded_together() {
    let large = format!("Subject: {}\r\n\r\n", "x".repeat(HEADERS_AHEAD_OCTETS_MAX / 4));
    let answer = format!("+OK\r\n{large}.\r\n");
    let mut session = four_ahead();
    for octets in answer.repeat(4).as_bytes().chunks(1_000) {
        session.tell(Input::Received(octets));
    }
    let events = [Event::Content(large.into_bytes()), Event::ContentEnd];
    for id in 5..=7 {
        assert_eq!(session.ask(Request::Headers(id)), if id < 7 { String::new() } else { tops(8..=10) });
        assert_eq!(session.events(), events);
    }
}

/// POP3 has no other way to stop a text.
#[test]
fn a_header_without_an_end_ends_the_session_though_nobody_waits() {
    let mut session = four_ahead();
    session.hear("+OK\r\n");
    let portion = "x".repeat(1 << 20);
    for _ in 0..HEADER_TEXT_OCTETS_MAX >> 20 {
        session.hear(&portion);
        assert_eq!(session.events(), []);
    }
    session.hear("x");
    assert_eq!(session.failure(), Failure::HeaderTooLong(5));
}

#[test]
fn there_is_no_deadline_while_nobody_waits() {
    let mut session = four_ahead();
    assert_eq!(session.client.deadline(), None);
    session.hear("+OK\r\nSub");
    session.now = session.now + 10 * IDLE_MAX;
    session.tell(Input::DeadlinePassed);
    assert_eq!(session.client.deadline(), None);
    // It begins when the owner asks; what comes for others is progress, for the owner's answer comes behind it.
    session.ask(Request::Stat);
    for _ in 0..4 {
        session.now = session.now + (IDLE_MAX - Duration::from_millis(1));
        session.hear("x");
        assert_eq!(session.client.deadline(), Some(session.now + IDLE_MAX));
    }
    session.hear("\r\n\r\n.\r\n+O");
    session.now = session.now + IDLE_MAX;
    session.tell(Input::DeadlinePassed);
    assert_eq!(session.failure(), Failure::Silent(Step::Request(Request::Headers(6))));
}

#[test]
fn pieces_of_a_line_are_no_progress_here_either() {
    let mut session = four_ahead();
    session.ask(Request::Headers(5));
    let asked_at = session.now;
    for piece in ["+", "O", "K", " "] {
        session.now = session.now + Duration::from_secs(5);
        session.hear(piece);
        assert_eq!(session.client.deadline(), Some(asked_at + IDLE_MAX));
    }
}

#[test]
fn a_server_that_goes_away_in_the_middle() {
    for said in ["", "+OK", "+OK\r\n", "+OK\r\nSubject", "+OK\r\nSubject: 5\r\n\r\n.\r\n-ER"] {
        for is_asked in [false, true] {
            let mut session = four_ahead();
            session.hear(said);
            if is_asked {
                session.ask(Request::Stat);
            }
            session.tell(Input::Closed);
            assert_eq!(session.events(), [Event::Ended(Failure::Lost)]);
            assert_eq!(session.request(Request::Headers(5)), Err(Busy));
        }
    }
}

#[test]
fn more_than_was_asked_for_is_unasked() {
    let unasked = Failure::Malformed { step: None, reason: BadResponse::Unasked };
    let mut session = four_ahead();
    session.hear(&headers(5..=8));
    session.hear(&header(9));
    assert_eq!(session.failure(), unasked);

    let mut session = four_ahead();
    session.hear(&headers(5..=9));
    assert_eq!(session.failure(), unasked);

    let mut session = four_ahead();
    session.hear(&headers(5..=8));
    session.hear("+O");
    // What is kept is no reason to overlook it.
    assert_eq!(session.request(Request::Headers(5)), Err(Busy));
    session.hear("");
    assert_eq!(session.failure(), unasked);
}

#[test]
fn answers_that_are_none() {
    let headers_of_5 = |reason| asked(Request::Headers(5), reason);
    for (said, failure) in [
        ("Subject: 5\r\n".to_owned(), headers_of_5(BadResponse::NoStatus)),
        (".\r\n".to_owned(), headers_of_5(BadResponse::NoStatus)),
        ("+OK".repeat(RESPONSE_LINE_OCTETS_MAX), headers_of_5(BadResponse::LineTooLong)),
        // The text of 5 is there twice.
        (format!("{}Subject: 5\r\n", header(5)), asked(Request::Headers(6), BadResponse::NoStatus)),
    ] {
        let mut session = four_ahead();
        session.hear(&said);
        assert_eq!(session.failure(), failure, "{said:?}");
    }
    // The answer to what was asked behind it, before its turn.
    let mut session = four_ahead();
    session.ask(Request::List(Some(1)));
    session.hear(&("+OK 1 120\r\n.\r\n".to_owned() + &headers(5..=7)));
    assert_eq!(session.events(), []);
    session.hear(&header(8));
    assert_eq!(session.failure(), asked(Request::List(Some(1)), BadResponse::NoNumbers));
}

#[test]
fn a_count_that_is_refused_means_that_nothing_is_asked_ahead() {
    let mut session = Session::logged_in();
    for id in [1, 2] {
        session.ask(Request::Headers(id));
        session.hear(&header(id));
    }
    session.ask(Request::Headers(3));
    session.hear(CAPA);
    session.hear(&(header(3) + "-ERR no\r\n"));
    for id in 4..40 {
        assert_eq!(session.ask(Request::Headers(id)), tops([id]));
        session.hear(&header(id));
    }
}

#[test]
fn the_last_number_there_is() {
    let mut session = in_a_row(u32::MAX);
    for id in u32::MAX - 4..=u32::MAX {
        session.ask(Request::Headers(id));
        session.hear(&headers([id]));
    }
    assert!(!session.is_closed);
    for id in [0, 1, 2] {
        session.ask(Request::Headers(id));
        assert!(session.hear(&header(id)).is_empty());
    }
}

/// What the server said, on its way to a client.
struct World {
    client: Client,
    server: Server<Post>,
    on_its_way: VecDeque<u8>,
    commands: usize,
    events: Vec<Event>,
}

impl World {
    fn new(has_pipelining: bool, mails: &[Vec<u8>]) -> Self {
        let mails: Vec<&[u8]> = mails.iter().map(Vec::as_slice).collect();
        let post = Post { has_pipelining, ..Post::new(&mails) };
        let account = Account::new(Credentials::with_password("un", "tiger"), false, LogIn::AsNote).unwrap();
        let mut world = Self {
            client: Client::new(account, Policy::default(), Instant::POWER_ON),
            server: Server::new(post),
            on_its_way: VecDeque::new(),
            commands: 0,
            events: Vec::new(),
        };
        world.server.handle(Input::Opened, Instant::POWER_ON);
        world.client.handle(Input::Opened, Instant::POWER_ON);
        world.carry(0);
        world
    }

    /// Whatever the client says reaches the server at once; at least so many octets of what the server says reach the
    /// client, and more until its owner has an answer.
    fn carry(&mut self, octets: usize) {
        let mut carried = 0;
        loop {
            while let Some(output) = self.client.poll() {
                match output {
                    Output::Transmit(lines) => {
                        self.commands += lines.iter().filter(|&&octet| octet == b'\n').count();
                        self.server.handle(Input::Received(&lines), Instant::POWER_ON);
                    }
                    Output::Event(event) => match (self.events.last_mut(), event) {
                        (Some(Event::Content(before)), Event::Content(more)) => before.extend(more),
                        (_, event) => self.events.push(event),
                    },
                    Output::StartTls | Output::Close | Output::Abort => {}
                }
            }
            while let Some(output) = self.server.poll() {
                if let Output::Transmit(octets) = output {
                    self.on_its_way.extend(octets);
                    self.server.handle(Input::Drained, Instant::POWER_ON);
                }
            }
            if carried >= octets && self.client.deadline().is_none() {
                return;
            }
            let Some(octet) = self.on_its_way.pop_front() else { return };
            self.client.handle(Input::Received(&[octet]), Instant::POWER_ON);
            carried += 1;
        }
    }
}

/// What an owner asks for: rows, for the most part, and among them what makes untrue what is kept.
fn any_requests() -> impl Strategy<Value = Vec<Request>> {
    let row = |(from, count): (u32, u32)| (from..from + count).map(Request::Headers);
    let some = prop_oneof![
        4 => (1u32..12, 3u32..20).prop_map(move |ids| row(ids).collect()),
        4 => (1u32..12, 3u32..9, 0u32..4).prop_map(move |(from, count, ahead)| {
            let deletion = Request::Delete(from + count + ahead);
            row((from, count)).chain([deletion]).chain(row((from + count, 5))).collect()
        }),
        2 => (1u32..12, 3u32..9).prop_map(move |(from, count)| {
            row((from, count)).chain([Request::Reset]).chain(row((from + count, 5))).collect()
        }),
        1 => (1u32..20).prop_map(|id| vec![Request::Stat, Request::List(None), Request::Retrieve(id)]),
        1 => (1u32..20).prop_map(|id| vec![Request::Headers(id), Request::Delete(id), Request::Headers(id + 1)]),
    ];
    prop::collection::vec(some, 0..6).prop_map(|requests: Vec<Vec<Request>>| requests.concat())
}

proptest! {
    /// The owner sees nothing of it: neither does it matter how far the answers have come when the next thing is asked.
    #[test]
    fn the_same_answers_as_without(
        requests in any_requests(),
        mails in prop::collection::vec((0usize..40, 0usize..40), 0..16),
        delays in prop::collection::vec(0usize..300, 1..8),
        has_large in prop::bool::weighted(0.2),
    ) {
        let scale = if has_large { 1_000 } else { 1 };
        let mails: Vec<Vec<u8>> = mails
            .iter()
            .map(|(header, body)| format!("A: {}\r\n\r\n{}\r\n", "x".repeat(header * scale), ".y".repeat(*body)).into_bytes())
            .collect();
        let play = |has_pipelining: bool| {
            let mut world = World::new(has_pipelining, &mails);
            for (request, delay) in requests.iter().zip(delays.iter().cycle()) {
                world.client.request(*request, Instant::POWER_ON).unwrap();
                world.carry(*delay);
            }
            world.client.request(Request::Quit, Instant::POWER_ON).unwrap();
            world.carry(0);
            (world.events, world.server.service().deleted.borrow().clone(), world.commands)
        };
        let (with, without) = (play(true), play(false));
        prop_assert_eq!(with.0, without.0);
        prop_assert_eq!(with.1, without.1);
        // CAPA is in both, STAT in one; and at most one header in vain for each that was wanted.
        prop_assert!(with.2 <= 2 * without.2 + 1, "{} commands instead of {}", with.2, without.2);
    }
}
