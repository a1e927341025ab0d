//! What many lines take that send at once: how long until all of their mails are taken, and the memory of the process.
//!
//! `cargo bench -p benches --bench sending_lines`
//!
//! Each modem has a drive of its own, in a directory, and sends one mail with one attachment, over TCP on this machine.
//! The server takes everything and keeps nothing but counts. It is a process apart, so its memory is not the modems';
//! its processor time is, since both have the one machine.
//!
//! Not here: how long it may take. That goes to `benches/SCALE.md`, and depends on the machine; what must be right is that every mail
//! arrives.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a figure that cannot be taken is none"
)]

use mail::sasl::server::Claim;
use mail::smtp::command::Path as Mailbox;
use mail::smtp::server::{Reaction, Server, Service, Settings as ServerSettings};
use mailmodem::directory::DirectoryDrive;
use mailmodem::driver::Driver;
use mailmodem::link::serve;
use mailmodem::network::Network;
use mailmodem::port::octets;
use modem::clock::Calendar;
use modem::drive::Letter;
use modem::settings::Settings;
use scene::figures::{peak_kb, write_part};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::{TcpListener, TcpSocket};

/// How many modems send at once, a mail each, and the size of what is attached.
const ROWS: [(usize, u64); 4] = [(200, 100_000), (200, 1_000_000), (1_000, 100_000), (1_000, 1_000_000)];
/// Of a port in memory, how much is on the way at most.
const DUPLEX_OCTETS: usize = 256;
/// What a mail has besides its attachment is headers and a line of text.
const AROUND_OCTETS_MAX: u64 = 2_048;
/// Tells a process of ours what to send, and to which port.
const TASK: &str = "MAILMODEM_SENDING_LINES";

/// The sizes of the mails that arrived.
type Arrived = Arc<Mutex<Vec<u64>>>;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if let Ok(task) = std::env::var(TASK) {
        let [modems, octets, port] = task.split(' ').collect::<Vec<_>>()[..] else {
            panic!("no task: {task}")
        };
        return runtime.block_on(send_all(
            modems.parse().unwrap(),
            octets.parse().unwrap(),
            port.parse().unwrap(),
        ));
    }
    let arrived = Arrived::default();
    let listener = runtime.block_on(async { listen() }).unwrap();
    let port = listener.local_addr().unwrap().port();
    runtime.spawn(take_all(listener, Arc::clone(&arrived)));

    let mut text = String::from(
        "By `cargo bench -p benches --bench sending_lines`: so many lines of one process send a mail each at once, and each \
         is told SUCCESS.\n\n| mails | attachment | octets in all | seconds | mails a second | peak MiB |\n\
         |---:|---:|---:|---:|---:|---:|",
    );
    let mut around = BTreeSet::new();
    for (modems, attachment) in ROWS {
        // Memory once taken stays the peak: each row needs a process of its own.
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.env(TASK, format!("{modems} {attachment} {port}")).stderr(Stdio::inherit());
        let output = child.output().unwrap();
        assert!(output.status.success(), "not every modem sent its mail");
        let told = String::from_utf8(output.stdout).unwrap();
        let (seconds, peak_kb) = told.trim_end().split_once(' ').unwrap();
        let seconds: f64 = seconds.parse().unwrap();

        let mails = std::mem::take(&mut *arrived.lock().unwrap());
        assert_eq!(mails.len(), modems, "mails that arrived");
        let count = f64::from(u32::try_from(mails.len()).unwrap());
        let peak_mib = f64::from(peak_kb.parse::<u32>().unwrap()) / 1024.0;
        write!(
            text,
            "\n| {} | {attachment} | {} | {seconds:.2} | {:.0} | {peak_mib:.1} |",
            mails.len(),
            mails.iter().sum::<u64>(),
            count / seconds
        )
        .unwrap();
        around.extend(mails.iter().map(|octets| octets.checked_sub(base64_octets(attachment)).unwrap()));
    }
    // The mails differ in what they attach, and by numbers of as many digits: the rest of them is of one length.
    assert!(around.len() == 1 && around.last() <= Some(&AROUND_OCTETS_MAX), "beside attachments: {around:?}");
    write_part("Many lines that send at once", &text).unwrap();
}

/// What an attachment is as base64, in lines of 76 characters.
const fn base64_octets(attachment: u64) -> u64 {
    let characters = attachment.div_ceil(3) * 4;
    characters + characters.div_ceil(76) * 2
}

/// Has every modem send its mail, and prints how long it took all of them, in seconds, and the most memory that stood,
/// in kB.
async fn send_all(modems: usize, attachment: u64, port: u16) {
    let directory = tempfile::tempdir().unwrap();
    let network = scene::network();
    let mut hosts = Vec::new();
    for number in 0..modems {
        let drive = directory.path().join(number.to_string());
        fs::create_dir_all(drive.join("Picture")).unwrap();
        File::create_new(drive.join("Picture/a.jpg")).unwrap().set_len(attachment).unwrap();
        hosts.push(prepare(&network, &drive, number, port).await);
    }
    let start = Instant::now();
    let sendings: Vec<_> = hosts.into_iter().map(|host| tokio::spawn(send(host))).collect();
    for sending in sendings {
        sending.await.unwrap();
    }
    println!("{} {}", start.elapsed().as_secs_f64(), peak_kb("self").unwrap());
}

/// A modem whose mail is ready to go, from its port's other side.
async fn prepare(network: &Network, drive: &Path, number: usize, port: u16) -> DuplexStream {
    let (mut host, near) = tokio::io::duplex(DUPLEX_OCTETS);
    let drive = Box::new(DirectoryDrive::open(drive, Letter::C.name_case(), u64::MAX).unwrap());
    let settings = Settings { nonce: u64::MAX - number as u64, ..Settings::default() };
    let calendar = Calendar { unix_s: 1_265_076_000, zone_quarters: 32 };
    let mut driver = Driver::power_on(settings, drive, None, calendar, network.clone(), None);
    tokio::spawn(async move {
        let (from, to) = tokio::io::split(near);
        octets::run(&mut driver, from, to).await.unwrap();
    });
    let line = format!(
        "ATE0;+SMTPSRV=\"127.0.0.1\",{port};+SMTPFROM=\"me@server.com\";+SMTPRCPT=0,0,\"to@server.com\";\
         +SMTPSUB=\"a file\";+SMTPBODY=\"Text.\";+SMTPFILE=1,\"C:/Picture/a.jpg\"\r"
    );
    let answer = format!("{line}\r\nOK\r\n");
    let mut shown = vec![0; answer.len()];
    let (mut from, mut to) = tokio::io::split(&mut host);
    let (typed, read) = tokio::join!(to.write_all(line.as_bytes()), from.read_exact(&mut shown));
    typed.and(read).unwrap();
    assert_eq!(String::from_utf8_lossy(&shown), answer);
    host
}

/// Types the command and no more; the port ends when everything is done and shown.
async fn send(mut host: DuplexStream) {
    host.write_all(b"AT+SMTPSEND\r").await.unwrap();
    host.shutdown().await.unwrap();
    let mut shown = String::new();
    host.read_to_string(&mut shown).await.unwrap();
    assert_eq!(shown, "\r\n+SMTP: OK\r\n\r\nOK\r\n\r\n+SMTP: SUCCESS\r\n");
}

/// All modems may call before the first of them is answered: who finds no room waits for seconds until he calls again.
fn listen() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    socket.listen(2_048)
}

/// Serves whoever connects.
async fn take_all(listener: TcpListener, arrived: Arrived) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let counter = Counter { arrived: Arc::clone(&arrived), octets: 0 };
        let settings = ServerSettings::new("smtp.server.com", u64::MAX, "<1@smtp.server.com>");
        tokio::spawn(serve(Box::new(Server::new(counter, settings)), stream));
    }
}

/// Takes every mail at once, and keeps its size.
struct Counter {
    arrived: Arrived,
    octets: u64,
}

impl Service for Counter {
    fn greeting(&mut self) -> Reaction {
        Reaction::reply(220, "smtp.server.com")
    }

    fn authenticate(&mut self, _: &Claim) -> Reaction {
        Reaction::reply(235, "2.7.0 taken")
    }

    fn mail(&mut self, _: &Mailbox, _: bool) -> Reaction {
        Reaction::reply(250, "2.1.0 taken")
    }

    fn recipient(&mut self, _: &Mailbox) -> Reaction {
        Reaction::reply(250, "2.1.5 taken")
    }

    fn data(&mut self) -> Reaction {
        Reaction::reply(354, "go on")
    }

    fn text(&mut self, octets: &[u8]) -> ControlFlow<Reaction> {
        self.octets += octets.len() as u64;
        ControlFlow::Continue(())
    }

    fn text_end(&mut self) -> Reaction {
        self.arrived.lock().unwrap().push(self.octets);
        Reaction::reply(250, "2.0.0 taken")
    }

    fn reset(&mut self) {
        self.octets = 0;
    }
}
