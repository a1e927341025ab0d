//! Some lines that send at once, through one process, while some of the servers fail: nothing is lost, nothing doubled.
//! `cargo bench -p benches --bench load` is the same with two hundred lines, ten megabytes each, and more.
//!
//! Not here: a server that says nothing; it takes half a minute to see that nothing comes, and the simulation has it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics fails, as it should")]

#[allow(dead_code, reason = "the figures that the larger one tells besides")]
mod crowd;

use crowd::Scale;

#[test]
fn lines_that_send_at_once_while_servers_fail_lose_nothing_and_double_nothing() {
    let scale = Scale { lines: 25, file_octets: 200_000, small_mails_per_line: 8, has_silence: false };
    let figures = crowd::run(env!("CARGO_BIN_EXE_mailmodem").as_ref(), scale, |_, _| {});
    // Otherwise it was not put to the test.
    assert_eq!(figures.mails.len(), 225);
    assert_eq!(figures.fates.len(), 10, "{:?}", figures.fates);
}
