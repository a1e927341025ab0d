//! Every bound of this crate, by name. Units come last in a name.

use std::time::Duration;

/// Most folders and files in a drive's directory; with more of them it is not opened. A folder takes no octets, so
/// without this bound a terminal could fill the machine with folders.
pub const DRIVE_ENTRIES_MAX: u64 = 1_000_000;

/// Deepest folder in a drive's directory, the root being 0. Paths of 254 octets lead 126 deep.
pub const DRIVE_DEPTH_MAX: usize = 128;

/// Size of what is read from a connection at once.
pub const RECEIVED_OCTETS_MAX: usize = 32 * 1024;

/// How much may wait to be sent on a connection before no more is read from it.
pub const UNSENT_OCTETS_MAX: usize = 256 * 1024;

/// Longest line that may hold a password or a token on a connection: what RFC 4954 §4 has servers take, and more.
pub const WIPED_OCTETS_MAX: usize = 16 * 1024;

/// How much of a heap's end may be free before it goes back to the system.
pub const HEAP_KEPT_OCTETS: usize = 512 * 1024;

/// Size of what is on the way between modem and sandbox, each way.
pub const DUPLEX_OCTETS_MAX: usize = 64 * 1024;

/// How long an ended connection may take to send its rest and to see the peer's end.
pub const LINGER_MAX: Duration = Duration::from_secs(5);

/// How much of what a peer still sends then is taken.
pub const LINGER_OCTETS_MAX: u64 = 1024 * 1024;

/// Size of what is read from a port at once.
pub const TYPED_OCTETS_MAX: usize = 4 * 1024;

/// How long a serial line may take to send what is under way before its speed changes.
pub const SPEED_WAIT: Duration = Duration::from_secs(5);

/// How often a serial line is asked how the host's DTR stands.
pub const DTR_WAIT: Duration = Duration::from_millis(250);

/// How soon a serial line that is gone, or a line of the config that failed, is tried again. The wait doubles up to
/// [`RETRY_WAIT_MAX`].
pub const RETRY_WAIT_MIN: Duration = Duration::from_millis(250);

/// How long such a wait becomes. What has stood for longer begins again at [`RETRY_WAIT_MIN`].
pub const RETRY_WAIT_MAX: Duration = Duration::from_secs(8);

/// How long a terminal on TCP may be silent before it is asked whether it is still there, and then between questions.
pub const KEEPALIVE_WAIT: Duration = Duration::from_secs(30);

/// How many of these questions may stay without an answer.
pub const KEEPALIVE_RETRIES: u32 = 3;

/// How long what is under way on a line may take when the line is to end.
pub const LINE_GRACE: Duration = Duration::from_secs(30);

/// How long a pseudo-terminal that is to go waits for what was shown last to be read.
pub const UNREAD_WAIT: Duration = Duration::from_secs(1);

/// How often it is seen meanwhile whether it was.
pub const UNREAD_CHECK: Duration = Duration::from_millis(10);

/// Shortest bound of a command line that a config may set: a line of the note still fits.
pub const LINE_OCTETS_MIN: usize = 256;

/// Longest bound of a command line that a config may set.
pub const LINE_OCTETS_MAX: usize = 64 * 1024;

/// How often it is seen whether a storage card is there.
pub const CARD_WAIT: Duration = Duration::from_secs(2);

/// How much may wait to be written to a port before no more is read from it.
pub const SHOWN_OCTETS_MAX: usize = 64 * 1024;

/// What a drive of the console's holds: less than the largest mail that is taken, so that a drive can be seen to be full.
pub const DRIVE_OCTETS_MAX: u64 = 128 * 1024 * 1024;

/// Most connections to `mailmodem sandbox` at once; more wait to be accepted.
pub const SANDBOX_CONNECTIONS_MAX: usize = 1_000;

/// How many may wait to be answered at each of its ports. Who finds no room there calls again after a second, and after ever
/// longer.
pub const SANDBOX_CALLERS_MAX: u32 = 1_000;

/// How long `mailmodem sandbox` lets its connections go on when it is told to end.
pub const SANDBOX_GRACE: Duration = Duration::from_secs(3);

/// How long `mailmodem sandbox` rests when a connection cannot be accepted, which is mostly for want of descriptors.
pub const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Longest name of a mailbox's directory: what file systems commonly take.
pub const MAILBOX_NAME_OCTETS_MAX: usize = 255;

/// Longest trace lines of a mail that is delivered: both addresses as long as they may be, with room.
pub const TRACE_OCTETS_MAX: usize = 1_024;

/// Most Maildirs of one maildrop, those first in name order: each is open, and locked, while the session lasts.
pub const MAILDROP_MAILBOXES_MAX: usize = 64;

/// Most mails that one session sees, the oldest. The others are seen once those are gone.
pub const MAILDROP_MAILS_MAX: usize = 10_000;

/// How much of a mail is gathered before it is written to its file.
pub const FILE_BUFFER_OCTETS: usize = 64 * 1024;

/// Most lines the console keeps in its history.
pub const HISTORY_LINES_MAX: usize = 1_000;

/// How long the console waits for more of a key's octets after an ESC.
pub const ESC_WAIT_MS: u16 = 50;

/// How long the console lets a line have its outcome before it takes the next one.
pub const PENDING_WAIT: Duration = Duration::from_secs(1);

/// Most complete files of a mail that wait for the disk at once; the mail waits with them then.
pub const UNSYNCED_FILES_MAX: usize = 16;

/// Most octets of a staged file that are held before they are written.
pub const STAGED_OCTETS_HELD_MAX: usize = 64 * 1024;

/// How long a modem stays off that was switched off by AT+CPOF.
pub const POWER_OFF_MAX: Duration = Duration::from_secs(10);

/// Largest file of a trace; with the one before it there are two.
pub const TRACE_FILE_OCTETS_MAX: u64 = 16 * 1024 * 1024;

/// Most octets that wait for a terminal that does not read; then everything of its modem's waits. A mail shows a few
/// hundred octets, so only an answer without end, such as the list of a mailbox of a million mails, comes to this.
pub const UNSHOWN_OCTETS_MAX: usize = 256 * 1024;

/// Longest file with a password in it.
pub const PASSWORD_FILE_OCTETS_MAX: usize = 4096;

/// Longest wait of a server of ours for a client's TLS handshake.
pub const HANDSHAKE_MAX: Duration = Duration::from_secs(30);

/// Longest file of what AT&W stored that is read; what the modem writes is far shorter.
pub const PROFILE_OCTETS_MAX: u64 = 4096;

/// How long a call waits for a token, whatever its source does: less than the 30 s that the terminal waits for a link
/// ([`mail::limits::IDLE_MAX`]), so that it hears of the token, and not of a network error.
pub const TOKEN_WAIT: Duration = Duration::from_secs(25);

/// How long one request to an authorisation server may take, from the name's resolution to the reply's last octet. Its
/// own words come before those of [`TOKEN_WAIT`].
pub const AUTHORISATION_WAIT: Duration = Duration::from_secs(20);

/// Largest reply of an authorisation server, and largest file that tokens or a client's secret are read from.
pub const AUTHORISATION_OCTETS_MAX: u64 = 64 * 1024;

/// Longest token, as it comes from a command, a file or an authorisation server: it has to fit into one line of a
/// dialogue with a mail server, in base64.
pub const TOKEN_OCTETS_MAX: usize = 16 * 1024;

/// How long a command may take to give a token. Its own words come before those of [`TOKEN_WAIT`].
pub const TOKEN_COMMAND_WAIT: Duration = Duration::from_secs(20);

/// How much of what such a command writes on standard error is kept for the log.
pub const TOKEN_COMMAND_WORDS_OCTETS_MAX: usize = 4 * 1024;

/// Longest text of others that stands in a message about tokens.
pub const TOKEN_WORDS_CHARS_MAX: usize = 300;

/// How long a token from a command or a file is taken without asking again: when it expires is not known.
pub const TOKEN_KEPT: Duration = Duration::from_secs(60);

/// How long before its expiry an access token is no longer used if there can be a new one: a dialogue has to begin with it.
pub const TOKEN_EXPIRY_MARGIN: Duration = Duration::from_secs(60);

/// How long before its expiry an access token is renewed when nobody waits for it; with a life of less than four times
/// this, when three quarters of it are over.
pub const TOKEN_RENEWAL_AHEAD: Duration = Duration::from_secs(10 * 60);

/// How long a token lives whose reply does not say so.
pub const TOKEN_LIFE_ASSUMED: Duration = Duration::from_secs(30 * 60);

/// Longest life of a token that is believed.
pub const TOKEN_LIFE_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// How long another process may take to renew a token: as long as a call waits for it.
pub const TOKEN_LOCK_WAIT: Duration = TOKEN_WAIT;

/// How often it is seen meanwhile whether it has.
pub const TOKEN_LOCK_CHECK: Duration = Duration::from_millis(50);

/// How long the last failure to get a token answers for those who ask next, and how long after a new token was given
/// that the mail server refused no other is asked for.
pub const TOKEN_REST: Duration = Duration::from_secs(10);

/// How soon a renewal that failed is tried again when nobody waits for it. The wait doubles up to
/// [`TOKEN_RENEWAL_WAIT_MAX`].
pub const TOKEN_RENEWAL_WAIT_MIN: Duration = Duration::from_secs(30);

/// How long such a wait becomes.
pub const TOKEN_RENEWAL_WAIT_MAX: Duration = Duration::from_secs(10 * 60);

/// How often it is looked whether a token is still good, at least: the machine may have slept, and a command or a file
/// does not say when its token expires.
pub const TOKEN_WATCH_WAIT_MAX: Duration = Duration::from_secs(5 * 60);

/// How long before the end of a log-in (the expiry of its refresh token, where it is known) that is told, once a day.
pub const LOGIN_END_AHEAD: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// Longest time that a device log-in waits for its user, whatever the server allows.
pub const DEVICE_LOGIN_WAIT_MAX: Duration = Duration::from_secs(30 * 60);

/// Longest wait between two questions of a device log-in that a server may ask for.
pub const DEVICE_LOGIN_INTERVAL_MAX: Duration = Duration::from_secs(60);

// The queue.

/// Most mails in the queue, unless the config says otherwise.
pub const QUEUE_MAILS_MAX: usize = 1_000;

/// Most octets of mails in the queue, unless the config says otherwise.
pub const QUEUE_OCTETS_MAX: u64 = 256 * 1024 * 1024;

/// How long a queued mail is tried, unless the config says otherwise (RFC 5321 §4.5.4.1: at least 4 to 5 days).
pub const QUEUE_DEADLINE: Duration = Duration::from_secs(5 * 24 * 3600);

/// How soon a queued mail is tried again, unless the config says otherwise. An alarm should not wait for the 30 minutes
/// of RFC 5321 §4.5.4.1 when a link was down for one.
pub const QUEUE_RETRY_WAIT_MIN: Duration = Duration::from_secs(60);

/// How long that wait becomes, unless the config says otherwise.
pub const QUEUE_RETRY_WAIT_MAX: Duration = Duration::from_secs(3600);

/// Most hours that a config can have a mail tried.
pub const QUEUE_DEADLINE_HOURS_MAX: u64 = 24 * 366;

/// Longest wait between tries that a config can ask for.
pub const QUEUE_RETRY_WAIT_SECONDS_MAX: u64 = 24 * 3600;

/// How long the answer to a whole message of the queue is waited for (RFC 5321 §4.5.3.2.6): nobody at a terminal waits,
/// and who gives up does not know whether it was taken.
pub const VERDICT_WAIT: Duration = Duration::from_secs(600);

/// Most mails that are sent from the queue at once.
pub const QUEUE_SENDS_MAX: usize = 4;

/// How often it is seen, while there are mails in the queue, whether their owner ordered something.
pub const QUEUE_CHECK: Duration = Duration::from_secs(1);

/// How long `mailmodem queue` waits for its orders to be carried out.
pub const ORDER_WAIT: Duration = Duration::from_secs(5);

/// How often it looks meanwhile.
pub const ORDER_CHECK: Duration = Duration::from_millis(50);

/// Most orders that are read at once.
pub const ORDERS_MAX: usize = 10_000;

/// Longest envelope of a queued mail: a hundred recipients, and a line of a server's about each.
pub const ENVELOPE_OCTETS_MAX: u64 = 1024 * 1024;

/// Most mails that failed of which there are reports; the oldest go.
pub const FAILED_MAX: usize = 1_000;

/// Most octets of a mail's header section that `mailmodem queue show` prints.
pub const SHOWN_HEADER_OCTETS_MAX: usize = 64 * 1024;

/// Longest that `mailmodem check` takes.
pub const CHECK_MAX: Duration = Duration::from_secs(10 * 60);

/// How long one address of a server's is tried while there are others.
pub const ADDRESS_WAIT: Duration = Duration::from_secs(5);
