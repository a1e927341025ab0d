//! Worlds that every run of the tests lives through: the first two thousand, and those of seeds that once broke.

#![allow(clippy::unwrap_used, reason = "what surprises a test is its failure")]

use simulation::run;
use simulation::transcript::Transcript;
use std::num::NonZero;

const WORLDS: u64 = 2_000;

fn jobs() -> NonZero<usize> {
    std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN)
}

#[test]
fn two_thousand_worlds_hold() {
    let summary = run::many(0..WORLDS, jobs(), usize::MAX, |_| {});
    let broken: Vec<String> = summary.broken.iter().map(ToString::to_string).collect();
    assert_eq!(broken, Vec::<String>::new(), "cargo run -p simulation -- --seed SEED --verbose");
    assert_eq!(summary.worlds, WORLDS);
    // They are worlds in which something happens.
    let lived = summary.lived;
    let queue = lived.queue;
    assert!(queue.accepted > WORLDS && queue.sent > WORLDS && queue.cuts > WORLDS, "{queue:?}");
    assert!(queue.failures > WORLDS / 4, "{queue:?}");
    assert!(
        lived.answers > 10 * WORLDS && lived.sends > WORLDS / 2 && lived.successes > WORLDS / 4,
        "{lived:?}"
    );
    assert!(lived.saves > WORLDS / 20 && lived.deletes > WORLDS / 200, "{lived:?}");
}

#[test]
fn kept_seeds_hold() {
    let kept = include_str!("../seeds.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut count = 0;
    for line in kept {
        let seed = line.split_whitespace().next().unwrap().parse().unwrap();
        assert_eq!(run::one(seed, &mut Transcript::none()).err(), None, "{line}");
        count += 1;
    }
    assert!(count > 0);
}

/// One seed is one world: what is printed can be lived through again.
#[test]
fn a_seed_is_the_same_world_each_time() {
    for seed in 0..20 {
        let [mut first, mut second] = [Transcript::kept(), Transcript::kept()];
        let lived =
            [run::one(seed, &mut first), run::one(seed, &mut second)].map(|lived| lived.unwrap().events);
        assert_eq!(lived[0], lived[1]);
        assert_eq!(first.lines(), second.lines(), "seed {seed}");
    }
}
