//! The passwords of a world, and whether somebody tells them: as they are, in base64, alone or with a user before them
//! (RFC 4616), or in hexadecimal.

use crate::reading::{Wrong, text};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// See the module's words.
#[derive(Debug, Default)]
pub struct Secrets(Vec<Vec<u8>>);

impl Secrets {
    /// The forms of these passwords, each with its user.
    #[must_use]
    pub fn new(passwords: &[(String, String)]) -> Self {
        let mut forms = Vec::new();
        for (user, password) in passwords {
            forms.push(password.clone());
            for told in [password.clone(), format!("\0{user}\0{password}")] {
                forms.push(STANDARD.encode(told).trim_end_matches('=').to_owned());
            }
            forms.push(password.bytes().map(|octet| format!("{octet:02x}")).collect());
        }
        Self(forms.into_iter().map(String::into_bytes).collect())
    }

    /// # Errors
    /// `octets` tell one.
    pub fn check(&self, place: &str, octets: &[u8]) -> Result<(), Wrong> {
        for form in &self.0 {
            // Hexadecimal may be in either case; the others would be no secret any more.
            let tells =
                octets.windows(form.len()).any(|part| part == form || part.to_ascii_lowercase() == *form);
            if tells {
                return Err(format!("{place} tells a password: {}", text(octets)));
            }
        }
        Ok(())
    }
}
