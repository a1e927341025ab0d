//! Runs one modem: does what it asks, and tells it what happened.
//!
//! Not here: the port where its terminal plugs in, which calls [`Driver::typed`] and [`Driver::next`].

use crate::card::Slot;
use crate::home;
use crate::limits::{POWER_OFF_MAX, RECEIVED_OCTETS_MAX};
use crate::link::{Alarm, Event, Link, Stopwatch};
use crate::network::{Dialled, Dialling, Network};
use crate::tls::Handshake;
use crate::trace::Trace;
use crate::upstream::UsedToken;
use mail::machine::{Input as LinkInput, Instant};
use modem::clock::Calendar;
use modem::drive::Drive;
use modem::modem::{Expects, Input, LinkId, Modem, Obstacle, Output};
use modem::route::Call;
use modem::settings::Settings;
use std::collections::VecDeque;
use std::future::{Future, pending, poll_fn};
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A modem that runs.
pub struct Driver {
    modem: Modem,
    network: Network,
    watch: Stopwatch,
    /// For the modem's deadline, or for when it comes on again.
    alarm: Alarm,
    /// A modem has one mail and one session at the most, so they are few.
    lines: Vec<(LinkId, Line)>,
    /// What somebody logs in with on one of them.
    tokens: Vec<(LinkId, UsedToken)>,
    /// Lent to the links; there only while there are any, since most modems are idle.
    buffer: Vec<u8>,
    notices: VecDeque<Notice>,
    /// When a modem that is off comes on again.
    power_on_at: Option<Instant>,
    trace: Option<Trace>,
    slot: Option<Slot>,
    /// Where what AT&W stored is kept.
    profile: Option<PathBuf>,
}

/// A link of the modem's, from the dialling on.
enum Line {
    Dialling(Dialling),
    Standing(Link),
    /// The handshake is under way.
    Securing(Securing),
}

/// A link that becomes a secured one.
type Securing = Pin<Box<dyn Future<Output = Result<(Link, Handshake), Obstacle>> + Send>>;

/// What the modem has for its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Octets for the terminal.
    Show(Vec<u8>),
    /// Why a mail did not go: words for people, not for the terminal.
    Report(String),
    /// That a mail went, or was saved: words for people.
    Done(String),
    /// The line's speed from here on, in bits per second: what was to be shown before is shown at the old one.
    Speed(u32),
}

/// What happened on one of the lines.
enum Happened {
    Dialled(Box<Result<Dialled, Obstacle>>),
    Secured(Box<Result<(Link, Handshake), Obstacle>>),
    OnLink(Event),
}

impl Driver {
    /// Switches a modem on. With a trace, everything on its line is told there.
    #[must_use]
    pub fn power_on(
        settings: Settings,
        drive_c: Box<dyn Drive>,
        drive_d: Option<Box<dyn Drive>>,
        calendar: Calendar,
        network: Network,
        trace: Option<Trace>,
    ) -> Self {
        let watch = Stopwatch::start();
        let settings = Settings { trace: trace.is_some(), ..settings };
        let modem = Modem::power_on(settings, drive_c, drive_d, calendar, watch.now());
        let (lines, tokens, buffer, notices) = (Vec::new(), Vec::new(), Vec::new(), VecDeque::new());
        let (alarm, power_on_at, slot, profile) = (Alarm::default(), None, None, None);
        let mut driver = Self {
            modem,
            network,
            watch,
            alarm,
            lines,
            tokens,
            buffer,
            notices,
            power_on_at,
            trace,
            slot,
            profile,
        };
        driver.trace(|trace, now| trace.event(now, "power on"));
        driver.carry_out();
        driver
    }

    /// Has storage cards come and go: drive D:.
    #[must_use]
    pub fn with_slot(self, slot: Option<Slot>) -> Self {
        Self { slot, ..self }
    }

    /// Has what AT&W stores written to a file.
    #[must_use]
    pub fn with_profile(self, profile: PathBuf) -> Self {
        Self { profile: Some(profile), ..self }
    }

    /// Puts a storage card in, or pulls it out.
    pub fn set_card(&mut self, card: Option<Box<dyn Drive>>) {
        self.tell(card.map_or(Input::CardRemoved, Input::CardInserted));
    }

    /// The terminal sent octets.
    pub fn typed(&mut self, octets: &[u8]) {
        self.tell(Input::Typed(octets));
    }

    /// The terminal lowered its DTR.
    pub fn dtr_lowered(&mut self) {
        self.tell(Input::DtrLowered);
    }

    /// The terminal has taken everything that was shown.
    pub fn shown(&mut self) {
        self.tell(Input::Shown);
    }

    /// What the terminal's next octets will be taken for.
    #[must_use]
    pub const fn expects(&self) -> Expects {
        self.modem.expects()
    }

    /// Whether nothing is under way, and nothing waits to be shown.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.modem.is_idle() && !self.has_notices()
    }

    /// Whether the modem was switched off; it comes on again after [`POWER_OFF_MAX`].
    #[must_use]
    pub const fn is_off(&self) -> bool {
        self.power_on_at.is_some()
    }

    /// Whether there is something for the port already.
    #[must_use]
    pub fn has_notices(&self) -> bool {
        !self.notices.is_empty()
    }

    /// Waits until there is something for the port. May be dropped and called anew; nothing is lost.
    pub async fn next(&mut self) -> Notice {
        loop {
            if let Some(notice) = self.notices.pop_front() {
                return notice;
            }
            let due = self.modem.deadline().into_iter().chain(self.power_on_at).min();
            let (lines, buffer, slot) = (&mut self.lines, &mut self.buffer, &mut self.slot);
            tokio::select! {
                // What has arrived in time is not late because a terminal kept everything waiting.
                biased;
                (at, happened) = poll_fn(|context| poll_lines(lines, buffer, context)) => {
                    self.on_line(at, happened);
                }
                () = self.alarm.reach(self.watch, due) => self.on_due(),
                card = next_card(slot) => self.set_card(card),
            }
        }
    }

    /// What the alarm was set for is due.
    fn on_due(&mut self) {
        let now = self.watch.now();
        if self.modem.deadline().is_some_and(|deadline| deadline <= now) {
            self.tell(Input::DeadlinePassed);
        }
        if self.power_on_at.is_some_and(|at| at <= now) {
            self.power_on_at = None;
            self.trace(|trace, now| trace.event(now, "power on"));
            self.tell(Input::PowerKey);
        }
    }

    /// Something happened on the line at this place among the lines.
    fn on_line(&mut self, at: usize, happened: Happened) {
        let Some((link, line)) = self.lines.get_mut(at) else { return };
        let link = *link;
        match happened {
            Happened::Dialled(dialled) => match *dialled {
                Ok(Dialled { link: standing, route, handshake, token }) => {
                    *line = Line::Standing(standing);
                    self.tokens.extend(token.map(|token| (link, token)));
                    let called =
                        route.called.as_ref().map(|called| format!(": {called}")).unwrap_or_default();
                    self.trace(|trace, now| trace.link_event(now, link, &format!("open{called}")));
                    self.tell(Input::Opened(link, route));
                    if let Some(handshake) = handshake {
                        self.on_secured(link, &handshake);
                    }
                }
                Err(obstacle) => self.on_obstructed(at, obstacle),
            },
            Happened::Secured(secured) => match *secured {
                Ok((standing, handshake)) => {
                    *line = Line::Standing(standing);
                    self.on_secured(link, &handshake);
                }
                Err(obstacle) => self.on_obstructed(at, obstacle),
            },
            Happened::OnLink(Event::Received(octets)) => {
                let buffer = std::mem::take(&mut self.buffer);
                let received = buffer.get(..octets).unwrap_or_default();
                self.tell(Input::Link(link, LinkInput::Received(received)));
                if !self.lines.is_empty() {
                    self.buffer = buffer;
                }
            }
            Happened::OnLink(Event::Drained) => self.tell(Input::Link(link, LinkInput::Drained)),
            Happened::OnLink(Event::Closed(error)) => {
                if let Some(error) = &error {
                    tracing::info!(%error, "a connection was lost");
                }
                self.trace(|trace, now| {
                    let why = error.map(|error| format!(": {error}")).unwrap_or_default();
                    trace.link_event(now, link, &format!("closed by the server{why}"));
                });
                self.lines.swap_remove(at);
                self.tell(Input::Link(link, LinkInput::Closed));
            }
        }
    }

    /// There is no link at this place among the lines, or it is no use.
    fn on_obstructed(&mut self, at: usize, obstacle: Obstacle) {
        let (link, _) = self.lines.swap_remove(at);
        self.trace(|trace, now| trace.link_event(now, link, &format!("obstructed: {}", obstacle.words)));
        self.tell(Input::Obstructed(link, obstacle));
    }

    /// A link is secured, from its first octet or from here on.
    fn on_secured(&mut self, link: LinkId, handshake: &Handshake) {
        self.trace(|trace, now| trace.link_event(now, link, &format!("secured: {handshake}")));
        self.tell(Input::Link(link, LinkInput::Secured(handshake.binding)));
    }

    /// For the trace, if there is one.
    fn trace(&mut self, tell: impl FnOnce(&mut Trace, Instant)) {
        if let Some(trace) = &mut self.trace {
            tell(trace, self.watch.now());
        }
    }

    /// Tells the modem something, and does what it wants then.
    fn tell(&mut self, input: Input<'_>) {
        self.modem.handle(input, self.watch.now());
        self.carry_out();
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.modem.poll() {
            match output {
                Output::Show(octets) => self.notices.push_back(Notice::Show(octets)),
                Output::Trace(traced) => self.trace(|trace, now| trace.tell(now, &traced)),
                Output::Report(words) => {
                    self.trace(|trace, now| trace.event(now, &words));
                    self.notices.push_back(Notice::Report(words));
                }
                Output::Done(words) => self.notices.push_back(Notice::Done(words)),
                Output::Profile(lines) => {
                    if let Some(file) = &self.profile
                        && let Err(error) = home::write_profile(file, &lines)
                    {
                        tracing::error!(file = %file.display(), %error, "what AT&W stored is lost with the next start");
                    }
                }
                Output::Speed(speed) => self.notices.push_back(Notice::Speed(speed)),
                // Nobody can press the key of a modem that is a program; a host that could, waits for it to come on.
                Output::PoweredOff => {
                    self.trace(|trace, now| trace.event(now, "power off"));
                    self.power_on_at = Some(self.watch.now() + POWER_OFF_MAX);
                }
                Output::Open { link, call } => {
                    self.trace(|trace, now| {
                        let Call { protocol, server, port, .. } = &call;
                        trace.link_event(now, link, &format!("opening: {protocol} at {server}:{port}"));
                    });
                    self.tokens.retain(|(link, _)| self.lines.iter().any(|(other, _)| other == link));
                    self.lines.push((link, Line::Dialling(self.network.dial(call))));
                }
                Output::Transmit(link, octets) => {
                    if let Some((_, Line::Standing(standing))) =
                        self.lines.iter_mut().find(|(id, _)| *id == link)
                    {
                        standing.transmit(octets);
                    }
                }
                Output::LogInRefused(link) => {
                    if let Some((_, token)) = self.tokens.iter().find(|(id, _)| *id == link) {
                        token.was_refused();
                    }
                }
                Output::StartTls(link) => {
                    if let Some((_, line)) = self.lines.iter_mut().find(|(id, _)| *id == link) {
                        line.start_tls();
                    }
                }
                Output::Close(link) => self.close(link),
                Output::Abort(link) => self.abort(link),
            }
        }
    }

    /// Forgets a link, and what was not sent on it.
    fn abort(&mut self, link: LinkId) {
        self.trace(|trace, now| trace.link_event(now, link, "broken off by the modem"));
        let Some(at) = self.lines.iter().position(|(id, _)| *id == link) else { return };
        if let (_, Line::Standing(standing)) = self.lines.swap_remove(at) {
            standing.abort();
        }
    }

    /// Forgets a link. What was transmitted on it is sent by itself.
    fn close(&mut self, link: LinkId) {
        self.trace(|trace, now| trace.link_event(now, link, "closed by the modem"));
        let Some(at) = self.lines.iter().position(|(id, _)| *id == link) else { return };
        if let (_, Line::Standing(mut standing)) = self.lines.swap_remove(at) {
            // Now, if it can be: the program may end before the task has had its turn.
            standing.send_last();
            tokio::spawn(standing.close());
        }
    }
}

impl Line {
    /// Begins the handshake on a link that stands.
    fn start_tls(&mut self) {
        // What takes its place meanwhile is never waited for.
        let line = std::mem::replace(self, Self::Securing(Box::pin(pending())));
        *self = match line {
            Self::Standing(link) => Self::Securing(Box::pin(link.secure())),
            other => other,
        };
    }
}

/// The next card that is put in; `None` when the one that is in is pulled out.
async fn next_card(slot: &mut Option<Slot>) -> Option<Box<dyn Drive>> {
    match slot {
        Some(slot) => slot.next().await,
        None => pending().await,
    }
}

fn poll_lines(
    lines: &mut [(LinkId, Line)],
    buffer: &mut Vec<u8>,
    context: &mut Context<'_>,
) -> Poll<(usize, Happened)> {
    if lines.is_empty() {
        *buffer = Vec::new();
        return Poll::Pending;
    }
    if buffer.is_empty() {
        *buffer = vec![0; RECEIVED_OCTETS_MAX];
    }
    for (at, (_, line)) in lines.iter_mut().enumerate() {
        let happened = match line {
            Line::Dialling(dialling) => {
                dialling.as_mut().poll(context).map(|dialled| Happened::Dialled(Box::new(dialled)))
            }
            Line::Standing(link) => link.poll_next(context, buffer).map(Happened::OnLink),
            Line::Securing(securing) => {
                securing.as_mut().poll(context).map(|secured| Happened::Secured(Box::new(secured)))
            }
        };
        if let Poll::Ready(happened) = happened {
            // It is asked last next time: one that always has something must not keep the others waiting.
            let last = lines.len() - 1;
            lines.swap(at, last);
            return Poll::Ready((last, happened));
        }
    }
    Poll::Pending
}
