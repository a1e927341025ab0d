//! Access tokens for mail servers that take those instead of passwords: from a command, from a file, or from an
//! authorisation server by a refresh token (RFC 6749 §6), with a device log-in (RFC 8628) for the first of these.
//!
//! All lines of an upstream share one [`Tokens`]: one of them asks, and all have the answer. A token is renewed before it
//! expires, and the old one is used for as long as it is good when that fails; the log tells it before it hurts.
//!
//! Not here: how a token is shown to a mail server, which is for the clients of `mail`.

mod command;
mod endpoint;
mod http;
mod login;
mod provider;
mod state;
mod table;
mod watch;

use crate::limits::{
    TOKEN_EXPIRY_MARGIN, TOKEN_KEPT, TOKEN_OCTETS_MAX, TOKEN_REST, TOKEN_WAIT, TOKEN_WORDS_CHARS_MAX,
};
use endpoint::Grant;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use mail::secret::Secret;
use oauth2::url::Url;
use std::fmt;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

pub use http::{Http, HttpError};
pub use login::{LoginError, login};
pub use provider::Provider;
pub use table::{OAuthTable, TokenCommand};

/// Where an access token comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// What a program prints: its name and its arguments.
    Command(Vec<String>),
    /// What is in a file, which another program keeps fresh.
    File(PathBuf),
    /// An authorisation server.
    OAuth(Box<OAuthClient>),
}

/// A client that is registered with an authorisation server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthClient {
    /// The upstream's name, as `mailmodem login` takes it.
    pub name: String,
    /// The name that the provider gave to the client.
    pub client_id: String,
    /// Where the client's secret is, if it has one.
    pub client_secret_file: Option<PathBuf>,
    /// Where a refresh token is that was had in another way than by a device log-in.
    pub refresh_token_file: Option<PathBuf>,
    /// Where a refresh token becomes an access token.
    pub token_endpoint: Url,
    /// Where a device log-in begins, if there can be one.
    pub device_authorization_endpoint: Option<Url>,
    /// What a log-in asks for.
    pub scopes: Vec<String>,
    /// Where tokens are kept between starts. The directory is the tokens' own: its mode becomes 0700.
    pub state_file: PathBuf,
}

impl OAuthClient {
    /// What its user can do when the server wants to see them.
    fn remedy(&self) -> String {
        match (&self.device_authorization_endpoint, &self.refresh_token_file) {
            (Some(_), _) => format!("run `mailmodem login {}`", self.name),
            (None, Some(file)) => format!("put a new refresh token into {}", file.display()),
            (None, None) => {
                "get a refresh token from the provider, and name its file as refresh_token_file".to_owned()
            }
        }
    }
}

/// Why there is no access token, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Nobody logged in yet.
    #[error("upstream \"{name}\" is not logged in; {remedy}")]
    LoginNeeded {
        /// The upstream's name.
        name: String,
        /// What to do.
        remedy: String,
    },
    /// The log-in is over: revoked, or expired.
    #[error("the log-in of upstream \"{name}\" is over ({words}); {remedy}")]
    LoginRefused {
        /// The upstream's name.
        name: String,
        /// The server's.
        words: String,
        /// What to do.
        remedy: String,
    },
    /// The authorisation server cannot be asked at the moment.
    #[error("the authorisation server {host} of upstream \"{name}\" cannot be asked: {words}")]
    Unreachable {
        /// The upstream's name.
        name: String,
        /// The server.
        host: String,
        /// Why not.
        words: String,
    },
    /// The authorisation server does not like the client, or says what cannot be understood.
    #[error(
        "the authorisation server of upstream \"{name}\" answers {words}; look at the keys of its table oauth"
    )]
    Answer {
        /// The upstream's name.
        name: String,
        /// The server's.
        words: String,
    },
    /// A file cannot be read or written, or is not what it should be.
    #[error("{}: {words}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// What is wrong.
        words: String,
    },
    /// The command gave no token.
    #[error("token_command of upstream \"{name}\" {words}")]
    Command {
        /// The upstream's name.
        name: String,
        /// What it did instead.
        words: String,
    },
    /// There is a token, but the mail server does not take it.
    #[error(
        "the mail server of upstream \"{name}\" refuses a token that is new; look at the user's name, and at what the \
         token is good for (scopes)"
    )]
    Useless {
        /// The upstream's name.
        name: String,
    },
    /// Its source is asked still, or another process keeps it from being asked.
    #[error("no token for upstream \"{name}\" within {} s: its source is slow", TOKEN_WAIT.as_secs())]
    Late {
        /// The upstream's name.
        name: String,
    },
    /// The program is ending.
    #[error("no token for upstream \"{name}\": the program ends")]
    Ending {
        /// The upstream's name.
        name: String,
    },
}

/// The access tokens of an upstream, for all its lines.
pub struct Tokens {
    name: String,
    source: TokenSource,
    http: Http,
    now: Now,
    held: Mutex<Held>,
    /// Whoever asks the source has this.
    asking: tokio::sync::Mutex<()>,
}

/// What time it is.
type Now = Arc<dyn Fn() -> SystemTime + Send + Sync>;

#[derive(Default)]
struct Held {
    grant: Option<Grant>,
    /// The last token that a mail server did not take.
    refused: Option<Secret>,
    /// When the source gave a new token.
    given: Option<Instant>,
    failed: Option<(Instant, TokenError)>,
}

impl Tokens {
    /// The tokens of the upstream `name`.
    #[must_use]
    pub fn new(name: &str, source: TokenSource, http: Http) -> Self {
        Self::with_clock(name, source, http, Arc::new(SystemTime::now))
    }

    fn with_clock(name: &str, source: TokenSource, http: Http, now: Now) -> Self {
        Self {
            name: name.to_owned(),
            source,
            http,
            now,
            held: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// Where they come from.
    #[must_use]
    pub const fn source(&self) -> &TokenSource {
        &self.source
    }

    /// A token that is good at the moment. If there is none, or if it is about to expire, the source is asked; one asks
    /// for all who wait.
    ///
    /// # Errors
    /// There is none, nor can one be had within [`TOKEN_WAIT`]; the error says what to do. An error answers for
    /// [`TOKEN_REST`].
    pub async fn access_token(&self) -> Result<Secret, TokenError> {
        if let Some(token) = self.good_for(self.margin()) {
            return Ok(token);
        }
        match timeout(TOKEN_WAIT, self.asked()).await {
            Ok(asked) => asked,
            Err(_) => {
                self.good_for(Duration::ZERO).ok_or_else(|| TokenError::Late { name: self.name.clone() })
            }
        }
    }

    async fn asked(&self) -> Result<Secret, TokenError> {
        let _asking = match self.good_for(Duration::ZERO) {
            // The old one still does, and somebody asks already.
            Some(token) => match self.asking.try_lock() {
                Ok(asking) => asking,
                Err(_) => return Ok(token),
            },
            None => self.asking.lock().await,
        };
        match self.ask(self.margin()).await {
            Ok(token) => Ok(token),
            Err(error) => self.good_for(Duration::ZERO).ok_or(error),
        }
    }

    /// A mail server refused `token`: it is not used again, and the source is asked for another.
    pub fn forget(&self, token: &Secret) {
        let mut held = self.held();
        // Somebody may have forgotten it already, and there is a new one.
        if held.grant.as_ref().is_some_and(|grant| grant.access_token == *token) {
            held.refused = Some(token.clone());
        }
    }

    /// How long before its expiry a token is not given any more, if there can be another.
    fn margin(&self) -> Duration {
        match self.source {
            TokenSource::OAuth(_) => TOKEN_EXPIRY_MARGIN,
            TokenSource::Command(_) | TokenSource::File(_) => Duration::ZERO,
        }
    }

    /// The held token, if it is good for so long and beyond.
    fn good_for(&self, time: Duration) -> Option<Secret> {
        let held = self.held();
        let grant = held.grant.as_ref()?;
        let is_good =
            grant.expires > (self.now)() + time && held.refused.as_ref() != Some(&grant.access_token);
        is_good.then(|| grant.access_token.clone())
    }

    /// A token that is good for so long, from the source if need be. The caller has `asking`.
    async fn ask(&self, ahead: Duration) -> Result<Secret, TokenError> {
        let is_first = self.held().grant.is_none();
        if is_first && let TokenSource::OAuth(client) = &self.source {
            // Should it not be renewed now, it may still do.
            let client = client.clone();
            let stored = self.blocking(move || client.stored()).await?;
            self.held().grant = stored;
        }
        if let Some(token) = self.good_for(ahead) {
            return Ok(token);
        }
        let (grant, refused) = {
            let held = self.held();
            if let Some((at, error)) = &held.failed
                && at.elapsed() < TOKEN_REST
            {
                return Err(error.clone());
            }
            let is_refused =
                held.grant.as_ref().is_some_and(|g| held.refused.as_ref() == Some(&g.access_token));
            if is_refused && held.given.is_some_and(|given| given.elapsed() < TOKEN_REST) {
                return Err(TokenError::Useless { name: self.name.clone() });
            }
            (held.grant.clone(), held.refused.clone())
        };
        let given = self.given(ahead, grant, refused).await;
        let mut held = self.held();
        match given {
            Ok(grant) => {
                let token = grant.access_token.clone();
                (held.grant, held.given, held.failed) = (Some(grant), Some(Instant::now()), None);
                // The file, or the command's own store, has nothing newer.
                if held.refused.as_ref() == Some(&token) {
                    return Err(TokenError::Useless { name: self.name.clone() });
                }
                Ok(token)
            }
            Err(error) => {
                held.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// What the source gives.
    async fn given(
        &self,
        ahead: Duration,
        held: Option<Grant>,
        refused: Option<Secret>,
    ) -> Result<Grant, TokenError> {
        let obtained = (self.now)();
        let access_token = match &self.source {
            TokenSource::OAuth(client) => {
                let (client, http, until) = (client.clone(), self.http.clone(), obtained + ahead);
                let renew = move || client.renewed(&http, obtained, until, held.as_ref(), refused.as_ref());
                return self.blocking(renew).await;
            }
            TokenSource::Command(argv) => command::run(&self.name, argv).await?,
            TokenSource::File(file) => {
                let file = file.clone();
                self.blocking(move || state::read_secret(&file)).await?
            }
        };
        let expires = obtained + TOKEN_KEPT;
        Ok(Grant { access_token, obtained, expires, refresh_token: None, refresh_expires: None })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, TokenError> + Send + 'static,
    ) -> Result<T, TokenError> {
        spawn_blocking(work).await.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => Err(TokenError::Ending { name: self.name.clone() }),
        })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same source is the same tokens.
impl PartialEq for Tokens {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.source) == (&other.name, &other.source)
    }
}

impl Eq for Tokens {}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("name", &self.name)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// The token that is all there is in `octets`, but for margins; else what there is instead.
///
/// It can stand in a line of SASL (RFC 7628 §3.1), and in a header of HTTP (RFC 6750 §2.1).
fn token(octets: &[u8]) -> Result<Secret, &'static str> {
    let token = octets.trim_ascii();
    match token {
        [] => Err("no token"),
        _ if token.len() > TOKEN_OCTETS_MAX => Err("a token that is too long"),
        _ if !token.iter().all(u8::is_ascii_graphic) => Err("a token with spaces or lines in it"),
        _ => Ok(Secret::new(token)),
    }
}

/// A token as text. There is nothing in it that is none ([`token`]).
fn text(token: &Secret) -> String {
    String::from_utf8_lossy(token.reveal()).into_owned()
}

/// Words of others, for people: one line of printable characters, not without end, and without the secrets.
fn words(text: &str, secrets: &[Secret]) -> String {
    let text = secrets.iter().fold(text.to_owned(), |text, secret| secret.cut_from(&text));
    let mut words = String::new();
    for word in text.split_whitespace() {
        if !words.is_empty() {
            words.push(' ');
        }
        words.extend(word.chars().map(|c| if c.is_control() { '?' } else { c }));
    }
    match words.char_indices().nth(TOKEN_WORDS_CHARS_MAX) {
        Some((end, _)) => format!("{} ...", words.get(..end).unwrap_or_default()),
        None => words,
    }
}

/// A time as the machine's clock on the wall has it.
fn clock_time(time: SystemTime) -> String {
    let Ok(time) = Timestamp::try_from(time) else {
        return "some time".to_owned();
    };
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests;
