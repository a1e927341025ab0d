//! The works S1 and P1 in memory, once, for a profiler that counts instructions. `PROFILE.md` tells what it says.
//!
//! `cargo bench -p benches --bench profile --no-run`, then
//! `valgrind --tool=callgrind target/release/deps/profile-… send` (or `get`).

use scene::{ATTACHMENT, Outcome, Scene, make_file};

/// Of all files, and of the mail that is fetched.
const OCTETS: u64 = 10 * 1024 * 1024;
const FILES: [&str; 5] = ["1.bin", "2.bin", "3.bin", "4.bin", "5.bin"];

fn main() -> Outcome<()> {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let directory = tempfile::tempdir()?;
    for file in FILES {
        make_file(directory.path(), file, OCTETS / 5)?;
    }
    let mut scene = Scene::new(directory.path(), ATTACHMENT, OCTETS / 57 * 78)?;
    if wanted != "get" {
        scene.send(&FILES, OCTETS)?;
    }
    if wanted != "send" {
        scene.get(1)?;
    }
    Ok(())
}
