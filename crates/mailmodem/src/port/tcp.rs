//! A port that is a TCP connection: raw octets, one terminal at a time. Who connects is the terminal: the address
//! should be one that only hosts can reach.

use super::octets::{Port, Terminal};
use crate::limits::{ACCEPT_REST, KEEPALIVE_RETRIES, KEEPALIVE_WAIT};
use crate::link::Link;
use anyhow::Context as _;
use socket2::{SockRef, TcpKeepalive};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// What a caller is told whose turn it is not.
const BUSY: &[u8] = b"mailmodem: another terminal is on this line\r\n";

/// A listening socket.
pub struct Tcp {
    listener: TcpListener,
}

impl Tcp {
    /// Listens on `host:port`.
    ///
    /// # Errors
    /// The address is in use, or not this machine's.
    pub async fn listen(address: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("cannot listen on {address}; name another address, or port 0 for a free one")
        })?;
        let port = Self { listener };
        tracing::info!("listens on {}", port.address()?);
        Ok(port)
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    async fn accept(&self) -> TcpStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, caller)) => {
                    tracing::debug!(%caller, "called");
                    return stream;
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            }
        }
    }
}

impl Port for Tcp {
    type From = OwnedReadHalf;
    type To = OwnedWriteHalf;

    async fn next(&mut self) -> Terminal<OwnedReadHalf, OwnedWriteHalf> {
        loop {
            let stream = self.accept().await;
            match watch(&stream) {
                Ok(()) => {
                    let (from, to) = stream.into_split();
                    return Terminal { from, to, speed: None, dtr: None };
                }
                Err(error) => tracing::info!(%error, "a caller was gone at once"),
            }
        }
    }

    async fn turn_away(&self) -> Infallible {
        loop {
            let mut link = Link::new(self.accept().await);
            link.transmit(BUSY.to_vec());
            link.close().await;
        }
    }
}

/// Has the system notice when a terminal is gone without a word.
fn watch(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_WAIT).with_interval(KEEPALIVE_WAIT);
    socket.set_tcp_keepalive(&keepalive.with_retries(KEEPALIVE_RETRIES))?;
    socket.set_tcp_user_timeout(Some(KEEPALIVE_WAIT * (KEEPALIVE_RETRIES + 1)))
}
