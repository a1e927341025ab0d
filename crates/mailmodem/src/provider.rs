//! The sandbox's provider on real sockets, for other programs: `mailmodem sandbox`.
//!
//! Not here: what it answers ([`sandbox`]).

use crate::flags::SandboxFlags;
use crate::home::Home;
use crate::limits::{ACCEPT_REST, SANDBOX_CALLERS_MAX, SANDBOX_CONNECTIONS_MAX, SANDBOX_GRACE};
use crate::link::serve_secured;
use crate::tls::ServerTls;
use anyhow::Context as _;
use sandbox::provider::{Provider, Service, Settings};
use std::future::poll_fn;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// `docs/troubles.md`: the names that mean trouble.
#[must_use]
pub fn troubles() -> String {
    let table = sandbox::trouble::table();
    format!(
        "# Trouble by name\n\n\
         Made from the sandbox's table; a test says when it is stale. In the sandbox every server name answers, every \
         user may come in\nand every recipient has a mailbox, except for these names. `NNN` is any code from 400 to \
         559 that a reply can have.\n\n{table}"
    )
}

/// Serves until SIGINT or SIGTERM. Connections then have [`SANDBOX_GRACE`] to end by themselves; what is not wholly
/// delivered by then leaves no trace, and what a session has only marked stays.
///
/// # Errors
/// The directory cannot be used, or an address not be bound.
pub async fn run(flags: SandboxFlags) -> anyhow::Result<()> {
    let home = Home::open(flags.dir)?;
    let on_delivery = |file: &Path| tracing::info!(file = %file.display(), "delivered");
    let tls = match (&flags.certificate, &flags.key) {
        (Some(certificate), Some(key)) => Some(ServerTls::read(certificate, key)?),
        _ => None,
    };
    let settings = Settings { start_tls: tls.is_some(), ..Settings::default() };
    let mut provider = Provider::new(home.maildirs(on_delivery)?, settings);
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut doors = Vec::new();
    for (name, address, service, is_implicit) in [
        ("SMTP", flags.smtp, Service::Smtp, false),
        ("POP3", flags.pop3, Service::Pop3, false),
        ("SMTP under TLS", flags.smtps, Service::Smtp, true),
        ("POP3 under TLS", flags.pop3s, Service::Pop3, true),
    ] {
        if let Some(address) = address {
            let listener = listen(address)?;
            write!(io::stdout(), "{name} on {}, ", listener.local_addr()?)?;
            doors.push(Door { listener, service, is_implicit });
        }
    }
    writeln!(io::stdout(), "mail in {}", home.mail().display())?;

    let room = Arc::new(Semaphore::new(SANDBOX_CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            (place, (service, is_implicit, stream)) = async {
                (Arc::clone(&room).acquire_owned().await, accept(&doors).await)
            } => {
                let tls = tls.clone();
                match provider.connect(service, &flags.name) {
                    Ok(connection) => drop(connections.spawn(async move {
                        serve_secured(connection, stream, tls, is_implicit).await;
                        drop(place);
                    })),
                    Err(trouble) => tracing::info!(%trouble, "a connection is closed at once"),
                }
            }
            Some(_) = connections.join_next() => {}
            _ = interrupted.recv() => break,
            _ = terminated.recv() => break,
        }
    }
    drop(doors);
    let ended =
        tokio::time::timeout(SANDBOX_GRACE, async { while connections.join_next().await.is_some() {} });
    if ended.await.is_err() {
        tracing::warn!(connections = connections.len(), "ended with connections open");
    }
    Ok(())
}

/// Where connections come in.
struct Door {
    listener: TcpListener,
    service: Service,
    /// Whether TLS begins with the first octet.
    is_implicit: bool,
}

fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listening = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(SANDBOX_CALLERS_MAX)
    };
    listening().with_context(|| {
        format!("cannot listen on {address}; name another address, or port 0 for a free one")
    })
}

/// The next connection, at whichever door. One that cannot be accepted is no reason to end; it is tried again after a
/// rest.
async fn accept(doors: &[Door]) -> (Service, bool, TcpStream) {
    loop {
        let accepted = poll_fn(|context| {
            let mut accepted = doors.iter().map(|door| (door, door.listener.poll_accept(context)));
            match accepted.find(|(_, accepted)| accepted.is_ready()) {
                Some((door, accepted)) => {
                    accepted.map_ok(|(stream, _)| (door.service, door.is_implicit, stream))
                }
                None => Poll::Pending,
            }
        });
        let accepted = accepted.await;
        match accepted.and_then(|door| door.2.set_nodelay(true).map(|()| door)) {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}
