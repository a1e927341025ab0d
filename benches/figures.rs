//! What figures need besides what is measured: the machine in words, the program, its memory, and the page they go to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What every page begins with.
const HEAD: &str = "# What many lines, TLS and the line itself take\n\n\
                    Each part is written by the command that it names; what is done is told at the top of that file.\n";

/// The machine.
#[must_use]
pub fn machine() -> String {
    let field = |file: &str, name: &str| {
        let page = fs::read_to_string(file).unwrap_or_default();
        let line = page.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        line.split_once(':').map_or("", |(_, value)| value.trim()).to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory: u64 = field("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse().unwrap_or_default();
    let system = rustix::system::uname();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "Measured on {cores} cores ({}), {} GiB of memory, {} {}; load average in the end {}.",
        field("/proc/cpuinfo", "model name"),
        memory / 1024 / 1024,
        system.sysname().to_string_lossy(),
        system.release().to_string_lossy().split('-').next().unwrap_or_default(),
        load.split(' ').next().unwrap_or_default()
    )
}

/// Builds the modem, unless the environment names it by `MAILMODEM_PROGRAM`.
///
/// # Errors
/// It is not built.
pub fn program() -> Result<PathBuf, std::io::Error> {
    if let Some(program) = std::env::var_os("MAILMODEM_PROGRAM") {
        return Ok(program.into());
    }
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--release", "--package", "mailmodem", "--bin", "mailmodem"]);
    if !build.status()?.success() {
        return Err(std::io::Error::other("the modem is not built"));
    }
    // target/release/deps/load-…
    let own = std::env::current_exe()?;
    let directory = own.ancestors().nth(2).ok_or_else(|| std::io::Error::other("no directory"))?;
    Ok(directory.join("mailmodem"))
}

/// The most memory that a process had so far, in kB: its number, or `self`.
///
/// # Errors
/// There is no such process.
pub fn peak_kb(process: &str) -> Result<u64, std::io::Error> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse().ok());
    peak.ok_or_else(|| std::io::Error::other("it does not say"))
}

/// The one in the middle.
#[must_use]
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Puts a part into `SCALE.md`, in place of the one of this title, and prints it.
///
/// # Errors
/// It cannot be written.
#[allow(clippy::print_stdout, reason = "a bench tells what it found")]
pub fn write_part(title: &str, text: &str) -> Result<(), std::io::Error> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("SCALE.md");
    let part = format!("{title}\n\n{text}\n\n{}\n", machine());
    println!("\n## {part}");
    let page = fs::read_to_string(&file).unwrap_or_else(|_| HEAD.to_owned());
    let mut parts = page.split("\n## ").map(str::to_owned);
    let mut page = parts.next().unwrap_or_default();
    let mut parts: Vec<String> = parts.filter(|part| part.lines().next() != Some(title)).collect();
    parts.push(part);
    parts.sort();
    for part in parts {
        page.push_str("\n## ");
        page.push_str(&part);
    }
    fs::write(file, page)
}
