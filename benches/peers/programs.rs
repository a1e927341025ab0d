//! The peers that are programs of others, from Debian's packages: curl, msmtp, mpop, and ripmime beside the two that save
//! no attachments.

use crate::clients::Task;
use crate::content::{self, FILES, MAILS};
use crate::work::Work;
use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Has one of them do a work.
pub(crate) fn run(program: &str, task: &Task) {
    match program {
        "curl" => curl(task),
        "msmtp" => msmtp(task),
        _ => mpop(task),
    }
}

/// Whether a program is there.
pub(crate) fn is_there(program: &str) -> bool {
    let mut asked = Command::new(program);
    asked.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// The version line of a program.
pub(crate) fn version(program: &str) -> String {
    let output =
        Command::new(program).arg(if program == "ripmime" { "-V" } else { "--version" }).output().unwrap();
    let words =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let words: Vec<_> = words.split_whitespace().collect();
    let number = words
        .iter()
        .find(|word| word.trim_start_matches('v').starts_with(|first: char| first.is_ascii_digit()));
    format!("{program} {}", number.map_or("", |number| number.trim_end_matches(',')))
}

/// Makes what a program needs beside the files: mails composed before, and lists of what to ask for.
pub(crate) fn prepare(task: &Task) {
    let at = |name: &str| task.directory.join(name);
    match task.work {
        Work::SendLarge => {
            fs::write(at("text.txt"), content::text("\r\n")).unwrap();
            let mut mail = Vec::new();
            content::write_large_mail(task.octets_each, &mut mail).unwrap();
            // msmtp makes line ends, and dots, itself.
            let mail = String::from_utf8(mail).unwrap().replace("\r\n..", "\r\n.").replace("\r\n", "\n");
            fs::write(at("mail.eml"), mail).unwrap();
        }
        Work::SendSmall => {
            let mail = content::small_mail(1).replace("\r\n..", "\r\n.");
            fs::write(at("mail.eml"), mail.replace("\r\n", "\n")).unwrap();
            fs::write(at("mail-crlf.eml"), mail).unwrap();
        }
        Work::FetchLarge | Work::FetchSmall => {
            for folder in ["cur", "new", "tmp"] {
                fs::create_dir_all(at("maildir").join(folder)).unwrap();
            }
            let user = if task.work == Work::FetchLarge { "large" } else { "small" };
            let config = format!(
                "account default\nhost 127.0.0.1\nport {}\nuser {user}\npassword pwd\nauth user\ntls off\nkeep on\n\
                 delivery maildir {}\nuidls_file {}\n",
                task.port,
                at("maildir").display(),
                at("uidls").display()
            );
            let mut options = File::options();
            let file = options.write(true).create_new(true).mode(0o600).open(at("mpoprc")).unwrap();
            std::io::Write::write_all(&mut { file }, config.as_bytes()).unwrap();
        }
        Work::Headers => {
            let asked = |number| {
                format!("url = \"pop3://small:pwd@127.0.0.1:{}/\"\nrequest = \"TOP {number} 0\"\n", task.port)
            };
            let asked: Vec<_> = (1..=MAILS).map(asked).collect();
            fs::write(at("asked"), asked.join("next\nsilent\n")).unwrap();
        }
    }
}

/// Removes what was prepared, so that only what was fetched is looked at.
pub(crate) fn clear(task: &Task) {
    for name in ["mpoprc", "uidls", "mail.eml"] {
        // What was not made need not go.
        let _ = fs::remove_file(task.directory.join(name));
    }
}

/// curl, once for each mail that is sent. `-F` composes.
fn curl(task: &Task) {
    let curl = || {
        let mut command = Command::new("curl");
        command.args(["-sS", "-q"]).stdin(Stdio::null());
        command
    };
    let sending = || {
        let mut command = curl();
        command.arg(format!("smtp://127.0.0.1:{}", task.port));
        command.args(["--mail-from", "from@example.com", "--mail-rcpt", "to@example.com"]);
        command
    };
    let at = |name: &str| task.directory.join(name);
    match task.work {
        Work::SendLarge => {
            let mut command = sending();
            command.args([
                "-H",
                "Subject: five files",
                "-H",
                "From: from@example.com",
                "-H",
                "To: to@example.com",
            ]);
            command.arg("-F").arg(format!("=<{};type=text/plain", at("text.txt").display()));
            for number in 1..=FILES {
                let path = at(&content::file_name(number));
                let part = format!("=@{};type=application/octet-stream;encoder=base64", path.display());
                command.arg("-F").arg(part);
            }
            finish(&mut command);
        }
        Work::SendSmall => {
            for _ in 0..task.mails {
                finish(sending().arg("-T").arg(at("mail-crlf.eml")));
            }
        }
        Work::FetchLarge => {
            let mail = at("mail.eml");
            let url = format!("pop3://large:pwd@127.0.0.1:{}/1", task.port);
            finish(curl().arg(url).arg("-o").arg(&mail));
            ripmime(&mail, &task.directory);
        }
        Work::FetchSmall => {
            let url = format!("pop3://small:pwd@127.0.0.1:{}/[1-{MAILS}]", task.port);
            finish(curl().arg(url).arg("-o").arg(at("#1.eml")));
        }
        Work::Headers => {
            finish(curl().arg("-K").arg(at("asked")).stdout(File::create(at("headers")).unwrap()));
        }
    }
}

/// msmtp, once for each mail, which is composed before.
fn msmtp(task: &Task) {
    let mails = if task.work == Work::SendLarge { 1 } else { task.mails };
    for _ in 0..mails {
        let mut command = Command::new("msmtp");
        command.args(["--host=127.0.0.1", "--auth=off", "--tls=off", "--from=from@example.com"]);
        command.arg(format!("--port={}", task.port)).arg("to@example.com");
        finish(command.stdin(File::open(task.directory.join("mail.eml")).unwrap()));
    }
}

/// mpop, which asks for all mails at once, and saves them as they come.
fn mpop(task: &Task) {
    let mut command = Command::new("mpop");
    finish(command.arg("-q").arg("-C").arg(task.directory.join("mpoprc")).stdin(Stdio::null()));
    if task.work == Work::FetchLarge {
        for mail in content::files_in(&task.directory.join("maildir/new")) {
            ripmime(&mail, &task.directory);
        }
    }
}

fn ripmime(mail: &Path, directory: &Path) {
    finish(Command::new("ripmime").arg("-i").arg(mail).arg("-d").arg(directory).stdin(Stdio::null()));
}

fn finish(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?} failed");
}
