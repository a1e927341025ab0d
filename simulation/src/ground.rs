//! What is around the modem: drives, links, and the provider's books. What stays when the power goes.
//!
//! Not here: the modem, and what may be of it ([`crate::laws`]).

use crate::link::Link;
use crate::mails::Plain;
use crate::provider::Office;
use crate::reading::Wrong;
use modem::drive::memory::MemoryDrive;
use modem::drive::path::{Name, Path};
use modem::drive::{Drive as _, Kind, Letter};
use std::collections::BTreeMap;

/// See the module's words.
pub struct Ground {
    /// Drive C:.
    pub c: MemoryDrive,
    /// The storage card, in or out.
    pub d: MemoryDrive,
    /// All links there have been, in their order.
    pub links: BTreeMap<u64, Link>,
    /// The provider.
    pub office: Office,
    /// Mails of which it is known what must be saved.
    pub plain: Vec<Plain>,
}

impl Ground {
    /// A drive.
    #[must_use]
    pub const fn drive(&self, letter: Letter) -> &MemoryDrive {
        match letter {
            Letter::C => &self.c,
            Letter::D => &self.d,
        }
    }

    /// What a path names, such as `C:/a.txt`; `None` when the card is out, or there is no such file.
    #[must_use]
    pub fn content(&self, path: &str) -> Option<Vec<u8>> {
        let path = Path::root(Letter::C).join(path)?;
        let drive = self.drive(path.drive);
        drive.entry(&path.names).ok()?;
        let names: Vec<&str> = path.names.iter().map(Name::as_str).collect();
        drive.content(&names.join("/"))
    }

    /// The folders of saved mails on a drive; none when the card is out.
    #[must_use]
    pub fn mail_folders(&self, letter: Letter) -> Vec<String> {
        let Some(email) = Name::new("Email") else { return Vec::new() };
        let entries = self.drive(letter).list(&[email]).unwrap_or_default();
        entries.into_iter().map(|entry| entry.name.to_string()).collect()
    }

    /// Every file of a drive by its path from the root, with its octets.
    #[must_use]
    pub fn files(&self, letter: Letter) -> Vec<(String, u64)> {
        let mut files = Vec::new();
        let mut folders: Vec<Vec<Name>> = vec![Vec::new()];
        while let Some(folder) = folders.pop() {
            for entry in self.drive(letter).list(&folder).unwrap_or_default() {
                let path: Vec<Name> = folder.iter().cloned().chain([entry.name]).collect();
                match entry.kind {
                    Kind::Folder => folders.push(path),
                    Kind::File { octets, .. } => {
                        let names: Vec<&str> = path.iter().map(Name::as_str).collect();
                        files.push((names.join("/"), octets));
                    }
                }
            }
        }
        files
    }

    /// Whether every name on a drive is one (commands.md §4): none that a directory would take for a way out of itself,
    /// or a host for the end of a line.
    ///
    /// # Errors
    /// One is not.
    pub fn check_names(&self, letter: Letter) -> Result<(), Wrong> {
        let mut folders: Vec<Vec<Name>> = vec![Vec::new()];
        while let Some(folder) = folders.pop() {
            for entry in self.drive(letter).list(&folder).unwrap_or_default() {
                let name = entry.name.as_str();
                let is_odd = |c: char| c.is_control() || "\\/:*?\"<>|,;".contains(c);
                if name.is_empty() || name.starts_with('.') || name.ends_with('.') || name.contains(is_odd) {
                    return Err(format!("{letter} has something called {name:?}"));
                }
                if entry.kind == Kind::Folder {
                    folders.push(folder.iter().cloned().chain([entry.name]).collect());
                }
            }
        }
        Ok(())
    }
}
