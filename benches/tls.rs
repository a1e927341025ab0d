//! What TLS costs the modem: the same work in clear and under TLS from the first octet, in turn.
//!
//! `cargo bench -p benches --bench tls`
//!
//! The works are those of the bench `peers`, with its server and on a file system in memory, where nothing waits for the
//! disk. Each time is of the whole process, from its start to its end. Of a thousand mails that go one by one, each on a
//! connection of its own, all but the first resume the session of the one before.
//!
//! Not here: how much it may be. That is for whoever reads the ratios.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a figure that cannot be taken is none"
)]

#[allow(dead_code, reason = "what the bench `peers` needs besides")]
#[path = "peers/content.rs"]
mod content;
#[allow(dead_code, reason = "what the bench `peers` needs besides")]
#[path = "peers/modem.rs"]
mod modem;
#[path = "peers/server.rs"]
mod server;

use modem::Modem;
use rcgen::{CertificateParams, KeyPair};
use scene::figures::{median, program, write_part};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// Of each of the five files: 10 MiB in all, the most that the modem sends.
pub(crate) const FILE_OCTETS: u64 = 2 * 1024 * 1024;
/// Tells a process of ours that it is the server, and where its certificate is.
const TASK: &str = "MAILMODEM_TLS_SERVER";
const ROUNDS: usize = 15;
const WORKS: [(&str, &str); 3] = [
    ("S1", "compose and send one mail, 10 MiB in 5 files"),
    ("P1", "fetch one 14 MB mail, save its text and its 5 files"),
    ("S2", "1,000 mails of 2 kB, a connection each"),
];

fn main() {
    if let Some(directory) = std::env::var_os(TASK) {
        return server::run(Some(&PathBuf::from(directory)));
    }
    let program = program().unwrap();
    let certificate = tempfile::tempdir().unwrap();
    make_certificate(certificate.path());
    let (mut server, ports) = start_server(certificate.path());
    let [smtp, _, pop3, _, smtp_tls, pop3_tls] = ports[..] else { panic!("the server has other ports") };
    let mut text = String::from(
        "By `cargo bench -p benches --bench tls`: medians of the whole process, in clear and under TLS in turn; the ratio \
         is the median of the rounds' own. The modem is a line of a service with a config here, which has more in memory than \
         the console of RESULTS.md.\n\n| | in clear ms | TLS ms | TLS takes | peak MiB in clear | peak MiB TLS |\n\
         |---|---:|---:|---:|---:|---:|",
    );
    for (work, words) in WORKS {
        let port = |is_tls: bool| match (work, is_tls) {
            ("P1", false) => pop3,
            ("P1", true) => pop3_tls,
            (_, false) => smtp,
            (_, true) => smtp_tls,
        };
        let (mut plains, mut secured, mut ratios, mut peaks) = (Vec::new(), Vec::new(), Vec::new(), [0, 0]);
        for round in 0..ROUNDS {
            eprint!("\r{work}: round {} of {ROUNDS} ", round + 1);
            let [(plain, plain_kb), (tls, tls_kb)] =
                [false, true].map(|is_tls| run(&program, work, port(is_tls), is_tls, certificate.path()));
            plains.push(plain);
            secured.push(tls);
            let [plain_most, tls_most] = peaks;
            peaks = [plain_kb.max(plain_most), tls_kb.max(tls_most)];
            ratios.push(tls / plain);
        }
        let [plain, tls] = [plains, secured].map(median);
        let [plain_mib, tls_mib] = peaks.map(|kb| f64::from(u32::try_from(kb).unwrap()) / 1024.0);
        write!(
            text,
            "\n| {work}: {words} | {plain:.1} | {tls:.1} | {:.2} × | {plain_mib:.1} | {tls_mib:.1} |",
            median(ratios)
        )
        .unwrap();
    }
    eprintln!();
    server.kill().unwrap();
    server.wait().unwrap();
    write_part("TLS", &text).unwrap();
}

/// One run of a work: milliseconds, and the most memory.
fn run(program: &Path, work: &str, port: u16, is_tls: bool, certificate: &Path) -> (f64, u64) {
    let home = tempfile::tempdir_in("/dev/shm").unwrap();
    modem::make_home(home.path(), (work == "S1").then_some(FILE_OCTETS));
    let config = home.path().join("mailmodem.toml");
    let tls = if is_tls {
        format!("tls = \"implicit\"\nca_file = {:?}", certificate.join("certificate"))
    } else {
        "tls = \"off\"".to_owned()
    };
    let words = format!(
        "data_dir = {:?}\n[logging]\nlevel = \"warn\"\n[[line]]\nname = \"line\"\nport = \"stdio\"\n\
         upstream = \"direct\"\ndir = {0:?}\n[[upstream]]\nname = \"bench\"\n{tls}\n",
        home.path()
    );
    fs::write(&config, words).unwrap();
    let begun = Instant::now();
    let mut modem = Modem::start(program, home.path(), Some(&config));
    match work {
        "S1" => modem.send_large(port),
        "S2" => drop(modem.send_small(port, content::MAILS)),
        _ => {
            modem.log_in("large", port);
            modem.fetch(1);
            modem.log_out();
        }
    }
    let (peak_kb, _) = modem.end();
    let ms = begun.elapsed().as_secs_f64() * 1e3;
    if work == "P1" {
        let email = fs::read_dir(home.path().join("drive-c/Email")).unwrap().next().unwrap().unwrap();
        content::check_files(&email.path(), FILE_OCTETS);
    }
    (ms, peak_kb)
}

fn make_certificate(directory: &Path) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(directory.join("certificate"), certificate.pem()).unwrap();
    fs::write(directory.join("key"), key.serialize_pem()).unwrap();
}

/// The server's process, and its ports.
fn start_server(certificate: &Path) -> (Child, Vec<u16>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(TASK, certificate).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut server = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (server, line.trim().split(' ').map(|port| port.parse().unwrap()).collect())
}
