//! What a line costs that does nothing: memory of the process for each of many, and what they take of the processor.
//!
//! `cargo bench -p benches --bench idle_lines`
//!
//! Drives are in memory, so that it is the modem and its port that are measured. Each line has had a terminal that sent
//! an AT and got its answer. Memory is of each line beyond the first, which has what all share. What it came to goes to
//! `benches/SCALE.md`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a figure that cannot be taken is none")]

use mailmodem::driver::Driver;
use mailmodem::network::Network;
use mailmodem::port::{Tcp, octets};
use modem::clock::Calendar;
use modem::drive::NameCase;
use modem::drive::memory::MemoryDrive;
use modem::settings::Settings;
use scene::figures::write_part;
use std::fmt::Write as _;
use std::fs;
use std::future::pending;
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::TcpStream;

const ANSWER: &[u8] = b"AT\r\r\nOK\r\n";
/// Of a line in memory, how much is on the way at most.
const DUPLEX_OCTETS: usize = 256;
/// How long it is seen what they take of the processor.
const REST: Duration = Duration::from_secs(10);
/// Tells a process of ours what to measure.
const TASK: &str = "MAILMODEM_IDLE_LINES";

fn main() {
    if let Ok(task) = std::env::var(TASK) {
        let (lines, port) = task.split_once(' ').unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        return runtime.block_on(measure(lines.parse().unwrap(), port));
    }
    let mut text = String::from(
        "By `cargo bench -p benches --bench idle_lines`: what each line beyond the first takes in one process, and what \
         all take of a processor while nothing comes.\n\n| lines | port | octets each | of a processor |\n|---:|---|---:|---:|",
    );
    for lines in [1_000, 10_000] {
        for port in ["memory", "tcp"] {
            // Memory once taken is not given back: each figure needs a process of its own.
            let mut child = Command::new(std::env::current_exe().unwrap());
            let output =
                child.env(TASK, format!("{lines} {port}")).stderr(Stdio::inherit()).output().unwrap();
            // On TCP each takes a descriptor.
            assert!(
                output.status.success(),
                "{lines} lines, {port}: not measured; perhaps ulimit -n is too low"
            );
            let told = String::from_utf8(output.stdout).unwrap();
            let (octets, share) = told.trim_end().split_once(' ').unwrap();
            write!(text, "\n| {lines} | {port} | {octets} | {share} % |").unwrap();
        }
    }
    write_part("Many idle lines", &text).unwrap();
}

async fn measure(lines: usize, port: &str) {
    let network = scene::network();
    let mut hosts = Vec::with_capacity(if port == "memory" { lines } else { 0 });
    let mut with_first = 0;
    for line in 0..lines {
        if line == 1 {
            with_first = resident_octets();
        }
        match port {
            "memory" => hosts.push(line_in_memory(&network).await),
            _ => line_on_tcp(&network).await,
        }
    }
    let per_line = (resident_octets() - with_first) / (lines - 1);
    let (busy, rest) = (processor_time(), tokio::time::Instant::now());
    tokio::time::sleep(REST).await;
    let share = (processor_time() - busy).as_secs_f64() / rest.elapsed().as_secs_f64() * 100.0;
    println!("{per_line} {share:.2}");
}

fn driver(network: &Network) -> Driver {
    let drive = Box::new(MemoryDrive::new(NameCase::Told, 1_000_000));
    Driver::power_on(Settings::default(), drive, None, Calendar::UNSET, network.clone(), None)
}

/// A line whose terminal stays; what its streams take counts too.
async fn line_in_memory(network: &Network) -> DuplexStream {
    let (mut host, port) = tokio::io::duplex(DUPLEX_OCTETS);
    let mut driver = driver(network);
    tokio::spawn(async move {
        let (from, to) = tokio::io::split(port);
        octets::run(&mut driver, from, to).await.unwrap();
    });
    host.write_all(b"AT\r").await.unwrap();
    host.read_exact(&mut [0; ANSWER.len()]).await.unwrap();
    host
}

/// A line that listens; its terminal has left.
async fn line_on_tcp(network: &Network) {
    let mut port = Tcp::listen("127.0.0.1:0").await.unwrap();
    let address = port.address().unwrap();
    let mut driver = driver(network);
    tokio::spawn(async move { octets::serve(&mut driver, &mut port, pending()).await });
    let mut host = TcpStream::connect(address).await.unwrap();
    host.write_all(b"AT\r").await.unwrap();
    host.read_exact(&mut [0; ANSWER.len()]).await.unwrap();
    host.shutdown().await.unwrap();
    // It lets go when everything is done.
    assert_eq!(host.read(&mut [0]).await.unwrap(), 0);
}

/// What the process has in memory.
fn resident_octets() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * rustix::param::page_size()
}

/// What the process took of the processor so far.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap()
}
