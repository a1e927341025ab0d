//! The slot for a storage card: a directory that comes and goes.
//!
//! Not here: what the modem makes of a card.

use crate::directory::DirectoryDrive;
use crate::limits::CARD_WAIT;
use modem::drive::{Drive, NameCase};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use tokio::time::Instant;

/// A slot, empty until [`Slot::next`] finds a card.
#[derive(Debug)]
pub struct Slot {
    directory: PathBuf,
    octets_max: u64,
    inside: Option<Identity>,
    look_at: Instant,
    /// Whether it was told that what is there cannot be used.
    is_told: bool,
}

/// Device and inode: another directory at the same place is another card.
type Identity = (u64, u64);

impl Slot {
    /// A slot for cards of `octets_max` octets.
    #[must_use]
    pub fn new(directory: PathBuf, octets_max: u64) -> Self {
        Self { directory, octets_max, inside: None, look_at: Instant::now(), is_told: false }
    }

    /// The next card; `None` when the one inside is gone. May be dropped and called anew; nothing is lost.
    pub async fn next(&mut self) -> Option<Box<dyn Drive>> {
        loop {
            tokio::time::sleep_until(self.look_at).await;
            self.look_at = Instant::now() + CARD_WAIT;
            let found = fs::metadata(&self.directory).ok().filter(fs::Metadata::is_dir);
            let found = found.map(|metadata| (metadata.dev(), metadata.ino()));
            if self.inside.is_some() && self.inside != found {
                tracing::info!(card = %self.directory.display(), "the card is gone");
                self.inside = None;
                return None;
            }
            if let (Some(found), None) = (found, self.inside) {
                match DirectoryDrive::open(&self.directory, NameCase::Folded, self.octets_max) {
                    Ok(card) => {
                        tracing::info!(card = %self.directory.display(), "the card is in");
                        (self.inside, self.is_told) = (Some(found), false);
                        return Some(Box::new(card));
                    }
                    Err(error) => self.tell(&error),
                }
            }
        }
    }

    /// Once, and not at each try.
    fn tell(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.is_told, true) {
            tracing::warn!(card = %self.directory.display(), %error, "the card cannot be used");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_directory_that_comes_and_goes_is_a_card_that_does() {
        let around = tempfile::tempdir().unwrap();
        let directory = around.path().join("card");
        let mut slot = Slot::new(directory.clone(), 1_000_000);
        let nothing = tokio::time::timeout(CARD_WAIT * 3, slot.next()).await;
        assert!(nothing.is_err());

        fs::create_dir(&directory).unwrap();
        let card = slot.next().await.unwrap();
        assert_eq!(card.space().unwrap().total, 1_000_000);
        let nothing = tokio::time::timeout(CARD_WAIT * 3, slot.next()).await;
        assert!(nothing.is_err());

        fs::rename(&directory, around.path().join("pulled")).unwrap();
        fs::create_dir(&directory).unwrap();
        assert!(slot.next().await.is_none());
        assert!(slot.next().await.is_some());
    }
}
