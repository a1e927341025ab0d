//! Every mechanism of SASL, both ends of it against each other, over SMTP and over POP3: what comes of a right proof and
//! of a wrong one, in clear and under TLS, and that no trace shows a secret.

#![cfg(test)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail::machine::{ChannelBinding, Input, Instant, Machine, Output, Passage};
use mail::policy::{Policy, Security};
use mail::pop3::capability::Capabilities;
use mail::pop3::client as pop3;
use mail::pop3::server as pop3_server;
use mail::sasl::server::Claim;
use mail::sasl::{Credentials, Mechanism, Nonce};
use mail::secret::Secret;
use mail::smtp::client as smtp;
use mail::smtp::client::{BadRecipient, Prepared, Submission, Unreadable};
use mail::smtp::command::Path;
use mail::smtp::server as smtp_server;
use std::convert::Infallible;
use std::ops::ControlFlow;

const USER: &str = "us,er=1";
const SECRET: &str = "correct-horse~battery";
const WRONG: &str = "incorrect-horse~battery";
const CHALLENGE: &str = "<1896.697170952@mx.example>";
const BINDING: ChannelBinding = ChannelBinding::TlsExporter([9; 32]);

/// One who knows one user, and its one secret, which is password and token.
struct Clerk {
    mechanisms: Vec<Mechanism>,
    stls: bool,
}

impl smtp_server::Service for Clerk {
    fn greeting(&mut self) -> smtp_server::Reaction {
        smtp_server::Reaction::reply(220, "mx.example")
    }

    fn authenticate(&mut self, claim: &Claim) -> smtp_server::Reaction {
        if claim.user() == USER && claim.proves(&Secret::new(SECRET)) {
            smtp_server::Reaction::reply(235, "in")
        } else {
            smtp_server::Reaction::reply(535, "5.7.8 no")
        }
    }

    fn password_of(&mut self, user: &str) -> Option<Secret> {
        (user == USER).then(|| Secret::new(SECRET))
    }

    fn mail(&mut self, _: &Path, authenticated: bool) -> smtp_server::Reaction {
        smtp_server::Reaction::reply(if authenticated { 250 } else { 530 }, "mail")
    }

    fn recipient(&mut self, _: &Path) -> smtp_server::Reaction {
        smtp_server::Reaction::reply(250, "rcpt")
    }

    fn data(&mut self) -> smtp_server::Reaction {
        smtp_server::Reaction::reply(354, "data")
    }

    fn text(&mut self, _: &[u8]) -> ControlFlow<smtp_server::Reaction> {
        ControlFlow::Continue(())
    }

    fn text_end(&mut self) -> smtp_server::Reaction {
        smtp_server::Reaction::reply(250, "taken")
    }

    fn reset(&mut self) {}
}

struct NoContent;

impl pop3_server::Content for NoContent {
    fn read(&mut self) -> Result<Vec<u8>, pop3_server::Reaction> {
        Ok(Vec::new())
    }
}

impl pop3_server::Service for Clerk {
    type Content = NoContent;

    fn greeting(&mut self) -> Result<String, pop3_server::Reaction> {
        Ok("ready".to_owned())
    }

    fn capabilities(&self) -> Capabilities {
        let names: Vec<_> = self.mechanisms.iter().map(|mechanism| mechanism.name()).collect();
        Capabilities { user: true, stls: self.stls, sasl: Some(names.join(" ")), ..Capabilities::NONE }
    }

    fn challenge(&self) -> String {
        CHALLENGE.to_owned()
    }

    fn password_of(&mut self, user: &str) -> Option<Secret> {
        smtp_server::Service::password_of(self, user)
    }

    fn log_in(
        &mut self,
        name: &[u8],
        proof: pop3_server::Proof<'_>,
    ) -> Result<Vec<pop3_server::Mail>, pop3_server::Reaction> {
        if name == USER.as_bytes() && proof.holds_for(&Secret::new(SECRET)) {
            Ok(Vec::new())
        } else {
            Err(pop3_server::Reaction::Refuse("[AUTH] no".to_owned()))
        }
    }

    fn open(&mut self, _: u32) -> Result<NoContent, pop3_server::Reaction> {
        Ok(NoContent)
    }

    fn commit(&mut self, _: &[u32]) -> Result<(), pop3_server::Reaction> {
        Ok(())
    }
}

struct Short;

impl Submission for Short {
    fn prepare(&mut self, _: bool) -> Prepared {
        Prepared { octets: 3, eight_bit: false }
    }

    fn next(&mut self, content: &mut Vec<u8>) -> Result<bool, Unreadable> {
        content.extend_from_slice(b"x\r\n");
        Ok(false)
    }
}

/// How the link comes to be under TLS, if it does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tls {
    None,
    Implicit,
    Started,
}

/// Carries octets, and does handshakes, until nobody wants anything. What each of the two said, and what the client
/// told.
fn run<E>(
    client: &mut dyn Machine<Event = E>,
    server: &mut dyn Machine<Event = Infallible>,
    tls: Tls,
) -> (String, Vec<E>) {
    let now = Instant::POWER_ON;
    let (mut wire, mut events) = (String::new(), Vec::new());
    for input in
        [Input::Opened, Input::Secured(Some(BINDING))].into_iter().take(1 + usize::from(tls == Tls::Implicit))
    {
        client.handle(input, now);
        server.handle(input, now);
    }
    for _ in 0..100 {
        while let Some(output) = server.poll() {
            match output {
                Output::Transmit(octets) => {
                    wire += &String::from_utf8_lossy(&octets);
                    client.handle(Input::Received(&octets), now);
                }
                Output::StartTls => {}
                Output::Close | Output::Abort => client.handle(Input::Closed, now),
                Output::Event(never) => match never {},
            }
        }
        while let Some(output) = client.poll() {
            match output {
                Output::Transmit(octets) => {
                    wire += &String::from_utf8_lossy(&octets);
                    server.handle(Input::Received(&octets), now);
                    client.handle(Input::Drained, now);
                }
                Output::StartTls => {
                    server.handle(Input::Secured(Some(BINDING)), now);
                    client.handle(Input::Secured(Some(BINDING)), now);
                }
                Output::Close | Output::Abort => server.handle(Input::Closed, now),
                Output::Event(event) => events.push(event),
            }
        }
    }
    (wire, events)
}

fn policy(mechanism: Mechanism, tls: Tls) -> Policy {
    let security = if tls == Tls::Started { Security::Required } else { Security::AsOpened };
    Policy { security, mechanism: Some(mechanism), ..Policy::default() }
}

fn credentials(mechanism: Mechanism, secret: &str) -> Credentials {
    let token = Credentials::with_token(USER, secret);
    if mechanism.takes(&token.proof) { token } else { Credentials::with_password(USER, secret) }
}

fn nonce() -> Nonce {
    Nonce::new(*b"eighteen octets...")
}

/// What was said on the wire, whether it ended well, and what the trace has of it.
struct Told {
    wire: String,
    outcome: Result<(), String>,
    trace: String,
}

fn over_smtp(mechanism: Mechanism, secret: &str, tls: Tls) -> Told {
    let order = smtp::Order {
        hello_name: "me".into(),
        policy: policy(mechanism, tls),
        credentials: Some(credentials(mechanism, secret)),
        nonce: Some(nonce()),
        sender: "a@b".parse().unwrap(),
        recipients: vec!["c@d".into()],
        bad_recipient: BadRecipient::Fail,
        message: Box::new(Short),
    };
    let mut client = smtp::Client::new(order, Instant::POWER_ON);
    client.trace();
    let settings = smtp_server::Settings {
        mechanisms: Mechanism::ALL.to_vec(),
        start_tls: tls == Tls::Started,
        ..smtp_server::Settings::new("mx.example", 100, CHALLENGE)
    };
    let clerk = Clerk { mechanisms: Vec::new(), stls: false };
    let (wire, events) = run(&mut client, &mut smtp_server::Server::new(clerk, settings), tls);
    let (mut trace, mut outcome) = (String::new(), None);
    for event in events {
        match event {
            smtp::Event::Passage(Passage::Said(line) | Passage::Heard(line)) => trace += &(line + "\n"),
            smtp::Event::Finished(finished) => {
                outcome = Some(finished.map(drop).map_err(|failure| failure.to_string()));
            }
            _ => {}
        }
    }
    Told { wire, outcome: outcome.expect("an outcome"), trace }
}

fn over_pop3(mechanism: Mechanism, secret: &str, tls: Tls) -> Told {
    let account =
        pop3::Account::new(credentials(mechanism, secret), false, pop3::LogIn::Sasl(nonce())).unwrap();
    let mut client = pop3::Client::new(account, policy(mechanism, tls), Instant::POWER_ON);
    client.trace();
    let clerk = Clerk { mechanisms: Mechanism::ALL.to_vec(), stls: tls == Tls::Started };
    let (wire, events) = run(&mut client, &mut pop3_server::Server::new(clerk), tls);
    let (mut trace, mut outcome) = (String::new(), None);
    for event in events {
        match event {
            pop3::Event::Passage(Passage::Said(line) | Passage::Heard(line)) => trace += &(line + "\n"),
            pop3::Event::LoggedIn => outcome = Some(Ok(())),
            pop3::Event::Ended(failure) => outcome = Some(Err(failure.to_string())),
            _ => {}
        }
    }
    Told { wire, outcome: outcome.expect("an outcome"), trace }
}

type LogIn = fn(Mechanism, &str, Tls) -> Told;

const OVER: [(&str, LogIn); 2] = [("SMTP", over_smtp), ("POP3", over_pop3)];

#[test]
fn a_right_proof_lets_in_by_every_mechanism() {
    for (protocol, over) in OVER {
        for tls in [Tls::None, Tls::Implicit, Tls::Started] {
            for mechanism in Mechanism::ALL {
                let told = over(mechanism, SECRET, tls);
                if mechanism.binds() && tls == Tls::None {
                    let failed = told.outcome.unwrap_err();
                    assert!(failed.ends_with("there is no TLS to bind it to"), "{failed}");
                    assert!(!told.wire.contains("PLUS"), "offered in clear: {}", told.wire);
                } else {
                    assert_eq!(told.outcome, Ok(()), "{mechanism} over {protocol}, {tls:?}\n{}", told.wire);
                    assert!(told.wire.contains(&format!("AUTH {mechanism}")), "{}", told.wire);
                }
            }
        }
    }
}

#[test]
fn a_wrong_proof_does_not_and_a_token_is_told_why() {
    for (protocol, over) in OVER {
        for mechanism in Mechanism::ALL {
            let told = over(mechanism, WRONG, Tls::Started);
            let failed = told.outcome.unwrap_err();
            let refused = if protocol == "SMTP" {
                "answered \"535 5.7.8 no\" to AUTH"
            } else {
                "answered \"-ERR [AUTH] no\" to the log-in"
            };
            let reason = match mechanism {
                Mechanism::Xoauth2 => ", for the reason \"401\"",
                Mechanism::OauthBearer => ", for the reason \"invalid_token\"",
                _ => "",
            };
            assert_eq!(failed, format!("{refused}{reason}"), "{mechanism}\n{}", told.wire);
        }
    }
}

#[test]
fn no_trace_shows_a_secret_in_any_form() {
    for (protocol, over) in OVER {
        for secret in [SECRET, WRONG] {
            for mechanism in Mechanism::ALL {
                let told = over(mechanism, secret, Tls::Implicit);
                // Whatever the client said between AUTH and the end of the exchange.
                assert!(told.trace.contains(&format!("AUTH {mechanism}")), "{protocol}\n{}", told.trace);
                assert!(told.trace.contains("***"));
                let base64 = |text: &str| STANDARD.encode(text).trim_end_matches('=').to_owned();
                for shown in [secret.to_owned(), base64(secret), base64(&format!("\0{USER}\0{secret}"))] {
                    assert!(!told.trace.contains(&shown), "{shown} over {protocol} in\n{}", told.trace);
                }
                let traced: Vec<&str> = told.trace.lines().collect();
                for line in told.wire.lines().filter(|line| line.len() > 16 && !traced.contains(line)) {
                    // A line that was masked, of which nothing may be left elsewhere either.
                    let word = line.rsplit(' ').next().unwrap_or(line);
                    assert!(!told.trace.contains(word), "{word} over {protocol} in\n{}", told.trace);
                }
            }
        }
    }
}
