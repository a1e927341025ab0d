//! Log-ins of today over AUTH (RFC 4954): tokens, SCRAM, and what must not go in clear; told word by word by servers that
//! do not all mean well.

use crate::script::{GOOD_END, Peer, greeting, order, play};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail::limits::{AUTH_LINE_OCTETS_MAX, SCRAM_ITERATIONS_MAX};
use mail::machine::Input;
use mail::policy::{InClear, Policy, Security};
use mail::sasl::{Credentials, Mechanism, Nonce};
use mail::smtp::client::{Failure, Nonsense, Order, Step};

const TRANSACTION: &str = "
    C: MAIL FROM:<mike@server.com>
    S: 250 ok
    C: RCPT TO:<john@server.com>
    S: 250 ok
    C: DATA";

const QUIT: &str = "\nC: QUIT\nS: 221 bye\nclose\nfailed ";

fn with(credentials: Credentials) -> impl Fn() -> Order {
    move || Order { credentials: Some(credentials.clone()), nonce: Some(Nonce::new([0; 18])), ..order() }
}

fn token() -> impl Fn() -> Order {
    with(Credentials::with_token("u@server.com", "ya29.t"))
}

fn password() -> impl Fn() -> Order {
    with(Credentials::with_password("u", "p"))
}

/// The words of XOAUTH2 for this token.
fn xoauth2(token: &str) -> String {
    STANDARD.encode(format!("user=u@server.com\x01auth=Bearer {token}\x01\x01"))
}

#[test]
fn a_token_in_one_step_where_it_fits_the_line_and_else_in_two() {
    let one = format!("C: AUTH XOAUTH2 {}\nS: 235 in", xoauth2("ya29.t"));
    play(token(), &(greeting(&["AUTH PLAIN LOGIN XOAUTH2"]) + &one + TRANSACTION + GOOD_END));
    let long = "x".repeat(3_000);
    let two =
        format!("C: AUTH XOAUTH2\nS: 334 \nC: {}\nS: 235 in", xoauth2(&long)).replace("334 \n", "334\n");
    let order = with(Credentials::with_token("u@server.com", long));
    play(order, &(greeting(&["AUTH XOAUTH2"]) + &two + TRANSACTION + GOOD_END));
}

#[test]
fn an_initial_response_just_fits_its_line_or_waits() {
    // `AUTH PLAIN `, then base64 in fours, and a line end: of 512 octets 496 are left for it, so 372 before base64.
    for (octets, goes_along) in [(372, true), (373, false)] {
        let password = "p".repeat(octets - "\0u\0".len());
        let said = STANDARD.encode(format!("\0u\0{password}"));
        let line = format!("AUTH PLAIN {said}\r\n");
        assert_eq!(line.len() <= AUTH_LINE_OCTETS_MAX, goes_along);
        let script = if goes_along {
            format!("C: AUTH PLAIN {said}\nS: 235 in")
        } else {
            format!("C: AUTH PLAIN\nS: 334\nC: {said}\nS: 235 in")
        };
        let order = with(Credentials::with_password("u", password));
        play(order, &(greeting(&["AUTH PLAIN"]) + &script + TRANSACTION + GOOD_END));
    }
}

#[test]
fn a_token_that_is_not_taken_is_told_with_its_status() {
    let report = STANDARD.encode(r#"{"status":"401","schemes":"bearer","scope":"https://mail.example/"}"#);
    let script = format!(
        "C: AUTH XOAUTH2 {}\nS: 334 {report}\nC:\nS: 535 5.7.8 not accepted{QUIT}\
         answered \"535 5.7.8 not accepted\" to AUTH, for the reason \"401\"",
        xoauth2("ya29.t")
    );
    play(token(), &(greeting(&["AUTH XOAUTH2"]) + &script));
    let said = STANDARD.encode("n,a=u@server.com,\x01auth=Bearer ya29.t\x01\x01");
    let report = STANDARD.encode(r#"{"status":"invalid_token ya29.t"}"#);
    let script = format!(
        "C: AUTH OAUTHBEARER {said}\nS: 334 {report}\nC: AQ==\nS: 535 no{QUIT}\
         answered \"535 no\" to AUTH, for the reason \"invalid_token ***\""
    );
    play(token(), &(greeting(&["AUTH XOAUTH2 OAUTHBEARER"]) + &script));
    // Without a report, and with one report too many.
    let begun = format!("C: AUTH XOAUTH2 {}\n", xoauth2("ya29.t"));
    let script = format!("S: 535 no{QUIT}answered \"535 no\" to AUTH");
    play(token(), &(greeting(&["AUTH XOAUTH2"]) + &begun + &script));
    let script = format!(
        "S: 334 e30=\nC:\nS: 334 e30=\nC: *\nS: 501 well{QUIT}sent a challenge that XOAUTH2 cannot answer"
    );
    play(token(), &(greeting(&["AUTH XOAUTH2"]) + &begun + &script));
}

#[test]
fn a_token_never_goes_by_a_mechanism_of_passwords_nor_the_other_way_round() {
    let script =
        "offers no authentication mechanism that is spoken here, but: PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256";
    let offered = "AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256";
    play(token(), &(greeting(&[offered]) + QUIT + script));
    let script = "offers no authentication mechanism that is spoken here, but: XOAUTH2 OAUTHBEARER";
    play(password(), &(greeting(&["AUTH XOAUTH2 OAUTHBEARER"]) + QUIT + script));
}

#[test]
fn credentials_that_would_smuggle_something_in_are_never_sent() {
    for (credentials, what) in [
        (
            Credentials::with_password("a\r\nQUIT", "p"),
            "a user name with a line end or another control character in it",
        ),
        (Credentials::with_password("u", "p\0"), "a password with CR, LF or NUL in it"),
        (Credentials::with_token("u", "t\x01x"), "a token that is none by its form, or has over 8192 octets"),
    ] {
        let script = format!("{QUIT}cannot be given the credentials: {what}");
        play(with(credentials), &(greeting(&["AUTH PLAIN XOAUTH2"]) + &script));
    }
}

#[test]
fn in_clear_nothing_is_shown_unless_it_may_be() {
    let refused =
        |order: Order| Order { policy: Policy { in_clear: InClear::Refused, ..order.policy }, ..order };
    let script = format!(
        "{QUIT}would be told the password in clear: its link is not secured, and it offers PLAIN LOGIN; \
         demand TLS of it, or allow log-ins in clear"
    );
    play(|| refused(password()()), &(greeting(&["AUTH PLAIN LOGIN"]) + &script));
    let script = script.replace("password", "token").replace("PLAIN LOGIN", "XOAUTH2");
    play(|| refused(token()()), &(greeting(&["AUTH XOAUTH2"]) + &script));
    // A challenge that is answered with a proof may go.
    let mut peer = Peer::new(refused(password()()));
    for line in ["220 mx", "250-mx\r\n250 AUTH PLAIN CRAM-MD5", "334 PDFAeD4="] {
        peer.say(line);
    }
    assert!(peer.transcript.contains(&"C: AUTH CRAM-MD5".to_owned()), "{:?}", peer.transcript);
    assert_eq!(peer.outcome, None);
    // Under TLS everything may; no word of it before. Where somebody took STARTTLS out of the offer, nothing may.
    let opportunist = || {
        let order = refused(password()());
        Order { policy: Policy { security: Security::WhenOffered, ..order.policy }, ..order }
    };
    let under_tls = "
        C: STARTTLS
        S: 220 go
        starttls
        secured
        C: EHLO modem.example
        S: 250-mx
        S: 250 AUTH PLAIN
        C: AUTH PLAIN AHUAcA==
        S: 235 in";
    let whole = greeting(&["STARTTLS", "AUTH PLAIN"]) + under_tls + TRANSACTION + GOOD_END;
    play(opportunist, &whole);
    let script = format!(
        "{QUIT}would be told the password in clear: its link is not secured, and it offers PLAIN; \
         demand TLS of it, or allow log-ins in clear"
    );
    play(opportunist, &(greeting(&["AUTH PLAIN"]) + &script));
}

#[test]
fn a_link_that_was_secured_from_its_first_octet_is_what_was_required() {
    let order = || {
        let policy = Policy { security: Security::Required, in_clear: InClear::Refused, mechanism: None };
        Order { policy, ..password()() }
    };
    let begun = "secured\n".to_owned() + &greeting(&["STARTTLS", "AUTH PLAIN"]);
    play(order, &(begun + "C: AUTH PLAIN AHUAcA==\nS: 235 in" + TRANSACTION + GOOD_END));
}

#[test]
fn what_came_in_clear_before_the_first_octet_under_tls_is_never_read() {
    for octets in ["2", "220-mx\r\n"] {
        let mut peer = Peer::new(order());
        peer.tell(Input::Received(octets.as_bytes()));
        peer.tell(Input::Secured(None));
        assert_eq!(peer.outcome, Some(Err(Failure::Malformed(Step::Greeting, Nonsense::Injected))));
    }
}

/// The client's first words, for the nonce of [`with`], and a server's answer to them.
fn scram(server_first: &str) -> String {
    let first = STANDARD.encode(format!("n,,n=u,r={}", STANDARD.encode([0; 18])));
    format!("C: AUTH SCRAM-SHA-256 {first}\nS: 334 {}\n", STANDARD.encode(server_first))
}

fn server_first(rounds: u32) -> String {
    format!("r={}more,s=AAAA,i={rounds}", STANDARD.encode([0; 18]))
}

const SCRAM: [&str; 1] = ["AUTH SCRAM-SHA-256 PLAIN LOGIN"];

#[test]
fn a_scram_server_must_prove_itself() {
    let unproven = "did not prove that it knows the password, as SCRAM-SHA-256 demands of it";
    let first = scram("").lines().next().unwrap().to_owned();
    play(password(), &(greeting(&SCRAM) + &first + "\nS: 235 in" + QUIT + unproven));
    let cancelled = |bad: &str, words: &str| {
        play(password(), &(greeting(&SCRAM) + &scram(bad) + "C: *\nS: 501 well" + QUIT + words));
    };
    for bad in ["", "Rubbish", "r=other,s=AAAA,i=4096", "m=x,r=AAAAAAAAAAAAAAAAAAAAAAAAmore,s=AAAA,i=4096"] {
        cancelled(bad, "sent a challenge that SCRAM-SHA-256 cannot answer");
    }
    for rounds in [1, SCRAM_ITERATIONS_MAX + 1] {
        cancelled(
            &server_first(rounds),
            &format!("asks for {rounds} rounds of hashing; from 4096 to 600000 are done"),
        );
    }
}

#[test]
fn a_scram_server_that_has_another_proof_or_a_reason() {
    for (last, end) in [
        (
            "v=AAAA",
            "C: *\nS: 235 in\nC: QUIT\nfailed did not prove that it knows the password, as SCRAM-SHA-256 demands of it",
        ),
        (
            "e=unknown-user",
            "C:\nS: 535 no\nC: QUIT\nfailed answered \"535 no\" to AUTH, for the reason \"unknown-user\"",
        ),
        (
            "e=unknown-user",
            "C:\nS: 235 in\nC: QUIT\nfailed did not prove that it knows the password, as SCRAM-SHA-256 demands of it",
        ),
    ] {
        let mut peer = Peer::new(password()());
        for line in ["220 mx".to_owned(), "250-mx\r\n250 AUTH SCRAM-SHA-256".to_owned()] {
            peer.say(&line);
        }
        peer.say(&format!("334 {}", STANDARD.encode(server_first(4_096))));
        let so_far = peer.transcript.len();
        peer.say(&format!("334 {}", STANDARD.encode(last)));
        for line in end.lines().filter_map(|line| line.strip_prefix("S: ")) {
            peer.say(line);
        }
        peer.say("221 bye");
        let said = peer.transcript[so_far..].join("\n").replace("close\n", "");
        let expected: Vec<_> = end.lines().filter(|line| !line.starts_with("S:")).collect();
        assert_eq!(said, expected.join("\n"), "{last}");
    }
}

#[test]
fn no_weaker_one_follows_a_failed_scram_and_none_but_the_demanded_is_used() {
    let first = scram("").lines().next().unwrap().to_owned();
    let script = first + "\nS: 535 no" + QUIT + "answered \"535 no\" to AUTH";
    play(password(), &(greeting(&SCRAM) + &script));
    let demanded = |mechanism| {
        move || Order { policy: Policy { mechanism: Some(mechanism), ..Policy::default() }, ..password()() }
    };
    let script = "C: AUTH PLAIN AHUAcA==\nS: 235 in".to_owned() + TRANSACTION + GOOD_END;
    play(demanded(Mechanism::Plain), &(greeting(&SCRAM) + &script));
    let script =
        QUIT.to_owned() + "does not offer CRAM-MD5, which is demanded, but: SCRAM-SHA-256 PLAIN LOGIN";
    play(demanded(Mechanism::CramMd5), &(greeting(&SCRAM) + &script));
}

#[test]
fn without_a_nonce_scram_is_not_spoken() {
    let order = || Order { nonce: None, ..password()() };
    play(order, &(greeting(&SCRAM) + "C: AUTH PLAIN AHUAcA==\nS: 235 in" + TRANSACTION + GOOD_END));
}

#[test]
fn a_sender_that_is_refused_after_a_good_log_in() {
    let script = "
        C: AUTH PLAIN AHUAcA==
        S: 235 in
        C: MAIL FROM:<mike@server.com>
        S: 555 5.5.2 syntax error
        C: QUIT
        S: 221 bye
        close
        failed answered \"555 5.5.2 syntax error\" to MAIL FROM";
    play(password(), &(greeting(&["AUTH PLAIN"]) + script));
}
