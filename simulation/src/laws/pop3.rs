//! The laws of sessions by POP3: what is asked, deleted, shown and saved.
//!
//! Not here: the causes of failures ([`crate::causes`]).

use super::{Getting, Laws};
use crate::causes::{self, Asked};
use crate::ground::Ground;
use crate::link::Link;
use crate::reading::{Answered, Wrong, is_execution, text};
use mail::machine::Instant;
use modem::drive::{Drive as _, Letter};
use std::collections::BTreeSet;

impl Laws {
    /// The mail that was saved last: one of which the outcome is due, or the one that was told last.
    pub(super) fn saved_last(&self, ground: &Ground) -> Option<String> {
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

    pub(super) fn answered_pop3(
        &mut self,
        answered: &Answered,
        upper: &str,
        ground: &Ground,
    ) -> Result<(), Wrong> {
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
    pub(super) fn has_begun_getting(&self, answered: &Answered, upper: &str, link: u64) -> bool {
        if upper.contains(';') {
            return self.said.iter().any(|(other, line)| *other == link && line.starts_with("RETR "));
        }
        answered.is_ok && !upper.contains("=?")
    }

    /// What is asked of a session is done, or there is a cause.
    pub(super) fn check_asked(
        &self,
        answered: &Answered,
        upper: &str,
        ground: &Ground,
        now: Instant,
    ) -> Result<(), Wrong> {
        let Some((asked, id)) = Asked::of(upper) else { return Ok(()) };
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

    pub(super) fn check_cause_of_asked(
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
    pub(super) fn saved(&mut self, getting: &Getting, path: &str, ground: &Ground) -> Result<(), Wrong> {
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
    pub(super) fn check_folders(&mut self, ground: &Ground) -> Result<(), Wrong> {
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
    pub(super) fn check_said(&mut self) -> Result<(), Wrong> {
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
}

/// The file that a saved mail is read from.
fn mail_path(letter: Letter, folder: &str, form: u8) -> String {
    let name = if form == 2 { format!("{folder}.eml") } else { "EMAIL000.TXT".to_owned() };
    format!("{letter}/Email/{folder}/{name}")
}

/// The number behind `start`, if the line begins so.
fn argument(upper: &str, start: &str) -> Option<u32> {
    let rest = upper.strip_prefix(start)?.trim_start();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The numbers that commands of this name have, wherever on a line.
pub(super) fn numbers_behind(upper: &str, name: &str) -> Vec<u32> {
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
