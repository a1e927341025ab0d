//! The endpoints of large providers, as their documentation names them.
//!
//! Not here: the client that is registered with them; each user of the program has an own one.
//!
//! - Google: "Using OAuth 2.0 for TV and Limited-Input Device Applications" (its list of allowed scopes has none for
//!   mail, hence no device log-in), "OAuth 2.0 for iOS & Desktop Apps", "Gmail: OAuth 2.0 Mechanism".
//! - Microsoft: "Microsoft identity platform and the OAuth 2.0 device authorization grant flow", "Authenticate an IMAP,
//!   POP or SMTP connection using OAuth".
//! - Yahoo and AOL: "Yahoo OAuth 2.0 Guide", "Yahoo IMAP/SMTP Exchange using OAUTH2". There is no device log-in.

use serde::Deserialize;

/// A provider whose endpoints are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Gmail and Google Workspace.
    Google,
    /// Exchange Online (Microsoft 365) and Outlook.com.
    Microsoft,
    /// Yahoo Mail.
    Yahoo,
    /// AOL Mail.
    Aol,
}

/// What is known of a provider.
pub(super) struct Preset {
    pub(super) token_endpoint: String,
    /// None where the provider grants no mail by device log-in.
    pub(super) device_authorization_endpoint: Option<String>,
    pub(super) scopes: &'static [&'static str],
}

/// Microsoft's word for accounts of every kind.
const ANY_TENANT: &str = "common";

impl Provider {
    /// `tenant` is heeded by Microsoft's endpoints alone.
    pub(super) fn preset(self, tenant: Option<&str>) -> Preset {
        let microsoft = |leaf| {
            let tenant = tenant.unwrap_or(ANY_TENANT);
            format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/{leaf}")
        };
        match self {
            Self::Google => Preset {
                token_endpoint: "https://oauth2.googleapis.com/token".to_owned(),
                device_authorization_endpoint: None,
                scopes: &["https://mail.google.com/"],
            },
            Self::Microsoft => Preset {
                token_endpoint: microsoft("token"),
                device_authorization_endpoint: Some(microsoft("devicecode")),
                scopes: &[
                    "https://outlook.office.com/SMTP.Send",
                    "https://outlook.office.com/POP.AccessAsUser.All",
                    "offline_access",
                ],
            },
            Self::Yahoo => Preset {
                token_endpoint: "https://api.login.yahoo.com/oauth2/get_token".to_owned(),
                device_authorization_endpoint: None,
                scopes: &["mail-w"],
            },
            Self::Aol => Preset {
                token_endpoint: "https://api.login.aol.com/oauth2/get_token".to_owned(),
                device_authorization_endpoint: None,
                scopes: &["mail-w"],
            },
        }
    }
}
