//! Where the modem's connections lead: to the sandbox in this process, or out to the real network by the upstream map.
//!
//! Not here: what is spoken on them.

use crate::limits::{ADDRESS_WAIT, DUPLEX_OCTETS_MAX};
use crate::link::{Link, serve};
use crate::queue::Entrance;
use crate::tls::{Handshake, Tls};
use crate::upstream::{Deliver, TlsMode, Upstream, Upstreams, UsedToken};
use mail::limits::IDLE_MAX;
use modem::modem::{Obstacle, ObstacleKind, Protocol};
use modem::route::{Call, Route};
use sandbox::provider::{Connection, Provider, Service};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::net::TcpStream;

/// The network that a modem sees. A clone is the same network.
#[derive(Clone)]
pub enum Network {
    /// Every name and port is a server of this provider's.
    Sandbox(Sandbox),
    /// Names are resolved, and sockets opened.
    Real(Real),
}

/// A provider in this process. A clone is the same one.
#[derive(Clone)]
pub struct Sandbox(Arc<Mutex<Opening>>);

/// A provider, or what it takes to have one.
enum Opening {
    Open(Box<Provider>),
    /// It is not there before it is called: most lines never do.
    WhenCalled(Box<dyn FnMut() -> anyhow::Result<Provider> + Send>),
}

impl Sandbox {
    /// A provider.
    #[must_use]
    pub fn new(provider: Provider) -> Self {
        Self(Arc::new(Mutex::new(Opening::Open(Box::new(provider)))))
    }

    /// One that is there from the first call on.
    #[must_use]
    pub fn when_called(open: impl FnMut() -> anyhow::Result<Provider> + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Opening::WhenCalled(Box::new(open)))))
    }

    fn connect(&self, service: Service, server: &str) -> Result<Connection, Obstacle> {
        // A provider is whole between any two calls, even if a thread that had it panicked.
        let mut opening = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Opening::WhenCalled(open) = &mut *opening {
            let provider =
                open().map_err(|error| unreachable(format!("the sandbox cannot be opened: {error:#}")))?;
            *opening = Opening::Open(Box::new(provider));
        }
        match &mut *opening {
            Opening::Open(provider) => {
                provider.connect(service, server).map_err(|trouble| unreachable(trouble.to_string()))
            }
            Opening::WhenCalled(_) => Err(unreachable("the sandbox is not open".to_owned())),
        }
    }
}

/// What a line has of the real network.
#[derive(Clone)]
pub struct Real {
    /// The line's name, for rules about it.
    pub line: String,
    /// The map; another may take its place at any time.
    pub upstreams: SharedUpstreams,
    /// For the rules that keep mail on this machine.
    pub sandbox: Sandbox,
    /// For the rules that have mail queued; `None` where nothing is.
    pub queue: Option<Entrance>,
}

/// The upstream map as it is now. A clone is the same map.
#[derive(Clone, Default)]
pub struct SharedUpstreams(Arc<RwLock<Arc<Upstreams>>>);

impl SharedUpstreams {
    /// The map as it is now.
    #[must_use]
    pub fn get(&self) -> Arc<Upstreams> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has another take its place: for the calls from here on.
    pub fn set(&self, upstreams: Upstreams) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(upstreams);
    }
}

/// A connection on its way; to drop it is to give it up.
pub type Dialling = Pin<Box<dyn Future<Output = Result<Dialled, Obstacle>> + Send>>;

/// A connection that stands.
pub struct Dialled {
    /// The connection.
    pub link: Link,
    /// How the call is carried out on it.
    pub route: Route,
    /// What was agreed on, if it is secured from its first octet.
    pub handshake: Option<Handshake>,
    /// What somebody logs in with, if it is a token.
    pub token: Option<UsedToken>,
}

impl Network {
    /// The network of a provider's own.
    #[must_use]
    pub fn sandbox(provider: Provider) -> Self {
        Self::Sandbox(Sandbox::new(provider))
    }

    /// Dials for a call. How long that may take is for the caller to say.
    #[must_use]
    pub fn dial(&self, call: Call) -> Dialling {
        match self {
            Self::Sandbox(provider) => {
                let provider = provider.clone();
                Box::pin(async move { dial_sandbox(&provider, &call, Route::default()) })
            }
            Self::Real(Real { line, upstreams, sandbox, queue }) => {
                let upstream = Arc::clone(upstreams.get().find(line, &call));
                let (line, sandbox, queue) = (line.clone(), sandbox.clone(), queue.clone());
                Box::pin(async move {
                    match upstream.deliver {
                        Deliver::Sandbox => dial_sandbox(
                            &sandbox,
                            &call,
                            upstream.route(TlsMode::Off, true, None).map_err(unreachable)?,
                        ),
                        Deliver::Network if upstream.is_queued(&call) => queue
                            .ok_or_else(|| unreachable("was not called: there is no queue here".to_owned()))?
                            .enter(&upstream, &line, &call),
                        Deliver::Network => dial_upstream(&upstream, &call).await,
                    }
                })
            }
        }
    }
}

fn dial_sandbox(sandbox: &Sandbox, call: &Call, route: Route) -> Result<Dialled, Obstacle> {
    let service = match call.protocol {
        Protocol::Smtp => Service::Smtp,
        Protocol::Pop3 => Service::Pop3,
    };
    let connection = sandbox.connect(service, &call.server)?;
    let (near, far) = tokio::io::duplex(DUPLEX_OCTETS_MAX);
    tokio::spawn(serve(connection, far));
    Ok(Dialled { link: Link::new(near), route, handshake: None, token: None })
}

/// Calls the server that a rule leads to.
///
/// # Errors
/// Why there is no link, in words that begin with the server's name if it is another than the one that was named, or if
/// they are about TLS.
pub async fn dial_upstream(upstream: &Upstream, call: &Call) -> Result<Dialled, Obstacle> {
    let (server, port) = upstream.server(call);
    let mode = upstream.tls_at(port);
    let called = format!("{server}:{port}");
    let dialled = async {
        if let Some(words) = upstream.missing() {
            return Err(Obstacle { kind: ObstacleKind::LogIn, words });
        }
        let tls = match mode {
            TlsMode::Off => None,
            TlsMode::Implicit | TlsMode::Required | TlsMode::Opportunistic => {
                Some(Tls::new(upstream.trust.clone(), server, called.clone())?)
            }
        };
        let token = upstream
            .log_in
            .token()
            .await
            .map_err(|error| Obstacle { kind: ObstacleKind::LogIn, words: error.to_string() })?;
        let (stream, address) = dial_tcp(server, port).await?;
        let is_here = is_on_this_machine(address.ip());
        let mut route = upstream.route(mode, is_here, token.as_ref()).map_err(unreachable)?;
        route.called = (upstream.host.is_some() || upstream.port.is_some()).then(|| called.clone());
        Ok(match (mode, tls) {
            (TlsMode::Implicit, Some(tls)) => {
                let (stream, handshake) = tls.handshake(stream, true).await?;
                Dialled { link: Link::new(stream), route, handshake: Some(handshake), token }
            }
            (_, tls) => Dialled { link: Link::new(stream).with_tls(tls), route, handshake: None, token },
        })
    };
    dialled.await.map_err(|Obstacle { kind, words }: Obstacle| Obstacle {
        kind,
        words: if upstream.host.is_some() && kind != ObstacleKind::Tls {
            format!("{called} {words}")
        } else {
            words
        },
    })
}

/// Whether what goes to this address can be read by nobody between. Nobody's address is one of this machine's, to whoever
/// calls it.
fn is_on_this_machine(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified()
}

/// Returns the address that answered, too.
async fn dial_tcp(server: &str, port: u16) -> Result<(TcpStream, SocketAddr), Obstacle> {
    let failed = |error: io::Error| unreachable(error.to_string());
    let addresses: Vec<_> = tokio::net::lookup_host((server, port))
        .await
        .map_err(|error| unreachable(format!("the name is not resolved: {error}")))?
        .collect();
    let mut stream = Err(unreachable("the name has no address".to_owned()));
    for (at, &address) in addresses.iter().enumerate() {
        // An address that leads nowhere must not keep the others from being tried, as a dead IPv6 does.
        let wait = if at + 1 < addresses.len() { ADDRESS_WAIT } else { IDLE_MAX };
        stream = match tokio::time::timeout(wait, TcpStream::connect(address)).await {
            Ok(connected) => connected.map(|stream| (stream, address)).map_err(failed),
            Err(_) => Err(unreachable(format!("{address} did not answer within {} s", wait.as_secs()))),
        };
        if stream.is_ok() {
            break;
        }
    }
    let (stream, address) = stream?;
    // The last segment of a message must not wait for an acknowledgement that the peer delays.
    stream.set_nodelay(true).map_err(failed)?;
    Ok((stream, address))
}

const fn unreachable(words: String) -> Obstacle {
    Obstacle { kind: ObstacleKind::Network, words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_this_machine_and_what_is_not() {
        let is_here = |address: &str| is_on_this_machine(address.parse().unwrap());
        for here in ["127.0.0.1", "127.8.9.10", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"] {
            assert!(is_here(here), "{here}");
        }
        for elsewhere in
            ["192.0.2.1", "10.0.0.1", "128.0.0.1", "fe80::1", "2001:db8::1", "::ffff:192.0.2.1", "::2"]
        {
            assert!(!is_here(elsewhere), "{elsewhere}");
        }
    }
}
