//! The client's words of SASL: PLAIN (RFC 4616), LOGIN (its draft, as servers speak it) and CRAM-MD5 (RFC 2195).
//!
//! Not here: how a protocol carries the words (RFC 4954 for SMTP, RFC 5034 for POP3), base64 included.

use crate::secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use std::fmt::{self, Write};

/// A user name and its password. Neither holds CR, LF or NUL; the owner sees to that, since no protocol can carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub user: Vec<u8>,
    /// The password.
    pub password: Secret,
}

/// A mechanism, weakest first: `Ord` is their order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mechanism {
    /// User and password in two answers, in clear.
    Login,
    /// User and password in one answer, in clear.
    Plain,
    /// Proves the password without sending it.
    CramMd5,
}

impl Mechanism {
    /// The mechanism of a name in any case, `None` for one that is not spoken here.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::CramMd5, Self::Plain, Self::Login].into_iter().find(|m| m.name().eq_ignore_ascii_case(name))
    }

    /// Its registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Login => "LOGIN",
            Self::Plain => "PLAIN",
            Self::CramMd5 => "CRAM-MD5",
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One exchange of words. The responses are secrets.
#[derive(Debug)]
pub struct Exchange {
    mechanism: Mechanism,
    credentials: Credentials,
    given: u8,
}

impl Exchange {
    /// Begins an exchange.
    #[must_use]
    pub const fn new(mechanism: Mechanism, credentials: Credentials) -> Self {
        Self { mechanism, credentials, given: 0 }
    }

    /// What may go along with the first command, for mechanisms in which the client speaks first.
    pub fn initial(&mut self) -> Option<Secret> {
        if self.mechanism != Mechanism::Plain {
            return None;
        }
        self.given = 1;
        Some(self.plain())
    }

    /// The answer to the server's challenge; `None` when the mechanism has none left to give, or the challenge is not
    /// one to answer. The exchange is to be cancelled then.
    pub fn respond(&mut self, challenge: &[u8]) -> Option<Secret> {
        self.given += 1;
        match (self.mechanism, self.given) {
            (Mechanism::Plain, 1) => Some(self.plain()),
            // The challenges are prompts for people, in whatever words.
            (Mechanism::Login, 1) => Some(Secret::new(self.credentials.user.clone())),
            (Mechanism::Login, 2) => Some(self.credentials.password.clone()),
            // RFC 2195 §2: the challenge is a msg-id. An empty one would make an answer good for ever.
            (Mechanism::CramMd5, 1) if !challenge.is_empty() => {
                let mut answer = self.credentials.user.clone();
                answer.push(b' ');
                answer.extend_from_slice(
                    keyed_digest(self.credentials.password.reveal(), challenge)?.as_bytes(),
                );
                Some(Secret::new(answer))
            }
            _ => None,
        }
    }

    fn plain(&self) -> Secret {
        let Credentials { user, password } = &self.credentials;
        Secret::new([b"\0", user.as_slice(), b"\0", password.reveal()].concat())
    }
}

/// HMAC-MD5 in lower-case hexadecimal digits, as CRAM-MD5 writes it (RFC 2195 §2).
pub(crate) fn keyed_digest(key: &[u8], text: &[u8]) -> Option<String> {
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

    fn exchange(mechanism: Mechanism, user: &str, password: &str) -> Exchange {
        Exchange::new(mechanism, Credentials { user: user.into(), password: Secret::new(password) })
    }

    #[test]
    fn cram_md5_as_in_rfc_2195() {
        let mut cram = exchange(Mechanism::CramMd5, "tim", "tanstaaftanstaaf");
        assert_eq!(cram.initial(), None);
        let answer = cram.respond(b"<1896.697170952@postoffice.reston.mci.net>").unwrap();
        assert_eq!(answer.reveal(), b"tim b913a602c7eda7a495b4e6e7334d3890");
        assert_eq!(cram.respond(b"<again@example.org>"), None);
        assert_eq!(exchange(Mechanism::CramMd5, "tim", "x").respond(b""), None);
    }

    #[test]
    fn plain_as_in_rfc_4616() {
        let mut plain = exchange(Mechanism::Plain, "tim", "tanstaaftanstaaf");
        assert_eq!(plain.initial().unwrap().reveal(), b"\0tim\0tanstaaftanstaaf");
        assert_eq!(plain.respond(b""), None);
        assert_eq!(exchange(Mechanism::Plain, "a", "b").respond(b"").unwrap().reveal(), b"\0a\0b");
    }

    #[test]
    fn login_answers_two_prompts_and_no_third() {
        let mut login = exchange(Mechanism::Login, "u", "p");
        assert_eq!(login.initial(), None);
        assert_eq!(login.respond(b"Username:").unwrap().reveal(), b"u");
        assert_eq!(login.respond(b"whatever").unwrap().reveal(), b"p");
        assert_eq!(login.respond(b"?"), None);
    }

    #[test]
    fn the_strongest_is_the_greatest() {
        assert!(Mechanism::CramMd5 > Mechanism::Plain && Mechanism::Plain > Mechanism::Login);
        assert_eq!(Mechanism::named("cram-md5"), Some(Mechanism::CramMd5));
        assert_eq!(Mechanism::named("NTLM"), None);
    }
}
