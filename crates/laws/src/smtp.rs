//! The SMTP client, told anything by a server.
//!
//! An input: an octet of which the bits choose the order, one that chooses the mechanism demanded, then the server's
//! words with the marks of `link`.

use crate::link::{Link, Played};
use crate::sasl::{SECRET, any_credentials, any_mechanism, any_nonce, shows};
use crate::steps::{Step, choice, octets_of, steps};
use mail::machine::{Instant, Output};
use mail::policy::{InClear, Policy, Security};
use mail::smtp::client::{
    BadRecipient, Client, Event, Failure, Nonsense, Order, Prepared, Submission, Unreadable,
};
use mail::smtp::command::Path;
use mail::smtp::reply::Reply;

const CONTENT: &[u8] = b"Subject: a\r\n\r\n.b\r\n";

/// Most octets that a client of one small message says: its longest line is an answer of 12,288 octets.
const SENT_OCTETS_MAX: usize = 64 * 1024;

struct Content(Option<&'static [u8]>);

impl Submission for Content {
    fn prepare(&mut self, _: bool) -> Prepared {
        Prepared { octets: CONTENT.len() as u64, eight_bit: false }
    }

    fn next(&mut self, content: &mut Vec<u8>) -> Result<bool, Unreadable> {
        content.extend_from_slice(self.0.take().unwrap_or_default());
        Ok(false)
    }
}

fn order(bits: u8, mechanism: u8) -> Order {
    let security = match bits & 3 {
        0 => Security::WhenOffered,
        1 => Security::Required,
        _ => Security::AsOpened,
    };
    let in_clear = if bits & 8 == 0 { InClear::Allowed } else { InClear::Refused };
    Order {
        hello_name: "modem.example".to_owned(),
        policy: Policy { security, in_clear, mechanism: any_mechanism(mechanism) },
        credentials: (bits & 4 == 0).then(|| any_credentials(bits & 16 != 0)),
        nonce: any_nonce(bits & 32 == 0),
        sender: "mike@server.com".parse().unwrap_or(Path::null()),
        recipients: ["a@x", "jürgen@x", "c@x"].map(str::to_owned).to_vec(),
        bad_recipient: if bits & 64 == 0 { BadRecipient::Skip } else { BadRecipient::Fail },
        message: Box::new(Content(Some(CONTENT))),
    }
}

fn play(octets: &[u8], portion_octets: usize, is_traced: bool) -> Played<Event> {
    let (bits, octets) = choice(octets);
    let (mechanism, octets) = choice(octets);
    let mut client = Client::new(order(bits, mechanism), Instant::POWER_ON);
    if is_traced {
        client.trace();
    }
    let mut link = Link::open(client, portion_octets);
    for step in steps(octets) {
        link.happen(step);
    }
    link.end()
}

/// What a send came to.
fn outcome(played: &Played<Event>) -> Option<&Result<Reply, Failure>> {
    let mut finished = played.events().filter_map(|event| match event {
        Event::Finished(outcome) => Some(outcome),
        _ => None,
    });
    let outcome = finished.next();
    assert!(finished.next().is_none(), "two outcomes");
    outcome
}

/// One outcome, in bounded words; the whole message before a success; no secret in what is told; and whatever portions
/// the server's words come in, the same of it all.
pub(crate) fn client(octets: &[u8]) {
    let whole = play(octets, usize::MAX, false);
    let outcome = outcome(&whole);
    assert!(outcome.is_some(), "no outcome");
    assert!(matches!(whole.outputs.last(), Some(Output::Event(Event::Finished(_)))));
    let (handshakes, ends) = whole.handshakes_and_ends();
    assert!(handshakes <= 1 && ends == 1, "{handshakes} handshakes, {ends} ends");
    let sent = whole.sent();
    assert!(sent.len() <= SENT_OCTETS_MAX, "{} octets sent", sent.len());
    let has = |part: &[u8]| sent.windows(part.len()).any(|window| window == part);
    if matches!(outcome, Some(Ok(_))) {
        assert!(has(b"\r\nSubject: a\r\n\r\n..b\r\n.\r\n"), "success without the whole message");
    }
    if let Some(Err(failure)) = outcome
        && failure.fate_is_unknown()
    {
        assert!(has(b"\r\n.\r\n"), "the fate of a message that was not sent whole is known");
    }

    let traced = play(octets, usize::MAX, true);
    if !shows(&octets_of(octets)) {
        for event in traced.events() {
            assert!(!shows(format!("{event:?}").as_bytes()), "{event:?} shows {SECRET}");
        }
    }

    // A reply before its command is known for it only when it comes with the one before it (see the client's words).
    let is_early = |outcome: Option<&Result<Reply, Failure>>| {
        matches!(outcome, Some(Err(Failure::Malformed(_, Nonsense::TooEarly | Nonsense::Injected))))
    };
    let has_turns = steps(octets).all(|step| match step {
        Step::Octets(octets) => {
            octets.iter().position(|&octet| octet == b'\n').is_none_or(|end| end + 1 == octets.len())
        }
        Step::Mark(_) => true,
    });
    if has_turns && !is_early(outcome) {
        for portion_octets in [1, 3] {
            let portions = play(octets, portion_octets, false);
            assert_eq!(portions.outputs, whole.outputs, "in portions of {portion_octets}");
        }
    }
}
