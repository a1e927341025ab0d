//! The upstream map: what the terminal names, and the server that is really called instead.
//!
//! The rules of the config are asked in their order, and the first that matches is taken. What matches none goes to the
//! server as it was named, by today's rules: TLS where it can be had, and no password in clear.
//!
//! Not here: how a rule is written ([`crate::config`]), and how its link is opened ([`crate::network`]).

mod explain;
mod pattern;

pub use explain::{call, explain};
pub use pattern::Pattern;

use crate::oauth::{TokenError, Tokens};
use crate::tls::{KeptTrust, Trust};
use mail::policy::{InClear, Policy, Security};
use mail::sasl::{Credentials, Mechanism, Nonce, Proof};
use mail::secret::Secret;
use modem::modem::Protocol;
use modem::route::{Account, Call, Rewriting, Route};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The rules, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upstreams {
    rules: Vec<Arc<Upstream>>,
    as_named: Arc<Upstream>,
}

impl Upstreams {
    /// These rules.
    #[must_use]
    pub fn new(rules: Vec<Upstream>) -> Self {
        Self { rules: rules.into_iter().map(Arc::new).collect(), as_named: Arc::default() }
    }

    /// The rules.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.rules.iter()
    }

    /// The names of those that are not as they were, or are new.
    #[must_use]
    pub fn changed_since(&self, before: &Self) -> BTreeSet<String> {
        let changed = self.rules.iter().filter(|rule| before.named(&rule.name) != Some(rule));
        changed.map(|rule| rule.name.clone()).collect()
    }

    /// The rule of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Arc<Upstream>> {
        self.rules.iter().find(|rule| rule.name == name)
    }

    /// The rule for a call on the line of this name.
    #[must_use]
    pub fn find(&self, line: &str, call: &Call) -> &Arc<Upstream> {
        self.rules.iter().find(|rule| rule.matching.takes(line, call)).unwrap_or(&self.as_named)
    }

    /// What the rules are called, in their order.
    #[must_use]
    pub fn names(&self) -> String {
        self.rules.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// What the owner of `lines` may not have meant, in words.
    pub fn doubts<'a>(&self, lines: impl IntoIterator<Item = &'a str> + Clone) -> Vec<String> {
        let mut doubts = Vec::new();
        for (at, rule) in self.rules.iter().enumerate() {
            let mut doubt = |words: &str| doubts.push(format!("upstream {} {words}", rule.name));
            if let Some(words) = rule.doubt() {
                doubt(words);
            }
            let takes_all = |before: &Upstream| before.matching.takes_all_of(rule.matching.protocol);
            if let Some(before) = self.rules.iter().take(at).find(|before| takes_all(before)) {
                doubt(&format!("takes no call: {} before it takes all of them", before.name));
            }
            if let Some(pattern) = &rule.matching.line
                && !lines.clone().into_iter().chain([CONSOLE_LINE]).any(|line| pattern.matches(line))
            {
                doubt(&format!("takes no call: there is no line {pattern}"));
            }
        }
        doubts
    }
}

/// Where servers speak TLS from the first octet (RFC 8314 §7.3, §7.1).
const IMPLICIT_PORTS: [u16; 2] = [465, 995];

/// The name of the line that the console is, for rules about lines.
pub const CONSOLE_LINE: &str = "console";

/// A rule, and what it leads to. The default takes everything to where it was named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upstream {
    /// What it is called in the log; empty for the default.
    pub name: String,
    /// Which calls it takes.
    pub matching: Matching,
    /// The server, if not the one that was named.
    pub host: Option<String>,
    /// Its port, if not the one that was named.
    pub port: Option<u16>,
    /// When TLS begins, if not as usual at its port.
    pub tls: Option<TlsMode>,
    /// Whose certificates are good.
    pub trust: KeptTrust,
    /// Who logs in.
    pub log_in: LogIn,
    /// The one mechanism to log in by.
    pub mechanism: Option<Mechanism>,
    /// Whether a password may go in clear to a server that is not this machine.
    pub allow_cleartext_password: bool,
    /// What becomes of the mail's sender, recipients and subject.
    pub rewriting: Rewriting,
    /// Where the mail goes.
    pub deliver: Deliver,
    /// When the terminal is told that it went.
    pub delivery: Delivery,
}

/// Which calls a rule takes: all that match every pattern it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    /// SMTP or POP3.
    pub protocol: Option<Protocol>,
    /// The name of the line.
    pub line: Option<Pattern>,
    /// The server as named.
    pub server: Option<Pattern>,
    /// The port as named.
    pub port: Option<u16>,
    /// The user as named; a call without one does not match.
    pub user: Option<Pattern>,
    /// The mail's sender.
    pub sender: Option<Pattern>,
    /// One of the mail's recipients.
    pub recipient: Option<Pattern>,
}

/// When TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// With the first octet.
    Implicit,
    /// By STARTTLS or STLS, and nothing is done without.
    Required,
    /// By STARTTLS or STLS, where the server offers it.
    Opportunistic,
    /// Never.
    Off,
}

/// Who logs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LogIn {
    /// Whoever the terminal named.
    #[default]
    AsNamed,
    /// Nobody.
    Nobody,
    /// This one, with a password.
    Password(Credentials),
    /// This one, with a password that only the service has: who is not the service cannot log in.
    InServiceOnly {
        /// The user.
        user: Vec<u8>,
        /// The name of its credential.
        credential: String,
    },
    /// This one, with an access token.
    Token {
        /// The user.
        user: Vec<u8>,
        /// Where its tokens come from.
        tokens: Arc<Tokens>,
    },
}

/// A token that somebody logs in with.
#[derive(Clone, Debug)]
pub struct UsedToken {
    tokens: Arc<Tokens>,
    token: Secret,
}

impl UsedToken {
    /// The server did not take it.
    pub fn was_refused(&self) {
        self.tokens.forget(&self.token);
    }
}

impl LogIn {
    /// The token to log in with, if it is to be one.
    ///
    /// # Errors
    /// There is none; the error says what to do.
    pub async fn token(&self) -> Result<Option<UsedToken>, TokenError> {
        let Self::Token { tokens, .. } = self else { return Ok(None) };
        let token = tokens.access_token().await?;
        Ok(Some(UsedToken { tokens: Arc::clone(tokens), token }))
    }
}

/// Where mail goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Deliver {
    /// To the server.
    #[default]
    Network,
    /// To the line's sandbox: it stays on this machine.
    Sandbox,
}

/// When the terminal is told that its mail went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// When the server has it, as the note says.
    #[default]
    Direct,
    /// When it is safe on the disk.
    Queued,
}

impl Matching {
    /// Whether it takes every call that is made by this protocol; or, without one, every call.
    fn takes_all_of(&self, protocol: Option<Protocol>) -> bool {
        let any = Self { protocol: self.protocol, ..Self::default() };
        *self == any && (self.protocol.is_none() || self.protocol == protocol)
    }

    fn takes(&self, line: &str, call: &Call) -> bool {
        let is = |pattern: Option<&Pattern>, text: Option<&str>| {
            pattern.is_none_or(|pattern| text.is_some_and(|text| pattern.matches(text)))
        };
        self.protocol.is_none_or(|protocol| protocol == call.protocol)
            && is(self.line.as_ref(), Some(line))
            && is(self.server.as_ref(), Some(&call.server))
            && self.port.is_none_or(|port| port == call.port)
            && is(self.user.as_ref(), call.user.as_deref())
            && is(self.sender.as_ref(), call.sender.as_deref())
            && self
                .recipient
                .as_ref()
                .is_none_or(|pattern| call.recipients.iter().any(|it| pattern.matches(it)))
    }
}

impl Upstream {
    /// The server to call, and its port.
    #[must_use]
    pub fn server<'a>(&'a self, call: &'a Call) -> (&'a str, u16) {
        (self.host.as_deref().unwrap_or(&call.server), self.port.unwrap_or(call.port))
    }

    /// What it is called and where it leads, in short.
    #[must_use]
    pub fn summary(&self) -> String {
        let host = self.host.as_deref().unwrap_or("the server that is named");
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        match self.deliver {
            Deliver::Network => format!("{}: {host}{port}", self.name),
            Deliver::Sandbox => format!("{}: the sandbox", self.name),
        }
    }

    /// What its owner may not have meant, in words.
    fn doubt(&self) -> Option<&'static str> {
        if *self.trust.whom() == Trust::Anybody {
            return Some(
                "has verify = false: anybody on the way can pose as its server and read its passwords and mail; name \
                 its key with pins instead",
            );
        }
        if self.allow_cleartext_password {
            return Some("has allow_cleartext_password = true: anybody on the way can read its password");
        }
        match (self.port, self.tls) {
            (Some(port), Some(mode)) if mode != TlsMode::Implicit && IMPLICIT_PORTS.contains(&port) => Some(
                "has a port where servers mostly want TLS from the first octet, and tls says otherwise; without tls it is \
                 as usual at its port",
            ),
            (Some(25 | 110 | 587), Some(TlsMode::Implicit)) => Some(
                "has tls = \"implicit\" at a port where servers mostly speak in clear first; without tls it is as usual \
                 at its port",
            ),
            _ => None,
        }
    }

    /// Why nobody can log in from here, and what to do.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        let LogIn::InServiceOnly { credential, .. } = &self.log_in else { return None };
        Some(format!(
            "the password of upstream {} is the credential \"{credential}\", which the service alone has, by \
             LoadCredential={credential}:/path/to/a/file in its unit; elsewhere, CREDENTIALS_DIRECTORY is to name the \
             directory of that file",
            self.name
        ))
    }

    /// Whether a call's mail is queued, and not sent at once.
    #[must_use]
    pub fn is_queued(&self, call: &Call) -> bool {
        call.protocol == Protocol::Smtp
            && self.delivery == Delivery::Queued
            && self.deliver == Deliver::Network
    }

    /// When TLS begins on a port: as the rule says, or as is usual there (RFC 8314 §3).
    #[must_use]
    pub fn tls_at(&self, port: u16) -> TlsMode {
        self.tls.unwrap_or(match port {
            port if IMPLICIT_PORTS.contains(&port) => TlsMode::Implicit,
            _ => TlsMode::Opportunistic,
        })
    }

    /// How a call is carried out. `is_on_this_machine`: nobody can read along between it and the server.
    ///
    /// # Errors
    /// The system gives no random number, in words.
    pub fn route(
        &self,
        tls: TlsMode,
        is_on_this_machine: bool,
        token: Option<&UsedToken>,
    ) -> Result<Route, String> {
        let mut random = [0; 18];
        getrandom::fill(&mut random)
            .map_err(|error| format!("the system gives no random number: {error}"))?;
        Ok(Route {
            called: None,
            policy: Policy {
                security: match tls {
                    TlsMode::Implicit | TlsMode::Off => Security::AsOpened,
                    TlsMode::Required => Security::Required,
                    TlsMode::Opportunistic => Security::WhenOffered,
                },
                in_clear: if is_on_this_machine || self.allow_cleartext_password {
                    InClear::Allowed
                } else {
                    InClear::Refused
                },
                mechanism: self.mechanism,
            },
            nonce: Some(Nonce::new(random)),
            account: match &self.log_in {
                LogIn::AsNamed => Account::AsNamed,
                LogIn::Nobody | LogIn::InServiceOnly { .. } => Account::Nobody,
                LogIn::Password(credentials) => Account::Other(credentials.clone()),
                LogIn::Token { user, .. } => match token {
                    Some(UsedToken { token, .. }) => {
                        Account::Other(Credentials { user: user.clone(), proof: Proof::Token(token.clone()) })
                    }
                    None => Account::Nobody,
                },
            },
            rewriting: self.rewriting.clone(),
        })
    }
}
