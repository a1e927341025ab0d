//! APOP: a log-in that does not show the password (RFC 1939 §7).
//!
//! MD5 no longer resists an active attacker, and a server must know the password in clear; under TLS, USER and PASS
//! are as good.

use crate::secret::Secret;
use md5::{Digest, Md5};

/// The timestamp of a greeting: a message identifier in angle brackets, which are part of it. Only a well-formed one
/// (RFC 5322 §3.6.4, printable and with both sides of its `@`): a lax client can be made to digest what an attacker
/// chose, such as octets that collide (CVE-2007-1558).
#[must_use]
pub fn timestamp(greeting: &str) -> Option<&str> {
    greeting.match_indices('<').find_map(|(start, _)| {
        let rest = greeting.get(start..)?;
        let stamp = rest.get(..=rest.find('>')?)?;
        let (left, right) = stamp.get(1..stamp.len() - 1)?.split_once('@')?;
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_graphic() && b != b'<' && b != b'@')
        };
        (is_word(left) && is_word(right)).then_some(stamp)
    })
}

/// What APOP sends in place of the password: the MD5 of timestamp and password, in lower-case hexadecimal.
#[must_use]
pub fn digest(timestamp: &str, password: &Secret) -> String {
    let sum = Md5::new().chain_update(timestamp).chain_update(password.reveal()).finalize();
    format!("{:032x}", u128::from_be_bytes(sum.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        let stamp = timestamp("POP3 server ready <1896.697170952@dbc.mtview.ca.us>").unwrap();
        assert_eq!(stamp, "<1896.697170952@dbc.mtview.ca.us>");
        assert_eq!(digest(stamp, &Secret::new("tanstaaf")), "c4c9334bac560ecc979e58001b3e22fb");
    }

    #[test]
    fn a_malformed_timestamp_is_none() {
        for text in [
            "",
            "ready",
            "<",
            "<>",
            "<@>",
            "<a@>",
            "<@b>",
            "<ab>",
            "<a@b",
            "a@b>",
            "<a b@c>",
            "<a@b@c>",
            "<a@b\u{e9}>",
            "<a\u{fffd}@b>",
            ">a@b<",
            "<a@\tb>",
        ] {
            assert_eq!(timestamp(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_timestamp_is_found_behind_other_brackets() {
        assert_eq!(timestamp("<host> <<1@b> hello"), Some("<1@b>"));
    }
}
