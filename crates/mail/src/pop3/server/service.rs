//! What a server serves, and what goes wrong with it: accounts, locks and storage are behind this.
//!
//! Deliberately not here: the session ([`super::Server`]).

use crate::pop3::apop;
use crate::pop3::capability::Capabilities;
use crate::pop3::command::Command;
use crate::sasl::server::Claim;
use crate::secret::Secret;

/// What happens in place of what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// -ERR with this text, perhaps with a response code first. Where none can stand, inside a message, it is a cut.
    Refuse(String),
    /// No answer, to this and to anything after it.
    Silence,
    /// The link is closed without a word.
    Cut,
    /// These octets, in place of an answer; inside a message, before the next portion of it.
    Garbage(Vec<u8>),
}

/// A message as listings show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Its size: the octets with CRLF line ends and without stuffed dots (RFC 1939 §11).
    pub octets: u64,
    /// Its unique identifier: 1 to 70 characters from 0x21 to 0x7E (RFC 1939 §7).
    pub unique: String,
}

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof<'a> {
    /// By AUTH.
    Sasl(&'a Claim),
    /// By PASS.
    Password(&'a Secret),
    /// By APOP.
    Digest {
        /// What the greeting offered.
        timestamp: &'a str,
        /// What the client made of it.
        digest: &'a str,
    },
}

impl Proof<'_> {
    /// Whether it proves knowledge of `password`, or of the token.
    #[must_use]
    pub fn holds_for(&self, password: &Secret) -> bool {
        match self {
            Self::Sasl(claim) => claim.proves(password),
            Self::Password(given) => *given == password,
            Self::Digest { timestamp, digest } => apop::digest(timestamp, password) == *digest,
        }
    }
}

/// The text of a message.
pub trait Content {
    /// The next octets of it, at most [`CHUNK_OCTETS`](crate::limits::CHUNK_OCTETS); none at the end. Lines end with CRLF.
    ///
    /// # Errors
    /// What happens in place of them.
    fn read(&mut self) -> Result<Vec<u8>, Reaction>;
}

/// What a server serves, and what goes wrong with it. The error of each method is what happens in place of what was
/// asked for.
pub trait Service {
    /// How a message is read.
    type Content: Content;

    /// The text of the greeting. A timestamp in it offers APOP (RFC 1939 §7).
    ///
    /// # Errors
    /// What happens in place of a greeting. A refusal ends the session.
    fn greeting(&mut self) -> Result<String, Reaction>;

    /// What CAPA lists. TOP, UIDL, STLS and AUTH are unknown commands if they are not in it; STLS is left out under TLS,
    /// and a mechanism that binds where the link has nothing to bind to.
    fn capabilities(&self) -> Capabilities;

    /// What CRAM-MD5 asks with, and SCRAM adds as its nonce: a text like `<1896.697170952@host>`, another one on each
    /// link (RFC 2195 §2). Needed where CAPA lists either.
    fn challenge(&self) -> String {
        String::new()
    }

    /// The password of a user. SCRAM needs it before a claim is made; without it, the claim is that nothing is proven.
    fn password_of(&mut self, _user: &str) -> Option<Secret> {
        None
    }

    /// A well-formed command came, and is obeyed unless this objects. Here a user name may be refused.
    ///
    /// # Errors
    /// What happens in place of obedience.
    fn before(&mut self, _command: &Command) -> Result<(), Reaction> {
        Ok(())
    }

    /// Somebody logs in: the messages, in the order of their numbers, which begin with 1.
    ///
    /// # Errors
    /// A refusal, or trouble. Another log-in may follow.
    fn log_in(&mut self, name: &[u8], proof: Proof<'_>) -> Result<Vec<Mail>, Reaction>;

    /// Opens message number `id`, which is one of those listed, and not marked.
    ///
    /// # Errors
    /// What happens in place of the message.
    fn open(&mut self, id: u32) -> Result<Self::Content, Reaction>;

    /// The client said QUIT: the messages of these numbers are deleted now (RFC 1939 §6). Never called otherwise.
    ///
    /// # Errors
    /// What happens in place of the +OK. The session ends all the same.
    fn commit(&mut self, marked: &[u32]) -> Result<(), Reaction>;
}
