//! AUTH (RFC 5034), told word by word what a server says; and what goes in clear.

use super::odd_servers::{GREETING_WITH_STAMP, Session};
use crate::limits::{IDLE_MAX, POP3_AUTH_LINE_OCTETS_MAX, SCRAM_ITERATIONS_MAX};
use crate::machine::Input;
use crate::policy::{InClear, NoLogIn, Policy, Security};
use crate::pop3::client::{Account, BadAccount, Event, Failure, LogIn, Request, Step};
use crate::pop3::response::{BadResponse, Response};
use crate::sasl::{BadChallenge, Credentials, Mechanism, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const UNSAFE: Policy = Policy { security: Security::AsOpened, in_clear: InClear::Allowed, mechanism: None };

fn account(credentials: Credentials, apop: bool) -> Account {
    Account::new(credentials, apop, LogIn::Sasl(Nonce::new([0; 18]))).unwrap()
}

fn by_password(apop: bool, policy: Policy) -> Session {
    Session::of(account(Credentials::with_password("un", "tiger"), apop), policy)
}

fn by_token(token: &str, policy: Policy) -> Session {
    Session::of(account(Credentials::with_token("un", token), false), policy)
}

/// A session whose server has greeted, and lists these mechanisms; what the client says to that.
fn offered(mut session: Session, greeting: &str, names: &str) -> (Session, String) {
    assert_eq!(session.hear(greeting), "CAPA\r\n");
    let said = session.hear(&format!("+OK\r\nTOP\r\nSASL {names}\r\nUSER\r\n.\r\n"));
    (session, said)
}

const PLAIN: &str = "AUTH PLAIN AHVuAHRpZ2Vy\r\n";

#[test]
fn which_way_in_is_taken() {
    for (apop, greeting, names, start) in [
        (false, "+OK\r\n", "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256", "AUTH SCRAM-SHA-256 "),
        (true, GREETING_WITH_STAMP, "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256", "AUTH SCRAM-SHA-256 "),
        (true, GREETING_WITH_STAMP, "PLAIN LOGIN CRAM-MD5", "APOP un "),
        (false, GREETING_WITH_STAMP, "PLAIN LOGIN CRAM-MD5", "AUTH CRAM-MD5\r\n"),
        (true, "+OK\r\n", "PLAIN LOGIN CRAM-MD5", "AUTH CRAM-MD5\r\n"),
        (true, "+OK <>\r\n", "PLAIN LOGIN", PLAIN),
        (false, "+OK\r\n", "LOGIN", "AUTH LOGIN\r\n"),
        (false, "+OK\r\n", "GSSAPI XOAUTH2", "USER un\r\n"),
        (true, GREETING_WITH_STAMP, "GSSAPI", "APOP un "),
    ] {
        let (_, said) = offered(by_password(apop, UNSAFE), greeting, names);
        assert!(said.starts_with(start), "{names}: {said}");
    }
}

#[test]
fn without_capa_apop_or_user_and_pass() {
    for (greeting, start) in [(GREETING_WITH_STAMP, "APOP un "), ("+OK\r\n", "USER un\r\n")] {
        let mut session = by_password(true, UNSAFE);
        assert_eq!(session.hear(greeting), "CAPA\r\n");
        assert!(session.hear("-ERR what?\r\n").starts_with(start));
    }
    let mut session = by_token("t", UNSAFE);
    session.hear(GREETING_WITH_STAMP);
    assert_eq!(session.hear("-ERR what?\r\n"), "QUIT\r\n");
    let none = NoLogIn::NoMechanism { offered: "none".into() };
    assert_eq!(session.failure(), Failure::NoLogIn(none));
}

#[test]
fn plain_login_and_cram_md5() {
    let (mut session, said) = offered(by_password(false, UNSAFE), "+OK\r\n", "PLAIN");
    assert_eq!(said, PLAIN);
    assert_eq!(session.hear("+OK in\r\n"), "");
    assert_eq!(session.events(), [Event::LoggedIn]);
    assert_eq!(session.ask(Request::Stat), "STAT\r\n");

    for prompts in [["+ VXNlcm5hbWU6\r\n", "+ UGFzc3dvcmQ6\r\n"], ["+ \r\n", "+\r\n"]] {
        let (mut session, _) = offered(by_password(false, UNSAFE), "+OK\r\n", "LOGIN");
        assert_eq!(session.hear(prompts[0]), "dW4=\r\n");
        assert_eq!(session.hear(prompts[1]), "dGlnZXI=\r\n");
        session.hear("+OK\r\n");
        assert_eq!(session.events(), [Event::LoggedIn]);
    }

    let tim = account(Credentials::with_password("tim", "tanstaaftanstaaf"), false);
    let (mut session, said) = offered(Session::of(tim, UNSAFE), "+OK\r\n", "PLAIN CRAM-MD5");
    assert_eq!(said, "AUTH CRAM-MD5\r\n");
    // RFC 2195 §3.
    assert_eq!(
        session.hear("+ PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\r\n"),
        "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n"
    );
    session.hear("+OK\r\n");
    assert_eq!(session.events(), [Event::LoggedIn]);
}

#[test]
fn a_challenge_that_cannot_be_answered_is_cancelled_without_the_password() {
    for challenge in ["+ Rubbish\r\n", "+ \r\n", "+\r\n", "+ =\r\n", "+ \u{e9}\r\n", "+ PDFA eD4=\r\n"] {
        let (mut session, _) = offered(by_password(false, UNSAFE), "+OK\r\n", "CRAM-MD5 PLAIN");
        assert_eq!(session.hear(challenge), "*\r\nQUIT\r\n", "{challenge}");
        let bad = BadChallenge::Unanswerable(Mechanism::CramMd5);
        assert_eq!(session.failure(), Failure::BadChallenge(bad));
    }
    // One too many.
    let (mut session, _) = offered(by_password(false, UNSAFE), "+OK\r\n", "PLAIN");
    assert_eq!(session.hear("+ \r\n"), "*\r\nQUIT\r\n");
    assert_eq!(session.failure().to_string(), "sent a challenge that PLAIN cannot answer");
}

#[test]
fn no_weaker_one_follows_a_refusal() {
    for names in ["CRAM-MD5 PLAIN", "PLAIN LOGIN", "SCRAM-SHA-256 PLAIN"] {
        let (mut session, _) = offered(by_password(true, UNSAFE), "+OK\r\n", names);
        assert_eq!(session.hear("-ERR [AUTH] no: tiger\r\n"), "QUIT\r\n");
        let response = Response::negative("[AUTH] no: ***");
        assert_eq!(session.failure(), Failure::RefusedPassword(response));
    }
}

#[test]
fn a_token_in_two_steps_and_why_it_is_not_taken() {
    // XOAUTH2's always, since there are servers that end the session over an initial response.
    let (mut session, said) = offered(by_token("ya29.t", UNSAFE), "+OK\r\n", "PLAIN XOAUTH2");
    assert_eq!(said, "AUTH XOAUTH2\r\n");
    let words = STANDARD.encode("user=un\x01auth=Bearer ya29.t\x01\x01") + "\r\n";
    assert_eq!(session.hear("+ \r\n"), words);
    let report = STANDARD.encode(r#"{"status":"400","schemes":"Bearer","scope":"https://mail.example/"}"#);
    assert_eq!(session.hear(&format!("+ {report}\r\n")), "\r\n");
    assert_eq!(session.hear("-ERR [AUTH] ya29.t not accepted\r\n"), "QUIT\r\n");
    assert_eq!(
        session.failure().to_string(),
        "answered \"-ERR [AUTH] *** not accepted\" to the log-in, for the reason \"400\""
    );

    let (mut session, said) = offered(by_token("ya29.t", UNSAFE), "+OK\r\n", "XOAUTH2 OAUTHBEARER");
    let words = STANDARD.encode("n,a=un,\x01auth=Bearer ya29.t\x01\x01");
    assert_eq!(said, format!("AUTH OAUTHBEARER {words}\r\n"));
    assert_eq!(session.hear("+ eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n"), "AQ==\r\n");
    session.hear("-ERR no\r\n");
    assert!(session.failure().to_string().ends_with("for the reason \"invalid_token\""));

    let long = "x".repeat(3_000);
    let (mut session, said) = offered(by_token(&long, UNSAFE), "+OK\r\n", "OAUTHBEARER");
    assert_eq!(said, "AUTH OAUTHBEARER\r\n");
    assert!(session.hear("+ \r\n").len() > 4_000);
    session.hear("+OK\r\n");
    assert_eq!(session.events(), [Event::LoggedIn]);
}

#[test]
fn an_initial_response_just_fits_its_line_or_waits() {
    // `AUTH PLAIN `, then base64 in fours, and a line end: of 255 octets 240 are left for it, so 180 before base64.
    for (octets, goes_along) in [(180, true), (181, false)] {
        let password = "p".repeat(octets - "\0u\0".len());
        let account = account(Credentials::with_password("u", password), false);
        let (mut session, said) = offered(Session::of(account, UNSAFE), "+OK\r\n", "PLAIN");
        assert!(said.len() <= POP3_AUTH_LINE_OCTETS_MAX);
        assert_eq!(said != "AUTH PLAIN\r\n", goes_along, "{said}");
        if !goes_along {
            assert_eq!(session.hear("+ \r\n").len(), 244 + 2);
        }
    }
}

#[test]
fn a_scram_server_must_prove_itself() {
    let begun = || offered(by_password(false, UNSAFE), "+OK\r\n", "SCRAM-SHA-256").0;
    let first = |rounds: u32| {
        format!("+ {}\r\n", STANDARD.encode(format!("r={}x,s=AAAA,i={rounds}", STANDARD.encode([0; 18]))))
    };
    let unproven = "did not prove that it knows the password, as SCRAM-SHA-256 demands of it";

    let mut session = begun();
    assert_eq!(session.hear("+OK in\r\n"), "");
    assert_eq!(session.failure().to_string(), unproven);

    let mut session = begun();
    session.hear(&first(4_096));
    assert_eq!(session.hear("+ dj1BQUFB\r\n"), "*\r\nQUIT\r\n");
    assert_eq!(session.failure().to_string(), unproven);

    for rounds in [1, SCRAM_ITERATIONS_MAX + 1] {
        let mut session = begun();
        assert_eq!(session.hear(&first(rounds)), "*\r\nQUIT\r\n");
        assert_eq!(session.failure(), Failure::BadChallenge(BadChallenge::Iterations(rounds)));
    }
}

#[test]
fn in_clear_nothing_is_shown_unless_it_may_be() {
    let policy = Policy { in_clear: InClear::Refused, ..UNSAFE };
    for (names, in_words) in [("PLAIN LOGIN", "PLAIN LOGIN"), ("GSSAPI", "USER and PASS")] {
        let (mut session, said) = offered(by_password(false, policy), "+OK\r\n", names);
        assert_eq!(said, "QUIT\r\n");
        assert_eq!(
            session.failure().to_string(),
            format!(
                "would be told the password in clear: its link is not secured, and it offers {in_words}; \
                 demand TLS of it, or allow log-ins in clear"
            )
        );
    }
    let (mut session, said) = offered(by_token("t", policy), "+OK\r\n", "XOAUTH2");
    assert_eq!(said, "QUIT\r\n");
    assert!(matches!(session.failure(), Failure::NoLogIn(NoLogIn::InClear { secret: "token", .. })));
    // What only proves may go.
    assert_eq!(offered(by_password(false, policy), "+OK\r\n", "CRAM-MD5 PLAIN").1, "AUTH CRAM-MD5\r\n");
    assert!(offered(by_password(true, policy), GREETING_WITH_STAMP, "PLAIN").1.starts_with("APOP un "));
    // As the note's module, too.
    let named = |apop| Account::new(Credentials::with_password("un", "tiger"), apop, LogIn::AsNote).unwrap();
    let mut session = Session::of(named(false), policy);
    assert_eq!(session.hear(GREETING_WITH_STAMP), "QUIT\r\n");
    assert!(matches!(session.failure(), Failure::NoLogIn(NoLogIn::InClear { .. })));
    let mut session = Session::of(named(true), policy);
    assert!(session.hear(GREETING_WITH_STAMP).starts_with("APOP un "));
}

#[test]
fn tls_demanded_and_not_had_is_no_reason_for_apop_or_scram() {
    for names in ["SCRAM-SHA-256", "PLAIN"] {
        let policy = Policy { security: Security::Required, ..UNSAFE };
        let (mut session, said) = offered(by_password(true, policy), GREETING_WITH_STAMP, names);
        assert_eq!(said, "QUIT\r\n");
        assert_eq!(session.failure(), Failure::TlsNotOffered);
    }
}

#[test]
fn mechanisms_from_before_tls_are_forgotten() {
    let policy = Policy { security: Security::Required, ..UNSAFE };
    let mut session = by_password(false, policy);
    session.hear("+OK\r\n");
    assert_eq!(session.hear("+OK\r\nSTLS\r\nSASL LOGIN\r\n.\r\n"), "STLS\r\n");
    session.hear("+OK\r\n");
    session.tell(Input::Secured(None));
    assert_eq!(session.hear(""), "CAPA\r\n");
    assert_eq!(session.hear("+OK\r\nSASL PLAIN\r\n.\r\n"), PLAIN);

    let mut session = by_password(false, policy);
    session.hear("+OK\r\n");
    session.hear("+OK\r\nSTLS\r\nSASL PLAIN\r\n.\r\n");
    session.hear("+OK\r\n");
    session.tell(Input::Secured(None));
    session.hear("");
    assert_eq!(session.hear("-ERR\r\n"), "USER un\r\n");
}

#[test]
fn a_link_that_was_secured_from_its_first_octet_is_what_was_required() {
    let policy = Policy { security: Security::Required, in_clear: InClear::Refused, mechanism: None };
    let mut session = by_password(false, policy);
    session.tell(Input::Secured(None));
    let (_, said) = offered(session, "+OK\r\n", "PLAIN");
    assert_eq!(said, PLAIN);
    // The note's module needs no CAPA then.
    let named = Account::new(Credentials::with_password("un", "tiger"), false, LogIn::AsNote).unwrap();
    let mut session = Session::of(named, policy);
    session.tell(Input::Secured(None));
    assert_eq!(session.hear("+OK\r\n"), "USER un\r\n");

    let mut session = by_password(false, policy);
    session.hear("+O");
    session.tell(Input::Secured(None));
    let malformed = Failure::Malformed { step: Some(Step::Greeting), reason: BadResponse::Unasked };
    assert_eq!(session.failure(), malformed);
}

#[test]
fn the_mechanism_that_is_demanded_and_no_other() {
    let demand = |mechanism| Policy { mechanism: Some(mechanism), ..UNSAFE };
    let (_, said) =
        offered(by_password(true, demand(Mechanism::Plain)), GREETING_WITH_STAMP, "CRAM-MD5 PLAIN");
    assert_eq!(said, PLAIN);
    let (mut session, said) =
        offered(by_password(true, demand(Mechanism::CramMd5)), GREETING_WITH_STAMP, "PLAIN");
    assert_eq!(said, "QUIT\r\n");
    assert_eq!(session.failure().to_string(), "does not offer CRAM-MD5, which is demanded, but: PLAIN");
    // Nor USER and PASS where there is no AUTH.
    let named = Account::new(Credentials::with_password("un", "tiger"), true, LogIn::AsNote).unwrap();
    let mut session = Session::of(named, demand(Mechanism::Plain));
    assert_eq!(session.hear(GREETING_WITH_STAMP), "QUIT\r\n");
    assert!(matches!(session.failure(), Failure::NoLogIn(NoLogIn::NotOffered { .. })));
}

#[test]
fn a_bare_ok_to_every_command() {
    let mut session = by_password(true, UNSAFE);
    session.hear("+OK\r\n");
    // The listing's end is still due: nothing is taken for an answer that is none.
    assert_eq!(session.hear("+OK\r\n"), "");
    assert_eq!(session.hear("+OK\r\n"), "");
    assert_eq!(session.hear(".\r\n"), "USER un\r\n");
    // A server that says no more than that has not answered.
    let mut session = by_password(true, UNSAFE);
    session.hear("+OK\r\n");
    session.hear("+OK\r\n");
    session.now = session.now + IDLE_MAX;
    session.tell(Input::DeadlinePassed);
    assert_eq!(session.failure(), Failure::Silent(Step::Capa));
}

#[test]
fn a_challenge_where_none_can_be_is_no_response() {
    for so_far in [&["+OK\r\n"][..], &["+OK\r\n", "-ERR\r\n"], &["+OK\r\n", "-ERR\r\n", "+OK\r\n"]] {
        let mut session = by_password(false, UNSAFE);
        for line in so_far {
            session.hear(line);
        }
        session.hear("+ PDFAeD4=\r\n");
        assert!(matches!(session.failure(), Failure::Malformed { reason: BadResponse::NoStatus, .. }));
    }
}

#[test]
fn a_token_needs_auth() {
    let token = Credentials::with_token("un", "t");
    assert_eq!(Account::new(token, true, LogIn::AsNote).unwrap_err(), BadAccount::Token);
}
