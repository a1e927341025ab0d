//! Every bound of this crate, by name.

use std::time::Duration;

/// Longest message taken, unless told otherwise: 10 MiB of attachments are 14.4 million octets in base64 lines.
pub const MESSAGE_OCTETS_MAX: u64 = 16 * 1024 * 1024;

/// How long a slow recipient's answers take: noticeable, and well below the modem's timer of 30 s.
pub const SLOW_ANSWER: Duration = Duration::from_secs(10);

/// How much of a text is taken before the link is cut in its middle; a shorter one is cut at its end.
pub const CUT_AFTER_OCTETS: u64 = 256;

/// How much mail stands in memory at most, unless told otherwise.
pub const MEMORY_OCTETS_MAX: usize = 256 * 1024 * 1024;

/// How much of the reason why mail is not stored is told to the client (a reply line holds 512 octets, RFC 5321
/// §4.5.3.1.5).
pub const REASON_CHARACTERS_MAX: usize = 100;

/// How long the lines of a mail without an end are: whole groups of base64, as RFC 2045 §6.8 has them at most.
pub const ENDLESS_LINE_OCTETS: usize = 76;
