//! A drive in memory, for tests and for modems that keep nothing.
//!
//! Not here: a clock. Files carry the time that was last told by [`MemoryDrive::set_time`].

use super::path::{Name, Path};
use super::{
    Drive, DriveError, Entry, FIRST_FOLDERS, Kind, Letter, NameCase, OpenFile, Space, StagedFile, Staging,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A drive in memory. Clones are one drive: a test keeps one to look inside and to pull the card.
#[derive(Clone, Debug)]
pub struct MemoryDrive {
    case: NameCase,
    octets_max: u64,
    card: Arc<Mutex<Card>>,
}

/// Where something lies: the keys of the names that lead to it. What lies in a folder sorts right after it.
type Place = Vec<String>;

#[derive(Debug, Default)]
struct Card {
    pulled: bool,
    /// How often it was pulled: what was opened or staged before is gone for good.
    pulls: u64,
    /// All but the root.
    nodes: BTreeMap<Place, Node>,
    staged_octets: u64,
    time_s: i64,
}

#[derive(Clone, Debug)]
struct Node {
    name: Name,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Folder,
    File { octets: Arc<Vec<u8>>, modified_s: i64 },
}

impl MemoryDrive {
    /// A fresh drive of `octets_max` octets, with its first folders.
    #[must_use]
    pub fn new(case: NameCase, octets_max: u64) -> Self {
        let mut card = Card::default();
        card.format(case);
        Self { case, octets_max, card: Arc::new(Mutex::new(card)) }
    }

    /// Pulls the card: every operation, open file and staging answers `Gone`.
    pub fn pull(&self) {
        let mut card = self.card();
        card.pulled = true;
        card.pulls += 1;
        card.staged_octets = 0;
    }

    /// Puts the card back, with what was published on it. What was open or staged when it was pulled stays gone.
    pub fn insert(&self) {
        self.card().pulled = false;
    }

    /// Tells the time that files published from now on carry: UTC seconds since 1970.
    pub fn set_time(&self, time_s: i64) {
        self.card().time_s = time_s;
    }

    /// Adds a file by its path from the root, such as `Picture/a.jpg`, last written at `modified_s`.
    ///
    /// # Errors
    /// As [`Staging::publish_file`], and `NotFound` for what is no path.
    pub fn add_file(&self, file: &str, octets: &[u8], modified_s: i64) -> Result<(), DriveError> {
        let path = Path::root(Letter::C).join(file).ok_or(DriveError::NotFound)?;
        let mut card = self.present()?;
        let (place, name) = self.free_place(&card, &path.names)?;
        card.stage(octets.len(), self.octets_max)?;
        card.publish(place, name, octets.to_vec(), modified_s);
        Ok(())
    }

    /// The content of a file by its path from the root; `None` when there is no such file. A pulled card can be
    /// looked at too.
    #[must_use]
    pub fn content(&self, file: &str) -> Option<Vec<u8>> {
        let path = Path::root(Letter::C).join(file)?;
        match &self.card().nodes.get(&self.place(&path.names))?.content {
            Content::File { octets, .. } => Some(octets.to_vec()),
            Content::Folder => None,
        }
    }

    fn card(&self) -> MutexGuard<'_, Card> {
        self.card.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn present(&self) -> Result<MutexGuard<'_, Card>, DriveError> {
        let card = self.card();
        if card.pulled { Err(DriveError::Gone) } else { Ok(card) }
    }

    /// The card, if it was not pulled since it had been pulled `pulls` times.
    fn same(&self, pulls: u64) -> Result<MutexGuard<'_, Card>, DriveError> {
        let card = self.present()?;
        if card.pulls == pulls { Ok(card) } else { Err(DriveError::Gone) }
    }

    fn place(&self, names: &[Name]) -> Place {
        names.iter().map(|name| self.case.key(name)).collect()
    }

    /// The place and name of something new: its folder is there, itself is not.
    fn free_place(&self, card: &Card, names: &[Name]) -> Result<(Place, Name), DriveError> {
        let (name, around) = names.split_last().ok_or(DriveError::Taken)?;
        if !card.is_folder(&self.place(around)) {
            return Err(DriveError::NotFound);
        }
        let place = self.place(names);
        if card.nodes.contains_key(&place) { Err(DriveError::Taken) } else { Ok((place, name.clone())) }
    }
}

impl Card {
    fn format(&mut self, case: NameCase) {
        let names = FIRST_FOLDERS.iter().filter_map(|name| Name::new(name));
        self.nodes =
            names.map(|name| (vec![case.key(&name)], Node { name, content: Content::Folder })).collect();
    }

    fn is_folder(&self, place: &[String]) -> bool {
        place.is_empty() || matches!(self.nodes.get(place), Some(Node { content: Content::Folder, .. }))
    }

    /// What lies in a folder, at any depth.
    fn below(&self, folder: &[String]) -> impl Iterator<Item = (&Place, &Node)> {
        self.nodes
            .range(folder.to_vec()..)
            .skip_while(move |(place, _)| place.as_slice() == folder)
            .take_while(move |(place, _)| place.starts_with(folder))
    }

    fn used(&self) -> u64 {
        let published = self.nodes.values().map(|node| match &node.content {
            Content::Folder => 0,
            Content::File { octets, .. } => length(octets),
        });
        published.sum::<u64>() + self.staged_octets
    }

    /// Counts `octets` more as staged, if there is room.
    fn stage(&mut self, octets: usize, octets_max: u64) -> Result<(), DriveError> {
        let octets = u64::try_from(octets).map_err(|_| DriveError::Full)?;
        if self.used().saturating_add(octets) > octets_max {
            return Err(DriveError::Full);
        }
        self.staged_octets += octets;
        Ok(())
    }

    /// Makes a staged file appear.
    fn publish(&mut self, place: Place, name: Name, octets: Vec<u8>, modified_s: i64) {
        self.staged_octets -= length(&octets);
        let content = Content::File { octets: Arc::new(octets), modified_s };
        self.nodes.insert(place, Node { name, content });
    }
}

fn length(octets: &[u8]) -> u64 {
    u64::try_from(octets.len()).unwrap_or(u64::MAX)
}

impl Node {
    fn entry(&self) -> Entry {
        let kind = match &self.content {
            Content::Folder => Kind::Folder,
            Content::File { octets, modified_s } => {
                Kind::File { octets: length(octets), modified_s: *modified_s }
            }
        };
        Entry { name: self.name.clone(), kind }
    }
}

impl Drive for MemoryDrive {
    fn list(&self, folder: &[Name]) -> Result<Vec<Entry>, DriveError> {
        let card = self.present()?;
        let folder = self.place(folder);
        if !card.is_folder(&folder) {
            return Err(DriveError::NotFound);
        }
        let direct = card.below(&folder).filter(|(place, _)| place.len() == folder.len() + 1);
        Ok(direct.map(|(_, node)| node.entry()).collect())
    }

    fn entry(&self, path: &[Name]) -> Result<Entry, DriveError> {
        self.present()?.nodes.get(&self.place(path)).map(Node::entry).ok_or(DriveError::NotFound)
    }

    fn open(&self, file: &[Name]) -> Result<Box<dyn OpenFile>, DriveError> {
        let card = self.present()?;
        match card.nodes.get(&self.place(file)) {
            Some(Node { content: Content::File { octets, .. }, .. }) => Ok(Box::new(MemoryFile {
                octets: Arc::clone(octets),
                read: 0,
                pulls: card.pulls,
                drive: self.clone(),
            })),
            _ => Err(DriveError::NotFound),
        }
    }

    fn space(&self) -> Result<Space, DriveError> {
        Ok(Space { total: self.octets_max, used: self.present()?.used() })
    }

    fn create_folder(&mut self, folder: &[Name]) -> Result<(), DriveError> {
        let mut card = self.present()?;
        let (place, name) = self.free_place(&card, folder)?;
        card.nodes.insert(place, Node { name, content: Content::Folder });
        Ok(())
    }

    fn remove_folder(&mut self, folder: &[Name]) -> Result<(), DriveError> {
        let mut card = self.present()?;
        let place = self.place(folder);
        if place.is_empty() || !card.is_folder(&place) {
            return Err(DriveError::NotFound);
        }
        if card.below(&place).next().is_some() {
            return Err(DriveError::NotEmpty);
        }
        card.nodes.remove(&place);
        Ok(())
    }

    fn remove_file(&mut self, file: &[Name]) -> Result<(), DriveError> {
        let mut card = self.present()?;
        let place = self.place(file);
        if card.is_folder(&place) {
            return Err(DriveError::NotFound);
        }
        card.nodes.remove(&place).map(drop).ok_or(DriveError::NotFound)
    }

    fn rename(&mut self, from: &[Name], to: &[Name]) -> Result<(), DriveError> {
        let mut card = self.present()?;
        let old = self.place(from);
        let node = card.nodes.get(&old).ok_or(DriveError::NotFound)?;
        let new = self.place(to);
        let name = to.last().ok_or(DriveError::Taken)?.clone();
        if old == new {
            // Its own name in another case is free to it.
            if node.name == name {
                return Err(DriveError::Taken);
            }
        } else if new.starts_with(&old) {
            return Err(DriveError::NotFound);
        } else {
            self.free_place(&card, to)?;
        }
        let mut moved: Vec<(Place, Node)> =
            card.below(&old).map(|(place, node)| (place.clone(), node.clone())).collect();
        moved.push((old.clone(), Node { name, ..node.clone() }));
        for (place, _) in &moved {
            card.nodes.remove(place);
        }
        card.nodes.extend(moved.into_iter().map(|(place, node)| {
            let rest = place.into_iter().skip(old.len());
            (new.iter().cloned().chain(rest).collect(), node)
        }));
        Ok(())
    }

    fn stage(&mut self) -> Result<Box<dyn Staging>, DriveError> {
        let pulls = self.present()?.pulls;
        Ok(Box::new(MemoryStaging { files: Vec::new(), pulls, drive: self.clone() }))
    }

    fn format(&mut self) -> Result<(), DriveError> {
        self.present()?.format(self.case);
        Ok(())
    }
}

struct MemoryFile {
    octets: Arc<Vec<u8>>,
    read: usize,
    pulls: u64,
    drive: MemoryDrive,
}

impl OpenFile for MemoryFile {
    fn octets(&self) -> u64 {
        length(&self.octets)
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, DriveError> {
        drop(self.drive.same(self.pulls)?);
        let rest = self.octets.get(self.read..).unwrap_or_default();
        let portion = buffer.iter_mut().zip(rest).map(|(to, from)| *to = *from).count();
        self.read += portion;
        Ok(portion)
    }
}

struct MemoryStaging {
    files: Vec<StagedInMemory>,
    pulls: u64,
    drive: MemoryDrive,
}

struct StagedInMemory {
    name: Name,
    octets: Vec<u8>,
    is_complete: bool,
}

impl MemoryStaging {
    fn open_file(&mut self, file: StagedFile) -> Result<&mut StagedInMemory, DriveError> {
        self.files.get_mut(file.index()).filter(|file| !file.is_complete).ok_or(DriveError::NotFound)
    }
}

impl Staging for MemoryStaging {
    fn create(&mut self, name: &Name) -> Result<StagedFile, DriveError> {
        drop(self.drive.same(self.pulls)?);
        let case = self.drive.case;
        if self.files.iter().any(|taken| case.key(&taken.name) == case.key(name)) {
            return Err(DriveError::Taken);
        }
        self.files.push(StagedInMemory { name: name.clone(), octets: Vec::new(), is_complete: false });
        Ok(StagedFile::nth(self.files.len() - 1))
    }

    fn write(&mut self, file: StagedFile, octets: &[u8]) -> Result<(), DriveError> {
        drop(self.drive.same(self.pulls)?);
        let drive = self.drive.clone();
        let file = self.open_file(file)?;
        drive.present()?.stage(octets.len(), drive.octets_max)?;
        file.octets.extend_from_slice(octets);
        Ok(())
    }

    fn complete(&mut self, file: StagedFile) -> Result<(), DriveError> {
        drop(self.drive.same(self.pulls)?);
        self.open_file(file)?.is_complete = true;
        Ok(())
    }

    fn publish_folder(mut self: Box<Self>, folder: &[Name]) -> Result<(), DriveError> {
        let mut card = self.drive.same(self.pulls)?;
        let (place, name) = self.drive.free_place(&card, folder)?;
        let time_s = card.time_s;
        card.nodes.insert(place.clone(), Node { name, content: Content::Folder });
        for StagedInMemory { name, octets, .. } in self.files.drain(..) {
            let inside = place.iter().cloned().chain([self.drive.case.key(&name)]).collect();
            card.publish(inside, name, octets, time_s);
        }
        Ok(())
    }

    fn publish_file(mut self: Box<Self>, file: &[Name]) -> Result<(), DriveError> {
        let mut card = self.drive.same(self.pulls)?;
        if self.files.len() != 1 {
            return Err(DriveError::NotFound);
        }
        let (place, name) = self.drive.free_place(&card, file)?;
        let time_s = card.time_s;
        if let Some(StagedInMemory { octets, .. }) = self.files.pop() {
            card.publish(place, name, octets, time_s);
        }
        Ok(())
    }
}

impl Drop for MemoryStaging {
    fn drop(&mut self) {
        if let Ok(mut card) = self.drive.same(self.pulls) {
            card.staged_octets -= self.files.iter().map(|file| length(&file.octets)).sum::<u64>();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &str) -> Vec<Name> {
        Path::root(Letter::C).join(path).unwrap().names
    }

    fn listed(drive: &MemoryDrive, folder: &str) -> Vec<String> {
        let entries = drive.list(&names(folder)).unwrap();
        entries.into_iter().map(|entry| entry.name.to_string()).collect()
    }

    #[test]
    fn a_fresh_drive_has_its_first_folders_in_name_order() {
        let drive = MemoryDrive::new(NameCase::Told, 100);
        assert_eq!(listed(&drive, "/"), ["Audio", "Picture", "Video", "VideoCall"]);
        assert_eq!(drive.space(), Ok(Space { total: 100, used: 0 }));
    }

    #[test]
    fn case_is_told_on_c_and_folded_on_d() {
        for (case, found) in [(NameCase::Told, false), (NameCase::Folded, true)] {
            let drive = MemoryDrive::new(case, 100);
            drive.add_file("Picture/a.jpg", b"1", 7).unwrap();
            assert_eq!(drive.entry(&names("PICTURE/A.JPG")).is_ok(), found);
        }
        let mut drive = MemoryDrive::new(NameCase::Folded, 100);
        assert_eq!(drive.create_folder(&names("picture")), Err(DriveError::Taken));
        assert_eq!(drive.rename(&names("picture"), &names("Picture")), Err(DriveError::Taken));
        assert_eq!(drive.rename(&names("Picture"), &names("PICTURE")), Ok(()));
        assert_eq!(listed(&drive, "/"), ["Audio", "PICTURE", "Video", "VideoCall"]);
    }

    #[test]
    fn a_folder_moves_with_what_is_in_it_but_never_into_itself() {
        let mut drive = MemoryDrive::new(NameCase::Told, 100);
        drive.add_file("Picture/a", b"1", 7).unwrap();
        drive.add_file("PictureB", b"22", 8).unwrap();
        assert_eq!(drive.rename(&names("Picture"), &names("Picture/b")), Err(DriveError::NotFound));
        assert_eq!(drive.rename(&names("Picture"), &names("Audio/Photo")), Ok(()));
        assert_eq!(drive.content("Audio/Photo/a").as_deref(), Some(b"1".as_slice()));
        assert_eq!(listed(&drive, "/"), ["Audio", "PictureB", "Video", "VideoCall"]);
    }

    #[test]
    fn staged_octets_count_and_are_given_back_when_dropped() {
        let mut drive = MemoryDrive::new(NameCase::Told, 10);
        let (mut one, mut two) = (drive.stage().unwrap(), drive.stage().unwrap());
        let a = one.create(&names("a")[0]).unwrap();
        assert_eq!(two.create(&names("a")[0]), Ok(a));
        assert_eq!(one.write(a, b"123456"), Ok(()));
        assert_eq!(two.write(a, b"12345"), Err(DriveError::Full));
        assert_eq!(two.write(a, b"1234"), Ok(()));
        assert_eq!(drive.space(), Ok(Space { total: 10, used: 10 }));
        drop(one);
        assert_eq!(two.write(a, b"56"), Ok(()));
        assert_eq!(two.publish_folder(&names("Mail")), Ok(()));
        assert_eq!(drive.content("Mail/a").as_deref(), Some(b"123456".as_slice()));
        assert_eq!(drive.space(), Ok(Space { total: 10, used: 6 }));
    }

    #[test]
    fn what_was_open_when_the_card_was_pulled_stays_gone() {
        let card = MemoryDrive::new(NameCase::Folded, 10);
        let mut drive = card.clone();
        card.add_file("a", b"123", 7).unwrap();
        let mut open = drive.open(&names("a")).unwrap();
        let mut staging = drive.stage().unwrap();
        let staged = staging.create(&names("b")[0]).unwrap();
        staging.write(staged, b"1234").unwrap();
        card.pull();
        assert_eq!(drive.list(&[]), Err(DriveError::Gone));
        assert_eq!(open.read(&mut [0; 2]), Err(DriveError::Gone));
        assert_eq!(drive.format(), Err(DriveError::Gone));
        card.insert();
        assert_eq!(open.read(&mut [0; 2]), Err(DriveError::Gone));
        assert_eq!(staging.write(staged, b"5"), Err(DriveError::Gone));
        assert_eq!(staging.publish_file(&names("b")), Err(DriveError::Gone));
        assert_eq!(drive.space(), Ok(Space { total: 10, used: 3 }));
        assert_eq!(drive.content_of_open("a"), b"123");
    }

    impl MemoryDrive {
        /// What a reader sees who reads two octets at a time.
        fn content_of_open(&self, file: &str) -> Vec<u8> {
            let mut open = self.open(&names(file)).unwrap();
            let (mut content, mut buffer) = (Vec::new(), [0; 2]);
            loop {
                match open.read(&mut buffer).unwrap() {
                    0 => return content,
                    octets => content.extend_from_slice(&buffer[..octets]),
                }
            }
        }
    }

    #[test]
    fn an_open_file_is_readable_after_its_removal() {
        let mut drive = MemoryDrive::new(NameCase::Told, 10);
        drive.add_file("a", b"123", 7).unwrap();
        let mut open = drive.open(&names("a")).unwrap();
        drive.remove_file(&names("a")).unwrap();
        assert_eq!(drive.open(&names("a")).err(), Some(DriveError::NotFound));
        assert_eq!(open.octets(), 3);
        let mut buffer = [0; 8];
        assert_eq!(open.read(&mut buffer), Ok(3));
        assert_eq!(open.read(&mut buffer), Ok(0));
    }
}
