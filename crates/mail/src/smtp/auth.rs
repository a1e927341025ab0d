//! The server's side of an authentication: challenges out, credentials in (PLAIN RFC 4616, CRAM-MD5 RFC 2195, and
//! LOGIN, which no RFC describes but every module speaks).
//!
//! Not here: base64 and the lines around it, which are the server's, and whether the credentials are good, which is
//! its service's to say.

use crate::secret::Secret;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::Md5;

/// What a server can offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// One response: authorization identity, user and password, with NULs between.
    Plain,
    /// User, then password, each asked for.
    Login,
    /// The user and a digest of a challenge that only the password's owner can make.
    CramMd5,
}

impl Mechanism {
    /// All of them, in the order in which EHLO lists them.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Login, Self::CramMd5];

    /// Its registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
        }
    }
}

/// Who the client says it is, and its proof. User names that are no UTF-8 have their bad octets replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// The password itself.
    Password {
        /// Who it is.
        user: String,
        /// What it knows.
        password: Secret,
    },
    /// A digest in place of the password.
    CramMd5 {
        /// Who it is.
        user: String,
        /// The text that was to be digested.
        challenge: String,
        /// HMAC-MD5 of it, 32 hexadecimal digits if the client is right.
        digest: String,
    },
}

impl Credentials {
    /// Who it is.
    #[must_use]
    pub fn user(&self) -> &str {
        match self {
            Self::Password { user, .. } | Self::CramMd5 { user, .. } => user,
        }
    }

    /// Whether they prove that the client knows `expected`.
    #[must_use]
    pub fn prove(&self, expected: &Secret) -> bool {
        match self {
            Self::Password { password, .. } => password == expected,
            Self::CramMd5 { challenge, digest, .. } => {
                let is_hex = digest.len() == 32 && digest.bytes().all(|b| b.is_ascii_hexdigit());
                let (true, Ok(digest)) = (is_hex, u128::from_str_radix(digest, 16)) else { return false };
                Hmac::<Md5>::new_from_slice(expected.reveal()).is_ok_and(|mut mac| {
                    mac.update(challenge.as_bytes());
                    mac.verify_slice(&digest.to_be_bytes()).is_ok()
                })
            }
        }
    }
}

/// An exchange that waits for the client's next response.
#[derive(Debug)]
pub(super) enum Exchange {
    Plain,
    LoginUser,
    LoginPassword { user: String },
    CramMd5 { challenge: String },
}

/// What comes after the client spoke.
pub(super) enum Step {
    Challenge(String, Exchange),
    Done(Credentials),
    /// What it said makes no sense in this mechanism.
    Malformed,
}

impl Exchange {
    /// Begins with `mechanism`; `challenge` is what CRAM-MD5 asks with.
    pub(super) fn begin(mechanism: Mechanism, initial: Option<Secret>, challenge: &str) -> Step {
        let (question, exchange) = match mechanism {
            Mechanism::Plain => (String::new(), Self::Plain),
            Mechanism::Login => ("Username:".to_owned(), Self::LoginUser),
            Mechanism::CramMd5 => (challenge.to_owned(), Self::CramMd5 { challenge: challenge.to_owned() }),
        };
        match (initial, &exchange) {
            (None, _) => Step::Challenge(question, exchange),
            // The server speaks first here: there is nothing yet to respond to (RFC 4954 §4).
            (Some(_), Self::CramMd5 { .. }) => Step::Malformed,
            (Some(initial), _) => exchange.respond(initial),
        }
    }

    /// Takes the response, decoded.
    pub(super) fn respond(self, response: Secret) -> Step {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        match self {
            Self::Plain => {
                let parts: Vec<&[u8]> = response.reveal().split(|&b| b == 0).collect();
                match *parts {
                    // Nobody acts for somebody else here (RFC 4616 §2: authorization identity).
                    [authorization, user, password]
                        if !user.is_empty() && (authorization.is_empty() || authorization == user) =>
                    {
                        Step::Done(Credentials::Password {
                            user: text(user),
                            password: Secret::new(password),
                        })
                    }
                    _ => Step::Malformed,
                }
            }
            Self::LoginUser => {
                Step::Challenge("Password:".to_owned(), Self::LoginPassword { user: text(response.reveal()) })
            }
            Self::LoginPassword { user } => Step::Done(Credentials::Password { user, password: response }),
            // The user may hold spaces, the digest cannot (RFC 2195 §2).
            Self::CramMd5 { challenge } => match text(response.reveal()).rsplit_once(' ') {
                Some((user, digest)) => Step::Done(Credentials::CramMd5 {
                    user: user.to_owned(),
                    challenge,
                    digest: digest.to_owned(),
                }),
                None => Step::Malformed,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_2195_is_proof() {
        let credentials = |digest: &str| Credentials::CramMd5 {
            user: "tim".into(),
            challenge: "<1896.697170952@postoffice.reston.mci.net>".into(),
            digest: digest.into(),
        };
        let good = credentials("b913a602c7eda7a495b4e6e7334d3890");
        assert!(good.prove(&Secret::new("tanstaaftanstaaf")));
        assert!(!good.prove(&Secret::new("tanstaaf")));
        for bad in ["", "b913a602c7eda7a495b4e6e7334d3891", "+913a602c7eda7a495b4e6e7334d3890", "x"] {
            assert!(!credentials(bad).prove(&Secret::new("tanstaaftanstaaf")), "{bad:?}");
        }
    }
}
