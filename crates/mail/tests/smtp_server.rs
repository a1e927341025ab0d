//! The SMTP server machine in dialogues: every answer it gives by itself, every reaction of its service, and the laws
//! of `mail::machine`.

use mail::limits::{COMMAND_LINE_OCTETS_MAX, SERVER_HELD_OCTETS_MAX, SERVER_IDLE_MAX};
use mail::machine::{Input, Instant, Machine, Output};
use mail::sasl::Mechanism;
use mail::sasl::server::Claim;
use mail::smtp::command::Path;
use mail::smtp::reply::Reply;
use mail::smtp::server::{Reaction, Server, Service, Settings};
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

/// Takes everything, but for the calls that it was told to react to otherwise. What it was called for stands in `log`.
#[derive(Default)]
struct Clerk {
    instead: HashMap<&'static str, Reaction>,
    log: Rc<RefCell<Vec<String>>>,
    text: Vec<u8>,
}

impl Clerk {
    fn react(&self, call: &'static str, said: &str, code: u16) -> Reaction {
        self.log.borrow_mut().push(format!("{call} {said}"));
        self.instead.get(call).cloned().unwrap_or_else(|| Reaction::reply(code, call))
    }
}

impl Service for Clerk {
    fn greeting(&mut self) -> Reaction {
        self.react("greeting", "", 220)
    }

    fn authenticate(&mut self, claim: &Claim) -> Reaction {
        let said = match claim {
            Claim::Password { user, password } => {
                format!("{user} {}", String::from_utf8_lossy(password.reveal()))
            }
            Claim::CramMd5 { user, challenge, digest } => format!("{user} {challenge} {digest}"),
            Claim::Scram { user, is_proven } => format!("{user} {is_proven}"),
            Claim::Token { user, token, mechanism } => {
                format!("{user} {} {mechanism}", String::from_utf8_lossy(token.reveal()))
            }
        };
        self.react("authenticate", &said, 235)
    }

    fn mail(&mut self, reverse_path: &Path, authenticated: bool) -> Reaction {
        self.react("mail", &format!("{reverse_path} {authenticated}"), 250)
    }

    fn recipient(&mut self, forward_path: &Path) -> Reaction {
        self.react("recipient", &forward_path.to_string(), 250)
    }

    fn data(&mut self) -> Reaction {
        self.react("data", "", 354)
    }

    fn text(&mut self, octets: &[u8]) -> ControlFlow<Reaction> {
        self.text.extend_from_slice(octets);
        match self.instead.get("text") {
            Some(reaction) => ControlFlow::Break(reaction.clone()),
            None => ControlFlow::Continue(()),
        }
    }

    fn text_end(&mut self) -> Reaction {
        let text = String::from_utf8_lossy(&std::mem::take(&mut self.text)).into_owned();
        self.react("text_end", &text, 250)
    }

    fn reset(&mut self) {
        self.text.clear();
    }
}

fn settings() -> Settings {
    Settings { recipients_max: 2, ..Settings::new("mx.example", 100, "<1@mx.example>") }
}

fn opened(clerk: Clerk, settings: Settings) -> Server<Clerk> {
    let mut server = Server::new(clerk, settings);
    server.handle(Input::Opened, Instant::POWER_ON);
    server
}

/// A server that said its greeting.
fn server() -> Server<Clerk> {
    let mut server = opened(Clerk::default(), settings());
    assert_eq!(done(&mut server), "220 greeting\r\n");
    server
}

fn server_with(call: &'static str, reaction: Reaction) -> Server<Clerk> {
    let mut server =
        opened(Clerk { instead: HashMap::from([(call, reaction)]), ..Clerk::default() }, settings());
    done(&mut server);
    server
}

/// Everything it wants done, as text: what is sent, `<TLS>` and `<CLOSE>`.
fn done(server: &mut Server<Clerk>) -> String {
    let mut text = String::new();
    while let Some(output) = server.poll() {
        text += &match output {
            Output::Transmit(octets) => String::from_utf8_lossy(&octets).into_owned(),
            Output::StartTls => "<TLS>".to_owned(),
            Output::Close => "<CLOSE>".to_owned(),
            Output::Abort => "<ABORT>".to_owned(),
            Output::Event(never) => match never {},
        };
    }
    text
}

fn say(server: &mut Server<Clerk>, octets: impl AsRef<[u8]>) -> String {
    server.handle(Input::Received(octets.as_ref()), Instant::POWER_ON);
    done(server)
}

/// What comes back for each line, which must be one line each.
fn dialogue(server: &mut Server<Clerk>, lines: &[(&str, &str)]) {
    for (line, answer) in lines {
        assert_eq!(say(server, format!("{line}\r\n")).trim_end(), *answer, "{line}");
    }
}

const TO_DATA: &[(&str, &str)] = &[
    ("HELO me", "250 mx.example"),
    ("MAIL FROM:<a@b>", "250 mail"),
    ("RCPT TO:<c@d>", "250 recipient"),
    ("DATA", "354 data"),
];

fn to_data(server: &mut Server<Clerk>) {
    dialogue(server, TO_DATA);
}

#[test]
fn a_mail_from_greeting_to_quit() {
    let log = Rc::default();
    let mut server = opened(Clerk { log: Rc::clone(&log), ..Clerk::default() }, settings());
    assert_eq!(done(&mut server), "220 greeting\r\n");
    assert_eq!(
        say(&mut server, "EHLO me\r\n"),
        "250-mx.example\r\n250-SIZE 100\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n\
         250-ENHANCEDSTATUSCODES\r\n250 AUTH PLAIN LOGIN CRAM-MD5\r\n"
    );
    dialogue(&mut server, TO_DATA);
    dialogue(
        &mut server,
        &[("..hidden\r\n.", "250 text_end"), ("QUIT", "221 2.0.0 mx.example closes the channel\r\n<CLOSE>")],
    );
    assert_eq!(
        *log.borrow(),
        ["greeting ", "mail <a@b> false", "recipient <c@d>", "data ", "text_end .hidden\r\n"]
    );
    assert_eq!(say(&mut server, "NOOP\r\n"), "");
}

#[test]
fn the_order_of_commands_is_kept() {
    dialogue(
        &mut server(),
        &[
            ("MAIL FROM:<a@b>", "503 5.5.1 EHLO first"),
            ("RCPT TO:<a@b>", "503 5.5.1 EHLO first"),
            ("DATA", "503 5.5.1 EHLO first"),
            ("AUTH PLAIN", "503 5.5.1 EHLO first"),
            ("NOOP", "250 2.0.0 OK"),
            ("RSET", "250 2.0.0 OK"),
            ("HELO me", "250 mx.example"),
            ("RCPT TO:<a@b>", "503 5.5.1 MAIL first"),
            ("DATA", "503 5.5.1 MAIL first"),
            ("MAIL FROM:<>", "250 mail"),
            ("MAIL FROM:<a@b>", "503 5.5.1 One MAIL at a time"),
            ("AUTH PLAIN", "503 5.5.1 Not now"),
            ("DATA", "554 5.5.1 No valid recipients"),
            ("RCPT TO:<a@b>", "250 recipient"),
            ("RSET", "250 2.0.0 OK"),
            ("DATA", "503 5.5.1 MAIL first"),
            ("MAIL FROM:<a@b>", "250 mail"),
            ("HELO again", "250 mx.example"),
            ("RCPT TO:<a@b>", "503 5.5.1 MAIL first"),
        ],
    );
}

#[test]
fn bad_commands_change_nothing() {
    let long = "x".repeat(COMMAND_LINE_OCTETS_MAX + 1);
    let mut server = server();
    dialogue(
        &mut server,
        &[
            ("HELO me", "250 mx.example"),
            ("MAIL FROM:<a@b>", "250 mail"),
            ("", "500 5.5.1 Command unrecognized"),
            ("EXPN x", "500 5.5.1 Command unrecognized"),
            (&long, "500 5.5.2 Line too long"),
            ("RCPT TO:c@d", "501 5.5.4 Syntax error in parameters"),
            ("RCPT TO:<c@d\0>", "501 5.5.4 Syntax error in parameters"),
            ("RCPT TO:<c d@e>", "501 5.1.0 address with a character that cannot be in one"),
            ("RCPT TO:<c@d> NOTIFY=NEVER", "555 5.5.4 Parameter not recognized"),
            ("RCPT TO:<\u{fc}@d>", "553 5.6.7 Address needs SMTPUTF8"),
            ("AUTH PLAIN ?", "501 5.5.2 Not base64"),
            ("HELP", "214 2.0.0 See RFC 5321"),
            ("VRFY you", "252 2.5.0 Cannot tell, but will take mail for it"),
            ("STARTTLS", "502 5.5.1 No TLS to start"),
            ("RCPT TO:<c@d>", "250 recipient"),
            ("DATA", "354 data"),
            (".", "250 text_end"),
            ("MAIL FROM:<\u{fc}@d>", "553 5.6.7 Address needs SMTPUTF8"),
            ("MAIL FROM:<\u{fc}@d> SMTPUTF8", "250 mail"),
            ("RCPT TO:<\u{fc}@d>", "250 recipient"),
        ],
    );
}

#[test]
fn sizes_and_recipients_are_bounded() {
    let mut server = server();
    dialogue(
        &mut server,
        &[
            ("HELO me", "250 mx.example"),
            ("MAIL FROM:<a@b> SIZE=101", "552 5.3.4 Message too large"),
            ("MAIL FROM:<a@b> SIZE=100", "250 mail"),
            ("RCPT TO:<c@d>", "250 recipient"),
            ("RCPT TO:<e@f>", "250 recipient"),
            ("RCPT TO:<g@h>", "452 4.5.3 Too many recipients"),
            ("DATA", "354 data"),
        ],
    );
    // The bound itself fits (a dot that was put in does not count), one octet more does not.
    assert_eq!(say(&mut server, format!("..{}\r\n.\r\n", "x".repeat(97))), "250 text_end\r\n");
    to_data(&mut server);
    assert_eq!(say(&mut server, format!("{}\r\n", "x".repeat(99))), "");
    assert_eq!(say(&mut server, "MAIL FROM:<a@b>\r\n.\r\n"), "552 5.3.4 Message too large\r\n");
    dialogue(&mut server, &[("DATA", "503 5.5.1 MAIL first"), ("MAIL FROM:<a@b>", "250 mail")]);
}

#[test]
fn pipelined_commands_are_answered_in_order_and_what_follows_data_is_text() {
    let log = Rc::default();
    let mut server = opened(Clerk { log: Rc::clone(&log), ..Clerk::default() }, settings());
    done(&mut server);
    let answers = say(
        &mut server,
        "HELO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nQUIT\r\n.\r\nRSET\r\nMAIL FROM:<e@f>\r\nQUIT\r\nNOOP\r\n",
    );
    assert_eq!(
        answers,
        "250 mx.example\r\n250 mail\r\n250 recipient\r\n354 data\r\n250 text_end\r\n250 2.0.0 OK\r\n250 mail\r\n\
         221 2.0.0 mx.example closes the channel\r\n<CLOSE>"
    );
    assert!(log.borrow().contains(&"text_end QUIT\r\n".to_owned()));
}

#[test]
fn no_end_but_crlf_dot_crlf_lets_a_second_mail_in() {
    for end in [
        "\n.\n",
        "\n.\r\n",
        "\r.\r",
        "\r\n.\n",
        "\r\n.\r",
        "\r.\r\n",
        "\r\n..\r\n",
        "\r\n.\0\r\n",
        "\r\n.\r\r\n",
    ] {
        let log = Rc::default();
        let mut server = opened(Clerk { log: Rc::clone(&log), ..Clerk::default() }, settings());
        done(&mut server);
        to_data(&mut server);
        let answers = say(&mut server, format!("x{end}MAIL FROM:<evil@b>\r\nRCPT TO:<evil@d>\r\n.\r\n"));
        assert_eq!(answers, "250 text_end\r\n", "{end:?}");
        assert_eq!(log.borrow().iter().filter(|call| call.starts_with("mail ")).count(), 1, "{end:?}");
    }
}

#[test]
fn an_address_cannot_bring_a_command_with_it() {
    dialogue(
        &mut server(),
        &[
            ("HELO me", "250 mx.example"),
            ("MAIL FROM:<a@b>\rRCPT TO:<c@d>", "501 5.5.4 Syntax error in parameters"),
            ("MAIL FROM:<a@b> <c@d>", "555 5.5.4 Parameter not recognized"),
            ("MAIL FROM:<a<@b>", "501 5.1.0 address with a character that cannot be in one"),
            ("MAIL FROM:<a@b>c>", "501 5.5.4 Syntax error in parameters"),
        ],
    );
}

#[test]
fn every_mechanism_with_and_without_an_initial_response() {
    for (lines, proof) in [
        (&[("AUTH PLAIN AHVuAHB3ZA==", "235 authenticate")][..], "un pwd"),
        (&[("AUTH PLAIN", "334 "), ("AHVuAHB3ZA==", "235 authenticate")], "un pwd"),
        (&[("AUTH PLAIN dW4AdW4AcHdk", "235 authenticate")], "un pwd"),
        (&[("AUTH PLAIN AHVuAA==", "235 authenticate")], "un "),
        (
            &[("AUTH LOGIN", "334 VXNlcm5hbWU6"), ("dW4=", "334 UGFzc3dvcmQ6"), ("cHdk", "235 authenticate")],
            "un pwd",
        ),
        (&[("auth login dW4=", "334 UGFzc3dvcmQ6"), ("", "235 authenticate")], "un "),
        (
            &[("AUTH CRAM-MD5", "334 PDFAbXguZXhhbXBsZT4="), ("dSBuIDAxMjM=", "235 authenticate")],
            "u n <1@mx.example> 0123",
        ),
    ] {
        let log = Rc::default();
        let mut server = opened(Clerk { log: Rc::clone(&log), ..Clerk::default() }, settings());
        done(&mut server);
        dialogue(&mut server, &[("HELO me", "250 mx.example")]);
        for (line, answer) in lines {
            assert_eq!(say(&mut server, format!("{line}\r\n")), format!("{answer}\r\n"), "{line}");
        }
        dialogue(&mut server, &[("AUTH PLAIN =", "503 5.5.1 Not now"), ("MAIL FROM:<a@b>", "250 mail")]);
        assert_eq!(log.borrow()[1..], [format!("authenticate {proof}"), "mail <a@b> true".to_owned()]);
    }
}

#[test]
fn an_authentication_can_fail_in_every_way_and_be_tried_again() {
    let long = "x".repeat(COMMAND_LINE_OCTETS_MAX + 1);
    let mut server = server_with("authenticate", Reaction::reply(535, "5.7.8 no"));
    dialogue(
        &mut server,
        &[
            ("HELO me", "250 mx.example"),
            ("AUTH GSSAPI", "504 5.5.4 Mechanism not offered"),
            ("AUTH CRAM-MD5 dW4=", "501 5.5.2 Not a response of this mechanism"),
            ("AUTH PLAIN =", "501 5.5.2 Not a response of this mechanism"),
            ("AUTH PLAIN b3RoZXIAdW4AcHdk", "501 5.5.2 Not a response of this mechanism"),
            ("AUTH PLAIN", "334"),
            ("*", "501 5.7.0 Authentication cancelled"),
            ("AUTH LOGIN", "334 VXNlcm5hbWU6"),
            ("*", "501 5.7.0 Authentication cancelled"),
            ("AUTH LOGIN", "334 VXNlcm5hbWU6"),
            ("QUIT", "334 UGFzc3dvcmQ6"),
            ("a", "501 5.5.2 Not base64"),
            ("AUTH CRAM-MD5", "334 PDFAbXguZXhhbXBsZT4="),
            ("dW4=", "501 5.5.2 Not a response of this mechanism"),
            ("AUTH PLAIN", "334"),
            (&long, "500 5.5.6 Line too long"),
            ("AUTH PLAIN AHVuAHB3ZA==", "535 5.7.8 no"),
            ("AUTH PLAIN AHVuAHB3ZA==", "535 5.7.8 no"),
        ],
    );
    let mut server = opened(Clerk::default(), Settings { mechanisms: Vec::new(), ..settings() });
    assert_eq!(done(&mut server), "220 greeting\r\n");
    assert!(!say(&mut server, "EHLO me\r\n").contains("AUTH"));
    dialogue(&mut server, &[("AUTH PLAIN", "502 5.5.1 No AUTH here")]);
    let one = Settings { mechanisms: vec![Mechanism::CramMd5], ..settings() };
    let mut server = opened(Clerk::default(), one);
    done(&mut server);
    assert!(say(&mut server, "EHLO me\r\n").ends_with("250 AUTH CRAM-MD5\r\n"));
    dialogue(&mut server, &[("AUTH PLAIN", "504 5.5.4 Mechanism not offered")]);
}

#[test]
fn a_token_that_is_not_taken_is_told_why_first() {
    let clerk = Clerk {
        instead: HashMap::from([("authenticate", Reaction::reply(535, "5.7.8 no"))]),
        ..Clerk::default()
    };
    let mechanisms = vec![Mechanism::Xoauth2, Mechanism::OauthBearer, Mechanism::ScramSha256];
    let mut server = opened(clerk, Settings { mechanisms, ..settings() });
    done(&mut server);
    let report = "334 eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIiwic2NvcGUiOiJtYWlsIn0=";
    dialogue(
        &mut server,
        &[
            ("HELO me", "250 mx.example"),
            ("AUTH XOAUTH2", "334"),
            ("dXNlcj11bgFhdXRoPUJlYXJlciB4AQE=", report),
            ("", "535 5.7.8 no"),
            ("AUTH XOAUTH2 dXNlcj11bgFhdXRoPUJlYXJlciB4AQE=", report),
            ("*", "535 5.7.8 no"),
            ("AUTH OAUTHBEARER bixhPXVuLAFhdXRoPUJlYXJlciB4AQE=", "334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0="),
            ("AQ==", "535 5.7.8 no"),
            ("AUTH XOAUTH2 dXNlcj11bgE=", "501 5.5.2 Not a response of this mechanism"),
            // Whoever is not known is refused where a wrong proof is.
            (
                "AUTH SCRAM-SHA-256 biwsbj11LHI9Yw==",
                "334 cj1jPDFAbXguZXhhbXBsZT4scz1DLzZUWG5EREljZktPdngxemcwTW9nPT0saT00MDk2",
            ),
            ("Yz1iaXdzLHI9Yyxw", "535 5.7.8 no"),
            ("MAIL FROM:<a@b>", "250 mail"),
        ],
    );
}

#[test]
fn tls_from_the_first_octet_is_not_begun_again() {
    let mut server = opened(Clerk::default(), Settings { start_tls: true, ..settings() });
    server.handle(Input::Secured(None), Instant::POWER_ON);
    assert_eq!(done(&mut server), "220 greeting\r\n");
    assert!(!say(&mut server, "EHLO me\r\n").contains("STARTTLS"));
    dialogue(&mut server, &[("STARTTLS", "503 5.5.1 No TLS to start")]);
}

#[test]
fn tls_begins_on_a_clean_slate() {
    let mut server = opened(Clerk::default(), Settings { start_tls: true, ..settings() });
    done(&mut server);
    assert!(say(&mut server, "EHLO me\r\n").ends_with("250 STARTTLS\r\n"));
    dialogue(
        &mut server,
        &[("AUTH PLAIN AHVuAHB3ZA==", "235 authenticate"), ("MAIL FROM:<a@b>", "250 mail")],
    );
    // A command that was put in behind STARTTLS, whole or in part, is never read.
    assert_eq!(
        say(&mut server, "STARTTLS\r\nMAIL FROM:<e@f>\r\nRCPT"),
        "220 2.0.0 Ready to start TLS\r\n<TLS>"
    );
    assert_eq!(say(&mut server, "NOOP\r\n"), "");
    server.handle(Input::Secured(None), Instant::POWER_ON);
    dialogue(
        &mut server,
        &[("MAIL FROM:<a@b>", "503 5.5.1 EHLO first"), ("STARTTLS", "503 5.5.1 No TLS to start")],
    );
    assert!(!say(&mut server, "EHLO me\r\n").contains("STARTTLS"));
    dialogue(
        &mut server,
        &[("RCPT TO:<a@b>", "503 5.5.1 MAIL first"), ("AUTH PLAIN AHVuAHB3ZA==", "235 authenticate")],
    );
}

#[test]
fn a_handshake_that_never_comes_ends_without_a_word() {
    let mut server = opened(Clerk::default(), Settings { start_tls: true, ..settings() });
    done(&mut server);
    say(&mut server, "EHLO me\r\nSTARTTLS\r\n");
    server.handle(Input::DeadlinePassed, Instant::POWER_ON + SERVER_IDLE_MAX);
    assert_eq!(done(&mut server), "<CLOSE>");
}

#[test]
fn a_greeting_that_does_not_invite() {
    let mut server = opened(
        Clerk { instead: HashMap::from([("greeting", Reaction::reply(554, "no"))]), ..Clerk::default() },
        settings(),
    );
    assert_eq!(done(&mut server), "554 no\r\n");
    dialogue(&mut server, &[("EHLO me", "503 5.5.1 No service here")]);
    assert!(say(&mut server, "QUIT\r\n").ends_with("<CLOSE>"));
}

/// The call reacted to, and what is said to get it called, once DATA may come.
const CALLS: [(&str, &str); 7] = [
    ("greeting", ""),
    ("authenticate", "HELO me\r\nAUTH PLAIN AHVuAHB3ZA==\r\n"),
    ("mail", "HELO me\r\nMAIL FROM:<a@b>\r\n"),
    ("recipient", "HELO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"),
    ("data", "HELO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"),
    ("text", "HELO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\n"),
    ("text_end", "HELO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\n"),
];

fn after(call: &'static str, said: &str, reaction: Reaction) -> (Server<Clerk>, String) {
    let mut server =
        opened(Clerk { instead: HashMap::from([(call, reaction)]), ..Clerk::default() }, settings());
    let answers = done(&mut server) + &say(&mut server, said);
    (server, answers)
}

#[test]
fn silence_is_for_good_and_ends_at_the_idle_deadline() {
    for (call, said) in CALLS {
        let (mut server, answers) = after(call, said, Reaction::Silence);
        assert!(!answers.contains(call), "{call}: {answers}");
        assert_eq!(say(&mut server, "NOOP\r\nQUIT\r\n"), "", "{call}");
        let deadline = server.deadline().unwrap();
        server.handle(Input::DeadlinePassed, deadline);
        assert_eq!(done(&mut server), "<CLOSE>", "{call}");
    }
}

#[test]
fn a_cut_says_nothing() {
    for (call, said) in CALLS {
        let (mut server, answers) = after(call, said, Reaction::Cut);
        assert!(answers.ends_with("<CLOSE>") && !answers.contains(call), "{call}: {answers}");
        assert_eq!(say(&mut server, "NOOP\r\n"), "", "{call}");
        assert_eq!(server.deadline(), None, "{call}");
    }
}

#[test]
fn cut_and_silence_do_not_wait_for_the_end_of_the_text() {
    for (reaction, what) in [(Reaction::Cut, "<CLOSE>"), (Reaction::Silence, "")] {
        let mut server = server_with("text", reaction);
        to_data(&mut server);
        assert_eq!(say(&mut server, "x"), what);
        assert_eq!(say(&mut server, "\r\n.\r\nNOOP\r\n"), "");
    }
    let mut server = server_with("text", Reaction::reply(451, "4.3.0 full"));
    to_data(&mut server);
    assert_eq!(say(&mut server, "x"), "");
    assert_eq!(say(&mut server, "\r\n.\r\nNOOP\r\n"), "451 4.3.0 full\r\n250 2.0.0 OK\r\n");
}

#[test]
fn garbage_is_sent_as_it_is_and_accepts_nothing() {
    for (call, said) in CALLS {
        let (mut server, answers) = after(call, said, Reaction::Garbage(b"\x07!".to_vec()));
        assert!(answers.contains("\x07!") && !answers.contains(call), "{call}: {answers}");
        let next = say(&mut server, "DATA\r\n");
        let is_refused = next.starts_with("503") || next.starts_with("554") || next.starts_with('\x07');
        assert!(is_refused, "{call}: {next}");
    }
}

#[test]
fn a_421_ends_the_link() {
    for (call, said) in CALLS {
        let (_, answers) = after(call, said, Reaction::reply(421, "4.3.2 later"));
        assert!(answers.ends_with("421 4.3.2 later\r\n<CLOSE>"), "{call}: {answers}");
    }
}

#[test]
fn a_late_answer_comes_at_its_time_and_the_rest_waits_for_it() {
    let late = Reaction::Later(Duration::from_secs(10), Reply::new(250, "late"));
    let mut server = server_with("recipient", late);
    let commands = "HELO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n";
    assert_eq!(say(&mut server, commands), "250 mx.example\r\n250 mail\r\n");
    let deadline = server.deadline().unwrap();
    assert_eq!(deadline, Instant::from_ms(10_000));
    server.handle(Input::DeadlinePassed, Instant::from_ms(9_999));
    assert_eq!(done(&mut server), "");
    server.handle(Input::DeadlinePassed, deadline);
    assert_eq!(done(&mut server), "250 late\r\n354 data\r\n");
    server.handle(Input::Received(b"x\r\n.\r\n"), deadline);
    assert_eq!(done(&mut server), "250 text_end\r\n");

    // What is sent meanwhile is held only up to a bound.
    let late = Reaction::Later(Duration::from_secs(10), Reply::new(354, "late"));
    let mut server = server_with("data", late);
    dialogue(&mut server, &TO_DATA[..3]);
    assert_eq!(say(&mut server, b"DATA\r\n".as_slice()), "");
    assert_eq!(say(&mut server, vec![b'x'; SERVER_HELD_OCTETS_MAX]), "");
    assert_eq!(say(&mut server, "x"), "<CLOSE>");
}

#[test]
fn whoever_says_nothing_is_told_so_and_cut_off() {
    let mut server = server();
    let later = Instant::from_ms(1_000);
    server.handle(Input::Received(b"NO"), later);
    assert_eq!(server.deadline(), Some(later + SERVER_IDLE_MAX));
    server.handle(Input::DeadlinePassed, Instant::POWER_ON + SERVER_IDLE_MAX);
    assert_eq!(done(&mut server), "");
    server.handle(Input::DeadlinePassed, later + SERVER_IDLE_MAX);
    assert_eq!(done(&mut server), "421 4.4.2 Nothing heard for too long\r\n<CLOSE>");
}

#[test]
fn a_link_that_is_gone_leaves_nothing_behind() {
    let log = Rc::default();
    let mut server = opened(Clerk { log: Rc::clone(&log), ..Clerk::default() }, settings());
    say(&mut server, "HELO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nhalf");
    server.handle(Input::Closed, Instant::POWER_ON);
    for input in [Input::Opened, Input::Secured(None), Input::Received(b"\r\n.\r\n"), Input::DeadlinePassed] {
        server.handle(input, Instant::from_ms(u64::MAX));
    }
    assert_eq!(done(&mut server), "");
    assert_eq!(server.deadline(), None);
    assert!(!log.borrow().iter().any(|call| call.starts_with("text_end")));
}

const SCRAPS: &[&str] = &[
    "EHLO me\r\n",
    "HELO me\n",
    "MAIL FROM:<a@b>\r\n",
    "RCPT TO:<c@d>\r\n",
    "DATA\r\n",
    "text\r\n",
    "\r\n.\r\n",
    ".\r\n",
    "..\r",
    "AUTH LOGIN\r\n",
    "AUTH PLAIN AHVuAHB3ZA==\r\n",
    "dW4=\r\n",
    "*\r\n",
    "RSET\r\n",
    "STARTTLS\r\n",
    "\0\u{fc}",
    "\r\n",
];

proptest! {
    #[test]
    fn portions_make_no_difference(
        script in prop::collection::vec(prop::sample::select(SCRAPS), 0..20),
        call in prop::sample::select(&["none", "mail", "recipient", "data", "text", "text_end", "authenticate"][..]),
        reaction in prop::sample::select(vec![
            Reaction::Silence,
            Reaction::Cut,
            Reaction::reply(550, "no"),
            Reaction::reply(421, "no"),
            Reaction::Later(Duration::from_secs(1), Reply::new(250, "late")),
            Reaction::Garbage(b"?".to_vec()),
        ]),
    ) {
        let script = script.concat();
        let play = |portions: &mut dyn Iterator<Item = &[u8]>| {
            let log = Rc::default();
            let instead = HashMap::from([(call, reaction.clone())]);
            let settings = Settings { start_tls: true, ..settings() };
            let mut server = opened(Clerk { log: Rc::clone(&log), instead, ..Clerk::default() }, settings);
            let mut answers = done(&mut server);
            for portion in portions {
                server.handle(Input::Received(portion), Instant::POWER_ON);
                answers += &done(&mut server);
                server.handle(Input::DeadlinePassed, Instant::POWER_ON);
            }
            for second in 1..10 {
                server.handle(Input::DeadlinePassed, Instant::from_ms(second * 1_000));
                answers += &done(&mut server);
            }
            let log = log.borrow().clone();
            (answers, log, server.deadline())
        };
        let whole = play(&mut std::iter::once(script.as_bytes()));
        prop_assert_eq!(play(&mut script.as_bytes().chunks(1)), whole.clone());
        prop_assert_eq!(play(&mut script.as_bytes().chunks(7)), whole);
    }

    #[test]
    fn no_octets_and_no_order_of_calls_upset_it(
        calls in prop::collection::vec((0u8..6, prop::collection::vec(any::<u8>(), 0..30), 0u64..1_000_000), 0..30)
    ) {
        let mut server = Server::new(Clerk::default(), settings());
        for (kind, octets, at) in calls {
            let input = match kind {
                0 => Input::Opened,
                1 => Input::Secured(None),
                2 => Input::Drained,
                3 => Input::DeadlinePassed,
                4 if at < 100_000 => Input::Closed,
                _ => Input::Received(&octets),
            };
            server.handle(input, Instant::from_ms(at));
            done(&mut server);
        }
    }
}
