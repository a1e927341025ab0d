//! The client's side of SASL, challenged with anything; and the secrets that are not to be shown.

use crate::steps::choice;
use mail::limits::{REASON_OCTETS_MAX, SASL_RESPONSE_OCTETS_MAX};
use mail::machine::ChannelBinding;
use mail::policy::{Link, Policy};
use mail::sasl::{Credentials, Mechanism, Nonce};

/// Password and token of every account here.
pub(crate) const SECRET: &str = "Zebra-7-Quark";

/// The start of it in base64.
const SECRET_BASE64: &[u8] = b"WmVicmEtNy1RdWFya";

/// Whether the secret can be read in `octets`.
pub(crate) fn shows(octets: &[u8]) -> bool {
    let has = |part: &[u8]| octets.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part));
    has(SECRET.as_bytes()) || has(SECRET_BASE64)
}

pub(crate) fn any_credentials(is_token: bool) -> Credentials {
    if is_token {
        Credentials::with_token("user", SECRET)
    } else {
        Credentials::with_password("user", SECRET)
    }
}

pub(crate) fn any_nonce(is_there: bool) -> Option<Nonce> {
    is_there.then(|| Nonce::new([0; 18]))
}

/// None for most octets.
pub(crate) fn any_mechanism(octet: u8) -> Option<Mechanism> {
    Mechanism::ALL.get(usize::from(octet.wrapping_sub(b'1'))).copied()
}

/// An input: an octet that chooses credentials and link, one that chooses the mechanism, then challenges, each a line.
///
/// No answer is too long for a server, none but those of mechanisms that show the secret shows it, a mechanism ends
/// after its few answers, and only a server that proved itself is believed where one must.
pub(crate) fn client(octets: &[u8]) {
    let (bits, octets) = choice(octets);
    let (mechanism, challenges) = choice(octets);
    let link = match bits & 3 {
        0 => Link::Clear,
        1 => Link::Secured(None),
        _ => Link::Secured(Some(ChannelBinding::TlsExporter([7; 32]))),
    };
    let credentials = any_credentials(bits & 4 != 0);
    let nonce = any_nonce(bits & 8 == 0);
    let policy = Policy { mechanism: any_mechanism(mechanism), ..Policy::default() };
    let offered = Mechanism::ALL.map(Mechanism::name).join(if bits & 16 == 0 { " " } else { " X " });
    let Ok(mut exchange) = policy.begin(&offered, &credentials, link, nonce.as_ref()) else { return };
    let mechanism = exchange.mechanism();
    let mut answers = usize::from(exchange.initial(if bits & 32 == 0 { 255 } else { 0 }).is_some());
    let mut proofs = 0;
    for challenge in challenges.split(|&octet| octet == b'\n') {
        proofs += usize::from(challenge.starts_with(b"v="));
        let Ok(answer) = exchange.respond(challenge) else { break };
        answers += 1;
        assert!(answer.reveal().len() <= SASL_RESPONSE_OCTETS_MAX);
        if !mechanism.shows_the_secret() && !shows(challenge) {
            assert!(!shows(answer.reveal()), "{mechanism} shows the secret");
        }
    }
    assert!(answers <= 3, "{answers} answers by {mechanism}");
    if mechanism.needs_nonce() && exchange.conclude().is_ok() {
        assert!(answers >= 2 && proofs > 0, "a server that proved nothing is believed");
    }
    if let Some(reason) = exchange.reason() {
        assert!(reason.len() <= REASON_OCTETS_MAX && !reason.contains(char::is_control), "{reason:?}");
    }
}
