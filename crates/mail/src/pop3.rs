//! POP3 (RFC 1939), both ends, with CAPA and response codes (RFC 2449, RFC 3206), STLS (RFC 2595 §4) and AUTH
//! (RFC 5034).
//!
//! Deliberately not here: the words of SASL ([`crate::sasl`]).

pub mod apop;
pub mod capability;
pub mod client;
pub mod command;
pub mod response;
pub mod server;
mod top;

#[cfg(test)]
mod tests;

use std::str::FromStr;

/// A number as RFC 1939 writes them: digits and nothing else, within the range of `T`.
fn number<T: FromStr>(word: &str) -> Option<T> {
    word.bytes().all(|b| b.is_ascii_digit()).then(|| word.parse().ok()).flatten()
}
