//! What a client tells its owner: answers, refusals, and why a session ended.

use super::Request;
use crate::limits::{HEADER_TEXT_OCTETS_MAX, IDLE_MAX};
use crate::machine::Passage;
use crate::policy::NoLogIn;
use crate::pop3::response::{BadResponse, Response};
use crate::sasl::BadChallenge;
use std::fmt;

/// What the owner of a session gets to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// What went over the link; only if [`super::Client::trace`] was called.
    Passage(Passage),
    /// Requests can be made.
    LoggedIn,
    /// The answer to [`Request::Stat`].
    Stat {
        /// How many messages there are.
        count: u32,
        /// How many octets they have together, as the server says.
        octets: u64,
    },
    /// A message of a [`Request::List`].
    ListEntry {
        /// Its number, from 1.
        id: u32,
        /// Its size, as the server says; what RETR brings may be more or less.
        octets: u64,
    },
    /// A message of a [`Request::Uidl`].
    UniqueId {
        /// Its number, from 1.
        id: u32,
        /// Its identifier: printable ASCII without spaces.
        unique: String,
    },
    /// No more entries; the request is answered.
    ListEnd,
    /// The next octets of a text, as they are in the message: at most what arrived at once.
    Content(Vec<u8>),
    /// The text is complete; the request is answered.
    ContentEnd,
    /// The request is answered, and there is nothing more to say.
    Done,
    /// The server said -ERR to a request. The session stays open for the next one.
    Refused {
        /// What was asked.
        request: Request,
        /// What the server said to it.
        response: Response,
    },
    /// QUIT was answered with +OK: what was marked is deleted. The last event.
    LoggedOut,
    /// The session is over for any other reason, and nothing was deleted, unless it ended while QUIT was waiting for
    /// its answer: then nobody knows. The last event.
    Ended(Failure),
}

/// Why a session ended: what the server did or does not do, so that the words read on from its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The link was not open within [`IDLE_MAX`], or was closed while opening.
    #[error("cannot be reached")]
    NotOpened,
    /// The link was lost.
    #[error("was lost")]
    Lost,
    /// The server ended the session while nothing was asked of it, in its own words.
    #[error("ended the session: \"{0}\"")]
    Released(Response),
    /// No line, and no piece of a text, arrived for [`IDLE_MAX`].
    #[error("did not answer {0} within {secs} s", secs = IDLE_MAX.as_secs())]
    Silent(Step),
    /// Nothing at all came for [`IDLE_MAX`] on a link in clear. A server that wants TLS from the first octet waits so.
    #[error(
        "said nothing within {secs} s of being called in clear, as a server does that waits for TLS from the first octet",
        secs = IDLE_MAX.as_secs()
    )]
    NotGreeted,
    /// What arrived is not POP3. Without a step, nothing was asked.
    #[error("{}{reason}", .step.map_or("sent ".to_owned(), |step| format!("answered {step} with ")))]
    Malformed {
        /// What it was taken for an answer to.
        step: Option<Step>,
        /// What is wrong with it.
        reason: BadResponse,
    },
    /// More than [`HEADER_TEXT_OCTETS_MAX`] arrived for one header section.
    #[error("sent over {HEADER_TEXT_OCTETS_MAX} octets for the header section of message {0}")]
    HeaderTooLong(u32),
    /// The greeting was -ERR.
    #[error("greeted with \"{0}\"")]
    GreetingRefused(Response),
    /// TLS is demanded, and the server does not say that it has it.
    #[error("does not offer STLS, which is required")]
    TlsNotOffered,
    /// TLS is demanded, and the server refused it.
    #[error("answered \"{0}\" to STLS")]
    TlsRefused(Response),
    /// The handshake failed; its owner knows why.
    #[error("failed in the TLS handshake")]
    TlsFailed,
    /// -ERR to USER.
    #[error("answered \"{0}\" to USER")]
    RefusedUser(Response),
    /// -ERR to PASS, APOP or AUTH. Its [`Response::code`] tells a wrong password from a locked maildrop, if the server does.
    #[error("answered \"{0}\" to the log-in")]
    RefusedPassword(Response),
    /// -ERR to AUTH, and before that the reason: the status of the token, or what was wrong with the proof.
    #[error("answered \"{response}\" to the log-in, for the reason \"{reason}\"")]
    RefusedFor {
        /// What the server said in the end.
        response: Response,
        /// Its reason.
        reason: String,
    },
    /// There is no way that the credentials may go to this server on this link; none of them did.
    #[error(transparent)]
    NoLogIn(#[from] NoLogIn),
    /// The server's challenge could not be answered; the exchange was cancelled.
    #[error(transparent)]
    BadChallenge(#[from] BadChallenge),
    /// -ERR to QUIT: some of what was marked was not deleted (RFC 1939 §6).
    #[error("answered \"{0}\" to QUIT: not all is deleted")]
    QuitRefused(Response),
}

/// What an answer is awaited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The opened link: a greeting.
    Greeting,
    /// CAPA.
    Capa,
    /// STLS.
    Stls,
    /// The TLS handshake.
    Handshake,
    /// USER.
    User,
    /// PASS.
    Pass,
    /// APOP.
    Apop,
    /// AUTH, and what was said in its exchange.
    Auth,
    /// What the owner asked for.
    Request(Request),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greeting => "the opened link",
            Self::Capa => "CAPA",
            Self::Stls => "STLS",
            Self::Handshake => "the TLS handshake",
            Self::User => "USER",
            Self::Pass => "PASS",
            Self::Apop => "APOP",
            Self::Auth => "AUTH",
            Self::Request(request) => return write!(f, "{}", request.command()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each reads on from the server's name.
    #[test]
    fn the_words_of_failures() {
        let no = || Response::negative("no");
        let malformed = |step| Failure::Malformed { step, reason: BadResponse::NoStatus };
        for (failure, words) in [
            (Failure::NotOpened, "cannot be reached"),
            (Failure::Lost, "was lost"),
            (Failure::Released(no()), "ended the session: \"-ERR no\""),
            (Failure::Silent(Step::Request(Request::Retrieve(2))), "did not answer RETR 2 within 30 s"),
            (malformed(Some(Step::Pass)), "answered PASS with a line that is no POP3 response"),
            (malformed(None), "sent a line that is no POP3 response"),
            (Failure::GreetingRefused(no()), "greeted with \"-ERR no\""),
            (Failure::TlsRefused(no()), "answered \"-ERR no\" to STLS"),
            (Failure::RefusedUser(no()), "answered \"-ERR no\" to USER"),
            (Failure::RefusedPassword(no()), "answered \"-ERR no\" to the log-in"),
            (Failure::QuitRefused(no()), "answered \"-ERR no\" to QUIT: not all is deleted"),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
