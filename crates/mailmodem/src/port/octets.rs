//! A port that is a pair of octet streams: a pipe, later a pseudo-terminal, a serial line, a socket. The modem's octets
//! and nothing else.

use crate::driver::{Driver, Notice};
use crate::limits::{SHOWN_OCTETS_MAX, TYPED_OCTETS_MAX};
use modem::modem::Expects;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Runs a modem on a port until the terminal's octets end and everything under way is done and shown. How long that may
/// take is for the modem's own timers to say. A terminal that does not read is not read from either; its mail goes on.
///
/// # Errors
/// The port cannot be read, or written.
pub async fn run(
    driver: &mut Driver,
    mut from_terminal: impl AsyncRead + Unpin,
    mut to_terminal: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let mut typed = vec![0; TYPED_OCTETS_MAX];
    let mut shown = Vec::new();
    let mut is_flushed = true;
    let mut has_ended = false;
    loop {
        // A text that is never ended keeps nothing under way.
        if has_ended && is_flushed && (driver.is_idle() || driver.expects() == Expects::Text) {
            return Ok(());
        }
        tokio::select! {
            // What is there already comes first, so that a portion of answers is one write.
            biased;
            notice = driver.next() => match notice {
                Notice::Show(mut octets) => {
                    shown.append(&mut octets);
                    is_flushed = false;
                }
                Notice::Report(words) => tracing::warn!("{words}"),
                // A pipe has none.
                Notice::Speed(_) => {}
            },
            written = write_or_flush(&mut to_terminal, &shown), if !is_flushed => {
                let octets = written?;
                is_flushed = shown.is_empty();
                shown.drain(..octets);
                if is_flushed {
                    driver.shown();
                }
            }
            read = from_terminal.read(&mut typed), if !has_ended && shown.len() < SHOWN_OCTETS_MAX => {
                match read? {
                    0 => has_ended = true,
                    octets => driver.typed(typed.get(..octets).unwrap_or_default()),
                }
            }
        }
    }
}

/// Writes a part of `octets` and tells how much, or flushes when there are none.
async fn write_or_flush(to_terminal: &mut (impl AsyncWrite + Unpin), octets: &[u8]) -> io::Result<usize> {
    if octets.is_empty() {
        return to_terminal.flush().await.map(|()| 0);
    }
    match to_terminal.write(octets).await? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        written => Ok(written),
    }
}
