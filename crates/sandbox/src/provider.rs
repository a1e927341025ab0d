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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Longest message it takes; EHLO says so.
    pub message_octets_max: u64,
    /// Whether EHLO offers STARTTLS, and CAPA STLS; the owner of the link then has to do the handshake.
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
        let start_tls = self.settings.start_tls;
        Ok(match service {
            Service::Smtp => {
                let settings = SmtpSettings {
                    start_tls,
                    ..SmtpSettings::new(&name, self.settings.message_octets_max, challenge)
                };
                Box::new(SmtpServer::new(smtp::Session::new(name, trouble, mailboxes), settings))
            }
            Service::Pop3 => {
                let greeting = format!("{name} sandbox {challenge}");
                Box::new(Pop3Server::new(pop3::Session::new(greeting, trouble, mailboxes, start_tls)))
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
