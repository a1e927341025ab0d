//! TLS between a modem and servers of the tests' own, on loopback.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics fails, as it should")]

use mail::limits::IDLE_MAX;
use mail::mime::header::Mailbox;
use mail::policy::InClear;
use mail::sasl::{Credentials, Mechanism};
use mail::secret::Secret;
use mail::smtp::client::{BadRecipient, Prepared, Submission, Unreadable};
use mailmodem::driver::{Driver, Notice};
use mailmodem::link::serve_secured;
use mailmodem::network::{Network, Real, Sandbox, SharedUpstreams, dial_upstream};
use mailmodem::outgoing::{Outgoing, Told};
use mailmodem::port::octets;
use mailmodem::tls::{Pin, ServerTls, Trust};
use mailmodem::trace::Trace;
use mailmodem::upstream::{LogIn, Matching, TlsMode, Upstream, Upstreams};
use modem::clock::Calendar;
use modem::drive::NameCase;
use modem::drive::memory::MemoryDrive;
use modem::modem::{Expects, ObstacleKind, Protocol};
use modem::route::{Call, Rewriting};
use modem::settings::Settings;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use sandbox::mailbox::MemoryMailboxes;
use sandbox::provider::{self, Provider, Service};
use std::fs;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::rustls::pki_types::CertificateDer;

/// An authority of the tests' own.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        Self::named("the tests' own authority")
    }

    fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A server with a certificate for `name`, good in these years.
    fn server(&self, name: &str, years: std::ops::Range<i32>) -> ServerTls {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(years.start, 1, 1);
        params.not_after = date_time_ymd(years.end, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        server_tls(&certificate.pem(), &key)
    }

    /// A server that has the authority's own certificate.
    fn its_own(&self) -> ServerTls {
        server_tls(&self.pem, self.issuer.key())
    }

    fn good_server(&self) -> ServerTls {
        self.server("localhost", 2000..4000)
    }

    fn trust(&self) -> Trust {
        Trust::Authorities(vec![self.certificate.clone()])
    }
}

/// A server with a certificate that nobody else signed.
fn server_that_signs_itself() -> ServerTls {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    server_tls(&params.self_signed(&key).unwrap().pem(), &key)
}

fn server_tls(certificate: &str, key: &KeyPair) -> ServerTls {
    let directory = tempfile::tempdir().unwrap();
    let (certificate_file, key_file) = (directory.path().join("c"), directory.path().join("k"));
    fs::write(&certificate_file, certificate).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    ServerTls::read(&certificate_file, &key_file).unwrap()
}

/// A provider on a socket; its port.
async fn serve(tls: ServerTls, service: Service, is_implicit: bool, mailboxes: &MemoryMailboxes) -> u16 {
    serve_as(Some(tls), service, "smtp.example.com", is_implicit, mailboxes, provider::Settings::default())
        .await
}

/// … whose name may mean trouble, set up in another way, perhaps without TLS.
async fn serve_as(
    tls: Option<ServerTls>,
    service: Service,
    name: &'static str,
    is_implicit: bool,
    mailboxes: &MemoryMailboxes,
    settings: provider::Settings,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let settings = provider::Settings { start_tls: tls.is_some() && !is_implicit, ..settings };
    let mut provider = Provider::new(mailboxes.clone(), settings);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let connection = provider.connect(service, name).unwrap();
            tokio::spawn(serve_secured(connection, stream, tls.clone(), is_implicit));
        }
    });
    port
}

/// Servers that are logged in to with `tiger`, by this mechanism alone, and prove that they know it.
fn knowing_tiger(mechanism: Mechanism) -> provider::Settings {
    provider::Settings {
        mechanisms: Some(vec![mechanism]),
        scram_password: Secret::new("tiger"),
        ..provider::Settings::default()
    }
}

fn upstream(port: u16, tls: TlsMode, trust: Trust) -> Upstream {
    Upstream {
        name: "u".to_owned(),
        host: Some("localhost".to_owned()),
        port: Some(port),
        tls: Some(tls),
        trust: trust.into(),
        ..Upstream::default()
    }
}

fn modem(upstreams: Vec<Upstream>) -> Driver {
    traced_modem(upstreams, None)
}

fn traced_modem(upstreams: Vec<Upstream>, trace: Option<Trace>) -> Driver {
    let shared = SharedUpstreams::default();
    shared.set(Upstreams::new(upstreams));
    let sandbox = Sandbox::new(Provider::new(MemoryMailboxes::default(), provider::Settings::default()));
    let network = Network::Real(Real { line: "a".to_owned(), upstreams: shared, sandbox, queue: None });
    let drive = Box::new(MemoryDrive::new(NameCase::Told, 1_000_000));
    Driver::power_on(Settings::default(), drive, None, Calendar::UNSET, network, trace)
}

async fn run(driver: &mut Driver, typed: &str) -> String {
    let mut shown = Vec::new();
    octets::run(driver, typed.as_bytes(), &mut shown).await.unwrap();
    String::from_utf8(shown).unwrap()
}

const MAIL: &str = "ATE0\rAT+SMTPSRV=\"smtp.server.com\",25\rAT+SMTPAUTH=1,\"UserName\",\"Password\"\r\
                    AT+SMTPFROM=\"UserName@server.com\",\"PresentName\"\r\
                    AT+SMTPRCPT=0,0,\"ToAddr@server.com\",\"ToName\"\rAT+SMTPSUB=\"First Email\"\r\
                    AT+SMTPBODY=\"This is the first Email!\"\rAT+SMTPSEND\r";

#[tokio::test]
async fn what_the_terminal_names_goes_out_under_tls_from_the_first_octet_or_by_starttls() {
    let authority = Authority::new();
    for (is_implicit, mode) in [
        (true, TlsMode::Implicit),
        (false, TlsMode::Required),
        (false, TlsMode::Opportunistic),
        (false, TlsMode::Off),
    ] {
        let mailboxes = MemoryMailboxes::default();
        let port = serve(authority.good_server(), Service::Smtp, is_implicit, &mailboxes).await;
        let mut upstream = upstream(port, mode, authority.trust());
        upstream.rewriting = Rewriting {
            sender: Some(Mailbox { address: "me@example.com".to_owned(), name: Vec::new() }),
            subject_prefix: "[4] ".to_owned(),
            ..Rewriting::default()
        };
        let directory = tempfile::tempdir().unwrap();
        let trace = directory.path().join("trace");
        let mut driver = traced_modem(vec![upstream], Some(Trace::open(trace.clone()).unwrap()));
        let shown = run(&mut driver, MAIL).await;
        assert!(shown.ends_with("\r\n+SMTP: OK\r\n\r\nOK\r\n\r\n+SMTP: SUCCESS\r\n"), "{mode:?}: {shown}");
        let mails = mailboxes.mails_to("ToAddr@server.com");
        let text = String::from_utf8_lossy(&mails[0].octets).into_owned();
        let trace = fs::read_to_string(trace).unwrap();
        assert_eq!(
            trace.matches("secured: TLS 1.3, TLS13_").count(),
            usize::from(mode != TlsMode::Off),
            "{trace}"
        );
        assert!(!trace.contains("Password"), "{trace}");
        assert!(text.contains("Subject: [4] First Email\r\n") && text.contains("me@example.com"), "{text}");
    }
}

#[tokio::test]
async fn the_next_connection_by_an_upstream_resumes_what_the_last_one_agreed_on_and_that_by_another_does_not()
{
    let authority = Authority::new();
    for (is_implicit, mode) in [(true, TlsMode::Implicit), (false, TlsMode::Required)] {
        let mailboxes = MemoryMailboxes::default();
        let port = serve(authority.good_server(), Service::Smtp, is_implicit, &mailboxes).await;
        let here = upstream(port, mode, authority.trust());
        let there = Upstream { matching: Matching { port: Some(26), ..Matching::default() }, ..here.clone() };
        let there = Upstream { trust: Trust::Anybody.into(), ..there };
        let directory = tempfile::tempdir().unwrap();
        let trace = directory.path().join("trace");
        let mut driver = traced_modem(vec![there, here], Some(Trace::open(trace.clone()).unwrap()));
        for port in [25, 25, 26, 26] {
            run(&mut driver, &MAIL.replace(",25", &format!(",{port}"))).await;
        }
        assert_eq!(mailboxes.mails_to("ToAddr@server.com").len(), 4);
        let trace = fs::read_to_string(trace).unwrap();
        let secured = trace.lines().filter(|line| line.contains("secured: "));
        let resumed: Vec<bool> = secured.map(|line| line.ends_with(", resumed")).collect();
        assert_eq!(resumed, [false, true, false, true], "{trace}");
    }
}

#[tokio::test]
async fn mail_is_fetched_under_tls() {
    let authority = Authority::new();
    for (is_implicit, mode) in [(true, TlsMode::Implicit), (false, TlsMode::Required)] {
        let mailboxes = MemoryMailboxes::default();
        sandbox::first_mails::deliver(&mailboxes).unwrap();
        let port = serve(authority.good_server(), Service::Pop3, is_implicit, &mailboxes).await;
        let mut driver = modem(vec![upstream(port, mode, authority.trust())]);
        let typed = "ATE0\rAT+POP3SRV=\"pop3.server.com\",\"un\",\"pwd\",110\rAT+POP3IN\rAT+POP3NUM\r\
                     AT+POP3GET=1\r";
        let shown = run(&mut driver, typed).await;
        assert_eq!(shown.matches("+POP3: SUCCESS").count(), 2, "{shown}");
    }
}

/// What the log is told of a mail that cannot go by this upstream.
async fn reason(upstream: Upstream) -> String {
    let mut driver = modem(vec![upstream]);
    driver.typed(MAIL.as_bytes());
    let (mut shown, mut reasons) = (Vec::new(), Vec::new());
    while driver.expects() == Expects::Nothing || !driver.is_idle() || driver.has_notices() {
        match driver.next().await {
            Notice::Show(mut octets) => shown.append(&mut octets),
            Notice::Report(words) => reasons.push(words),
            Notice::Done(_) | Notice::Speed(_) => {}
        }
    }
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("+SMTP: SERVER ERROR\r\n"), "{shown}");
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    reasons.remove(0)
}

#[tokio::test]
async fn every_bad_certificate_has_its_own_words() {
    let authority = Authority::new();
    let mailboxes = MemoryMailboxes::default();
    for (server, trust, words) in [
        (authority.server("localhost", 2000..2001), authority.trust(), "expired on 2001-01-01"),
        (authority.server("localhost", 3999..4000), authority.trust(), "begins on 3999-01-01 only"),
        (
            authority.server("other.example", 2000..4000),
            authority.trust(),
            "has a certificate that is not for localhost, but for other.example",
        ),
        (authority.good_server(), Authority::named("another").trust(), "an authority that is not known here"),
        (authority.good_server(), Authority::new().trust(), "did not sign"),
        (authority.good_server(), Trust::System, "an authority that is not known here"),
        (server_that_signs_itself(), authority.trust(), "an authority that is not known here"),
        (authority.its_own(), authority.trust(), "an authority's own, as self-signed ones are"),
        (authority.good_server(), Trust::Pins(vec![Pin([0; 32])]), "which is not pinned"),
    ] {
        for (is_implicit, mode) in
            [(true, TlsMode::Implicit), (false, TlsMode::Required), (false, TlsMode::Opportunistic)]
        {
            let port = serve(server.clone(), Service::Smtp, is_implicit, &mailboxes).await;
            let told = reason(upstream(port, mode, trust.clone())).await;
            assert!(told.contains(words), "{mode:?}: {told}");
            let begin = format!("smtp.server.com:25 failed in the TLS handshake: localhost:{port} ");
            assert!(told.starts_with(&format!("SERVER ERROR: {begin}")), "{mode:?}: {told}");
        }
    }
    assert_eq!(mailboxes.mails().len(), 0);
}

#[tokio::test]
async fn a_pinned_key_is_trusted_whoever_signed_it_and_anybody_is_only_when_the_owner_says_so() {
    let call = call();
    let mailboxes = MemoryMailboxes::default();
    let server = Authority::new().server("other.example", 2000..2001);
    let port = serve(server, Service::Smtp, true, &mailboxes).await;
    let anybody = upstream(port, TlsMode::Implicit, Trust::Anybody);
    let dialled = dial_upstream(&anybody, &call).await.unwrap_or_else(|obstacle| panic!("{obstacle:?}"));
    let handshake = dialled.handshake.unwrap();
    assert_eq!(handshake.version, "TLS 1.3");
    let pin = handshake.certificate.unwrap().pin;
    let pinned = upstream(port, TlsMode::Implicit, Trust::Pins(vec![Pin([0; 32]), pin]));
    assert!(dial_upstream(&pinned, &call).await.is_ok());
}

fn call() -> Call {
    Call {
        protocol: Protocol::Smtp,
        server: "smtp.server.com".to_owned(),
        port: 25,
        user: None,
        sender: None,
        recipients: Vec::new(),
    }
}

#[tokio::test]
async fn a_port_that_speaks_no_tls_is_known_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"220 mail.example.com ESMTP\r\n").await.unwrap();
            // Until the client has had enough.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    let result = dial_upstream(&upstream(port, TlsMode::Implicit, Trust::System), &call()).await;
    let Err(obstacle) = result else { panic!("TLS with a port that has none") };
    assert_eq!(obstacle.kind, ObstacleKind::Tls);
    assert!(obstacle.words.contains("does not speak TLS from the first octet on this port"), "{obstacle:?}");
}

#[tokio::test]
async fn a_server_that_ends_the_handshake_is_told_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    });
    let told = reason(upstream(port, TlsMode::Implicit, Trust::System)).await;
    assert!(told.contains("handshake"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_in_the_handshake_is_given_up_by_the_modems_timer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut streams = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            streams.push(stream);
        }
    });
    let mut driver = modem(vec![upstream(port, TlsMode::Implicit, Trust::System)]);
    let begun = tokio::time::Instant::now();
    let shown = run(&mut driver, MAIL).await;
    assert!(shown.ends_with("\r\n+SMTP: NETWORK ERROR\r\n\r\nERROR\r\n"), "{shown}");
    assert_eq!(begun.elapsed(), IDLE_MAX);
}

/// What is on this machine is told by `network.rs`; what the client does in clear, by the tests of its own.
#[tokio::test]
async fn no_password_goes_in_clear_but_to_this_machine() {
    let mailboxes = MemoryMailboxes::default();
    let settings =
        provider::Settings { mechanisms: Some(vec![Mechanism::Plain]), ..provider::Settings::default() };
    // It takes nothing from who has not logged in.
    let port = serve_as(None, Service::Smtp, "auth-required.example.com", false, &mailboxes, settings).await;
    let mut upstream = upstream(port, TlsMode::Off, Trust::System);
    upstream.log_in = LogIn::Nobody;
    let shown = run(&mut modem(vec![upstream.clone()]), MAIL).await;
    assert!(shown.contains("+SMTP: AUTH REQUIRED\r\n"), "{shown}");
    upstream.log_in = LogIn::Password(Credentials::with_password("me", "tiger"));
    let shown = run(&mut modem(vec![upstream.clone()]), MAIL).await;
    assert!(shown.ends_with("+SMTP: SUCCESS\r\n"), "{shown}");
    assert_eq!(mailboxes.mails().len(), 1);

    for mode in [TlsMode::Off, TlsMode::Opportunistic, TlsMode::Required, TlsMode::Implicit] {
        for (is_on_this_machine, is_allowed, in_clear) in [
            (true, false, InClear::Allowed),
            (false, false, InClear::Refused),
            (false, true, InClear::Allowed),
        ] {
            upstream.allow_cleartext_password = is_allowed;
            let route = upstream.route(mode, is_on_this_machine, None).unwrap();
            assert_eq!(route.policy.in_clear, in_clear, "{mode:?} {is_on_this_machine} {is_allowed}");
        }
    }
}

#[tokio::test]
async fn a_terminal_never_has_the_password_of_its_upstream() {
    let authority = Authority::new();
    let mailboxes = MemoryMailboxes::default();
    let mut upstreams = Vec::new();
    for (service, protocol) in [(Service::Smtp, Protocol::Smtp), (Service::Pop3, Protocol::Pop3)] {
        let settings = knowing_tiger(Mechanism::ScramSha256);
        let tls = Some(authority.good_server());
        let port = serve_as(tls, service, "auth-required.example.com", true, &mailboxes, settings).await;
        let mut upstream = upstream(port, TlsMode::Implicit, authority.trust());
        upstream.matching.protocol = Some(protocol);
        upstream.log_in = LogIn::Password(Credentials::with_password("owner", "tiger"));
        upstreams.push(upstream);
    }
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    let mut driver = traced_modem(upstreams, Some(Trace::open(trace.clone()).unwrap()));
    let sent = run(&mut driver, MAIL).await;
    assert!(sent.ends_with("+SMTP: SUCCESS\r\n"), "{sent}");
    let typed = "AT+SMTPAUTH?\rAT+POP3SRV=\"pop3.server.com\",\"un\",\"pwd\",110\rAT+POP3IN\rAT+POP3NUM\r\
                 AT+POP3SRV?\rAT+SMTPAUTH?\rAT&V\r";
    let shown = run(&mut driver, typed).await;
    assert!(shown.contains("+POP3: SUCCESS\r\n") && shown.contains("+POP3: 0, 0\r\n"), "{shown}");
    // What it said itself, before and after.
    assert_eq!(shown.matches("+SMTPAUTH: 1, \"UserName\", \"Password\"\r\n").count(), 2, "{shown}");
    assert_eq!(
        shown.matches("+POP3SRV: \"pop3.server.com\", \"un\", \"pwd\", 110\r\n").count(),
        1,
        "{shown}"
    );
    let trace = fs::read_to_string(trace).unwrap();
    assert_eq!(trace.matches("AUTH SCRAM-SHA-256 ***").count(), 2, "{trace}");
    for told in [sent, shown, trace] {
        assert!(!told.contains("tiger") && !told.contains("owner"), "{told}");
    }
}

/// By what only a link that is known to be secured allows.
#[tokio::test]
async fn a_queued_mail_logs_in_under_tls_from_the_first_octet() {
    let authority = Authority::new();
    let mailboxes = MemoryMailboxes::default();
    let settings = knowing_tiger(Mechanism::ScramSha256Plus);
    let tls = Some(authority.good_server());
    let port = serve_as(tls, Service::Smtp, "auth-required.example.com", true, &mailboxes, settings).await;
    let mut upstream = upstream(port, TlsMode::Implicit, authority.trust());
    upstream.log_in = LogIn::Password(Credentials::with_password("me", "tiger"));
    upstream.mechanism = Some(Mechanism::ScramSha256Plus);
    let outgoing = Outgoing {
        hello_name: "[127.0.0.1]".to_owned(),
        bad_recipient: BadRecipient::Fail,
        message: Box::new(Line(false)),
        is_traced: false,
    };
    let call = Call { sender: Some("a@b".to_owned()), recipients: vec!["c@d".to_owned()], ..call() };
    let mut secured = 0;
    let sent =
        outgoing.send(&upstream, &call, |_, told| secured += usize::from(matches!(told, Told::Secured(_))));
    sent.await.unwrap_or_else(|not_sent| panic!("{not_sent}"));
    assert_eq!((secured, mailboxes.mails().len()), (1, 1));
}

/// A message of one line.
struct Line(bool);

impl Submission for Line {
    fn prepare(&mut self, _: bool) -> Prepared {
        Prepared { octets: 3, eight_bit: false }
    }

    fn next(&mut self, content: &mut Vec<u8>) -> Result<bool, Unreadable> {
        content.extend_from_slice(b"a\r\n");
        Ok(std::mem::replace(&mut self.0, false))
    }
}
