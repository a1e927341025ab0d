//! The queue on the disk. Every state is a file's name, and every step is one that is done or not done, whenever the
//! power goes:
//!
//! - `ID.eml`: the message. Alone, it was never accepted.
//! - `ID.waiting`, `ID.sending` or `ID.unknown`: the envelope, of which a mail has exactly one, but for what a power cut
//!   leaves until a start that can read it. With the renaming to `sending` the disk says that the message may have gone; a
//!   renaming needs no room on a full disk.
//! - `ID.new`: an envelope that is being written.
//! - `orders/`, `failed/`: see [`super::orders`] and [`super::bounce`].
//!
//! The directory is locked by the process that sends. Anybody who may read it can list it meanwhile.
//!
//! Not here: when anything is done.

use super::envelope::Envelope;
use super::place::{NewFile, Place};
use crate::limits::ENVELOPE_OCTETS_MAX;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The name of a queued mail. They sort as the mails were taken, and no two of a queue are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(u64);

/// How many digits an [`Id`] has.
const ID_DIGITS: u32 = 11;

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in (0..ID_DIGITS).rev() {
            let digit = u32::try_from(self.0 / 36_u64.pow(place) % 36).unwrap_or_default();
            write!(f, "{}", char::from_digit(digit, 36).unwrap_or('?'))?;
        }
        Ok(())
    }
}

/// A text is no [`Id`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no name of a queued mail: those have {ID_DIGITS} digits and small letters, as `mailmodem queue list` shows"
)]
pub struct BadId;

impl FromStr for Id {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let id = u64::from_str_radix(text, 36).map(Self).map_err(|_| BadId)?;
        if id.to_string() == text { Ok(id) } else { Err(BadId) }
    }
}

/// Where a mail is on its way: the later, the more careful one has to be with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// Its message has not gone to its end, or was refused.
    Waiting,
    /// Its message may have gone to its end; the answer is awaited.
    Sending,
    /// The answer will never be known.
    Unknown,
}

impl State {
    const ALL: [Self; 3] = [Self::Waiting, Self::Sending, Self::Unknown];

    /// The end of its envelope's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sending => "sending",
            Self::Unknown => "unknown",
        }
    }
}

/// The directory of a queue, locked.
pub(super) struct Spool {
    place: Arc<dyn Place>,
    directory: PathBuf,
    /// Held as long as this is there.
    _lock: Box<dyn Send + Sync>,
    /// The last name that was given.
    last: AtomicU64,
    /// The last one that was given before this was opened.
    last_of_before: u64,
}

impl Spool {
    /// Opens a queue, made if there is none, and clears what a crash has left of mails that were not accepted.
    ///
    /// # Errors
    /// It is in use ([`io::ErrorKind::ResourceBusy`]), or cannot be read or written.
    pub(super) fn open(place: Arc<dyn Place>, directory: PathBuf) -> io::Result<Self> {
        place.make_directory(&directory)?;
        let lock = place.lock(&directory)?;
        for inside in ["orders", "failed"] {
            place.make_directory(&directory.join(inside))?;
        }
        place.sync(&directory)?;
        let mut last = 0;
        for part in [directory.clone(), directory.join("failed")] {
            for (id, _) in names(place.as_ref(), &part)? {
                last = last.max(id.0);
            }
        }
        let spool = Self { place, directory, _lock: lock, last: AtomicU64::new(last), last_of_before: last };
        spool.clear()?;
        Ok(spool)
    }

    /// Removes what belongs to no accepted mail.
    fn clear(&self) -> io::Result<()> {
        let names = names(self.place(), &self.directory)?;
        let states = states(&names);
        for (id, end) in &names {
            if end == "new" || (end == "eml" && !states.contains_key(id)) {
                tracing::debug!(%id, end, "removed what was left of a mail that was not accepted, or of a change");
                self.place.remove(&self.path(*id, end))?;
            }
        }
        self.place.sync(&self.directory)
    }

    /// Removes the envelopes beside those that were read: several changes of a name, of which the power let the disk keep
    /// only some, leave more. Beside one that could not be read another may be all that is known of a mail.
    ///
    /// # Errors
    /// One is still there, or may be.
    pub(super) fn clear_beside(&self, read: &[Listed]) -> io::Result<()> {
        let kept: BTreeMap<Id, State> =
            read.iter().filter(|it| it.envelope.is_ok()).map(|listed| (listed.id, listed.state)).collect();
        for (id, end) in names(self.place(), &self.directory)? {
            if let (Some(state), Some(kept)) = (state_of(&end), kept.get(&id))
                && state != *kept
            {
                tracing::debug!(%id, end, "removed what was left of a change");
                self.place.remove(&self.path(id, &end))?;
            }
        }
        self.place.sync(&self.directory)
    }

    /// Whether a mail of this name is none that was taken since the queue was opened.
    pub(super) const fn is_from_before(&self, id: Id) -> bool {
        id.0 <= self.last_of_before
    }

    /// What it is on.
    pub(super) fn place(&self) -> &dyn Place {
        self.place.as_ref()
    }

    /// Where it is.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the owner's orders are.
    pub(super) fn orders(&self) -> PathBuf {
        self.directory.join("orders")
    }

    /// Where the reports about what failed are.
    pub(super) fn failed(&self) -> PathBuf {
        self.directory.join("failed")
    }

    pub(super) fn message(&self, id: Id) -> PathBuf {
        self.path(id, "eml")
    }

    fn path(&self, id: Id, end: &str) -> PathBuf {
        self.directory.join(format!("{id}.{end}"))
    }

    /// Begins the message of a mail.
    pub(super) fn create(&self) -> io::Result<(Id, Box<dyn NewFile>)> {
        let now = u64::try_from(self.place.time().as_microsecond()).unwrap_or_default();
        let next = |last: u64| now.max(last.saturating_add(1));
        // The clock may be set back; names go on.
        let last = match self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)))
        {
            Ok(last) | Err(last) => last,
        };
        let id = Id(next(last));
        Ok((id, self.place.create(&self.message(id))?))
    }

    /// Takes a mail whose message is written: from here on it is in the queue, whatever happens.
    ///
    /// # Errors
    /// It is not, and nothing is left of it but what the next start clears; or, if its name came to last after all, it is
    /// taken up then.
    pub(super) fn accept(&self, id: Id, message: &dyn NewFile, envelope: &Envelope) -> io::Result<()> {
        // The message has its name for good before there is an envelope, and for as long.
        if let Err(error) = message.sync().and_then(|()| self.place.sync(&self.directory)) {
            self.forget(id);
            return Err(error);
        }
        let accepted = self.write(id, State::Waiting, envelope);
        if accepted.is_err()
            && let Err(error) = self.remove(id, State::Waiting)
        {
            tracing::warn!(%id, %error, "what is left of a mail that was not taken stays until the next start");
        }
        accepted
    }

    /// Removes the message of a mail that was not accepted.
    pub(super) fn forget(&self, id: Id) {
        self.drop_file(&self.path(id, "new"));
        self.drop_file(&self.message(id));
    }

    fn drop_file(&self, file: &Path) {
        match self.place.remove(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(file = %file.display(), %error, "cannot be removed");
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// Writes an envelope in place of the one of this state.
    pub(super) fn write(&self, id: Id, state: State, envelope: &Envelope) -> io::Result<()> {
        let new = self.path(id, "new");
        self.drop_file(&new);
        let written = write_file(self.place(), &new, &serde_json::to_vec_pretty(envelope)?)
            .and_then(|()| self.place.rename(&new, &self.path(id, state.name())));
        if written.is_err() {
            self.drop_file(&new);
        }
        written.and_then(|()| self.place.sync(&self.directory))
    }

    /// Has a mail go into another state. `state` says in which one it is then; that this lasts, only the result does.
    pub(super) fn turn(&self, id: Id, state: &mut State, to: State) -> io::Result<()> {
        if *state != to {
            self.place.rename(&self.path(id, state.name()), &self.path(id, to.name()))?;
            *state = to;
        }
        // Also if it was there before: it may not last yet.
        self.place.sync(&self.directory)
    }

    /// Removes a mail. What a failure has left is removed when this is done again.
    pub(super) fn remove(&self, id: Id, state: State) -> io::Result<()> {
        self.remove_of(id, &[state])
    }

    /// The same, in whatever state it is.
    pub(super) fn remove_all(&self, id: Id) -> io::Result<()> {
        self.remove_of(id, &State::ALL)
    }

    fn remove_of(&self, id: Id, states: &[State]) -> io::Result<()> {
        // The envelopes first: a message alone is nothing.
        for state in states {
            match self.place.remove(&self.path(id, state.name())) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        self.place.sync(&self.directory)?;
        self.drop_file(&self.message(id));
        Ok(())
    }
}

/// Writes a new file, of which the octets last.
pub(super) fn write_file(place: &dyn Place, file: &Path, octets: &[u8]) -> io::Result<()> {
    let mut opened = place.create(file)?;
    opened.write_all(octets)?;
    opened.sync()
}

/// The states of the mails that have these names; of several envelopes of one, that counts which says most that it may have
/// gone.
fn states(names: &[(Id, String)]) -> BTreeMap<Id, State> {
    let mut states = BTreeMap::new();
    for (id, state) in names.iter().filter_map(|(id, end)| Some((*id, state_of(end)?))) {
        let most = states.entry(id).or_insert(state);
        *most = state.max(*most);
    }
    states
}

fn state_of(end: &str) -> Option<State> {
    State::ALL.into_iter().find(|state| state.name() == end)
}

/// What in a directory has the name of a mail, and the ends of these names.
pub(super) fn names(place: &dyn Place, directory: &Path) -> io::Result<Vec<(Id, String)>> {
    let mut names = Vec::new();
    for name in place.names(directory)? {
        let name = name?;
        let parts = name.to_str().and_then(|name| name.split_once('.'));
        if let Some((Ok(id), end)) = parts.map(|(id, end)| (id.parse::<Id>(), end)) {
            names.push((id, end.to_owned()));
        }
    }
    Ok(names)
}

/// A mail of a queue, as it is on the disk.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) id: Id,
    pub(crate) state: State,
    /// Or why it cannot be read.
    pub(crate) envelope: io::Result<Envelope>,
}

/// The mails of a queue, which need not be locked, as they were taken. One that ends meanwhile may be missing.
pub(super) fn list(place: &dyn Place, directory: &Path) -> io::Result<Vec<Listed>> {
    let names = match names(place, directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        names => names?,
    };
    let listed = states(&names).into_iter().map(|(id, state)| read(place, directory, id, state));
    Ok(listed.flatten().collect())
}

/// The mail of this name; `None` if there is none.
pub(super) fn find(place: &dyn Place, directory: &Path, id: Id) -> Option<Listed> {
    read(place, directory, id, State::Unknown)
}

/// The message of a mail.
pub(crate) fn message(directory: &Path, id: Id) -> PathBuf {
    directory.join(format!("{id}.eml"))
}

fn read(place: &dyn Place, directory: &Path, id: Id, state: State) -> Option<Listed> {
    // It may have gone into another state since it was seen. Of several envelopes that counts which a start would take.
    let states = [state].into_iter().chain(State::ALL.into_iter().rev());
    for state in states {
        match read_envelope(place, &directory.join(format!("{id}.{}", state.name()))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            envelope => return Some(Listed { id, state, envelope }),
        }
    }
    None
}

fn read_envelope(place: &dyn Place, file: &Path) -> io::Result<Envelope> {
    let mut octets = Vec::new();
    place.open(file)?.take(ENVELOPE_OCTETS_MAX).read_to_end(&mut octets)?;
    Ok(serde_json::from_slice(&octets)?)
}
