//! Every bound of this crate, by name. Units come last in a name.

use std::time::Duration;

/// Longest line of an SMTP reply that is read, without its line end. RFC 5321 §4.5.3.1.5 asks for 512; real servers
/// write more, and a bound of 2,048 still ends a hostile one.
pub const REPLY_LINE_OCTETS_MAX: usize = 2_048;

/// Most lines of one SMTP reply: a few dozen EHLO keywords, with room.
pub const REPLY_LINES_MAX: usize = 128;

/// Longest command line an SMTP or POP3 server reads, without its line end: RFC 5321 §4.5.3.1.4 (512 octets), wider
/// for AUTH responses (RFC 4954 §4 asks for 12,288).
pub const COMMAND_LINE_OCTETS_MAX: usize = 12_288;

/// Longest address between `<` and `>` (RFC 5321 §4.5.3.1.3: 256 with the brackets).
pub const ADDRESS_OCTETS_MAX: usize = 254;

/// Longest name of a SASL mechanism (RFC 4422 §3.1).
pub const MECHANISM_OCTETS_MAX: usize = 20;

/// Longest line by which an SMTP client begins an authentication, its end counted (RFC 5321 §4.5.3.1.4). An initial
/// response that does not fit waits for the server's 334 (RFC 4954 §4).
pub const AUTH_LINE_OCTETS_MAX: usize = 512;

/// The same of a POP3 client (RFC 2449 §4, RFC 5034 §4).
pub const POP3_AUTH_LINE_OCTETS_MAX: usize = 255;

/// Longest access token that is taken. With a user name of [`ADDRESS_OCTETS_MAX`] it still makes a response within the
/// 12,288 octets of base64 that a server is to take (RFC 4954 §4). Tokens in use have from two hundred octets to three
/// thousand.
pub const TOKEN_OCTETS_MAX: usize = 8 * 1024;

/// Longest response of a client in base64, without its line end (RFC 4954 §4, RFC 5034 §4).
pub const SASL_RESPONSE_OCTETS_MAX: usize = 12_288;

/// Fewest rounds of hashing that a client lets a SCRAM server ask for (RFC 7677 §4): with fewer, a password is the
/// sooner guessed from what was sent.
pub const SCRAM_ITERATIONS_MIN: u32 = 4_096;

/// Most rounds of hashing that a client does for a SCRAM server, all of them in one step of the machine. What is
/// recommended for stored passwords today is no more.
pub const SCRAM_ITERATIONS_MAX: u32 = 600_000;

/// How many rounds of hashing this project's servers ask for.
pub const SCRAM_ITERATIONS: u32 = SCRAM_ITERATIONS_MIN;

/// Longest word of a server's that is told as the reason why it took no token or no proof.
pub const REASON_OCTETS_MAX: usize = 64;

/// Longest digest of a certificate that a log-in is bound to: SHA-512's.
pub const CERTIFICATE_DIGEST_OCTETS_MAX: usize = 64;

/// Longest line of a text that SMTP may carry, without its line end (RFC 5321 §4.5.3.1.6, RFC 5322 §2.1.1).
pub const TEXT_LINE_OCTETS_MAX: usize = 998;

/// How much of a message is composed, encoded and handed to the link at a time.
pub const CHUNK_OCTETS: usize = 32 * 1024;

/// How long a client waits for its peer without progress (the note's timer, §1).
pub const IDLE_MAX: Duration = Duration::from_secs(30);

/// How long a client waits for the reply to its QUIT. The outcome is settled by then, so silence is no failure.
pub const QUIT_WAIT_MAX: Duration = Duration::from_secs(5);

/// How long a server waits for its client (RFC 5321 §4.5.3.2.7).
pub const SERVER_IDLE_MAX: Duration = Duration::from_secs(300);

/// Most that a server holds of what its client sends while an answer is on its way. Commands pipelined are a few
/// hundred octets each; a client that sends more does not wait for answers at all, and is cut off.
pub const SERVER_HELD_OCTETS_MAX: usize = 64 * 1024;

/// Most recipients of one message that a server takes, unless told otherwise (RFC 5321 §4.5.3.1.8).
pub const RECIPIENTS_MAX: usize = 100;

// POP3.

/// Longest line of a POP3 response or listing that is read, without its line end. RFC 2449 §4 asks for 512; real
/// greetings and error texts are longer.
pub const RESPONSE_LINE_OCTETS_MAX: usize = 2_048;

/// Most lines of a CAPA listing: a dozen keywords are in use, with room.
pub const CAPABILITIES_MAX: usize = 128;

/// Most lines of a LIST or UIDL listing. They are handed on one by one, never held; the bound ends an endless one.
pub const LISTING_LINES_MAX: usize = 1_000_000;

/// Most octets that arrive for the header section of one message. A server without TOP sends the whole message, of
/// which the rest is read and dropped; POP3 has no way to stop it but to end the session.
pub const HEADER_TEXT_OCTETS_MAX: usize = 16 * 1024 * 1024;

/// How many headers in a row a POP3 client is asked for before it asks for more ahead of their turn.
pub const HEADERS_IN_ROW_MIN: u32 = 3;

/// Most headers that are asked for ahead of their turn. Few enough for a server that ends sessions after many refusals in a
/// row, should none of them be there any more.
pub const HEADERS_AHEAD_MAX: u32 = 16;

/// Most octets that are kept of headers that came ahead of their turn: 8 KiB for each of [`HEADERS_AHEAD_MAX`].
pub const HEADERS_AHEAD_OCTETS_MAX: usize = 128 * 1024;

/// How long a POP3 server waits for its client. RFC 1939 §3 forbids less than ten minutes.
pub const AUTOLOGOUT: Duration = Duration::from_secs(600);

// MIME, read.

/// Longest header field of a mail that is understood, unfolded: what follows in the same field is not read. Also the
/// bound on each field's text after decoding.
pub const FIELD_OCTETS_MAX: usize = 64 * 1024;

/// Longest line of a mail's header section, and longest delimiter line between parts, that is seen as one line. RFC
/// 5322 §2.1.1 has 998; a longer header line is read in pieces, a longer delimiter line is content.
pub const HEADER_LINE_OCTETS_MAX: usize = 4_096;

/// Longest boundary between parts that is looked for. RFC 2046 §5.1.1 allows 70.
pub const BOUNDARY_OCTETS_MAX: usize = 1_024;

/// Most multiparts inside one another that are opened; one deeper is saved as it came.
pub const NESTING_MAX: usize = 32;

/// Most parts of a mail that are told apart; what follows is saved as one, as it came.
pub const PARTS_MAX: usize = 1_000;

/// How much of what comes before a multipart's first part is held: with no part to come after all it is the text.
pub const PREAMBLE_OCTETS_MAX: usize = 16 * 1024;

/// Longest HTML text that becomes readable text, its transfer encoding undone; a longer one is an attachment.
pub const HTML_OCTETS_MAX: usize = 128 * 1024;

/// Most quotations and lists inside one another that indent the lines of a text that was HTML: a line has no more before it
/// than half of its columns.
pub const HTML_INDENTS_MAX: usize = 6;

/// Largest number that a list of such a text may begin with.
pub const HTML_NUMBER_MAX: u32 = 999;

/// Longest line of white space that quoted-printable decoding takes for padding (RFC 2045 §6.7 rule 3).
pub const PADDING_OCTETS_MAX: usize = 998;

/// Longest name of a saved attachment, in octets of UTF-8.
pub const FILE_NAME_OCTETS_MAX: usize = 128;
