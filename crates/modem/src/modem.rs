//! The modem itself: which octets go where, what is pending, and when something may be said.
//!
//! Not here: what commands do ([`crate::command`]) and how mail travels ([`mail`]).

mod copying;
mod power;
mod reading;
mod reporting;
mod sending;
mod session;
mod transfer;

pub(crate) use session::MAIL_FOLDER;

use crate::clock::{Calendar, Clock};
use crate::command::network::Network;
use crate::command::table::{Arguments, Command};
use crate::command::{Answer, Entered, Job};
use crate::drive::Drive;
use crate::files::Files;
use crate::inbox::Inbox;
use crate::kept::Kept;
use crate::limits::{TYPE_AHEAD_OCTETS_MAX, URC_DELAY_MAX};
use crate::outbox::Outbox;
use crate::route::{Call, Route};
use crate::settings::Settings;
use crate::terminal::editor::Edit;
use crate::terminal::grammar::{CommandLine, Form, Invocation};
use crate::terminal::masking::masked;
use crate::terminal::{Code, Terminal};
use copying::Copying;
use mail::machine::{Input as LinkInput, Instant, Passage};
use mail::secret::Secret;
use reading::Reading;
use reporting::Outcome;
use std::collections::VecDeque;
use std::fmt;
pub(crate) use transfer::Transfer;

/// A connection of the modem's. Never used twice, so what arrives for one that is over finds nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(u64);

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// What happened around the modem.
pub enum Input<'a> {
    /// The terminal sent octets.
    Typed(&'a [u8]),
    /// A link stands, and this is how the call is carried out on it.
    Opened(LinkId, Route),
    /// Something happened on a link.
    Link(LinkId, LinkInput<'a>),
    /// A link could not be opened, or not be secured: it is over.
    Obstructed(LinkId, Obstacle),
    /// A storage card was put in: drive D:.
    CardInserted(Box<dyn Drive>),
    /// The storage card was pulled out.
    CardRemoved,
    /// The power key was pressed: a modem that is off comes on.
    PowerKey,
    /// The terminal lowered its DTR: it does not go on with what it was entering, unless AT&D says otherwise.
    DtrLowered,
    /// The terminal has taken everything that was shown.
    Shown,
    /// The time named by [`Modem::deadline`] is here.
    DeadlinePassed,
}

/// Why a link could not be opened or secured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// What it means for the result code.
    pub kind: ObstacleKind,
    /// In words, for the log.
    pub words: String,
}

/// What kept a link from opening, or from being secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObstacleKind {
    /// The name could not be resolved, or the machine not be reached, or it refused.
    Network,
    /// The peer was reached, and the TLS handshake failed.
    Tls,
    /// There is nothing to log in with.
    LogIn,
}

/// What the modem wants done, in this order.
#[derive(Debug)]
pub enum Output {
    /// Octets for the terminal.
    Show(Vec<u8>),
    /// Open a connection.
    Open {
        /// Its name from here on.
        link: LinkId,
        /// What the terminal named.
        call: Call,
    },
    /// Send octets on a link.
    Transmit(LinkId, Vec<u8>),
    /// The server of a link did not take the credentials of its route.
    LogInRefused(LinkId),
    /// Begin the TLS handshake on a link.
    StartTls(LinkId),
    /// End a link, once what was transmitted before is sent.
    Close(LinkId),
    /// End a link at once: what was transmitted and is not sent yet must not be sent any more.
    Abort(LinkId),
    /// The line's speed from here on, in bits per second: everything before is to be shown at the old one.
    Speed(u32),
    /// What AT&W stored, for the setting `profile` of the next start: a few short lines.
    Profile(String),
    /// The modem is off: it takes no notice of what is typed until [`Input::PowerKey`].
    PoweredOff,
    /// Something for a trace of the line; only with the setting `trace`.
    Trace(Traced),
    /// Why a mail did not go, for the log: the result code and the reason in words. Holds no secret.
    Report(String),
    /// That a mail went, or was saved, for the log: the result code, and where it is now. Holds no secret.
    Done(String),
}

impl ObstacleKind {
    /// What the peer did, or is, before it is said why.
    const fn deed(self) -> &'static str {
        match self {
            Self::Network => "cannot be reached",
            Self::Tls => "failed in the TLS handshake",
            Self::LogIn => "cannot be logged in to",
        }
    }
}

/// How the lines of the two applications begin.
const SMTP: &str = "+SMTP: ";
const POP3: &str = "+POP3: ";

/// Why no link can be opened.
const NO_NETWORK: &str = "there is no network, or no context";

/// What a trace of the line tells. Whoever makes one puts `***` in the place of what is secret: octets from outside
/// are never traced as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Traced {
    /// A command line, as it was taken: edited, and without the noise before it.
    Typed(Vec<u8>),
    /// `A/`, or something typed that is no command line: in words.
    TypedOther(String),
    /// What the modem said. Echo is left out: what is typed is traced already.
    Shown(Vec<u8>),
    /// What went over a link.
    OnLink(LinkId, Passage),
}

/// What is spoken on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// SMTP, as its client.
    Smtp,
    /// POP3, as its client.
    Pop3,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Smtp => "SMTP",
            Self::Pop3 => "POP3",
        })
    }
}

/// A modem. See the crate's words.
pub struct Modem {
    pub(crate) settings: Settings,
    pub(crate) terminal: Terminal,
    pub(crate) kept: Kept,
    pub(crate) network: Network,
    pub(crate) clock: Clock,
    pub(crate) files: Files,
    pub(crate) outbox: Outbox,
    pub(crate) inbox: Inbox,
    /// The last one that was no success.
    pub(crate) last_failure: Outcome,
    reading: Option<Reading>,
    copying: Option<Copying>,
    activity: Activity,
    type_ahead: TypeAhead,
    /// For `A/`. It may hold a password.
    last_line: Secret,
    /// The line's speed as the program knows it.
    speed: u32,
    urcs: Urcs,
    links_opened: u64,
    mails_composed: u64,
    outputs: VecDeque<Output>,
}

/// What the terminal's octets are taken for.
enum Activity {
    /// Nothing: the modem is off.
    Off,
    /// Parts of a command line.
    Ready,
    /// A text typed at the prompt; then the rest of the line that asked for it.
    Text(TextEntry, CommandLine),
    /// For later: a command is pending. Then the rest of its line.
    Waiting(Job, CommandLine),
    /// Octets of a transfer; then the rest of the line that waits for its end, unless that has been answered.
    Transfer(Box<Transfer>, Option<CommandLine>),
}

struct TextEntry {
    text: Vec<u8>,
    octets_max: usize,
    too_long: bool,
    take: fn(&mut Modem, Entered) -> Code,
}

/// What was typed while a command was pending.
#[derive(Default)]
struct TypeAhead {
    /// They may be a password's.
    octets: Secret,
    /// Where the line that is being typed begins.
    line_start: usize,
    /// `Some` from the first octet that found no room.
    lost: Option<Lost>,
}

/// Lines that found no room. Empty ones ask for no answer, and do not count.
#[derive(Clone, Copy, Default)]
struct Lost {
    lines: usize,
    /// Whether another has begun.
    in_line: bool,
}

/// Unsolicited result codes that wait for the line to be free. They come of commands, and while they wait no other command
/// is taken up, or for [`URC_DELAY_MAX`] only; so they are few.
#[derive(Default)]
struct Urcs {
    responses: VecDeque<Vec<String>>,
    /// Since when the first has been waiting.
    since: Instant,
}

impl Modem {
    /// Switches a modem on. With `boot_urcs` it has something to show at once: [`Modem::poll`] tells.
    #[must_use]
    pub fn power_on(
        settings: Settings,
        drive_c: Box<dyn Drive>,
        drive_d: Option<Box<dyn Drive>>,
        calendar: Calendar,
        now: Instant,
    ) -> Self {
        let mut modem = Self {
            terminal: Terminal::new(settings.trace),
            kept: Kept::with_profile(&settings.profile),
            network: Network::default(),
            clock: Clock::new(calendar, now),
            files: Files::new(drive_c, drive_d),
            outbox: Outbox::new(),
            inbox: Inbox::default(),
            last_failure: Outcome::default(),
            reading: None,
            copying: None,
            activity: Activity::Ready,
            type_ahead: TypeAhead::default(),
            last_line: Secret::default(),
            speed: 0,
            urcs: Urcs::default(),
            links_opened: 0,
            mails_composed: 0,
            outputs: VecDeque::new(),
            settings,
        };
        modem.speed = modem.kept.number("+IPR", 0);
        modem.boot();
        modem
    }

    /// Takes notice of what happened. Never fails, never blocks; any input is legal at any time.
    pub fn handle(&mut self, input: Input<'_>, now: Instant) {
        match input {
            Input::Typed(octets) => self.typed(octets, now),
            Input::Opened(link, route) if Some(link) == self.sending_link() => {
                self.on_sending_opened(route, now);
            }
            Input::Opened(link, route) if Some(link) == self.session_link() => {
                self.on_session_opened(route, now);
            }
            Input::Link(link, input) if Some(link) == self.sending_link() => self.on_sending_link(input, now),
            Input::Link(link, input) if Some(link) == self.session_link() => self.on_session_link(input, now),
            Input::Obstructed(link, why) if Some(link) == self.sending_link() => {
                self.on_sending_obstructed(&why, now);
            }
            Input::Obstructed(link, why) if Some(link) == self.session_link() => {
                self.on_session_obstructed(&why, now);
            }
            // A link that is over.
            Input::Opened(..) | Input::Link(..) | Input::Obstructed(..) => {}
            Input::CardInserted(card) => self.files.insert_card(card),
            Input::CardRemoved => {
                self.on_card_removed_from_session(now);
                self.files.remove_card();
                self.on_card_removed_from_reading(now);
                self.on_card_removed_from_copying(now);
                self.on_card_removed_from_transfer(now);
            }
            Input::PowerKey => self.on_power_key(),
            Input::DtrLowered => self.on_dtr_lowered(now),
            Input::Shown => self.on_shown(now),
            Input::DeadlinePassed => {
                self.on_sending_deadline(now);
                self.on_session_deadline(now);
                self.on_transfer_deadline(now);
            }
        }
        self.step_session(now);
        self.show_urcs(now);
        self.flush();
    }

    /// For a trace, if there is one; behind what was shown before it.
    fn trace(&mut self, traced: impl FnOnce() -> Traced) {
        if self.settings.trace {
            self.trace_shown();
            self.outputs.push_back(Output::Trace(traced()));
        }
    }

    fn trace_shown(&mut self) {
        let said = self.terminal.take_traced();
        if !said.is_empty() {
            self.outputs.push_back(Output::Trace(Traced::Shown(said)));
        }
    }

    /// Hands over what there is to show.
    fn flush(&mut self) {
        self.trace_shown();
        let shown = self.terminal.take_shown();
        if !shown.is_empty() {
            self.outputs.push_back(Output::Show(shown));
        }
    }

    /// The next thing it wants done; `None` until something happens again.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When it wants [`Input::DeadlinePassed`], if at all.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let urcs =
            (self.takes_lines() && !self.urcs.responses.is_empty()).then(|| self.urcs.since + URC_DELAY_MAX);
        [self.sending_deadline(), self.session_deadline(), self.transfer_deadline(), urcs]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether nothing is under way: no command pending, no mail being sent, nothing to be said.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.activity, Activity::Ready | Activity::Off)
            && !self.outbox.is_sending()
            && !self.inbox.is_getting()
            && self.urcs.responses.is_empty()
            && self.outputs.is_empty()
    }

    /// What the terminal's next octets will be taken for.
    #[must_use]
    pub const fn expects(&self) -> Expects {
        match self.activity {
            Activity::Ready => Expects::Line,
            Activity::Text(..) => Expects::Text,
            Activity::Waiting(..) | Activity::Transfer(..) | Activity::Off => Expects::Nothing,
        }
    }

    const fn takes_lines(&self) -> bool {
        matches!(self.activity, Activity::Ready)
    }

    fn typed(&mut self, mut octets: &[u8], now: Instant) {
        while let Some((&octet, rest)) = octets.split_first() {
            octets = match self.activity {
                Activity::Text(..) => self.typed_text(octets, now),
                Activity::Transfer(..) => self.typed_transfer(octets, now),
                Activity::Off | Activity::Ready | Activity::Waiting(..) => {
                    self.typed_octet(octet, now);
                    rest
                }
            };
            self.step_session(now);
            self.show_urcs(now);
        }
    }

    fn typed_octet(&mut self, octet: u8, now: Instant) {
        match &mut self.activity {
            Activity::Off => {}
            Activity::Ready => {
                let edit =
                    self.terminal.editor.push(octet, self.terminal.registers, self.settings.line_octets_max);
                if edit != Edit::Ignored {
                    self.terminal.echo(&[octet]);
                }
                match edit {
                    Edit::Ignored | Edit::Taken => {}
                    Edit::Line(line) => {
                        self.trace(|| Traced::Typed(masked(line.reveal())));
                        if let Some(commands) = CommandLine::new(line.clone()) {
                            self.last_line = line;
                            self.execute(commands, now);
                        }
                    }
                    Edit::TooLong => {
                        self.trace(|| Traced::TypedOther("a line over the bound".to_owned()));
                        self.terminal.finish(Code::Error);
                    }
                    Edit::Repeat => {
                        self.trace(|| Traced::TypedOther("A/".to_owned()));
                        match CommandLine::new(self.last_line.clone()) {
                            Some(commands) => self.execute(commands, now),
                            // V.250 §5.2.4: when there was none, an empty line is repeated.
                            None => self.terminal.finish(Code::Ok),
                        }
                    }
                }
            }
            Activity::Waiting(job, _) => {
                let stop = job.stop();
                if let Some(line) = self.type_ahead.push(octet, self.terminal.registers.line_end, stop) {
                    self.stop_pending(&line, now);
                }
            }
            // They take what is typed in portions.
            Activity::Text(..) | Activity::Transfer(..) => {}
        }
    }

    /// Executes what is left of a line: in order, to the first error, with one final result code.
    fn execute(&mut self, mut line: CommandLine, now: Instant) {
        let code = loop {
            let answer = match line.next_command() {
                Ok(None) => break Code::Ok,
                Ok(Some(invocation)) => self.invoke(&invocation, now),
                Err(_) => break Code::Error,
            };
            match answer {
                Answer::Finished(Code::Ok) => {}
                Answer::Finished(code) => break code,
                Answer::AskText { octets_max, take } => {
                    self.terminal.prompt(b">> ");
                    let entry = TextEntry { text: Vec::new(), octets_max, too_long: false, take };
                    self.activity = Activity::Text(entry, line);
                    return;
                }
                Answer::Await(job) => {
                    self.activity = Activity::Waiting(job, line);
                    return;
                }
                Answer::Power(power) => return self.go_off(power),
                Answer::AskOctets(transfer) => {
                    self.terminal.prompt(b">");
                    return self.begin_transfer(transfer, Some(line), now);
                }
                Answer::Then(transfer) => match line.next_command() {
                    Ok(None) => {
                        self.finish(Code::Ok);
                        return self.begin_transfer(transfer, None, now);
                    }
                    // Its answer would come among the octets of the transfer.
                    Ok(Some(_)) | Err(_) => break Code::Error,
                },
            }
        };
        self.finish(code);
        self.activity = Activity::Ready;
        self.take_up_type_ahead(now);
    }

    /// The final result code of a line. The line's speed changes behind it, if one of its commands said so.
    fn finish(&mut self, code: Code) {
        self.terminal.finish(code);
        self.tell_speed();
    }

    fn invoke(&mut self, invocation: &Invocation, now: Instant) -> Answer {
        let Some(command) = Command::named(&invocation.name) else { return Answer::ERROR };
        let none = Arguments::none(command);
        match &invocation.form {
            Form::Execute => command.execute.map_or(Answer::ERROR, |run| run(self, &none, now)),
            Form::Read => command.read.map_or(Answer::ERROR, |run| run(self, &none, now)),
            Form::Write(typed) => match command.check(typed) {
                Some((arguments, run)) => run(self, &arguments, now),
                None => Answer::ERROR,
            },
            Form::Test => match command.test {
                Some("") => Answer::OK,
                Some(values) => {
                    self.terminal.say(&[format!("{}: {values}", command.name)]);
                    Answer::OK
                }
                None => Answer::ERROR,
            },
        }
    }

    /// Octets of a text (commands.md §2, +SMTPBODY): those up to the first that is more than a letter of it at once, or
    /// that one. Returns the rest.
    fn typed_text<'a>(&mut self, octets: &'a [u8], now: Instant) -> &'a [u8] {
        const CTRL_Z: u8 = 0x1a;
        const ESC: u8 = 0x1b;
        const DELETE: u8 = 0x7f;
        let backspace = self.terminal.registers.backspace;
        let (Activity::Text(entry, _), Some((&first, rest))) = (&mut self.activity, octets.split_first())
        else {
            return &[];
        };
        if self.terminal.editor.is_second_half_of_line_end(first) {
            return rest;
        }
        let entered = match first {
            CTRL_Z if entry.too_long => Entered::TooLong,
            CTRL_Z => Entered::Text(std::mem::take(&mut entry.text)),
            ESC => Entered::Cancelled,
            _ if first == DELETE || first == backspace => {
                entry.text.pop();
                self.terminal.echo(&[first]);
                return rest;
            }
            _ => {
                let is_more = |octet: &u8| matches!(*octet, CTRL_Z | ESC | DELETE) || *octet == backspace;
                let letters = octets.iter().position(is_more).unwrap_or(octets.len());
                let (letters, rest) = octets.split_at_checked(letters).unwrap_or((octets, &[]));
                entry.push(letters);
                self.terminal.echo(letters);
                return rest;
            }
        };
        self.end_text(entered, now);
        rest
    }

    fn end_text(&mut self, entered: Entered, now: Instant) {
        if let Activity::Text(entry, line) = std::mem::replace(&mut self.activity, Activity::Ready) {
            // A line that a host typed into the prompt by mistake may hold a password.
            self.trace(|| Traced::TypedOther(entered.to_string()));
            let code = (entry.take)(self, entered);
            self.resume(code, line, now);
        }
    }

    /// Text and files end, as they would by ESC and by their time, and a line that was begun is forgotten: what is typed next is a command (V.250 §6.2.9). What is
    /// pending and what is being sent is not the line's.
    fn on_dtr_lowered(&mut self, now: Instant) {
        if self.kept.number("&D", 0) == 0 {
            return;
        }
        match &self.activity {
            Activity::Text(..) => self.end_text(Entered::Cancelled, now),
            Activity::Transfer(..) => self.cancel_transfer(now),
            Activity::Ready => self.terminal.editor.forget(),
            Activity::Off | Activity::Waiting(..) => {}
        }
    }

    /// Ends the pending command, if there is one.
    fn finish_pending(&mut self, code: Code, now: Instant) {
        if let Activity::Waiting(_, line) = std::mem::replace(&mut self.activity, Activity::Ready) {
            self.resume(code, line, now);
        }
    }

    /// Goes on with a line after one of its commands.
    fn resume(&mut self, code: Code, line: CommandLine, now: Instant) {
        match code {
            Code::Ok => self.execute(line, now),
            Code::Error | Code::Equipment(_) => {
                self.finish(code);
                self.take_up_type_ahead(now);
            }
        }
    }

    fn pending_job_mut(&mut self) -> Option<&mut Job> {
        match &mut self.activity {
            Activity::Waiting(job, _) => Some(job),
            Activity::Off | Activity::Ready | Activity::Text(..) | Activity::Transfer(..) => None,
        }
    }

    fn is_pending(&self, job: Job) -> bool {
        matches!(&self.activity, Activity::Waiting(pending, _) if *pending == job)
    }

    /// A STOP was typed while the command that it stops was pending: that one ends with ERROR, the STOP with OK, and
    /// what else was typed comes after them (commands.md §1, choice).
    fn stop_pending(&mut self, line: &[u8], now: Instant) {
        if self.is_pending(Job::SmtpGreeting) {
            self.stop_sending();
        } else {
            self.stop_session();
        }
        self.activity = Activity::Ready;
        self.finish(Code::Error);
        self.trace(|| Traced::Typed(masked(line.trim_ascii())));
        self.terminal.echo(line);
        self.terminal.finish(Code::Ok);
        self.take_up_type_ahead(now);
        self.terminal.editor.line_ended_with(line.last().copied());
    }

    /// The terminal has taken what was shown.
    fn on_shown(&mut self, now: Instant) {
        let code = match self.pending_job_mut() {
            Some(Job::Reading) => self.read_on(),
            Some(Job::Copying) => self.copy_on(),
            Some(_) | None => None,
        };
        if let Some(code) = code {
            self.finish_pending(code, now);
        }
    }

    /// Takes what was typed meanwhile as if it were typed now. Each line that was lost gets its ERROR.
    fn take_up_type_ahead(&mut self, now: Instant) {
        let TypeAhead { octets, lost, .. } = std::mem::take(&mut self.type_ahead);
        self.typed(octets.reveal(), now);
        let Some(Lost { lines, in_line }) = lost else { return };
        match &mut self.activity {
            Activity::Off => {}
            Activity::Ready => {
                for _ in 0..lines {
                    self.terminal.finish(Code::Error);
                }
                if in_line {
                    self.terminal.editor.spoil();
                }
            }
            // Its end is among what was lost, or something of its middle.
            Activity::Text(entry, _) => entry.spoil(),
            // The same; and what else was lost was the file's, not lines of their own.
            Activity::Transfer(transfer, _) => transfer.spoil(),
            // The last of what was kept is pending now, and what was lost still comes behind it.
            Activity::Waiting(..) => self.type_ahead.lost = lost,
        }
    }

    /// Shows an unsolicited result code, of a line or more, as soon as the line is free.
    pub(crate) fn urc(&mut self, lines: impl Into<Vec<String>>, now: Instant) {
        if self.urcs.responses.is_empty() {
            self.urcs.since = now;
        }
        self.urcs.responses.push_back(lines.into());
    }

    /// Never inside an answer; inside a line that is being typed only after a while.
    fn show_urcs(&mut self, now: Instant) {
        let in_line = self.terminal.editor.is_in_line() && now < self.urcs.since + URC_DELAY_MAX;
        if self.takes_lines() && !in_line {
            for lines in std::mem::take(&mut self.urcs.responses) {
                self.terminal.say(&lines);
            }
        }
    }

    /// For the next start, whenever that is.
    pub(crate) fn tell_profile(&mut self) {
        self.outputs.push_back(Output::Profile(self.kept.profile()));
    }

    fn new_link(&mut self) -> LinkId {
        self.links_opened += 1;
        LinkId(self.links_opened)
    }
}

/// What the terminal's octets are taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expects {
    /// A command line.
    Line,
    /// A text, ended by Ctrl-Z.
    Text,
    /// Nothing that is read as text now: a command is pending, and what is typed is kept for later, or belongs to a file
    /// that is being transferred.
    Nothing,
}

impl Job {
    /// The line that stops it, if one does.
    const fn stop(self) -> Option<&'static [u8]> {
        match self {
            Self::SmtpGreeting => Some(b"AT+SMTPSTOP"),
            Self::LogIn | Self::Ask | Self::List { .. } | Self::Header => Some(b"AT+POP3STOP"),
            Self::Reading | Self::Copying => None,
        }
    }
}

impl TextEntry {
    /// Takes letters, unless it is too long by them, or was before.
    fn push(&mut self, letters: &[u8]) {
        if self.too_long || letters.len() > self.octets_max.saturating_sub(self.text.len()) {
            self.spoil();
        } else {
            self.text.extend_from_slice(letters);
        }
    }

    /// Makes what has been typed void, and what is still to come.
    fn spoil(&mut self) {
        self.too_long = true;
        self.text = Vec::new();
    }
}

impl Urcs {
    /// Whether an outcome of this application waits among them.
    fn tell_of(&self, application: &str) -> bool {
        self.responses.iter().flatten().any(|line| line.starts_with(application))
    }

    /// Drops what waits of this application.
    fn forget(&mut self, application: &str) {
        self.responses.retain(|lines| !lines.iter().any(|line| line.starts_with(application)));
    }
}

impl TypeAhead {
    /// Keeps an octet while there is room, and counts what is lost from then on. `Some`: the octet completed a line that
    /// says `stop`, which is taken out.
    fn push(&mut self, octet: u8, line_end: u8, stop: Option<&[u8]>) -> Option<Vec<u8>> {
        let ends_line = octet == line_end || octet == b'\n';
        if let Some(lost) = &mut self.lost {
            lost.push(octet, ends_line);
            return None;
        }
        if self.octets.reveal().len() == TYPE_AHEAD_OCTETS_MAX {
            // What there is of the line that does not fit is no line.
            let mut lost = Lost::default();
            for &octet in self.octets.reveal().get(self.line_start..).unwrap_or_default() {
                lost.push(octet, false);
            }
            self.octets.truncate(self.line_start);
            lost.push(octet, ends_line);
            self.lost = Some(lost);
            return None;
        }
        self.octets.push(octet);
        if !ends_line {
            return None;
        }
        let line_start = std::mem::replace(&mut self.line_start, self.octets.reveal().len());
        let line = self.octets.reveal().get(line_start..)?;
        // The octet that ends it may be any (S3).
        let (_, said) = line.split_last()?;
        if !stop.is_some_and(|stop| said.trim_ascii().eq_ignore_ascii_case(stop)) {
            return None;
        }
        let line = line.to_vec();
        self.octets.truncate(line_start);
        self.line_start = line_start;
        Some(line)
    }
}

impl Lost {
    fn push(&mut self, octet: u8, ends_line: bool) {
        if ends_line {
            self.lines += usize::from(std::mem::take(&mut self.in_line));
        } else {
            self.in_line |= octet.is_ascii_graphic();
        }
    }
}
