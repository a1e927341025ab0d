//! Passwords that do not show themselves.
//!
//! Not here: what else a line with a secret in it may tell; whoever makes the line knows.

use crate::smtp::reply::printable;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use zeroize::Zeroizing;

/// Octets that are a secret. They show as `***` when printed, and are wiped when dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// What is shown in its place.
    pub const MASK: &str = "***";

    /// Keeps `octets` secret from here on.
    #[must_use]
    pub fn new(octets: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(octets.into()))
    }

    /// The octets themselves. Every call is a place to look at when secrets leak.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }

    /// `text` without the secret, as it is, in base64 or in hexadecimal: a peer may quote what it did not like.
    #[must_use]
    pub fn cut_from(&self, text: &str) -> String {
        let hex: String = self.0.iter().map(|octet| format!("{octet:02x}")).collect();
        let base64 = STANDARD.encode(&*self.0);
        let forms = [printable(&self.0), base64.trim_end_matches('=').to_owned(), hex.to_uppercase(), hex];
        let forms = forms.iter().filter(|form| !form.is_empty());
        forms.fold(text.to_owned(), |text, form| text.replace(form.as_str(), Self::MASK))
    }
}

/// What a peer was told in confidence, and may quote.
#[derive(Debug, Default)]
pub(crate) struct Confided(Vec<Secret>);

impl Confided {
    /// One more secret is being told.
    pub(crate) fn tell(&mut self, secret: &Secret) {
        self.0.push(secret.clone());
    }

    /// Words of the peer without any of it.
    pub(crate) fn cut_from(&self, words: &str) -> String {
        self.0.iter().fold(words.to_owned(), |words, secret| secret.cut_from(&words))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_secret_is_cut_out_in_every_form() {
        let secret = Secret::new("tiger!?");
        for quoted in ["tiger!?", "dGlnZXIhPw==", "7469676572213f"] {
            let told = secret.cut_from(&format!("no: {quoted}."));
            assert!(!told.contains(quoted), "{told}");
            assert!(told.starts_with("no: ") && told.ends_with('.'));
        }
        assert_eq!(secret.cut_from("5.7.8 74696765722 13F tiger"), "5.7.8 74696765722 13F tiger");
        assert_eq!(secret.cut_from("is 7469676572213F"), "is ***");
        assert_eq!(Secret::default().cut_from("a"), "a");
    }
}
