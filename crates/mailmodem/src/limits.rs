//! Every bound of this crate, by name. Units come last in a name.

/// Most folders and files in a drive's directory; with more of them it is not opened. A folder takes no octets, so
/// without this bound a terminal could fill the machine with folders.
pub const DRIVE_ENTRIES_MAX: u64 = 1_000_000;

/// Deepest folder in a drive's directory, the root being 0. Paths of 254 octets lead 126 deep.
pub const DRIVE_DEPTH_MAX: usize = 128;

/// Most octets of a staged file that are held before they are written.
pub const STAGED_OCTETS_HELD_MAX: usize = 64 * 1024;
