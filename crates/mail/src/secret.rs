//! Passwords that do not show themselves.
//!
//! Not here: what else a line with a secret in it may tell; whoever makes the line knows.

use crate::smtp::reply::printable;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use zeroize::Zeroizing;

/// Room for a secret that grows, in octets: a line of a terminal's mostly fits.
const FIRST_ROOM: usize = 64;

/// Octets that are a secret, or may be. They show as `***` when printed, and are wiped when dropped, and wherever they
/// were before they grew.
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

    /// The octets themselves, for someone who wipes them.
    #[must_use]
    pub fn into_octets(mut self) -> Vec<u8> {
        std::mem::take(&mut *self.0)
    }

    /// One more octet.
    pub fn push(&mut self, octet: u8) {
        self.extend(&[octet]);
    }

    /// More octets.
    pub fn extend(&mut self, octets: &[u8]) {
        let needed = self.0.len().saturating_add(octets.len());
        if needed > self.0.capacity() {
            // A vector that grows by itself leaves its octets behind.
            let room = needed.max(self.0.capacity().saturating_mul(2)).max(FIRST_ROOM);
            let mut larger = Zeroizing::new(Vec::with_capacity(room));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(octets);
    }

    /// Keeps the first `octets` of it. The others are wiped with it.
    pub fn truncate(&mut self, octets: usize) {
        self.0.truncate(octets);
    }

    /// Takes `octets` off its front.
    pub fn take_off(&mut self, octets: usize) {
        let octets = octets.min(self.0.len());
        self.0.drain(..octets);
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

/// To write a line with a secret in it.
impl fmt::Write for Secret {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.extend(text.as_bytes());
        Ok(())
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
    fn one_that_grows_is_what_was_put_in() {
        let mut secret = Secret::default();
        let octets: Vec<u8> = (0..=255).collect();
        for part in octets.chunks(5) {
            secret.extend(part);
        }
        assert_eq!(secret.reveal(), octets);
        secret.truncate(100);
        secret.push(7);
        secret.take_off(10);
        assert_eq!(secret.into_octets(), [&octets[10..100], &[7]].concat());
    }

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
