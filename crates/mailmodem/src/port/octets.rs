//! A port that is a pair of octet streams: a pipe, a pseudo-terminal, a serial line, a socket. The modem's octets and
//! nothing else.

use super::dtr::{Dtr, lowered};
use super::serial::Speed;
use crate::driver::{Driver, Notice};
use crate::limits::{LINE_GRACE, SHOWN_OCTETS_MAX, TYPED_OCTETS_MAX, UNSHOWN_OCTETS_MAX};
use mail::secret::Secret;
use modem::modem::Expects;
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::io;
use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::task::ready;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use zeroize::Zeroize as _;

/// A port where terminals come and go.
pub trait Port {
    /// What is typed.
    type From: AsyncRead + Unpin + Send;
    /// What is shown.
    type To: AsyncWrite + Unpin + Send;

    /// Waits for the next terminal. May be dropped and called anew; nothing is lost.
    fn next(&mut self) -> impl Future<Output = Terminal<Self::From, Self::To>> + Send;

    /// Has nobody else come while there is a terminal.
    fn turn_away(&self) -> impl Future<Output = Infallible> + Send {
        pending()
    }
}

/// A terminal that is there.
pub struct Terminal<F, T> {
    pub(super) from: F,
    pub(super) to: T,
    /// Where the line has one.
    pub(super) speed: Option<Speed>,
    /// Where the line has that wire.
    pub(super) dtr: Option<Dtr>,
}

/// Runs a modem on streams until the terminal's octets end and everything under way is done and shown. How long that may
/// take is for the modem's own timers to say. A terminal that does not read is not read from either; its mail goes on, until
/// over [`UNSHOWN_OCTETS_MAX`] wait for it.
///
/// # Errors
/// The port cannot be read, or written.
pub async fn run(
    driver: &mut Driver,
    from: impl AsyncRead + Unpin,
    to: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    run_until(driver, from, to, pending()).await
}

/// As [`run`]; but when it is to `stop`, what is under way has [`LINE_GRACE`] to be done.
///
/// # Errors
/// As [`run`].
pub async fn run_until(
    driver: &mut Driver,
    mut from: impl AsyncRead + Unpin,
    to: impl AsyncWrite + Unpin,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut pump = Pump::new(driver, to, None);
    let ended = tokio::select! {
        ended = async {
            pump.attend(&mut from).await?;
            pump.finish().await
        } => Some(ended),
        () = stop => None,
    };
    match ended {
        Some(ended) => ended,
        None => {
            grace(&mut pump).await;
            Ok(())
        }
    }
}

/// Runs a modem on a port, for one terminal after the other, until it is to `stop`. Then what is under way has
/// [`LINE_GRACE`] to be done.
pub async fn serve(driver: &mut Driver, port: &mut impl Port, stop: impl Future<Output = ()>) {
    let mut stop = pin!(stop);
    let mut next = None;
    loop {
        let terminal = match next.take() {
            Some(terminal) => terminal,
            None => tokio::select! {
                terminal = unattended(driver, port) => terminal,
                () = &mut stop => return grace(&mut Pump::new(driver, tokio::io::sink(), None)).await,
            },
        };
        let Terminal { mut from, to, speed, dtr } = terminal;
        let mut pump = Pump { dtr, ..Pump::new(driver, to, speed) };
        let attended = tokio::select! {
            // Who comes behind a terminal that has left is not turned away for its sake.
            biased;
            attended = pump.attend(&mut from) => attended,
            never = port.turn_away() => match never {},
            () = &mut stop => return grace(&mut pump).await,
        };
        // A terminal that only stopped talking may still listen, until another one comes.
        let ended = match attended {
            Ok(()) => tokio::select! {
                finished = pump.finish() => finished,
                terminal = port.next() => {
                    next = Some(terminal);
                    Ok(())
                }
                () = &mut stop => return grace(&mut pump).await,
            },
            Err(error) => Err(error),
        };
        match ended {
            Ok(()) => tracing::debug!("the terminal is gone"),
            Err(error) => tracing::info!(%error, "the terminal is gone"),
        }
        // What it did not take is lost, and nothing waits for that.
        drop(pump);
        driver.shown();
    }
}

/// Has the modem go on while nobody is there to see it.
async fn unattended<P: Port>(driver: &mut Driver, port: &mut P) -> Terminal<P::From, P::To> {
    let mut changed = None;
    let terminal = loop {
        tokio::select! {
            biased;
            terminal = port.next() => break terminal,
            notice = driver.next() => match notice {
                Notice::Show(_) => driver.shown(),
                Notice::Report(words) => tracing::warn!("{words}"),
                Notice::Done(words) => tracing::info!("{words}"),
                Notice::Speed(speed) => changed = Some(speed),
            },
        }
    };
    if let Some(speed) = changed {
        change_speed(terminal.speed.as_ref(), speed).await;
    }
    terminal
}

async fn grace(pump: &mut Pump<'_, impl AsyncWrite + Unpin>) {
    match tokio::time::timeout(LINE_GRACE, pump.finish()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::info!(%error, "the terminal went before the end"),
        Err(_) => tracing::warn!("ended with something under way"),
    }
}

/// A speed that a line does not take is none that it changes to.
async fn change_speed(of_line: Option<&Speed>, speed: u32) {
    if let Some(of_line) = of_line
        && let Err(error) = of_line.set(speed).await
    {
        tracing::warn!(speed, %error, "the line's speed could not be changed");
    }
}

/// A modem, and what it still has to show to its terminal.
struct Pump<'a, T> {
    driver: &'a mut Driver,
    to: T,
    speed: Option<Speed>,
    dtr: Option<Dtr>,
    /// With the echo of what was typed, passwords too.
    shown: Secret,
    is_flushed: bool,
    /// The line's next speed, and how much is to be shown before.
    next_speed: Option<(usize, u32)>,
}

impl<'a, T: AsyncWrite + Unpin> Pump<'a, T> {
    fn new(driver: &'a mut Driver, to: T, speed: Option<Speed>) -> Self {
        Self { driver, to, speed, dtr: None, shown: Secret::default(), is_flushed: true, next_speed: None }
    }

    /// Goes on until the terminal's octets end. May be dropped; nothing is lost but what is typed later.
    async fn attend(&mut self, from: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
        while self.step(from, true).await?.is_continue() {}
        Ok(())
    }

    /// Goes on until everything under way is done and shown.
    async fn finish(&mut self) -> io::Result<()> {
        // A text that is never ended keeps nothing under way.
        while !(self.is_flushed && (self.driver.is_idle() || self.driver.expects() == Expects::Text)) {
            // Its answer is that of a step that reads nothing: to go on.
            let _ = self.step(&mut tokio::io::empty(), false).await?;
        }
        Ok(())
    }

    /// `Break`: the terminal's octets have ended.
    async fn step(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        is_open: bool,
    ) -> io::Result<ControlFlow<()>> {
        let waiting = self.shown.reveal().len();
        let until = self.next_speed.map_or(waiting, |(octets, _)| octets);
        let portion = self.shown.reveal().get(..until).unwrap_or_default();
        tokio::select! {
            // What is there already comes first, so that a portion of answers is one write.
            biased;
            notice = self.driver.next(), if waiting < UNSHOWN_OCTETS_MAX => match notice {
                Notice::Show(octets) => {
                    self.shown.extend(Secret::new(octets).reveal());
                    self.is_flushed = false;
                }
                Notice::Report(words) => tracing::warn!("{words}"),
                Notice::Done(words) => tracing::info!("{words}"),
                Notice::Speed(speed) => {
                    self.next_speed = Some((until, speed));
                    self.is_flushed = false;
                }
            },
            written = write_or_flush(&mut self.to, portion), if !self.is_flushed => match written? {
                0 => self.on_flushed().await,
                octets => {
                    self.shown.take_off(octets);
                    self.next_speed = self.next_speed.map(|(until, speed)| (until - octets, speed));
                }
            },
            typed = read(from), if is_open && waiting < SHOWN_OCTETS_MAX => match typed?.reveal() {
                [] => return Ok(ControlFlow::Break(())),
                octets => self.driver.typed(octets),
            },
            // Behind all that was typed before: what ended with its Ctrl-Z is whole.
            () = lowered(&mut self.dtr), if is_open && waiting < SHOWN_OCTETS_MAX => self.driver.dtr_lowered(),
        }
        Ok(ControlFlow::Continue(()))
    }

    /// What was shown, up to a change of speed if there is to be one, is sent.
    async fn on_flushed(&mut self) {
        if let Some((_, speed)) = self.next_speed {
            change_speed(self.speed.as_ref(), speed).await;
            self.next_speed = None;
        }
        if self.shown.reveal().is_empty() {
            self.is_flushed = true;
            // An idle line keeps no room.
            self.shown = Secret::default();
            self.driver.shown();
        }
    }
}

/// What is typed next, which may be a password; nothing at its end. Room for it is taken only when it is there.
async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Secret> {
    poll_fn(|context| {
        // It is asked for each time that something happens, and mostly in vain.
        let mut buffer = [MaybeUninit::uninit(); TYPED_OCTETS_MAX];
        let mut buffer = ReadBuf::uninit(&mut buffer);
        ready!(Pin::new(&mut *from).poll_read(context, &mut buffer))?;
        let typed = Secret::new(buffer.filled());
        buffer.filled_mut().zeroize();
        Ok(typed).into()
    })
    .await
}

/// Writes a part of `octets` and tells how much, or flushes when there are none.
async fn write_or_flush(to: &mut (impl AsyncWrite + Unpin), octets: &[u8]) -> io::Result<usize> {
    if octets.is_empty() {
        return to.flush().await.map(|()| 0);
    }
    match to.write(octets).await? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        written => Ok(written),
    }
}
