//! What the owner of a modem may set. Everything has a default, and the defaults are the note's module.

use crate::limits::{ATTACHMENTS_OCTETS_MAX, LINE_OCTETS_MAX, MAIL_OCTETS_MAX};

pub use mail::smtp::client::BadRecipient;

/// What a saved mail's text is called (commands.md §3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MailFileName {
    /// `EMAIL000.TXT`.
    #[default]
    Plain,
    /// `EMAILYYMMDDHHMMSS000.TXT`, as later firmware has it.
    Dated,
}

/// The settings of one modem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Longest command line.
    pub line_octets_max: usize,
    /// Total size of a mail's attachments.
    pub attachments_octets_max: u64,
    /// Whether passwords read back as `***` instead of as given.
    pub mask_passwords: bool,
    /// What one refused recipient means for the others.
    pub bad_recipient: BadRecipient,
    /// The largest mail that is saved.
    pub mail_octets_max: u64,
    /// What a saved mail's text is called.
    pub mail_file_name: MailFileName,
    /// Whether POP3 logs in by APOP where the server offers it.
    pub apop: bool,
    /// Whether mail needs a PDP context configured by the host (note §3.1).
    pub require_pdp_context: bool,
    /// Whether [`Output::Trace`](crate::modem::Output::Trace) is made.
    pub trace: bool,
    /// Who the modem says it is.
    pub identity: Identity,
    /// Whether `START`, `+CPIN: READY`, `SMS DONE` and `PB DONE` are shown when the power comes on.
    pub boot_urcs: bool,
    /// How the SMTP client calls itself: a domain or an address literal.
    pub hello_name: String,
    /// What AT&W stored before this start, as [`Output::Profile`](crate::modem::Output::Profile) had it.
    pub profile: String,
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
            mail_octets_max: MAIL_OCTETS_MAX,
            mail_file_name: MailFileName::Plain,
            apop: false,
            require_pdp_context: false,
            trace: false,
            identity: Identity::default(),
            boot_urcs: false,
            hello_name: "[127.0.0.1]".to_owned(),
            profile: String::new(),
            nonce: 0,
        }
    }
}

/// What a modem and its SIM card tell about themselves (commands.md §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// AT+CGMI.
    pub manufacturer: String,
    /// AT+CGMM.
    pub model: String,
    /// AT+CGMR.
    pub revision: String,
    /// AT+CGSN: 15 digits.
    pub imei: String,
    /// AT+CIMI: 15 digits.
    pub imsi: String,
    /// AT+CICCID: 19 or 20 digits.
    pub iccid: String,
}

impl Default for Identity {
    /// Numbers that belong to nobody: an IMEI for tests, and the test network's subscriber.
    fn default() -> Self {
        Self {
            manufacturer: "mailmodem".to_owned(),
            model: "MAILMODEM".to_owned(),
            revision: "MAILMODEM_V1".to_owned(),
            imei: "004999010640000".to_owned(),
            imsi: "001010123456789".to_owned(),
            iccid: "8988101000000000006".to_owned(),
        }
    }
}
