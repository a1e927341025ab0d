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
pub const MAIL_FOLDER_AHEAD_MAX: Duration = Duration::from_secs(10_000);

/// How much of a file is read at a time, and shown.
pub const READ_OCTETS: usize = 8 * 1024;

/// How much AT+FSCOPY copies before the terminal is told of the progress, and others have their turn.
pub const COPY_OCTETS: u64 = 1024 * 1024;

/// Largest file that AT+CFTRANRX takes.
pub const FILE_OCTETS_MAX: u32 = 2_147_483_647;

/// How long AT+CFTRANRX waits for the next octet (commands.md §4).
pub const OCTET_WAIT: Duration = Duration::from_secs(30);

/// How often an XMODEM receiver asks for blocks with a CRC, before it asks for a checksum (Forsberg, XMODEM/CRC).
pub const XMODEM_CRC_ASKS: u32 = 3;

/// How long it waits for an answer to that (Forsberg, XMODEM/CRC).
pub const XMODEM_CRC_WAIT: Duration = Duration::from_secs(3);

/// How long it waits for a block before it asks again (Christensen).
pub const XMODEM_BLOCK_WAIT: Duration = Duration::from_secs(10);

/// How long it waits for the next octet of a block, and how long the line must be quiet before a damaged block is asked
/// for again (Forsberg, "Receiver").
pub const XMODEM_OCTET_WAIT: Duration = Duration::from_secs(1);

/// How long the line must be quiet for an EOT to be no octet of a damaged block. Those follow each other at once.
pub const XMODEM_END_WAIT: Duration = Duration::from_millis(250);

/// How often a block is asked for, or sent, in vain before the transfer is given up (Christensen).
pub const XMODEM_TRIES_MAX: u32 = 10;

/// How long an XMODEM sender waits for an answer (Forsberg, "Sender"). The receiver asks again long before.
pub const XMODEM_REPLY_WAIT: Duration = Duration::from_secs(60);

/// How long after the first block a request for it is one that crossed it on the line. Receivers ask every 3 s or less
/// often.
pub const XMODEM_CROSSING: Duration = Duration::from_secs(1);

/// Longest reason kept for AT+MAILERR? and the log.
pub const REASON_OCTETS_MAX: usize = 512;
