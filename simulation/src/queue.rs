//! Worlds of queued mail: lines that hand mail over, a server that takes it or does not, an owner with orders, a disk, and
//! a power cut at any instant. The queue is the program's own, on a machine that the simulation has made.
//!
//! Not here: the modem, whose worlds know nothing of a queue ([`crate::world`]); what of the queue is not lived through is
//! said in `README.md`.

mod arrival;
mod disk;
mod far;
mod laws;
mod sending;
mod world;

use crate::transcript::Transcript;
use crate::world::Broken;
use mail::machine::Instant;
use world::World;

/// What a world of queued mail was like that did not break.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lived {
    /// Mails that the terminal was told are taken.
    pub accepted: u64,
    /// How often the server took one.
    pub sent: u64,
    /// How often the power went, or the program was killed.
    pub cuts: u64,
    /// How many operations of the disk failed.
    pub failures: u64,
}

impl Lived {
    /// Counts another world's in.
    pub(crate) fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.sent += other.sent;
        self.cuts += other.cuts;
        self.failures += other.failures;
    }
}

/// Lives through the world of `seed`.
///
/// # Errors
/// Where it broke.
pub fn live(seed: u64, transcript: &mut Transcript) -> Result<Lived, Broken> {
    let mut world = World::new(seed, transcript);
    let result = world.live();
    let ms = u64::try_from(world.now().as_millis()).unwrap_or(u64::MAX);
    result.map_err(|words| {
        let words = format!("queue: {words}");
        transcript.note(Instant::from_ms(ms), &format!("broken: {words}"));
        Broken { seed, ms, words }
    })
}
