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

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Link = Link::Secured(Some(ChannelBinding::TlsExporter([1; 32])));
    const UNBOUND: Link = Link::Secured(None);
    const ALL: &str = "LOGIN PLAIN CRAM-MD5 SCRAM-SHA-256 SCRAM-SHA-256-PLUS XOAUTH2 OAUTHBEARER";

    fn begin(
        policy: Policy,
        offered: &str,
        credentials: &Credentials,
        link: Link,
    ) -> Result<Mechanism, NoLogIn> {
        let nonce = Nonce::new([0; 18]);
        policy.begin(offered, credentials, link, Some(&nonce)).map(|exchange| exchange.mechanism())
    }

    fn password() -> Credentials {
        Credentials::with_password("u", "p")
    }

    fn token() -> Credentials {
        Credentials::with_token("u", "t")
    }

    #[test]
    fn the_strongest_that_the_link_and_the_proof_allow() {
        let any = Policy::default();
        for (offered, credentials, link, chosen) in [
            (ALL, password(), BOUND, Mechanism::ScramSha256Plus),
            (ALL, password(), UNBOUND, Mechanism::ScramSha256),
            (ALL, password(), Link::Clear, Mechanism::ScramSha256),
            (ALL, token(), BOUND, Mechanism::OauthBearer),
            ("GSSAPI login cram-md5 plain", password(), UNBOUND, Mechanism::CramMd5),
            ("XOAUTH2 PLAIN LOGIN", password(), UNBOUND, Mechanism::Plain),
            ("XOAUTH2 PLAIN LOGIN", token(), UNBOUND, Mechanism::Xoauth2),
        ] {
            assert_eq!(begin(any, offered, &credentials, link), Ok(chosen), "{offered} {link:?}");
        }
        let without = any.begin(ALL, &password(), BOUND, None).unwrap();
        assert_eq!(without.mechanism(), Mechanism::CramMd5);
        for (offered, credentials) in [("XOAUTH2", password()), ("PLAIN LOGIN", token()), ("GSSAPI", token())]
        {
            let none = NoLogIn::NoMechanism { offered: offered.to_owned() };
            assert_eq!(begin(any, offered, &credentials, BOUND), Err(none));
        }
    }

    /// The flag tells the server whether its offer came through (RFC 5802 §6).
    #[test]
    fn what_scram_says_of_the_binding() {
        let nonce = Nonce::new([0; 18]);
        let demanded = Policy { mechanism: Some(Mechanism::ScramSha256), ..Policy::default() };
        for (policy, offered, link, start) in [
            (Policy::default(), ALL, BOUND, "p=tls-exporter,,"),
            (Policy::default(), "SCRAM-SHA-256", BOUND, "y,,"),
            (Policy::default(), "SCRAM-SHA-256", UNBOUND, "n,,"),
            (Policy::default(), ALL, UNBOUND, "n,,"),
            (Policy::default(), ALL, Link::Clear, "n,,"),
            (demanded, ALL, BOUND, "n,,"),
        ] {
            let mut exchange = policy.begin(offered, &password(), link, Some(&nonce)).unwrap();
            let said = exchange.initial(usize::MAX).unwrap();
            assert!(said.reveal().starts_with(start.as_bytes()), "{offered} {link:?} {said:?}");
        }
    }

    #[test]
    fn the_one_that_is_demanded_and_no_other() {
        let demand = |mechanism, offered, credentials: Credentials, link| {
            let policy = Policy { mechanism: Some(mechanism), ..Policy::default() };
            begin(policy, offered, &credentials, link).map_err(|no| no.to_string())
        };
        assert_eq!(demand(Mechanism::Login, ALL, password(), BOUND), Ok(Mechanism::Login));
        for (mechanism, offered, credentials, link, words) in [
            (
                Mechanism::CramMd5,
                "PLAIN",
                password(),
                UNBOUND,
                "does not offer CRAM-MD5, which is demanded, but: PLAIN",
            ),
            (
                Mechanism::CramMd5,
                "",
                password(),
                UNBOUND,
                "does not offer CRAM-MD5, which is demanded, but: none",
            ),
            (
                Mechanism::Plain,
                ALL,
                token(),
                UNBOUND,
                "cannot be logged in to by PLAIN, which is demanded: the credentials are of another kind",
            ),
            (
                Mechanism::ScramSha256Plus,
                ALL,
                password(),
                UNBOUND,
                "cannot be logged in to by SCRAM-SHA-256-PLUS, which is demanded: there is no TLS to bind it to",
            ),
        ] {
            assert_eq!(demand(mechanism, offered, credentials, link), Err(words.to_owned()));
        }
        let policy = Policy { mechanism: Some(Mechanism::ScramSha256), ..Policy::default() };
        let without = policy.begin(ALL, &password(), BOUND, None);
        assert!(matches!(without, Err(NoLogIn::Unfit { .. })));
    }

    #[test]
    fn in_clear_only_what_proves_without_showing() {
        let policy = Policy { in_clear: InClear::Refused, ..Policy::default() };
        let words = |no: NoLogIn| no.to_string();
        assert_eq!(begin(policy, ALL, &password(), Link::Clear), Ok(Mechanism::ScramSha256));
        assert_eq!(begin(policy, "PLAIN CRAM-MD5", &password(), Link::Clear), Ok(Mechanism::CramMd5));
        assert_eq!(
            begin(policy, "PLAIN LOGIN", &password(), Link::Clear).map_err(words),
            Err("would be told the password in clear: its link is not secured, and it offers PLAIN LOGIN; \
                 demand TLS of it, or allow log-ins in clear"
                .to_owned())
        );
        for offered in ["XOAUTH2", "OAUTHBEARER"] {
            let no = begin(policy, offered, &token(), Link::Clear);
            assert!(matches!(no, Err(NoLogIn::InClear { secret: "token", .. })));
            assert!(begin(policy, offered, &token(), UNBOUND).is_ok());
            assert!(begin(Policy::default(), offered, &token(), Link::Clear).is_ok());
        }
    }
}
