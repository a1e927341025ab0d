//! Who logs in, and by what.
//!
//! Not here: when it is time for that ([`super`]), and the words of SASL ([`crate::sasl`]).

use super::{Client, Step};
use crate::machine::{Output, Passage};
use crate::policy::NoLogIn;
use crate::pop3::apop;
use crate::pop3::response::BadResponse;
use crate::sasl::{BadChallenge, BadCredentials, Credentials, Nonce, Proof};
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Who logs in, and how.
#[derive(Clone, Debug)]
pub struct Account {
    pub(super) credentials: Credentials,
    apop: bool,
    pub(super) log_in: LogIn,
}

/// By what to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogIn {
    /// USER and PASS, or APOP: all that a module knows.
    AsNote,
    /// AUTH (RFC 5034) too. SCRAM goes before APOP, APOP before CRAM-MD5, all that the server's CAPA offers before USER
    /// and PASS. The nonce is for SCRAM.
    Sasl(Nonce),
}

/// Why an account is none that can log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAccount {
    /// USER needs a name.
    #[error("an empty user name")]
    NoUser,
    /// A token is for AUTH.
    #[error("a token, which USER, PASS and APOP cannot carry")]
    Token,
    /// What would smuggle in a command.
    #[error(transparent)]
    Credentials(#[from] BadCredentials),
}

impl Account {
    /// With `apop`, APOP is used if the greeting offers it, and never USER and PASS after it was refused; without, or
    /// if it does not, USER and PASS; before them what `log_in` says.
    ///
    /// # Errors
    /// See [`BadAccount`].
    pub fn new(credentials: Credentials, apop: bool, log_in: LogIn) -> Result<Self, BadAccount> {
        credentials.check()?;
        if credentials.user.is_empty() {
            return Err(BadAccount::NoUser);
        }
        if log_in == LogIn::AsNote && matches!(credentials.proof, Proof::Token(_)) {
            return Err(BadAccount::Token);
        }
        Ok(Self { credentials, apop, log_in })
    }
}

impl Client {
    pub(super) fn log_in(&mut self) {
        match self.way_in() {
            Ok(step) => {
                self.confided.tell(self.account.credentials.proof.secret());
                if self.timestamp.is_some() {
                    self.confided.tell(&Secret::new(self.apop_digest()));
                }
                self.enter(step);
            }
            Err(no_log_in) => self.part(no_log_in.into()),
        }
    }

    /// By what to log in. There is no second way after one that failed: it could only be a weaker one.
    fn way_in(&mut self) -> Result<Step, NoLogIn> {
        let Account { credentials, apop, log_in } = &self.account;
        let (offered, nonce) = match log_in {
            LogIn::AsNote => ("", None),
            LogIn::Sasl(nonce) => {
                let sasl = self.capabilities.as_ref().and_then(|capabilities| capabilities.sasl.as_deref());
                (sasl.unwrap_or_default(), Some(nonce))
            }
        };
        let begun = self.policy.begin(offered, credentials, self.link, nonce);
        let is_free = self.policy.mechanism.is_none() && matches!(credentials.proof, Proof::Password(_));
        let has_apop = is_free && *apop && self.timestamp.is_some();
        if has_apop && !matches!(&begun, Ok(exchange) if exchange.mechanism().needs_nonce()) {
            return Ok(Step::Apop);
        }
        match begun {
            Ok(exchange) => {
                self.exchange = Some(exchange);
                Ok(Step::Auth)
            }
            Err(NoLogIn::NoMechanism { .. }) if is_free => {
                self.policy.allow_in_clear("USER and PASS", credentials, self.link)?;
                Ok(Step::User)
            }
            Err(no_log_in) => Err(no_log_in),
        }
    }

    pub(super) fn apop_digest(&self) -> String {
        let timestamp = self.timestamp.as_deref().unwrap_or_default();
        apop::digest(timestamp, self.account.credentials.proof.secret())
    }

    /// Answers a challenge of an exchange, which is in base64 (RFC 5034 §4).
    pub(super) fn answer_challenge(&mut self, challenge: &[u8]) {
        let Some(exchange) = &mut self.exchange else { return self.malformed(BadResponse::Unasked) };
        let unanswerable = BadChallenge::Unanswerable(exchange.mechanism());
        let answered = STANDARD.decode(challenge.trim_ascii()).map_err(|_| unanswerable);
        match answered.and_then(|challenge| exchange.respond(&challenge)) {
            Ok(response) => {
                self.confided.tell(&response);
                self.tell(|_| Passage::Said(Secret::MASK.to_owned()));
                let line = format!("{}\r\n", STANDARD.encode(response.reveal()));
                self.outputs.push_back(Output::Transmit(line.into_bytes()));
            }
            Err(bad) => {
                self.tell(|_| Passage::Said("*".to_owned()));
                self.outputs.push_back(Output::Transmit(b"*\r\n".to_vec()));
                self.part(bad.into());
            }
        }
    }
}
