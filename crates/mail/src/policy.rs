//! What a client may do on a link, and what it must not: securing it, and saying secrets on it. One policy for SMTP and
//! POP3.
//!
//! Not here: how TLS is done, and which certificates are believed; both are the program's.

use crate::machine::ChannelBinding;
use crate::sasl::{BadCredentials, Credentials, Exchange, Mechanism, Nonce};

/// What a client demands of a link. The default is the note's module, which knows no TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// STARTTLS (RFC 3207) and STLS (RFC 2595).
    pub security: Security,
    /// Whether a secret may be shown to whoever reads along.
    pub in_clear: InClear,
    /// The one mechanism to log in by; `None`: the strongest that is offered.
    pub mechanism: Option<Mechanism>,
}

/// Whether a link that opened in clear is to be secured. One that was secured from its first octet is what each of
/// them wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// No: it stays as it opened.
    #[default]
    AsOpened,
    /// If the server offers it.
    WhenOffered,
    /// It must be; otherwise nothing is sent, and nobody is logged in.
    Required,
}

/// Whether a password or a token may go over a link that is not secured, by a mechanism that shows it
/// ([`Mechanism::shows_the_secret`]), or by USER and PASS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InClear {
    /// It must not (RFC 4954 §9, RFC 6750 §5.3).
    Refused,
    /// It may: servers and modules of the time had nothing else.
    #[default]
    Allowed,
}

/// How the link of a session stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// Anybody may read along.
    #[default]
    Clear,
    /// Under TLS; with what binds a log-in to it, if its owner could tell.
    Secured(Option<ChannelBinding>),
}

impl Link {
    /// Whether it is under TLS.
    #[must_use]
    pub const fn is_secured(self) -> bool {
        matches!(self, Self::Secured(_))
    }

    /// What binds a log-in to it.
    #[must_use]
    pub const fn binding(self) -> Option<ChannelBinding> {
        match self {
            Self::Clear => None,
            Self::Secured(binding) => binding,
        }
    }
}

/// Why nobody logs in by what the server offers: its words read on from the server's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoLogIn {
    /// Nothing that is offered is spoken here, or fits what there is to prove.
    #[error("offers no authentication mechanism that is spoken here, but: {offered}")]
    NoMechanism {
        /// What the server offers, or `none`.
        offered: String,
    },
    /// The policy demands a mechanism that is not offered.
    #[error("does not offer {demanded}, which is demanded, but: {offered}")]
    NotOffered {
        /// What is demanded.
        demanded: Mechanism,
        /// What the server offers, or `none`.
        offered: String,
    },
    /// The policy demands a mechanism that cannot be used here.
    #[error("cannot be logged in to by {demanded}, which is demanded: {why}")]
    Unfit {
        /// What is demanded.
        demanded: Mechanism,
        /// What stands against it, in words.
        why: &'static str,
    },
    /// Whoever reads along would see the secret.
    #[error(
        "would be told the {secret} in clear: its link is not secured, and it offers {offered}; \
         demand TLS of it, or allow log-ins in clear"
    )]
    InClear {
        /// `password` or `token`.
        secret: &'static str,
        /// What the server offers, or `none`.
        offered: String,
    },
    /// The credentials are none that a log-in can carry.
    #[error("cannot be given the credentials: {0}")]
    Credentials(#[from] BadCredentials),
}

impl Policy {
    /// Begins to log in by the strongest mechanism of those `offered` (names with spaces between them), or by the one
    /// that is demanded. Without a nonce, SCRAM is not spoken. No other may follow it on this link: a server, or somebody between, that fails a strong one
    /// must not get the secret by a weak one.
    ///
    /// # Errors
    /// Nothing may be said: see [`NoLogIn`].
    pub fn begin(
        &self,
        offered: &str,
        credentials: &Credentials,
        link: Link,
        nonce: Option<&Nonce>,
    ) -> Result<Exchange, NoLogIn> {
        credentials.check()?;
        let named: Vec<Mechanism> = offered.split_whitespace().filter_map(Mechanism::named).collect();
        let fits = |mechanism: &Mechanism| {
            mechanism.takes(&credentials.proof)
                && (nonce.is_some() || !mechanism.needs_nonce())
                && (link.binding().is_some() || !mechanism.binds())
        };
        let mechanism = match self.mechanism {
            None => named
                .iter()
                .copied()
                .filter(fits)
                .max()
                .ok_or_else(|| NoLogIn::NoMechanism { offered: or_none(offered) })?,
            Some(demanded) if !demanded.takes(&credentials.proof) => {
                return Err(NoLogIn::Unfit { demanded, why: "the credentials are of another kind" });
            }
            Some(demanded) if demanded.needs_nonce() && nonce.is_none() => {
                return Err(NoLogIn::Unfit { demanded, why: "there is no random number for it" });
            }
            Some(demanded) if !fits(&demanded) => {
                return Err(NoLogIn::Unfit { demanded, why: "there is no TLS to bind it to" });
            }
            Some(demanded) if !named.contains(&demanded) => {
                return Err(NoLogIn::NotOffered { demanded, offered: or_none(offered) });
            }
            Some(demanded) => demanded,
        };
        if mechanism.shows_the_secret() {
            self.allow_in_clear(offered, credentials, link)?;
        }
        let offers_binding = named.iter().any(|mechanism| mechanism.binds());
        Ok(Exchange::new(mechanism, credentials.clone(), nonce, link.binding(), offers_binding))
    }

    /// Whether the secret of `credentials` may be shown on a link like this one.
    ///
    /// # Errors
    /// [`NoLogIn::InClear`].
    pub fn allow_in_clear(
        &self,
        offered: &str,
        credentials: &Credentials,
        link: Link,
    ) -> Result<(), NoLogIn> {
        if link.is_secured() || self.in_clear == InClear::Allowed {
            return Ok(());
        }
        Err(NoLogIn::InClear { secret: credentials.proof.name(), offered: or_none(offered) })
    }
}

fn or_none(offered: &str) -> String {
    if offered.is_empty() { "none" } else { offered }.to_owned()
}
