//! One POP3 link: what lies in mailboxes is fetched, unless a name means trouble.
//!
//! Every password is right, but for SCRAM. A user whose name means trouble has the two first mails, as new in each session: others
//! that were sent under that name are not seen, and what is deleted is there again the next time.

use super::{GARBAGE, in_a_line};
use crate::first_mails;
use crate::limits::ENDLESS_LINE_OCTETS;
use crate::mailbox::{Mailboxes, Maildrop, MemoryMailboxes, NotOpened, NotServed, Text};
use crate::trouble::{self, Place, SessionTrouble, Trouble};
use mail::pop3::capability::Capabilities;
use mail::pop3::command::Command;
use mail::pop3::server::{Content, Mail, Proof, Reaction, Service};
use mail::sasl::Mechanism;
use mail::sasl::server::Claim;
use mail::secret::Secret;
use std::sync::Arc;

pub(super) struct Session {
    greeting: String,
    offer: Offer,
    server_trouble: Option<Trouble>,
    mailboxes: Arc<dyn Mailboxes>,
    /// By the user's name.
    trouble: Option<SessionTrouble>,
    /// `None` before the log-in, and after QUIT.
    maildrop: Option<Box<dyn Maildrop>>,
    /// Whether the mail to be opened is asked for by RETR: by TOP nothing happens to it.
    is_retrieved: bool,
}

/// What a session can be had with, besides USER, PASS and APOP.
pub(super) struct Offer {
    pub(super) start_tls: bool,
    pub(super) pipelining: bool,
    pub(super) mechanisms: Option<Vec<Mechanism>>,
    pub(super) challenge: String,
    pub(super) scram_password: Secret,
}

impl Session {
    pub(super) fn new(
        name: &str,
        offer: Offer,
        server_trouble: Option<Trouble>,
        mailboxes: Arc<dyn Mailboxes>,
    ) -> Self {
        Self {
            greeting: format!("{name} sandbox {}", offer.challenge),
            offer,
            server_trouble,
            mailboxes,
            trouble: None,
            maildrop: None,
            is_retrieved: false,
        }
    }

    fn name_user(&mut self, name: &[u8]) {
        self.trouble = match trouble::find(Place::Pop3User, &String::from_utf8_lossy(name)) {
            Some(Trouble::Session(trouble)) => Some(trouble),
            _ => None,
        };
    }
}

impl Service for Session {
    type Content = Reading;

    fn greeting(&mut self) -> Result<String, Reaction> {
        match self.server_trouble {
            Some(Trouble::SilentServer) => Err(Reaction::Silence),
            Some(Trouble::Busy) => Err(refusal("[SYS/TEMP] too busy")),
            Some(Trouble::Garbage) => Err(garbage()),
            _ => Ok(self.greeting.clone()),
        }
    }

    fn capabilities(&self) -> Capabilities {
        let names = |mechanisms: &Vec<Mechanism>| {
            mechanisms.iter().map(|mechanism| mechanism.name()).collect::<Vec<_>>().join(" ")
        };
        Capabilities {
            top: self.trouble != Some(SessionTrouble::NoTop),
            uidl: self.trouble != Some(SessionTrouble::NoUidl),
            user: true,
            stls: self.offer.start_tls,
            resp_codes: true,
            auth_resp_code: true,
            pipelining: self.offer.pipelining,
            sasl: self.offer.mechanisms.as_ref().map(names),
        }
    }

    fn challenge(&self) -> String {
        self.offer.challenge.clone()
    }

    fn password_of(&mut self, _: &str) -> Option<Secret> {
        Some(self.offer.scram_password.clone())
    }

    fn before(&mut self, command: &Command) -> Result<(), Reaction> {
        if let (Command::User(name), None) = (command, &self.maildrop) {
            self.name_user(name);
        }
        self.is_retrieved = matches!(command, Command::Retr(_));
        match (self.trouble, command) {
            (Some(SessionTrouble::UnknownUser), Command::User(_)) => Err(refusal("[AUTH] no such user")),
            (Some(SessionTrouble::Garbage), _) if self.maildrop.is_some() => Err(garbage()),
            (Some(SessionTrouble::ErrOnRetr), Command::Retr(_)) => {
                Err(refusal("[SYS/TEMP] the name asks for it"))
            }
            (Some(SessionTrouble::ErrOnDele), Command::Dele(_)) => Err(refusal("the name asks for it")),
            _ => Ok(()),
        }
    }

    fn log_in(&mut self, name: &[u8], proof: Proof<'_>) -> Result<Vec<Mail>, Reaction> {
        self.name_user(name);
        if matches!(proof, Proof::Sasl(Claim::Scram { is_proven: false, .. })) {
            return Err(refusal("[AUTH] wrong user or password"));
        }
        let maildrop = match self.trouble {
            Some(SessionTrouble::UnknownUser | SessionTrouble::WrongPassword) => {
                return Err(refusal("[AUTH] wrong user or password"));
            }
            Some(SessionTrouble::Locked) => Err(NotOpened::InUse),
            Some(_) => first_maildrop(),
            None => self.mailboxes.maildrop(&String::from_utf8_lossy(name)),
        };
        let maildrop = maildrop.map_err(|why| match why {
            NotOpened::InUse => refusal("[IN-USE] another session has the maildrop"),
            NotOpened::NotServed(why) => not_served(&why),
        })?;
        let mut mails = maildrop.mails();
        if self.trouble == Some(SessionTrouble::LyingSize) {
            for (mail, lie) in mails.iter_mut().zip([1, 1 << 32]) {
                mail.octets = lie;
            }
        }
        self.maildrop = Some(maildrop);
        Ok(mails)
    }

    fn open(&mut self, id: u32) -> Result<Reading, Reaction> {
        let maildrop = self.maildrop.as_mut().ok_or_else(|| refusal("no maildrop"))?;
        let text = maildrop.open(id).map_err(|why| not_served(&why))?;
        let end = match self.trouble.filter(|_| self.is_retrieved) {
            Some(SessionTrouble::Silent) => Some(End::Happens(Reaction::Silence)),
            Some(SessionTrouble::Cut) => Some(End::Happens(Reaction::Cut)),
            Some(SessionTrouble::Endless) => Some(End::Never),
            _ => None,
        };
        Ok(Reading { text, end, is_at_end: false })
    }

    fn commit(&mut self, marked: &[u32]) -> Result<(), Reaction> {
        // Taken in any case: the session is over, and the next one may come.
        let maildrop = self.maildrop.take();
        match (self.trouble, maildrop) {
            (Some(SessionTrouble::ErrOnQuit), _) => Err(refusal("some deleted messages not removed")),
            (_, Some(maildrop)) => maildrop.remove(marked).map_err(|why| not_served(&why)),
            (_, None) => Ok(()),
        }
    }
}

/// The maildrop of a user whose name means trouble.
fn first_maildrop() -> Result<Box<dyn Maildrop>, NotOpened> {
    let mailboxes = MemoryMailboxes::default();
    first_mails::deliver(&mailboxes).map_err(|why| NotServed(why.0))?;
    mailboxes.maildrop(first_mails::RECIPIENT)
}

/// A mail on its way to the client.
pub(super) struct Reading {
    text: Box<dyn Text>,
    /// What comes in place of its end; if anything does, the mail is one of the first mails.
    end: Option<End>,
    is_at_end: bool,
}

enum End {
    Happens(Reaction),
    /// Its attachment goes on.
    Never,
}

impl Content for Reading {
    fn read(&mut self) -> Result<Vec<u8>, Reaction> {
        if let Some(end) = self.end.as_ref().filter(|_| self.is_at_end) {
            return match end {
                End::Happens(reaction) => Err(reaction.clone()),
                End::Never => Ok([&b"\r\n"[..], &[b'A'; ENDLESS_LINE_OCTETS]].concat()),
            };
        }
        let mut portion = self.text.read().map_err(|why| not_served(&why))?;
        if self.end.is_some() {
            // The first mails come in one portion.
            self.is_at_end = true;
            portion.truncate(closing_delimiter(&portion));
        }
        Ok(portion)
    }
}

/// Where the last line that begins with `--` begins, with the line end before it.
fn closing_delimiter(message: &[u8]) -> usize {
    message.windows(4).rposition(|window| window == b"\r\n--").unwrap_or(message.len())
}

fn refusal(text: &str) -> Reaction {
    Reaction::Refuse(text.to_owned())
}

fn garbage() -> Reaction {
    Reaction::Garbage(GARBAGE.to_vec())
}

fn not_served(why: &NotServed) -> Reaction {
    Reaction::Refuse(format!("[SYS/TEMP] {}", in_a_line(&why.0)))
}
