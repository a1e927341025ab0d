//! The POP3 client, told anything by a server.
//!
//! An input: an octet of which the bits choose the account, one that chooses the mechanism demanded, then the server's
//! words with the marks of `link`, and for each request of the owner a mark with a digit, or with `h`: the header of the
//! next message.

use crate::link::{Link, Played};
use crate::sasl::{SECRET, any_credentials, any_mechanism, any_nonce, shows};
use crate::steps::{Step, choice, octets_of, steps};
use mail::machine::{Input, Instant, Machine as _, Output};
use mail::policy::{InClear, Policy, Security};
use mail::pop3::client::{Account, Client, Event, LogIn, Request};

/// Octets that a client says at most to log in, and for one request.
const SENT_OCTETS_MAX: usize = 32 * 1024;
const REQUEST_OCTETS_MAX: usize = 64;

fn client_of(bits: u8, mechanism: u8) -> Option<Client> {
    let security = match bits & 3 {
        0 => Security::WhenOffered,
        1 => Security::Required,
        _ => Security::AsOpened,
    };
    let in_clear = if bits & 8 == 0 { InClear::Allowed } else { InClear::Refused };
    let log_in = any_nonce(bits & 32 == 0).map_or(LogIn::AsNote, LogIn::Sasl);
    let account = Account::new(any_credentials(bits & 16 != 0), bits & 4 == 0, log_in).ok()?;
    let policy = Policy { security, in_clear, mechanism: any_mechanism(mechanism) };
    Some(Client::new(account, policy, Instant::POWER_ON))
}

/// `header`: of which message the header was asked for last.
fn request(letter: u8, header: &mut u32) -> Option<Request> {
    Some(match letter {
        b'0' => Request::Stat,
        b'1' => Request::List(None),
        b'2' => Request::List(Some(1)),
        b'3' => Request::Uidl(None),
        b'4' => Request::Uidl(Some(1)),
        b'5' | b'h' => {
            *header = if letter == b'h' { header.saturating_add(1) } else { 1 };
            Request::Headers(*header)
        }
        b'6' => Request::Retrieve(1),
        b'7' => Request::Delete(1),
        b'8' => Request::Reset,
        b'9' => Request::Quit,
        _ => return None,
    })
}

/// What it wanted, with texts in one piece; and which requests were not taken.
fn play(octets: &[u8], portion_octets: usize, is_traced: bool) -> Option<(Played<Event>, usize)> {
    let (bits, octets) = choice(octets);
    let (mechanism, octets) = choice(octets);
    let mut client = client_of(bits, mechanism)?;
    if is_traced {
        client.trace();
    }
    let mut link = Link::open(client, portion_octets);
    let (mut requests, mut header) = (0, 0);
    for step in steps(octets) {
        let request = if let Step::Mark(letter) = step { request(letter, &mut header) } else { None };
        match request {
            Some(request) => {
                let is_taken = link.machine.request(request, link.now).is_ok();
                requests += usize::from(is_taken);
                link.tell(Input::Drained);
            }
            None => link.happen(step),
        }
    }
    // An owner with nothing more to ask: an idle session has no deadline.
    if link.machine.deadline().is_none() {
        link.tell(Input::Closed);
    }
    let mut played = link.end();
    let mut outputs: Vec<Output<Event>> = Vec::new();
    for output in played.outputs {
        match (outputs.last_mut(), output) {
            (Some(Output::Event(Event::Content(before))), Output::Event(Event::Content(more))) => {
                assert!(!more.is_empty());
                before.extend(more);
            }
            (_, output) => outputs.push(output),
        }
    }
    played.outputs = outputs;
    Some((played, requests))
}

/// One last event, and nothing behind it; one answer to each request at most; bounded words; no secret in what is told; and
/// whatever portions the server's words come in, the same of it all.
pub(crate) fn client(octets: &[u8]) {
    let Some((whole, requests)) = play(octets, usize::MAX, false) else { return };
    let is_last = |event: &Event| matches!(event, Event::LoggedOut | Event::Ended(_));
    assert_eq!(whole.events().filter(|event| is_last(event)).count(), 1, "one end");
    assert!(whole.events().last().is_some_and(is_last), "an event after the end");
    let (handshakes, ends) = whole.handshakes_and_ends();
    assert!(handshakes <= 1 && ends <= 1, "{handshakes} handshakes, {ends} ends");
    let is_answer = |event: &&Event| {
        matches!(
            event,
            Event::Stat { .. } | Event::ListEnd | Event::ContentEnd | Event::Done | Event::Refused { .. }
        )
    };
    assert!(whole.events().filter(is_answer).count() <= requests, "more answers than requests");
    // A request for a header section may take two commands: one asked ahead in vain, or RETR where there is no TOP.
    assert!(whole.sent().len() <= SENT_OCTETS_MAX + 2 * requests * REQUEST_OCTETS_MAX);
    let content = |event: &Event| if let Event::Content(octets) = event { octets.len() } else { 0 };
    assert!(whole.events().map(content).sum::<usize>() <= octets.len(), "more content than came");

    if !shows(&octets_of(octets))
        && let Some((traced, _)) = play(octets, usize::MAX, true)
    {
        for event in traced.events() {
            assert!(!shows(format!("{event:?}").as_bytes()), "{event:?} shows {SECRET}");
        }
    }

    for portion_octets in [1, 3] {
        if let Some((portions, _)) = play(octets, portion_octets, false) {
            assert_eq!(portions.outputs, whole.outputs, "in portions of {portion_octets}");
        }
    }
}
