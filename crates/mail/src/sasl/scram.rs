//! SCRAM-SHA-256 (RFC 5802, RFC 7677), both ends: the four messages, and what is computed of them.
//!
//! Not here: which end says what when ([`super::client`], [`super::server`]). Extensions are passed over, but for a
//! mandatory one, which ends the exchange.

use super::BadChallenge;
use super::Mechanism;
use crate::limits::{SCRAM_ITERATIONS, SCRAM_ITERATIONS_MAX, SCRAM_ITERATIONS_MIN};
use crate::machine::ChannelBinding;
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::digest::Key;
use hmac::{Hmac, KeyInit, Mac};
use pbkdf2::pbkdf2_hmac;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

type Octets = [u8; 32];

/// What the client says of channel binding (RFC 5802 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    /// `n`: it has none, or was told not to use it.
    None,
    /// `y`: it has one, and the server does not offer to bind. A server that does knows then that somebody took its
    /// offer away.
    NotOffered,
    /// `p`.
    Bound(ChannelBinding),
}

impl Binding {
    /// The start of the client's first message, without an authorization identity.
    fn header(self) -> String {
        match self {
            Self::None => "n,,".to_owned(),
            Self::NotOffered => "y,,".to_owned(),
            Self::Bound(binding) => format!("p={},,", binding.name()),
        }
    }

    /// The header and the octets of the link, as the client's last message has them.
    fn input(self) -> String {
        let mut input = self.header().into_bytes();
        if let Self::Bound(binding) = self {
            input.extend_from_slice(binding.octets());
        }
        STANDARD.encode(input)
    }
}

/// The client's first message.
#[derive(Debug)]
pub(super) struct ClientFirst {
    binding: Binding,
    nonce: String,
    /// Without the header.
    bare: Vec<u8>,
}

impl ClientFirst {
    pub(super) fn new(user: &[u8], nonce: &str, binding: Binding) -> Self {
        let bare = [b"n=", escaped(user).as_slice(), b",r=", nonce.as_bytes()].concat();
        Self { binding, nonce: nonce.to_owned(), bare }
    }

    pub(super) fn message(&self) -> Secret {
        Secret::new([self.binding.header().as_bytes(), &self.bare].concat())
    }

    /// The client's last message, and the proof that the server owes.
    pub(super) fn answer(
        &self,
        mechanism: Mechanism,
        server_first: &[u8],
        password: &Secret,
    ) -> Result<(Secret, ServerProof), BadChallenge> {
        let unanswerable = || BadChallenge::Unanswerable(mechanism);
        let text = std::str::from_utf8(server_first).map_err(|_| unanswerable())?;
        let mut fields = text.split(',');
        let mut field =
            |name| fields.next().and_then(|field| field.strip_prefix(name)).ok_or_else(unanswerable);
        let (nonce, salt, iterations) = (field("r=")?, field("s=")?, field("i=")?);
        let own = nonce.strip_prefix(&self.nonce).ok_or_else(unanswerable)?;
        let salt = STANDARD.decode(salt).map_err(|_| unanswerable())?;
        let iterations: u32 = iterations.parse().map_err(|_| unanswerable())?;
        if own.is_empty() || salt.is_empty() || !nonce.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Err(unanswerable());
        }
        if !(SCRAM_ITERATIONS_MIN..=SCRAM_ITERATIONS_MAX).contains(&iterations) {
            return Err(BadChallenge::Iterations(iterations));
        }
        let without_proof = format!("c={},r={nonce}", self.binding.input());
        let keys = Keys::derive(password, &salt, iterations);
        let authenticated = authenticated(&self.bare, server_first, without_proof.as_bytes());
        let proof = STANDARD.encode(*keys.client_proof(&authenticated));
        let server = ServerProof(Secret::new(keyed(&keys.server, &authenticated)));
        Ok((Secret::new(format!("{without_proof},p={proof}")), server))
    }
}

/// What only a server that knows the password can say.
#[derive(Debug)]
pub(super) struct ServerProof(Secret);

/// The server's last message.
pub(super) enum Verdict {
    /// It has proven itself, and lets the client in.
    Proven,
    /// It says why it does not.
    Refused(Vec<u8>),
    /// It is not who it should be.
    Unproven,
}

impl ServerProof {
    pub(super) fn message(&self) -> Secret {
        Secret::new(format!("v={}", STANDARD.encode(self.0.reveal())))
    }

    pub(super) fn judge(&self, server_final: &[u8]) -> Verdict {
        let first = server_final.split(|&octet| octet == b',').next().unwrap_or_default();
        if let Some(reason) = first.strip_prefix(b"e=") {
            return Verdict::Refused(reason.to_vec());
        }
        let proof = first.strip_prefix(b"v=").and_then(|proof| STANDARD.decode(proof).ok());
        if proof.as_deref() == Some(self.0.reveal()) { Verdict::Proven } else { Verdict::Unproven }
    }
}

/// The server's first message, and what led to it.
#[derive(Debug)]
pub(crate) struct ServerFirst {
    pub(super) user: Vec<u8>,
    binding: Binding,
    nonce: String,
    client_bare: Vec<u8>,
    message: String,
}

impl ServerFirst {
    /// Answers the client's first message; `binding` is the link's, if the server offers to bind to it, and `bound`
    /// whether the client chose that. `None` for what cannot be answered.
    pub(super) fn new(
        client_first: &[u8],
        nonce: &str,
        binding: Option<ChannelBinding>,
        bound: bool,
    ) -> Option<Self> {
        let mut parts = client_first.splitn(3, |&octet| octet == b',');
        let (flag, authorization, bare) = (parts.next()?, parts.next()?, parts.next()?);
        let binding = match (flag, binding) {
            (b"n", _) if !bound => Binding::None,
            // An offer that was taken away on its way to the client (RFC 5802 §6).
            (b"y", None) if !bound => Binding::NotOffered,
            (flag, Some(binding)) if bound && flag.strip_prefix(b"p=") == Some(binding.name().as_bytes()) => {
                Binding::Bound(binding)
            }
            _ => return None,
        };
        let mut fields = bare.split(|&octet| octet == b',');
        let user = unescaped(fields.next()?.strip_prefix(b"n=")?)?;
        let client_nonce = std::str::from_utf8(fields.next()?.strip_prefix(b"r=")?).ok()?;
        // Nobody acts for somebody else here.
        if user.is_empty() || client_nonce.is_empty() || !authorization.is_empty() {
            return None;
        }
        let nonce = format!("{client_nonce}{}", nonce.replace(',', "."));
        let salt = Sha256::digest(&user);
        let message = format!(
            "r={nonce},s={},i={SCRAM_ITERATIONS}",
            STANDARD.encode(salt.get(..16).unwrap_or_default())
        );
        Some(Self { user, binding, nonce, client_bare: bare.to_vec(), message })
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// Judges the client's last message by the password that it should know: the server's own proof, unless the
    /// client's is wrong. `None` also for what is no such message.
    pub(super) fn judge(&self, client_final: &[u8], password: &Secret) -> Option<ServerProof> {
        let at = client_final.windows(3).rposition(|window| window == b",p=")?;
        let (without_proof, proof) = (client_final.get(..at)?, client_final.get(at + 3..)?);
        let expected = format!("c={},r={}", self.binding.input(), self.nonce);
        if without_proof != expected.as_bytes() {
            return None;
        }
        let salt = Sha256::digest(&self.user);
        let keys = Keys::derive(password, salt.get(..16)?, SCRAM_ITERATIONS);
        let authenticated = authenticated(&self.client_bare, self.message.as_bytes(), without_proof);
        let is_right =
            STANDARD.decode(proof).ok()?.as_slice() == keys.client_proof(&authenticated).as_slice();
        is_right.then(|| ServerProof(Secret::new(keyed(&keys.server, &authenticated))))
    }
}

/// A name within one of the fields (RFC 5801 §4).
pub(super) fn escaped(user: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(user.len());
    for &octet in user {
        match octet {
            b',' => name.extend_from_slice(b"=2C"),
            b'=' => name.extend_from_slice(b"=3D"),
            octet => name.push(octet),
        }
    }
    name
}

/// What [`escaped`] made it of, unless it was something else.
pub(super) fn unescaped(name: &[u8]) -> Option<Vec<u8>> {
    let mut parts = name.split(|&octet| octet == b'=');
    let mut user = parts.next()?.to_vec();
    for part in parts {
        let (escape, rest) = part.split_at_checked(2)?;
        user.push(match escape {
            b"2C" => b',',
            b"3D" => b'=',
            _ => return None,
        });
        user.extend_from_slice(rest);
    }
    Some(user)
}

/// RFC 5802 §3: the messages that both proofs are about.
fn authenticated(client_bare: &[u8], server_first: &[u8], without_proof: &[u8]) -> Vec<u8> {
    [client_bare, server_first, without_proof].join(&b","[..])
}

/// RFC 5802 §3.
struct Keys {
    client: Zeroizing<Octets>,
    server: Zeroizing<Octets>,
}

impl Keys {
    fn derive(password: &Secret, salt: &[u8], iterations: u32) -> Self {
        let mut salted = Zeroizing::new([0; 32]);
        pbkdf2_hmac::<Sha256>(password.reveal(), salt, iterations, &mut *salted);
        let key = |name: &[u8]| Zeroizing::new(keyed(&salted, name));
        Self { client: key(b"Client Key"), server: key(b"Server Key") }
    }

    fn client_proof(&self, authenticated: &[u8]) -> Zeroizing<Octets> {
        let stored = Sha256::digest(*self.client);
        let mut proof = Zeroizing::new(keyed(&stored.into(), authenticated));
        for (octet, key) in proof.iter_mut().zip(self.client.iter()) {
            *octet ^= key;
        }
        proof
    }
}

/// HMAC-SHA-256.
fn keyed(key: &Octets, text: &[u8]) -> Octets {
    // A shorter key is one padded with zeros (RFC 2104 §2).
    let mut block = Key::<Hmac<Sha256>>::default();
    for (octet, key) in block.iter_mut().zip(key) {
        *octet = *key;
    }
    let mac = Hmac::<Sha256>::new(&block).chain_update(text);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Mechanism = Mechanism::ScramSha256;
    const EXPORTER: ChannelBinding = ChannelBinding::TlsExporter([7; 32]);

    /// RFC 7677 §3.
    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const SERVER_FIRST: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    fn answered(server_first: &str) -> Result<(Secret, ServerProof), BadChallenge> {
        let first = ClientFirst::new(b"user", NONCE, Binding::None);
        first.answer(PLAIN, server_first.as_bytes(), &Secret::new("pencil"))
    }

    #[test]
    fn the_example_of_rfc_7677() {
        let first = ClientFirst::new(b"user", NONCE, Binding::None);
        assert_eq!(first.message().reveal(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let (last, owed) = answered(SERVER_FIRST).unwrap();
        assert_eq!(
            last.reveal(),
            b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
              p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        let proof = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(owed.message().reveal(), proof.as_bytes());
        assert!(matches!(owed.judge(proof.as_bytes()), Verdict::Proven));
        for wrong in ["", "v=", "v=!", "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "v=AAAA"] {
            assert!(matches!(owed.judge(wrong.as_bytes()), Verdict::Unproven), "{wrong}");
        }
        assert!(
            matches!(owed.judge(b"e=invalid-proof"), Verdict::Refused(reason) if reason == b"invalid-proof")
        );
    }

    #[test]
    fn a_first_message_of_the_server_that_is_none() {
        let whole = |nonce: &str, salt: &str, rounds: &str| format!("r={NONCE}{nonce},s={salt},i={rounds}");
        assert!(answered(&(whole("x", "AAAA", "4096") + ",x=more")).is_ok());
        for bad in [
            String::new(),
            "Rubbish".to_owned(),
            "e=other-error".to_owned(),
            "r=another,s=AAAA,i=4096".to_owned(),
            format!("m=what,{SERVER_FIRST}"),
            whole("", "AAAA", "4096"),
            whole("\u{e9}", "AAAA", "4096"),
            whole("x", "", "4096"),
            whole("x", "A", "4096"),
            whole("x", "AAAA", ""),
            whole("x", "AAAA", "-1"),
            whole("x", "AAAA", "4294967296"),
        ] {
            assert_eq!(answered(&bad).unwrap_err(), BadChallenge::Unanswerable(PLAIN), "{bad}");
        }
        for rounds in [0, 1, SCRAM_ITERATIONS_MIN - 1, SCRAM_ITERATIONS_MAX + 1, u32::MAX] {
            let bad = whole("x", "AAAA", &rounds.to_string());
            assert_eq!(answered(&bad).unwrap_err(), BadChallenge::Iterations(rounds));
        }
    }

    #[test]
    fn what_is_said_of_the_binding() {
        let input = |binding: Binding| STANDARD.decode(binding.input()).unwrap();
        assert_eq!(Binding::NotOffered.input(), "eSws");
        assert_eq!(input(Binding::Bound(EXPORTER)), [&b"p=tls-exporter,,"[..], &[7; 32]].concat());
        let first = ClientFirst::new(b"a,b=c", "n", Binding::Bound(EXPORTER));
        assert_eq!(first.message().reveal(), b"p=tls-exporter,,n=a=2Cb=3Dc,r=n");
        assert_eq!(unescaped(&escaped(b"a,b=c,")).unwrap(), b"a,b=c,");
        for bad in [&b"a="[..], b"a=2", b"=2c", b"a=3Da=4D"] {
            assert_eq!(unescaped(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_server_takes_the_flag_that_fits_what_it_offers_and_no_other() {
        let take = |flag: &str, binding, bound| {
            ServerFirst::new(format!("{flag},,n=u,r=c").as_bytes(), "<1@b>", binding, bound).is_some()
        };
        let exporter = Some(EXPORTER);
        assert!(take("n", None, false) && take("y", None, false) && take("n", exporter, false));
        assert!(take("p=tls-exporter", exporter, true));
        // Somebody took the offer away on its way.
        assert!(!take("y", exporter, false));
        for flag in ["n", "y", "p", "p=", "p=tls-unique", "x", ""] {
            assert!(!take(flag, exporter, true), "{flag}");
        }
        assert!(!take("p=tls-exporter", exporter, false) && !take("p=tls-exporter", None, true));
        for bad in ["", "n", "n,,", "n,,n=u", "n,,n=,r=c", "n,,n=u,r=", "n,a=other,n=u,r=c", "n,,m=x,n=u,r=c"]
        {
            assert!(ServerFirst::new(bad.as_bytes(), "s", None, false).is_none(), "{bad}");
        }
    }

    #[test]
    fn another_link_another_password_and_another_message_prove_nothing() {
        let password = Secret::new("pencil");
        let first = ClientFirst::new(b"u", "c", Binding::Bound(EXPORTER));
        let server = |binding| ServerFirst::new(first.message().reveal(), "s", Some(binding), true).unwrap();
        let here = server(EXPORTER);
        let (last, _) =
            first.answer(Mechanism::ScramSha256Plus, here.message().as_bytes(), &password).unwrap();
        assert!(here.judge(last.reveal(), &password).is_some());
        assert!(here.judge(last.reveal(), &Secret::new("Pencil")).is_none());
        let elsewhere = server(ChannelBinding::TlsExporter([8; 32]));
        assert!(elsewhere.judge(last.reveal(), &password).is_none());
        for bad in [&b""[..], b"c=biws,r=cs,p=AAAA", b",p=", &last.reveal()[1..]] {
            assert!(here.judge(bad, &password).is_none(), "{bad:?}");
        }
    }
}
