//! The real binary is killed while it takes files, saves mails and delivers them, on real directories. What is there
//! afterwards is whole, and the drive's account of it agrees with the disk.
//!
//! `MAILMODEM_KILLS=500 cargo test -p mailmodem --test kills -- --nocapture` has it killed more often, and says how often
//! something was there.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that panics fails, as it should"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// How often it is killed when nothing is said.
const KILLS: u32 = 30;

/// Within what time of its start.
const LIFE_MS_MAX: u64 = 250;

/// What a mail that is sent has attached: larger than what is written at once anywhere.
const ATTACHED_OCTETS: usize = 300_000;

/// Octets that a file of this size has, and no other.
fn content(octets: usize) -> Vec<u8> {
    (0..octets).map(|at| (at.wrapping_mul(7).wrapping_add(octets) % 251).to_le_bytes()[0]).collect()
}

/// What is typed at each start: a file that is received, a mail that goes out with it, a mail that is saved.
fn session(start: u32) -> Vec<u8> {
    let mut typed = Vec::new();
    for round in 0..8 {
        let octets = 100_000 + 1_000 * (start as usize % 50) + round;
        typed.extend(format!("ATE0\rAT+CFTRANRX=\"C:/Video/{octets}\",{octets}\r").bytes());
        typed.extend(content(octets));
        typed.extend(
            format!("AT+SMTPFILE=1,\"C:/{ATTACHED_OCTETS}\"\rAT+SMTPSEND\rAT+POP3IN\rAT+POP3GET=1,3\r")
                .bytes(),
        );
        // The session stays open: a mail that is being saved is not stopped by what is typed next. The file of the
        // round before goes, so that from the first one on there is always one to be seen.
        if round > 0 {
            typed.extend(format!("AT+FSDEL=\"C:/Video/{}\"\r", octets - 1).bytes());
        }
    }
    typed
}

/// Runs the console on what is typed, and kills it after a while; to its end without.
fn run(directory: &Path, typed: &[u8], life: Option<Duration>) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mailmodem"))
        .args(["console", "--dir"])
        .arg(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let typed = typed.to_vec();
    // It is killed while it still reads; what it does not take any more is no failure.
    let typist = thread::spawn(move || drop(stdin.write_all(&typed)));
    let reader = thread::spawn(move || {
        let mut shown = Vec::new();
        stdout.read_to_end(&mut shown).unwrap();
        String::from_utf8_lossy(&shown).into_owned()
    });
    if let Some(life) = life {
        thread::sleep(life);
        child.kill().unwrap();
    }
    child.wait().unwrap();
    typist.join().unwrap();
    reader.join().unwrap()
}

/// Every file below, with its path there.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut left = vec![directory.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else {
                let name = path.strip_prefix(directory).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read(path).unwrap());
            }
        }
    }
    files
}

/// The mails that the mailbox has, as POP3 hands them out: without what the mailbox itself put in front.
fn delivered(directory: &Path) -> Vec<Vec<u8>> {
    let mails = files(&directory.join("mail")).into_iter();
    let mails = mails.filter(|(name, _)| name.contains("/new/") && name.contains("kept"));
    mails
        .map(|(name, mail)| {
            let mail = String::from_utf8(mail).unwrap().replace("\r\n", "\n").replace('\n', "\r\n");
            let handed_out = mail.strip_prefix("Return-Path: <a@b>\r\nDelivered-To: to@kept\r\n");
            handed_out.unwrap_or_else(|| panic!("{name} has no envelope")).into()
        })
        .collect()
}

/// What a drive says is used, and what is there.
fn assert_account(directory: &Path) {
    // Its start clears what a killed process left; nothing is left aside then.
    let shown = run(directory, b"ATE0\rAT+FSMEM\r", None);
    let (_, used) = shown.split_once("+FSMEM: C:(134217728, ").unwrap_or_else(|| panic!("{shown}"));
    let used: u64 = used.split(')').next().unwrap().parse().unwrap();
    let there: u64 = files(&directory.join("drive-c")).values().map(|file| file.len() as u64).sum();
    assert_eq!(used, there, "what the drive says is used, and what is on the disk");
}

#[test]
fn what_a_killed_modem_leaves_is_whole() {
    let kills = std::env::var("MAILMODEM_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let home = tempfile::tempdir().unwrap();
    let directory = home.path();
    // Everything is made, and one mail is saved as it is to be.
    let attached = content(ATTACHED_OCTETS);
    let mut first = format!("ATE0\rAT+CFTRANRX=\"C:/{ATTACHED_OCTETS}\",{ATTACHED_OCTETS}\r").into_bytes();
    first.extend(&attached);
    let settings = "AT+SMTPSRV=\"x\"\rAT+SMTPFROM=\"a@b\"\rAT+SMTPRCPT=0,0,\"to@kept\"\rAT+SMTPBODY=\"text\"\r\
                    AT+POP3SRV=\"x\",\"to@kept\",\"pwd\"\r";
    first.extend(settings.bytes());
    first.extend(format!("AT+SMTPFILE=1,\"C:/{ATTACHED_OCTETS}\"\rAT+SMTPSEND\r").bytes());
    let shown = run(directory, &first, None);
    assert!(shown.contains("+SMTP: SUCCESS"), "{shown}");
    let shown = run(directory, format!("{settings}AT+POP3IN\rAT+POP3GET=1,1\r").as_bytes(), None);
    assert!(shown.contains("EMAIL000.TXT"), "{shown}");

    let (mut received, mut attachments, mut as_they_came) = (0, 0, 0);
    for start in 0..kills {
        let life = Duration::from_millis(u64::from(start.wrapping_mul(2_654_435_761) >> 8) % LIFE_MS_MAX);
        let mut typed = settings.as_bytes().to_vec();
        typed.extend(session(start));
        run(directory, &typed, Some(life));
        assert_account(directory);
        let mails = delivered(directory);
        for (name, octets) in files(&directory.join("drive-c")) {
            if let Some(size) = name.strip_prefix("Video/") {
                assert!(octets == content(size.parse().unwrap()), "{name} is not what was sent");
                received += 1;
            } else if name.starts_with("Email/") && name.ends_with(&ATTACHED_OCTETS.to_string()) {
                assert!(octets == attached, "{name} is not what was attached");
                attachments += 1;
            } else if name.starts_with("Email/") && name.ends_with(".eml") {
                assert!(mails.contains(&octets), "{name} is no mail of the mailbox");
                as_they_came += 1;
            } else if name.starts_with("Email/") && name.ends_with(".TXT") {
                let folder = Path::new(&name).parent().unwrap();
                let beside = directory.join("drive-c").join(folder).join(ATTACHED_OCTETS.to_string());
                assert!(beside.exists(), "{name} is there without its attachment");
            }
        }
        // What was saved is not counted again, and the drive does not fill.
        fs::remove_dir_all(directory.join("drive-c/Email")).unwrap();
        fs::create_dir(directory.join("drive-c/Email")).unwrap();
        for (name, _) in files(&directory.join("drive-c/Video")) {
            fs::remove_file(directory.join("drive-c/Video").join(name)).unwrap();
        }
        // What was delivered is whole.
        for mail in mails {
            assert!(mail.ends_with(b"--\r\n"), "a mail of {} octets has no end", mail.len());
            assert!(mail.len() > ATTACHED_OCTETS, "a mail has only {} octets", mail.len());
        }
    }
    eprintln!(
        "{kills} kills; files there: {received} received, {attachments} saved from a mail, \
         {as_they_came} mails saved as they came"
    );
    // Otherwise no kill was late enough for anything to be seen.
    assert!(kills < KILLS || (received > 0 && attachments > 0 && as_they_came > 0));
}
