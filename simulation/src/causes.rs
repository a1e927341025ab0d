//! Why a send, or what was asked of a POP3 session, may come to nothing, and in which words it is told then
//! (commands.md §2, §3). Where the server is honest and the wires have changed nothing, all causes there are can be seen:
//! the network lost the link or left it, the server was silent for the note's time, trouble was asked for by name, the
//! drive has no room or its card may have been pulled. Each of them has its own words.
//!
//! Not here: when words are told, and what they mean for what comes after ([`crate::laws`]).

use crate::draft::Draft;
use crate::ground::Ground;
use crate::limits::IDLE_MAX;
use crate::link::{Fate, Link};
use crate::message::bare;
use mail::machine::Instant;
use modem::drive::{Drive as _, Letter};
use modem::modem::ObstacleKind;
use sandbox::trouble::{self, Place, SessionTrouble, Trouble};

/// What the modem may have taken for the end of a link, at the time of its word.
struct Seen {
    is_lost: bool,
    /// The link stands, and nothing has come.
    is_silent: bool,
    /// TLS was begun, in vain.
    has_no_tls: bool,
    server: Option<Trouble>,
}

impl Seen {
    fn of(link: &Link, network_left: bool, now: Instant) -> Self {
        let is_late = now.since(link.progress) >= IDLE_MAX;
        let has_no_tls = link.fate == Fate::Refused(ObstacleKind::Tls);
        Self {
            is_lost: (link.is_lost && !has_no_tls) || network_left || (!link.is_open && is_late),
            is_silent: link.is_open && is_late,
            has_no_tls: has_no_tls && link.is_lost,
            server: trouble::find(Place::Server, &link.server),
        }
    }

    /// Whether the server is no server, whoever calls.
    const fn is_no_server(&self) -> bool {
        self.is_silent
            || self.has_no_tls
            || matches!(self.server, Some(Trouble::SilentServer | Trouble::Busy | Trouble::Garbage))
    }
}

/// Whether a send may end with these words, which are not SUCCESS's. `has_card_file`: a file of the mail is on the storage
/// card, which may have been pulled. The draft is known, and the link is true.
#[must_use]
pub fn may_end_send(
    words: &str,
    draft: &Draft,
    has_card_file: bool,
    link: &Link,
    network_left: bool,
    now: Instant,
) -> bool {
    let seen = Seen::of(link, network_left, now);
    let sender = draft.sender.as_deref().and_then(|sender| trouble::find(Place::Sender, sender));
    let user = draft.user.as_deref().and_then(|user| trouble::find(Place::SmtpUser, user));
    let named = || {
        let recipients = draft.recipients.values().map(|address| bare(address));
        recipients.filter_map(|address| Some((address, trouble::find(Place::Recipient, address)?)))
    };
    match words {
        "+SMTP: NETWORK ERROR" => seen.is_lost,
        "+SMTP: AUTH ERROR" => user == Some(Trouble::AuthRefused),
        "+SMTP: AUTH REQUIRED" => {
            // 530, whatever it answers.
            (seen.server == Some(Trouble::AuthRequired) && draft.user.is_none())
                || sender == Some(Trouble::SenderRefused(530))
                || named().any(|(_, trouble)| {
                    matches!(trouble, Trouble::RecipientRefused(530) | Trouble::TextRefused(530))
                })
        }
        "+SMTP: SERVER ERROR" => {
            seen.is_no_server()
                // The mail cannot be read any more.
                || has_card_file
                || user == Some(Trouble::AuthUnavailable)
                || matches!(sender, Some(Trouble::SenderRefused(_)))
                || named().any(|(_, trouble)| {
                    matches!(
                        trouble,
                        Trouble::RecipientRefused(421) | Trouble::TextRefused(_) | Trouble::SilentAtEnd
                    )
                })
        }
        _ => words.strip_prefix("+SMTP: BAD RCPT ").is_some_and(|refused| {
            let is_known = draft.recipients.values().any(|address| bare(address) == refused);
            is_known && may_be_refused(refused)
        }),
    }
}

/// Whether an honest server may refuse this recipient.
#[must_use]
pub fn may_be_refused(address: &str) -> bool {
    !is_plain(address)
        || matches!(trouble::find(Place::Recipient, address), Some(Trouble::RecipientRefused(_)))
}

/// Whether it is an address that every server takes: words between dots (RFC 5321 §4.1.2); a plus sign is none of a
/// domain's.
fn is_plain(address: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_alphanumeric());
    address.split_once('@').is_some_and(|(local, domain)| {
        local.replace('+', "").split('.').all(is_word) && domain.split('.').all(is_word)
    })
}

/// What is asked of a POP3 session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// AT+POP3IN.
    LogIn,
    /// AT+POP3NUM, AT+POP3LIST.
    All,
    /// AT+POP3LIST= and AT+POP3HDR= for a message.
    Message,
    /// AT+POP3DEL=.
    Delete,
    /// AT+POP3GET=, which is answered before anything is asked.
    Get,
    /// What AT+POP3GET= has begun.
    Saving {
        /// Where it is to be saved may be the storage card.
        is_card: bool,
    },
    /// AT+POP3OUT.
    LogOut,
}

impl Asked {
    /// What a line asks of a session, if it is one command as a host of this crate writes it, and of which message.
    #[must_use]
    pub fn of(upper: &str) -> Option<(Self, Option<u32>)> {
        let command = upper.strip_prefix("AT+POP3")?;
        let (name, arguments) = command.split_once('=').unwrap_or((command, ""));
        let (id, form) = arguments.split_once(',').unwrap_or((arguments, "1"));
        let is_number = id.bytes().all(|octet| octet.is_ascii_digit());
        let id: Option<u32> = id.parse().ok().filter(|id| is_number && *id > 0);
        let asked = match (name, id) {
            ("IN", None) => Self::LogIn,
            ("OUT", None) => Self::LogOut,
            ("NUM" | "LIST", None) => Self::All,
            ("LIST" | "HDR", Some(_)) => Self::Message,
            ("DEL", Some(_)) => Self::Delete,
            ("GET", Some(_)) => Self::Get,
            _ => return None,
        };
        let is_whole = match (id, asked) {
            (None, _) => !command.contains('='),
            (Some(_), Self::Get) => ["1", "2", "3"].contains(&form),
            (Some(_), _) => !arguments.contains(','),
        };
        is_whole.then_some((asked, id))
    }
}

/// Whether what was asked may end with these words, which are not SUCCESS's. `is_missing`: there may be no message of that
/// number. The link is true.
#[must_use]
pub fn may_end_asked(
    words: &str,
    asked: Asked,
    is_missing: bool,
    link: &Link,
    network_left: bool,
    ground: &Ground,
    now: Instant,
) -> bool {
    let seen = Seen::of(link, network_left, now);
    let user = user_said(link);
    let is = |trouble: SessionTrouble| {
        user.as_deref().and_then(|user| trouble::find(Place::Pop3User, user))
            == Some(Trouble::Session(trouble))
    };
    match (words, asked) {
        ("+POP3: NETWORK ERROR", _) => seen.is_lost,
        ("+POP3: SERVER ERROR", Asked::LogIn) => seen.is_no_server(),
        ("+POP3: SERVER ERROR", _) => {
            seen.is_no_server()
                || is_missing
                || is(SessionTrouble::Garbage)
                || (asked == Asked::Delete && is(SessionTrouble::ErrOnDele))
                || (asked == Asked::LogOut && is(SessionTrouble::ErrOnQuit))
                // Released while the terminal had asked nothing of it; what saves a mail is told at once.
                || (seen.is_lost && !matches!(asked, Asked::Saving { .. }))
        }
        ("+POP3: INVALID UN", Asked::LogIn) => is(SessionTrouble::UnknownUser),
        ("+POP3: INVALID UN/PWD", Asked::LogIn) => {
            // With APOP a user who is not known is refused in the same breath. A session before this one may not be over at
            // the server, which says so.
            [SessionTrouble::UnknownUser, SessionTrouble::WrongPassword, SessionTrouble::Locked]
                .into_iter()
                .any(is)
                || link.received.windows(13).any(|part| part == b"-ERR [IN-USE]")
        }
        ("+POP3: FAILURE", Asked::Saving { .. }) => is(SessionTrouble::ErrOnRetr),
        ("+POP3: FILE SYSTEM ERROR", Asked::Saving { is_card }) => is_card || is_short(link, ground),
        _ => false,
    }
}

/// Whether a drive may have no room for what has come: a text may be saved twice, and become longer as it is decoded.
fn is_short(link: &Link, ground: &Ground) -> bool {
    let came = u64::try_from(link.received.len()).unwrap_or(u64::MAX);
    ground
        .drive(Letter::C)
        .space()
        .is_ok_and(|space| space.total.saturating_sub(space.used) < came.saturating_mul(4))
}

/// Who has logged in, or tried to.
fn user_said(link: &Link) -> Option<String> {
    let said = String::from_utf8_lossy(&link.transmitted).into_owned();
    said.lines().find_map(|line| {
        let by_apop =
            || line.strip_prefix("APOP ").and_then(|rest| rest.rsplit_once(' ')).map(|(user, _)| user);
        line.strip_prefix("USER ").or_else(by_apop).map(str::to_owned)
    })
}
