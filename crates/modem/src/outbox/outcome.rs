//! What became of a mail, in the note's words (note §1; the table of commands.md §2).

use mail::smtp::client::{Failure, Step};
use mail::smtp::reply::Severity;

/// The line for a mail that was accepted.
pub(crate) const SUCCESS: &str = "+SMTP: SUCCESS";

/// What was known of authentication when a send failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authentication {
    /// Whether there are credentials: the terminal's (+SMTPAUTH=1), or those of the call's route.
    pub(crate) is_set: bool,
    /// Whether the server offered to take some.
    pub(crate) is_offered: bool,
}

/// The line for a mail that was not accepted.
pub(crate) fn failure_words(failure: &Failure, authentication: Authentication) -> String {
    let words = match failure {
        Failure::NotOpened | Failure::Lost(_) => "NETWORK ERROR",
        Failure::Refused { reply, .. } if reply.code == 530 => "AUTH REQUIRED",
        Failure::Refused { step: Step::Mail, reply }
            if !authentication.is_set
                && authentication.is_offered
                && reply.severity() == Severity::Permanent
                && matches!(reply.enhanced(), Some((5, 7, 0 | 1))) =>
        {
            "AUTH REQUIRED"
        }
        Failure::Refused { step: Step::Auth, reply } | Failure::RefusedFor { reply, .. }
            if reply.severity() == Severity::Permanent =>
        {
            "AUTH ERROR"
        }
        Failure::BadRecipient { address, .. } => return format!("+SMTP: BAD RCPT {address}"),
        Failure::Refused { .. }
        | Failure::RefusedFor { .. }
        | Failure::Silent(_)
        | Failure::NotGreeted
        | Failure::Malformed(..)
        | Failure::SenderNotCarried
        | Failure::NoLogIn(_)
        | Failure::BadChallenge(_)
        | Failure::TooLarge { .. }
        | Failure::TlsNotOffered
        | Failure::TlsFailed
        | Failure::Unreadable(_) => "SERVER ERROR",
    };
    format!("+SMTP: {words}")
}
