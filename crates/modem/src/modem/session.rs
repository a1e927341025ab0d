//! A POP3 session from AT+POP3IN to its end (note §4).

use super::{Job, LinkId, Modem, NO_NETWORK, Obstacle, ObstacleKind, Output, POP3, Protocol, Traced};
use crate::command::Answer;
use crate::drive::path::{Name, Path};
use crate::drive::{DriveError, Letter};
use crate::inbox::outcome::{NETWORK_ERROR, SUCCESS, failure_words, not_saved_words, refusal_words};
use crate::inbox::saving::{Form, NotSaved, Saving};
use crate::inbox::{Open, Session, Text, header_line};
use crate::limits::MAIL_FOLDER_AHEAD_MAX;
use crate::route::{Call, Route, user_name};
use crate::terminal::Code;
use mail::limits::IDLE_MAX;
use mail::machine::{Input as LinkInput, Instant, Machine as _, Output as LinkOutput};
use mail::pop3::client::{self, Client, Event, Failure, LogIn, Request};
use std::time::Duration;

/// The folder of saved mails, on either drive.
pub(crate) const MAIL_FOLDER: &str = "Email";

impl Modem {
    /// AT+POP3IN: opens the link; the client logs in.
    pub(crate) fn begin_session(&mut self, now: Instant) -> Answer {
        let is_free = !self.inbox.is_open() && !self.excludes_mail();
        let Some(account) = self.inbox.account.clone().filter(|_| is_free) else {
            return Answer::ERROR;
        };
        if !self.can_open_links() {
            self.report_not_begun(NETWORK_ERROR, NO_NETWORK);
            self.terminal.say(&[NETWORK_ERROR]);
            return Answer::ERROR;
        }
        let link = self.new_link();
        let call = Call {
            protocol: Protocol::Pop3,
            server: account.server,
            port: account.port,
            user: Some(user_name(&account.credentials)),
            sender: None,
            recipients: Vec::new(),
        };
        self.inbox.called = None;
        self.inbox.session = Session::Opening(link, now + IDLE_MAX);
        self.outputs.push_back(Output::Open { link, call });
        Answer::Await(Job::LogIn)
    }

    /// The session's link stands.
    pub(super) fn on_session_opened(&mut self, route: Route, now: Instant) {
        let Session::Opening(link, _) = self.inbox.session else { return };
        let Route { called, policy, nonce, account, rewriting: _ } = route;
        self.inbox.called = called;
        let named = self.inbox.account.as_ref().map(|account| account.credentials.clone());
        let credentials = account.credentials(named.clone()).or(named);
        let log_in = nonce.map_or(LogIn::AsNote, LogIn::Sasl);
        let account = credentials.and_then(|it| client::Account::new(it, self.settings.apop, log_in).ok());
        let Some(account) = account else {
            // What no POP3 command can carry is refused by AT+POP3SRV, and where routes are made.
            self.outputs.push_back(Output::Abort(link));
            return self.end_session(&Failure::NotOpened, "was not called: nobody can log in so", now);
        };
        let mut client = Client::new(account, policy, now);
        if self.settings.trace {
            client.trace();
        }
        self.inbox.session = Session::Open(Box::new(Open { link, client, text: Text::None }));
        self.on_session_link(LinkInput::Opened, now);
    }

    /// The time named by [`Self::session_deadline`] may be here.
    pub(super) fn on_session_deadline(&mut self, now: Instant) {
        match self.inbox.session {
            Session::Opening(link, deadline) if deadline <= now => {
                self.outputs.push_back(Output::Abort(link));
                self.end_session(&Failure::NotOpened, &Failure::NotOpened.to_string(), now);
            }
            _ => self.on_session_link(LinkInput::DeadlinePassed, now),
        }
    }

    /// A command that asks the server something, and waits for the answer.
    pub(crate) fn ask(&mut self, request: Request, job: Job, now: Instant) -> Answer {
        match self.request(request, Text::None, now) {
            Ok(()) => Answer::Await(job),
            Err(answer) => answer,
        }
    }

    /// AT+POP3HDR.
    pub(crate) fn ask_header(&mut self, id: u32, now: Instant) -> Answer {
        match self.request(Request::Headers(id), Text::Header(Box::default()), now) {
            Ok(()) => Answer::Await(Job::Header),
            Err(answer) => answer,
        }
    }

    /// AT+POP3GET: answered at once, the outcome follows as an unsolicited result code.
    pub(crate) fn begin_getting(&mut self, id: u32, form: Form, now: Instant) -> Answer {
        if let Err(answer) = self.check_session() {
            return answer;
        }
        match self.begin_saving(form, now) {
            Ok(saving) => match self.request(Request::Retrieve(id), Text::Saved(id, Box::new(saving)), now) {
                Ok(()) => Answer::OK,
                Err(answer) => answer,
            },
            Err(reason) => {
                self.fail_saving(id, reason, now);
                Answer::OK
            }
        }
    }

    fn begin_saving(&mut self, form: Form, now: Instant) -> Result<Saving, NotSaved> {
        let folder = self.free_mail_folder(now)?;
        let (text_name, octets_max) = (self.settings.mail_file_name, self.settings.mail_octets_max);
        let letter = self.files.location();
        Saving::begin(letter, self.files.drive_mut(letter)?, form, folder, text_name, octets_max)
    }

    /// The folder for a mail saved now: named by the time, or by the next second that no other is named by.
    fn free_mail_folder(&mut self, now: Instant) -> Result<Name, NotSaved> {
        let drive = self.files.location();
        // When many mails come in a second, the seconds up to the last one's are not asked for again.
        let last = self.inbox.last_folder.filter(|(on, _)| *on == drive);
        let mut second = last.map_or(now, |(_, last)| now.max(last + Duration::from_secs(1)));
        while second.since(now) < MAIL_FOLDER_AHEAD_MAX {
            let digits = self.clock.digits(second);
            let name = digits.as_deref().and_then(Name::new).ok_or(NotSaved::Drive(DriveError::Taken))?;
            let names = Name::new(MAIL_FOLDER).into_iter().chain([name.clone()]).collect();
            if !self.files.exists(&Path { drive, names })? {
                self.inbox.folder_second = second;
                return Ok(name);
            }
            second = second + Duration::from_secs(1);
        }
        Err(NotSaved::Drive(DriveError::Taken))
    }

    /// Whether a request may be made: there is a session, and nothing runs in it.
    fn check_session(&mut self) -> Result<(), Answer> {
        match &self.inbox.session {
            Session::None => Err(Answer::ERROR),
            Session::Over(_) => {
                if let Session::Over(words) = std::mem::take(&mut self.inbox.session) {
                    self.terminal.say(&[words]);
                }
                Err(Answer::ERROR)
            }
            // Its log-in is pending: no command is taken up before it has ended.
            Session::Opening(..) => Err(Answer::ERROR),
            Session::Open(_) if self.inbox.is_getting() || self.urcs.tell_of(POP3) => Err(Answer::ERROR),
            Session::Open(_) => Ok(()),
        }
    }

    fn request(&mut self, request: Request, text: Text, now: Instant) -> Result<(), Answer> {
        self.check_session()?;
        let Some(open) = self.inbox.open() else { return Err(Answer::ERROR) };
        match open.client.request(request, now) {
            Ok(()) => {
                // It may be answered already. Nobody looks before the command is pending.
                open.text = text;
                Ok(())
            }
            Err(_busy) => {
                // The client may have ended the session: half a line had come unasked.
                self.step_session(now);
                self.check_session()?;
                Err(Answer::ERROR)
            }
        }
    }

    /// AT+POP3STOP: closes at once; the server deletes nothing without a QUIT, and nothing of a mail being saved stays,
    /// nor is anything told of one that is saved.
    pub(crate) fn stop_session(&mut self) -> Option<()> {
        let link = match std::mem::take(&mut self.inbox.session) {
            Session::None => return None,
            Session::Over(_) => None,
            Session::Opening(link, _) => Some(link),
            Session::Open(open) => Some(open.link),
        };
        self.outputs.extend(link.map(Output::Abort));
        self.urcs.forget(POP3);
        Some(())
    }

    pub(super) fn session_deadline(&self) -> Option<Instant> {
        match &self.inbox.session {
            Session::Opening(_, deadline) => Some(*deadline),
            Session::Open(open) => open.client.deadline(),
            Session::None | Session::Over(_) => None,
        }
    }

    pub(super) fn session_link(&self) -> Option<LinkId> {
        match &self.inbox.session {
            Session::Opening(link, _) => Some(*link),
            Session::Open(open) => Some(open.link),
            Session::None | Session::Over(_) => None,
        }
    }

    /// Something happened on the session's link.
    pub(super) fn on_session_link(&mut self, input: LinkInput<'_>, now: Instant) {
        if let Some(open) = self.inbox.open() {
            open.client.handle(input, now);
        }
    }

    pub(super) fn on_session_obstructed(&mut self, obstacle: &Obstacle, now: Instant) {
        let failure = match obstacle.kind {
            ObstacleKind::Network => Failure::NotOpened,
            // Neither is the terminal's doing: a server that is of no use.
            ObstacleKind::Tls | ObstacleKind::LogIn => Failure::TlsFailed,
        };
        // Those words say who was called, where that is another than the terminal named.
        self.inbox.called = None;
        self.end_session(&failure, &format!("{}: {}", obstacle.kind.deed(), obstacle.words), now);
    }

    /// The network is gone: unlike a link that is lost while nothing was asked, this is not the server's doing.
    pub(super) fn on_network_left(&mut self, now: Instant) {
        if self.inbox.is_open() {
            self.end_session(&Failure::NotOpened, "the network was left", now);
        }
    }

    /// The card that a mail is being saved on was pulled.
    pub(super) fn on_card_removed_from_session(&mut self, now: Instant) {
        if let Some((id, Letter::D)) = self.inbox.saving() {
            self.fail_saving(id, NotSaved::Drive(DriveError::Gone), now);
        }
    }

    /// Does what the client wants done: after all that may have made it want something.
    pub(super) fn step_session(&mut self, now: Instant) {
        while let Some(open) = self.inbox.open() {
            let link = open.link;
            match open.client.poll() {
                None => return,
                Some(LinkOutput::Transmit(octets)) => self.outputs.push_back(Output::Transmit(link, octets)),
                Some(LinkOutput::StartTls) => self.outputs.push_back(Output::StartTls(link)),
                Some(LinkOutput::Close) => self.outputs.push_back(Output::Close(link)),
                Some(LinkOutput::Abort) => self.outputs.push_back(Output::Abort(link)),
                Some(LinkOutput::Event(Event::Passage(passage))) => {
                    self.outputs.push_back(Output::Trace(Traced::OnLink(link, passage)));
                }
                Some(LinkOutput::Event(event)) => self.on_session_event(event, now),
            }
        }
    }

    fn on_session_event(&mut self, event: Event, now: Instant) {
        match event {
            Event::Passage(_) | Event::UniqueId { .. } => {}
            Event::LoggedIn | Event::Done => self.succeed(now),
            Event::Stat { count, octets } => {
                self.terminal.say(&[format!("+POP3: {count}, {octets}")]);
                self.finish_pending(Code::Ok, now);
            }
            Event::ListEntry { id, octets } => self.on_list_entry(id, octets),
            Event::ListEnd => {
                if self.is_pending(Job::List { any: false }) {
                    self.terminal.say(&["+POP3: EMPTY"]);
                }
                self.finish_pending(Code::Ok, now);
            }
            Event::Content(octets) => self.on_content(&octets, now),
            Event::ContentEnd => self.on_content_end(now),
            Event::Refused { request, response } => {
                let reason = format!("answered \"{response}\" to {}", request.command());
                let was_getting = self.inbox.is_getting();
                if let Some(open) = self.inbox.open() {
                    open.text = Text::None;
                }
                let words = refusal_words(request, &response);
                self.report_session(words, &reason);
                self.tell_failure(words, was_getting, now);
            }
            Event::LoggedOut => {
                self.inbox.session = Session::None;
                self.succeed(now);
            }
            Event::Ended(failure) => {
                if let Some(link) = self.session_link()
                    && matches!(failure, Failure::RefusedPassword(_) | Failure::RefusedFor { .. })
                {
                    self.outputs.push_back(Output::LogInRefused(link));
                }
                self.end_session(&failure, &failure.to_string(), now);
            }
        }
    }

    fn succeed(&mut self, now: Instant) {
        self.terminal.say(&[SUCCESS]);
        self.finish_pending(Code::Ok, now);
    }

    fn on_list_entry(&mut self, id: u32, octets: u64) {
        let Some(job) = self.pending_job_mut() else { return };
        match job {
            Job::List { any: false } => {
                *job = Job::List { any: true };
                self.terminal.say(&["+POP3:".to_owned(), format!("{id} {octets}")]);
            }
            Job::List { any: true } => self.terminal.say_on(format!("{id} {octets}")),
            _ => self.terminal.say(&[format!("+POP3: {id}, {octets}")]),
        }
    }

    fn on_content(&mut self, octets: &[u8], now: Instant) {
        let Some(open) = self.inbox.open() else { return };
        match &mut open.text {
            Text::Header(reader) => reader.push(octets),
            Text::Saved(id, saving) => {
                let id = *id;
                if let Err(reason) = saving.push(octets) {
                    self.fail_saving(id, reason, now);
                }
            }
            Text::None => {}
        }
    }

    fn on_content_end(&mut self, now: Instant) {
        let Some(open) = self.inbox.open() else { return };
        match std::mem::replace(&mut open.text, Text::None) {
            Text::Header(reader) => {
                let summary = reader.finish();
                let fields = [("From", summary.from), ("Date", summary.date), ("Subject", summary.subject)];
                let mut lines = fields.map(|(tag, value)| header_line(tag, &value)).to_vec();
                lines.push(String::new());
                self.terminal.say(&lines);
                self.finish_pending(Code::Ok, now);
            }
            Text::Saved(id, saving) => match self.finish_saving(*saving) {
                Ok(file) => {
                    let (folder, name) = file.as_folder_and_name();
                    self.report_saved(&file, id);
                    self.urc([SUCCESS.to_owned(), format!("{folder}, {name}")], now);
                    self.inbox.last_saved = Some(file);
                }
                Err(reason) => self.fail_saving(id, reason, now),
            },
            Text::None => {}
        }
    }

    fn finish_saving(&mut self, saving: Saving) -> Result<Path, NotSaved> {
        let letter = saving.letter();
        let parent = Name::new(MAIL_FOLDER).ok_or(NotSaved::Drive(DriveError::Broken))?;
        let (folder, name) = saving.finish(self.files.drive_mut(letter)?, &parent)?;
        self.inbox.last_folder = Some((letter, self.inbox.folder_second));
        Ok(Path { drive: letter, names: vec![parent, folder, name] })
    }

    /// The mail can't be saved: the session is closed (note §1, FILE SYSTEM ERROR), since POP3 has no other way to stop
    /// what is still coming.
    fn fail_saving(&mut self, id: u32, reason: NotSaved, now: Instant) {
        let words = not_saved_words(reason);
        self.report_not_saved(words, reason, id);
        self.stop_session();
        self.urc([words.to_owned()], now);
    }

    fn end_session(&mut self, failure: &Failure, reason: &str, now: Instant) {
        let was_getting = self.inbox.is_getting();
        let is_awaited = was_getting || self.pending_job_mut().is_some_and(|job| job.is_of_session());
        let words = failure_words(failure, !is_awaited);
        self.report_session(words, reason);
        if is_awaited {
            self.inbox.session = Session::None;
            self.tell_failure(words, was_getting, now);
        } else {
            self.inbox.session = Session::Over(words.to_owned());
        }
    }

    /// As the outcome of AT+POP3GET, or as the answer to the pending command.
    fn tell_failure(&mut self, words: &str, was_getting: bool, now: Instant) {
        if was_getting {
            self.urc([words.to_owned()], now);
        } else {
            self.terminal.say(&[words]);
            self.finish_pending(Code::Error, now);
        }
    }
}
