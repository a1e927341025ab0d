//! Tokens against an authorisation server of their own, on a clock that runs ahead.

mod login;
mod server;
mod waiting;

use super::*;
use crate::limits::TOKEN_RENEWAL_AHEAD;
use crate::tls::Trust;
use server::{Reply, Server};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::time::UNIX_EPOCH;
use tempfile::TempDir;
use tokio::time::{advance, sleep};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tracing_subscriber::fmt::MakeWriter;

const NOW: Duration = Duration::from_secs(1_800_000_000);
/// A client of a server, with a state directory of its own.
struct World {
    server: Server,
    client: OAuthClient,
    directory: TempDir,
}

impl World {
    fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::with(Server::new(replies))
    }

    fn with(server: Server) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let client = OAuthClient {
            name: "mail".to_owned(),
            client_id: "me".to_owned(),
            client_secret_file: None,
            refresh_token_file: None,
            token_endpoint: server.url("/token"),
            device_authorization_endpoint: Some(server.url("/device")),
            scopes: vec!["send".to_owned(), "fetch".to_owned()],
            state_file: directory.path().join("tokens/mail.json"),
        };
        Self { server, client, directory }
    }

    /// As it is after a log-in just now.
    fn logged_in(replies: impl IntoIterator<Item = Reply>, access: &str, life_s: u64, refresh: &str) -> Self {
        let world = Self::new(replies);
        world.keep(access, life_s, refresh);
        world
    }

    fn keep(&self, access: &str, life_s: u64, refresh: &str) {
        let grant = Grant {
            access_token: Secret::new(access),
            obtained: UNIX_EPOCH + NOW,
            expires: UNIX_EPOCH + NOW + Duration::from_secs(life_s),
            refresh_token: Some(Secret::new(refresh)),
            refresh_expires: None,
        };
        self.client.store(&grant, &self.client.lock().unwrap()).unwrap();
    }

    /// On tokio's clock.
    fn tokens(&self) -> Arc<Tokens> {
        let begun = Instant::now();
        let now = Arc::new(move || UNIX_EPOCH + NOW + begun.elapsed());
        let source = TokenSource::OAuth(Box::new(self.client.clone()));
        Arc::new(Tokens::with_clock("mail", source, http(), now))
    }

    fn kept(&self) -> String {
        fs::read_to_string(&self.client.state_file).unwrap()
    }

    /// What the server gives now for this refresh token.
    fn renewed(&self, http: &Http, refresh: &str) -> Result<String, String> {
        self.keep("old", 0, refresh);
        let now = UNIX_EPOCH + NOW;
        let grant = self.client.renewed(http, now, now, None, None).map_err(|error| error.to_string())?;
        Ok(text(&grant.access_token))
    }
}

fn http() -> Http {
    Http::new(Trust::System.config().unwrap())
}

async fn access(tokens: &Tokens) -> Result<String, String> {
    let token = tokens.access_token().await.map_err(|error| error.to_string())?;
    Ok(String::from_utf8(token.reveal().to_vec()).unwrap())
}

fn form<const N: usize>(fields: [(&str, &str); N]) -> BTreeMap<String, String> {
    fields.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// A log that can be read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Everything that this thread tells goes here until the guard is dropped.
    fn begin(&self) -> tracing::subscriber::DefaultGuard {
        let log =
            tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).without_time();
        tracing::subscriber::set_default(log.with_writer(self.clone()).finish())
    }
}

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_and_a_refresh_token_that_is_replaced_is_not_used_again() {
    let replies = [
        Reply::tokens("second", 3600, Some("refresh-2")),
        Reply::tokens("third", 3600, None),
        Reply::tokens("fourth", 3600, None),
    ];
    let mut world = World::logged_in(replies, "first", 3600, "refresh-1");
    let secret_file = world.directory.path().join("secret");
    fs::write(&secret_file, "client-secret\n").unwrap();
    world.client.client_secret_file = Some(secret_file);
    let tokens = world.tokens();
    for expected in ["first", "second", "third", "fourth"] {
        assert_eq!(access(&tokens).await.unwrap(), expected);
        advance(Duration::from_secs(3600 - 61)).await;
        assert_eq!(access(&tokens).await.unwrap(), expected, "good for a minute and a second");
        advance(Duration::from_secs(2)).await;
    }
    let used: Vec<_> = world.server.asked().iter().map(|asked| asked.form["refresh_token"].clone()).collect();
    assert_eq!(used, ["refresh-1", "refresh-2", "refresh-2"]);
    let expected = [
        ("client_id", "me"),
        ("client_secret", "client-secret"),
        ("grant_type", "refresh_token"),
        ("refresh_token", "refresh-1"),
    ];
    assert_eq!(world.server.asked()[0].form, form(expected));
    assert!(world.kept().contains("fourth") && world.kept().contains("refresh-2"));
    assert_eq!(fs::metadata(&world.client.state_file).unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn a_server_that_is_not_trusted_is_shown_no_token() {
    let own = |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let (good, other, elsewhere) = (own("127.0.0.1"), own("127.0.0.1"), own("example.org"));
    for (server, is_good) in [(&good, true), (&other, false), (&elsewhere, false)] {
        let key = PrivatePkcs8KeyDer::from(server.signing_key.serialize_der()).into();
        let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let tls = tls.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let tls = tls.with_single_cert(vec![server.cert.der().clone()], key).unwrap();
        let world = World::with(Server::secured([Reply::tokens("new", 10, None)], Arc::new(tls)));
        let trusted = [&good, &elsewhere].map(|authority| authority.cert.der().clone());
        let http = Http::new(Trust::Authorities(trusted.to_vec()).config().unwrap());
        let given = world.renewed(&http, "refresh");
        if is_good {
            assert_eq!(given.unwrap(), "new");
        } else {
            let told = given.unwrap_err();
            assert!(told.contains("cannot be asked") && told.contains("certificate"), "{told}");
            assert!(world.server.asked().is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_that_cannot_be_kept_are_used_all_the_same() {
    let replies = [Reply::tokens("second", 100, Some("refresh-2")), Reply::tokens("third", 100, None)];
    let world = World::logged_in(replies, "first", 100, "refresh-1");
    let tokens = world.tokens();
    fs::create_dir(world.client.state_file.with_extension("json.new")).unwrap();
    for expected in ["first", "second", "third"] {
        assert_eq!(access(&tokens).await.unwrap(), expected);
        advance(Duration::from_secs(100)).await;
    }
    assert!(world.kept().contains("refresh-1"));
    let used: Vec<_> = world.server.asked().iter().map(|asked| asked.form["refresh_token"].clone()).collect();
    assert_eq!(used, ["refresh-1", "refresh-2"], "one that was replaced is not shown again");
}

#[tokio::test(start_paused = true)]
async fn a_log_in_that_is_over_says_what_to_do_until_there_is_a_new_one() {
    let world = World::logged_in([Reply::error("invalid_grant")], "first", 10, "refresh-1");
    let tokens = world.tokens();
    advance(Duration::from_secs(10)).await;
    for _ in 0..3 {
        let told = access(&tokens).await.unwrap_err();
        assert!(told.contains("run `mailmodem login mail`") && told.contains("invalid_grant"), "{told}");
    }
    assert_eq!(world.server.asked().len(), 1, "an error answers for a while");
    // Another process logs in.
    world.keep("second", 3600, "refresh-2");
    advance(TOKEN_REST).await;
    assert_eq!(access(&tokens).await.unwrap(), "second");
    assert_eq!(world.server.asked().len(), 1);

    let nobody = World::new([]);
    let told = access(&nobody.tokens()).await.unwrap_err();
    assert!(told.contains("not logged in; run `mailmodem login mail`"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn tokens_go_to_no_other_server_and_client_than_theirs() {
    let mut world = World::logged_in([], "first", 3600, "refresh-1");
    world.client.client_id = "another".to_owned();
    assert!(access(&world.tokens()).await.unwrap_err().contains("not logged in"));
    world.client.client_id = "me".to_owned();
    world.client.token_endpoint = world.server.url("/elsewhere");
    assert!(access(&world.tokens()).await.unwrap_err().contains("not logged in"));
    assert!(world.server.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_from_a_file_begins_and_begins_anew() {
    let replies = [
        Reply::tokens("first", 100, Some("refresh-2")),
        Reply::error("invalid_grant"),
        Reply::tokens("second", 100, None),
        Reply::error("invalid_grant"),
    ];
    let mut world = World::new(replies);
    let file = world.directory.path().join("refresh");
    fs::write(&file, "refresh-1\n").unwrap();
    world.client.refresh_token_file = Some(file.clone());
    world.client.device_authorization_endpoint = None;
    let tokens = world.tokens();
    assert_eq!(access(&tokens).await.unwrap(), "first");
    advance(Duration::from_secs(100)).await;
    fs::write(&file, "refresh-3\n").unwrap();
    assert_eq!(access(&tokens).await.unwrap(), "second");
    let used: Vec<_> = world.server.asked().iter().map(|asked| asked.form["refresh_token"].clone()).collect();
    assert_eq!(used, ["refresh-1", "refresh-2", "refresh-3"]);
    // The same token is not tried twice.
    advance(Duration::from_secs(100)).await;
    let told = access(&tokens).await.unwrap_err();
    assert!(told.contains("put a new refresh token into"), "{told}");
    assert_eq!(world.server.asked().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_down_is_told_ahead_and_the_old_token_used_to_its_end() {
    let log = Log::default();
    let _log = log.begin();
    let world = World::logged_in([], "first", 3600, "refresh-1");
    let tokens = world.tokens();
    let watch = tokio::spawn(Arc::clone(&tokens).watch());
    sleep(Duration::from_secs(3600) - TOKEN_RENEWAL_AHEAD - Duration::from_secs(1)).await;
    assert_eq!(log.text(), "");
    assert!(world.server.asked().is_empty());
    sleep(Duration::from_secs(2)).await;
    let told = log.text();
    assert!(told.contains("WARN") && told.contains("cannot be asked") && told.contains("(10 min)"), "{told}");
    assert!(!told.contains("ERROR") && told.lines().count() == 1, "{told}");
    // The whole of its life, a caller has it, and is not kept waiting.
    sleep(TOKEN_RENEWAL_AHEAD - Duration::from_secs(2)).await;
    assert_eq!(access(&tokens).await.unwrap(), "first");
    let told = log.text();
    assert_eq!(told.lines().count(), 1, "said once: {told}");

    sleep(Duration::from_secs(20)).await;
    assert!(access(&tokens).await.unwrap_err().contains("cannot be asked"));
    let told = log.text();
    assert!(told.contains("ERROR") && told.contains("no mail without"), "{told}");
    assert_eq!(told.lines().count(), 2, "{told}");

    world.server.add(Reply::tokens("second", 3600, None));
    sleep(crate::limits::TOKEN_RENEWAL_WAIT_MAX + TOKEN_REST).await;
    assert_eq!(access(&tokens).await.unwrap(), "second");
    assert!(log.text().lines().last().unwrap().contains("good token again"), "{}", log.text());
    watch.abort();
}

#[tokio::test(start_paused = true)]
async fn a_program_that_begins_while_the_server_is_down_has_what_was_kept() {
    let world = World::logged_in([], "first", 300, "refresh-1");
    let tokens = world.tokens();
    let watch = tokio::spawn(Arc::clone(&tokens).watch());
    sleep(Duration::from_secs(270)).await;
    assert!(!world.server.asked().is_empty());
    assert_eq!(access(&tokens).await.unwrap(), "first");
    watch.abort();
}

#[tokio::test(start_paused = true)]
async fn the_watch_renews_before_anybody_wants_it_and_tells_the_end_of_the_log_in() {
    let log = Log::default();
    let _log = log.begin();
    let ending = r#"{"access_token": "second", "token_type": "bearer", "expires_in": 86400, "refresh_token": "refresh-2",
        "refresh_token_expires_in": 345600}"#;
    let world = World::logged_in([Reply::ok(ending)], "first", 3600, "refresh-1");
    let tokens = world.tokens();
    let watch = tokio::spawn(Arc::clone(&tokens).watch());
    sleep(Duration::from_secs(3600) - TOKEN_RENEWAL_AHEAD + Duration::from_secs(1)).await;
    assert_eq!(world.server.asked().len(), 1);
    assert_eq!(access(&tokens).await.unwrap(), "second");
    assert_eq!(log.text(), "");
    sleep(Duration::from_secs(22 * 3600)).await;
    assert_eq!(log.text(), "");
    world.server.add(Reply::tokens("third", 10 * 86400, None));
    sleep(Duration::from_secs(4 * 3600)).await;
    let told = log.text();
    assert!(told.contains("the log-in ends on") && told.contains("run `mailmodem login mail`"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    sleep(Duration::from_secs(86400)).await;
    assert_eq!(log.text().lines().count(), 2, "once a day: {}", log.text());
    watch.abort();
}

#[tokio::test(start_paused = true)]
async fn many_callers_are_one_question() {
    let world = World::logged_in([Reply::tokens("second", 3600, None)], "first", 10, "refresh-1");
    let tokens = world.tokens();
    advance(Duration::from_secs(10)).await;
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let tokens = Arc::clone(&tokens);
        callers.spawn(async move { access(&tokens).await });
    }
    for token in callers.join_all().await {
        assert_eq!(token.unwrap(), "second");
    }
    assert_eq!(world.server.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn two_processes_use_a_refresh_token_once() {
    let world =
        World::logged_in([Reply::tokens("second", 3600, Some("refresh-2"))], "first", 10, "refresh-1");
    let (one, other) = (world.tokens(), world.tokens());
    advance(Duration::from_secs(10)).await;
    let (one, other) = tokio::join!(access(&one), access(&other));
    assert_eq!((one.unwrap(), other.unwrap()), ("second".to_owned(), "second".to_owned()));
    assert_eq!(world.server.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_refused_is_replaced_but_not_again_and_again() {
    let replies = [Reply::tokens("second", 3600, None), Reply::tokens("third", 3600, None)];
    let world = World::logged_in(replies, "first", 3600, "refresh-1");
    let tokens = world.tokens();
    assert_eq!(access(&tokens).await.unwrap(), "first");
    tokens.forget(&Secret::new("first"));
    assert_eq!(access(&tokens).await.unwrap(), "second");
    // A line that comes late with the old one.
    tokens.forget(&Secret::new("first"));
    assert_eq!(access(&tokens).await.unwrap(), "second");
    tokens.forget(&Secret::new("second"));
    assert!(access(&tokens).await.unwrap_err().contains("refuses a token that is new"));
    advance(TOKEN_REST).await;
    assert_eq!(access(&tokens).await.unwrap(), "third");
    assert_eq!(world.server.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_file_is_read_again_after_a_while_and_when_its_token_was_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    let begun = Instant::now();
    let now = Arc::new(move || UNIX_EPOCH + NOW + begun.elapsed());
    let tokens = Tokens::with_clock("mail", TokenSource::File(file.clone()), http(), now);
    let told = access(&tokens).await.unwrap_err();
    assert!(told.contains("token: No such file"), "{told}");
    fs::write(&file, " first\n").unwrap();
    assert_eq!(access(&tokens).await.unwrap_err(), told);
    advance(TOKEN_REST).await;
    assert_eq!(access(&tokens).await.unwrap(), "first");
    fs::write(&file, "second").unwrap();
    assert_eq!(access(&tokens).await.unwrap(), "first");
    advance(TOKEN_KEPT).await;
    assert_eq!(access(&tokens).await.unwrap(), "second");
    advance(TOKEN_REST).await;
    tokens.forget(&Secret::new("second"));
    assert!(access(&tokens).await.unwrap_err().contains("refuses a token that is new"), "it is the same");
    fs::write(&file, "third").unwrap();
    advance(TOKEN_REST).await;
    assert_eq!(access(&tokens).await.unwrap(), "third");
}

#[tokio::test]
async fn a_command_is_run_for_all_who_ask() {
    let directory = tempfile::tempdir().unwrap();
    let runs = directory.path().join("runs");
    let line = format!("echo run >>{}; echo token-$(wc -l <{0})", runs.display())
        .replace("{0}", runs.to_str().unwrap());
    let argv = ["sh", "-c", &line].map(str::to_owned).to_vec();
    let tokens = Tokens::new("mail", TokenSource::Command(argv), http());
    let (one, other) = tokio::join!(access(&tokens), access(&tokens));
    assert_eq!((one.unwrap(), other.unwrap()), ("token-1".to_owned(), "token-1".to_owned()));
    assert_eq!(fs::read_to_string(&runs).unwrap(), "run\n");
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_in_a_log_an_error_or_debug_output() {
    let quoting = [
        Reply::Json(
            400,
            r#"{"error": "odd", "error_description": "is refresh-tiger client-tiger"}"#.to_owned(),
        ),
        Reply::Json(
            400,
            r#"{"error": "invalid_grant", "error_description": "refresh-tiger\u001b[2J"}"#.to_owned(),
        ),
        Reply::ok(r#"{"access_token": "access-tiger", "token_type": "tiger", "expires_in": 1}"#),
        Reply::ok(r#"{"access_token": "access-tiger", "token_type": "mac"}"#),
        Reply::ok(r#"{"access_token": 1, "refresh_token": "access-tiger", "token_type": "bearer"}"#),
        Reply::ok(r#"{"access_token": "access-tiger with spaces", "token_type": "bearer"}"#),
        Reply::ok("access-tiger"),
        Reply::Json(302, "access-tiger".to_owned()),
        Reply::Json(500, "access-tiger".to_owned()),
        Reply::ok(&format!("{{\"access_token\": \"{}\"}}", "access-tiger".repeat(10_000))),
        Reply::HangUp,
    ];
    let count = quoting.len();
    let log = Log::default();
    let _log = log.begin();
    let mut world = World::logged_in(quoting, "access-tiger", 1, "refresh-tiger");
    let secret_file = world.directory.path().join("secret");
    fs::write(&secret_file, "client-tiger").unwrap();
    world.client.client_secret_file = Some(secret_file);
    let tokens = world.tokens();
    let watch = tokio::spawn(Arc::clone(&tokens).watch());
    advance(Duration::from_secs(2)).await;
    while world.server.asked().len() < count {
        let error = tokens.access_token().await.unwrap_err();
        let told = format!("{error} {error:?} {tokens:?} {:?}", world.client.stored());
        assert!(!told.contains("tiger") && !told.contains('\u{1b}'), "{told}");
        sleep(TOKEN_REST).await;
    }
    let told = log.text();
    assert!(told.contains("odd: is *** ***") && told.contains("ERROR"), "{told}");
    assert!(!told.contains("tiger"), "{told}");
    watch.abort();
}

#[test]
fn what_is_kept_but_damaged_is_no_secret_in_a_message() {
    let world = World::logged_in([], "access-tiger", 1, "refresh-tiger");
    fs::write(&world.client.state_file, world.kept().replace("1800000001", "\"tiger\"")).unwrap();
    let told = world.client.stored().unwrap_err().to_string();
    assert!(told.contains("damaged; run `mailmodem login mail`") && !told.contains("tiger"), "{told}");
}

#[test]
fn words_of_others_are_one_line_with_an_end() {
    assert_eq!(words(" a\r\n b\u{1b}[2J tiger ", &[Secret::new("tiger")]), "a b?[2J ***");
    let long = words(&"ä".repeat(10_000), &[]);
    assert_eq!(long.chars().count(), TOKEN_WORDS_CHARS_MAX + 4);
}
