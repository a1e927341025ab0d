//! Why a message was not sent, in words for a log: what the server did or does not do, so that they read on from its name.
//!
//! Not here: the words that a modem shows for it.

use super::reply::{BadReply, Reply};
use super::submission::Unreadable;
use crate::limits::IDLE_MAX;
use crate::policy::NoLogIn;
use crate::sasl::BadChallenge;
use std::fmt;

/// Where in the session something happened; shows as the command the server was answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the RFC's own word for it")]
pub enum Step {
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    Message,
    FinalDot,
    Quit,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greeting => "the connection",
            Self::Ehlo => "EHLO",
            Self::Helo => "HELO",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL FROM",
            Self::Rcpt => "RCPT TO",
            Self::Data => "DATA",
            Self::Message => "the message",
            Self::FinalDot => "the message's end",
            Self::Quit => "QUIT",
        })
    }
}

/// Why a message was not sent. Its words are for a log, and hold no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The link did not open within [`IDLE_MAX`], or was closed while opening.
    #[error("cannot be reached")]
    NotOpened,
    /// The link was closed before the message was.
    #[error("was lost at {0}{fate}", fate = fate(*.0))]
    Lost(Step),
    /// No whole reply came for [`IDLE_MAX`], or the network took none of the message for so long.
    #[error("did not answer {0} within {limit} s{fate}", limit = IDLE_MAX.as_secs(), fate = fate(*.0))]
    Silent(Step),
    /// Nothing at all came for [`IDLE_MAX`] on a link in clear. A server that wants TLS from the first octet waits so.
    #[error(
        "said nothing within {secs} s of being called in clear, as a server does that waits for TLS from the first octet",
        secs = IDLE_MAX.as_secs()
    )]
    NotGreeted,
    /// The server said what SMTP does not know.
    #[error("answered {0} with {1}{fate}", fate = fate(*.0))]
    Malformed(Step, Nonsense),
    /// The server said no, or something that is no answer to this step.
    #[error("answered \"{reply}\" to {step}")]
    Refused {
        /// To what.
        step: Step,
        /// Its words.
        reply: Reply,
    },
    /// A recipient was refused by the server, or is an address that this session cannot carry (`reply` is `None`).
    #[error("{}", refusal(address, reply.as_ref()))]
    BadRecipient {
        /// The address as it was given.
        address: String,
        /// The server's words, if it was asked.
        reply: Option<Reply>,
    },
    /// The sender's address needs SMTPUTF8, which the server does not have.
    #[error("does not offer SMTPUTF8, which the sender's address needs")]
    SenderNotCarried,
    /// The server said no to the log-in, and before that why.
    #[error("answered \"{reply}\" to {step}, for the reason \"{reason}\"", step = Step::Auth)]
    RefusedFor {
        /// Its words.
        reply: Reply,
        /// Its reason: the status of the token, or what was wrong with the proof.
        reason: String,
    },
    /// Credentials are given, and there is no way that they may go to this server on this link; none of them did.
    #[error(transparent)]
    NoLogIn(#[from] NoLogIn),
    /// The server's challenge could not be answered; the exchange was cancelled.
    #[error(transparent)]
    BadChallenge(#[from] BadChallenge),
    /// The message is larger than the server takes (RFC 1870); none of it was sent.
    #[error("takes messages of {limit} octets; this one has {octets}")]
    TooLarge {
        /// The message's size.
        octets: u64,
        /// The server's limit.
        limit: u64,
    },
    /// TLS is required and not offered.
    #[error("does not offer STARTTLS, which is required")]
    TlsNotOffered,
    /// The handshake failed.
    #[error("failed in the TLS handshake")]
    TlsFailed,
    /// The message could not be read to its end; the server got no final dot.
    #[error("did not get the whole message: {0}")]
    Unreadable(#[from] Unreadable),
}

impl Failure {
    /// Whether the whole message was sent and its answer never understood: the server may have taken it, and sending it
    /// again may make a second one (RFC 1047).
    #[must_use]
    pub const fn fate_is_unknown(&self) -> bool {
        matches!(
            self,
            Self::Lost(Step::FinalDot) | Self::Silent(Step::FinalDot) | Self::Malformed(Step::FinalDot, _)
        )
    }
}

/// Of a recipient.
fn refusal(address: &str, reply: Option<&Reply>) -> String {
    match reply {
        Some(reply) => format!("answered \"{reply}\" to {}:<{address}>", Step::Rcpt),
        None => format!("cannot be given the recipient {address}: no address that SMTP carries there"),
    }
}

const fn fate(step: Step) -> &'static str {
    match step {
        Step::FinalDot => "; the message may have been taken",
        _ => "",
    }
}

/// What a server said instead of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Nonsense {
    /// Not a reply by its form.
    #[error("{0}")]
    BadReply(#[from] BadReply),
    /// A reply when nothing had been asked.
    #[error("a reply before its command")]
    TooEarly,
    /// Octets in clear behind the reply that begins TLS: an attempt to have them read as part of the secured session
    /// (CVE-2011-0411).
    #[error("octets in clear behind its reply")]
    Injected,
}
