//! Every bound that the simulation holds the modem to, and its own. The modem's are written out once more from the
//! reference: taken from the modem's `limits.rs` they would change along with a mistake there.

use std::time::Duration;

/// Longest command line (commands.md §1).
pub const LINE_OCTETS_MAX: usize = 3_072;

/// How much is kept of what is typed while a command is pending (commands.md §1).
pub const TYPE_AHEAD_OCTETS_MAX: usize = 3_072;

/// Longest body at the prompt (note §1).
pub const BODY_OCTETS_MAX: usize = 5_120;

/// How long anything may go on without progress (note §1).
pub const IDLE_MAX: Duration = Duration::from_secs(30);

/// How long a line that is being typed holds back what is told unasked (commands.md §1).
pub const URC_DELAY_MAX: Duration = Duration::from_secs(1);

/// Longest line of an SMTP reply or POP3 response; one more octet, and the link is given up.
pub const SERVER_LINE_OCTETS_MAX: usize = 2_048;

/// Most lines of one SMTP reply; one more, and the link is given up.
pub const REPLY_LINES_MAX: usize = 128;

/// Most that the modem hands to a link at a time: a portion of a message is filled up to 32 kB, by at most as much
/// again; then dots are stuffed into its text, and the final one follows.
pub const TRANSMIT_OCTETS_MAX: usize = 2 * 32 * 1024 + 4 * 1024;

/// Most that it shows at a time: a portion of a file, or everything a burst of typed lines asks for.
pub const SHOW_OCTETS_MAX: usize = 256 * 1024;

/// Longest reason in the log and behind AT+MAILERR?, with what stands around it.
pub const REPORT_OCTETS_MAX: usize = 1_024;

/// Most events of one world: a world that has more is going in circles.
pub const EVENTS_MAX: u64 = 400_000;

/// Longest time that a world lasts.
pub const WORLD_MAX: Duration = Duration::from_secs(6 * 3_600);
