//! A connection: the octets of one stream, told as a machine wants to hear them.
//!
//! Everything goes through [`Link::next`], so a link needs no task and no queue of its own: whoever owns it waits on it,
//! and drops it to end it at once. [`serve`] is the whole life of a server's end.
//!
//! Not here: where a connection leads ([`crate::network`]), and what TLS is ([`crate::tls`]).

use crate::limits::{
    HANDSHAKE_MAX, LINGER_MAX, LINGER_OCTETS_MAX, RECEIVED_OCTETS_MAX, UNSENT_OCTETS_MAX, WIPED_OCTETS_MAX,
};
use crate::tls::{Handshake, ServerTls, Tls};
use mail::machine::{ChannelBinding, Input, Instant, Machine, Output};
use modem::modem::{Obstacle, ObstacleKind};
use socket2::SockRef;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
use zeroize::Zeroize as _;

/// What a link can be made of.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// Has the machine forget, when the stream is dropped, what it has taken and not yet sent.
    fn forget_unsent(&self) {}

    /// Has the last words go out together with the stream's end, which must follow: without it they wait 200 ms (tcp(7),
    /// `TCP_CORK`).
    fn hold_last(&self) {}
}

impl<S: Stream + ?Sized> Stream for Box<S> {
    fn forget_unsent(&self) {
        (**self).forget_unsent();
    }

    fn hold_last(&self) {
        (**self).hold_last();
    }
}

impl Stream for DuplexStream {}

impl Stream for TcpStream {
    fn forget_unsent(&self) {
        if let Err(error) = self.set_zero_linger() {
            tracing::warn!(%error, "what was stopped may yet be sent");
        }
    }

    fn hold_last(&self) {
        if let Err(error) = SockRef::from(self).set_tcp_cork(true) {
            tracing::debug!(%error, "the end of a connection takes a segment of its own");
        }
    }
}

/// What happened on a link.
#[derive(Debug)]
pub enum Event {
    /// So many octets arrived, in the buffer that was lent.
    Received(usize),
    /// Everything transmitted so far has been handed to the network.
    Drained,
    /// The other side is gone; with the reason, if it was no ordinary end.
    Closed(Option<io::Error>),
}

/// What is still to be sent. A line, which may hold a password, is wiped; a portion of a message is not, which would cost
/// as much as to make it.
#[derive(Default)]
struct Unsent(Vec<u8>);

impl Unsent {
    fn extend(&mut self, more: &Self) {
        let needed = self.0.len().saturating_add(more.0.len());
        if needed > self.0.capacity() {
            // A vector that grows by itself leaves its octets behind.
            let mut larger = Self(Vec::with_capacity(needed.max(self.0.capacity().saturating_mul(2))));
            larger.0.extend_from_slice(&self.0);
            *self = larger;
        }
        self.0.extend_from_slice(&more.0);
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        if self.0.len() <= WIPED_OCTETS_MAX {
            self.0.zeroize();
        }
    }
}

/// A connection that stands.
pub struct Link {
    stream: Box<dyn Stream>,
    unsent: Unsent,
    /// How much of `unsent` is sent.
    sent: usize,
    /// Whether something was transmitted since the last [`Event::Drained`].
    is_filled: bool,
    /// What it can be secured by.
    tls: Option<Tls>,
}

impl Link {
    /// A link on a stream.
    #[must_use]
    pub fn new(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), unsent: Unsent::default(), sent: 0, is_filled: false, tls: None }
    }

    /// One that [`Self::secure`] can secure.
    #[must_use]
    pub fn with_tls(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// Has TLS take its place. Everything transmitted must have been answered. To drop this is to end the link.
    ///
    /// # Errors
    /// Why there is no TLS. The link is over then.
    pub async fn secure(self) -> Result<(Self, Handshake), Obstacle> {
        let Some(tls) = self.tls else {
            let words = "offers TLS, which is switched off for it here".to_owned();
            return Err(Obstacle { kind: ObstacleKind::Tls, words });
        };
        let (stream, handshake) = tls.handshake(self.stream, false).await?;
        Ok((Self::new(stream), handshake))
    }

    /// Sends octets, in the course of [`Self::next`].
    pub fn transmit(&mut self, octets: Vec<u8>) {
        self.is_filled = true;
        if self.unsent.0.is_empty() {
            self.unsent = Unsent(octets);
        } else {
            self.unsent.extend(&Unsent(octets));
        }
    }

    /// Waits for what happens next, and sends meanwhile. May be dropped and called anew; nothing is lost.
    pub async fn next(&mut self, buffer: &mut [u8]) -> Event {
        poll_fn(|context| self.poll_next(context, buffer)).await
    }

    /// As [`Self::next`].
    pub fn poll_next(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Event> {
        if self.is_filled {
            match self.poll_send(context) {
                Poll::Ready(Ok(())) => {
                    self.is_filled = false;
                    return Poll::Ready(Event::Drained);
                }
                // What the peer said before it went still counts, so its end is left to reading to find.
                Poll::Ready(Err(error)) => {
                    tracing::debug!(%error, "cannot send");
                    self.is_filled = false;
                    self.unsent = Unsent::default();
                    self.sent = 0;
                }
                Poll::Pending => {}
            }
        }
        if self.unsent.0.len() - self.sent > UNSENT_OCTETS_MAX {
            // Who does not listen is not listened to.
            return Poll::Pending;
        }
        let mut received = ReadBuf::new(buffer);
        Poll::Ready(match ready!(Pin::new(&mut self.stream).poll_read(context, &mut received)) {
            Ok(()) if received.filled().is_empty() => Event::Closed(None),
            Ok(()) => Event::Received(received.filled().len()),
            Err(error) => Event::Closed(Some(error)),
        })
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest @ [_, ..]) = self.unsent.0.get(self.sent..) {
            match ready!(Pin::new(&mut self.stream).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                octets => self.sent += octets,
            }
        }
        self.unsent = Unsent::default();
        self.sent = 0;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// Sends what the network takes without waiting, before [`Self::close`], or before it is dropped. What it does not take,
    /// or why, is seen when the link is closed.
    pub fn send_last(&mut self) {
        if self.unsent.0.len() > self.sent {
            self.stream.hold_last();
            let _ = self.poll_send(&mut Context::from_waker(Waker::noop()));
        }
    }

    /// Ends the link at once; what is not sent yet never is.
    pub fn abort(self) {
        self.stream.forget_unsent();
    }

    /// Ends the link, once everything transmitted is sent. What the peer still sends is taken off its hands for a
    /// while: a socket closed with octets unread would take back what was sent last.
    pub async fn close(mut self) {
        let linger = async {
            self.send_last();
            let unsent = self.unsent.0.get(self.sent..).unwrap_or_default();
            self.stream.write_all(unsent).await?;
            self.stream.shutdown().await?;
            let rest = &mut (&mut self.stream).take(LINGER_OCTETS_MAX);
            tokio::io::copy(rest, &mut tokio::io::sink()).await
        };
        match tokio::time::timeout(LINGER_MAX, linger).await {
            Ok(Ok(_)) | Err(_) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a link did not end well"),
        }
    }
}

/// Milliseconds since the power came on, by the machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(tokio::time::Instant);

impl Stopwatch {
    /// The power comes on.
    #[must_use]
    pub fn start() -> Self {
        Self(tokio::time::Instant::now())
    }

    /// The time.
    #[must_use]
    pub fn now(self) -> Instant {
        Instant::from_ms(u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// Waits for a deadline; forever if there is none.
    pub async fn reach(self, deadline: Option<Instant>) {
        match deadline {
            Some(deadline) => tokio::time::sleep_until(self.0 + deadline.since(Instant::POWER_ON)).await,
            None => std::future::pending().await,
        }
    }
}

/// Rings at a deadline that moves with whatever happens. It is set anew for an earlier one only: for a later one it rings
/// in vain once, which costs less than to set it each time.
#[derive(Default)]
pub struct Alarm(Option<Pin<Box<tokio::time::Sleep>>>);

impl Alarm {
    /// Waits for a deadline; forever if there is none. May be dropped and called anew.
    pub async fn reach(&mut self, watch: Stopwatch, deadline: Option<Instant>) {
        let Some(deadline) = deadline else { return std::future::pending().await };
        let at = watch.0 + deadline.since(Instant::POWER_ON);
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if at < sleep.deadline() {
            sleep.as_mut().reset(at);
        }
        loop {
            sleep.as_mut().await;
            if at <= sleep.deadline() {
                return;
            }
            sleep.as_mut().reset(at);
        }
    }
}

/// Drives a server's end of a connection until it is over.
pub async fn serve<M>(machine: Box<M>, stream: impl Stream + 'static)
where
    M: Machine<Event = Infallible> + ?Sized,
{
    serve_secured(machine, stream, None, false).await;
}

/// As [`serve`], with a certificate to begin TLS by when the machine wants it, or with the first octet (`is_implicit`).
pub async fn serve_secured<M>(
    mut machine: Box<M>,
    stream: impl Stream + 'static,
    tls: Option<ServerTls>,
    is_implicit: bool,
) where
    M: Machine<Event = Infallible> + ?Sized,
{
    let watch = Stopwatch::start();
    let mut link = Link::new(stream);
    let mut buffer = vec![0; RECEIVED_OCTETS_MAX];
    let mut binding = None;
    if is_implicit {
        let Some(secured) = accept_tls(link, tls.as_ref()).await else { return };
        (link, binding) = secured;
    }
    machine.handle(Input::Opened, watch.now());
    if is_implicit {
        machine.handle(Input::Secured(binding), watch.now());
    }
    loop {
        while let Some(output) = machine.poll() {
            match output {
                Output::Transmit(octets) => link.transmit(octets),
                Output::StartTls => {
                    let Some(secured) = accept_tls(link, tls.as_ref()).await else {
                        return machine.handle(Input::Closed, watch.now());
                    };
                    (link, binding) = secured;
                    machine.handle(Input::Secured(binding), watch.now());
                }
                Output::Close => {
                    machine.handle(Input::Closed, watch.now());
                    return link.close().await;
                }
                Output::Abort => {
                    machine.handle(Input::Closed, watch.now());
                    return link.abort();
                }
                Output::Event(never) => match never {},
            }
        }
        let deadline = pin!(watch.reach(machine.deadline()));
        tokio::select! {
            event = link.next(&mut buffer) => match event {
                Event::Received(octets) => {
                    machine.handle(Input::Received(buffer.get(..octets).unwrap_or_default()), watch.now());
                }
                Event::Drained => machine.handle(Input::Drained, watch.now()),
                Event::Closed(error) => {
                    if let Some(error) = error {
                        tracing::debug!(%error, "a client was lost");
                    }
                    return machine.handle(Input::Closed, watch.now());
                }
            },
            () = deadline => machine.handle(Input::DeadlinePassed, watch.now()),
        }
    }
}

/// Speaks TLS on a link, once everything transmitted is sent; `None` when the client does not.
async fn accept_tls(mut link: Link, tls: Option<&ServerTls>) -> Option<(Link, Option<ChannelBinding>)> {
    let accepted = async {
        let tls = tls.ok_or_else(|| io::Error::other("there is no certificate to speak TLS by"))?;
        poll_fn(|context| link.poll_send(context)).await?;
        tls.handshake(link.stream).await
    };
    match tokio::time::timeout(HANDSHAKE_MAX, accepted).await {
        Ok(Ok((stream, binding))) => Some((Link::new(stream), binding)),
        Ok(Err(error)) => {
            tracing::info!(%error, "no TLS with a client");
            None
        }
        Err(_) => {
            tracing::info!("a client took too long for TLS");
            None
        }
    }
}
