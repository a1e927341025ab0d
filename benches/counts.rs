//! How often memory is asked for, and for how much, while a mail goes through a modem: counts, which are the same on every
//! machine. A copy more of a mail, or a buffer for every line, is seen here.
//!
//! Not here: how long it takes (`peers`), and how much stands at once (`memory`).

use scene::{ATTACHMENT, Scene, make_file};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static MEMORY: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Of the files of a mail.
const OCTETS: usize = 10 * 1024 * 1024;

/// One test, since what others ask for at the same time counts too.
#[test]
fn a_mail_is_copied_a_few_times_and_asks_for_memory_by_the_portion() {
    let directory = tempfile::tempdir().unwrap();
    make_file(directory.path(), "a.bin", OCTETS as u64).unwrap();
    let mut scene = Scene::new(directory.path(), ATTACHMENT, OCTETS as u64 / 57 * 78).unwrap();

    let region = Region::new(MEMORY);
    scene.send(&["a.bin"], OCTETS as u64).unwrap();
    check("sent", &region, 1_400, 5);

    let region = Region::new(MEMORY);
    scene.get(1).unwrap();
    check("saved", &region, 1_400, 5);
}

fn check(what: &str, region: &Region<'_, System>, times_max: usize, copies_max: usize) {
    let change = region.change();
    let times = change.allocations + change.reallocations;
    assert!(times <= times_max, "{what}: memory was asked for {times} times");
    assert!(
        change.bytes_allocated <= copies_max * OCTETS,
        "{what}: {} octets of memory",
        change.bytes_allocated
    );
}
