//! Silence and closed links at every step, in simulated time.

use crate::hostile::SESSION;
use crate::script::{Peer, Text, greeting, order, play};
use mail::limits::{IDLE_MAX, QUIT_WAIT_MAX};
use mail::machine::{Input, Instant, Machine, Output};
use mail::sasl::Credentials;
use mail::smtp::client::{Client, Event, Failure, Order, Step};
use mail::smtp::reply::Reply;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// Longer sessions, each up to the step that is not answered.
fn unanswered() -> Vec<(Order, Vec<&'static str>, Step)> {
    let login = || Order { credentials: Some(Credentials::with_password("u", "p")), ..order() };
    let mut steps = Vec::new();
    for (at, &(_, step)) in SESSION.iter().enumerate() {
        steps.push((order(), SESSION[..at].iter().map(|&(line, _)| line).collect(), step));
    }
    steps.push((order(), vec!["220 mx", "500 what"], Step::Helo));
    steps.push((login(), vec!["220 mx", "250-mx\r\n250 AUTH LOGIN"], Step::Auth));
    steps.push((login(), vec!["220 mx", "250-mx\r\n250 AUTH LOGIN", "334 "], Step::Auth));
    let pipelining = "250-mx\r\n250 PIPELINING";
    steps.push((order(), vec!["220 mx", pipelining], Step::Mail));
    steps.push((order(), vec!["220 mx", pipelining, "250 ok"], Step::Rcpt));
    steps.push((order(), vec!["220 mx", pipelining, "250 ok", "250 ok"], Step::Data));
    steps
}

fn at_step(order: Order, lines: &[&str]) -> Peer {
    let mut peer = Peer::new(order);
    for line in lines {
        // Each answer takes a while, and the wait begins anew.
        peer.now = peer.now + IDLE_MAX.saturating_sub(MS);
        peer.tell(Input::DeadlinePassed);
        peer.say(line);
    }
    assert_eq!(peer.outcome, None);
    peer
}

#[test]
fn silence_at_every_step_ends_after_30_s() {
    for (order, lines, step) in unanswered() {
        let mut peer = at_step(order, &lines);
        let end = peer.now + Duration::from_secs(30);
        assert_eq!(peer.client.deadline(), Some(end), "{step:?}");
        peer.now = peer.now + (Duration::from_secs(30) - MS);
        peer.tell(Input::DeadlinePassed);
        assert_eq!(peer.outcome, None, "{step:?}");
        peer.now = end;
        peer.tell(Input::DeadlinePassed);
        let failure = if step == Step::Greeting { Failure::NotGreeted } else { Failure::Silent(step) };
        assert_eq!(peer.outcome, Some(Err(failure)));
        assert_eq!(peer.client.deadline(), None);
    }
}

#[test]
fn a_link_closed_at_every_step_is_lost_there() {
    for (order, lines, step) in unanswered() {
        let mut peer = at_step(order, &lines);
        // Half a reply is none.
        peer.tell(Input::Received(b"250-"));
        peer.tell(Input::Closed);
        let failure = peer.outcome.unwrap().unwrap_err();
        assert_eq!(failure, Failure::Lost(step));
        assert_eq!(failure.fate_is_unknown(), step == Step::FinalDot);
    }
}

#[test]
fn a_reply_that_drips_is_waited_for_as_long_as_one_that_does_not_come() {
    for (order, lines, step) in unanswered() {
        let mut peer = at_step(order, &lines);
        for octet in b"250-a\r\n250-bcdefghijklmnopqrstuvwxyz".iter().take(29) {
            peer.now = peer.now + Duration::from_secs(1);
            peer.tell(Input::DeadlinePassed);
            peer.tell(Input::Received(&[*octet]));
            assert_eq!(peer.outcome, None);
        }
        peer.now = peer.now + Duration::from_secs(1);
        peer.tell(Input::DeadlinePassed);
        assert_eq!(peer.outcome, Some(Err(Failure::Silent(step))));
    }
}

#[test]
fn a_link_that_does_not_open() {
    let not_opened = || Some(Output::Event(Event::Finished(Err(Failure::NotOpened))));
    let mut client = Client::new(order(), Instant::from_ms(5));
    client.handle(Input::Closed, Instant::from_ms(5));
    assert_eq!([client.poll(), client.poll(), client.poll()], [Some(Output::Close), not_opened(), None]);

    let mut client = Client::new(order(), Instant::from_ms(5));
    client.handle(Input::DeadlinePassed, Instant::from_ms(30_004));
    assert_eq!(client.poll(), None);
    assert_eq!(client.deadline(), Some(Instant::from_ms(30_005)));
    client.handle(Input::DeadlinePassed, Instant::from_ms(30_005));
    assert_eq!([client.poll(), client.poll(), client.poll()], [Some(Output::Close), not_opened(), None]);
}

#[test]
fn the_wait_in_a_message_begins_anew_with_each_portion() {
    let mut peer = Peer::new(Order { message: Text::of(&[b"a\r\n", b"b\r\n"]), ..order() });
    for line in ["220 mx", "250 mx", "250 ok", "250 ok"] {
        peer.say(line);
    }
    peer.client.handle(Input::Received(b"354 go\r\n"), peer.now);
    peer.write_down();
    // The link is slow, but goes on.
    peer.now = peer.now + Duration::from_millis(29_999);
    peer.client.handle(Input::DeadlinePassed, peer.now);
    peer.client.handle(Input::Drained, peer.now);
    peer.write_down();
    assert!(peer.wire.ends_with(b"b\r\n.\r\n"));
    peer.now = peer.now + Duration::from_millis(29_999);
    peer.client.handle(Input::DeadlinePassed, peer.now);
    // The dot is on its way only now: the server has 30 s from here.
    peer.tell(Input::Drained);
    assert_eq!(peer.client.deadline(), Some(peer.now + IDLE_MAX));
    peer.now = peer.now + IDLE_MAX;
    peer.tell(Input::DeadlinePassed);
    let failure = peer.outcome.unwrap().unwrap_err();
    assert_eq!(failure, Failure::Silent(Step::FinalDot));
    assert!(failure.fate_is_unknown());
}

#[test]
fn the_verdict_on_the_whole_message_can_be_waited_for_longer() {
    let patience = Duration::from_secs(600);
    let mut peer = Peer::new(order());
    peer.client = Client::new(order(), peer.now).waiting_for_the_verdict(patience);
    peer.tell(Input::Opened);
    for line in ["220 mx", "250 mx", "250 ok", "250 ok"] {
        peer.say(line);
        assert_eq!(peer.client.deadline(), Some(peer.now + IDLE_MAX));
    }
    peer.say("354 go");
    peer.tell(Input::Drained);
    assert_eq!(peer.client.deadline(), Some(peer.now + patience));
    peer.now = peer.now + (patience - MS);
    peer.tell(Input::DeadlinePassed);
    peer.say("250 taken");
    assert_eq!(peer.outcome, Some(Ok(Reply::new(250, "taken"))));
}

#[test]
fn a_link_that_takes_nothing_of_the_message() {
    let mut peer = Peer::new(Order { message: Text::of(&[b"a\r\n", b"b\r\n"]), ..order() });
    for line in ["220 mx", "250 mx", "250 ok", "250 ok"] {
        peer.say(line);
    }
    peer.client.handle(Input::Received(b"354 go\r\n"), peer.now);
    peer.write_down();
    peer.now = peer.now + IDLE_MAX;
    peer.tell(Input::DeadlinePassed);
    assert_eq!(peer.outcome, Some(Err(Failure::Silent(Step::Message))));
}

/// Up to the server's word on a message.
const TRANSACTION: &str = "
        C: MAIL FROM:<mike@server.com>
        S: 250 ok
        C: RCPT TO:<john@server.com>
        S: 250 ok
        C: DATA
        S: 354 go
        C: Subject: a
        C+
        C+ b
        C+ .
        S: ";

#[test]
fn what_a_server_says_to_quit_after_it_took_a_message_is_not_waited_for() {
    play(order, &(greeting(&[]) + TRANSACTION + "250 taken\nC: QUIT\nclose\nsent"));
}

#[test]
fn a_failure_stands_whatever_comes_of_quit() {
    assert_eq!(QUIT_WAIT_MAX, Duration::from_secs(5));
    for end in [
        "S: 221 bye",
        "S: 221-a\nS: 221 b",
        "S: 500 what",
        "S: 421 bye",
        "S: garbage",
        "S: 221-a\nS: 500 b",
        "wait 4999\nwait 1",
        "wait 4999\nclosed",
        "closed",
    ] {
        let script =
            format!("554 spam\nC: QUIT\n{end}\nclose\nfailed answered \"554 spam\" to the message's end");
        play(order, &(greeting(&[]) + TRANSACTION + &script));
    }
}

#[test]
fn nothing_is_done_after_the_end() {
    let mut peer = Peer::new(order());
    peer.tell(Input::Closed);
    let transcript = peer.transcript.clone();
    for input in [
        Input::Opened,
        Input::Secured(None),
        Input::Received(b"220 mx\r\n250 mx\r\n"),
        Input::Drained,
        Input::Closed,
        Input::DeadlinePassed,
    ] {
        peer.tell(input);
    }
    assert_eq!(peer.transcript, transcript);
    assert_eq!(peer.client.deadline(), None);
}
