//! Sources that take their time: the terminal's wait for a link is not over before theirs.

use super::*;
use crate::network::dial_upstream;
use crate::upstream::{LogIn, Upstream};
use mail::limits::IDLE_MAX;
use modem::modem::{Obstacle, ObstacleKind, Protocol};
use modem::route::Call;
use tokio::time::timeout;

/// What a terminal hears that waits for a link with a token.
async fn obstacle(tokens: Arc<Tokens>) -> Obstacle {
    let upstream = Upstream { log_in: LogIn::Token { user: b"un".to_vec(), tokens }, ..Upstream::default() };
    let call = Call {
        protocol: Protocol::Smtp,
        server: "127.0.0.1".to_owned(),
        port: 25,
        user: None,
        sender: None,
        recipients: Vec::new(),
    };
    let dialled = timeout(IDLE_MAX, dial_upstream(&upstream, &call)).await;
    dialled.expect("the terminal has given up before").err().expect("there is no token")
}

#[tokio::test(start_paused = true)]
async fn a_command_that_hangs_is_told_before_the_terminal_gives_up() {
    let argv = ["sleep", "1000"].map(str::to_owned).to_vec();
    let heard = obstacle(Arc::new(Tokens::new("mail", TokenSource::Command(argv), http()))).await;
    assert_eq!(heard.kind, ObstacleKind::LogIn);
    assert_eq!(heard.words, "token_command of upstream \"mail\" gave nothing within 20 s");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_is_not_begun_is_told_before_the_terminal_gives_up() {
    let world = World::logged_in([], "first", 10, "refresh-1");
    let tokens = world.tokens();
    // Another process renews, and does not come to an end.
    let lock = world.client.lock().unwrap();
    advance(Duration::from_secs(10)).await;
    // The clock does not run by itself while a thread waits for the lock.
    let (heard, ()) =
        tokio::join!(obstacle(tokens), advance(IDLE_MAX.saturating_sub(Duration::from_secs(1))));
    drop(lock);
    assert_eq!(heard.kind, ObstacleKind::LogIn);
    assert_eq!(heard.words, "no token for upstream \"mail\" within 25 s: its source is slow");
}
