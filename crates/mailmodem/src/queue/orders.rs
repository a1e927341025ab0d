//! What the owner wants done with a mail: an empty file whose name says it, so that whoever may write into the
//! directory can order, and the process that has the queue needs to read nothing of it.
//!
//! Not here: what is done.

use super::place::Place;
use super::spool::Id;
use crate::limits::ORDERS_MAX;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// What is to be done with a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// It is tried now, and for as long as a new one, unless its fate is unknown by then: whoever ordered it did not know.
    Retry,
    /// Its fate is unknown, and it is sent all the same.
    Resend,
    /// It is not sent.
    Remove,
}

impl Order {
    const ALL: [Self; 3] = [Self::Retry, Self::Resend, Self::Remove];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Resend => "resend",
            Self::Remove => "remove",
        }
    }
}

fn file(directory: &Path, order: Order, id: Id) -> PathBuf {
    directory.join(format!("{}.{id}", order.name()))
}

/// Gives an order. It may be there already.
pub(super) fn give(directory: &Path, order: Order, id: Id) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(file(directory, order, id))?;
    Ok(())
}

/// Whether an order is still to be carried out.
pub(super) fn is_given(directory: &Path, order: Order, id: Id) -> bool {
    file(directory, order, id).exists()
}

/// An order is carried out, or taken back. It does not come back then.
///
/// # Errors
/// It may.
pub(super) fn done(place: &dyn Place, directory: &Path, order: Order, id: Id) -> io::Result<()> {
    match place.remove(&file(directory, order, id)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => place.sync(directory),
    }
}

/// The orders there are.
pub(super) fn read(place: &dyn Place, directory: &Path) -> Vec<(Order, Id)> {
    let entries = match place.names(directory) {
        Ok(entries) => entries,
        Err(error) => {
            tracing::warn!(directory = %directory.display(), %error, "cannot look for orders");
            return Vec::new();
        }
    };
    let orders = entries.take(ORDERS_MAX).flatten().filter_map(|name| {
        let (order, id) = name.to_str()?.split_once('.')?;
        Some((Order::ALL.into_iter().find(|it| it.name() == order)?, id.parse().ok()?))
    });
    orders.collect()
}
