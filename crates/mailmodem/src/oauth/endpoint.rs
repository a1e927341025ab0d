//! The token endpoint: a refresh token in, an access token out (RFC 6749 §6).
//!
//! Not here: how the first refresh token is had (`login.rs`), and when a token is renewed.

use super::http::{Http, HttpError};
use super::state::read_secret;
use super::{OAuthClient, TokenError, text, token, words};
use crate::limits::{TOKEN_LIFE_ASSUMED, TOKEN_LIFE_MAX};
use mail::secret::Secret;
use oauth2::basic::{
    BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse,
    BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AuthType, ClientId, ClientSecret, EndpointMaybeSet, EndpointNotSet, EndpointSet, ErrorResponse,
    ExtraTokenFields, RefreshToken, RequestTokenError, StandardRevocableToken, StandardTokenResponse,
    TokenResponse as _, TokenUrl,
};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::time::{Duration, SystemTime};

/// What an authorisation server granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) access_token: Secret,
    pub(super) obtained: SystemTime,
    pub(super) expires: SystemTime,
    pub(super) refresh_token: Option<Secret>,
    /// When the log-in itself ends, for those who say so.
    pub(super) refresh_expires: Option<SystemTime>,
}

/// What some servers say of a refresh token: Google's word for it, and Keycloak's. It is in no standard, so whatever else
/// stands there does no harm.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RefreshLife {
    #[serde(default, alias = "refresh_expires_in")]
    refresh_token_expires_in: serde_json::Value,
}

impl ExtraTokenFields for RefreshLife {}

pub(super) type Reply = StandardTokenResponse<RefreshLife, BasicTokenType>;

/// The library's client, with a token endpoint and perhaps one for devices.
pub(super) type Client = oauth2::Client<
    BasicErrorResponse,
    Reply,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

impl OAuthClient {
    /// A grant whose access token is not `refused` and is good beyond `until`: the one that is kept, if another renewed
    /// it meanwhile, or a new one, which is kept. `held` is what the caller has, should it not have been kept.
    pub(super) fn renewed(
        &self,
        http: &Http,
        now: SystemTime,
        until: SystemTime,
        held: Option<&Grant>,
        refused: Option<&Secret>,
    ) -> Result<Grant, TokenError> {
        let lock = self.lock()?;
        let stored = self.stored()?;
        if let Some(stored) = &stored
            && stored.expires > until
            && refused != Some(&stored.access_token)
        {
            return Ok(stored.clone());
        }
        let mut last = TokenError::LoginNeeded { name: self.name.clone(), remedy: self.remedy() };
        let secret = self.client_secret()?;
        let client = self.client(secret.as_ref());
        let mut tried: Vec<Secret> = Vec::new();
        let mut known: Vec<&Grant> = [stored.as_ref(), held].into_iter().flatten().collect();
        // The newest first: to use one that was replaced is to be taken for a thief (RFC 9700 §4.14.2).
        known.sort_by_key(|grant| Reverse(grant.obtained));
        let known =
            known.into_iter().filter_map(|grant| Some((grant.refresh_token.clone()?, grant.refresh_expires)));
        // From a file last: what came from it once may have been replaced by the server.
        let from_file = self.refresh_token_file.iter().map(|file| Ok((read_secret(file)?, None)));
        for candidate in known.map(Ok).chain(from_file) {
            let (refresh_token, refresh_expires) = candidate?;
            if tried.contains(&refresh_token) {
                continue;
            }
            let asked = RefreshToken::new(text(&refresh_token));
            match client.exchange_refresh_token(&asked).request(http) {
                Ok(reply) => {
                    let mut grant = self.grant(&reply, now)?;
                    if grant.refresh_token.is_none() {
                        (grant.refresh_token, grant.refresh_expires) = (Some(refresh_token), refresh_expires);
                    }
                    if let Err(error) = self.store(&grant, &lock) {
                        tracing::error!(upstream = self.name, "renewed tokens cannot be kept: {error}");
                    }
                    return Ok(grant);
                }
                Err(error) => {
                    let sent = [Some(&refresh_token), secret.as_ref()];
                    last = self.refusal(&error, &sent.into_iter().flatten().cloned().collect::<Vec<_>>());
                }
            }
            if !matches!(last, TokenError::LoginRefused { .. }) {
                break;
            }
            tried.push(refresh_token);
        }
        Err(last)
    }

    pub(super) fn client_secret(&self) -> Result<Option<Secret>, TokenError> {
        self.client_secret_file.as_deref().map(read_secret).transpose()
    }

    pub(super) fn client(&self, secret: Option<&Secret>) -> Client {
        let device = self.device_authorization_endpoint.clone();
        let mut client = oauth2::Client::new(ClientId::new(self.client_id.clone()))
            // In the body: at a device endpoint not every provider looks for it elsewhere.
            .set_auth_type(AuthType::RequestBody)
            .set_token_uri(TokenUrl::from_url(self.token_endpoint.clone()))
            .set_device_authorization_url_option(device.map(oauth2::DeviceAuthorizationUrl::from_url));
        if let Some(secret) = secret {
            client = client.set_client_secret(ClientSecret::new(text(secret)));
        }
        client
    }

    /// What a reply grants.
    pub(super) fn grant(&self, reply: &Reply, now: SystemTime) -> Result<Grant, TokenError> {
        let answer = |words: &str| TokenError::Answer { name: self.name.clone(), words: words.to_owned() };
        if *reply.token_type() != BasicTokenType::Bearer {
            return Err(answer("a token of a type that mail servers do not take"));
        }
        let secret = |text: &String| token(text.as_bytes()).map_err(answer);
        let at = |life: Duration| now.checked_add(life.min(TOKEN_LIFE_MAX)).unwrap_or(now);
        let refresh_life =
            reply.extra_fields().refresh_token_expires_in.as_u64().filter(|&life_s| life_s > 0);
        Ok(Grant {
            access_token: secret(reply.access_token().secret())?,
            obtained: now,
            expires: at(reply.expires_in().unwrap_or(TOKEN_LIFE_ASSUMED)),
            refresh_token: reply.refresh_token().map(|token| secret(token.secret())).transpose()?,
            refresh_expires: refresh_life.map(|life_s| at(Duration::from_secs(life_s))),
        })
    }

    fn refusal(
        &self,
        error: &RequestTokenError<HttpError, BasicErrorResponse>,
        secrets: &[Secret],
    ) -> TokenError {
        match error {
            RequestTokenError::ServerResponse(refused)
                if *refused.error() == BasicErrorResponseType::InvalidGrant =>
            {
                let words = words(&refused.to_string(), secrets);
                TokenError::LoginRefused { name: self.name.clone(), words, remedy: self.remedy() }
            }
            error => self.trouble(error, secrets),
        }
    }

    /// Why a request came to nothing. Nothing that was sent, or that a reply could have had in it, is told.
    pub(super) fn trouble<E: ErrorResponse + 'static>(
        &self,
        error: &RequestTokenError<HttpError, E>,
        secrets: &[Secret],
    ) -> TokenError {
        let name = self.name.clone();
        match error {
            RequestTokenError::ServerResponse(refused) => {
                TokenError::Answer { name, words: words(&refused.to_string(), secrets) }
            }
            RequestTokenError::Request(error) => {
                let host = self.token_endpoint.host_str().unwrap_or_default().to_owned();
                TokenError::Unreachable { name, host, words: words(&error.to_string(), secrets) }
            }
            // The parser and its text could quote a token.
            RequestTokenError::Parse(..) => {
                TokenError::Answer { name, words: "what is no reply of an authorisation server".to_owned() }
            }
            RequestTokenError::Other(told) => TokenError::Answer { name, words: words(told, secrets) },
        }
    }
}
