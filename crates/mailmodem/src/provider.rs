//! The sandbox's provider on real sockets, for other programs: `mailmodem sandbox`.
//!
//! Not here: what it answers ([`sandbox`]).

use crate::flags::SandboxFlags;
use crate::home::Home;
use crate::limits::{ACCEPT_REST, SANDBOX_CONNECTIONS_MAX, SANDBOX_GRACE};
use crate::link::serve;
use crate::maildir::Maildirs;
use anyhow::Context as _;
use sandbox::provider::{Provider, Service, Settings};
use std::io::{self, Write as _};
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
/// delivered by then leaves no trace.
///
/// # Errors
/// The directory cannot be used, or the address not be bound.
pub async fn run(flags: SandboxFlags) -> anyhow::Result<()> {
    let home = Home::open(flags.dir)?;
    let on_delivery = |file: &Path| tracing::info!(file = %file.display(), "delivered");
    let mut provider = Provider::new(Maildirs::new(home.mail(), on_delivery), Settings::default());
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let address = flags.smtp.context("an address to listen on is missing; see --smtp")?;
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; name another address, or port 0 for a free one")
    })?;
    writeln!(io::stdout(), "SMTP on {}, mail in {}", listener.local_addr()?, home.mail().display())?;

    let room = Arc::new(Semaphore::new(SANDBOX_CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            (place, stream) = async { (Arc::clone(&room).acquire_owned().await, accept(&listener).await) } => {
                match provider.connect(Service::Smtp, &flags.name) {
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
    drop(listener);
    let ended =
        tokio::time::timeout(SANDBOX_GRACE, async { while connections.join_next().await.is_some() {} });
    if ended.await.is_err() {
        tracing::warn!(connections = connections.len(), "ended with connections open");
    }
    Ok(())
}

/// The next connection. One that cannot be accepted is no reason to end; it is tried again after a rest.
async fn accept(listener: &TcpListener) -> TcpStream {
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
