//! Where the modem's connections lead: to the sandbox in this process, or out to the real network.
//!
//! Not here: what is spoken on them.

use crate::limits::DUPLEX_OCTETS_MAX;
use crate::link::{Link, serve};
use modem::modem::{Obstacle, ObstacleKind, Protocol};
use sandbox::provider::{Provider, Service};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpStream;

/// The network that a modem sees. A clone is the same network.
#[derive(Clone)]
pub enum Network {
    /// Every name and port is a server of this provider's.
    Sandbox(Arc<Mutex<Provider>>),
    /// Names are resolved, and sockets opened.
    Real,
}

/// A connection on its way; to drop it is to give it up.
pub type Dialling = Pin<Box<dyn Future<Output = Result<Link, Obstacle>> + Send>>;

impl Network {
    /// The network of a provider's own.
    #[must_use]
    pub fn sandbox(provider: Provider) -> Self {
        Self::Sandbox(Arc::new(Mutex::new(provider)))
    }

    /// Dials a server. How long that may take is for the caller to say.
    #[must_use]
    pub fn dial(&self, protocol: Protocol, server: String, port: u16) -> Dialling {
        match self {
            Self::Sandbox(provider) => {
                let provider = Arc::clone(provider);
                Box::pin(async move { dial_sandbox(&provider, protocol, &server) })
            }
            Self::Real => Box::pin(dial_tcp(server, port)),
        }
    }
}

fn dial_sandbox(provider: &Mutex<Provider>, protocol: Protocol, server: &str) -> Result<Link, Obstacle> {
    let service = match protocol {
        Protocol::Smtp => Service::Smtp,
        Protocol::Pop3 => Service::Pop3,
    };
    // A provider is whole between any two calls, even if a thread that had it panicked.
    let called = provider.lock().unwrap_or_else(PoisonError::into_inner).connect(service, server);
    let connection = called.map_err(|trouble| unreachable(trouble.to_string()))?;
    let (near, far) = tokio::io::duplex(DUPLEX_OCTETS_MAX);
    tokio::spawn(serve(connection, far));
    Ok(Link::new(near))
}

async fn dial_tcp(server: String, port: u16) -> Result<Link, Obstacle> {
    let failed = |error: io::Error| unreachable(error.to_string());
    let addresses: Vec<_> = tokio::net::lookup_host((server.as_str(), port))
        .await
        .map_err(|error| unreachable(format!("the name is not resolved: {error}")))?
        .collect();
    let stream = TcpStream::connect(addresses.as_slice()).await.map_err(failed)?;
    // The last segment of a message must not wait for an acknowledgement that the peer delays.
    stream.set_nodelay(true).map_err(failed)?;
    Ok(Link::new(stream))
}

const fn unreachable(words: String) -> Obstacle {
    Obstacle { kind: ObstacleKind::Network, words }
}
