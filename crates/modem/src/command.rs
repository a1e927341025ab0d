//! The commands: one table, and the handlers it names.
//!
//! A handler returns an [`Answer`]; it cannot forget, or repeat, the final result code. The reference for what each does
//! is the table's summary and `docs/commands.md`, which is made of it.

mod conflicts;
mod files;
mod general;
pub(crate) mod network;
mod pop3;
mod power;
mod rows;
mod smtp;
pub mod table;
mod transfer;

use crate::drive::DriveError;
use crate::modem::{Modem, Transfer};
use crate::terminal::{Code, Trouble};
use mail::machine::Instant;
use std::fmt;
use table::Arguments;

/// What runs a form of a command.
pub(crate) type Run = fn(&mut Modem, &Arguments, Instant) -> Answer;

/// How a handler leaves its command.
pub(crate) enum Answer {
    /// It is done; the final result code, if it is the last on the line.
    Finished(Code),
    /// A text is to be typed at the prompt.
    AskText {
        /// Its bound.
        octets_max: usize,
        /// Who takes it.
        take: fn(&mut Modem, Entered) -> Code,
    },
    /// It is done when something happens; see [`Job`].
    Await(Job),
    /// It is done when this transfer is over, whose octets are to be typed behind the prompt.
    AskOctets(Box<Transfer>),
    /// It is done, and the last on its line; behind the final result code this transfer begins.
    Then(Box<Transfer>),
    /// OK, and then the modem goes off; the rest of the line goes with it.
    Power(Power),
}

/// What follows when the modem goes off.
#[derive(Clone, Copy)]
pub(crate) enum Power {
    /// It comes on again at once.
    Restart,
    /// It stays off.
    Off,
}

/// What a command waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// AT+SMTPSEND: the server's greeting.
    SmtpGreeting,
    /// AT+POP3IN: the log-in.
    LogIn,
    /// An answer of the POP3 server that is one line of ours.
    Ask,
    /// AT+POP3LIST: a line for each mail; whether there has been one.
    List {
        /// Whether there has been one.
        any: bool,
    },
    /// AT+POP3HDR: a header.
    Header,
    /// AT+POP3READ, AT+CFTRANTX: the terminal, which takes a file.
    Reading,
    /// AT+FSCOPY: the terminal, which takes the progress.
    Copying,
}

impl Job {
    /// Whether it waits for the POP3 server.
    pub(crate) const fn is_of_session(self) -> bool {
        matches!(self, Self::LogIn | Self::Ask | Self::List { .. } | Self::Header)
    }
}

/// What was typed at a prompt.
pub(crate) enum Entered {
    /// A text, ended by Ctrl-Z.
    Text(Vec<u8>),
    /// ESC.
    Cancelled,
    /// A text over the bound, ended by Ctrl-Z.
    TooLong,
}

/// For a trace: the text is its owner's.
impl fmt::Display for Entered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "a text of {} octets", text.len()),
            Self::Cancelled => f.write_str("a text, cancelled"),
            Self::TooLong => f.write_str("a text over the bound"),
        }
    }
}

impl Answer {
    /// OK.
    pub(crate) const OK: Self = Self::Finished(Code::Ok);
    /// ERROR.
    pub(crate) const ERROR: Self = Self::Finished(Code::Error);

    /// A command of 27.007 can't be carried out.
    pub(crate) const fn trouble(trouble: Trouble) -> Self {
        Self::Finished(Code::Equipment(trouble))
    }

    /// OK if it was done, ERROR if the drive did not do it.
    pub(crate) const fn ok_if_done(done: Result<(), DriveError>) -> Self {
        match done {
            Ok(()) => Self::OK,
            Err(_) => Self::ERROR,
        }
    }

    /// OK if it was done, ERROR if it could not be.
    pub(crate) const fn ok_if_some(done: Option<()>) -> Self {
        match done {
            Some(()) => Self::OK,
            None => Self::ERROR,
        }
    }
}
