//! The server's side of an exchange: challenges out, a claim in.
//!
//! Not here: base64 and the lines around it, which are the protocol's, and whether a claim holds, which is its service's
//! to say; but that of SCRAM, where the server must prove that it knows the password, too.

use super::scram::{ServerFirst, ServerProof};
use super::{Mechanism, bearer, keyed_digest};
use crate::machine::ChannelBinding;
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
    /// SCRAM's proof, which the server has judged.
    Scram {
        /// Who it is.
        user: String,
        /// Whether the client knows the password.
        is_proven: bool,
    },
    /// An access token.
    Token {
        /// Who it is.
        user: String,
        /// What it was given.
        token: Secret,
        /// By which mechanism.
        mechanism: Mechanism,
    },
}

impl Claim {
    /// Who it is.
    #[must_use]
    pub fn user(&self) -> &str {
        match self {
            Self::Password { user, .. }
            | Self::CramMd5 { user, .. }
            | Self::Scram { user, .. }
            | Self::Token { user, .. } => user,
        }
    }

    /// Whether it proves that the client knows the password, or has the token, `expected`.
    #[must_use]
    pub fn proves(&self, expected: &Secret) -> bool {
        match self {
            Self::Password { password: given, .. } | Self::Token { token: given, .. } => given == expected,
            Self::CramMd5 { challenge, digest, .. } => keyed_digest(expected.reveal(), challenge.as_bytes())
                .is_some_and(|expected| digest.eq_ignore_ascii_case(&expected)),
            Self::Scram { is_proven, .. } => *is_proven,
        }
    }

    /// What the client is told within the exchange, to which it has an answer, before the claim is refused.
    pub(crate) const fn report(&self) -> Option<&'static str> {
        match self {
            Self::Token { mechanism, .. } => Some(bearer::report(*mechanism)),
            Self::Password { .. } | Self::CramMd5 { .. } | Self::Scram { .. } => None,
        }
    }
}

/// What a server has to do with, on one link.
pub(crate) struct Ground<'a> {
    /// What CRAM-MD5 asks with, and SCRAM adds for a nonce.
    pub(crate) challenge: &'a str,
    /// What a log-in is bound to, where a mechanism that binds is offered.
    pub(crate) binding: Option<ChannelBinding>,
    /// The password of a user, if there is one: SCRAM cannot do without.
    pub(crate) password_of: &'a mut dyn FnMut(&str) -> Option<Secret>,
}

/// An exchange that waits for the client's next response.
#[derive(Debug)]
pub(crate) enum Exchange {
    /// For the client to speak first.
    Begun(Mechanism),
    LoginPassword {
        user: String,
    },
    CramMd5 {
        challenge: String,
    },
    ScramProof(ServerFirst),
    /// The client is to say nothing to the server's own proof.
    ScramEnd {
        user: String,
    },
}

/// What comes after the client spoke.
pub(crate) enum Step {
    Challenge(Secret, Exchange),
    Done(Claim),
    /// What it said makes no sense in this mechanism.
    Malformed,
}

impl Exchange {
    /// Begins with `mechanism`.
    pub(crate) fn begin(mechanism: Mechanism, initial: Option<Secret>, ground: &mut Ground<'_>) -> Step {
        match (mechanism, initial) {
            (Mechanism::CramMd5, None) => {
                let challenge = ground.challenge.to_owned();
                Step::Challenge(Secret::new(challenge.clone()), Self::CramMd5 { challenge })
            }
            // The server speaks first here: there is nothing yet to respond to (RFC 4954 §4).
            (Mechanism::CramMd5, Some(_)) => Step::Malformed,
            (Mechanism::Login, None) => Step::Challenge(Secret::new("Username:"), Self::Begun(mechanism)),
            (_, None) => Step::Challenge(Secret::default(), Self::Begun(mechanism)),
            (_, Some(initial)) => Self::Begun(mechanism).respond(&initial, ground),
        }
    }

    /// Takes the response, decoded.
    pub(crate) fn respond(self, response: &Secret, ground: &mut Ground<'_>) -> Step {
        let said = response.reveal();
        match self {
            Self::Begun(Mechanism::Plain) => {
                let parts: Vec<&[u8]> = said.split(|&b| b == 0).collect();
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
            Self::Begun(Mechanism::Login) => {
                Step::Challenge(Secret::new("Password:"), Self::LoginPassword { user: text(said) })
            }
            Self::LoginPassword { user } => Step::Done(Claim::Password { user, password: response.clone() }),
            Self::Begun(mechanism @ (Mechanism::Xoauth2 | Mechanism::OauthBearer)) => {
                match bearer::read(mechanism, said) {
                    Some((user, token)) => Step::Done(Claim::Token { user: text(&user), token, mechanism }),
                    None => Step::Malformed,
                }
            }
            Self::Begun(mechanism @ (Mechanism::ScramSha256 | Mechanism::ScramSha256Plus)) => {
                match ServerFirst::new(said, ground.challenge, ground.binding, mechanism.binds()) {
                    Some(first) => Step::Challenge(Secret::new(first.message()), Self::ScramProof(first)),
                    None => Step::Malformed,
                }
            }
            Self::ScramProof(first) => {
                let user = text(&first.user);
                let password = (ground.password_of)(&user);
                match password.and_then(|password| first.judge(said, &password)) {
                    Some(proof) => Step::Challenge(ServerProof::message(&proof), Self::ScramEnd { user }),
                    None => Step::Done(Claim::Scram { user, is_proven: false }),
                }
            }
            Self::ScramEnd { user } if said.is_empty() => Step::Done(Claim::Scram { user, is_proven: true }),
            Self::ScramEnd { .. } => Step::Malformed,
            // The user may hold spaces, the digest cannot (RFC 2195 §2).
            Self::CramMd5 { challenge } => match text(said).rsplit_once(' ') {
                Some((user, digest)) => {
                    Step::Done(Claim::CramMd5 { user: user.to_owned(), challenge, digest: digest.to_owned() })
                }
                None => Step::Malformed,
            },
            Self::Begun(Mechanism::CramMd5) => Step::Malformed,
        }
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
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
