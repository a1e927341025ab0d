//! Replies in odd shapes, and servers that do not speak SMTP.

use crate::script::{GOOD_END, Peer, greeting, order, play, play_at_once};
use mail::limits::{REPLY_LINE_OCTETS_MAX, REPLY_LINES_MAX};
use mail::machine::{Input, Instant, Machine, Output};
use mail::smtp::client::{Client, Event, Failure, Nonsense, Step};
use mail::smtp::reply::{BadReply, Reply};

const TRANSACTION: &str = "
    C: MAIL FROM:<mike@server.com>
    S: 250 ok
    C: RCPT TO:<john@server.com>
    S: 250 ok
    C: DATA";

#[test]
fn replies_of_several_lines_and_of_none() {
    let script = "
        S: 220-mx
        S: 220-is glad
        S: 220
        greeted
        C: EHLO modem.example
        S: 250-mx
        S: 250-
        S: 250-XFOO bar
        S: 250
        C: MAIL FROM:<mike@server.com>
        S: 250-a
        S: 250-b
        S: 250 c
        C: RCPT TO:<john@server.com>
        S: 250
        C: DATA";
    play(order, &(script.to_owned() + GOOD_END));
}

#[test]
fn ehlo_refused_for_good_falls_back_to_helo() {
    for code in [500, 501, 502, 504, 550, 554] {
        let script = format!(
            "S: 220 mx\ngreeted\nC: EHLO modem.example\nS: {code} what\nC: HELO modem.example\nS: 250 mx\n"
        );
        play(order, &(script + TRANSACTION + GOOD_END));
    }
    for reply in ["451 later", "530 log in", "354 go"] {
        let script = format!(
            "S: 220 mx\ngreeted\nC: EHLO modem.example\nS: {reply}\nC: QUIT\nS: 221 bye\nclose\n\
             failed answered \"{reply}\" to EHLO"
        );
        play(order, &script);
    }
    let script = "S: 220 mx\ngreeted\nC: EHLO modem.example\nS: 500 what\nC: HELO modem.example\nS: 504 no\n\
        C: QUIT\nS: 221 bye\nclose\nfailed answered \"504 no\" to HELO";
    play(order, script);
}

#[test]
fn a_greeting_that_is_none() {
    for reply in ["554 no SMTP here", "451 later", "250 mx", "354 go", "221 bye"] {
        let script =
            format!("S: {reply}\nC: QUIT\nS: 221 bye\nclose\nfailed answered \"{reply}\" to the connection");
        play(order, &script);
    }
    play(order, "S: 421 busy\nclose\nfailed answered \"421 busy\" to the connection");
    for line in
        ["+OK POP3", "* OK IMAP4rev1", "SSH-2.0-x", "HTTP/1.1 400", "", "22", "220+x", "999 x", "099 x"]
    {
        let mut peer = Peer::new(order());
        peer.say(line);
        let failure = Failure::Malformed(Step::Greeting, BadReply::NoCode.into());
        assert_eq!(peer.outcome, Some(Err(failure)), "{line}");
        assert!(peer.wire.is_empty());
    }
}

#[test]
fn a_reply_whose_code_changes() {
    let script =
        "S: 250-a\nS: 550 b\nclose\nfailed answered MAIL FROM with a multi-line reply whose code changes";
    play(order, &(greeting(&[]) + "C: MAIL FROM:<mike@server.com>\n" + script));
}

#[test]
fn line_ends_of_lf_alone_are_read() {
    let mut peer = Peer::new(order());
    for lines in
        ["220 mx\n", "250-mx\n250 SIZE\n", "250 ok\n", "250 ok\n", "354 go\n", "250 taken\n", "221 bye\n"]
    {
        peer.tell(Input::Received(lines.as_bytes()));
    }
    assert_eq!(peer.outcome, Some(Ok(Reply::new(250, "taken"))));
}

#[test]
fn the_longest_line_and_one_octet_more() {
    let line = |octets: usize| format!("220 {}", "x".repeat(octets - 4));
    let mut peer = Peer::new(order());
    peer.say(&line(REPLY_LINE_OCTETS_MAX));
    assert_eq!(peer.wire, b"EHLO modem.example\r\n");

    let too_long = Failure::Malformed(Step::Greeting, BadReply::LineTooLong.into());
    let mut peer = Peer::new(order());
    peer.say(&line(REPLY_LINE_OCTETS_MAX + 1));
    assert_eq!(peer.outcome, Some(Err(too_long.clone())));

    // An end to it is not waited for.
    for portion in [1, 1_000, 1_000_000] {
        let mut peer = Peer::new(order());
        let octets = vec![b'2'; portion];
        let mut sent = 0;
        while peer.outcome.is_none() {
            peer.tell(Input::Received(&octets));
            sent += portion;
            assert!(sent <= REPLY_LINE_OCTETS_MAX + 2 + portion);
        }
        assert_eq!(peer.outcome, Some(Err(too_long.clone())));
    }
}

#[test]
fn continuation_lines_end() {
    for (lines, outcome) in [
        (REPLY_LINES_MAX - 1, None),
        (REPLY_LINES_MAX + 1, Some(BadReply::TooManyLines)),
        (10_000, Some(BadReply::TooManyLines)),
    ] {
        let mut peer = Peer::new(order());
        peer.tell(Input::Received("220-x\r\n".repeat(lines).as_bytes()));
        peer.say("220 x");
        let failure = |bad: BadReply| Err(Failure::Malformed(Step::Greeting, bad.into()));
        assert_eq!(peer.outcome, outcome.map(failure), "{lines}");
        assert_eq!(peer.wire.is_empty(), outcome.is_some());
    }
}

/// The session's replies, and what was asked at each.
pub(crate) const SESSION: [(&str, Step); 6] = [
    ("220 mx", Step::Greeting),
    ("250 mx", Step::Ehlo),
    ("250 ok", Step::Mail),
    ("250 ok", Step::Rcpt),
    ("354 go", Step::Data),
    ("250 taken", Step::FinalDot),
];

#[test]
fn replies_before_their_commands() {
    for (at, &(reply, step)) in SESSION.iter().enumerate() {
        for extra in ["250 ok\r\n", "2"] {
            let mut peer = Peer::new(order());
            for (line, _) in &SESSION[..at] {
                peer.say(line);
            }
            let said = peer.wire.len();
            peer.tell(Input::Received(format!("{reply}\r\n{extra}").as_bytes()));
            if step == Step::FinalDot {
                // The message is taken, whatever else the server says.
                peer.tell(Input::Closed);
                assert_eq!(peer.outcome, Some(Ok(Reply::new(250, "taken"))));
            } else {
                assert_eq!(peer.outcome, Some(Err(Failure::Malformed(step, Nonsense::TooEarly))));
                assert_eq!(peer.wire.len(), said, "nothing more is said, least of all the message");
            }
        }
    }
    let early = "S: 250 ok\nS: 250 ok\nS: 354 go\nS: 250 taken\nabort\nfailed answered DATA with a reply before its command";
    let group = "C: MAIL FROM:<mike@server.com>\nC+ RCPT TO:<john@server.com>\nC+ DATA\n";
    play_at_once(order(), &(greeting(&["PIPELINING"]) + group + early));
}

#[test]
fn octets_before_the_link_is_open() {
    let mut client = Client::new(order(), Instant::POWER_ON);
    client.handle(Input::Received(b"2"), Instant::POWER_ON);
    assert_eq!(client.poll(), Some(Output::Close));
    let failure = Failure::Malformed(Step::Greeting, Nonsense::TooEarly);
    assert_eq!(client.poll(), Some(Output::Event(Event::Finished(Err(failure)))));
}

#[test]
fn service_not_available_at_any_point() {
    for (at, &(_, step)) in SESSION.iter().enumerate() {
        let mut peer = Peer::new(order());
        for (line, _) in &SESSION[..at] {
            peer.say(line);
        }
        let said = peer.wire.len();
        peer.say("421 bye");
        let failure = peer.outcome.unwrap().unwrap_err();
        assert!(matches!(&failure, Failure::Refused { step: at, .. } if *at == step), "{failure:?}");
        assert_eq!(peer.wire.len(), said, "no QUIT to a server that is gone");
        assert!(!failure.fate_is_unknown());
    }
    // With pipelined commands on their way.
    let group = "C: MAIL FROM:<mike@server.com>\nC+ RCPT TO:<john@server.com>\nC+ DATA\n";
    for (before, step) in [("", "MAIL FROM"), ("S: 250 ok\n", "RCPT TO"), ("S: 250 ok\nS: 250 ok\n", "DATA")]
    {
        let script = format!("{group}{before}S: 421 bye\nclose\nfailed answered \"421 bye\" to {step}");
        play(order, &(greeting(&["PIPELINING"]) + &script));
    }
}

#[test]
fn what_comes_after_a_refusal_changes_nothing() {
    let group =
        "C: MAIL FROM:<mike@server.com>\nC+ RCPT TO:<john@server.com>\nC+ DATA\nS: 250 ok\nS: 550 who\n";
    for after in ["S: 421 bye", "S: what", "S: 250-a\nS: 550 b", "closed", "wait 29999\nwait 1"] {
        let script =
            format!("{group}{after}\nclose\nfailed answered \"550 who\" to RCPT TO:<john@server.com>");
        play(order, &(greeting(&["PIPELINING"]) + &script));
    }
}
