use super::*;
use crate::limits::{FILE_BUFFER_OCTETS, MAILDROP_MAILBOXES_MAX, MAILDROP_MAILS_MAX};
use ::mail::limits::CHUNK_OCTETS;
use proptest::prelude::*;
use sandbox::mailbox::{MemoryMailboxes, is_for};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Mutex;

fn envelope(recipients: &[&str]) -> Envelope {
    Envelope {
        sender: "mike@server.com".to_owned(),
        recipients: recipients.iter().map(ToString::to_string).collect(),
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_mail_is_in_every_mailbox_once_it_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let maildirs = Maildirs::new(directory.path().to_owned(), {
        let told = Arc::clone(&told);
        move |file| told.lock().unwrap().push(file.to_owned())
    });
    let mut delivery = maildirs.begin(envelope(&["To@x.y", "cc@x.y", "to@X.Y"])).unwrap();
    delivery.write(b"Subject: s\r\n").unwrap();
    delivery.write(b"\r\ntext\r\n").unwrap();
    for name in ["to@x.y", "cc@x.y"] {
        assert_eq!(files(&directory.path().join(name).join("new")), Vec::<PathBuf>::new());
    }
    delivery.commit().unwrap();
    for (name, address) in [("to@x.y", "To@x.y"), ("cc@x.y", "cc@x.y")] {
        let mailbox = directory.path().join(name);
        let new = files(&mailbox.join("new"));
        assert_eq!(new.len(), 1);
        let expected = format!(
            "Return-Path: <mike@server.com>\r\nDelivered-To: {address}\r\nSubject: s\r\n\r\ntext\r\n"
        );
        assert_eq!(fs::read_to_string(&new[0]).unwrap(), expected);
        assert!(told.lock().unwrap().contains(&new[0]));
        assert!(mailbox.join("cur").is_dir() && files(&mailbox.join("tmp")).is_empty());
    }
    assert_eq!(told.lock().unwrap().len(), 2);
}

#[test]
fn what_is_not_committed_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let maildirs = Maildirs::new(directory.path().to_owned(), |_| panic!("nothing was delivered"));
    let mut delivery = maildirs.begin(envelope(&["a@b"])).unwrap();
    delivery.write(&[b'x'; 3 * FILE_BUFFER_OCTETS]).unwrap();
    let mailbox = directory.path().join("a@b");
    assert_eq!(files(&mailbox.join("tmp")).len(), 1);
    drop(delivery);
    assert!(files(&mailbox.join("tmp")).is_empty() && files(&mailbox.join("new")).is_empty());
}

#[test]
fn a_mail_that_one_mailbox_cannot_take_is_in_none() {
    let directory = tempfile::tempdir().unwrap();
    let maildirs = Maildirs::new(directory.path().to_owned(), |_| panic!("nothing was delivered"));
    fs::write(directory.path().join("broken@x"), "a file where a Maildir should be").unwrap();
    let mut delivery = maildirs.begin(envelope(&["whole@x", "broken@x"])).unwrap();
    delivery.write(b"text\r\n").unwrap();
    assert!(delivery.commit().is_err());
    let whole = directory.path().join("whole@x");
    assert!(files(&whole.join("new")).is_empty() && files(&whole.join("tmp")).is_empty());
}

#[test]
fn names_of_mailboxes() {
    for (address, name) in [
        ("ToAddr@server.com", "toaddr@server.com"),
        ("..", "%2E."),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
        ("\"a b\"@x", "%22a%20b%22@x"),
        ("50%@x", "50%25@x"),
        ("\u{fc}@x", "%C3%BC@x"),
    ] {
        assert_eq!(directory_name(address).as_deref(), Some(name));
    }
    assert_eq!(directory_name(""), None);
    assert_eq!(directory_name(&"/".repeat(MAILBOX_NAME_OCTETS_MAX / 3 + 1)), None);
}

fn maildirs(directory: &Path) -> Maildirs {
    Maildirs::new(directory.to_owned(), |_| {})
}

fn deliver(mailboxes: &dyn Mailboxes, recipients: &[&str], octets: &[u8]) {
    let mut delivery = mailboxes.begin(envelope(recipients)).unwrap();
    delivery.write(octets).unwrap();
    delivery.commit().unwrap();
}

/// Another program puts a file into a Maildir.
fn put(mailbox: &Path, part: &str, name: &str, octets: &[u8]) {
    create_private_directory(&mailbox.join(part)).unwrap();
    fs::write(mailbox.join(part).join(name), octets).unwrap();
}

fn fetch(maildrop: &mut dyn Maildrop, id: u32) -> Vec<u8> {
    let mut text = maildrop.open(id).unwrap();
    let mut octets = Vec::new();
    loop {
        let portion = text.read().unwrap();
        if portion.is_empty() {
            return octets;
        }
        assert!(portion.len() <= CHUNK_OCTETS);
        octets.extend(portion);
    }
}

/// Everything a user has; the sizes listed are those of what comes.
fn fetch_all(mailboxes: &dyn Mailboxes, user: &str) -> Vec<Vec<u8>> {
    let mut maildrop = mailboxes.maildrop(user).unwrap();
    let listed = maildrop.mails();
    let fetched: Vec<_> = (1..).zip(&listed).map(|(id, _)| fetch(&mut *maildrop, id)).collect();
    for (octets, listed) in fetched.iter().zip(&listed) {
        assert_eq!(octets.len() as u64, listed.octets);
    }
    fetched
}

fn unique(maildirs: &Maildirs, user: &str) -> Vec<String> {
    maildirs.maildrop(user).unwrap().mails().into_iter().map(|mail| mail.unique).collect()
}

#[test]
fn mail_is_fetched_as_it_was_sent() {
    let directory = tempfile::tempdir().unwrap();
    let maildirs = maildirs(directory.path());
    let long =
        [&b"Return-Path: <x>\r\nDelivered-To: y\r\n\r\n"[..], &b"line\r\n".repeat(CHUNK_OCTETS)].concat();
    let sent = [&b"Subject: 1\r\n\r\nbare\nLF\r\n"[..], &long, b""];
    for octets in sent {
        deliver(&maildirs, &["To@x.y"], octets);
    }
    assert_eq!(fetch_all(&maildirs, "to@x.y"), sent);
    assert_eq!(fetch_all(&maildirs, "TO"), sent);
    for nobody in ["to@x.z", "", &"/".repeat(300)] {
        assert_eq!(fetch_all(&maildirs, nobody), Vec::<Vec<u8>>::new());
    }
}

#[test]
fn mail_of_other_programs_comes_with_crlf_and_oldest_first() {
    let directory = tempfile::tempdir().unwrap();
    let mailbox = directory.path().join("to@x");
    let long = b"\n".repeat(CHUNK_OCTETS);
    for (part, name, octets) in [
        ("new", "1000000000.P1.host", &long[..]),
        ("cur", "999999999.P1.host:2,S", b"Return-Path: <a@b>\nDelivered-To: c\n\nt"),
        ("cur", "1000000000.P0.host:2,", b"a\r\nb\rc\n\r\n\n"),
        ("new", "no time", b""),
        ("new", ".hidden", b"none"),
        ("tmp", "1.P1.host", b"none yet"),
    ] {
        put(&mailbox, part, name, octets);
    }
    let expected = [
        b"".to_vec(),
        b"Return-Path: <a@b>\r\nDelivered-To: c\r\n\r\nt".to_vec(),
        b"a\r\nb\rc\r\n\r\n\r\n".to_vec(),
        b"\r\n".repeat(CHUNK_OCTETS),
    ];
    assert_eq!(fetch_all(&maildirs(directory.path()), "to"), expected);
}

#[test]
fn links_and_special_files_are_no_mails() {
    let directory = tempfile::tempdir().unwrap();
    let mailbox = directory.path().join("to@x");
    fs::write(directory.path().join("secret"), "not mail").unwrap();
    put(&mailbox, "new", "1.mail", b"mail\r\n");
    create_private_directory(&mailbox.join("new/2.directory")).unwrap();
    symlink(directory.path().join("secret"), mailbox.join("new/3.link")).unwrap();
    symlink("1.mail", mailbox.join("new/4.link")).unwrap();
    symlink("new", mailbox.join("cur")).unwrap();
    symlink("to@x", directory.path().join("to@y")).unwrap();
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, mailbox.join("new/5.fifo"), fifo, 0o600.into(), 0).unwrap();
    assert_eq!(fetch_all(&maildirs(directory.path()), "to"), [b"mail\r\n"]);
}

#[test]
fn what_is_removed_is_gone_and_copies_of_others_stay() {
    let directory = tempfile::tempdir().unwrap();
    let maildirs = maildirs(directory.path());
    for octets in [b"1", b"2", b"3"] {
        deliver(&maildirs, &["a@x", "b@x"], octets);
    }
    let before = unique(&maildirs, "a");
    let maildrop = maildirs.maildrop("a").unwrap();
    deliver(&maildirs, &["a@x"], b"4");
    assert_eq!(maildrop.mails().len(), 3);
    // Dropped without QUIT: nothing has changed.
    drop(maildrop);
    maildirs.maildrop("a").unwrap().remove(&[1, 3, 3, 0, 9]).unwrap();
    assert_eq!(fetch_all(&maildirs, "a"), [b"2", b"4"]);
    assert_eq!(fetch_all(&maildirs, "b"), [b"1", b"2", b"3"]);
    assert_eq!(unique(&maildirs, "a@x")[0], before[1]);
}

#[test]
fn a_mail_program_may_move_and_remove_mails_meanwhile() {
    let directory = tempfile::tempdir().unwrap();
    let mailbox = directory.path().join("a@x");
    let maildirs = maildirs(directory.path());
    for (name, octets) in [("1.a", b"1"), ("2.b", b"2"), ("3.c", b"3")] {
        put(&mailbox, "new", name, octets);
    }
    let before = unique(&maildirs, "a");
    let mut maildrop = maildirs.maildrop("a").unwrap();
    create_private_directory(&mailbox.join("cur")).unwrap();
    for name in ["1.a", "2.b"] {
        fs::rename(mailbox.join("new").join(name), mailbox.join("cur").join(format!("{name}:2,S"))).unwrap();
    }
    fs::remove_file(mailbox.join("new/3.c")).unwrap();
    assert_eq!(fetch(&mut *maildrop, 1), b"1");
    assert!([0, 3, 4].into_iter().all(|id| maildrop.open(id).is_err()));
    maildrop.remove(&[1, 3]).unwrap();
    assert_eq!(fetch_all(&maildirs, "a"), [b"2"]);
    assert_eq!(unique(&maildirs, "a"), before[1..2]);
}

#[test]
fn unique_identifiers_are_short_printable_and_unique() {
    let directory = tempfile::tempdir().unwrap();
    let long = format!("1.{}", "\u{e9} ".repeat(80));
    for mailbox in ["a@x", "a@y"] {
        for name in ["1.same", &long] {
            put(&directory.path().join(mailbox), "new", name, b"");
        }
    }
    let unique = unique(&maildirs(directory.path()), "a");
    let others: BTreeSet<_> = unique.iter().collect();
    assert_eq!((unique.len(), others.len()), (4, 4));
    assert!(unique.iter().all(|id| id.len() <= 70 && id.bytes().all(|b| b.is_ascii_graphic())));
}

#[test]
fn one_session_at_a_time_here_and_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let (here, elsewhere) = (maildirs(directory.path()), maildirs(directory.path()));
    let empty = here.maildrop("a").unwrap();
    assert_eq!(here.maildrop("a@x").err(), Some(NotOpened::InUse));
    drop(empty);
    deliver(&here, &["a@x", "a@y"], b"1");
    let session = here.maildrop("a@x").unwrap();
    for user in ["a", "A@X"] {
        for maildirs in [&here, &elsewhere] {
            assert_eq!(maildirs.maildrop(user).err(), Some(NotOpened::InUse));
        }
    }
    for user in ["a@y", "b"] {
        for maildirs in [&here, &elsewhere] {
            assert!(maildirs.maildrop(user).is_ok());
        }
    }
    session.remove(&[1]).unwrap();
    assert_eq!(fetch_all(&elsewhere, "a"), [b"1"]);
}

#[test]
fn a_directory_that_cannot_be_read_is_no_empty_maildrop() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("mail");
    fs::write(&file, "a file where Maildirs should be").unwrap();
    assert!(matches!(maildirs(&file).maildrop("a").err(), Some(NotOpened::NotServed(_))));
}

#[test]
fn the_oldest_of_too_many_are_seen() {
    let directory = tempfile::tempdir().unwrap();
    for mailbox in 0..MAILDROP_MAILBOXES_MAX + 2 {
        put(&directory.path().join(format!("a@{mailbox:04}")), "new", "1.x", b"mail");
    }
    let maildirs = maildirs(directory.path());
    assert_eq!(fetch_all(&maildirs, "a").len(), MAILDROP_MAILBOXES_MAX);
    let mailbox = directory.path().join("b@x");
    for mail in (1..=MAILDROP_MAILS_MAX + 1).rev() {
        put(&mailbox, "cur", &format!("{mail}.x:2,"), b"");
    }
    fs::write(mailbox.join("cur/1.x:2,"), "oldest").unwrap();
    let mut maildrop = maildirs.maildrop("b").unwrap();
    assert_eq!(maildrop.mails().len(), MAILDROP_MAILS_MAX);
    assert_eq!(fetch(&mut *maildrop, 1), b"oldest");
}

/// What is done to mailboxes.
#[derive(Clone, Debug)]
enum Step {
    Deliver(Vec<&'static str>, Vec<u8>),
    Remove(&'static str, Vec<u32>),
}

fn any_step() -> impl Strategy<Value = Step> {
    let recipients = prop::collection::vec(prop::sample::select(&["a@x", "A@y", "b@x"][..]), 1..4);
    let octets = prop::collection::vec(prop::sample::select(&b"x\r\n."[..]), 0..20);
    let user = prop::sample::select(&["a", "a@x", "a@y", "b"][..]);
    prop_oneof![
        (recipients, octets).prop_map(|(recipients, octets)| Step::Deliver(recipients, octets)),
        (user, prop::collection::vec(1..5_u32, 0..3)).prop_map(|(user, ids)| Step::Remove(user, ids)),
    ]
}

proptest! {
    #[test]
    fn any_address_names_one_plain_directory(address in ".{1,80}") {
        let name = directory_name(&address).map(PathBuf::from);
        if let Some(name) = name {
            prop_assert_eq!(name.components().count(), 1);
            prop_assert_eq!(name.file_name(), Some(name.as_os_str()));
            prop_assert!(!name.to_str().unwrap().starts_with('.'));
        }
    }

    #[test]
    fn whom_mail_is_for_is_told_by_directories_too(
        user in "[aA.+@%/\u{e9}]{1,5}", address in "[aA.+@%/\u{e9}]{1,8}"
    ) {
        let names = directory_name(&user).zip(directory_name(&address));
        prop_assert_eq!(names.map(|(user, name)| is_for(&user, &name)), Some(is_for(&user, &address)));
    }

    #[test]
    fn maildirs_do_as_mailboxes_in_memory_do(steps in prop::collection::vec(any_step(), 0..8)) {
        let directory = tempfile::tempdir().unwrap();
        let (maildirs, memory) = (maildirs(directory.path()), MemoryMailboxes::default());
        for step in steps {
            for mailboxes in [&maildirs as &dyn Mailboxes, &memory] {
                match &step {
                    Step::Deliver(recipients, octets) => deliver(mailboxes, recipients, octets),
                    Step::Remove(user, ids) => mailboxes.maildrop(user).unwrap().remove(ids).unwrap(),
                }
            }
            for user in ["a", "a@x", "a@y", "b"] {
                prop_assert_eq!(fetch_all(&maildirs, user), fetch_all(&memory, user));
            }
        }
    }
}
