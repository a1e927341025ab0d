//! What may never be, whatever happens: asked after every step of a world.
//!
//! Not here: what answers look like ([`crate::shapes`]), and which octet is whose ([`crate::reading`]).
//!
//! The law of sending: a send that begins has one outcome, unless it is stopped or the power goes. Over an honest server
//! and a wire that changes nothing on its way to the modem, the outcome is SUCCESS if and only if the provider's 2yz to
//! the final dot reached the modem before the send was stopped; and the provider holds the mail then, once. It may hold
//! a mail of which the terminal heard otherwise only when that reply did not reach the modem: nobody can know then.
//! Over any other server or wire, SUCCESS needs a whole positive reply that was complete after the final dot had gone.

use crate::causes::{self, Asked};
use crate::draft::Draft;
use crate::ground::Ground;
use crate::limits::{
    IDLE_MAX, REPORT_OCTETS_MAX, SERVER_LINE_OCTETS_MAX, SHOW_OCTETS_MAX, TRANSMIT_OCTETS_MAX, URC_DELAY_MAX,
};
use crate::link::Link;
use crate::message::{self, Composed};
use crate::reading::{Answered, Due, Happened, Reading, Wrong, is_execution, text};
use crate::secrets::Secrets;
use crate::shapes;
use mail::machine::{Instant, Passage};
use modem::drive::{Drive as _, Letter};
use modem::modem::{Expects, Modem, Protocol, Traced};
use modem::settings::{BadRecipient, Settings};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Commands after which a file may not be what it was.
const CHANGES_FILES: &[&str] = &["+FSDEL", "+FSRENAME", "+FSCOPY", "+FSRMDIR", "+FSFMT", "+CFTRANRX"];

/// A mail under way.
#[derive(Debug)]
struct Sending {
    link: u64,
    network_left: bool,
}

/// What was asked of a POP3 session.
#[derive(Debug, Default)]
struct Session {
    is_logged_in: bool,
    deletes_asked: BTreeSet<u32>,
    /// Messages of which the text was asked for, or the header, which a server without TOP is asked for in the same way.
    texts_asked: BTreeSet<u32>,
    deletes_done: BTreeSet<u32>,
    out_asked: bool,
    network_left: bool,
}

#[derive(Debug)]
struct Getting {
    id: u32,
    form: u8,
    link: u64,
    /// It may be saved on the storage card.
    is_card: bool,
}

/// See the module's words.
pub struct Laws {
    /// The line.
    pub reading: Reading,
    draft: Draft,
    due: Due,
    secrets: Secrets,
    bad_recipient: BadRecipient,
    /// Links of mails that were asked for, and the lines that did it are not read yet.
    opened: VecDeque<u64>,
    /// The mail of the line that is being answered.
    beginning: Option<Sending>,
    sending: Option<Sending>,
    /// What was composed, by the link it was for; what became of it does not matter.
    composed: BTreeMap<u64, Composed>,
    sessions: BTreeMap<u64, Session>,
    session: Option<u64>,
    /// Links of sessions that were asked for, and the lines that did it are not read yet.
    called: VecDeque<u64>,
    /// The line that is being answered has called its server.
    has_called: bool,
    /// AT+POP3SRV has set where to log in, as far as that is understood.
    has_account: bool,
    /// AT+FSLOCA has been said with 1, or with what may have been one.
    may_save_on_card: bool,
    /// What has been asked for may exclude mail (commands.md §6).
    excludes_mail: bool,
    getting: Option<Getting>,
    saved: BTreeSet<(Letter, String)>,
    last_saved: Option<String>,
    /// A mail that was being saved when the power went, or when it was stopped: it may have been complete.
    may_be_saved: bool,
    /// The form of it, if the modem still knows it.
    stopped_form: Option<u8>,
    succeeded: BTreeSet<u64>,
    /// Sends that the power took.
    forgotten: BTreeSet<u64>,
    /// Lines that the modem has said in this step.
    said: Vec<(u64, String)>,
    removals: usize,
    has_shown: bool,
    /// The log was told that a mail is sent, and the terminal not yet.
    is_sending_logged: bool,
    /// The same of one that is saved.
    is_saving_logged: bool,
    is_off: bool,
    last_progress: Instant,
    /// How late deadlines are told at most.
    lateness: Duration,
    /// How many lines were answered.
    pub answers: u64,
    /// How many outcomes of sends there were, and how many of them were good.
    pub outcomes: [u64; 2],
    /// How many mails were saved.
    pub saves: u64,
    /// How many mails AT+POP3OUT has deleted.
    pub deletes: u64,
}

impl Laws {
    /// The laws of a world.
    #[must_use]
    pub fn new(settings: &Settings, secrets: Secrets, lateness: Duration) -> Self {
        Self {
            reading: Reading::default(),
            draft: Draft::default(),
            due: Due { boot: settings.boot_urcs, ..Due::default() },
            secrets,
            bad_recipient: settings.bad_recipient,
            opened: VecDeque::new(),
            beginning: None,
            sending: None,
            composed: BTreeMap::new(),
            sessions: BTreeMap::new(),
            session: None,
            called: VecDeque::new(),
            has_called: false,
            has_account: false,
            may_save_on_card: false,
            excludes_mail: false,
            getting: None,
            saved: BTreeSet::new(),
            last_saved: None,
            may_be_saved: false,
            stopped_form: None,
            succeeded: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            said: Vec::new(),
            removals: 0,
            has_shown: false,
            is_sending_logged: false,
            is_saving_logged: false,
            is_off: false,
            last_progress: Instant::POWER_ON,
            lateness,
            answers: 0,
            outcomes: [0; 2],
            saves: 0,
            deletes: 0,
        }
    }

    /// Whether an outcome is still to come.
    #[must_use]
    pub fn is_due(&self) -> bool {
        (self.due.smtp && !self.may_be_over()) || self.due.pop3
    }

    /// A recipient of the mail under way was refused, and nobody knows whether there are others.
    fn may_be_over(&self) -> bool {
        let composed = self.sending.as_ref().and_then(|sending| self.composed.get(&sending.link));
        composed.is_some_and(|composed| composed.draft.is_unknown && !composed.refused.is_empty())
    }

    /// Something went on.
    pub fn progress(&mut self, now: Instant) {
        self.last_progress = now;
    }

    /// The power was cut: what was under way has no outcome.
    pub fn power_cut(&mut self, settings: &Settings) {
        self.may_be_saved |= self.getting.is_some();
        self.forgotten.extend(self.sending.take().map(|sending| sending.link));
        self.opened.clear();
        self.called.clear();
        self.stopped_form = None;
        self.forgotten.extend(self.beginning.take().map(|sending| sending.link));
        self.draft = Draft::default();
        self.due = Due { boot: settings.boot_urcs, ..Due::default() };
        self.session = None;
        (self.has_account, self.excludes_mail) = (false, false);
        self.getting = None;
        self.last_saved = None;
        (self.is_sending_logged, self.is_saving_logged) = (false, false);
        self.reading.power_on();
    }

    /// The modem says that it is off.
    pub const fn powered_off(&mut self) {
        self.is_off = true;
    }

    /// The modem asks for a link.
    ///
    /// # Errors
    /// It may not.
    pub fn opens(&mut self, link: u64, protocol: Protocol) -> Result<(), Wrong> {
        match protocol {
            Protocol::Smtp => {
                self.opened.push_back(link);
            }
            Protocol::Pop3 => {
                self.sessions.insert(link, Session::default());
                self.called.push_back(link);
            }
        }
        Ok(())
    }

    /// The modem transmits octets.
    ///
    /// # Errors
    /// More than it may.
    pub fn transmits(&mut self, number: u64, link: &Link, octets: &[u8]) -> Result<(), Wrong> {
        if octets.len() > TRANSMIT_OCTETS_MAX {
            return Err(format!("{} octets are transmitted at a time", octets.len()));
        }
        if link.unsent.len() > 1 && octets.len() > SERVER_LINE_OCTETS_MAX {
            return Err("a portion is transmitted while others are not sent".to_owned());
        }
        if link.protocol == Protocol::Pop3 {
            let lines = String::from_utf8_lossy(octets).into_owned();
            self.said.extend(lines.lines().map(|line| (number, line.to_owned())));
        }
        Ok(())
    }

    /// The modem has shown octets.
    ///
    /// # Errors
    /// More than it may at a time.
    pub fn shows(&mut self, octets: &[u8]) -> Result<(), Wrong> {
        self.reading.show(octets);
        self.has_shown = true;
        if octets.len() > SHOW_OCTETS_MAX {
            return Err(format!("{} octets are shown at a time", octets.len()));
        }
        Ok(())
    }

    /// The modem says something for the log.
    ///
    /// # Errors
    /// It tells a secret, or too much.
    pub fn reports(&self, words: &str) -> Result<(), Wrong> {
        if words.len() > REPORT_OCTETS_MAX {
            return Err(format!("a report of {} octets", words.len()));
        }
        self.secrets.check("the log", words.as_bytes())
    }

    /// The modem tells the log of a mail that went, or was saved.
    ///
    /// # Errors
    /// It tells a secret, or too much.
    pub fn done(&mut self, words: &str) -> Result<(), Wrong> {
        let is_logged = if words.starts_with("SUCCESS: saved as ") {
            &mut self.is_saving_logged
        } else {
            &mut self.is_sending_logged
        };
        if std::mem::replace(is_logged, true) {
            return Err(format!("the log is told again: {words}"));
        }
        self.reports(words)
    }

    /// The modem says something for a trace.
    ///
    /// # Errors
    /// It tells a secret.
    pub fn traces(&self, traced: &Traced) -> Result<(), Wrong> {
        match traced {
            Traced::Typed(octets) | Traced::Shown(octets) => self.secrets.check("a trace", octets),
            Traced::TypedOther(words) | Traced::OnLink(_, Passage::Said(words) | Passage::Heard(words)) => {
                self.secrets.check("a trace", words.as_bytes())
            }
            Traced::OnLink(_, Passage::SaidContent(_) | Passage::HeardContent(_)) => Ok(()),
        }
    }

    /// Octets have reached the modem's terminal: all that happened because of them.
    ///
    /// # Errors
    /// A law is broken.
    pub fn typed(&mut self, octets: &[u8], ground: &Ground, now: Instant) -> Result<(), Wrong> {
        // While a command is pending what is typed is kept, and only a STOP, at the end of a portion, does anything.
        if self.reading.pending().is_some() {
            octets.iter().for_each(|&octet| self.reading.arrive(octet));
            return self.read(ground, now);
        }
        for (at, &octet) in octets.iter().enumerate() {
            self.reading.is_more_to_come = at + 1 < octets.len();
            self.reading.arrive(octet);
            self.read(ground, now)?;
        }
        Ok(())
    }

    /// Reads what can be read.
    fn read(&mut self, ground: &Ground, now: Instant) -> Result<(), Wrong> {
        while let Some(happened) = self.reading.next(self.due)? {
            match happened {
                Happened::Begun(line) => self.begun(&line, ground, now),
                Happened::Answered(answered) => {
                    self.answers += 1;
                    shapes::check(&answered)?;
                    self.answered(&answered, ground, now)?;
                    self.check_folders(ground)?;
                }
                Happened::Told(lines) => {
                    self.told(&lines, ground, now)?;
                    self.check_folders(ground)?;
                }
            }
        }
        Ok(())
    }

    /// The end of a step: the modem wants nothing more for now.
    ///
    /// # Errors
    /// A law is broken.
    pub fn settled(&mut self, modem: &Modem, ground: &Ground, now: Instant) -> Result<(), Wrong> {
        self.read(ground, now)?;
        self.reading.check_settled()?;
        if !self.opened.is_empty() || !self.called.is_empty() {
            return Err("a link is opened, and no command has asked for it".to_owned());
        }
        if std::mem::take(&mut self.is_off) && !self.reading.is_off() {
            return Err("the modem is off, and nobody has asked for it".to_owned());
        }
        self.check_expectation(modem)?;
        self.check_said()?;
        self.check_removals(ground)?;
        // A portion of a file.
        if std::mem::take(&mut self.has_shown) && self.reading.pending().is_some_and(shows_files) {
            self.last_progress = now;
        }
        self.check_idle(modem, now)?;
        ground
            .links
            .values()
            .filter(|link| link.is_open && !link.is_over)
            .try_for_each(|link| link.replies.check())
    }

    /// The modem's own word for what is typed next, against what the line looks like.
    fn check_expectation(&self, modem: &Modem) -> Result<(), Wrong> {
        let is_right = match modem.expects() {
            Expects::Line => self.reading.is_ready(),
            Expects::Text => self.reading.wants_text(),
            Expects::Nothing => {
                self.reading.pending().is_some()
                    || self.reading.wants_octets().is_some()
                    || self.reading.is_off()
            }
        };
        if is_right {
            Ok(())
        } else {
            Err(format!("the modem expects {:?}, the line does not", modem.expects()))
        }
    }

    fn begun(&mut self, line: &[u8], ground: &Ground, now: Instant) {
        let upper = String::from_utf8_lossy(line).to_ascii_uppercase();
        if is_execution(&upper, "+SMTPSEND") {
            self.beginning = self.opened.pop_front().map(|link| {
                let paths = self.draft.files.values();
                let files: Vec<_> =
                    paths.filter_map(|path| Some((path.clone(), ground.content(path)?))).collect();
                let mut draft = self.draft.clone();
                draft.is_unknown |= files.len() != draft.files.len() || line != b"AT+SMTPSEND";
                self.composed.insert(link, Composed { draft, files, refused: Vec::new() });
                Sending { link, network_left: false }
            });
        }
        if upper.contains("+CFUN") || upper.contains("+COPS") {
            if let Some(sending) = &mut self.sending {
                sending.network_left = true;
            }
            if let Some(session) = self.session.and_then(|link| self.sessions.get_mut(&link)) {
                session.network_left = true;
            }
        }
        self.has_called = false;
        if is_execution(&upper, "+POP3IN") {
            let called = self.called.pop_front();
            self.has_called = called.is_some();
            self.session = called.or(self.session);
        }
        if let Some(session) = self.session.and_then(|link| self.sessions.get_mut(&link)) {
            session.deletes_asked.extend(numbers_behind(&upper, "+POP3DEL"));
            session.texts_asked.extend(numbers_behind(&upper, "+POP3GET"));
            session.texts_asked.extend(numbers_behind(&upper, "+POP3HDR"));
            session.out_asked |= upper.contains("+POP3OUT");
            // It may have been asked of the server before: then nothing is said now.
            if upper.contains("+POP3HDR") {
                self.last_progress = now;
            }
        }
        if upper == "AT+POP3READ"
            && let Some(content) = self.saved_last(ground).and_then(|path| ground.content(&path))
        {
            self.reading.expect_file(content);
        }
    }

    /// The mail that was saved last: one of which the outcome is due, or the one that was told last.
    fn saved_last(&self, ground: &Ground) -> Option<String> {
        let form = self.getting.as_ref().map(|getting| getting.form);
        for letter in [Letter::C, Letter::D] {
            for folder in ground.mail_folders(letter) {
                if let Some(form) = form.filter(|_| !self.saved.contains(&(letter, folder.clone()))) {
                    return Some(mail_path(letter, &folder, form));
                }
            }
        }
        self.last_saved.clone()
    }

    fn answered(&mut self, answered: &Answered, ground: &Ground, now: Instant) -> Result<(), Wrong> {
        let upper = String::from_utf8_lossy(&answered.line).to_ascii_uppercase();
        self.draft.note(answered);
        let told = |start: &str| {
            let mut lines =
                answered.information.iter().map(|line| String::from_utf8_lossy(line).into_owned());
            lines.find(|line| line.starts_with(start))
        };
        if answered.is_ok && (is_execution(&upper, "+CRESET") || is_execution(&upper, "+CPOF")) {
            self.forgotten.extend(self.sending.take().map(|sending| sending.link));
            self.due = Due { boot: true, ..Due::default() };
            // One that was whole already stays, and nobody will be told.
            self.may_be_saved |= self.getting.take().is_some();
            self.stopped_form = None;
            self.session = None;
            self.last_saved = None;
            (self.is_sending_logged, self.is_saving_logged) = (false, false);
        }
        if upper.contains("+NETOPEN") || upper.contains("+NETCLOSE") {
            self.due.network |= answered.is_ok;
        }
        if is_execution(&upper, "+SMTPSEND") {
            self.answered_send(answered, told("+SMTP: "), ground, now)?;
        }
        if is_execution(&upper, "+SMTPSTOP") {
            self.answered_stop(answered, ground)?;
        }
        if upper.contains("+POP3") {
            self.check_asked(answered, &upper, ground, now)?;
            self.answered_pop3(answered, &upper, ground)?;
        }
        if answered.is_ok && upper.contains("+POP3SRV") && !upper.ends_with('?') {
            self.has_account = upper.starts_with("AT+POP3SRV=\"") && !upper.contains(';');
        }
        self.has_account &= !["&F", "ATZ", "+CRESET", "+CPOF"].iter().any(|word| upper.contains(word));
        self.excludes_mail |= ["NET", "CGPS", "MMS"].iter().any(|word| upper.contains(word));
        self.may_save_on_card |= upper.contains("FSLOCA") && upper.contains('1');
        if upper.starts_with("AT+CFTRANTX=\"") && answered.is_ok && !upper.contains(';') {
            let path = String::from_utf8_lossy(&answered.line).into_owned();
            let path = path.split('"').nth(1).unwrap_or_default().to_owned();
            // It may have been removed, or written anew, meanwhile: then there is nothing to compare it with.
            if ground.content(&path).is_some_and(|content| content != answered.shown_file) {
                return Err(format!("{path} is shown otherwise than it is"));
            }
        }
        if upper.starts_with("AT+CFTRANRX=\"") && answered.is_ok && !upper.contains(';') {
            let path = String::from_utf8_lossy(&answered.line).into_owned();
            let path = path.split('"').nth(1).unwrap_or_default().to_owned();
            // What was typed ahead is done by now, and read after this: it may have removed the file, or written it anew.
            let is_over = CHANGES_FILES.iter().any(|name| self.reading.is_typed_ahead(name));
            if !is_over && ground.content(&path).as_ref() != Some(&answered.file) {
                return Err(format!("{path} is not what was typed"));
            }
        }
        Ok(())
    }

    fn answered_send(
        &mut self,
        answered: &Answered,
        told: Option<String>,
        ground: &Ground,
        now: Instant,
    ) -> Result<(), Wrong> {
        let may_be_over = self.may_be_over();
        let beginning = self.beginning.take();
        if beginning.is_some()
            && self.due.smtp
            && !may_be_over
            && told.as_deref().is_some_and(|words| words != "+SMTP: ONGOING")
        {
            return Err("two mails are being sent at a time".to_owned());
        }
        match (told.as_deref(), beginning) {
            (Some("+SMTP: OK"), Some(beginning)) => {
                self.sending = Some(beginning);
                self.due.smtp = true;
            }
            (Some("+SMTP: OK"), None) => {
                return Err("a server has greeted that nobody has called".to_owned());
            }
            // Nothing was begun: the link is that of another line in the same breath.
            (Some(words @ ("+SMTP: ONGOING" | "+SMTP: PARAM ERROR")), beginning) => {
                self.opened.extend(beginning.map(|sending| sending.link));
                if (words == "+SMTP: ONGOING") != self.due.smtp && !may_be_over {
                    return Err(format!("{words} at the wrong time"));
                }
            }
            (Some("+SMTP: SUCCESS"), _) => return Err("SUCCESS before the greeting".to_owned()),
            (Some(words), Some(beginning)) => {
                self.sending = Some(beginning);
                self.outcome(words, ground, now)?;
                // Before the greeting no recipient is refused, so that it may not go on.
                self.sending = None;
                self.due.smtp = false;
            }
            (None, Some(beginning)) if answered.is_stopped => {
                self.sending = Some(beginning);
                self.stopped(ground)?;
            }
            (None, beginning) => self.opened.extend(beginning.map(|sending| sending.link)),
            (Some("+SMTP: NETWORK ERROR"), None) => {}
            (Some(words), None) => return Err(format!("{words} without a link")),
        }
        Ok(())
    }

    /// A mail that was stopped: the provider's word must not have come.
    fn stopped(&mut self, ground: &Ground) -> Result<(), Wrong> {
        self.due.smtp = false;
        let Some(sending) = self.sending.take() else { return Ok(()) };
        match ground.links.get(&sending.link) {
            Some(link) if link.has_heard_reply() => {
                Err("a mail that the provider has accepted is said to be stopped".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn answered_stop(&mut self, answered: &Answered, ground: &Ground) -> Result<(), Wrong> {
        if answered.is_ok {
            return self.stopped(ground);
        }
        let sending = self.sending.as_ref().filter(|_| !self.may_be_over());
        match sending.and_then(|sending| ground.links.get(&sending.link)) {
            Some(link)
                if self.due.smtp
                    && !link.is_over
                    && !link.has_heard_yes()
                    && answered.line.eq_ignore_ascii_case(b"AT+SMTPSTOP") =>
            {
                Err("a mail on its way is not stopped".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn answered_pop3(&mut self, answered: &Answered, upper: &str, ground: &Ground) -> Result<(), Wrong> {
        let link = self.session;
        let session = link.and_then(|link| self.sessions.get_mut(&link));
        if is_execution(upper, "+POP3STOP") && answered.is_ok {
            // One that was whole already stays, and is not told of any more.
            self.may_be_saved |= self.getting.is_some();
            self.is_saving_logged = false;
            self.stopped_form = self.getting.as_ref().map(|getting| getting.form);
            self.session = None;
            self.getting = None;
            self.due.pop3 = false;
            return Ok(());
        }
        let (Some(number), Some(session)) = (link, session) else { return Ok(()) };
        if is_execution(upper, "+POP3IN") {
            session.is_logged_in |= answered.is_ok;
        } else if let Some(id) = argument(upper, "AT+POP3DEL=") {
            if answered.is_ok {
                session.deletes_done.insert(id);
            }
        } else if upper.starts_with("AT+POP3HDR=") && answered.is_ok {
            check_headers(answered, upper, &session.deletes_done, number, ground)?;
        } else if is_execution(upper, "+POP3OUT") && answered.is_ok {
            let removed: BTreeSet<u32> = {
                let ledger = ground.office.ledger();
                let removed = ledger.removed.iter().filter(|removed| removed.link == number);
                removed.flat_map(|removed| removed.ids.clone()).collect()
            };
            let is_known = ground.links.get(&number).is_some_and(Link::is_true)
                && ground.office.ledger().opened.contains_key(&number);
            if is_known && !session.deletes_done.is_subset(&removed) {
                return Err(format!("{:?} were to be deleted, {removed:?} were", session.deletes_done));
            }
            self.deletes += session.deletes_done.intersection(&removed).fold(0, |count, _| count + 1);
            self.session = None;
        } else if upper.contains("+POP3GET") && self.has_begun_getting(answered, upper, number) {
            let form = upper.rsplit(',').next().and_then(|form| form.parse().ok()).unwrap_or(1);
            let form = if upper.contains(',') { form } else { 1 };
            let id = argument(upper, "AT+POP3GET=").unwrap_or_default();
            self.getting = Some(Getting { id, form, link: number, is_card: self.may_save_on_card });
            self.due.pop3 = true;
        }
        Ok(())
    }

    /// Whether the line has begun to get a mail. One of several commands may have, and another of them have failed.
    fn has_begun_getting(&self, answered: &Answered, upper: &str, link: u64) -> bool {
        if upper.contains(';') {
            return self.said.iter().any(|(other, line)| *other == link && line.starts_with("RETR "));
        }
        answered.is_ok && !upper.contains("=?")
    }

    fn told(&mut self, lines: &[Vec<u8>], ground: &Ground, now: Instant) -> Result<(), Wrong> {
        let words = lines.first().map(|line| String::from_utf8_lossy(line).into_owned()).unwrap_or_default();
        shapes::check_told(lines)?;
        if words.starts_with("+SMTP: ") {
            return self.outcome(&words, ground, now);
        }
        if words.starts_with("+POP3: ") {
            self.due.pop3 = false;
            let getting = self.getting.take().ok_or("an outcome of getting no mail")?;
            if words == "+POP3: SUCCESS" {
                if !std::mem::take(&mut self.is_saving_logged) {
                    return Err("a mail is saved, and the log was not told".to_owned());
                }
                self.saves += 1;
                let path = lines.get(1).map(|line| String::from_utf8_lossy(line).replacen(", ", "", 1));
                return self.saved(&getting, &path.unwrap_or_default(), ground);
            }
            let asked = Asked::Get { is_card: getting.is_card };
            return self.check_cause_of_asked(&words, asked, Some(getting.id), getting.link, ground, now);
        }
        if words.starts_with("+NET") {
            self.due.network = false;
        }
        Ok(())
    }

    /// The one outcome of a send.
    fn outcome(&mut self, words: &str, ground: &Ground, now: Instant) -> Result<(), Wrong> {
        let Some(sending) = &self.sending else {
            return Err(format!("{words}, and nothing was sent"));
        };
        let link = ground.links.get(&sending.link).ok_or("a send without a link")?;
        let composed = self.composed.get_mut(&sending.link).ok_or("a send of nothing")?;
        if words != "+SMTP: SUCCESS" {
            check_cause(words, composed, link, sending.network_left, now)?;
        }
        if self.bad_recipient == BadRecipient::Skip
            && let Some(refused) = words.strip_prefix("+SMTP: BAD RCPT ")
        {
            let is_known =
                composed.draft.recipients.values().any(|address| message::bare(address) == refused);
            if !is_known && !composed.draft.is_unknown {
                return Err(format!("{words}, and that is no recipient"));
            }
            composed.refused.push(refused.to_owned());
            // That of the last one is the outcome.
            if composed.draft.is_unknown || composed.refused.len() < composed.draft.recipients.len() {
                return Ok(());
            }
        }
        self.due.smtp = false;
        let Some(sending) = self.sending.take() else { return Ok(()) };
        self.outcomes[0] += 1;
        if words != "+SMTP: SUCCESS" {
            return if link.has_heard_reply() {
                Err(format!("{words}, though the provider said that it has the mail"))
            } else {
                Ok(())
            };
        }
        self.outcomes[1] += 1;
        if !std::mem::take(&mut self.is_sending_logged) {
            return Err("a mail is sent, and the log was not told".to_owned());
        }
        self.succeeded.insert(sending.link);
        self.draft.sent();
        if !link.has_heard_yes() {
            return Err("SUCCESS, and nobody said so after the final dot".to_owned());
        }
        if link.is_liar || link.down.is_altered {
            return Ok(());
        }
        let delivered: Vec<_> = {
            let ledger = ground.office.ledger();
            ledger.delivered.iter().filter(|mail| mail.link == sending.link).cloned().collect()
        };
        let [delivered] = delivered.as_slice() else {
            return Err(format!("SUCCESS, and the provider holds {} mails", delivered.len()));
        };
        match self.composed.get(&sending.link) {
            Some(composed) if !composed.draft.is_unknown && !link.up.is_altered => {
                message::compare(composed, delivered, true)
            }
            _ => Ok(()),
        }
    }

    /// What is asked of a session is done, or there is a cause.
    fn check_asked(
        &self,
        answered: &Answered,
        upper: &str,
        ground: &Ground,
        now: Instant,
    ) -> Result<(), Wrong> {
        let Some((asked, id)) = Asked::of(upper, self.may_save_on_card) else { return Ok(()) };
        if answered.is_ok || answered.is_stopped {
            return Ok(());
        }
        let words = answered.information.last().map(|line| String::from_utf8_lossy(line).into_owned());
        let words = words.filter(|words| words.starts_with("+POP3: "));
        let link = self.session.and_then(|link| Some((link, ground.links.get(&link)?)));
        let stands = link.is_some_and(|(_, link)| link.is_open && !link.is_over);
        match (words, link) {
            // Without a link: nobody could be called, the network is left.
            (Some(_), _) if asked == Asked::LogIn && !self.has_called => Ok(()),
            (Some(words), Some((link, _))) => self.check_cause_of_asked(&words, asked, id, link, ground, now),
            (Some(words), None) => Err(format!("{words} without a session")),
            (None, _) if asked == Asked::LogIn && self.has_called => {
                Err("a server was called, and nothing is said of it".to_owned())
            }
            (None, link) if asked == Asked::LogIn => {
                let is_free =
                    self.has_account && !self.excludes_mail && link.is_none_or(|(_, link)| link.is_over);
                if is_free {
                    Err("there is an account and no session, and nobody is called".to_owned())
                } else {
                    Ok(())
                }
            }
            (None, Some((_, link))) if stands && link.is_true() && !self.due.pop3 => {
                Err(format!("{upper} is refused, and the session stands"))
            }
            (None, _) => Ok(()),
        }
    }

    fn check_cause_of_asked(
        &self,
        words: &str,
        asked: Asked,
        id: Option<u32>,
        number: u64,
        ground: &Ground,
        now: Instant,
    ) -> Result<(), Wrong> {
        let link = ground.links.get(&number).ok_or("a session without a link")?;
        let session = self.sessions.get(&number).ok_or("a link without a session")?;
        // A maildrop that trouble has made is in no ledger, and has two mails.
        let count = ground.office.ledger().opened.get(&number).map_or(2, Vec::len);
        let is_missing = id.is_some_and(|id| {
            let is_there = id > 0 && usize::try_from(id).is_ok_and(|id| id <= count);
            !is_there || session.deletes_asked.contains(&id)
        });
        if !link.is_true()
            || causes::may_end_asked(words, asked, is_missing, link, session.network_left, ground, now)
        {
            return Ok(());
        }
        Err(format!("{words} without a cause"))
    }

    /// A mail that is said to be saved is there, and is the one that the provider had.
    fn saved(&mut self, getting: &Getting, path: &str, ground: &Ground) -> Result<(), Wrong> {
        let mut parts = path.split('/');
        let place = (parts.next(), parts.next(), parts.next(), parts.next(), parts.next());
        let (Some(drive), Some("Email"), Some(folder), Some(name), None) = place else {
            return Err(format!("a mail is saved as {path}"));
        };
        let letter = if drive == "D:" { Letter::D } else { Letter::C };
        self.saved.insert((letter, folder.to_owned()));
        self.last_saved = Some(path.to_owned());
        let is_in = ground.drive(letter).space().is_ok();
        let Some(content) = ground.content(path) else {
            // The card may have been pulled before the outcome could be told; or the host has removed it.
            let is_legal = !is_in
                || letter == Letter::D
                || ground.mail_folders(letter).iter().all(|other| other != folder);
            return if is_legal {
                Ok(())
            } else {
                Err(format!("{path} is said to be saved, and is not there"))
            };
        };
        let link = ground.links.get(&getting.link).ok_or("a mail without a link")?;
        let Some(whole) =
            (link.is_true()).then(|| ground.office.ledger().mail(getting.link, getting.id)).flatten()
        else {
            return Ok(());
        };
        if name.ends_with(".eml") || getting.form != 1 {
            let eml = if name.ends_with(".eml") {
                Some(content)
            } else {
                ground.content(&format!("{drive}/Email/{folder}/{folder}.eml"))
            };
            // What came without a line end got one (RFC 1939 §3).
            if eml.is_none_or(|eml| eml != whole && eml.strip_suffix(b"\r\n") != Some(&whole)) {
                return Err(format!("{path} is not octet for octet what the provider has"));
            }
            return Ok(());
        }
        let Some(plain) = ground.plain.iter().find(|plain| plain.octets == whole) else { return Ok(()) };
        if !text(&content).contains(&plain.line) {
            return Err(format!("{path} does not hold the text {}", plain.line));
        }
        let mut attachments: Vec<Vec<u8>> = ground
            .files(letter)
            .into_iter()
            .filter_map(|(file, _)| {
                let file = format!("{drive}/{file}");
                let is_in_folder = file.starts_with(&format!("{drive}/Email/{folder}/")) && file != path;
                is_in_folder.then(|| ground.content(&file)).flatten()
            })
            .collect();
        let mut expected = plain.attachments.clone();
        attachments.sort();
        expected.sort();
        if attachments == expected {
            Ok(())
        } else {
            Err(format!("beside {path} there are not the attachments of the mail"))
        }
    }

    /// A saved mail appears whole, or not at all: each folder was told of, but for one of which the outcome is due.
    fn check_folders(&mut self, ground: &Ground) -> Result<(), Wrong> {
        for letter in [Letter::C, Letter::D] {
            let untold: Vec<String> = ground
                .mail_folders(letter)
                .into_iter()
                .filter(|folder| !self.saved.contains(&(letter, folder.clone())))
                .collect();
            let allowed = usize::from(self.getting.is_some());
            if untold.len() > allowed {
                if self.may_be_saved {
                    self.may_be_saved = false;
                    let folder = untold.into_iter().next().unwrap_or_default();
                    if let Some(form) = self.stopped_form.take() {
                        self.last_saved = Some(mail_path(letter, &folder, form));
                    }
                    self.saved.insert((letter, folder));
                    continue;
                }
                return Err(format!("a mail is shown in {letter}/Email/{untold:?} that was never told of"));
            }
        }
        // What has not appeared by now never will, unless it is on a card that is out.
        if self.getting.is_none() && ground.d.space().is_ok() {
            self.may_be_saved = false;
        }
        Ok(())
    }

    /// Nothing is deleted without AT+POP3OUT, and nothing but what was asked for.
    fn check_said(&mut self) -> Result<(), Wrong> {
        for (link, line) in std::mem::take(&mut self.said) {
            let Some(session) = self.sessions.get(&link) else { continue };
            if let Some(id) = line.strip_prefix("DELE ").and_then(|id| id.trim().parse().ok())
                && !session.deletes_asked.contains(&id)
            {
                return Err(format!("DELE {id} is said, and nobody has asked for it"));
            }
            if let Some(id) = line.strip_prefix("RETR ").and_then(|id| id.trim().parse().ok())
                && !session.texts_asked.contains(&id)
            {
                return Err(format!("RETR {id} is said, and nobody has asked for it"));
            }
            if line.trim() == "QUIT" && session.is_logged_in && !session.out_asked {
                return Err("QUIT is said without AT+POP3OUT".to_owned());
            }
        }
        Ok(())
    }

    fn check_removals(&mut self, ground: &Ground) -> Result<(), Wrong> {
        let ledger = ground.office.ledger();
        for removed in ledger.removed.iter().skip(self.removals).filter(|removed| !removed.ids.is_empty()) {
            let session = self.sessions.get(&removed.link).ok_or("mails are deleted in no session")?;
            if !session.out_asked {
                return Err("mails are deleted without AT+POP3OUT".to_owned());
            }
            let is_true = ground.links.get(&removed.link).is_some_and(|link| !link.up.is_altered);
            if is_true && !removed.ids.iter().all(|id| session.deletes_asked.contains(id)) {
                return Err(format!(
                    "{:?} are deleted, {:?} were asked for",
                    removed.ids, session.deletes_asked
                ));
            }
        }
        self.removals = ledger.removed.len();
        Ok(())
    }

    /// Everything comes to an end within 30 s of its last progress.
    fn check_idle(&self, modem: &Modem, now: Instant) -> Result<(), Wrong> {
        if modem.is_idle() {
            if self.due.smtp && !self.may_be_over() {
                return Err("the modem is idle, and the outcome of a send was never told".to_owned());
            }
            if self.due.pop3 {
                return Err("the modem is idle, and the outcome of getting a mail was never told".to_owned());
            }
            return Ok(());
        }
        // The terminal's turn.
        if self.reading.wants_text() || self.reading.wants_octets().is_some() || self.reading.is_in_file() {
            return Ok(());
        }
        // What is to be told may wait for a line that is being typed.
        let end = self.last_progress + IDLE_MAX + URC_DELAY_MAX + self.lateness * 2;
        if now > end {
            return Err(format!(
                "nothing has gone on since {} ms, and it is not over",
                self.last_progress.as_ms()
            ));
        }
        match modem.deadline() {
            Some(deadline) if deadline <= end => Ok(()),
            Some(deadline) => Err(format!(
                "it waits until {} ms, without progress since {} ms",
                deadline.as_ms(),
                self.last_progress.as_ms()
            )),
            // It waits for the terminal to take what was shown.
            None if self.reading.pending().is_some_and(shows_files) => Ok(()),
            None => Err("it waits, and for no time at all".to_owned()),
        }
    }

    /// The world is over.
    ///
    /// # Errors
    /// Something was left.
    pub fn end(&mut self, modem: &Modem, ground: &Ground) -> Result<(), Wrong> {
        if !modem.is_idle() {
            return Err("at the end the modem is not idle".to_owned());
        }
        if self.is_sending_logged || self.is_saving_logged {
            return Err("the log tells of a mail as sent or saved, the terminal was not told".to_owned());
        }
        self.check_folders(ground)?;
        for letter in [Letter::C, Letter::D] {
            ground.check_names(letter)?;
            let Ok(space) = ground.drive(letter).space() else { continue };
            let files: u64 = ground.files(letter).iter().map(|(_, octets)| octets).sum();
            if files != space.used {
                return Err(format!("{letter} has {files} octets of files, and {} are used", space.used));
            }
        }
        let ledger = ground.office.ledger();
        let mut links = BTreeSet::new();
        for mail in &ledger.delivered {
            if !links.insert(mail.link) {
                return Err("a mail is delivered twice".to_owned());
            }
            let link = ground.links.get(&mail.link).ok_or("a mail is delivered on no link")?;
            // What was stopped, or failed, or lost its power, is whole where it is held all the same.
            let composed = self.composed.get(&mail.link).filter(|composed| !composed.draft.is_unknown);
            if let Some(composed) = composed.filter(|_| !link.up.is_altered) {
                // Who is refused is skipped where that is set, and else nobody gets it.
                let is_exact =
                    self.bad_recipient == BadRecipient::Fail || self.succeeded.contains(&mail.link);
                message::compare(composed, mail, is_exact)?;
            }
            let heard = link.has_heard_reply();
            if heard && !self.succeeded.contains(&mail.link) && !self.forgotten.contains(&mail.link) {
                return Err("the provider said that it has a mail, and the terminal was not told".to_owned());
            }
        }
        Ok(())
    }
}

/// The file that a saved mail is read from.
fn mail_path(letter: Letter, folder: &str, form: u8) -> String {
    let name = if form == 2 { format!("{folder}.eml") } else { "EMAIL000.TXT".to_owned() };
    format!("{letter}/Email/{folder}/{name}")
}

/// A failure has a cause, and the words for it.
fn check_cause(
    words: &str,
    composed: &Composed,
    link: &Link,
    network_left: bool,
    now: Instant,
) -> Result<(), Wrong> {
    let Composed { draft, files, .. } = composed;
    let has_card_file = files.iter().any(|(path, _)| path.starts_with("D:"));
    if draft.is_unknown
        || !link.is_true()
        || causes::may_end_send(words, draft, has_card_file, link, network_left, now)
    {
        return Ok(());
    }
    Err(format!("{words} without a cause"))
}

/// The number behind `start`, if the line begins so.
fn argument(upper: &str, start: &str) -> Option<u32> {
    let rest = upper.strip_prefix(start)?.trim_start();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The numbers that commands of this name have, wherever on a line.
fn numbers_behind(upper: &str, name: &str) -> Vec<u32> {
    let commands = upper.match_indices(name).filter_map(|(at, _)| upper.get(at + name.len()..));
    let numbers = commands.map(|rest| {
        let rest = rest.trim_start().trim_start_matches('=').trim_start();
        rest.chars().take_while(char::is_ascii_digit).collect::<String>()
    });
    numbers.filter_map(|number| number.parse().ok()).collect()
}

/// What is shown of headers is of the mails that were asked for, in their order, and of none that is marked.
fn check_headers(
    answered: &Answered,
    upper: &str,
    deleted: &BTreeSet<u32>,
    link: u64,
    ground: &Ground,
) -> Result<(), Wrong> {
    let ids = numbers_behind(upper, "+POP3HDR");
    let is_of_headers =
        upper.split(';').all(|command| command.trim_start_matches("AT").starts_with("+POP3HDR="));
    let is_true = ground.links.get(&link).is_some_and(Link::is_true);
    if !is_of_headers || !is_true || ids.len() != upper.split(';').count() {
        return Ok(());
    }
    if let Some(id) = ids.iter().find(|id| deleted.contains(id)) {
        return Err(format!("the header of mail {id} is shown, which is deleted"));
    }
    let ledger = ground.office.ledger();
    let subjects = ids.iter().map(|id| {
        let mail =
            ledger.mail(link, *id).filter(|mail| ground.plain.iter().any(|plain| plain.octets == *mail))?;
        let header = String::from_utf8_lossy(&mail).into_owned();
        header.lines().find(|line| line.starts_with("Subject: ")).map(str::to_owned)
    });
    let Some(expected) = subjects.collect::<Option<Vec<String>>>() else { return Ok(()) };
    let shown = answered.information.iter().map(|line| String::from_utf8_lossy(line).into_owned());
    let shown: Vec<String> = shown.filter(|line| line.starts_with("Subject: ")).collect();
    if shown == expected { Ok(()) } else { Err(format!("{expected:?} were to be shown, {shown:?} were")) }
}

/// Whether a pending line shows a file, or its progress, as fast as the terminal takes it.
#[must_use]
pub fn shows_files(pending: &[u8]) -> bool {
    let line = String::from_utf8_lossy(pending).to_ascii_uppercase();
    ["+POP3READ", "+CFTRANTX", "+FSCOPY"].iter().any(|name| line.contains(name))
}
