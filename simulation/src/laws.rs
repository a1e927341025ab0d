//! What may never be, whatever happens: asked after every step of a world.
//!
//! Not here: what answers look like ([`crate::shapes`]), and which octet is whose ([`crate::reading`]).

mod pop3;
mod sending;

use crate::causes::Asked;
use crate::draft::Draft;
use crate::ground::Ground;
use crate::limits::{
    IDLE_MAX, REPORT_OCTETS_MAX, SERVER_LINE_OCTETS_MAX, SHOW_OCTETS_MAX, TRANSMIT_OCTETS_MAX, URC_DELAY_MAX,
};
use crate::link::Link;
use crate::message::{self, Composed};
use crate::reading::{Answered, Due, Happened, Reading, Wrong, is_execution};
use crate::secrets::Secrets;
use crate::shapes;
use mail::machine::{Instant, Passage};
use modem::drive::{Drive as _, Letter};
use modem::modem::{Expects, Modem, Protocol, Traced};
use modem::settings::{BadRecipient, Settings};
use pop3::numbers_behind;
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
            let asked = Asked::Saving { is_card: getting.is_card };
            return self.check_cause_of_asked(&words, asked, Some(getting.id), getting.link, ground, now);
        }
        if words.starts_with("+NET") {
            self.due.network = false;
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

/// Whether a pending line shows a file, or its progress, as fast as the terminal takes it.
#[must_use]
pub fn shows_files(pending: &[u8]) -> bool {
    let line = String::from_utf8_lossy(pending).to_ascii_uppercase();
    ["+POP3READ", "+CFTRANTX", "+FSCOPY"].iter().any(|name| line.contains(name))
}
