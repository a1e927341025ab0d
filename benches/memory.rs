//! How much memory a modem takes while mails of 1 MB, 10 MB and 100 MB go through it: sent with an attachment, saved,
//! and shown. The drive is a directory; the servers make up what they send and count what they get. `cargo bench -p
//! benches --bench memory`.
//!
//! Not here: how long it takes.

use peak_alloc::PeakAlloc;
use scene::{ATTACHMENT, HEADER, HTML, Mail, OCTETS_PER_LINE, ONE_LINE, Outcome, Scene, TEXT, make_file};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What is measured, by the size of what is carried: the most memory that stood.
type Run = fn(u64) -> Outcome<usize>;

/// Sizes of what is carried.
const SIZES: [u64; 3] = [1_000_000, 10_000_000, 100_000_000];

/// What stands at most may differ by so much between the sizes: a number has more digits, a buffer was caught fuller.
const DIFFERENCE_OCTETS_MAX: usize = 16 * 1024;

fn main() -> Outcome<()> {
    let mut table = String::from("peak heap, kB         1 MB   10 MB  100 MB\n");
    let mut is_flat = true;
    let runs: [(&str, Run); 7] = [
        ("send, attachment", send),
        ("get, attachment", get),
        ("get, text", |octets| get_alone(TEXT, octets)),
        ("get, one line", |octets| get_alone(ONE_LINE, octets)),
        ("get, HTML", |octets| get_alone(HTML, octets)),
        ("get, header", |octets| get_alone(HEADER, octets)),
        ("read, text", read),
    ];
    for (name, run) in runs {
        let mut peaks = Vec::new();
        for size in SIZES {
            peaks.push(run(size)?);
        }
        let cells: String = peaks.iter().map(|peak| format!("{:>8}", peak.div_ceil(1024))).collect();
        table.push_str(&format!("{name:<18}{cells}\n"));
        let (least, most) = (peaks.iter().min().copied(), peaks.iter().max().copied());
        is_flat &= most <= least.map(|least| least + DIFFERENCE_OCTETS_MAX);
    }
    std::io::stdout().write_all(table.as_bytes())?;
    if is_flat { Ok(()) } else { Err("memory grows with the mail".into()) }
}

fn send(octets: u64) -> Outcome<usize> {
    let directory = tempfile::tempdir()?;
    make_file(directory.path(), "a.jpg", octets)?;
    measure(directory.path(), ATTACHMENT, octets, |scene| scene.send(&["a.jpg"], octets))
}

fn get(octets: u64) -> Outcome<usize> {
    let directory = tempfile::tempdir()?;
    let peak = measure(directory.path(), ATTACHMENT, octets, |scene| scene.get(3))?;
    let folder = directory.path().join("Email/100202100000");
    let lines = ATTACHMENT.lines(octets);
    for (name, expected) in
        [("100202100000.eml", ATTACHMENT.octets(lines)), ("a.jpg", lines * OCTETS_PER_LINE)]
    {
        let found = folder.join(name).metadata()?.len();
        if found != expected {
            return Err(format!("{name} is of {found} octets, not {expected}").into());
        }
    }
    Ok(peak)
}

fn get_alone(mail: Mail, octets: u64) -> Outcome<usize> {
    let directory = tempfile::tempdir()?;
    measure(directory.path(), mail, octets, |scene| scene.get(1))
}

fn read(octets: u64) -> Outcome<usize> {
    let directory = tempfile::tempdir()?;
    std::fs::create_dir(directory.path().join("Email"))?;
    File::create_new(directory.path().join("Email/a.txt"))?.set_len(octets)?;
    measure(directory.path(), TEXT, octets, |scene| {
        scene.type_line("AT+POP3READ=0,\"a.txt\"")?;
        if scene.shown_octets < octets { Err("not all of it was shown".into()) } else { Ok(()) }
    })
}

/// The most memory that stands in between, from before the modem is switched on.
fn measure(
    directory: &Path,
    mail: Mail,
    octets: u64,
    run: impl FnOnce(&mut Scene) -> Outcome<()>,
) -> Outcome<usize> {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    run(&mut Scene::new(directory, mail, octets)?)?;
    Ok(MEMORY.peak_usage() - before)
}
