//! The provider over POP3: mail is there for its user and for one session at a time, it goes when QUIT says so, and
//! every row of the table of troubles does what it says.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what surprises a test is its failure"
)]

use mail::limits::{AUTOLOGOUT, CHUNK_OCTETS};
use mail::machine::{Input, Instant, Output};
use mail::pop3::apop;
use mail::pop3::server::Mail as Listed;
use mail::sasl::Mechanism;
use mail::secret::Secret;
use proptest::prelude::*;
use sandbox::first_mails;
use sandbox::limits::ENDLESS_LINE_OCTETS;
use sandbox::mailbox::{
    Delivery, Envelope, Mailboxes, Maildrop, MemoryMailboxes, NotOpened, NotServed, NotStored, Text,
};
use sandbox::provider::{Connection, Provider, Service, Settings};
use sandbox::trouble::{self, Place, SessionTrouble, TABLE, Trouble};

/// How much is heard of what a server says at one time: a mail without an end is left there.
const HEARD_OCTETS_MAX: usize = 1024 * 1024;

/// A client that says what it is told and keeps the time.
struct Caller {
    connection: Connection,
    now: Instant,
}

impl Caller {
    fn call(mailboxes: impl Mailboxes + 'static, server_name: &str) -> Self {
        let mut provider = Provider::new(mailboxes, Settings::default());
        let connection = provider.connect(Service::Pop3, server_name).unwrap();
        let mut caller = Self { connection, now: Instant::POWER_ON };
        caller.connection.handle(Input::Opened, caller.now);
        caller
    }

    /// A session, of which the greeting has been read, and the answers to a log-in of `user`.
    fn log_in(mailboxes: &MemoryMailboxes, user: &str) -> (Self, String) {
        let mut caller = Self::call(mailboxes.clone(), "pop3.server.com");
        caller.heard();
        let answers = caller.say(format!("USER {user}\r\nPASS pwd\r\n"));
        (caller, answers)
    }

    /// Everything that was done since the last time, as octets: what is sent, and `<CLOSE>`.
    fn heard(&mut self) -> Vec<u8> {
        let mut heard = Vec::new();
        while heard.len() < HEARD_OCTETS_MAX {
            match self.connection.poll() {
                Some(Output::Transmit(octets)) => {
                    heard.extend_from_slice(&octets);
                    self.connection.handle(Input::Drained, self.now);
                }
                Some(Output::StartTls) => heard.extend_from_slice(b"<TLS>"),
                Some(Output::Close | Output::Abort) => heard.extend_from_slice(b"<CLOSE>"),
                Some(Output::Event(never)) => match never {},
                None => break,
            }
        }
        heard
    }

    fn say(&mut self, text: impl AsRef<[u8]>) -> String {
        self.connection.handle(Input::Received(text.as_ref()), self.now);
        String::from_utf8_lossy(&self.heard()).into_owned()
    }
}

fn fresh() -> MemoryMailboxes {
    let mailboxes = MemoryMailboxes::default();
    first_mails::deliver(&mailboxes).unwrap();
    mailboxes
}

fn deliver(mailboxes: &MemoryMailboxes, recipients: &[&str], octets: &[u8]) {
    let recipients = recipients.iter().map(ToString::to_string).collect();
    let mut delivery = mailboxes.begin(Envelope { sender: String::new(), recipients }).unwrap();
    delivery.write(octets).unwrap();
    delivery.commit().unwrap();
}

/// The text of a first mail.
fn first_mail(at: usize) -> &'static str {
    std::str::from_utf8(first_mails::OCTETS[at]).unwrap()
}

const LOGGED_IN: &str = "+OK and the password?\r\n+OK 2 messages, 2134 octets\r\n";
const QUIT: &str = "QUIT\r\n";
const IN_USE: &str = "+OK and the password?\r\n-ERR [IN-USE] another session has the maildrop\r\n";

#[test]
fn the_notes_session_on_the_wire() {
    let mut caller = Caller::call(fresh(), "pop3.server.com");
    assert_eq!(caller.heard(), b"+OK pop3.server.com sandbox <1@pop3.server.com>\r\n");
    assert_eq!(
        caller.say("CAPA\r\n"),
        "+OK this can be done\r\nTOP\r\nUIDL\r\nUSER\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n.\r\n",
    );
    assert_eq!(caller.say("USER un\r\nPASS pwd\r\n"), LOGGED_IN);
    assert_eq!(caller.say("STAT\r\nLIST 1\r\nLIST 2\r\n"), "+OK 2 2134\r\n+OK 1 1050\r\n+OK 2 1084\r\n");
    assert_eq!(caller.say("RETR 1\r\n"), format!("+OK here it is\r\n{}.\r\n", first_mail(0)));
    assert_eq!(caller.say("RETR 2\r\n"), format!("+OK here it is\r\n{}.\r\n", first_mail(1)));
    let (header, _) = first_mail(0).split_once("\r\n\r\n").unwrap();
    assert_eq!(caller.say("TOP 1 0\r\n"), format!("+OK here it is\r\n{header}\r\n\r\n.\r\n"));
    assert_eq!(caller.say("DELE 1\r\nQUIT\r\n"), "+OK marked\r\n+OK bye\r\n<CLOSE>");
}

#[test]
fn any_password_is_right_and_greetings_differ() {
    let mut provider = Provider::new(fresh(), Settings { start_tls: true, ..Settings::default() });
    for stamp in ["<1@mx>", "<2@mx>"] {
        let connection = provider.connect(Service::Pop3, "mx").unwrap();
        let mut caller = Caller { connection, now: Instant::POWER_ON };
        caller.connection.handle(Input::Opened, caller.now);
        assert_eq!(caller.heard(), format!("+OK mx sandbox {stamp}\r\n").as_bytes());
        assert!(caller.say("CAPA\r\n").contains("STLS\r\n"));
        let digest = apop::digest(stamp, &Secret::new("anything"));
        assert_eq!(caller.say(format!("APOP un {digest}\r\n")), "+OK 2 messages, 2134 octets\r\n");
    }
    let mut caller = Caller::call(fresh(), "a\r\n+OK b");
    assert_eq!(caller.heard(), b"+OK sandbox.invalid sandbox <1@sandbox.invalid>\r\n");
}

#[test]
fn auth_only_when_asked_for() {
    for (mechanisms, offered) in [(None, false), (Some(vec![Mechanism::Plain, Mechanism::Xoauth2]), true)] {
        let mut provider = Provider::new(fresh(), Settings { mechanisms, ..Settings::default() });
        let connection = provider.connect(Service::Pop3, "mx").unwrap();
        let mut caller = Caller { connection, now: Instant::POWER_ON };
        caller.connection.handle(Input::Opened, caller.now);
        caller.heard();
        assert_eq!(caller.say("CAPA\r\n").contains("\r\nSASL PLAIN XOAUTH2\r\n"), offered);
        let answer = caller.say("AUTH XOAUTH2 dXNlcj11bgFhdXRoPUJlYXJlciB4AQE=\r\n");
        assert_eq!(answer.starts_with("+OK 2 messages"), offered, "{answer}");
    }
}

#[test]
fn a_maildrop_is_for_one_session_at_a_time() {
    let mailboxes = fresh();
    for end in [QUIT, "autologout", "gone"] {
        let (mut first, answers) = Caller::log_in(&mailboxes, "un");
        assert_eq!(answers, LOGGED_IN);
        // The same mailbox under its other name too; another one is free.
        let (mut second, answers) = Caller::log_in(&mailboxes, "UN@server.com");
        assert_eq!(answers, IN_USE, "{end}");
        assert!(Caller::log_in(&mailboxes, "un2").1.ends_with("+OK 0 messages, 0 octets\r\n"));
        // Trouble's maildrops are nobody's.
        assert_eq!(Caller::log_in(&mailboxes, "no-top").1, LOGGED_IN);
        if end == QUIT {
            first.say(end);
        } else if end == "autologout" {
            first.connection.handle(Input::DeadlinePassed, first.now + AUTOLOGOUT);
            assert_eq!(first.heard(), b"<CLOSE>");
        }
        // After QUIT the connection may linger.
        let lingering = (end == QUIT).then_some(first);
        // A log-in that was refused holds nothing, and may be tried again.
        assert_eq!(second.say("USER un@server.com\r\nPASS pwd\r\n"), LOGGED_IN, "{end}");
        drop(lingering);
    }
    let (_first, _) = Caller::log_in(&mailboxes, "un@server.com");
    assert_eq!(Caller::log_in(&mailboxes, "un").1, IN_USE);
    let (_elsewhere, answers) = Caller::log_in(&mailboxes, "un@elsewhere.com");
    assert!(answers.ends_with("+OK 0 messages, 0 octets\r\n"));
}

#[test]
fn what_is_marked_goes_at_quit_and_not_before() {
    let mailboxes = fresh();
    for end in ["", "RSET\r\nQUIT\r\n"] {
        let (mut caller, _) = Caller::log_in(&mailboxes, "un");
        caller.say("DELE 1\r\nDELE 2\r\n");
        caller.say(end);
        assert_eq!(mailboxes.mails().len(), 2);
    }
    let (mut caller, _) = Caller::log_in(&mailboxes, "un");
    let uniques = caller.say("UIDL\r\n");
    caller.say("DELE 1\r\n");
    // What comes meanwhile is the next session's.
    deliver(&mailboxes, &["un@server.com"], b"Subject: third\r\n");
    assert_eq!(caller.say("STAT\r\nQUIT\r\n"), "+OK 1 1084\r\n+OK bye\r\n<CLOSE>");

    let (mut caller, _) = Caller::log_in(&mailboxes, "un");
    assert_eq!(caller.say("LIST\r\n"), "+OK one line each\r\n1 1084\r\n2 16\r\n.\r\n");
    let left = caller.say("UIDL\r\n");
    let unique = |listing: &str, at: usize| listing.lines().nth(at).unwrap()[2..].to_owned();
    assert_eq!(unique(&left, 1), unique(&uniques, 2));
    assert!(!uniques.contains(&unique(&left, 2)));
}

#[test]
fn a_mail_to_several_has_a_copy_for_each() {
    let mailboxes = MemoryMailboxes::default();
    deliver(&mailboxes, &["a@x", "A@X", "a@y", "b@x"], b"Subject: s\r\n");
    // Two mailboxes are the user's, and each has it once.
    let (mut caller, answers) = Caller::log_in(&mailboxes, "a");
    assert!(answers.ends_with("+OK 2 messages, 24 octets\r\n"));
    let uniques = caller.say("UIDL\r\n");
    assert_ne!(uniques.lines().nth(1).unwrap()[2..], uniques.lines().nth(2).unwrap()[2..]);
    caller.say("DELE 1\r\nDELE 2\r\nQUIT\r\n");
    for (user, count) in [("a", 0), ("a@x", 0), ("b", 1), ("b@x", 1)] {
        assert!(Caller::log_in(&mailboxes, user).1.contains(&format!("+OK {count} messages")), "{user}");
    }
    assert_eq!((mailboxes.mails_to("a@x").len(), mailboxes.mails_to("b@x").len()), (0, 1));
    // With the last copy the message goes, and makes room.
    Caller::log_in(&mailboxes, "b").0.say("DELE 1\r\nQUIT\r\n");
    assert_eq!(mailboxes.mails(), []);
}

/// Mailboxes on a drive that fails from some point on.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Failing {
    AtOnce,
    WhenOpened,
    WhenRead,
    WhenRemoved,
}

fn failed() -> NotServed {
    NotServed(format!("gone\r\n+OK{}", "!".repeat(10_000)))
}

impl Mailboxes for Failing {
    fn begin(&self, _: Envelope) -> Result<Box<dyn Delivery>, NotStored> {
        Err(NotStored("gone".to_owned()))
    }

    fn maildrop(&self, _: &str) -> Result<Box<dyn Maildrop>, NotOpened> {
        if *self == Self::AtOnce { Err(failed().into()) } else { Ok(Box::new(*self)) }
    }
}

impl Maildrop for Failing {
    fn mails(&self) -> Vec<Listed> {
        vec![Listed { octets: 1, unique: "1".to_owned() }]
    }

    fn open(&mut self, _: u32) -> Result<Box<dyn Text>, NotServed> {
        if *self == Self::WhenOpened { Err(failed()) } else { Ok(Box::new(*self)) }
    }

    fn remove(self: Box<Self>, ids: &[u32]) -> Result<(), NotServed> {
        assert_eq!(ids, [1]);
        Err(failed())
    }
}

impl Text for Failing {
    fn read(&mut self) -> Result<Vec<u8>, NotServed> {
        if *self == Self::WhenRead { Err(failed()) } else { Ok(Vec::new()) }
    }
}

#[test]
fn mailboxes_that_fail_are_told_in_one_line() {
    for failing in [Failing::AtOnce, Failing::WhenOpened, Failing::WhenRead, Failing::WhenRemoved] {
        let mut caller = Caller::call(failing, "x");
        caller.heard();
        let mut answers = caller.say("USER un\r\nPASS pwd\r\n");
        if failing > Failing::AtOnce {
            answers = caller.say("RETR 1\r\n");
        }
        if failing == Failing::WhenRead {
            // Inside a message no -ERR can stand.
            assert_eq!(answers, "+OK here it is\r\n<CLOSE>");
            continue;
        }
        if failing > Failing::WhenRead {
            answers = caller.say("DELE 1\r\nQUIT\r\n").replace("<CLOSE>", "");
        }
        let last = answers.lines().last().unwrap();
        assert!(last.starts_with("-ERR [SYS/TEMP] gone  +OK!") && last.len() < 200, "{last}");
    }
}

/// Mailboxes that are only delivered to.
struct OneWay;

impl Mailboxes for OneWay {
    fn begin(&self, _: Envelope) -> Result<Box<dyn Delivery>, NotStored> {
        Err(NotStored("gone".to_owned()))
    }
}

#[test]
fn mailboxes_that_are_only_delivered_to_refuse_the_log_in() {
    let answers = Caller::call(OneWay, "x").say("USER un\r\nPASS pwd\r\n");
    assert!(answers.ends_with("-ERR [SYS/TEMP] mail is not fetched here\r\n"), "{answers}");
}

#[test]
fn servers_whose_names_mean_trouble_do_so_here_too() {
    let heard = |name: &str| String::from_utf8_lossy(&Caller::call(fresh(), name).heard()).into_owned();
    assert_eq!(heard("busy.example.com"), "-ERR [SYS/TEMP] too busy\r\n<CLOSE>");
    assert_eq!(heard("garbage.example.com"), "\u{fffd}\u{fffd}\0this is no mail server\r\n");
    assert_eq!(heard("silent.example.com"), "");
    assert_eq!(Caller::call(fresh(), "silent.example.com").say("QUIT\r\n"), "");
    assert!(heard("auth-required.example.com").starts_with("+OK "));
}

#[test]
fn every_row_of_the_table_does_what_it_says() {
    for row in TABLE.iter().filter(|row| row.place == Place::Pop3User) {
        match trouble::find(row.place, row.pattern) {
            Some(Trouble::Session(trouble)) => meet(trouble, row.pattern),
            other => panic!("{}: {other:?}", row.pattern),
        }
    }
}

/// Meets `trouble` by logging in as `user`.
fn meet(trouble: SessionTrouble, user: &str) {
    let mailboxes = fresh();
    let (mut caller, log_in) = Caller::log_in(&mailboxes, user);
    // Everything but the closing delimiter of the first mail, and the line end before it.
    let (beginning, _) = first_mail(0).rsplit_once("\r\n--first-test-email--").unwrap();
    let beginning = format!("+OK here it is\r\n{beginning}");
    match trouble {
        SessionTrouble::UnknownUser => {
            assert_eq!(log_in, "-ERR [AUTH] no such user\r\n-ERR USER first\r\n");
            assert_eq!(caller.say("APOP unknown x\r\n"), "-ERR [AUTH] wrong user or password\r\n");
            return;
        }
        SessionTrouble::WrongPassword => {
            assert_eq!(log_in, "+OK and the password?\r\n-ERR [AUTH] wrong user or password\r\n");
            assert_eq!(caller.say("APOP wrong x\r\n"), "-ERR [AUTH] wrong user or password\r\n");
            // A better one may be given.
            assert_eq!(caller.say("USER un\r\nPASS pwd\r\n"), LOGGED_IN);
            return;
        }
        SessionTrouble::Locked => {
            assert_eq!(log_in, IN_USE);
            return;
        }
        SessionTrouble::LyingSize => {
            assert_eq!(log_in, "+OK and the password?\r\n+OK 2 messages, 4294967297 octets\r\n");
        }
        _ => assert_eq!(log_in, LOGGED_IN, "{user}"),
    }
    match trouble {
        SessionTrouble::UnknownUser | SessionTrouble::WrongPassword | SessionTrouble::Locked => {}
        SessionTrouble::Silent => {
            assert!(!caller.say("TOP 1 9999\r\n").is_empty());
            assert_eq!(caller.say("RETR 1\r\n"), beginning);
            assert_eq!(caller.say("NOOP\r\n"), "");
        }
        SessionTrouble::Cut => {
            assert!(caller.say("TOP 1 9999\r\n").ends_with("\r\n.\r\n"));
            assert_eq!(caller.say("RETR 1\r\n"), format!("{beginning}<CLOSE>"));
        }
        SessionTrouble::Endless => {
            assert!(caller.say("TOP 1 9999\r\n").ends_with("\r\n.\r\n"));
            let heard = caller.say("RETR 1\r\n");
            let lines = heard.strip_prefix(&beginning).unwrap();
            assert!(lines.len() + beginning.len() >= HEARD_OCTETS_MAX, "{}", lines.len());
            assert!(lines.lines().skip(1).all(|line| line == "A".repeat(ENDLESS_LINE_OCTETS)));
        }
        SessionTrouble::ErrOnRetr => {
            assert_eq!(caller.say("RETR 1\r\n"), "-ERR [SYS/TEMP] the name asks for it\r\n");
            assert!(caller.say("TOP 1 0\r\n").starts_with("+OK"));
        }
        SessionTrouble::Garbage => {
            for command in ["STAT", "RETR 1", "USER un", "QUIT"] {
                let answer = caller.say(format!("{command}\r\n"));
                assert_eq!(answer, "\u{fffd}\u{fffd}\0this is no mail server\r\n", "{command}");
            }
        }
        SessionTrouble::LyingSize => {
            assert_eq!(caller.say("STAT\r\n"), "+OK 2 4294967297\r\n");
            assert_eq!(caller.say("LIST 2\r\n"), "+OK 2 4294967296\r\n");
            assert_eq!(caller.say("RETR 1\r\n"), format!("+OK here it is\r\n{}.\r\n", first_mail(0)));
        }
        SessionTrouble::NoTop => {
            assert!(!caller.say("CAPA\r\n").contains("TOP"));
            assert!(caller.say("TOP 1 0\r\n").starts_with("-ERR"));
        }
        SessionTrouble::NoUidl => {
            assert!(!caller.say("CAPA\r\n").contains("UIDL"));
            assert!(caller.say("UIDL\r\n").starts_with("-ERR"));
        }
        SessionTrouble::ErrOnDele => {
            assert_eq!(caller.say("DELE 1\r\n"), "-ERR the name asks for it\r\n");
            assert_eq!(caller.say("STAT\r\n"), "+OK 2 2134\r\n");
        }
        SessionTrouble::ErrOnQuit => {
            assert_eq!(
                caller.say("DELE 1\r\nQUIT\r\n"),
                "+OK marked\r\n-ERR some deleted messages not removed\r\n<CLOSE>",
            );
        }
    }
    // What such a user deletes is there again, and nobody else's mail is touched.
    let (mut caller, again) = Caller::log_in(&mailboxes, user);
    caller.say("DELE 1\r\nQUIT\r\n");
    assert_eq!(again, log_in);
    assert_eq!(Caller::log_in(&mailboxes, user).1, log_in);
    assert_eq!(Caller::log_in(&mailboxes, "un").1, LOGGED_IN);
}

/// Lines that clients say, and some that they do not.
fn any_line() -> impl Strategy<Value = Vec<u8>> {
    // All but `endless`, of which nobody hears the end.
    let users = TABLE.iter().filter(|row| row.place == Place::Pop3User && row.pattern != "endless");
    let mut users: Vec<_> = users.map(|row| row.pattern).collect();
    users.extend(["un", "un@server.com", "toaddr"]);
    let line = |line: &str| format!("{line}\r\n").into_bytes();
    prop_oneof![
        1 => prop::sample::select(users).prop_map(move |user| line(&format!("USER {user}\r\nPASS pwd"))),
        4 => prop::sample::select(vec![
            "CAPA", "STAT", "LIST", "LIST 1", "UIDL", "UIDL 2", "RETR 1", "RETR 2", "RETR 3", "TOP 1 0", "TOP 2 5",
            "DELE 1", "DELE 2", "RSET", "NOOP", "QUIT", "APOP un x", "APOP locked x",
        ]).prop_map(line),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ]
}

proptest! {
    #[test]
    fn portions_make_no_difference(lines in prop::collection::vec(any_line(), 0..12)) {
        let octets = [&b"USER un\r\nPASS pwd\r\n"[..], &lines.concat()].concat();
        let outcomes = [octets.len(), 1].map(|portion_octets| {
            let mailboxes = fresh();
            // More than one portion: what is said meanwhile waits.
            deliver(&mailboxes, &["un@server.com"], &b".\r\n".repeat(CHUNK_OCTETS));
            let mut caller = Caller::call(mailboxes.clone(), "mx");
            let mut heard = caller.heard();
            for portion in octets.chunks(portion_octets) {
                // Long before it is due.
                caller.connection.handle(Input::DeadlinePassed, caller.now);
                caller.connection.handle(Input::Received(portion), caller.now);
                heard.extend(caller.heard());
            }
            // After the end nothing has an effect.
            caller.connection.handle(Input::Closed, caller.now);
            caller.connection.handle(Input::Received(b"QUIT\r\n"), caller.now);
            assert_eq!(caller.heard(), b"");
            (heard, mailboxes.mails())
        });
        prop_assert!(outcomes[0] == outcomes[1]);
    }
}
