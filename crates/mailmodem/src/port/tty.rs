//! The octets of a terminal device: our end of a pseudo-terminal, or a serial line.
//!
//! Not here: how a device is found, and set up.

use super::octets::ToTerminal;
use crate::limits::SPEED_WAIT;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A device that is open without blocking. A clone is the same device.
#[derive(Clone, Debug)]
pub struct Tty {
    device: Arc<AsyncFd<OwnedFd>>,
    /// In bits per second, where there is such a thing; told to whoever opens the device next.
    speed: Option<Arc<AtomicU32>>,
}

impl Tty {
    /// Takes up a device. `speed` remembers the speed of a line that has one.
    #[expect(
        deprecated,
        reason = "its successor is unsafe, for types that may change their descriptor; OwnedFd does not"
    )]
    pub(super) fn new(device: OwnedFd, speed: Option<Arc<AtomicU32>>) -> io::Result<Self> {
        Ok(Self { device: Arc::new(AsyncFd::new(device)?), speed })
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

impl ToTerminal for Tty {
    async fn set_speed(&mut self, speed: u32) -> io::Result<()> {
        let Some(remembered) = &self.speed else { return Ok(()) };
        remembered.store(speed, Ordering::Relaxed);
        let device = Arc::clone(&self.device);
        // The kernel waits until everything is sent, and a terminal may hold the line back for long.
        let change = tokio::task::spawn_blocking(move || {
            let mut modes = tcgetattr(&*device)?;
            modes.set_speed(speed)?;
            Ok(tcsetattr(&*device, OptionalActions::Drain, &modes)?)
        });
        match tokio::time::timeout(SPEED_WAIT, change).await {
            Ok(Ok(changed)) => changed,
            Ok(Err(error)) => Err(io::Error::other(error)),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}
