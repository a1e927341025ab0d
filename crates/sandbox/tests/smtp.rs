//! The provider over SMTP: mail goes where it should, octet for octet, and every row of the table of troubles does
//! what it says.

use mail::limits::SERVER_IDLE_MAX;
use mail::machine::{Input, Instant, Output};
use mail::sasl::Mechanism;
use sandbox::limits::{CUT_AFTER_OCTETS, MESSAGE_OCTETS_MAX, SLOW_ANSWER};
use sandbox::mailbox::{Delivery, Envelope, Mailboxes, MemoryMailboxes, NotStored};
use sandbox::provider::{Connection, DialTrouble, Provider, Service, Settings};
use sandbox::trouble::{self, Place, TABLE, Trouble};

/// A client that says what it is told and keeps the time.
struct Caller {
    connection: Connection,
    now: Instant,
}

impl Caller {
    fn call(mailboxes: impl Mailboxes + 'static, server_name: &str) -> Result<Self, DialTrouble> {
        let mut provider = Provider::new(mailboxes, Settings::default());
        let connection = provider.connect(Service::Smtp, server_name)?;
        let mut caller = Self { connection, now: Instant::POWER_ON };
        caller.connection.handle(Input::Opened, caller.now);
        Ok(caller)
    }

    /// Everything that was done since the last time, as text: what is sent, and `<CLOSE>`.
    fn heard(&mut self) -> String {
        let mut text = String::new();
        while let Some(output) = self.connection.poll() {
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

    fn say(&mut self, text: impl AsRef<[u8]>) -> String {
        self.connection.handle(Input::Received(text.as_ref()), self.now);
        self.heard()
    }

    /// Lets time go on to the next deadline; returns how long that was, in seconds, 0 when there is none.
    fn wait(&mut self) -> u64 {
        let Some(deadline) = self.connection.deadline() else { return 0 };
        let waited = deadline.since(self.now).as_secs();
        self.now = deadline;
        self.connection.handle(Input::DeadlinePassed, deadline);
        waited
    }

    /// Goes as far as a mail's text may come; returns the answers to MAIL, to each RCPT, and to DATA.
    fn reach_data(&mut self, sender: &str, recipients: &[&str]) -> String {
        let mut text = format!("HELO me\r\nMAIL FROM:<{sender}>\r\n");
        for recipient in recipients {
            text += &format!("RCPT TO:<{recipient}>\r\n");
        }
        self.heard();
        self.say(text + "DATA\r\n").split_once("\r\n").map(|(_, rest)| rest.to_owned()).unwrap_or_default()
    }
}

const SENDER_OK: &str = "250 2.1.0 Sender OK\r\n";
const RECIPIENT_OK: &str = "250 2.1.5 Recipient OK\r\n";
const GO_ON: &str = "354 End with a dot on a line of its own\r\n";
const DELIVERED: &str = "250 2.0.0 Delivered\r\n";

#[test]
fn mail_reaches_each_recipient_octet_for_octet() {
    let mailboxes = MemoryMailboxes::default();
    let mut caller = Caller::call(mailboxes.clone(), "smtp.server.com").unwrap();
    assert_eq!(caller.heard(), "220 smtp.server.com ESMTP sandbox\r\n");
    caller.reach_data("mike@server.com", &["john@server.com", "Bob@x"]);
    assert_eq!(caller.say("Subject: a\r\n\r\n..\r\n\u{fc}\0\n.\n\r\n"), "");
    assert_eq!(mailboxes.mails(), []);
    assert_eq!(caller.say(".\r\n"), DELIVERED);
    assert_eq!(caller.reach_data("", &["john@server.com"]), format!("{SENDER_OK}{RECIPIENT_OK}{GO_ON}"));
    assert_eq!(caller.say(".\r\n"), DELIVERED);

    let mails = mailboxes.mails();
    assert_eq!(mails[0].envelope.sender, "mike@server.com");
    assert_eq!(mails[0].envelope.recipients, ["john@server.com", "Bob@x"]);
    assert_eq!(mails[0].octets, "Subject: a\r\n\r\n.\r\n\u{fc}\0\n.\n\r\n".as_bytes());
    assert_eq!(
        mails[1].envelope,
        Envelope { sender: String::new(), recipients: vec!["john@server.com".into()] }
    );
    assert_eq!(mails[1].octets, b"");
    assert_eq!(mailboxes.mails_to("john@server.com").len(), 2);
    assert_eq!(mailboxes.mails_to("bob@X"), mails[..1]);
}

#[test]
fn every_user_may_come_in_and_ten_mebibytes_of_attachments_fit() {
    let mut caller = Caller::call(MemoryMailboxes::default(), "x").unwrap();
    caller.heard();
    let keywords = caller.say("EHLO me\r\n");
    for keyword in [
        "SIZE 16777216",
        "PIPELINING",
        "8BITMIME",
        "SMTPUTF8",
        "ENHANCEDSTATUSCODES",
        "AUTH PLAIN LOGIN CRAM-MD5",
    ] {
        assert!(keywords.contains(keyword), "{keyword}");
    }
    assert!(!keywords.contains("STARTTLS"));
    assert!(MESSAGE_OCTETS_MAX > 10_485_760_u64.div_ceil(57) * 78);
    caller.say("AUTH CRAM-MD5\r\n");
    assert_eq!(caller.say("dW4gMDA=\r\n"), "235 2.7.0 Welcome\r\n");
}

#[test]
fn settings_are_what_ehlo_says() {
    let settings = Settings { message_octets_max: 7, start_tls: true, ..Settings::default() };
    let mut provider = Provider::new(MemoryMailboxes::default(), settings);
    let connection = provider.connect(Service::Smtp, "x").unwrap();
    let mut caller = Caller { connection, now: Instant::POWER_ON };
    caller.connection.handle(Input::Opened, caller.now);
    caller.heard();
    let keywords = caller.say("EHLO me\r\n");
    assert!(keywords.contains("SIZE 7\r\n") && keywords.contains("STARTTLS\r\n"), "{keywords}");
}

#[test]
fn mechanisms_of_today_only_when_asked_for() {
    let mechanisms = vec![Mechanism::ScramSha256, Mechanism::OauthBearer, Mechanism::ScramSha256Plus];
    let settings = Settings { mechanisms: Some(mechanisms), ..Settings::default() };
    let mut provider = Provider::new(MemoryMailboxes::default(), settings);
    let connection = provider.connect(Service::Smtp, "x").unwrap();
    let mut caller = Caller { connection, now: Instant::POWER_ON };
    caller.connection.handle(Input::Opened, caller.now);
    caller.heard();
    assert!(caller.say("EHLO me\r\n").contains("AUTH SCRAM-SHA-256 OAUTHBEARER\r\n"));
    assert!(caller.say("AUTH SCRAM-SHA-256 biwsbj11LHI9Yw==\r\n").starts_with("334 "));
    assert_eq!(caller.say("Yz1iaXdzLHI9Yyxw\r\n"), "535 5.7.8 Authentication credentials invalid\r\n");
    // Any token is right.
    let token = "AUTH OAUTHBEARER bixhPXVuLAFhdXRoPUJlYXJlciB4AQE=\r\n";
    assert_eq!(caller.say(token), "235 2.7.0 Welcome\r\n");
}

#[test]
fn challenges_differ_and_names_that_no_reply_can_hold_are_left_out() {
    let mut provider = Provider::new(MemoryMailboxes::default(), Settings::default());
    let mut challenges = Vec::new();
    for _ in 0..2 {
        let connection = provider.connect(Service::Smtp, "a\r\n220 b").unwrap();
        let mut caller = Caller { connection, now: Instant::POWER_ON };
        caller.connection.handle(Input::Opened, caller.now);
        assert_eq!(caller.heard(), "220 sandbox.invalid ESMTP sandbox\r\n");
        caller.say("HELO me\r\n");
        challenges.push(caller.say("AUTH CRAM-MD5\r\n"));
    }
    assert_ne!(challenges[0], challenges[1]);
}

#[test]
fn a_mail_that_is_not_finished_leaves_no_trace() {
    for end in ["gone", "too large"] {
        let mailboxes = MemoryMailboxes::default();
        let mut caller = Caller::call(mailboxes.clone(), "x").unwrap();
        caller.reach_data("a@b", &["c@d"]);
        caller.say("half\r\n");
        if end == "gone" {
            caller.connection.handle(Input::Closed, caller.now);
            assert_eq!(caller.say(".\r\n"), "");
        } else {
            let chunk = vec![b'x'; 1024 * 1024];
            for _ in 0..16 {
                assert_eq!(caller.say(&chunk), "");
            }
            assert_eq!(caller.say("\r\n.\r\n"), "552 5.3.4 Message too large\r\n");
        }
        assert_eq!(mailboxes.mails(), [], "{end}");
    }
}

#[test]
fn mail_that_cannot_be_stored_is_refused_for_now() {
    let mailboxes = MemoryMailboxes::with_room(10);
    let mut caller = Caller::call(mailboxes.clone(), "x").unwrap();
    caller.reach_data("a@b", &["c@d"]);
    assert_eq!(caller.say("12345678\r\n.\r\n"), DELIVERED);
    // No room when it is whole, and none already while it comes in.
    for text in ["1\r\n.\r\n", "123456789\r\nmore\r\n.\r\n"] {
        caller.reach_data("a@b", &["c@d"]);
        let answer = caller.say(text);
        assert!(answer.starts_with("451 4.3.0 Cannot store it: no room for"), "{answer}");
    }
    assert_eq!(mailboxes.mails().len(), 1);
}

/// Mailboxes on a drive that is gone.
struct Nowhere;

impl Mailboxes for Nowhere {
    fn begin(&self, _: Envelope) -> Result<Box<dyn Delivery>, NotStored> {
        Err(NotStored(format!("gone\r\n250 OK{}", "!".repeat(10_000))))
    }
}

#[test]
fn mailboxes_that_are_gone_are_no_end_of_the_session() {
    let mut caller = Caller::call(Nowhere, "x").unwrap();
    let answers = caller.reach_data("a@b", &["c@d"]);
    let last = answers.lines().last().unwrap();
    assert!(last.starts_with("451 4.3.0 Cannot store it: gone  250 OK!") && last.len() < 200, "{last}");
    assert_eq!(caller.say("NOOP\r\n"), "250 2.0.0 OK\r\n");
}

#[test]
fn every_row_of_the_table_does_what_it_says() {
    for row in TABLE.iter().filter(|row| row.place != Place::Pop3User) {
        let name = row.pattern.replace("NNN", "554").replace('…', "x.example").replace('*', "example.com");
        let trouble = trouble::find(row.place, &name).unwrap_or_else(|| panic!("{name} is not found"));
        let mailboxes = MemoryMailboxes::default();
        let dialled = play(trouble, row.place, &name, &mailboxes);
        let expected = match trouble {
            Trouble::Unresolved => Err(DialTrouble::Unresolved),
            Trouble::Refused => Err(DialTrouble::Refused),
            _ => Ok(()),
        };
        assert_eq!(dialled, expected, "{name}");
        let is_delivered = trouble == Trouble::Slow;
        assert_eq!(mailboxes.mails().len(), usize::from(is_delivered), "{name}");
    }
}

/// Meets `trouble` by writing `name` at `place`.
fn play(trouble: Trouble, place: Place, name: &str, mailboxes: &MemoryMailboxes) -> Result<(), DialTrouble> {
    let server = if place == Place::Server { name } else { "mx" };
    let sender = if place == Place::Sender { name } else { "mike@server.com" };
    let recipients: &[&str] =
        if place == Place::Recipient { &["john@server.com", name] } else { &["john@server.com"] };
    let mut caller = Caller::call(mailboxes.clone(), server)?;
    let refused = "554 5.0.0 The name asks for it\r\n";
    match trouble {
        // Who is called for these does not get here.
        Trouble::Unresolved | Trouble::Refused => {}
        // Not SMTP's.
        Trouble::Session(_) => unreachable!("{name}"),
        Trouble::SilentServer => {
            assert_eq!(caller.heard(), "");
            assert_eq!(caller.say("EHLO me\r\n"), "");
            assert_eq!(caller.wait(), SERVER_IDLE_MAX.as_secs());
            assert_eq!(caller.heard(), "<CLOSE>");
        }
        Trouble::Busy => assert_eq!(caller.heard(), "421 busy.example.com is too busy\r\n<CLOSE>"),
        Trouble::Garbage => assert_eq!(caller.heard(), "\u{fffd}\u{fffd}\0this is no mail server\r\n"),
        Trouble::AuthRequired => {
            assert!(
                caller.reach_data(sender, recipients).starts_with("530 5.7.0 Authentication required\r\n")
            );
            caller.say("AUTH PLAIN AHVuAHB3ZA==\r\n");
            assert_eq!(caller.say("MAIL FROM:<a@b>\r\n"), SENDER_OK);
        }
        Trouble::AuthRefused | Trouble::AuthUnavailable => {
            caller.say("HELO me\r\nAUTH LOGIN\r\n");
            // The user's name in base64.
            let name = if trouble == Trouble::AuthRefused { "d3Jvbmc=" } else { "dW5hdmFpbGFibGU=" };
            let code = if trouble == Trouble::AuthRefused { "535 5.7.8" } else { "454 4.7.0" };
            caller.say(format!("{name}\r\n"));
            assert!(caller.say("cHdk\r\n").starts_with(code));
        }
        Trouble::SenderRefused(_) => assert!(caller.reach_data(sender, recipients).starts_with(refused)),
        Trouble::RecipientRefused(_) => {
            assert_eq!(
                caller.reach_data(sender, recipients),
                format!("{SENDER_OK}{RECIPIENT_OK}{refused}{GO_ON}"),
            );
        }
        Trouble::TextRefused(_) => {
            assert!(caller.reach_data(sender, recipients).ends_with(GO_ON));
            assert_eq!(caller.say("text\r\n.\r\n"), refused);
        }
        Trouble::Cut => {
            assert!(caller.reach_data(sender, recipients).ends_with(GO_ON));
            for _ in 1..CUT_AFTER_OCTETS {
                assert_eq!(caller.say("x"), "");
            }
            assert_eq!(caller.say("x"), "<CLOSE>");
            // A text too short to have a middle is not delivered either.
            let mut caller = Caller::call(mailboxes.clone(), server)?;
            caller.reach_data(sender, recipients);
            assert_eq!(caller.say("x\r\n.\r\n"), "<CLOSE>");
        }
        Trouble::SilentAtEnd => {
            assert!(caller.reach_data(sender, recipients).ends_with(GO_ON));
            assert_eq!(caller.say("text\r\n.\r\n"), "");
            assert_eq!(caller.say("NOOP\r\n"), "");
        }
        Trouble::Slow => {
            assert_eq!(caller.reach_data(sender, recipients), format!("{SENDER_OK}{RECIPIENT_OK}"));
            for answer in [RECIPIENT_OK, GO_ON, DELIVERED] {
                assert_eq!(caller.heard(), "");
                assert_eq!(caller.wait(), SLOW_ANSWER.as_secs());
                assert_eq!(caller.heard(), answer);
                if answer == GO_ON {
                    assert_eq!(caller.say("text\r\n.\r\n"), "");
                }
            }
            assert_eq!(
                caller.reach_data(sender, &["john@server.com"]),
                format!("{SENDER_OK}{RECIPIENT_OK}{GO_ON}")
            );
        }
    }
    Ok(())
}

#[test]
fn any_code_can_be_asked_for_and_a_421_closes() {
    for code in [400, 450, 451, 452, 500, 550, 553, 559] {
        let mut caller = Caller::call(MemoryMailboxes::default(), "x").unwrap();
        let answers = caller.reach_data("a@b", &[&format!("{code}@x")]);
        assert!(answers.contains(&format!("{code} {}.0.0 ", code / 100)), "{answers}");
        assert!(answers.ends_with("554 5.5.1 No valid recipients\r\n"), "{answers}");
    }
    let mut caller = Caller::call(MemoryMailboxes::default(), "x").unwrap();
    assert!(caller.reach_data("a@b", &["421@x"]).ends_with("421 4.0.0 The name asks for it\r\n<CLOSE>"));
}

#[test]
fn the_first_trouble_named_for_the_text_is_the_one_that_comes() {
    let mut caller = Caller::call(MemoryMailboxes::default(), "x").unwrap();
    caller.reach_data("a@b", &["data-452@x", "cut@x", "data-554@x"]);
    assert_eq!(caller.say("x\r\n.\r\n"), "452 4.0.0 The name asks for it\r\n");
}
