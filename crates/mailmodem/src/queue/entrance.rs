//! Where a line's modem gets at the queue: a link that leads to [`Intake`] instead of a server.
//!
//! Not here: which calls lead here ([`crate::network`]).

use super::Queue;
use super::intake::{Intake, Origin};
use crate::limits::DUPLEX_OCTETS_MAX;
use crate::link::{Link, serve};
use crate::network::Dialled;
use crate::upstream::Upstream;
use mail::machine::Machine;
use mail::smtp::server::{Server, Settings};
use modem::modem::{Obstacle, ObstacleKind};
use modem::route::{Account, Call, Route};
use std::convert::Infallible;
use std::io;

/// A line's way into the queue.
#[derive(Clone)]
pub struct Entrance {
    /// The queue.
    pub queue: Queue,
    /// How the line's modem calls itself to servers.
    pub hello_name: String,
}

impl Entrance {
    /// Opens a link to the queue, for a mail that goes by `upstream`. Rewriting is done before it comes in.
    ///
    /// # Errors
    /// The queue cannot be used.
    pub fn enter(&self, upstream: &Upstream, line: &str, call: &Call) -> Result<Dialled, Obstacle> {
        let server = self.server(&upstream.name, line, call).map_err(|error| Obstacle {
            kind: ObstacleKind::Network,
            words: format!("was not called: the queue cannot be used: {error}"),
        })?;
        let (near, far) = tokio::io::duplex(DUPLEX_OCTETS_MAX);
        tokio::spawn(serve(server, far));
        let route = Route {
            called: Some("the queue".to_owned()),
            account: Account::Nobody,
            rewriting: upstream.rewriting.clone(),
            ..Route::default()
        };
        Ok(Dialled { link: Link::new(near), route, handshake: None, token: None })
    }

    /// The far end of such a link.
    ///
    /// # Errors
    /// The queue cannot be used.
    pub fn server(
        &self,
        upstream: &str,
        line: &str,
        call: &Call,
    ) -> io::Result<Box<dyn Machine<Event = Infallible> + Send>> {
        let spool = self.queue.spool()?;
        let origin = Origin {
            upstream: upstream.to_owned(),
            line: line.to_owned(),
            server: call.server.clone(),
            port: call.port,
            hello_name: self.hello_name.clone(),
        };
        let octets_max = self.queue.settings().octets_max;
        let settings = Settings {
            mechanisms: Vec::new(),
            // A server that the mail is handed to may not have it, and then it is too late to encode it.
            eight_bit_mime: false,
            ..Settings::new("queue.invalid", octets_max, "")
        };
        Ok(Box::new(Server::new(Intake::new(self.queue.clone(), spool, origin), settings)))
    }
}
