//! Every bound of the modem, by name. Units come last in a name. Bounds of a command's parameters stand in the table
//! of commands.

use std::time::Duration;

/// Longest command line, `AT` included and its end not (commands.md §1). A setting may change it.
pub const LINE_OCTETS_MAX: usize = 3_072;

/// How much is kept of what is typed while a command is pending (commands.md §1).
pub const TYPE_AHEAD_OCTETS_MAX: usize = 3_072;

/// How long a partly typed line holds back an unsolicited result code (commands.md §1).
pub const URC_DELAY_MAX: Duration = Duration::from_secs(1);

/// Longest body typed at the `>>` prompt (note §1).
pub const BODY_OCTETS_MAX: usize = 5_120;

/// Most recipients of a kind (commands.md §2).
pub const RECIPIENTS_MAX: usize = 5;

/// Total size of a mail's attachments (note §1). A setting may change it.
pub const ATTACHMENTS_OCTETS_MAX: u64 = 10 * 1024 * 1024;

/// Most PDP contexts (commands.md §5).
pub const CONTEXTS_MAX: u32 = 16;

/// Largest mail that AT+POP3GET saves. A setting may change it. It ends a mail that goes on for ever with what is not
/// saved; what is saved ends when the drive is full.
pub const MAIL_OCTETS_MAX: u64 = 256 * 1024 * 1024;

/// How many seconds ahead a free name for a mail's folder is sought: as many mails may be saved in one second.
pub const MAIL_FOLDER_SECONDS_MAX: u64 = 10_000;

/// How much of a file is shown at a time.
pub const READ_OCTETS: usize = 8 * 1024;

/// Longest reason kept for AT+MAILERR? and the log.
pub const REASON_OCTETS_MAX: usize = 512;
