//! The laws of `mail::machine`, by chance.

use crate::script::{Peer, Text, order_to};
use mail::limits::CHUNK_OCTETS;
use mail::machine::{Input, Instant, Machine, Output};
use mail::policy::{Policy, Security};
use mail::sasl::Credentials;
use mail::smtp::client::{BadRecipient, Client, Event, Order};
use proptest::prelude::*;

/// All that there is: TLS, a log-in, several recipients.
fn order(bad_recipient: BadRecipient, security: Security) -> Order {
    Order {
        policy: Policy { security, ..Policy::default() },
        credentials: Some(Credentials::with_password("u", "p")),
        message: Text::of(&[b"Subject: a\r\n", b"\r\n.\r\n", b".b"]),
        ..order_to(&["a@x", "b@x", "c@x"], bad_recipient)
    }
}

/// What a server that minds its manners says, each time it is its turn.
fn turns(pipelining: bool, recipients: [&'static str; 3], data: &'static str) -> Vec<String> {
    let capabilities = if pipelining { "250-mx\r\n250-PIPELINING\r\n" } else { "250-mx\r\n" };
    let mut turns = vec![
        "220-mx\r\n220 hi\r\n".to_owned(),
        "250-mx\r\n250 STARTTLS\r\n".to_owned(),
        "220 go\r\n".to_owned(),
        format!("{capabilities}250 AUTH LOGIN\r\n"),
        "334 VXNlcm5hbWU6\r\n".to_owned(),
        "334 UGFzc3dvcmQ6\r\n".to_owned(),
        "235 in\r\n".to_owned(),
    ];
    let replies: Vec<String> =
        std::iter::once("250 ok").chain(recipients).map(|reply| format!("{reply}\r\n")).collect();
    turns.extend(if pipelining { vec![replies.concat()] } else { replies });
    turns.push(format!("{data}\r\n"));
    turns.push("250 taken\r\n".to_owned());
    turns.push("221 bye\r\n".to_owned());
    turns
}

/// Plays the turns with each cut into portions of these sizes, round and round.
fn transcript(order: Order, turns: &[String], portions: &[usize]) -> Vec<String> {
    let mut peer = Peer::new(order);
    let mut portions = portions.iter().cycle();
    for (at, turn) in turns.iter().enumerate() {
        let mut rest = turn.as_bytes();
        while !rest.is_empty() {
            let (portion, after) = rest.split_at((*portions.next().unwrap()).min(rest.len()));
            peer.tell(Input::Received(portion));
            peer.tell(Input::DeadlinePassed);
            rest = after;
        }
        if at == 2 {
            peer.tell(Input::Secured(None));
        }
    }
    peer.transcript
}

fn input(kind: u8, octets: &[u8]) -> Input<'_> {
    match kind {
        0 => Input::Opened,
        1 => Input::Secured(None),
        2 => Input::Drained,
        3 => Input::DeadlinePassed,
        4 => Input::Closed,
        _ => Input::Received(octets),
    }
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    let lines: &[&[u8]] = &[
        b"220 mx\r\n",
        b"220 mx\r\n",
        b"250 ok\r\n",
        b"250-mx\r\n250-SIZE\r\n250-PIPELINING\r\n250 AUTH PLAIN CRAM-MD5\r\n",
        b"250-mx\r\n250 STARTTLS\r\n",
        b"235 in\r\n",
        b"334 PDFAeD4=\r\n",
        b"354 go\r\n",
        b"421 bye\r\n",
        b"550 no\r\n",
        b"530 no\r\n",
        b"250-",
        b"\r\n",
    ];
    prop_oneof![
        9 => prop::sample::select(lines).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..3_000),
    ]
}

proptest! {
    #[test]
    fn portions_make_no_difference_to_a_session(
        portions in prop::collection::vec(1usize..12, 1..8),
        pipelining: bool,
        policy in prop::sample::select(vec![BadRecipient::Fail, BadRecipient::Skip]),
        recipients in prop::array::uniform3(prop::sample::select(vec!["250 ok", "550-no\r\n550 no", "451 later"])),
        data in prop::sample::select(vec!["354 go", "554 no"]),
    ) {
        let turns = turns(pipelining, recipients, data);
        let whole = transcript(order(policy, Security::Required), &turns, &[usize::MAX]);
        let cut = transcript(order(policy, Security::Required), &turns, &portions);
        prop_assert_eq!(&cut, &whole);
        let octets = transcript(order(policy, Security::Required), &turns, &[1]);
        prop_assert_eq!(octets, whole);
    }

    #[test]
    fn no_octets_and_no_order_of_calls_upset_it(
        security in prop::sample::select(vec![Security::AsOpened, Security::WhenOffered, Security::Required]),
        policy in prop::sample::select(vec![BadRecipient::Fail, BadRecipient::Skip]),
        log_in: bool,
        is_polled: bool,
        calls in prop::collection::vec(
            (prop_oneof![1 => 0u8..5, 4 => Just(5u8)], octets(), 0u64..2_000), 0..60),
    ) {
        let mut order = order(policy, security);
        order.credentials = order.credentials.filter(|_| log_in);
        let mut client = Client::new(order, Instant::POWER_ON);
        let mut now = Instant::POWER_ON;
        client.handle(Input::Opened, now);
        let mut outputs = Vec::new();
        for (kind, octets, ms) in &calls {
            now = Instant::from_ms(now.as_ms() + ms);
            client.handle(input(*kind, octets), now);
            if is_polled {
                outputs.extend(std::iter::from_fn(|| client.poll()));
            }
        }
        let has_ended = client.deadline().is_none();
        // Whatever came before, silence is its end.
        for _ in 0..2 {
            if let Some(deadline) = client.deadline() {
                client.handle(Input::DeadlinePassed, deadline);
            }
        }
        prop_assert_eq!(client.deadline(), None, "ended before: {}", has_ended);
        outputs.extend(std::iter::from_fn(|| client.poll()));
        let sent: usize = outputs.iter().map(|output| match output {
            Output::Transmit(octets) => octets.len(),
            _ => 0,
        }).sum();
        prop_assert!(sent < CHUNK_OCTETS);
        let finished = |output: &Output<Event>| matches!(output, Output::Event(Event::Finished(_)));
        prop_assert_eq!(outputs.iter().filter(|output| finished(output)).count(), 1);
        prop_assert!(outputs.last().is_some_and(finished));
        prop_assert_eq!(outputs.iter().rev().nth(1), Some(&Output::Close));
        prop_assert_eq!(outputs.iter().filter(|output| **output == Output::Close).count(), 1);
    }
}
