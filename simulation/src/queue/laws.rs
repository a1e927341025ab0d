//! What may never be of queued mail: the ledger of what was said to whom, held against what is on the disk.
//!
//! The disk is read here by another reader than the queue's own.
//!
//! Not here: what happens ([`super::world`]).

use super::disk::{FileId, Hardware};
use super::far::Taken;
use mailmodem::queue::{Settings, WhenFateUnknown};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// Which law, and how it is broken.
pub(super) type Wrong = String;

/// See the module's words.
pub(super) struct Laws {
    settings: Settings,
    pub(super) mails: Vec<Mail>,
    /// Which mail a name in the queue's directory belongs to.
    numbers: BTreeMap<String, usize>,
    /// Envelopes that were read already; no file is written twice.
    envelopes: BTreeMap<FileId, Rc<Envelope>>,
    seen_changes: u64,
    /// Whether a program has the queue open, and could read all of it; a mail has one envelope then.
    is_open: bool,
    /// What was found in the queue last, and after how many changes.
    queued: Option<(u64, Rc<Vec<Queued>>)>,
    /// How often the queue was begun again, for reports may be one too many after each.
    pub(super) restarts: u64,
    /// Whether the machine's time was set.
    pub(super) is_clock_set: bool,
}

/// A mail of the terminal's.
pub(super) struct Mail {
    pub(super) upstream: &'static str,
    pub(super) text: Vec<u8>,
    pub(super) recipients: Vec<Recipient>,
    /// Its name, and since when the terminal knows that it is in the queue.
    pub(super) accepted: Option<(String, Duration)>,
    /// Whether its owner ordered its removal.
    pub(super) is_removed: bool,
    /// How often it was tried.
    pub(super) tries: u64,
    /// Since when it waits for nothing but its time; `None` while it does not.
    pub(super) idle_since: Option<Duration>,
    /// Its owner ordered that it be tried, and the order was taken off.
    pub(super) is_to_be_tried: bool,
    /// Everything has become of it that ever will.
    is_over: bool,
}

/// One of its recipients.
pub(super) struct Recipient {
    pub(super) address: String,
    /// How often the server has the mail for it.
    pub(super) times: u32,
    /// The disk says what became of it.
    is_noted: bool,
    /// The server has refused it for good.
    is_refused: bool,
    /// Its owner would rather have it twice than not.
    is_ordered_again: bool,
}

/// An envelope as it is on the disk.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope {
    upstream: String,
    octets: u64,
    recipients: Vec<Written>,
}

#[derive(Debug, Deserialize)]
struct Written {
    address: String,
    fate: String,
}

/// A mail in the queue: its name, its state, its number, and its room.
pub(super) type Queued = (String, &'static str, usize, u64);

/// What there is of one mail in the queue's directory.
#[derive(Default)]
struct Found {
    states: Vec<(&'static str, FileId)>,
    message: Option<FileId>,
}

impl Recipient {
    pub(super) const fn new(address: String) -> Self {
        Self { address, times: 0, is_noted: false, is_refused: false, is_ordered_again: false }
    }
}

impl Mail {
    pub(super) const fn new(upstream: &'static str, text: Vec<u8>, recipients: Vec<Recipient>) -> Self {
        Self {
            upstream,
            text,
            recipients,
            accepted: None,
            is_removed: false,
            tries: 0,
            idle_since: None,
            is_to_be_tried: false,
            is_over: false,
        }
    }
}

impl Laws {
    pub(super) const fn new(settings: Settings) -> Self {
        Self {
            settings,
            mails: Vec::new(),
            numbers: BTreeMap::new(),
            envelopes: BTreeMap::new(),
            seen_changes: u64::MAX,
            is_open: false,
            queued: None,
            restarts: 0,
            is_clock_set: false,
        }
    }

    /// The terminal was told that a mail is taken.
    pub(super) fn accepted(&mut self, number: usize, id: String, now: Duration) {
        if let Some(mail) = self.mails.get_mut(number) {
            mail.accepted = Some((id, now));
            self.seen_changes = u64::MAX;
        }
    }

    /// The program has opened the queue, and could read all of it; or has ended.
    pub(super) fn set_open(&mut self, is_open: bool) {
        self.is_open = is_open;
        self.queued = None;
    }

    /// The mails in the queue.
    pub(super) fn queued(&mut self, disk: &Hardware) -> Result<Rc<Vec<Queued>>, Wrong> {
        if let Some((changes, queued)) = &self.queued
            && *changes == disk.changes
        {
            return Ok(Rc::clone(queued));
        }
        let mut queued = Vec::new();
        let mut found: BTreeMap<&str, Found> = BTreeMap::new();
        for (name, file) in disk.names(&self.settings.directory) {
            let Some((id, end)) = name.split_once('.') else { continue };
            let found = found.entry(id).or_default();
            match (STATES.into_iter().find(|state| *state == end), end) {
                (Some(state), _) => found.states.push((state, file)),
                (None, "eml") => found.message = Some(file),
                (None, _) => {}
            }
        }
        for (id, found) in found {
            // The power may leave several, of which that counts which says most that the mail may have gone.
            let place = |state: &str| STATES.into_iter().position(|it| it == state);
            let Some((state, file)) = found.states.iter().max_by_key(|(state, _)| place(state)) else {
                continue;
            };
            if self.is_open && found.states.len() > 1 {
                return Err(format!("{id} has {} envelopes", found.states.len()));
            }
            let message = found.message.ok_or_else(|| format!("{id} has an envelope and no message"))?;
            let number = self.number(disk.octets(message)).map_err(|why| format!("{id}: {why}"))?;
            self.numbers.insert(id.to_owned(), number);
            let envelope = self.envelope(disk, *file).map_err(|why| format!("{id}: {why}"))?;
            queued.push((id.to_owned(), *state, number, envelope.octets));
        }
        let queued = Rc::new(queued);
        self.queued = Some((disk.changes, Rc::clone(&queued)));
        Ok(queued)
    }

    /// Which mail this is the text of: the whole text.
    fn number(&self, text: &[u8]) -> Result<usize, Wrong> {
        let start = text.get(..40).unwrap_or(text);
        let start = String::from_utf8_lossy(start);
        let number = start.strip_prefix("Message-ID: <").and_then(|rest| rest.split('@').next());
        let number = number.and_then(|digits| digits.parse::<usize>().ok());
        let number = number.filter(|number| self.mails.get(*number).is_some_and(|mail| mail.text == text));
        number.ok_or_else(|| format!("{} octets that are no mail, or not a whole one", text.len()))
    }

    fn envelope(&mut self, disk: &Hardware, file: FileId) -> Result<Rc<Envelope>, Wrong> {
        if let Some(envelope) = self.envelopes.get(&file) {
            return Ok(Rc::clone(envelope));
        }
        let envelope: Envelope = serde_json::from_slice(disk.octets(file))
            .map_err(|error| format!("an envelope that cannot be read: {error}"))?;
        let envelope = Rc::new(envelope);
        self.envelopes.insert(file, Rc::clone(&envelope));
        Ok(envelope)
    }

    /// The number of a mail by its name.
    pub(super) fn number_of(&mut self, disk: &Hardware, id: &str) -> Result<usize, Wrong> {
        // A name may have been another mail's, in a queue that had become empty, when the clock was set back.
        self.queued(disk)?;
        self.numbers.get(id).copied().ok_or_else(|| format!("{id} is under way, and not on the disk"))
    }

    /// The server has a mail.
    pub(super) fn taken(&mut self, disk: &Hardware, taken: &Taken) -> Result<(), Wrong> {
        let number = self.number(&taken.text).map_err(|why| format!("the server was sent {why}"))?;
        let resends = self.settings.when_fate_unknown == WhenFateUnknown::Resend;
        let orders = self.settings.directory.join("orders");
        let mut ids = self.numbers.iter().filter(|(_, it)| **it == number);
        let is_order_there = ids.any(|(id, _)| disk.find(&orders.join(format!("resend.{id}"))).is_some());
        let Some(mail) = self.mails.get_mut(number) else { return Ok(()) };
        if taken.recipients.is_empty() {
            return Err(format!("the server has mail {number} for nobody"));
        }
        for address in &taken.recipients {
            let recipient = mail.recipients.iter_mut().find(|recipient| recipient.address == *address);
            let Some(recipient) = recipient else {
                return Err(format!(
                    "the server has mail {number} for {address}, who is none of its recipients"
                ));
            };
            recipient.times += 1;
            if recipient.is_noted {
                return Err(format!("mail {number} was sent to {address}, though the disk knew its fate"));
            }
            if recipient.times > 1 && !resends && !recipient.is_ordered_again {
                return Err(format!("mail {number} was sent to {address} twice, and nobody wanted that"));
            }
            // An order that is not carried out yet is one still.
            recipient.is_ordered_again &= is_order_there;
        }
        Ok(())
    }

    /// The server has refused these for good.
    pub(super) fn refused(&mut self, number: usize, addresses: &[String]) {
        let recipients = self.mails.get_mut(number).map(|mail| &mut mail.recipients).into_iter().flatten();
        for recipient in recipients.filter(|recipient| addresses.contains(&recipient.address)) {
            recipient.is_refused = true;
        }
    }

    /// What its owner ordered of a mail has been looked at: the order `is_there` still, or was taken off. Nothing has failed,
    /// and the mail is not under way.
    pub(super) fn obeyed(
        &mut self,
        disk: &Hardware,
        word: &str,
        id: &str,
        is_there: bool,
    ) -> Result<(), Wrong> {
        if is_there {
            return Err(format!("the order to {word} {id} is not carried out"));
        }
        let is_in =
            |state: &&str| disk.find(&self.settings.directory.join(format!("{id}.{state}"))).is_some();
        let state = STATES.into_iter().find(is_in);
        let mail = self.numbers.get(id).and_then(|number| self.mails.get_mut(*number));
        match (word, state, mail) {
            ("remove", Some(state), _) => Err(format!("{id} was to be removed, and is {state}")),
            ("resend", Some("unknown"), _) => Err(format!("{id} was to be sent again, and is held")),
            ("retry" | "resend", Some("waiting"), Some(mail)) => {
                mail.is_to_be_tried = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// An attempt is over, of which these have the mail; `is_known` if the client heard so. The disk did all that was asked.
    pub(super) fn settled(
        &mut self,
        disk: &Hardware,
        id: &str,
        number: usize,
        have_it: &[String],
        is_known: bool,
    ) -> Result<(), Wrong> {
        let file = STATES.into_iter().rev().find_map(|state| {
            Some((state, disk.find(&self.settings.directory.join(format!("{id}.{state}")))?))
        });
        let envelope =
            file.map(|(state, file)| Ok::<_, Wrong>((state, self.envelope(disk, file)?))).transpose()?;
        let Some(mail) = self.mails.get_mut(number) else { return Ok(()) };
        if envelope.as_ref().is_some_and(|(state, _)| *state == "sending") {
            return Err(format!("{id} is not under way, and the disk says it is"));
        }
        for recipient in &mut mail.recipients {
            recipient.is_noted = match &envelope {
                None => true,
                Some((_, envelope)) => envelope.fate(&recipient.address) != "waiting",
            };
            if is_known && have_it.contains(&recipient.address) && !recipient.is_noted {
                return Err(format!("{} has mail {number}, and that was not noted", recipient.address));
            }
        }
        if envelope.is_none() {
            // Its report is the last one that was written.
            return self.hold_the_end(disk, number, false);
        }
        Ok(())
    }

    /// The owner gives an order, by this word.
    pub(super) fn ordered(&mut self, number: usize, word: &str) {
        let Some(mail) = self.mails.get_mut(number) else { return };
        mail.is_removed |= word == "remove";
        if word == "resend" {
            mail.recipients.iter_mut().for_each(|recipient| recipient.is_ordered_again = true);
        }
    }

    /// Holds the ledger against the disk. `is_sound`: no operation has failed yet, but for want of power.
    pub(super) fn hold(&mut self, disk: &Hardware, is_sound: bool) -> Result<(), Wrong> {
        if self.seen_changes == disk.changes {
            return Ok(());
        }
        self.seen_changes = disk.changes;
        let queued = self.queued(disk)?;
        let octets: u64 = queued.iter().map(|(.., octets)| octets).sum();
        if is_sound && (queued.len() > self.settings.mails_max || octets > self.settings.octets_max) {
            return Err(format!("{} mails with {octets} octets are in the queue", queued.len()));
        }
        let mut is_there = vec![false; self.mails.len()];
        for (id, state, number, octets) in queued.iter() {
            let file = disk.find(&self.settings.directory.join(format!("{id}.{state}")));
            let envelope = self.envelope(disk, file.unwrap_or_default())?;
            let Some(mail) = self.mails.get(*number) else { continue };
            if mail.is_over && is_sound {
                return Err(format!("{id} was over, and is back"));
            }
            let written = envelope.recipients.iter().map(|written| &written.address);
            if envelope.upstream != mail.upstream
                || usize::try_from(*octets).ok() != Some(mail.text.len())
                || !written.eq(mail.recipients.iter().map(|recipient| &recipient.address))
            {
                return Err(format!("{id} has another envelope than it came with: {envelope:?}"));
            }
            for recipient in &mail.recipients {
                if recipient.times == 0 && envelope.fate(&recipient.address) == "sent" {
                    return Err(format!("{id} was never sent to {}, and that is noted", recipient.address));
                }
            }
            if let Some(flag) = is_there.get_mut(*number) {
                *flag = true;
            }
        }
        self.hold_reports(disk)?;
        for number in 0..self.mails.len() {
            if !is_there.get(number).copied().unwrap_or_default() {
                let may_be_gone = self.reports_may_be_gone();
                self.hold_the_end(disk, number, may_be_gone)?;
            }
        }
        Ok(())
    }

    /// A mail is not in the queue: if it was accepted, all has come to an end that its owner can know of.
    ///
    /// Its report `may_be_gone` where other mails may have failed since.
    fn hold_the_end(&mut self, disk: &Hardware, number: usize, may_be_gone: bool) -> Result<(), Wrong> {
        let failed = self.settings.directory.join("failed");
        let (deadline, is_clock_set) = (self.settings.deadline, self.is_clock_set);
        let Some(mail) = self.mails.get_mut(number) else { return Ok(()) };
        let Some((id, at)) = mail.accepted.clone() else { return Ok(()) };
        if mail.is_over {
            return Ok(());
        }
        let file = |end: &str| disk.find(&failed.join(format!("{id}.{end}")));
        let report = file("txt").map(|file| String::from_utf8_lossy(disk.octets(file)).into_owned());
        let given_up = report.as_deref().map(given_up).unwrap_or_default();
        for recipient in &mail.recipients {
            if recipient.times > 0 || mail.is_removed {
                continue;
            }
            let Some(why) = given_up.get(recipient.address.as_str()) else {
                if report.is_none() && may_be_gone {
                    continue;
                }
                return Err(format!("mail {number}, {id}, is lost for {}", recipient.address));
            };
            if file("eml").is_none_or(|file| disk.octets(file) != mail.text) {
                return Err(format!("mail {number}, {id}, has failed, and is not beside its report"));
            }
            if why.starts_with("did not go in") {
                if mail.tries == 0 {
                    return Err(format!("mail {number}, {id}, was given up and never tried"));
                }
                // A second for what the envelope rounds.
                let lived = disk.elapsed().saturating_sub(at) + Duration::from_secs(1);
                if lived < deadline && !is_clock_set {
                    return Err(format!("mail {number}, {id}, was given up after {lived:?}"));
                }
            } else if !recipient.is_refused {
                return Err(format!("mail {number}, {id}, was given up, and nobody has refused it: {why}"));
            }
        }
        mail.is_over = true;
        Ok(())
    }

    /// Whether there may be more reports than are kept.
    fn reports_may_be_gone(&self) -> bool {
        let octets: usize = self.mails.iter().map(|mail| mail.text.len() + REPORT_OCTETS_MAX).sum();
        u64::try_from(octets).unwrap_or(u64::MAX) > self.settings.octets_max
    }

    fn hold_reports(&self, disk: &Hardware) -> Result<(), Wrong> {
        let octets = |file| u64::try_from(disk.octets(file).len()).unwrap_or(u64::MAX);
        let mut reports: BTreeMap<&str, u64> = BTreeMap::new();
        let failed = self.settings.directory.join("failed");
        for (name, file) in disk.names(&failed) {
            let id = name.split('.').next().unwrap_or_default();
            *reports.entry(id).or_default() += octets(file);
        }
        let largest = reports.values().copied().max().unwrap_or_default();
        let all: u64 = reports.values().sum();
        if all > self.settings.octets_max + largest * (1 + self.restarts) {
            return Err(format!("{} reports with {all} octets are kept", reports.len()));
        }
        Ok(())
    }

    /// No mail that only waits for its time waits for longer than any may.
    pub(super) fn hold_waits(&self, now: Duration) -> Result<(), Wrong> {
        for (number, mail) in self.mails.iter().enumerate() {
            let waited = mail.idle_since.map(|since| now.saturating_sub(since)).unwrap_or_default();
            if waited > self.settings.retry_wait_max + Duration::from_secs(2) {
                return Err(format!("mail {number} has waited for {waited:?}, and is not tried"));
            }
        }
        Ok(())
    }
}

/// Where a mail is on its way.
const STATES: [&str; 3] = ["waiting", "sending", "unknown"];

/// Largest report of the few recipients that a mail has here.
const REPORT_OCTETS_MAX: usize = 2_000;

impl Envelope {
    fn fate(&self, address: &str) -> &str {
        let written = self.recipients.iter().find(|written| written.address == address);
        written.map(|written| written.fate.as_str()).unwrap_or_default()
    }
}

/// Those whom a report says to be given up, and why.
fn given_up(report: &str) -> BTreeMap<&str, &str> {
    let mut all = BTreeMap::new();
    let mut last = None;
    let lines = report.lines().skip_while(|line| *line != "Given up:").skip(1);
    for line in lines.take_while(|line| !line.is_empty()) {
        match (line.strip_prefix("      "), last) {
            (Some(why), Some(address)) => drop(all.insert(address, why)),
            (None, _) => {
                last = Some(line.trim());
                all.insert(line.trim(), "");
            }
            (Some(_), None) => {}
        }
    }
    all
}

/// Where the queue is.
pub(super) fn directory() -> &'static Path {
    Path::new("/queue")
}
