//! `[[upstream]]`: a rule of the upstream map as it is written.
//!
//! Not here: what a rule does ([`crate::upstream`]).

use super::{Place, secret};
use crate::oauth::{Http, OAuthTable, TokenCommand, TokenSource, Tokens};
use crate::tls::{Pin, Trust};
use crate::upstream::{Deliver, Delivery, LogIn, Matching, Pattern, TlsMode, Upstream};
use mail::mime::header::Mailbox;
use mail::sasl::{Credentials, Mechanism, Proof};
use mail::smtp::command::Path as Address;
use modem::modem::Protocol;
use modem::route::{OriginalSender, Rewriting};
use serde::{Deserialize, Deserializer, de};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use toml::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UpstreamTable {
    pub(super) name: Spanned<String>,
    #[serde(default, rename = "match")]
    matching: MatchTable,
    host: Option<String>,
    port: Option<u16>,
    tls: Option<TlsWord>,
    ca_file: Option<PathBuf>,
    #[serde(default, deserialize_with = "pins")]
    pins: Vec<Pin>,
    verify: Option<bool>,
    user: Option<String>,
    pub(super) password: Option<String>,
    password_file: Option<PathBuf>,
    password_credential: Option<String>,
    token_command: Option<TokenCommand>,
    token_file: Option<PathBuf>,
    oauth: Option<OAuthTable>,
    #[serde(default, deserialize_with = "mechanism")]
    mechanism: Option<Mechanism>,
    #[serde(default)]
    allow_cleartext_password: bool,
    from: Option<String>,
    from_name: Option<String>,
    #[serde(default)]
    original_sender: OriginalSenderWord,
    recipients: Option<Vec<String>>,
    #[serde(default)]
    more_recipients: Vec<String>,
    #[serde(default)]
    subject_prefix: String,
    #[serde(default)]
    deliver: Deliver,
    #[serde(default)]
    delivery: Delivery,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct MatchTable {
    protocol: Option<ProtocolWord>,
    line: Option<Texts>,
    server: Option<Texts>,
    port: Option<u16>,
    user: Option<Texts>,
    sender: Option<Texts>,
    recipient: Option<Texts>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ProtocolWord {
    Smtp,
    Pop3,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TlsWord {
    Implicit,
    Required,
    Opportunistic,
    Off,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum OriginalSenderWord {
    #[default]
    Dropped,
    ReplyTo,
    Field,
}

/// One, or any of several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Several(Vec<String>),
}

impl Texts {
    fn texts(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Several(texts) => texts,
        }
    }

    fn into_pattern(self) -> Pattern {
        Pattern::new(match self {
            Self::One(text) => vec![text],
            Self::Several(texts) => texts,
        })
    }
}

impl MatchTable {
    fn into_matching(self) -> Matching {
        let Self { protocol, line, server, port, user, sender, recipient } = self;
        Matching {
            protocol: protocol.map(|word| match word {
                ProtocolWord::Smtp => Protocol::Smtp,
                ProtocolWord::Pop3 => Protocol::Pop3,
            }),
            line: line.map(Texts::into_pattern),
            server: server.map(Texts::into_pattern),
            port,
            user: user.map(Texts::into_pattern),
            sender: sender.map(Texts::into_pattern),
            recipient: recipient.map(Texts::into_pattern),
        }
    }
}

impl UpstreamTable {
    /// Files that it names are where the config is, unless they say where.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub(super) fn into_upstream(self, place: &Place<'_>) -> Result<Upstream, String> {
        let name = self.name.into_inner();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.starts_with('.') || !name.chars().all(is_plain) {
            return Err(format!("\"{name}\" is no name for an upstream; take letters, digits, - and _"));
        }
        let trust =
            trust(self.ca_file.map(|file| place.directory.join(file)).as_deref(), self.pins, self.verify)?;
        let tokens = match (self.token_command, self.token_file, self.oauth) {
            (None, None, None) => None,
            (Some(TokenCommand(argv)), None, None) => Some(TokenSource::Command(argv)),
            (None, Some(file), None) => Some(TokenSource::File(place.directory.join(file))),
            (None, None, Some(table)) => Some(TokenSource::OAuth(Box::new(table.into_client(
                &name,
                place.directory,
                place.data_dir,
            )?))),
            _ => return Err("token_command, token_file and oauth are three ways; take one".to_owned()),
        };
        let password = secret::Source {
            inline: self.password,
            file: self.password_file.map(|file| place.directory.join(file)),
            credential: self.password_credential,
        };
        let log_in = log_in(&name, self.user, password.read()?, tokens)?;
        let protocol = self.matching.protocol;
        if matches!(protocol, Some(ProtocolWord::Pop3)) {
            let words = match (&self.matching, &log_in, self.delivery) {
                (MatchTable { sender: Some(_), .. } | MatchTable { recipient: Some(_), .. }, ..) => {
                    "POP3 names no sender and no recipient that a rule could match"
                }
                (_, LogIn::Nobody, _) => {
                    "POP3 knows no session without a log-in: leave user out, and it is the terminal's, or name one"
                }
                (.., Delivery::Queued) => "what is fetched is never queued: delivery is of mail that is sent",
                _ => "",
            };
            if !words.is_empty() {
                return Err(words.to_owned());
            }
        }
        if self.delivery == Delivery::Queued && log_in == LogIn::AsNamed {
            return Err(
                "what is queued is sent later, when the terminal's password is not kept any more: give user and \
                 password_file, or user = \"\" for a server that wants none"
                    .to_owned(),
            );
        }
        let servers = self.matching.server.iter().flat_map(Texts::texts).map(|server| ("server", server));
        for (key, name) in self.host.iter().map(|host| ("host", host)).chain(servers) {
            if let Some((host, port)) = name.split_once(':')
                && !port.is_empty()
                && port.bytes().all(|b| b.is_ascii_digit())
            {
                return Err(format!("the port is a key of its own: {key} = \"{host}\", port = {port}"));
            }
            if name.is_empty() || name.contains(|c: char| c == '/' || c.is_whitespace()) {
                return Err(format!(
                    "{key} is a server's name or address alone, such as \"smtp.example.com\""
                ));
            }
        }
        for address in self.from.iter().chain(self.recipients.iter().flatten()).chain(&self.more_recipients) {
            if let Err(error) = address.parse::<Address>() {
                return Err(format!("\"{address}\" is no address: {error}"));
            }
            if !address.contains('@') {
                return Err(format!("\"{address}\" is no address: it has no @"));
            }
        }
        if self.recipients.as_ref().is_some_and(Vec::is_empty) {
            return Err("recipients is empty; leave it out, or say who gets the mail".to_owned());
        }
        let is_plain_text = |text: &str| text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        if !is_plain_text(&self.subject_prefix) || !self.from_name.as_deref().is_none_or(is_plain_text) {
            return Err(
                "subject_prefix and from_name stand in mails of every charset: take letters, digits and signs of ASCII"
                    .to_owned(),
            );
        }
        if self.from.is_none() && self.from_name.is_some() {
            return Err("from_name is the name beside from, which is missing".to_owned());
        }
        if self.from.is_none() && !matches!(self.original_sender, OriginalSenderWord::Dropped) {
            return Err("original_sender is kept where from takes its place, and from is missing".to_owned());
        }
        Ok(Upstream {
            name,
            matching: self.matching.into_matching(),
            host: self.host,
            port: self.port,
            tls: self.tls.map(|word| match word {
                TlsWord::Implicit => TlsMode::Implicit,
                TlsWord::Required => TlsMode::Required,
                TlsWord::Opportunistic => TlsMode::Opportunistic,
                TlsWord::Off => TlsMode::Off,
            }),
            trust: trust.into(),
            log_in,
            mechanism: self.mechanism,
            allow_cleartext_password: self.allow_cleartext_password,
            rewriting: Rewriting {
                sender: self.from.map(|address| Mailbox {
                    address,
                    name: self.from_name.unwrap_or_default().into_bytes(),
                }),
                original_sender: match self.original_sender {
                    OriginalSenderWord::Dropped => OriginalSender::Dropped,
                    OriginalSenderWord::ReplyTo => OriginalSender::ReplyTo,
                    OriginalSenderWord::Field => OriginalSender::Field,
                },
                recipients: self.recipients,
                more_recipients: self.more_recipients,
                subject_prefix: self.subject_prefix,
            },
            deliver: self.deliver,
            delivery: self.delivery,
        })
    }
}

/// Who logs in, by a password or by tokens.
fn log_in(
    name: &str,
    user: Option<String>,
    password: Option<secret::Password>,
    tokens: Option<TokenSource>,
) -> Result<LogIn, String> {
    if password.is_some() && tokens.is_some() {
        return Err("there is a password and a token; the server takes one of them".to_owned());
    }
    let Some(user) = user else {
        return if password.is_some() || tokens.is_some() {
            Err("there is a password or a token without a user; user says whose it is".to_owned())
        } else {
            Ok(LogIn::AsNamed)
        };
    };
    if user.contains(char::is_control) {
        return Err("a user name with control characters cannot be sent".to_owned());
    }
    match (user.as_str(), password, tokens) {
        ("", None, None) => Ok(LogIn::Nobody),
        ("", ..) => Err("there is a password or a token without a user; user says whose it is".to_owned()),
        (_, Some(secret::Password::Known(password)), _) => {
            Ok(LogIn::Password(Credentials { user: user.into_bytes(), proof: Proof::Password(password) }))
        }
        (_, Some(secret::Password::InServiceOnly(credential)), _) => {
            Ok(LogIn::InServiceOnly { user: user.into_bytes(), credential })
        }
        (_, None, Some(source)) => {
            let http = Http::new(Trust::System.config()?);
            Ok(LogIn::Token { user: user.into_bytes(), tokens: Arc::new(Tokens::new(name, source, http)) })
        }
        (_, None, None) => Err(format!(
            "there is a user \"{user}\" without a password; password_file, password_credential or password has it, or \
             oauth a token. user = \"\" is for nobody's logging in"
        )),
    }
}

fn trust(ca_file: Option<&Path>, pins: Vec<Pin>, verify: Option<bool>) -> Result<Trust, String> {
    match (ca_file, pins.as_slice(), verify) {
        (None, [], None | Some(true)) => Ok(Trust::System),
        (None, [], Some(false)) => Ok(Trust::Anybody),
        (None, [..], None | Some(true)) => Ok(Trust::Pins(pins)),
        (Some(file), [], None | Some(true)) => {
            let certificates =
                CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            let certificates =
                certificates.map_err(|error| format!("cannot read {}: {error}", file.display()))?;
            if certificates.is_empty() {
                return Err(format!("there is no certificate in {}; it is to be PEM", file.display()));
            }
            let trust = Trust::Authorities(certificates);
            trust.config().map_err(|words| format!("{}: {words}", file.display()))?;
            Ok(trust)
        }
        _ => Err("ca_file, pins and verify = false are three ways to say whom to trust; take one".to_owned()),
    }
}

fn pins<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<Pin>, D::Error> {
    let pins = Vec::<String>::deserialize(value)?;
    pins.iter()
        .map(|pin| pin.parse().map_err(|error| de::Error::custom(format!("\"{pin}\": {error}"))))
        .collect()
}

fn mechanism<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Mechanism>, D::Error> {
    let name = String::deserialize(value)?;
    let mechanism = Mechanism::named(&name);
    mechanism.map(Some).ok_or_else(|| {
        let known: Vec<String> = Mechanism::ALL.iter().map(ToString::to_string).collect();
        let known = known.join(", ");
        de::Error::custom(format!("\"{name}\" is no mechanism that is spoken here; there are {known}"))
    })
}
