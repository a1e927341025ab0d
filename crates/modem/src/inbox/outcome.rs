//! What became of a session or of getting a mail, in the note's words (note §1; commands.md §3).

use super::saving::NotSaved;
use crate::drive::DriveError;
use mail::pop3::client::{Failure, Request};
use mail::pop3::response::{Response, ResponseCode};

/// The line for what went well.
pub(crate) const SUCCESS: &str = "+POP3: SUCCESS";

const SERVER_ERROR: &str = "+POP3: SERVER ERROR";

const FAILURE: &str = "+POP3: FAILURE";

/// The line when the network is not there.
pub(crate) const NETWORK_ERROR: &str = "+POP3: NETWORK ERROR";

/// The line for a refusal that leaves the session open: a message that does not exist, or one that the server has and
/// cannot give.
pub(crate) fn refusal_words(request: Request, response: &Response) -> &'static str {
    match (request, response.code()) {
        (Request::Retrieve(_), Some(ResponseCode::SysTemp | ResponseCode::SysPerm)) => FAILURE,
        _ => SERVER_ERROR,
    }
}

/// The line for a session that ended. `was_idle`: nothing had been asked, so that a lost link is the server's doing:
/// it released the session.
pub(crate) fn failure_words(failure: &Failure, was_idle: bool) -> &'static str {
    match failure {
        Failure::Lost if was_idle => SERVER_ERROR,
        Failure::NotOpened | Failure::Lost => NETWORK_ERROR,
        Failure::RefusedUser(_) => "+POP3: INVALID UN",
        Failure::RefusedPassword(_) | Failure::RefusedFor { .. } => "+POP3: INVALID UN/PWD",
        Failure::Released(_)
        | Failure::Silent(_)
        | Failure::NotGreeted
        | Failure::Malformed { .. }
        | Failure::HeaderTooLong(_)
        | Failure::GreetingRefused(_)
        | Failure::TlsNotOffered
        | Failure::TlsRefused(_)
        | Failure::TlsFailed
        | Failure::NoLogIn(_)
        | Failure::BadChallenge(_)
        | Failure::QuitRefused(_) => SERVER_ERROR,
    }
}

/// The line for a mail that could not be saved.
pub(crate) const fn not_saved_words(reason: NotSaved) -> &'static str {
    match reason {
        // Nothing is wrong with the drive.
        NotSaved::TooLarge(_) | NotSaved::Drive(DriveError::Taken) => FAILURE,
        NotSaved::Drive(_) => "+POP3: FILE SYSTEM ERROR",
    }
}
