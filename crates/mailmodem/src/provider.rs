//! The sandbox's provider on real sockets, for other programs: `mailmodem sandbox`.
//!
//! Not here: what it answers ([`sandbox`]).

use crate::flags::SandboxFlags;
use crate::home::Home;
use crate::limits::{ACCEPT_REST, SANDBOX_CONNECTIONS_MAX, SANDBOX_GRACE};
use crate::link::serve;
use anyhow::Context as _;
use sandbox::provider::{Provider, Service, Settings};
use std::future::pending;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
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
    let mut provider = Provider::new(home.maildirs(on_delivery)?, Settings::default());
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let (smtp, pop3) = (listen(flags.smtp).await?, listen(flags.pop3).await?);
    for (protocol, listener) in [("SMTP", &smtp), ("POP3", &pop3)] {
        if let Some(listener) = listener {
            write!(io::stdout(), "{protocol} on {}, ", listener.local_addr()?)?;
        }
    }
    writeln!(io::stdout(), "mail in {}", home.mail().display())?;

    let room = Arc::new(Semaphore::new(SANDBOX_CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            (place, service, stream) = async {
                let place = Arc::clone(&room).acquire_owned().await;
                tokio::select! {
                    stream = accept(smtp.as_ref()) => (place, Service::Smtp, stream),
                    stream = accept(pop3.as_ref()) => (place, Service::Pop3, stream),
                }
            } => {
                match provider.connect(service, &flags.name) {
                    Ok(connection) => drop(connections.spawn(async move {
                        serve(connection, stream).await;
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
    drop((smtp, pop3));
    let ended =
        tokio::time::timeout(SANDBOX_GRACE, async { while connections.join_next().await.is_some() {} });
    if ended.await.is_err() {
        tracing::warn!(connections = connections.len(), "ended with connections open");
    }
    Ok(())
}

async fn listen(address: Option<SocketAddr>) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = address else { return Ok(None) };
    let listener = TcpListener::bind(address).await;
    listener.map(Some).with_context(|| {
        format!("cannot listen on {address}; name another address, or port 0 for a free one")
    })
}

/// The next connection; without a listener there is never one. One that cannot be accepted is no reason to end; it is
/// tried again after a rest.
async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else { return pending().await };
    loop {
        match listener.accept().await.and_then(|(stream, _)| stream.set_nodelay(true).map(|()| stream)) {
            Ok(stream) => return stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}
