//! What the owner of a modem may set. Everything has a default, and the defaults are the note's module.

use crate::limits::{ATTACHMENTS_OCTETS_MAX, LINE_OCTETS_MAX};

pub use mail::smtp::client::BadRecipient;

/// The settings of one modem.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Longest command line.
    pub line_octets_max: usize,
    /// Total size of a mail's attachments.
    pub attachments_octets_max: u64,
    /// Whether passwords read back as `***` instead of as given.
    pub mask_passwords: bool,
    /// What one refused recipient means for the others.
    pub bad_recipient: BadRecipient,
    /// Whether mail needs a PDP context configured by the host (note §3.1).
    pub require_pdp_context: bool,
    /// How the SMTP client calls itself: a domain or an address literal.
    pub hello_name: String,
    /// A number that no other start of a modem has: Message-IDs are built on it.
    pub nonce: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            line_octets_max: LINE_OCTETS_MAX,
            attachments_octets_max: ATTACHMENTS_OCTETS_MAX,
            mask_passwords: false,
            bad_recipient: BadRecipient::Fail,
            require_pdp_context: false,
            hello_name: "[127.0.0.1]".to_owned(),
            nonce: 0,
        }
    }
}
