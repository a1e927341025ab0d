//! Device log-in (RFC 8628): the user opens an address anywhere, types a code, and the tokens come here.
//!
//! Not here: other ways to the first refresh token; `refresh_token_file` takes one from wherever it was had.

use super::endpoint::Grant;
use super::http::{Http, HttpError};
use super::{OAuthClient, TokenError, clock_time, words};
use crate::limits::{DEVICE_LOGIN_INTERVAL_MAX, DEVICE_LOGIN_WAIT_MAX};
use mail::secret::Secret;
use oauth2::basic::{BasicErrorResponse, BasicErrorResponseType};
use oauth2::url::Url;
use oauth2::{
    DeviceCodeErrorResponse, DeviceCodeErrorResponseType, HttpRequest, RequestTokenError, Scope,
    StandardDeviceAuthorizationResponse, SyncHttpClient as _,
};
use std::cell::RefCell;
use std::io::{self, Write};
use std::thread;
use std::time::{Duration, SystemTime};

/// Why nobody was logged in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The provider has no endpoint for it, as far as is known.
    #[error(
        "upstream \"{name}\" has no device_authorization_endpoint: its provider grants no mail by device log-in. \
         Get a refresh token in another way, and name its file as refresh_token_file"
    )]
    NoDeviceLogin {
        /// The upstream's name.
        name: String,
    },
    /// The server does not grant these scopes to devices.
    #[error(
        "the provider does not grant these scopes by device log-in ({words}); look at scopes, or get a refresh token \
         in another way, and name its file as refresh_token_file"
    )]
    Scopes {
        /// The server's.
        words: String,
    },
    /// The user said no.
    #[error("access was denied; nothing has changed")]
    Denied,
    /// The user said nothing.
    #[error("the code has expired before access was allowed; run the command again")]
    Expired,
    /// Something else with the server, or with the files.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The user cannot be told the code.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
}

/// Logs in: tells on `out` what its user has to do, waits until that is done, and keeps the tokens. It blocks for as
/// long as [`DEVICE_LOGIN_WAIT_MAX`].
///
/// # Errors
/// See [`LoginError`]; what was kept before is still there then.
pub fn login(client: &OAuthClient, http: &Http, out: &mut impl Write) -> Result<(), LoginError> {
    login_with(client, http, out, SystemTime::now, thread::sleep)
}

pub(super) fn login_with(
    client: &OAuthClient,
    http: &Http,
    out: &mut impl Write,
    now: impl Fn() -> SystemTime + Send + Sync,
    sleep: impl Fn(Duration),
) -> Result<(), LoginError> {
    // Before the user has done anything: where nothing can be kept, nothing is to be had.
    drop(client.lock()?);
    let secret = client.client_secret()?;
    let endpoints = client.client(secret.as_ref());
    let no_device_login = |_| LoginError::NoDeviceLogin { name: client.name.clone() };
    let mut secrets: Vec<Secret> = secret.into_iter().collect();
    let asked: StandardDeviceAuthorizationResponse = endpoints
        .exchange_device_code()
        .map_err(no_device_login)?
        .add_scopes(client.scopes.iter().cloned().map(Scope::new))
        .request(http)
        .map_err(|error| no_device(client, &error, &secrets))?;
    secrets.push(Secret::new(asked.device_code().secret().as_str()));

    let wait = asked.expires_in().min(DEVICE_LOGIN_WAIT_MAX);
    if asked.interval() > DEVICE_LOGIN_INTERVAL_MAX {
        let words = format!("that it wants to be asked every {} s only", asked.interval().as_secs());
        return Err(TokenError::Answer { name: client.name.clone(), words }.into());
    }
    let code = words(asked.user_code().secret(), &[]);
    let minutes = wait.as_secs().div_ceil(60);
    writeln!(out, "Open   {}", asked.verification_uri().url())?;
    writeln!(out, "enter  {code}")?;
    writeln!(out, "and allow access to the mailbox of \"{}\" within {minutes} min.", client.name)?;
    if let Some(complete) = asked.verification_uri_complete()
        // What is not an address is not shown as one.
        && let Ok(complete) = Url::parse(complete.secret())
    {
        writeln!(out, "Or open {complete}")?;
    }
    out.flush()?;

    // While the server cannot be reached it is asked on: that is told when it begins.
    let told = RefCell::new((out, false));
    let ask = |request: HttpRequest| {
        http.call(request).inspect_err(|error: &HttpError| {
            let (out, is_told) = &mut *told.borrow_mut();
            if !std::mem::replace(is_told, true) {
                // The user who does not see this still has the code.
                let _ = writeln!(out, "The server cannot be asked ({error}); trying on.");
            }
        })
    };
    let polling = endpoints
        .exchange_device_access_token(&asked)
        .set_time_fn(|| now().into())
        .set_max_backoff_interval(DEVICE_LOGIN_INTERVAL_MAX);
    // Nobody can have typed anything yet.
    sleep(asked.interval());
    let reply =
        polling.request(&ask, sleep, Some(wait)).map_err(|error| no_token(client, &error, &secrets))?;
    let grant = client.grant(&reply, now())?;
    client.store(&grant, &client.lock()?)?;
    let (out, _) = told.into_inner();
    tell(client, &grant, out)?;
    Ok(())
}

fn tell(client: &OAuthClient, grant: &Grant, out: &mut impl Write) -> io::Result<()> {
    let until = clock_time(grant.expires);
    write!(out, "Logged in. The access token of \"{}\" is good until {until}", client.name)?;
    if grant.refresh_token.is_none() {
        return writeln!(
            out,
            ", and cannot be renewed: the server gave no refresh token. \
             Some want a scope for that, such as offline_access."
        );
    }
    writeln!(out, " and is renewed by itself.")?;
    if let Some(end) = grant.refresh_expires {
        writeln!(out, "The log-in ends on {}.", clock_time(end))?;
    }
    Ok(())
}

/// What the device endpoint's refusal means.
fn no_device(
    client: &OAuthClient,
    error: &RequestTokenError<HttpError, BasicErrorResponse>,
    secrets: &[Secret],
) -> LoginError {
    match error {
        RequestTokenError::ServerResponse(refused)
            if *refused.error() == BasicErrorResponseType::InvalidScope =>
        {
            LoginError::Scopes { words: words(&refused.to_string(), secrets) }
        }
        error => client.trouble(error, secrets).into(),
    }
}

/// What the token endpoint's last word means (RFC 8628 §3.5).
fn no_token(
    client: &OAuthClient,
    error: &RequestTokenError<HttpError, DeviceCodeErrorResponse>,
    secrets: &[Secret],
) -> LoginError {
    match error {
        RequestTokenError::ServerResponse(refused) => match refused.error() {
            DeviceCodeErrorResponseType::AccessDenied => LoginError::Denied,
            DeviceCodeErrorResponseType::ExpiredToken => LoginError::Expired,
            _ => client.trouble(error, secrets).into(),
        },
        error => client.trouble(error, secrets).into(),
    }
}
