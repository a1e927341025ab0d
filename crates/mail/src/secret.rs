//! Passwords that do not show themselves.
//!
//! Not here: masking of secrets inside a transcript, which only the one who writes the transcript can do.

use std::fmt;
use zeroize::Zeroizing;

/// Octets that are a secret. They show as `***` when printed, and are wiped when dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
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
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
