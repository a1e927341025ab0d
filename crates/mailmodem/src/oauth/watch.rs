//! Sees that there is a good token before anybody wants one, and tells in the log when there will be none.
//!
//! Not here: how one is had.

use super::{TokenError, TokenSource, Tokens, clock_time};
use crate::limits::{
    LOGIN_END_AHEAD, TOKEN_RENEWAL_AHEAD, TOKEN_RENEWAL_WAIT_MAX, TOKEN_RENEWAL_WAIT_MIN,
    TOKEN_WATCH_WAIT_MAX,
};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::sleep;

/// How often the end of a log-in is told.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Tokens {
    /// Renews the token ahead of its expiry, for as long as this is polled. What fails is told at once, and again when
    /// the token is no longer good.
    pub async fn watch(self: Arc<Self>) {
        // What was told, and whether there was a good token then.
        let mut told: Option<(TokenError, bool)> = None;
        let mut end_told: Option<SystemTime> = None;
        let mut retry_wait = TOKEN_RENEWAL_WAIT_MIN;
        loop {
            let wait = match self.tend().await {
                Ok(()) => {
                    if told.take().is_some() {
                        tracing::info!(upstream = self.name, "there is a good token again");
                    }
                    self.tell_end(&mut end_told);
                    retry_wait = TOKEN_RENEWAL_WAIT_MIN;
                    self.until_renewal()
                }
                Err(error) => {
                    let left = self.left();
                    let telling = (error, left.is_some());
                    if told.as_ref() != Some(&telling) {
                        self.tell(&telling.0, left);
                        told = Some(telling);
                    }
                    let wait = retry_wait;
                    retry_wait = (retry_wait * 2).min(TOKEN_RENEWAL_WAIT_MAX);
                    // Its end is to be told when it comes.
                    left.map_or(wait, |left| wait.min(left))
                }
            };
            // What is over in no time, or is over already, does not keep a processor busy.
            sleep(wait.max(Duration::from_secs(1))).await;
        }
    }

    async fn tend(&self) -> Result<(), TokenError> {
        let _asking = self.asking.lock().await;
        self.ask(self.ahead()).await.map(drop)
    }

    /// How long before its expiry the held token is to be renewed.
    fn ahead(&self) -> Duration {
        if !matches!(self.source, TokenSource::OAuth(_)) {
            return Duration::ZERO;
        }
        let held = self.held();
        let life = held.grant.as_ref().and_then(|grant| grant.expires.duration_since(grant.obtained).ok());
        life.map_or(TOKEN_RENEWAL_AHEAD, |life| TOKEN_RENEWAL_AHEAD.min(life / 4))
    }

    fn until_renewal(&self) -> Duration {
        match (&self.source, self.left()) {
            (TokenSource::OAuth(_), Some(left)) => {
                left.saturating_sub(self.ahead()).min(TOKEN_WATCH_WAIT_MAX)
            }
            _ => TOKEN_WATCH_WAIT_MAX,
        }
    }

    /// How long the held token is still good, if it is.
    fn left(&self) -> Option<Duration> {
        self.good_for(Duration::ZERO)?;
        let expires = self.held().grant.as_ref()?.expires;
        expires.duration_since((self.now)()).ok()
    }

    fn tell(&self, error: &TokenError, left: Option<Duration>) {
        match left {
            Some(left) => {
                let until = clock_time((self.now)() + left);
                let minutes = left.as_secs().div_ceil(60);
                tracing::warn!(
                    upstream = self.name,
                    "the access token cannot be renewed: {error}. Mail goes on until {until} ({minutes} min)"
                );
            }
            None => tracing::error!(upstream = self.name, "no access token, and no mail without: {error}"),
        }
    }

    fn tell_end(&self, told: &mut Option<SystemTime>) {
        let now = (self.now)();
        let Some(end) = self.held().grant.as_ref().and_then(|grant| grant.refresh_expires) else { return };
        let is_told = told.is_some_and(|at| now.duration_since(at).is_ok_and(|since| since < DAY));
        if end.duration_since(now).is_ok_and(|left| left > LOGIN_END_AHEAD) || is_told {
            return;
        }
        *told = Some(now);
        if let TokenSource::OAuth(client) = &self.source {
            let (end, remedy) = (clock_time(end), client.remedy());
            tracing::warn!(upstream = self.name, "the log-in ends on {end}; before that, {remedy}");
        }
    }
}
