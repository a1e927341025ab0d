//! The octets of a terminal device: our end of a pseudo-terminal, or a serial line.
//!
//! Not here: how a device is found, and set up.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A device that is open without blocking. A clone is the same device.
#[derive(Clone, Debug)]
pub struct Tty {
    device: Arc<AsyncFd<OwnedFd>>,
}

impl Tty {
    /// Takes up a device.
    #[expect(
        deprecated,
        reason = "its successor is unsafe, for types that may change their descriptor; OwnedFd does not"
    )]
    pub(super) fn new(device: OwnedFd) -> io::Result<Self> {
        Ok(Self { device: Arc::new(AsyncFd::new(device)?) })
    }
}

impl AsFd for Tty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

impl AsyncRead for Tty {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.device.poll_read_ready(context))?;
            let unfilled = buffer.initialize_unfilled();
            if let Ok(read) = ready.try_io(|device| Ok(rustix::io::read(device, unfilled)?)) {
                return Poll::Ready(read.map(|octets| buffer.advance(octets)));
            }
        }
    }
}

impl AsyncWrite for Tty {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.device.poll_write_ready(context))?;
            if let Ok(written) = ready.try_io(|device| Ok(rustix::io::write(device, octets)?)) {
                return Poll::Ready(written);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
