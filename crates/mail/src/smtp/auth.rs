//! The server's side of an authentication: challenges out, a claim in (PLAIN RFC 4616, CRAM-MD5 RFC 2195, and
//! LOGIN, which no RFC describes but every module speaks).
//!
//! Not here: base64 and the lines around it, which are the server's, and whether the claim holds, which is
//! its service's to say.

use crate::sasl::{Mechanism, keyed_digest};
use crate::secret::Secret;

/// Who the client says it is, and its proof. User names that are no UTF-8 have their bad octets replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
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

impl Claim {
    /// Who it is.
    #[must_use]
    pub fn user(&self) -> &str {
        match self {
            Self::Password { user, .. } | Self::CramMd5 { user, .. } => user,
        }
    }

    /// Whether it proves that the client knows the password `expected`.
    #[must_use]
    pub fn proves(&self, expected: &Secret) -> bool {
        match self {
            Self::Password { password, .. } => password == expected,
            Self::CramMd5 { challenge, digest, .. } => keyed_digest(expected.reveal(), challenge.as_bytes())
                .is_some_and(|expected| digest.eq_ignore_ascii_case(&expected)),
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
    Done(Claim),
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
                        Step::Done(Claim::Password { user: text(user), password: Secret::new(password) })
                    }
                    _ => Step::Malformed,
                }
            }
            Self::LoginUser => {
                Step::Challenge("Password:".to_owned(), Self::LoginPassword { user: text(response.reveal()) })
            }
            Self::LoginPassword { user } => Step::Done(Claim::Password { user, password: response }),
            // The user may hold spaces, the digest cannot (RFC 2195 §2).
            Self::CramMd5 { challenge } => match text(response.reveal()).rsplit_once(' ') {
                Some((user, digest)) => {
                    Step::Done(Claim::CramMd5 { user: user.to_owned(), challenge, digest: digest.to_owned() })
                }
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
        let claim_with = |digest: &str| Claim::CramMd5 {
            user: "tim".into(),
            challenge: "<1896.697170952@postoffice.reston.mci.net>".into(),
            digest: digest.into(),
        };
        let good = claim_with("b913a602c7eda7a495b4e6e7334d3890");
        assert!(good.proves(&Secret::new("tanstaaftanstaaf")));
        assert!(!good.proves(&Secret::new("tanstaaf")));
        for bad in ["", "b913a602c7eda7a495b4e6e7334d3891", "b913a602c7eda7a495b4e6e7334d38900", "x"] {
            assert!(!claim_with(bad).proves(&Secret::new("tanstaaftanstaaf")), "{bad:?}");
        }
    }
}
