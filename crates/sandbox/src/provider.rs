//! The provider: takes a call to any server name, and hands out the server's end of the link.
//!
//! Not here: the protocol (`mail`'s server machines), what names mean ([`crate::trouble`]) and where mail is kept
//! ([`crate::mailbox`]).

use crate::limits::{CUT_AFTER_OCTETS, MESSAGE_OCTETS_MAX, REASON_CHARACTERS_MAX, SLOW_ANSWER};
use crate::mailbox::{Delivery, Envelope, Mailboxes, NotStored};
use crate::trouble::{self, Place, Trouble};
use mail::machine::Machine;
use mail::smtp::auth::Claim;
use mail::smtp::command::Path;
use mail::smtp::reply::Reply;
use mail::smtp::server as smtp;
use mail::smtp::server::Reaction;
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;

/// What a caller wants to talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// RFC 5321.
    Smtp,
    /// RFC 1939.
    Pop3,
}

/// Why a call did not come through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialTrouble {
    /// No such name.
    #[error("the name is not resolved")]
    Unresolved,
    /// Nobody listens.
    #[error("the connection is refused")]
    Refused,
}

/// The server's end of a link, waiting for `Opened`. It wants nothing of its owner but octets sent.
pub type Connection = Box<dyn Machine<Event = Infallible> + Send>;

/// What the provider is told about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Longest message it takes; EHLO says so.
    pub message_octets_max: u64,
    /// Whether EHLO offers STARTTLS; the owner of the link then has to do the handshake.
    pub start_tls: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { message_octets_max: MESSAGE_OCTETS_MAX, start_tls: false }
    }
}

/// All servers of the pretended world.
pub struct Provider {
    mailboxes: Arc<dyn Mailboxes>,
    settings: Settings,
    connections: u64,
}

impl Provider {
    /// A provider that keeps its mail in `mailboxes`.
    #[must_use]
    pub fn new(mailboxes: impl Mailboxes + 'static, settings: Settings) -> Self {
        Self { mailboxes: Arc::new(mailboxes), settings, connections: 0 }
    }

    /// Calls `server_name`, on whatever port.
    ///
    /// # Errors
    /// The name means trouble, or asks for a service that is not there.
    pub fn connect(&mut self, service: Service, server_name: &str) -> Result<Connection, DialTrouble> {
        let trouble = trouble::find(Place::Server, server_name);
        match (trouble, service) {
            (Some(Trouble::Unresolved), _) => Err(DialTrouble::Unresolved),
            (Some(Trouble::Refused), _) | (_, Service::Pop3) => Err(DialTrouble::Refused),
            (_, Service::Smtp) => {
                self.connections += 1;
                let name = own_name(server_name);
                // Nothing here is secret, so a challenge need only be another one each time.
                let challenge = format!("<{}@{name}>", self.connections);
                let settings = smtp::Settings {
                    start_tls: self.settings.start_tls,
                    ..smtp::Settings::new(&name, self.settings.message_octets_max, challenge)
                };
                Ok(Box::new(smtp::Server::new(SmtpSession::new(name, trouble, &self.mailboxes), settings)))
            }
        }
    }
}

/// What the server calls itself: the name it was called by, if a reply can hold it.
fn own_name(server_name: &str) -> String {
    let is_printable = !server_name.is_empty() && server_name.bytes().all(|b| b.is_ascii_graphic());
    if is_printable { server_name } else { "sandbox.invalid" }.to_owned()
}

/// One SMTP link, and the transaction on it.
struct SmtpSession {
    name: String,
    trouble: Option<Trouble>,
    mailboxes: Arc<dyn Mailboxes>,
    transaction: Transaction,
}

#[derive(Default)]
struct Transaction {
    sender: String,
    recipients: Vec<String>,
    /// What will happen to the text, by the first recipient whose name says so.
    text_trouble: Option<Trouble>,
    is_slow: bool,
    text_octets: u64,
    /// `None` while there is no text, and when it comes to nothing.
    delivery: Option<Box<dyn Delivery>>,
}

impl SmtpSession {
    fn new(name: String, trouble: Option<Trouble>, mailboxes: &Arc<dyn Mailboxes>) -> Self {
        Self { name, trouble, mailboxes: Arc::clone(mailboxes), transaction: Transaction::default() }
    }
}

impl smtp::Service for SmtpSession {
    fn greeting(&mut self) -> Reaction {
        match self.trouble {
            Some(Trouble::SilentServer) => Reaction::Silence,
            Some(Trouble::Busy) => Reaction::reply(421, format!("{} is too busy", self.name)),
            Some(Trouble::Garbage) => Reaction::Garbage(b"\xff\xfe\0this is no mail server\r\n".to_vec()),
            _ => Reaction::reply(220, format!("{} ESMTP sandbox", self.name)),
        }
    }

    fn authenticate(&mut self, claim: &Claim) -> Reaction {
        match trouble::find(Place::User, claim.user()) {
            Some(Trouble::AuthRefused) => Reaction::reply(535, "5.7.8 Wrong user or password"),
            Some(Trouble::AuthUnavailable) => Reaction::reply(454, "4.7.0 Cannot authenticate now"),
            _ => Reaction::reply(235, "2.7.0 Welcome"),
        }
    }

    fn mail(&mut self, reverse_path: &Path, authenticated: bool) -> Reaction {
        if self.trouble == Some(Trouble::AuthRequired) && !authenticated {
            return Reaction::reply(530, "5.7.0 Authentication required");
        }
        if let Some(Trouble::SenderRefused(code)) = trouble::find(Place::Sender, reverse_path.as_str()) {
            return Reaction::Reply(refusal(code));
        }
        self.transaction = Transaction { sender: reverse_path.as_str().to_owned(), ..Transaction::default() };
        Reaction::reply(250, "2.1.0 Sender OK")
    }

    fn recipient(&mut self, forward_path: &Path) -> Reaction {
        let transaction = &mut self.transaction;
        match trouble::find(Place::Recipient, forward_path.as_str()) {
            Some(Trouble::RecipientRefused(code)) => return transaction.answer(refusal(code)),
            Some(Trouble::Slow) => transaction.is_slow = true,
            Some(trouble) => {
                transaction.text_trouble.get_or_insert(trouble);
            }
            None => {}
        }
        transaction.recipients.push(forward_path.as_str().to_owned());
        transaction.answer(Reply::new(250, "2.1.5 Recipient OK"))
    }

    fn data(&mut self) -> Reaction {
        let transaction = &mut self.transaction;
        if transaction.text_trouble.is_none() {
            let envelope =
                Envelope { sender: transaction.sender.clone(), recipients: transaction.recipients.clone() };
            match self.mailboxes.begin(envelope) {
                Ok(delivery) => transaction.delivery = Some(delivery),
                Err(why) => return transaction.answer(not_stored(&why)),
            }
        }
        transaction.answer(Reply::new(354, "End with a dot on a line of its own"))
    }

    fn text(&mut self, octets: &[u8]) -> ControlFlow<Reaction> {
        let transaction = &mut self.transaction;
        transaction.text_octets = transaction.text_octets.saturating_add(octets.len() as u64);
        if transaction.text_trouble == Some(Trouble::Cut) && transaction.text_octets >= CUT_AFTER_OCTETS {
            return ControlFlow::Break(Reaction::Cut);
        }
        match transaction.delivery.as_mut().map(|delivery| delivery.write(octets)) {
            Some(Err(why)) => {
                transaction.delivery = None;
                ControlFlow::Break(transaction.answer(not_stored(&why)))
            }
            Some(Ok(())) | None => ControlFlow::Continue(()),
        }
    }

    fn text_end(&mut self) -> Reaction {
        let transaction = &mut self.transaction;
        let reply = match (transaction.text_trouble, transaction.delivery.take()) {
            (Some(Trouble::Cut), _) => return Reaction::Cut,
            (Some(Trouble::SilentAtEnd), _) => return Reaction::Silence,
            (Some(Trouble::TextRefused(code)), _) => refusal(code),
            (_, Some(delivery)) => match delivery.commit() {
                Ok(()) => Reply::new(250, "2.0.0 Delivered"),
                Err(why) => not_stored(&why),
            },
            (_, None) => Reply::new(451, "4.3.0 Nothing was begun"),
        };
        transaction.answer(reply)
    }

    fn reset(&mut self) {
        self.transaction = Transaction::default();
    }
}

impl Transaction {
    /// Gives an answer at this transaction's pace.
    const fn answer(&self, reply: Reply) -> Reaction {
        if self.is_slow { Reaction::Later(SLOW_ANSWER, reply) } else { Reaction::Reply(reply) }
    }
}

fn refusal(code: u16) -> Reply {
    Reply::new(code, format!("{}.0.0 The name asks for it", code / 100))
}

fn not_stored(why: &NotStored) -> Reply {
    // The reason may come from a file system; it must neither break out of its line nor stretch it.
    let why: String =
        why.0.chars().take(REASON_CHARACTERS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    Reply::new(451, format!("4.3.0 Cannot store it: {why}"))
}
