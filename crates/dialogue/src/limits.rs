//! The bounds of a dialogue, which may be anybody's: what a line of it makes.

/// Longest text, with what is repeated in it.
pub const TEXT_OCTETS_MAX: usize = 1024 * 1024;

/// Largest file that is put on a drive by its size alone.
pub const FILE_OCTETS_MAX: usize = 128 * 1024 * 1024;
