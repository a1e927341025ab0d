//! One mail on its way to the server that a rule of the upstream map leads to: dialled, sent, and told what became of it.
//!
//! Not here: where the mail comes from, and what is done about a failure.

use crate::limits::VERDICT_WAIT;
use crate::link::Stopwatch;
use crate::network::{Dialled, dial_upstream};
use crate::running::{Running, Told as OnLink};
use crate::tls::Handshake;
use crate::upstream::Upstream;
use mail::limits::IDLE_MAX;
use mail::machine::Instant;
use mail::smtp::client::{BadRecipient, Client, Event, Failure, Order, Step, Submission};
use mail::smtp::command::Path;
use mail::smtp::reply::Reply;
use modem::modem::{Obstacle, ObstacleKind};
use modem::route::{Call, Route};

/// A mail to be sent. Its sender and its recipients are those of the call, as they are: nothing is rewritten here.
pub struct Outgoing {
    /// How the client calls itself.
    pub hello_name: String,
    /// What a refused recipient means for the others.
    pub bad_recipient: BadRecipient,
    /// The message.
    pub message: Box<dyn Submission>,
    /// Whether [`Event::Passage`] is told.
    pub is_traced: bool,
}

/// What is told on the way.
#[derive(Debug)]
pub enum Told {
    /// The link stands.
    Dialled,
    /// It is secured, from its first octet or from here on.
    Secured(Handshake),
    /// What the client tells, but for its end.
    Event(Event),
}

/// Why a mail did not go, or is not known to have gone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct NotSent {
    /// For a log; they begin with the server's name.
    pub words: String,
    /// `None` if there was no link, or no TLS on it.
    pub failure: Option<Failure>,
}

impl Outgoing {
    /// Sends it. It is sent as soon as the server has accepted it, by the reply that is given back: leave is taken of the
    /// server by itself.
    ///
    /// What is told comes with the time since the dialling began.
    ///
    /// # Errors
    /// It was not sent, or is not known to be.
    pub async fn send(
        self,
        upstream: &Upstream,
        call: &Call,
        mut tell: impl FnMut(Instant, Told),
    ) -> Result<Reply, NotSent> {
        let watch = Stopwatch::start();
        let (server, port) = upstream.server(call);
        let not_sent = |words: &str, failure| NotSent { words: format!("{server}:{port} {words}"), failure };
        let dialled = match tokio::time::timeout(IDLE_MAX, dial_upstream(upstream, call)).await {
            Ok(Ok(dialled)) => dialled,
            // Those words have the name already.
            Ok(Err(Obstacle { words, kind })) if upstream.host.is_some() || kind == ObstacleKind::Tls => {
                return Err(NotSent { words, failure: None });
            }
            Ok(Err(Obstacle { words, .. })) => return Err(not_sent(&words, None)),
            Err(_) => return Err(not_sent(&Failure::NotOpened.to_string(), None)),
        };
        let Dialled { link, route, handshake, token } = dialled;
        tell(watch.now(), Told::Dialled);
        let Some(client) = self.client(call, route, watch.now()) else {
            return Err(not_sent("was told nothing: the sender's address cannot be one", None));
        };
        let mut running = Running::new(client, link, handshake, watch);
        let mut obstacle = None;
        while let Some(all) = running.step().await {
            let mut finished = None;
            for told in all {
                match told {
                    OnLink::Event(Event::Finished(outcome)) => finished = Some(outcome),
                    OnLink::Event(event) => tell(watch.now(), Told::Event(event)),
                    OnLink::Secured(handshake) => tell(watch.now(), Told::Secured(handshake)),
                    OnLink::Obstructed(found) => obstacle = Some(found.words),
                    OnLink::Lost(error) => tracing::debug!(%error, "a server was lost"),
                }
            }
            let Some(outcome) = finished else { continue };
            if let (
                Some(token),
                Err(Failure::Refused { step: Step::Auth, .. } | Failure::RefusedFor { .. }),
            ) = (token, &outcome)
            {
                token.was_refused();
            }
            tokio::spawn(take_leave(running));
            return outcome.map_err(|failure| match obstacle {
                Some(words) if failure == Failure::TlsFailed => NotSent { words, failure: None },
                None if failure == Failure::Silent(Step::FinalDot) => {
                    let seconds = VERDICT_WAIT.as_secs();
                    let words = format!(
                        "did not answer the whole message within {seconds} s; it may have been taken"
                    );
                    not_sent(&words, Some(failure))
                }
                _ => not_sent(&failure.to_string(), Some(failure)),
            });
        }
        Err(not_sent("was left without an outcome, which is a defect of this program's", None))
    }

    /// The client that says all this, on a link that is being opened since `now`; `None` if the sender's address cannot be
    /// one.
    #[must_use]
    pub fn client(self, call: &Call, route: Route, now: Instant) -> Option<Client> {
        let is_traced = self.is_traced;
        let sender = call.sender.as_deref().map_or(Ok(Path::null()), str::parse).ok()?;
        let client = Client::new(self.order(sender, call, route), now);
        let mut client = client.waiting_for_the_verdict(VERDICT_WAIT);
        if is_traced {
            client.trace();
        }
        Some(client)
    }

    fn order(self, sender: Path, call: &Call, route: Route) -> Order {
        let Self { hello_name, bad_recipient, message, is_traced: _ } = self;
        let Route { called: _, policy, nonce, account, rewriting: _ } = route;
        Order {
            hello_name,
            policy,
            credentials: account.credentials(None),
            nonce,
            sender,
            recipients: call.recipients.clone(),
            bad_recipient,
            message,
        }
    }
}

/// What is left when the outcome stands.
async fn take_leave(mut running: Running<Client>) {
    while running.step().await.is_some() {}
    running.leave().await;
}
