//! The config's keys about tokens, as they are written: `token_command`, and the table `oauth` of an upstream.
//!
//! Not here: that an upstream has one source of tokens only; the upstream's table knows what else it has.

use super::OAuthClient;
use super::provider::Provider;
use oauth2::url::{Host, Url};
use serde::{Deserialize, Deserializer, de};
use std::path::{Path, PathBuf};

/// `[upstream.NAME.oauth]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuthTable {
    provider: Option<Provider>,
    client_id: String,
    client_secret_file: Option<PathBuf>,
    refresh_token_file: Option<PathBuf>,
    token_endpoint: Option<Endpoint>,
    device_authorization_endpoint: Option<Endpoint>,
    scopes: Option<Vec<String>>,
    tenant: Option<String>,
}

impl OAuthTable {
    /// The client of the upstream `name`, whose tokens are kept in `state_dir`/tokens. Its files are where `config_dir`
    /// says, unless their names begin at the root.
    ///
    /// # Errors
    /// In words: something is missing, or does not go together.
    pub fn into_client(self, name: &str, config_dir: &Path, state_dir: &Path) -> Result<OAuthClient, String> {
        if self.client_id.is_empty() {
            return Err("client_id is empty; the provider gives one when a client is registered".to_owned());
        }
        if self.tenant.is_some() && self.provider != Some(Provider::Microsoft) {
            return Err("tenant goes with provider = \"microsoft\" only".to_owned());
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        if let Some(tenant) = self.tenant.as_deref().filter(|t| t.is_empty() || !t.chars().all(is_plain)) {
            return Err(format!(
                "\"{tenant}\" is no tenant; take its id, its domain, or one of common, organizations and consumers"
            ));
        }
        let preset = self.provider.map(|provider| provider.preset(self.tenant.as_deref()));
        let (known_token, known_device, known_scopes) = match preset {
            Some(preset) => {
                (Some(preset.token_endpoint), preset.device_authorization_endpoint, preset.scopes)
            }
            None => (None, None, &[][..]),
        };
        let endpoint = |own: Option<Endpoint>, known: Option<String>| match own {
            Some(own) => Ok(Some(own.0)),
            None => known.map(|known| Endpoint::parse(&known)).transpose(),
        };
        let Some(token_endpoint) = endpoint(self.token_endpoint, known_token)? else {
            return Err("whose tokens? Name a provider, or a token_endpoint".to_owned());
        };
        let scopes =
            self.scopes.unwrap_or_else(|| known_scopes.iter().map(|&scope| scope.to_owned()).collect());
        Ok(OAuthClient {
            name: name.to_owned(),
            client_id: self.client_id,
            client_secret_file: self.client_secret_file.map(|file| config_dir.join(file)),
            refresh_token_file: self.refresh_token_file.map(|file| config_dir.join(file)),
            token_endpoint,
            device_authorization_endpoint: endpoint(self.device_authorization_endpoint, known_device)?,
            scopes,
            state_file: state_dir.join("tokens").join(format!("{name}.json")),
        })
    }
}

/// An address that may be asked: by HTTPS, or by HTTP on this machine.
#[derive(Clone, Debug)]
struct Endpoint(Url);

impl Endpoint {
    fn parse(text: &str) -> Result<Url, String> {
        let url = Url::parse(text).map_err(|error| format!("\"{text}\" is no address: {error}"))?;
        let is_here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        match url.scheme() {
            "https" => Ok(url),
            "http" if is_here => Ok(url),
            _ => {
                Err(format!("\"{text}\" would give secrets away; take an address that begins with https://"))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(value)?).map(Self).map_err(de::Error::custom)
    }
}

/// `token_command`: a list is a program and its arguments, and run as it is; a string is a line for `sh`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenCommand(pub Vec<String>);

impl<'de> Deserialize<'de> for TokenCommand {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a command is a line for sh, or a list of a program and its arguments")]
        enum Written {
            Line(String),
            Words(Vec<String>),
        }
        let words = match Written::deserialize(value)? {
            Written::Line(line) if !line.trim().is_empty() => vec!["sh".to_owned(), "-c".to_owned(), line],
            Written::Line(_) => Vec::new(),
            Written::Words(words) => words,
        };
        if words.first().is_none_or(String::is_empty) {
            return Err(de::Error::custom(
                "the command is empty; name a program that prints an access token",
            ));
        }
        Ok(Self(words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> Result<OAuthClient, String> {
        let table: OAuthTable = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        table.into_client("mail", Path::new("/etc/mailmodem"), Path::new("/var/lib/mailmodem"))
    }

    #[test]
    fn a_provider_is_a_preset_that_single_keys_overrule() {
        let microsoft = client("provider = 'microsoft'\nclient_id = 'me'\ntenant = 'example.org'").unwrap();
        assert_eq!(
            microsoft.token_endpoint.as_str(),
            "https://login.microsoftonline.com/example.org/oauth2/v2.0/token"
        );
        let device = microsoft.device_authorization_endpoint.unwrap();
        assert_eq!(device.as_str(), "https://login.microsoftonline.com/example.org/oauth2/v2.0/devicecode");
        assert!(microsoft.scopes.contains(&"offline_access".to_owned()));
        assert_eq!(microsoft.state_file, Path::new("/var/lib/mailmodem/tokens/mail.json"));

        let google =
            client("provider = 'google'\nclient_id = 'me'\nclient_secret_file = 'secret'\nscopes = ['x']");
        let google = google.unwrap();
        assert_eq!(google.token_endpoint.as_str(), "https://oauth2.googleapis.com/token");
        assert_eq!(google.device_authorization_endpoint, None);
        assert_eq!(google.scopes, ["x"]);
        assert_eq!(google.client_secret_file.unwrap(), Path::new("/etc/mailmodem/secret"));

        for provider in ["yahoo", "aol"] {
            let client = client(&format!("provider = '{provider}'\nclient_id = 'me'")).unwrap();
            assert_eq!(client.token_endpoint.host_str(), Some(&*format!("api.login.{provider}.com")));
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, words) in [
            ("client_id = 'me'", "Name a provider"),
            ("provider = 'google'\nclient_id = ''", "client_id is empty"),
            ("provider = 'google'\nclient_id = 'me'\ntenant = 'x'", "microsoft"),
            ("provider = 'microsoft'\nclient_id = 'me'\ntenant = 'a/../b'", "is no tenant"),
            ("client_id = 'me'\ntoken_endpoint = 'http://example.org/'", "would give secrets away"),
            ("client_id = 'me'\ntoken_endpoint = 'ftp://localhost/'", "would give secrets away"),
            ("client_id = 'me'\ntoken_endpoint = 'token'", "is no address"),
            ("client_id = 'me'\nclient_secret = 'x'", "unknown field `client_secret`"),
        ] {
            let told = client(text).unwrap_err();
            assert!(told.contains(words), "{text}: {told}");
        }
        for here in ["http://127.0.0.1:1/t", "http://[::1]/t", "http://localhost/t", "https://example.org/t"]
        {
            client(&format!("client_id = 'me'\ntoken_endpoint = '{here}'")).unwrap();
        }
    }

    #[test]
    fn a_command_is_a_line_or_a_list() {
        #[derive(Debug, Deserialize)]
        struct Table {
            token_command: TokenCommand,
        }
        let command = |text: &str| toml::from_str(text).map(|table: Table| table.token_command.0);
        assert_eq!(command("token_command = 'pass x | head -1'").unwrap(), ["sh", "-c", "pass x | head -1"]);
        assert_eq!(command("token_command = ['pass', 'x']").unwrap(), ["pass", "x"]);
        for empty in ["''", "' '", "[]", "['']"] {
            let told = command(&format!("token_command = {empty}")).unwrap_err();
            assert!(told.message().contains("is empty"), "{told}");
        }
        assert!(command("token_command = 1").unwrap_err().message().contains("a line for sh"));
    }
}
