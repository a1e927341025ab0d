//! The sandbox's servers, told anything by a client.
//!
//! An input: an octet of which the bits choose the service, the name that the server is called by (which may mean
//! trouble) up to a line feed, then the client's words with the marks of `link`.

use crate::link::{Link, Played};
use crate::steps::{choice, steps};
use mail::machine::{Input, Instant, Machine, Output};
use mail::sasl::Mechanism;
use sandbox::mailbox::MemoryMailboxes;
use sandbox::provider::{Connection, Provider, Service, Settings};
use std::convert::Infallible;

/// What a server answers at most to an octet of its client: RETR 1 brings a small mail, CAPA and HELP some lines.
const SENT_OCTETS_PER_OCTET_MAX: usize = 4 * 1024;

struct Server(Connection);

impl Machine for Server {
    type Event = Infallible;

    fn handle(&mut self, input: Input<'_>, now: Instant) {
        self.0.handle(input, now);
    }

    fn poll(&mut self) -> Option<Output<Infallible>> {
        self.0.poll()
    }

    fn deadline(&self) -> Option<Instant> {
        self.0.deadline()
    }
}

fn play(octets: &[u8], portion_octets: usize) -> Option<Played<Infallible>> {
    let (bits, octets) = choice(octets);
    let end = octets.iter().position(|&octet| octet == b'\n')?;
    let (name, words) = octets.split_at(end);
    let mailboxes = MemoryMailboxes::default();
    // Memory has room for them.
    let _ = sandbox::first_mails::deliver(&mailboxes);
    let settings = Settings {
        start_tls: bits & 2 != 0,
        mechanisms: (bits & 4 != 0).then(|| Mechanism::ALL.to_vec()),
        message_octets_max: 1_000,
        ..Settings::default()
    };
    let service = if bits & 1 == 0 { Service::Smtp } else { Service::Pop3 };
    let name = String::from_utf8_lossy(name);
    let connection = Provider::new(mailboxes, settings).connect(service, &name).ok()?;
    let mut link = Link::open(Server(connection), portion_octets);
    for step in steps(words.get(1..).unwrap_or_default()) {
        link.happen(step);
    }
    // A server that has gone silent on purpose waits for its client to go.
    link.tell(Input::Closed);
    Some(link.end())
}

/// Its answers are bounded by what it was asked, and do not depend on the portions of the questions.
pub(crate) fn server(octets: &[u8]) {
    let Some(whole) = play(octets, usize::MAX) else { return };
    assert!(whole.sent().len() <= (octets.len() + 1) * SENT_OCTETS_PER_OCTET_MAX);
    for portion_octets in [1, 3] {
        if let Some(portions) = play(octets, portion_octets) {
            assert_eq!(
                portions.sent().escape_ascii().to_string(),
                whole.sent().escape_ascii().to_string(),
                "in portions of {portion_octets}"
            );
            assert_eq!(portions.handshakes_and_ends(), whole.handshakes_and_ends());
        }
    }
}
