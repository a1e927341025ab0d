//! The client's side of an exchange: what it says first, and to each challenge.
//!
//! Not here: base64 and the lines around it, which are the protocol's.

use super::scram::{Binding, ClientFirst, ServerProof, Verdict};
use super::{Credentials, Mechanism, Nonce, bearer, keyed_digest};
use crate::limits::{SASL_RESPONSE_OCTETS_MAX, SCRAM_ITERATIONS_MAX, SCRAM_ITERATIONS_MIN};
use crate::machine::ChannelBinding;
use crate::secret::Secret;

/// One exchange of words. The responses are secrets.
#[derive(Debug)]
pub struct Exchange {
    mechanism: Mechanism,
    credentials: Credentials,
    next: Next,
    /// In the server's words.
    reason: Option<String>,
}

/// What the client says next.
#[derive(Debug)]
enum Next {
    /// All that it has to say: the server's challenge is a prompt for it, in whatever words.
    Plain,
    User,
    Password,
    Digest,
    Scram(ClientFirst),
    ScramProof(ClientFirst),
    /// Nothing, if the server proves that it knows the password.
    ScramEnd(ServerProof),
    Token,
    /// That the server's report of what is wrong has been read.
    Acknowledgement,
    Nothing,
    /// Nothing; the server has proven itself.
    Proven,
}

/// Why a challenge is not answered: its words read on from the server's name. The exchange is to be cancelled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadChallenge {
    /// It makes no sense in this mechanism, or there is nothing left to say.
    #[error("sent a challenge that {0} cannot answer")]
    Unanswerable(Mechanism),
    /// Fewer rounds would show the password to a guesser, more are no work for this client.
    #[error("asks for {0} rounds of hashing; from {SCRAM_ITERATIONS_MIN} to {SCRAM_ITERATIONS_MAX} are done")]
    Iterations(u32),
    /// No server is bound to take it.
    #[error("cannot be given an answer of {0}: it has over {SASL_RESPONSE_OCTETS_MAX} octets")]
    TooLong(Mechanism),
    /// It is somebody else, or knows another password.
    #[error(transparent)]
    Unproven(#[from] Unproven),
}

/// A server that should have proven that it knows the password, and did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("did not prove that it knows the password, as {0} demands of it")]
pub struct Unproven(Mechanism);

impl Exchange {
    /// Begins an exchange. `binding` is the link's; `offers_binding`, whether the server offers a mechanism that binds.
    pub(crate) fn new(
        mechanism: Mechanism,
        credentials: Credentials,
        nonce: Option<&Nonce>,
        binding: Option<ChannelBinding>,
        offers_binding: bool,
    ) -> Self {
        let scram = |binding| {
            Next::Scram(ClientFirst::new(&credentials.user, nonce.map_or("", Nonce::as_str), binding))
        };
        let next = match (mechanism, binding) {
            (Mechanism::Plain, _) => Next::Plain,
            (Mechanism::Login, _) => Next::User,
            (Mechanism::CramMd5, _) => Next::Digest,
            (Mechanism::Xoauth2 | Mechanism::OauthBearer, _) => Next::Token,
            (Mechanism::ScramSha256Plus, Some(binding)) => scram(Binding::Bound(binding)),
            (Mechanism::ScramSha256, Some(_)) if !offers_binding => scram(Binding::NotOffered),
            (Mechanism::ScramSha256 | Mechanism::ScramSha256Plus, _) => scram(Binding::None),
        };
        Self { mechanism, credentials, next, reason: None }
    }

    /// Of which mechanism.
    #[must_use]
    pub const fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// What goes along with the first command, for mechanisms in which the client speaks first, if in base64 it is of at
    /// most `octets_max`. Otherwise it is what [`Self::respond`] says to the first challenge.
    pub fn initial(&mut self, octets_max: usize) -> Option<Secret> {
        let initial = match &self.next {
            Next::Plain => self.plain(),
            Next::Scram(first) => first.message(),
            Next::Token => self.token(),
            _ => return None,
        };
        (encoded_octets(&initial) <= octets_max).then(|| self.respond(b"").ok()).flatten()
    }

    fn plain(&self) -> Secret {
        let words =
            [b"\0", self.credentials.user.as_slice(), b"\0", self.credentials.proof.secret().reveal()];
        Secret::new(words.concat())
    }

    fn token(&self) -> Secret {
        bearer::message(self.mechanism, &self.credentials.user, self.credentials.proof.secret())
    }

    /// The answer to the server's challenge.
    ///
    /// # Errors
    /// There is none. The exchange is to be cancelled.
    pub fn respond(&mut self, challenge: &[u8]) -> Result<Secret, BadChallenge> {
        let mechanism = self.mechanism;
        let unanswerable = BadChallenge::Unanswerable(mechanism);
        let next = std::mem::replace(&mut self.next, Next::Nothing);
        let (user, secret) = (&self.credentials.user, self.credentials.proof.secret());
        let (response, next) = match next {
            Next::Plain => (self.plain(), Next::Nothing),
            Next::User => (Secret::new(user.clone()), Next::Password),
            Next::Password => (secret.clone(), Next::Nothing),
            // RFC 2195 §2: the challenge is a msg-id. An empty one would make an answer good for ever.
            Next::Digest if !challenge.is_empty() => {
                let digest = keyed_digest(secret.reveal(), challenge).ok_or(unanswerable)?;
                (Secret::new([user, &b" "[..], digest.as_bytes()].concat()), Next::Nothing)
            }
            Next::Scram(first) => (first.message(), Next::ScramProof(first)),
            Next::ScramProof(first) => {
                let (response, owed) = first.answer(mechanism, challenge, secret)?;
                (response, Next::ScramEnd(owed))
            }
            Next::ScramEnd(owed) => match owed.judge(challenge) {
                Verdict::Proven => (Secret::default(), Next::Proven),
                Verdict::Unproven => return Err(Unproven(mechanism).into()),
                // Its refusal follows.
                Verdict::Refused(reason) => {
                    self.reason = Some(bearer::shown(&reason));
                    (Secret::default(), Next::Nothing)
                }
            },
            Next::Token => (self.token(), Next::Acknowledgement),
            Next::Acknowledgement => {
                self.reason = Some(bearer::reason(challenge));
                (Secret::new(bearer::acknowledgement(mechanism)), Next::Nothing)
            }
            Next::Digest | Next::Nothing | Next::Proven => return Err(unanswerable),
        };
        self.next = next;
        if encoded_octets(&response) > SASL_RESPONSE_OCTETS_MAX {
            self.next = Next::Nothing;
            return Err(BadChallenge::TooLong(mechanism));
        }
        Ok(response)
    }

    /// The server lets the client in: whether it had to prove itself, and has.
    ///
    /// # Errors
    /// It had, and has not: nothing must be told to it.
    pub const fn conclude(&self) -> Result<(), Unproven> {
        match (self.mechanism, &self.next) {
            (_, Next::Proven) => Ok(()),
            (Mechanism::ScramSha256 | Mechanism::ScramSha256Plus, _) => Err(Unproven(self.mechanism)),
            _ => Ok(()),
        }
    }

    /// What the server said for a reason, within the exchange, before it refused. Safe to show, but for what it was
    /// told in confidence and quotes.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

/// How long it is in base64.
fn encoded_octets(response: &Secret) -> usize {
    base64::encoded_len(response.reveal().len(), true).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(mechanism: Mechanism, user: &str, secret: &str) -> Exchange {
        let credentials = if matches!(mechanism, Mechanism::Xoauth2 | Mechanism::OauthBearer) {
            Credentials::with_token(user, secret)
        } else {
            Credentials::with_password(user, secret)
        };
        Exchange::new(mechanism, credentials, Some(&Nonce::new([0; 18])), None, false)
    }

    const UNBOUNDED: usize = usize::MAX;

    #[test]
    fn cram_md5_as_in_rfc_2195() {
        let mut cram = exchange(Mechanism::CramMd5, "tim", "tanstaaftanstaaf");
        assert_eq!(cram.initial(UNBOUNDED), None);
        let answer = cram.respond(b"<1896.697170952@postoffice.reston.mci.net>").unwrap();
        assert_eq!(answer.reveal(), b"tim b913a602c7eda7a495b4e6e7334d3890");
        assert!(cram.respond(b"<again@example.org>").is_err());
        assert!(exchange(Mechanism::CramMd5, "tim", "x").respond(b"").is_err());
    }

    #[test]
    fn plain_as_in_rfc_4616() {
        let mut plain = exchange(Mechanism::Plain, "tim", "tanstaaftanstaaf");
        assert_eq!(plain.initial(UNBOUNDED).unwrap().reveal(), b"\0tim\0tanstaaftanstaaf");
        assert!(plain.respond(b"").is_err());
        assert_eq!(exchange(Mechanism::Plain, "a", "b").respond(b"").unwrap().reveal(), b"\0a\0b");
    }

    #[test]
    fn login_answers_two_prompts_and_no_third() {
        let mut login = exchange(Mechanism::Login, "u", "p");
        assert_eq!(login.initial(UNBOUNDED), None);
        assert_eq!(login.respond(b"Username:").unwrap().reveal(), b"u");
        assert_eq!(login.respond(b"whatever").unwrap().reveal(), b"p");
        assert!(login.respond(b"?").is_err());
    }

    #[test]
    fn an_initial_response_goes_along_when_it_fits_and_waits_when_not() {
        // Of 5 octets, so of 8 in base64.
        for (octets_max, goes_along) in [(8, true), (7, false), (0, false)] {
            let mut plain = exchange(Mechanism::Plain, "ab", "c");
            assert_eq!(plain.initial(octets_max).is_some(), goes_along, "{octets_max}");
            assert_eq!(plain.respond(b"").is_ok(), !goes_along);
        }
    }

    #[test]
    fn a_report_about_a_token_is_acknowledged_once() {
        for (mechanism, acknowledgement) in
            [(Mechanism::Xoauth2, &b""[..]), (Mechanism::OauthBearer, b"\x01")]
        {
            let mut token = exchange(mechanism, "u", "t");
            assert!(token.initial(UNBOUNDED).is_some());
            assert_eq!(token.reason(), None);
            let said = token.respond(br#"{"status":"401"}"#).unwrap();
            assert_eq!((said.reveal(), token.reason()), (acknowledgement, Some("401")));
            assert_eq!(token.respond(b"{}"), Err(BadChallenge::Unanswerable(mechanism)));
        }
    }

    #[test]
    fn an_answer_that_no_server_need_take_is_not_given() {
        let user = "u".repeat(SASL_RESPONSE_OCTETS_MAX);
        for mechanism in [Mechanism::Plain, Mechanism::Login, Mechanism::ScramSha256] {
            let mut long = exchange(mechanism, &user, "p");
            assert_eq!(long.respond(b"x"), Err(BadChallenge::TooLong(mechanism)));
            assert!(long.respond(b"x").is_err());
        }
    }

    #[test]
    fn a_server_that_lets_in_without_its_proof_is_not_believed() {
        let mut scram = exchange(Mechanism::ScramSha256, "u", "p");
        assert_eq!(scram.conclude(), Err(Unproven(Mechanism::ScramSha256)));
        let nonce = Nonce::new([0; 18]);
        let challenge = format!("r={}x,s=AAAA,i=4096", nonce.as_str());
        assert!(scram.initial(UNBOUNDED).is_some());
        assert!(scram.respond(challenge.as_bytes()).is_ok());
        assert!(scram.conclude().is_err());
        assert_eq!(scram.respond(b"e=other-error\x1b").unwrap(), Secret::default());
        assert_eq!(scram.reason(), Some("other-error"));
        assert!(scram.conclude().is_err());
        assert_eq!(exchange(Mechanism::Plain, "u", "p").conclude(), Ok(()));
    }
}
