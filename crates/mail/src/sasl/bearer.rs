//! Access tokens as XOAUTH2 and OAUTHBEARER (RFC 7628 §3.1) carry them, both ends: what the client says, and the JSON
//! in which a server says why it does not like it.
//!
//! Not here: who says what when ([`super::client`], [`super::server`]). Host and port, which RFC 7628 lets a client add
//! for servers of many names, are left out; no mail server is known to ask for them.

use super::Mechanism;
use crate::limits::{REASON_OCTETS_MAX, TOKEN_OCTETS_MAX};
use crate::secret::Secret;
use serde_json::Value;

/// What a client answers to an error report, so that the server can end the exchange: nothing, or as RFC 7628 §3.2.3
/// has it.
pub(super) const fn acknowledgement(mechanism: Mechanism) -> &'static [u8] {
    match mechanism {
        Mechanism::OauthBearer => b"\x01",
        _ => b"",
    }
}

/// RFC 6750 §2.1, within [`TOKEN_OCTETS_MAX`].
pub(super) fn is_token(token: &[u8]) -> bool {
    let word = token.iter().take_while(|&&octet| octet != b'=').count();
    let (word, padding) = token.split_at(word);
    (1..=TOKEN_OCTETS_MAX).contains(&token.len())
        && !word.is_empty()
        && word.iter().all(|octet| octet.is_ascii_alphanumeric() || b"-._~+/".contains(octet))
        && padding.iter().all(|&octet| octet == b'=')
}

/// What the client says.
pub(super) fn message(mechanism: Mechanism, user: &[u8], token: &Secret) -> Secret {
    let mut message = match mechanism {
        Mechanism::OauthBearer => {
            let mut header = b"n,a=".to_vec();
            header.extend(super::scram::escaped(user));
            header.push(b',');
            header
        }
        _ => [b"user=", user].concat(),
    };
    message.extend_from_slice(b"\x01auth=Bearer ");
    message.extend_from_slice(token.reveal());
    message.extend_from_slice(b"\x01\x01");
    Secret::new(message)
}

/// The user and the token in what a client said; `None` for what is no such message.
pub(super) fn read(mechanism: Mechanism, message: &[u8]) -> Option<(Vec<u8>, Secret)> {
    let mut fields = message.strip_suffix(b"\x01\x01")?.split(|&octet| octet == 1);
    let first = fields.next()?;
    let user = match mechanism {
        Mechanism::OauthBearer => super::scram::unescaped(first.strip_prefix(b"n,a=")?.strip_suffix(b",")?)?,
        _ => first.strip_prefix(b"user=")?.to_vec(),
    };
    let bearer = fields.find_map(|field| field.strip_prefix(b"auth="))?;
    // RFC 7235 §2.1: the scheme in any case.
    let (scheme, token) = bearer.split_at_checked(7)?;
    (scheme.eq_ignore_ascii_case(b"Bearer ") && is_token(token)).then(|| (user, Secret::new(token)))
}

/// The report of a server that does not take a token.
pub(super) const fn report(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::OauthBearer => r#"{"status":"invalid_token"}"#,
        _ => r#"{"status":"401","schemes":"bearer","scope":"mail"}"#,
    }
}

/// What a report says for a reason: its status, in words that are safe to show.
pub(super) fn reason(report: &[u8]) -> String {
    let report: Option<Value> = serde_json::from_slice(report).ok();
    let status = match report.as_ref().and_then(|report| report.get("status")) {
        Some(Value::String(status)) => status.clone(),
        Some(Value::Number(status)) => status.to_string(),
        _ => "no status".to_owned(),
    };
    shown(status.as_bytes())
}

/// A word of the server's, in what is fit to be shown.
pub(super) fn shown(word: &[u8]) -> String {
    let fit = word.iter().filter(|octet| octet.is_ascii_graphic() || **octet == b' ');
    fit.take(REASON_OCTETS_MAX).map(|&octet| char::from(octet)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MECHANISMS: [Mechanism; 2] = [Mechanism::Xoauth2, Mechanism::OauthBearer];

    /// The examples of RFC 7628 §4.1 (without host and port), and of the documents on XOAUTH2.
    #[test]
    fn what_the_client_says() {
        let token = Secret::new("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
        assert_eq!(
            message(Mechanism::OauthBearer, b"user@example.com", &token).reveal(),
            b"n,a=user@example.com,\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01"
        );
        assert_eq!(
            message(Mechanism::Xoauth2, b"someuser@example.com", &Secret::new("ya29.vF9dft4q")).reveal(),
            b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4q\x01\x01"
        );
    }

    #[test]
    fn what_is_said_is_read_back_and_the_rest_refused() {
        let token = Secret::new("a.b-c_d~e+f/g==");
        for mechanism in MECHANISMS {
            for user in ["u@example.com", "a,b=c"] {
                let said = message(mechanism, user.as_bytes(), &token);
                assert_eq!(read(mechanism, said.reveal()), Some((user.into(), token.clone())));
            }
            for bad in [&b""[..], b"\x01\x01", b"user=u\x01\x01", b"n,a=u,\x01auth=Basic eA==\x01\x01"] {
                assert_eq!(read(mechanism, bad), None, "{mechanism} {bad:?}");
            }
        }
    }

    #[test]
    fn tokens_by_their_form() {
        for good in ["a", "ya29.a0Af-_~+/==", &"x".repeat(TOKEN_OCTETS_MAX)] {
            assert!(is_token(good.as_bytes()), "{good}");
        }
        for bad in ["", "=", "a b", "a\r\n", "a\x01", "a=b", "\u{e9}", &"x".repeat(TOKEN_OCTETS_MAX + 1)] {
            assert!(!is_token(bad.as_bytes()), "{bad:?}");
        }
    }

    #[test]
    fn the_reason_in_a_report() {
        assert_eq!(reason(br#"{"status":"401","schemes":"bearer mac","scope":"https://mail/"}"#), "401");
        assert_eq!(reason(br#"{"status":400}"#), "400");
        assert_eq!(reason(br#"{"status":"invalid_token"}"#), "invalid_token");
        for odd in [&b""[..], b"{", b"[]", b"{}", br#"{"status":{}}"#, b"\xff", &[b'['; 2_000]] {
            assert_eq!(reason(odd), "no status");
        }
        let long = format!(r#"{{"status":"\u001b[2J{}"}}"#, "x".repeat(1_000));
        assert_eq!(reason(long.as_bytes()), format!("[2J{}", "x".repeat(REASON_OCTETS_MAX - 3)));
    }
}
