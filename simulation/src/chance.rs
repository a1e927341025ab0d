//! What a seed decides: every draw of a world comes from one stream of numbers.
//!
//! The stream is ChaCha's, which is written down and will not change with a library: a seed that was kept stays the same
//! world for as long as the world draws the same things in the same order.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// The stream of a seed.
pub struct Chance(ChaCha8Rng);

impl Chance {
    /// The stream that belongs to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number from 0 up to, and without, `end`; 0 if that is 0. (That some numbers are likelier by less than one part
    /// in a billion is of no matter here.)
    pub fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64().checked_rem(end).unwrap_or_default()
    }

    /// A number from `first` to `last`, both included.
    pub fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last.saturating_sub(first) + 1)
    }

    /// The same, for lengths and counts.
    pub fn count(&mut self, first: usize, last: usize) -> usize {
        let (from, to) = (u64::try_from(first).unwrap_or(0), u64::try_from(last).unwrap_or(0));
        usize::try_from(self.between(from, to)).unwrap_or(first)
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// True in so many of a hundred cases.
    pub fn per_cent(&mut self, n: u64) -> bool {
        self.below(100) < n
    }

    /// One of these.
    ///
    /// # Panics
    /// Never: a list that is empty at compile time does not compile.
    pub fn pick<T: Clone, const N: usize>(&mut self, from: &[T; N]) -> T {
        const { assert!(N > 0) };
        let at = self.count(0, N - 1);
        from.get(at).unwrap_or(&from[0]).clone()
    }

    /// One of these, if there is any.
    pub fn pick_from<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.count(0, from.len().saturating_sub(1)))
    }

    /// An octet.
    pub fn octet(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap_or_default()
    }

    /// So many octets of any value.
    pub fn octets(&mut self, count: usize) -> Vec<u8> {
        let mut octets = vec![0; count];
        self.0.fill_bytes(&mut octets);
        octets
    }

    /// A word of so many letters and digits.
    pub fn word(&mut self, letters: usize) -> String {
        const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        (0..letters).map(|_| char::from(self.pick(LETTERS))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kept seeds hang on it.
    #[test]
    fn the_stream_of_a_seed_is_the_same_for_ever() {
        let mut chance = Chance::new(7);
        let drawn = [chance.below(1_000_000), chance.below(1_000_000), chance.below(1_000_000)];
        assert_eq!(drawn, [608_635, 503_994, 613_745]);
        assert_eq!(Chance::new(1).below(0), 0);
    }
}
