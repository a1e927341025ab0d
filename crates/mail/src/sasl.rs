//! The words of SASL (RFC 4422): PLAIN (RFC 4616), LOGIN (its draft, as servers speak it), CRAM-MD5 (RFC 2195),
//! SCRAM-SHA-256 with and without channel binding (RFC 5802, RFC 7677), and the two ways to hand over an OAuth 2.0
//! access token: XOAUTH2 (as its servers document it) and OAUTHBEARER (RFC 7628).
//!
//! Here are the credentials and the names; `client` has the client's exchange, [`server`] the server's, `scram` and
//! `bearer` what both ends need of the longer mechanisms.
//!
//! Not here: how a protocol carries the words (RFC 4954 for SMTP, RFC 5034 for POP3), base64 included; which mechanism
//! is chosen ([`crate::policy`]); where a token comes from. Names and passwords are octets as given, without SASLprep:
//! it changes no ASCII, and a password that was typed in another charset than UTF-8 has no preparation.

mod bearer;
mod client;
mod scram;
pub mod server;

pub use client::{BadChallenge, Exchange, Unproven};

use crate::limits::TOKEN_OCTETS_MAX;
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use std::fmt::{self, Write};

/// Who logs in, and what proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub user: Vec<u8>,
    /// The proof.
    pub proof: Proof,
}

/// What proves who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A password, for the mechanisms of passwords.
    Password(Secret),
    /// An OAuth 2.0 bearer access token (RFC 6750), for XOAUTH2 and OAUTHBEARER.
    Token(Secret),
}

impl Proof {
    /// The secret itself, whatever it is.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        match self {
            Self::Password(secret) | Self::Token(secret) => secret,
        }
    }

    /// What it is, in a word.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Password(_) => "password",
            Self::Token(_) => "token",
        }
    }
}

/// Why credentials are none that a log-in can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCredentials {
    /// A user name that could smuggle in a command or a field.
    #[error("a user name with a line end or another control character in it")]
    User,
    /// A password that could.
    #[error("a password with CR, LF or NUL in it")]
    Password,
    /// A token that is none by its form (RFC 6750 §2.1), or is empty or of over [`TOKEN_OCTETS_MAX`].
    #[error("a token that is none by its form, or has over {TOKEN_OCTETS_MAX} octets")]
    Token,
}

impl Credentials {
    /// A user name and its password.
    #[must_use]
    pub fn with_password(user: impl Into<Vec<u8>>, password: impl Into<Vec<u8>>) -> Self {
        Self { user: user.into(), proof: Proof::Password(Secret::new(password)) }
    }

    /// A user name and its access token.
    #[must_use]
    pub fn with_token(user: impl Into<Vec<u8>>, token: impl Into<Vec<u8>>) -> Self {
        Self { user: user.into(), proof: Proof::Token(Secret::new(token)) }
    }

    /// Whether every octet of them can be carried.
    ///
    /// # Errors
    /// They must not be sent.
    pub fn check(&self) -> Result<(), BadCredentials> {
        let breaks_line = |octets: &[u8]| octets.iter().any(|b| b"\r\n\0".contains(b));
        match &self.proof {
            _ if breaks_line(&self.user) => Err(BadCredentials::User),
            Proof::Password(password) if breaks_line(password.reveal()) => Err(BadCredentials::Password),
            // ^A ends a field in both mechanisms of tokens.
            Proof::Token(_) if self.user.iter().any(u8::is_ascii_control) => Err(BadCredentials::User),
            Proof::Token(token) if !bearer::is_token(token.reveal()) => Err(BadCredentials::Token),
            Proof::Password(_) | Proof::Token(_) => Ok(()),
        }
    }
}

/// A number used once: what a client adds to an exchange so that no other can be played again. 24 characters of
/// base64. Not a secret, but nobody may know it before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    /// From octets that nobody can guess.
    #[must_use]
    pub fn new(random: [u8; 18]) -> Self {
        Self(STANDARD.encode(random))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A mechanism. `Ord` is the order of preference among those that take the same proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mechanism {
    /// User and password in two answers, in clear.
    Login,
    /// User and password in one answer, in clear.
    Plain,
    /// Proves the password without sending it.
    CramMd5,
    /// Proves the password without sending it, and has the server prove that it knows it.
    ScramSha256,
    /// The same, and both on this very link under TLS.
    ScramSha256Plus,
    /// A token, in clear.
    Xoauth2,
    /// A token, in clear, as RFC 7628 has it.
    OauthBearer,
}

impl Mechanism {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Login,
        Self::Plain,
        Self::CramMd5,
        Self::ScramSha256,
        Self::ScramSha256Plus,
        Self::Xoauth2,
        Self::OauthBearer,
    ];

    /// The mechanism of a name in any case, `None` for one that is not spoken here.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.name().eq_ignore_ascii_case(name))
    }

    /// Its registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Login => "LOGIN",
            Self::Plain => "PLAIN",
            Self::CramMd5 => "CRAM-MD5",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::Xoauth2 => "XOAUTH2",
            Self::OauthBearer => "OAUTHBEARER",
        }
    }

    /// Whether it proves by what `proof` is.
    #[must_use]
    pub const fn takes(self, proof: &Proof) -> bool {
        matches!(self, Self::Xoauth2 | Self::OauthBearer) == matches!(proof, Proof::Token(_))
    }

    /// Whether somebody who reads along can log in with what it sends.
    #[must_use]
    pub const fn shows_the_secret(self) -> bool {
        matches!(self, Self::Login | Self::Plain | Self::Xoauth2 | Self::OauthBearer)
    }

    /// Whether the client must add a [`Nonce`].
    #[must_use]
    pub const fn needs_nonce(self) -> bool {
        matches!(self, Self::ScramSha256 | Self::ScramSha256Plus)
    }

    /// Whether it proves to be on the same link under TLS as the other end.
    #[must_use]
    pub const fn binds(self) -> bool {
        matches!(self, Self::ScramSha256Plus)
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// HMAC-MD5 in lower-case hexadecimal digits, as CRAM-MD5 writes it (RFC 2195 §2).
fn keyed_digest(key: &[u8], text: &[u8]) -> Option<String> {
    // HMAC takes a key of any length; the error cannot come, and would cancel the exchange.
    let mut mac = Hmac::<Md5>::new_from_slice(key).ok()?;
    mac.update(text);
    let mut digits = String::with_capacity(32);
    for octet in mac.finalize().into_bytes() {
        write!(digits, "{octet:02x}").ok()?;
    }
    Some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_is_the_greatest() {
        assert!(Mechanism::ALL.is_sorted());
        assert!(Mechanism::ScramSha256Plus > Mechanism::CramMd5 && Mechanism::Plain > Mechanism::Login);
        for mechanism in Mechanism::ALL {
            assert_eq!(Mechanism::named(&mechanism.name().to_lowercase()), Some(mechanism));
        }
        assert_eq!(Mechanism::named("NTLM"), None);
    }

    #[test]
    fn credentials_that_would_smuggle_something_in() {
        for bad in ["a\r", "\nb", "a\0"] {
            assert_eq!(Credentials::with_password(bad, "p").check(), Err(BadCredentials::User));
            assert_eq!(Credentials::with_password("u", bad).check(), Err(BadCredentials::Password));
            assert_eq!(Credentials::with_token("u", bad).check(), Err(BadCredentials::Token));
        }
        assert_eq!(Credentials::with_token("u\x01auth=x", "t").check(), Err(BadCredentials::User));
        assert_eq!(Credentials::with_token("u", "").check(), Err(BadCredentials::Token));
        assert_eq!(Credentials::with_password("", "").check(), Ok(()));
        assert_eq!(Credentials::with_token("u@example.com", "ya29.x_-").check(), Ok(()));
    }

    #[test]
    fn a_token_does_not_show_itself() {
        let told = format!("{:?}", Credentials::with_token("u", "ya29"));
        assert_eq!(told, format!("Credentials {{ user: {:?}, proof: Token(***) }}", b"u"));
    }
}
