//! How long to wait before something is tried again: longer each time, and anew once it has stood for a while.

use crate::limits::{RETRY_WAIT_MAX, RETRY_WAIT_MIN};
use std::time::Duration;
use tokio::time::Instant;

/// The tries of one thing that is tried again and again. The first is at once.
#[derive(Debug, Default)]
pub(crate) struct Retry {
    /// The last try, which may be yet to come, and how long is waited for it.
    last: Option<(Instant, Duration)>,
}

impl Retry {
    /// When to try next. Until then it stays the same try, however often this is asked.
    pub(crate) fn next(&mut self) -> Instant {
        let now = Instant::now();
        let wait = match self.last {
            Some((at, _)) if at > now => return at,
            None => Duration::ZERO,
            Some((at, _)) if now - at > RETRY_WAIT_MAX => RETRY_WAIT_MIN,
            Some((_, waited)) => (waited * 2).clamp(RETRY_WAIT_MIN, RETRY_WAIT_MAX),
        };
        self.last = Some((now + wait, wait));
        now + wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_longer_each_time_and_anew_after_a_good_while() {
        let mut retry = Retry::default();
        let mut waits = Vec::new();
        for stood_s in [0, 0, 0, 0, 0, 0, 0, 9, 0] {
            let begun = Instant::now();
            let at = retry.next();
            tokio::time::advance(Duration::from_millis(1)).await;
            if at > Instant::now() {
                assert_eq!(retry.next(), at, "asked twice, it is still one try");
            }
            tokio::time::sleep_until(at).await;
            waits.push((at - begun).as_millis());
            tokio::time::advance(Duration::from_secs(stood_s)).await;
        }
        assert_eq!(waits, [0, 250, 500, 1_000, 2_000, 4_000, 8_000, 8_000, 250]);
    }
}
