//! The provider: takes a call to any server name, and hands out the server's end of the link.
//!
//! Not here: the protocol (`mail`'s server machines), what names mean ([`crate::trouble`]) and where mail is kept
//! ([`crate::mailbox`]).

mod pop3;
mod smtp;

use crate::limits::{MESSAGE_OCTETS_MAX, REASON_CHARACTERS_MAX};
use crate::mailbox::Mailboxes;
use crate::trouble::{self, Place, Trouble};
use mail::machine::Machine;
use mail::pop3::server::Server as Pop3Server;
use mail::sasl::Mechanism;
use mail::secret::Secret;
use mail::smtp::server::{Server as SmtpServer, Settings as SmtpSettings};
use std::convert::Infallible;
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

/// The server's end of a link, waiting for `Opened`. It wants nothing of its owner but octets sent, and to be dropped
/// when the link is closed: until then, or until QUIT, a POP3 session keeps others out of its maildrop.
pub type Connection = Box<dyn Machine<Event = Infallible> + Send>;

/// What the provider is told about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Longest message it takes; EHLO says so.
    pub message_octets_max: u64,
    /// Whether EHLO offers STARTTLS, and CAPA STLS; the owner of the link then has to do the handshake.
    pub start_tls: bool,
    /// Whether CAPA offers PIPELINING. Commands that come together are obeyed all the same; EHLO always offers it.
    pub pipelining: bool,
    /// What AUTH offers, over SMTP and over POP3. `None` is as in the note's time: PLAIN, LOGIN and CRAM-MD5 over SMTP, no
    /// AUTH over POP3.
    pub mechanisms: Option<Vec<Mechanism>>,
    /// The one password that SCRAM takes, whoever the user is: there the server must know it, too. All other log-ins take
    /// any password, and any token.
    pub scram_password: Secret,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            message_octets_max: MESSAGE_OCTETS_MAX,
            start_tls: false,
            pipelining: true,
            mechanisms: None,
            scram_password: Secret::new("pwd"),
        }
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
    /// The name means trouble.
    pub fn connect(&mut self, service: Service, server_name: &str) -> Result<Connection, DialTrouble> {
        let trouble = trouble::find(Place::Server, server_name);
        match trouble {
            Some(Trouble::Unresolved) => return Err(DialTrouble::Unresolved),
            Some(Trouble::Refused) => return Err(DialTrouble::Refused),
            _ => {}
        }
        self.connections += 1;
        let name = own_name(server_name);
        // Nothing here is secret, so a challenge need only be another one each time.
        let challenge = format!("<{}@{name}>", self.connections);
        let mailboxes = Arc::clone(&self.mailboxes);
        let Settings { message_octets_max, start_tls, pipelining, mechanisms, scram_password } =
            self.settings.clone();
        Ok(match service {
            Service::Smtp => {
                let of_its_time = SmtpSettings::new(&name, message_octets_max, challenge);
                let mechanisms = mechanisms.unwrap_or_else(|| of_its_time.mechanisms.clone());
                let settings = SmtpSettings { start_tls, mechanisms, ..of_its_time };
                let session = smtp::Session::new(name, trouble, mailboxes, scram_password);
                Box::new(SmtpServer::new(session, settings))
            }
            Service::Pop3 => {
                let offer = pop3::Offer { start_tls, pipelining, mechanisms, challenge, scram_password };
                Box::new(Pop3Server::new(pop3::Session::new(&name, offer, trouble, mailboxes)))
            }
        })
    }
}

/// What is neither SMTP nor POP3.
const GARBAGE: &[u8] = b"\xff\xfe\0this is no mail server\r\n";

/// What the server calls itself: the name it was called by, if a reply can hold it.
fn own_name(server_name: &str) -> String {
    let is_printable = !server_name.is_empty() && server_name.bytes().all(|b| b.is_ascii_graphic());
    if is_printable { server_name } else { "sandbox.invalid" }.to_owned()
}

/// A reason as an answer tells it. It may come from a file system, and must neither break out of its line nor stretch
/// it.
fn in_a_line(reason: &str) -> String {
    reason.chars().take(REASON_CHARACTERS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
