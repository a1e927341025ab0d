//! The device log-in (RFC 8628), on a clock that only its waits move.

use super::super::login::{LoginError, login_with};
use super::server::Reply;
use super::{NOW, World, access, form, http};
use crate::limits::DEVICE_LOGIN_WAIT_MAX;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, UNIX_EPOCH};

const DEVICE: &str = r#"{"device_code": "device-tiger", "user_code": "ABCD-EFGH", "verification_uri":
    "https://example.org/device", "expires_in": 900, "interval": 5}"#;

impl World {
    /// Logs in. What was shown, and how long was waited each time.
    fn login(&self) -> (Result<(), LoginError>, String, Vec<u64>) {
        let waits = Mutex::new(Vec::new());
        let now = || UNIX_EPOCH + NOW + Duration::from_secs(waits.lock().unwrap().iter().sum());
        let wait = |wait: Duration| waits.lock().unwrap().push(wait.as_secs());
        let mut out = Vec::new();
        let ended = login_with(&self.client, &http(), &mut out, now, wait);
        (ended, String::from_utf8(out).unwrap(), waits.into_inner().unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_log_in_waits_as_it_is_told_and_keeps_the_tokens() {
    let world = World::new([
        Reply::ok(DEVICE),
        Reply::error("authorization_pending"),
        Reply::error("slow_down"),
        Reply::HangUp,
        Reply::error("authorization_pending"),
        Reply::tokens("access-tiger", 3600, Some("refresh-tiger")),
    ]);
    let (ended, shown, waits) = world.login();
    ended.unwrap();
    // RFC 8628 §3.5: five seconds more from slow_down on; longer still after a connection that was lost.
    assert_eq!(waits, [5, 5, 10, 20, 20]);
    for words in
        ["https://example.org/device", "ABCD-EFGH", "within 15 min", "trying on", "renewed by itself"]
    {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains("tiger"), "{shown}");
    let asked = world.server.asked();
    assert_eq!(asked[0].path, "/device");
    assert_eq!(asked[0].form, form([("client_id", "me"), ("scope", "send fetch")]));
    for polled in &asked[1..] {
        assert_eq!(polled.path, "/token");
        let grant_type = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
        assert_eq!(polled.form, form([("client_id", "me"), ("device_code", "device-tiger"), grant_type]));
    }

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&world.client.state_file), 0o600);
    assert_eq!(mode(world.client.state_file.parent().unwrap()), 0o700);
    assert_eq!(access(&world.tokens()).await.unwrap(), "access-tiger");
    assert_eq!(world.server.asked().len(), asked.len(), "what is kept is not asked for");
}

#[test]
fn a_device_log_in_that_comes_to_nothing_says_why_and_changes_nothing() {
    let device = |interval: u64| DEVICE.replace("\"interval\": 5", &format!("\"interval\": {interval}"));
    for (replies, words) in [
        (vec![Reply::ok(DEVICE), Reply::error("access_denied")], "denied"),
        (vec![Reply::ok(DEVICE), Reply::error("expired_token")], "expired"),
        (vec![Reply::ok(DEVICE), Reply::error("invalid_client")], "invalid_client: so it is"),
        (vec![Reply::error("invalid_scope")], "refresh_token_file"),
        (vec![Reply::HangUp], "cannot be asked"),
        (vec![Reply::Json(503, "{}".to_owned())], "503"),
        (vec![Reply::ok("device-tiger")], "no reply of an authorisation server"),
        (vec![Reply::ok(&device(u64::MAX))], "to be asked every"),
    ] {
        let world = World::logged_in(replies, "old", 10, "older");
        let before = world.kept();
        let (ended, shown, _) = world.login();
        let told = ended.unwrap_err().to_string();
        assert!(told.contains(words), "{words}: {told}");
        assert!(!told.contains("tiger") && !shown.contains("tiger"), "{told} {shown}");
        assert_eq!(world.kept(), before);
    }
    let hostile =
        DEVICE.replace("ABCD-EFGH", "A\\u001b[2J\\r\\nB").replace("org/device", "org/\\u001b[2J\\n");
    let hostile = hostile.replace("{", "{\"verification_uri_complete\": \"no\\u001bthing\",");
    let (ended, shown, _) = World::new([Reply::ok(&hostile), Reply::error("access_denied")]).login();
    assert!(matches!(ended, Err(LoginError::Denied)), "{ended:?}");
    assert!(shown.contains("enter  A?[2J B\n") && !shown.contains('\u{1b}'), "{shown}");
    assert_eq!(shown.lines().count(), 3, "{shown}");
    let mut world = World::new([]);
    world.client.device_authorization_endpoint = None;
    assert!(matches!(world.login().0, Err(LoginError::NoDeviceLogin { .. })));
}

#[test]
fn a_device_log_in_does_not_wait_for_ever() {
    for (life_s, bound_s) in [(900, 900), (u64::MAX, DEVICE_LOGIN_WAIT_MAX.as_secs())] {
        let device = DEVICE.replace("900", &life_s.to_string());
        let pending = std::iter::repeat_with(|| Reply::error("authorization_pending")).take(1000);
        let world = World::new([Reply::ok(&device)].into_iter().chain(pending));
        let (ended, _, waits) = world.login();
        assert!(matches!(ended, Err(LoginError::Expired)), "{ended:?}");
        let waited: u64 = waits.iter().sum();
        assert!((bound_s..=bound_s + 10).contains(&waited), "{waited}");
    }
}
