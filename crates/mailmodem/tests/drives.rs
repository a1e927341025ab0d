//! A drive in a directory behaves as one in memory, and nothing leads out of it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics fails, as it should")]

use mailmodem::directory::DirectoryDrive;
use modem::drive::memory::MemoryDrive;
use modem::drive::path::{Name, Path};
use modem::drive::{Drive, DriveError, Entry, Kind, Letter, NameCase, OpenFile, Space, StagedFile, Staging};
use proptest::prelude::*;
use rustix::fs::{CWD, FileType, Mode, RenameFlags, mknodat, renameat_with};
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path as MachinePath;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

mod model {
    //! Any sequence of operations, done to both drives.

    use super::*;

    /// Small, so that drives are full often.
    const OCTETS_MAX: u64 = 24;
    /// Stagings, and open files, at a time.
    const SLOTS: usize = 2;

    #[derive(Clone, Debug)]
    enum Operation {
        List(Vec<Name>),
        Entry(Vec<Name>),
        Space,
        CreateFolder(Vec<Name>),
        RemoveFolder(Vec<Name>),
        RemoveFile(Vec<Name>),
        Rename(Vec<Name>, Vec<Name>),
        Format,
        Open(usize, Vec<Name>),
        Read(usize, usize),
        Stage(usize),
        Drop(usize),
        Create(usize, Name),
        Write(usize, usize, Vec<u8>),
        Complete(usize, usize),
        PublishFolder(usize, Vec<Name>),
        PublishFile(usize, Vec<Name>),
        /// A staging from beginning to end.
        Save(Vec<Name>, Vec<u8>),
    }

    fn any_name() -> impl Strategy<Value = Name> {
        // Some are one name where case is folded, none may be where it is told.
        proptest::sample::select(vec!["a", "A", "b", "é", "É", "Picture", "picture"])
            .prop_map(|name| Name::new(name).unwrap())
    }

    fn any_path() -> impl Strategy<Value = Vec<Name>> {
        prop_oneof![
            1 => Just(Vec::new()),
            6 => any_name().prop_map(|name| vec![name]),
            4 => proptest::collection::vec(any_name(), 2),
            1 => proptest::collection::vec(any_name(), 3),
        ]
    }

    fn any_operation() -> impl Strategy<Value = Operation> {
        let slot = 0..SLOTS;
        prop_oneof![
            1 => any_path().prop_map(Operation::List),
            1 => any_path().prop_map(Operation::Entry),
            1 => Just(Operation::Space),
            4 => any_path().prop_map(Operation::CreateFolder),
            2 => any_path().prop_map(Operation::RemoveFolder),
            2 => any_path().prop_map(Operation::RemoveFile),
            4 => (any_path(), any_path()).prop_map(|(from, to)| Operation::Rename(from, to)),
            1 => Just(Operation::Format),
            2 => (slot.clone(), any_path()).prop_map(|(slot, path)| Operation::Open(slot, path)),
            2 => (slot.clone(), 0_usize..6).prop_map(|(slot, octets)| Operation::Read(slot, octets)),
            4 => slot.clone().prop_map(Operation::Stage),
            1 => slot.clone().prop_map(Operation::Drop),
            6 => (slot.clone(), any_name()).prop_map(|(slot, name)| Operation::Create(slot, name)),
            6 => (slot.clone(), 0_usize..3, proptest::collection::vec(any::<u8>(), 0..16))
                .prop_map(|(slot, file, octets)| Operation::Write(slot, file, octets)),
            1 => (slot.clone(), 0_usize..3).prop_map(|(slot, file)| Operation::Complete(slot, file)),
            3 => (slot.clone(), any_path()).prop_map(|(slot, path)| Operation::PublishFolder(slot, path)),
            3 => (slot, any_path()).prop_map(|(slot, path)| Operation::PublishFile(slot, path)),
            6 => (any_path(), proptest::collection::vec(any::<u8>(), 0..16))
                .prop_map(|(path, octets)| Operation::Save(path, octets)),
        ]
    }

    /// What a drive answered, in a form that can be compared.
    #[derive(Debug, PartialEq)]
    enum Answer {
        Entries(Result<Vec<Entry>, DriveError>),
        Space(Result<Space, DriveError>),
        Octets(Result<Vec<u8>, DriveError>),
        Done(Result<(), DriveError>),
    }

    struct Subject {
        drive: Box<dyn Drive>,
        open: [Option<Box<dyn OpenFile>>; SLOTS],
        stagings: [Option<Box<dyn Staging>>; SLOTS],
    }

    impl Subject {
        fn new(drive: impl Drive + 'static) -> Self {
            Self { drive: Box::new(drive), open: [const { None }; SLOTS], stagings: [const { None }; SLOTS] }
        }

        /// `None` when the slot is empty, or taken where it is to be filled.
        fn perform(&mut self, operation: &Operation) -> Option<Answer> {
            use Answer::*;
            Some(match operation {
                Operation::List(folder) => Entries(self.drive.list(folder).map(timeless)),
                Operation::Entry(path) => Entries(self.drive.entry(path).map(|entry| timeless(vec![entry]))),
                Operation::Space => Space(self.drive.space()),
                Operation::CreateFolder(folder) => Done(self.drive.create_folder(folder)),
                Operation::RemoveFolder(folder) => Done(self.drive.remove_folder(folder)),
                Operation::RemoveFile(file) => Done(self.drive.remove_file(file)),
                Operation::Rename(from, to) => Done(self.drive.rename(from, to)),
                Operation::Format => Done(self.drive.format()),
                Operation::Open(slot, file) => Done(self.drive.open(file).map(|open| {
                    self.open[*slot] = Some(open);
                })),
                Operation::Read(slot, octets) => {
                    let mut buffer = vec![0; *octets];
                    let read = self.open[*slot].as_mut()?.read(&mut buffer);
                    Octets(read.map(|read| buffer[..read].to_vec()))
                }
                Operation::Stage(slot) if self.stagings[*slot].is_some() => return None,
                Operation::Stage(slot) => Done(self.drive.stage().map(|staging| {
                    self.stagings[*slot] = Some(staging);
                })),
                Operation::Drop(slot) => {
                    Done(self.stagings[*slot].take().map(drop).ok_or(DriveError::NotFound))
                }
                Operation::Create(slot, name) => Done(self.stagings[*slot].as_mut()?.create(name).map(drop)),
                Operation::Write(slot, file, octets) => {
                    Done(self.stagings[*slot].as_mut()?.write(StagedFile::nth(*file), octets))
                }
                Operation::Complete(slot, file) => {
                    Done(self.stagings[*slot].as_mut()?.complete(StagedFile::nth(*file)))
                }
                Operation::PublishFolder(slot, folder) => {
                    Done(self.stagings[*slot].take()?.publish_folder(folder))
                }
                Operation::PublishFile(slot, file) => Done(self.stagings[*slot].take()?.publish_file(file)),
                Operation::Save(file, octets) => Done(save(&mut *self.drive, file, octets)),
            })
        }
    }

    /// The two drives have different clocks.
    fn timeless(mut entries: Vec<Entry>) -> Vec<Entry> {
        for entry in &mut entries {
            if let Kind::File { modified_s, .. } = &mut entry.kind {
                *modified_s = 0;
            }
        }
        entries
    }

    /// All paths and what is there.
    fn tree(drive: &dyn Drive) -> Vec<(String, Option<Vec<u8>>)> {
        let (mut found, mut folders) = (Vec::new(), vec![Vec::new()]);
        while let Some(folder) = folders.pop() {
            for entry in drive.list(&folder).unwrap() {
                let path: Vec<Name> = folder.iter().cloned().chain([entry.name]).collect();
                let shown = path.iter().map(Name::as_str).collect::<Vec<_>>().join("/");
                match entry.kind {
                    Kind::Folder => {
                        found.push((shown, None));
                        folders.push(path);
                    }
                    Kind::File { .. } => found.push((shown, Some(content(drive, &path).unwrap()))),
                }
            }
        }
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn a_directory_behaves_as_memory(
            case in proptest::sample::select(vec![NameCase::Told, NameCase::Folded]),
            operations in proptest::collection::vec(any_operation(), 1..120),
        ) {
            let directory = TempDir::new().unwrap();
            let mut memory = Subject::new(MemoryDrive::new(case, OCTETS_MAX));
            let mut machine = Subject::new(DirectoryDrive::open(directory.path(), case, OCTETS_MAX).unwrap());
            for operation in &operations {
                prop_assert_eq!(machine.perform(operation), memory.perform(operation), "{:?}", operation);
                prop_assert_eq!(tree(&*machine.drive), tree(&*memory.drive), "after {:?}", operation);
            }
            machine.stagings = [const { None }; SLOTS];
            memory.stagings = [const { None }; SLOTS];
            prop_assert_eq!(machine.drive.space(), memory.drive.space());
            drop(machine);
            for entry in fs::read_dir(directory.path()).unwrap() {
                prop_assert!(Name::new(entry.unwrap().file_name().to_str().unwrap()).is_some(), "a staging is left");
            }
            let again = DirectoryDrive::open(directory.path(), case, OCTETS_MAX).unwrap();
            // An empty directory is a fresh drive.
            if memory.drive.list(&[]) != Ok(Vec::new()) {
                prop_assert_eq!(tree(&again), tree(&*memory.drive));
            }
        }
    }
}

fn names(path: &str) -> Vec<Name> {
    Path::root(Letter::C).join(path).unwrap().names
}

fn name(name: &str) -> Name {
    Name::new(name).unwrap()
}

fn content(drive: &dyn Drive, file: &[Name]) -> Result<Vec<u8>, DriveError> {
    let mut open = drive.open(file)?;
    let (mut content, mut buffer) = (Vec::new(), [0; 7]);
    loop {
        match open.read(&mut buffer)? {
            0 => return Ok(content),
            octets => content.extend_from_slice(&buffer[..octets]),
        }
    }
}

fn listed(drive: &dyn Drive, folder: &str) -> Vec<String> {
    drive.list(&names(folder)).unwrap().into_iter().map(|entry| entry.name.to_string()).collect()
}

fn used(drive: &dyn Drive) -> u64 {
    drive.space().unwrap().used
}

fn save(drive: &mut dyn Drive, file: &[Name], octets: &[u8]) -> Result<(), DriveError> {
    let mut staging = drive.stage()?;
    let staged = staging.create(&name("staged"))?;
    staging.write(staged, octets)?;
    staging.publish_file(file)
}

fn opened(directory: &MachinePath, case: NameCase) -> DirectoryDrive {
    DirectoryDrive::open(directory, case, 1_000).unwrap()
}

/// A directory with a drive's in it, `drive`, and beside it `outside`, which holds the file `secret`.
fn beside_a_secret() -> (TempDir, std::path::PathBuf, std::path::PathBuf) {
    let around = TempDir::new().unwrap();
    let (drive, outside) = (around.path().join("drive"), around.path().join("outside"));
    fs::create_dir(&drive).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), b"outside").unwrap();
    (around, drive, outside)
}

/// Ends the thread that waits for it, also when an assertion fails.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_link_is_neither_followed_nor_listed_nor_replaced() {
    for case in [NameCase::Told, NameCase::Folded] {
        let (_around, directory, outside) = beside_a_secret();
        let mut drive = opened(&directory, case);
        symlink(&outside, directory.join("folder")).unwrap();
        symlink(outside.join("secret"), directory.join("file")).unwrap();
        symlink("Picture", directory.join("inside")).unwrap();
        symlink("nowhere", directory.join("dangling")).unwrap();
        assert_eq!(listed(&drive, "/"), ["Audio", "Picture", "Video", "VideoCall"]);
        assert_eq!(used(&drive), 0);
        for link in ["folder", "file", "inside", "dangling"] {
            let path = names(link);
            assert_eq!(drive.entry(&path), Err(DriveError::NotFound));
            assert_eq!(drive.list(&path), Err(DriveError::NotFound));
            assert_eq!(content(&drive, &path), Err(DriveError::NotFound));
            assert_eq!(drive.remove_file(&path), Err(DriveError::NotFound));
            assert_eq!(drive.remove_folder(&path), Err(DriveError::NotFound));
            assert_eq!(drive.rename(&path, &names("b")), Err(DriveError::NotFound));
            assert_eq!(drive.create_folder(&path), Err(DriveError::Taken));
            assert_eq!(drive.rename(&names("Audio"), &path), Err(DriveError::Taken));
            assert_eq!(save(&mut drive, &names(link), b"1"), Err(DriveError::Taken));
            assert_eq!(save(&mut drive, &names(&format!("{link}/new")), b"1"), Err(DriveError::NotFound));
            assert_eq!(drive.create_folder(&names(&format!("{link}/new"))), Err(DriveError::NotFound));
        }
        assert_eq!(content(&drive, &names("folder/secret")), Err(DriveError::NotFound));
        assert_eq!(drive.format(), Ok(()));
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 4);
        assert_eq!(fs::read(outside.join("secret")).unwrap(), b"outside");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    }
}

#[test]
fn a_link_put_in_place_meanwhile_leads_nowhere() {
    for case in [NameCase::Told, NameCase::Folded] {
        let (around, directory, outside) = beside_a_secret();
        let mut drive = opened(&directory, case);
        drive.create_folder(&names("x")).unwrap();
        save(&mut drive, &names("x/secret"), b"inside").unwrap();
        save(&mut drive, &names("file"), b"inside").unwrap();
        let (link, file_link) = (around.path().join("link"), around.path().join("file link"));
        symlink(&outside, &link).unwrap();
        symlink(outside.join("secret"), &file_link).unwrap();
        let done = AtomicBool::new(false);
        let exchange = |one: &MachinePath, two: &MachinePath| {
            renameat_with(CWD, one, CWD, two, RenameFlags::EXCHANGE).unwrap();
        };
        let mut seen = [0_u32; 2];
        std::thread::scope(|scope| {
            let _ended = Ended(&done);
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    exchange(&link, &directory.join("x"));
                    exchange(&file_link, &directory.join("file"));
                }
            });
            for round in 0..100_000 {
                if round >= 200 && seen.iter().all(|times| *times >= 20) {
                    break;
                }
                for path in ["x/secret", "file"] {
                    match content(&drive, &names(path)) {
                        Ok(octets) => {
                            assert_eq!(octets, b"inside");
                            seen[0] += 1;
                        }
                        Err(error) => {
                            assert_eq!(error, DriveError::NotFound);
                            seen[1] += 1;
                        }
                    }
                }
                let _ = drive.create_folder(&names("x/new"));
                let _ = drive.remove_folder(&names("x/new"));
                let _ = drive.remove_file(&names("x/other"));
                let _ = save(&mut drive, &names("x/other"), b"1");
                let _ = drive.rename(&names("x/other"), &names("x/another"));
                let _ = drive.remove_file(&names("x/another"));
            }
        });
        assert!(seen.iter().all(|times| *times > 0), "nothing was exchanged meanwhile: {seen:?}");
        assert_eq!(fs::read(outside.join("secret")).unwrap(), b"outside");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    }
}

#[test]
fn special_files_are_neither_opened_nor_listed() {
    let directory = TempDir::new().unwrap();
    let mut drive = opened(directory.path(), NameCase::Told);
    mknodat(CWD, directory.path().join("a.jpg"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(directory.path().join("b.jpg")).unwrap();
    for file in ["a.jpg", "b.jpg"] {
        assert_eq!(content(&drive, &names(file)), Err(DriveError::NotFound));
        assert_eq!(save(&mut drive, &names(file), b"1"), Err(DriveError::Taken));
        assert_eq!(drive.remove_file(&names(file)), Err(DriveError::NotFound));
    }
    assert_eq!(listed(&drive, "/"), ["Audio", "Picture", "Video", "VideoCall"]);
}

#[test]
fn a_fifo_put_in_a_files_place_meanwhile_blocks_nobody() {
    let directory = TempDir::new().unwrap();
    let mut drive = opened(directory.path(), NameCase::Told);
    save(&mut drive, &names("file"), b"inside").unwrap();
    let (fifo, file) = (directory.path().join(".fifo"), directory.path().join("file"));
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _ended = Ended(&done);
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                renameat_with(CWD, &fifo, CWD, &file, RenameFlags::EXCHANGE).unwrap();
            }
        });
        for _ in 0..2_000 {
            match content(&drive, &names("file")) {
                Ok(octets) => assert_eq!(octets, b"inside"),
                Err(error) => assert_eq!(error, DriveError::NotFound),
            }
        }
    });
}

#[test]
fn names_that_are_none_on_a_drive_are_not_listed_but_count() {
    for case in [NameCase::Told, NameCase::Folded] {
        let directory = TempDir::new().unwrap();
        for (name, octets) in [(&b"a\xff.jpg"[..], 7), (b".hidden", 5), (b"a;b", 3), (b"good", 1)] {
            fs::write(directory.path().join(OsStr::from_bytes(name)), vec![b'x'; octets]).unwrap();
        }
        fs::create_dir(directory.path().join(OsStr::from_bytes(b"\xfe"))).unwrap();
        fs::write(directory.path().join(OsStr::from_bytes(b"\xfe/\xfe")), [b'x'; 20]).unwrap();
        let mut drive = opened(directory.path(), case);
        assert_eq!(listed(&drive, "/"), ["good"]);
        assert_eq!(used(&drive), 36);
        assert_eq!(save(&mut drive, &names("more"), &[b'x'; 965]), Err(DriveError::Full));
        assert_eq!(save(&mut drive, &names("more"), &[b'x'; 964]), Ok(()));
        // A folder that only looks empty is kept with what is in it.
        drive.create_folder(&names("folder")).unwrap();
        fs::write(directory.path().join("folder/.hidden"), b"").unwrap();
        assert_eq!(listed(&drive, "folder"), [""; 0]);
        assert_eq!(drive.remove_folder(&names("folder")), Err(DriveError::NotEmpty));
    }
}

#[test]
fn two_names_on_disk_that_are_one_on_the_card_are_one() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("a"), b"small").unwrap();
    fs::write(directory.path().join("A"), b"capital").unwrap();
    let mut drive = opened(directory.path(), NameCase::Folded);
    assert_eq!(listed(&drive, "/"), ["A"]);
    assert_eq!(content(&drive, &names("a")).unwrap(), b"capital");
    assert_eq!(drive.rename(&names("a"), &names("a")), Err(DriveError::Taken));
    assert_eq!(drive.remove_file(&names("a")), Ok(()));
    assert_eq!(content(&drive, &names("A")).unwrap(), b"small");
}

#[test]
fn the_size_is_never_exceeded_by_what_is_done_through_the_drive() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("there"), [b'x'; 400]).unwrap();
    let mut drive = opened(directory.path(), NameCase::Told);
    let mut stagings = [drive.stage().unwrap(), drive.stage().unwrap()];
    for staging in &mut stagings {
        let staged = staging.create(&name("staged")).unwrap();
        staging.write(staged, &[b'x'; 300]).unwrap();
    }
    for staging in &mut stagings {
        assert_eq!(staging.write(StagedFile::nth(0), b"1"), Err(DriveError::Full));
        assert_eq!(staging.write(StagedFile::nth(0), b""), Ok(()));
    }
    assert_eq!(drive.space(), Ok(Space { total: 1_000, used: 1_000 }));
    let [one, two] = stagings;
    one.publish_file(&names("one")).unwrap();
    assert_eq!(save(&mut drive, &names("two"), b"1"), Err(DriveError::Full));
    drop(two);
    assert_eq!(used(&drive), 700);
    // What others take out makes room without being asked for.
    fs::remove_file(directory.path().join("there")).unwrap();
    assert_eq!(save(&mut drive, &names("two"), &[b'x'; 700]), Ok(()));
    drop(drive);
    // A drive may be made smaller than what is in it.
    let mut drive = DirectoryDrive::open(directory.path(), NameCase::Told, 10).unwrap();
    assert_eq!(drive.space(), Ok(Space { total: 10, used: 1_000 }));
    assert_eq!(save(&mut drive, &names("three"), b"1"), Err(DriveError::Full));
    assert_eq!(drive.format(), Ok(()));
    assert_eq!(save(&mut drive, &names("three"), &[b'x'; 10]), Ok(()));
}

#[test]
fn leftovers_of_a_killed_process_are_cleared() {
    let (_around, directory, outside) = beside_a_secret();
    fs::write(directory.join("kept"), b"1234").unwrap();
    fs::create_dir_all(directory.join(".mailmodem-staging-0/deep/er")).unwrap();
    fs::write(directory.join(".mailmodem-staging-0/deep/er/file"), b"left").unwrap();
    symlink(&outside, directory.join(".mailmodem-staging-0/link")).unwrap();
    symlink(&outside, directory.join(".mailmodem-staging-1")).unwrap();
    fs::write(directory.join(".mailmodem-staging-2"), b"left").unwrap();
    let mut drive = opened(&directory, NameCase::Told);
    let left: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["kept"], "and no first folders: the drive is not fresh");
    assert_eq!(used(&drive), 4);
    assert_eq!(fs::read(outside.join("secret")).unwrap(), b"outside");
    // What someone puts in the way of a staging is left alone while the drive is in use.
    symlink(&outside, directory.join(".mailmodem-staging-0")).unwrap();
    assert_eq!(save(&mut drive, &names("saved"), b"1"), Ok(()));
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[test]
fn a_staging_is_unseen_until_it_is_published_whole() {
    let directory = TempDir::new().unwrap();
    let mut drive = opened(directory.path(), NameCase::Told);
    let mut staging = drive.stage().unwrap();
    for file in ["EMAIL000.TXT", "photo.jpg"] {
        let staged = staging.create(&name(file)).unwrap();
        staging.write(staged, file.as_bytes()).unwrap();
    }
    assert_eq!(listed(&drive, "/"), ["Audio", "Picture", "Video", "VideoCall"]);
    drive.format().unwrap();
    staging.publish_folder(&names("Mail")).unwrap();
    assert_eq!(listed(&drive, "Mail"), ["EMAIL000.TXT", "photo.jpg"]);
    assert_eq!(content(&drive, &names("Mail/photo.jpg")).unwrap(), b"photo.jpg");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 5);
}

#[test]
fn a_directory_is_one_drive_at_a_time() {
    let directory = TempDir::new().unwrap();
    let again =
        || DirectoryDrive::open(directory.path(), NameCase::Folded, 1_000).map_err(|error| error.kind());
    let mut drive = opened(directory.path(), NameCase::Told);
    assert_eq!(again().err(), Some(ErrorKind::ResourceBusy));
    let staging = drive.stage().unwrap();
    drop(drive);
    assert_eq!(again().err(), Some(ErrorKind::ResourceBusy), "its staging would be cleared");
    drop(staging);
    assert!(again().is_ok());
}

#[test]
fn a_removed_directory_is_gone() {
    let around = TempDir::new().unwrap();
    let directory = around.path().join("drive");
    assert_eq!(
        DirectoryDrive::open(&directory, NameCase::Told, 1).err().map(|error| error.kind()),
        Some(ErrorKind::NotFound)
    );
    fs::create_dir(&directory).unwrap();
    let mut drive = opened(&directory, NameCase::Told);
    let mut staging = drive.stage().unwrap();
    let staged = staging.create(&name("a")).unwrap();
    fs::remove_dir_all(&directory).unwrap();
    // A directory of the same name is another one.
    fs::create_dir(&directory).unwrap();
    let gone = Some(DriveError::Gone);
    assert_eq!(drive.list(&[]).err(), gone);
    assert_eq!(drive.entry(&names("Picture")).err(), gone);
    assert_eq!(drive.open(&names("a")).err(), gone);
    assert_eq!(drive.space().err(), gone);
    assert_eq!(drive.create_folder(&names("a")).err(), gone);
    assert_eq!(drive.remove_folder(&names("Picture")).err(), gone);
    assert_eq!(drive.remove_file(&names("a")).err(), gone);
    assert_eq!(drive.rename(&names("Picture"), &names("a")).err(), gone);
    assert_eq!(drive.stage().err(), gone);
    assert_eq!(drive.format().err(), gone);
    assert_eq!(staging.create(&name("b")).err(), gone);
    // What is written is held, or goes into a file without a name; publishing says that it is lost.
    assert_eq!(staging.write(staged, b"1"), Ok(()));
    assert_eq!(staging.publish_folder(&names("Mail")).err(), gone);
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
}

#[test]
fn an_open_file_stays_readable_and_as_long_as_it_was() {
    let directory = TempDir::new().unwrap();
    let mut drive = opened(directory.path(), NameCase::Told);
    save(&mut drive, &names("a"), b"12345").unwrap();
    let mut open = drive.open(&names("a")).unwrap();
    fs::write(directory.path().join("a"), b"123456789").unwrap();
    drive.remove_file(&names("a")).unwrap();
    save(&mut drive, &names("a"), b"another").unwrap();
    assert_eq!(open.octets(), 5);
    let mut buffer = [0; 3];
    assert_eq!((open.read(&mut buffer), &buffer), (Ok(3), b"123"));
    assert_eq!(open.read(&mut buffer), Ok(2));
    assert_eq!(open.read(&mut buffer), Ok(0));
}

#[test]
fn the_time_of_a_file_is_the_machines() {
    let directory = TempDir::new().unwrap();
    let file = fs::File::create(directory.path().join("a")).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_209_378_286)).unwrap();
    let kind = Kind::File { octets: 0, modified_s: 1_209_378_286 };
    let drive = opened(directory.path(), NameCase::Told);
    assert_eq!(drive.entry(&names("a")), Ok(Entry { name: name("a"), kind }));
}

#[test]
fn folders_moved_into_folders_stay_countable() {
    let directory = TempDir::new().unwrap();
    let mut drive = opened(directory.path(), NameCase::Told);
    let deep: Vec<Name> = vec![name("a"); 100];
    for depth in 1..=deep.len() {
        drive.create_folder(&deep[..depth]).unwrap();
    }
    let mut other = vec![name("b")];
    while other.len() <= 40 {
        drive.create_folder(&other).unwrap();
        other.push(name("b"));
    }
    assert_eq!(drive.rename(&deep[..1], &other), Err(DriveError::Full));
    assert_eq!(drive.rename(&deep[..1], &other[..20]), Err(DriveError::Taken));
    let beside: Vec<Name> = other[..19].iter().cloned().chain([name("c")]).collect();
    assert_eq!(drive.rename(&deep[..1], &beside), Ok(()));
    assert_eq!(used(&drive), 0);
    assert_eq!(drive.format(), Ok(()));
    assert_eq!(listed(&drive, "/"), ["Audio", "Picture", "Video", "VideoCall"]);
}
