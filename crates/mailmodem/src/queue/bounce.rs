//! What the owner is told about a mail that failed, or whose fate is unknown: `failed/ID.txt` for people, and the
//! message beside it, `failed/ID.eml`. There are so many, the oldest go first.
//!
//! A report is made of the envelope alone, so it can be written anew at any time.
//!
//! Not here: the log.

use super::envelope::{Envelope, Fate, Recipient};
use super::place::Place;
use super::spool::{Id, Spool, State, names, write_file};
use crate::limits::FAILED_MAX;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

fn files(spool: &Spool, id: Id) -> [PathBuf; 2] {
    ["txt", "eml"].map(|end| spool.failed().join(format!("{id}.{end}")))
}

/// Writes the report of a mail.
pub(super) fn tell(
    spool: &Spool,
    id: Id,
    state: State,
    envelope: &Envelope,
    octets_max: u64,
) -> io::Result<()> {
    let [report, message] = files(spool, id);
    let new = spool.failed().join(format!("{id}.new"));
    let place = spool.place();
    remove(place, &new)?;
    write_file(place, &new, text(id, state, envelope).as_bytes())?;
    place.rename(&new, &report)?;
    let own = spool.message(id);
    match place.link(&own, &message) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            // A file system without links; or the message is gone, and the report is all that can be told.
            match copy(place, &own, &new) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => remove(place, &new)?,
                copied => {
                    copied?;
                    place.rename(&new, &message)?;
                }
            }
        }
        Ok(()) | Err(_) => {}
    }
    place.sync(&spool.failed())?;
    keep_within(place, &spool.failed(), octets_max, id)
}

fn copy(place: &dyn Place, file: &Path, to: &Path) -> io::Result<()> {
    remove(place, to)?;
    let mut copying = place.open(file)?;
    let mut copied = place.create(to)?;
    io::copy(&mut copying, &mut copied)?;
    copied.sync()
}

/// Removes the report of a mail, if there is one: it went after all.
pub(super) fn forget(spool: &Spool, id: Id) {
    for file in files(spool, id) {
        if let Err(error) = remove(spool.place(), &file) {
            tracing::warn!(file = %file.display(), %error, "cannot be removed");
        }
    }
}

fn remove(place: &dyn Place, file: &Path) -> io::Result<()> {
    match place.remove(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Removes the oldest mails' reports, until what is left is within the bounds. The `last` one written always stays.
fn keep_within(place: &dyn Place, directory: &Path, octets_max: u64, last: Id) -> io::Result<()> {
    let mut reports: BTreeMap<Id, (u64, Vec<PathBuf>)> = BTreeMap::new();
    for (id, end) in names(place, directory)? {
        let file = directory.join(format!("{id}.{end}"));
        let (octets, files) = reports.entry(id).or_default();
        *octets = octets.saturating_add(match place.octets(&file) {
            // Another mail's, that was being written and has its name by now, or was removed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            counted => counted?,
        });
        files.push(file);
    }
    let mut octets: u64 = reports.values().map(|(octets, _)| octets).sum();
    let mut count = reports.len();
    reports.remove(&last);
    while count > FAILED_MAX || octets > octets_max {
        let Some((id, (its_octets, files))) = reports.pop_first() else { break };
        count -= 1;
        tracing::warn!(%id, "the report of a failed mail is removed: there are too many, and it is the oldest");
        files.iter().try_for_each(|file| remove(place, file))?;
        octets = octets.saturating_sub(its_octets);
    }
    Ok(())
}

fn text(id: Id, state: State, envelope: &Envelope) -> String {
    let Envelope { upstream, line, server, port, sender, accepted_at, attempts, .. } = envelope;
    let mut text = format!(
        "A mail that the terminal was told had been sent {}.\n\n\
         Mail:      {id}\n\
         Taken:     {accepted_at}, from the line {line}\n\
         Sender:    {sender}\n\
         Upstream:  {upstream}, for {server}:{port} as the terminal named it\n\
         Attempts:  {attempts}\n\
         Message:   {id}.eml, beside this file\n",
        match state {
            State::Unknown | State::Sending => "may have been sent, and may not",
            State::Waiting => "was not, or not to everybody",
        },
    );
    let mut list = |title: &str, fate: Fate, words: Option<&str>| {
        for (at, recipient) in envelope.having(fate).enumerate() {
            if at == 0 {
                write(&mut text, format_args!("\n{title}\n"));
            }
            let Recipient { address, words: own, .. } = recipient;
            let why = own.as_deref().or(words).map(|words| format!("\n      {words}")).unwrap_or_default();
            write(&mut text, format_args!("  {address}{why}\n"));
        }
    };
    list("Given up:", Fate::Failed, None);
    list("Sent:", Fate::Sent, None);
    match state {
        State::Waiting => list("Still tried:", Fate::Waiting, envelope.words.as_deref()),
        State::Unknown | State::Sending => {
            list("Unknown:", Fate::Waiting, envelope.words.as_deref());
            write(
                &mut text,
                format_args!(
                    "\nThe whole message went to the server, or may have, and its answer is not known. It is not sent \
                     again by itself.\n\
                     \u{20}  mailmodem queue retry {id}    sends it again: they may get it twice\n\
                     \u{20}  mailmodem queue remove {id}   does not: they may never get it\n"
                ),
            );
        }
    }
    text
}

fn write(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(words);
}
