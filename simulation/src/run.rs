//! Worlds by their seeds: one, or many at a time.

use crate::queue;
use crate::transcript::Transcript;
use crate::world::{Broken, Lived, live};
use std::num::NonZero;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

/// What many worlds came to.
#[derive(Debug, Default)]
pub struct Summary {
    /// How many were lived through.
    pub worlds: u64,
    /// Those that broke, by their seeds.
    pub broken: Vec<Broken>,
    /// All that happened in the others, together.
    pub lived: Lived,
}

/// How many worlds are told of at a time.
const WORLDS_TOLD: u64 = 64;

/// Lives through both worlds of a seed, the modem's and the queue's. A panic breaks it.
///
/// # Errors
/// It broke.
pub fn one(seed: u64, transcript: &mut Transcript) -> Result<Lived, Broken> {
    // A transcript that was being written when the panic came is only read.
    let lived = catch_unwind(AssertUnwindSafe(|| {
        let mut lived = live(seed, transcript)?;
        lived.queue = queue::live(seed, transcript)?;
        Ok(lived)
    }));
    lived.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned()));
        Err(Broken { seed, ms: 0, words: format!("a panic: {}", words.unwrap_or_default()) })
    })
}

/// Lives through the worlds of `seeds`, until all are, or `broken_max` have broken. `progress` is told how many more are
/// done.
pub fn many(
    seeds: Range<u64>,
    jobs: NonZero<usize>,
    broken_max: usize,
    progress: impl Fn(u64) + Sync,
) -> Summary {
    let next = AtomicU64::new(seeds.start);
    let summary = Mutex::new(Summary::default());
    std::thread::scope(|scope| {
        for _ in 0..jobs.get() {
            scope.spawn(|| {
                loop {
                    let start = next.fetch_add(WORLDS_TOLD, Ordering::Relaxed);
                    let end = start.saturating_add(WORLDS_TOLD).min(seeds.end);
                    if start >= end {
                        return;
                    }
                    let mut part = Summary { worlds: end - start, ..Summary::default() };
                    for seed in start..end {
                        match one(seed, &mut Transcript::none()) {
                            Ok(lived) => part.lived.add(lived),
                            Err(broken) => part.broken.push(broken),
                        }
                    }
                    progress(part.worlds);
                    let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
                    summary.worlds += part.worlds;
                    summary.lived.add(part.lived);
                    summary.broken.append(&mut part.broken);
                    if summary.broken.len() >= broken_max {
                        next.store(seeds.end, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let mut summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary.broken.sort_by_key(|broken| broken.seed);
    summary
}

impl Lived {
    fn add(&mut self, other: Self) {
        self.answers += other.answers;
        self.sends += other.sends;
        self.successes += other.successes;
        self.saves += other.saves;
        self.deletes += other.deletes;
        self.events += other.events;
        self.queue.add(other.queue);
    }
}
