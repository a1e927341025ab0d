//! The provider and `mail`'s POP3 client on one link, in simulated time: what the table of troubles says the modem
//! shows is what comes of it, and what was sent is what is fetched.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what surprises a test is its failure"
)]

use mail::machine::{Input, Instant, Machine, Output};
use mail::policy::Policy;
use mail::pop3::client::{Account, Client, Event, Failure, LogIn, Request};
use mail::pop3::response::ResponseCode;
use mail::sasl::Credentials;
use sandbox::first_mails;
use sandbox::mailbox::MemoryMailboxes;
use sandbox::provider::{Connection, Provider, Service, Settings};
use sandbox::trouble::{Place, TABLE, Trouble, find};

/// How much the modem of these tests has room for.
const DRIVE_OCTETS: usize = 1024 * 1024;

/// Mailboxes as they are when a provider is made.
fn fresh() -> MemoryMailboxes {
    let mailboxes = MemoryMailboxes::default();
    first_mails::deliver(&mailboxes).unwrap();
    mailboxes
}

fn connect(service: Service, server: &str, mailboxes: &MemoryMailboxes) -> Option<Connection> {
    Provider::new(mailboxes.clone(), Settings::default()).connect(service, server).ok()
}

struct Session {
    client: Client,
    /// `None` when it was not there, or has closed.
    server: Option<Connection>,
    now: Instant,
}

/// What came of a request.
#[derive(Debug, PartialEq)]
enum Answer {
    /// The last event, and the text before it.
    Event(Event, Vec<u8>),
    /// More came than there is room for.
    DriveFull,
}

impl Session {
    fn open(server: &str, user: &str, apop: bool, mailboxes: &MemoryMailboxes) -> Self {
        let credentials = Credentials::with_password(user, "any");
        let now = Instant::POWER_ON;
        let mut client =
            Client::new(Account::new(credentials, apop, LogIn::AsNote).unwrap(), Policy::default(), now);
        let mut server = connect(Service::Pop3, server, mailboxes);
        client.handle(if server.is_some() { Input::Opened } else { Input::Closed }, now);
        if let Some(server) = &mut server {
            server.handle(Input::Opened, now);
        }
        Self { client, server, now }
    }

    fn log_in(user: &str, mailboxes: &MemoryMailboxes) -> Self {
        let mut session = Self::open("pop3.server.com", user, false, mailboxes);
        assert_eq!(session.answer(), Answer::Event(Event::LoggedIn, Vec::new()));
        session
    }

    fn ask(&mut self, request: Request) -> Answer {
        self.client.request(request, self.now).unwrap();
        self.answer()
    }

    /// Lets the two talk until the client has an answer.
    fn answer(&mut self) -> Answer {
        let mut text = Vec::new();
        loop {
            let mut is_idle = true;
            while let Some(output) = self.client.poll() {
                is_idle = false;
                match (output, &mut self.server) {
                    (Output::Event(Event::Content(octets)), _) => text.extend_from_slice(&octets),
                    (Output::Event(Event::ListEntry { .. } | Event::UniqueId { .. }), _) => {}
                    (Output::Event(event), _) => return Answer::Event(event, text),
                    (Output::Transmit(octets), Some(server)) => {
                        server.handle(Input::Received(&octets), self.now);
                    }
                    (Output::Close | Output::Abort, server) => *server = None,
                    (output, _) => panic!("{output:?}"),
                }
            }
            if text.len() > DRIVE_OCTETS {
                return Answer::DriveFull;
            }
            let output = self.server.as_mut().and_then(|server| server.poll());
            match (output, &mut self.server) {
                (Some(Output::Transmit(octets)), Some(server)) => {
                    self.client.handle(Input::Received(&octets), self.now);
                    server.handle(Input::Drained, self.now);
                }
                (Some(Output::Close | Output::Abort), server) => {
                    *server = None;
                    self.client.handle(Input::Closed, self.now);
                }
                (Some(output), _) => panic!("{output:?}"),
                (None, server) if is_idle => {
                    let deadlines = [self.client.deadline(), server.as_ref().and_then(|s| s.deadline())];
                    self.now = deadlines.into_iter().flatten().min().unwrap();
                    self.client.handle(Input::DeadlinePassed, self.now);
                    if let Some(server) = server {
                        server.handle(Input::DeadlinePassed, self.now);
                    }
                }
                (None, _) => {}
            }
        }
    }
}

/// The word that the command reference has for an answer.
fn word(answer: &Answer) -> &'static str {
    let event = match answer {
        Answer::DriveFull => return "FILE SYSTEM ERROR",
        Answer::Event(event, _) => event,
    };
    match event {
        // Not for want of the mail.
        Event::Refused { request: Request::Retrieve(_), response }
            if response.code() == Some(ResponseCode::SysTemp) =>
        {
            "FAILURE"
        }
        Event::Ended(Failure::NotOpened | Failure::Lost) => "NETWORK ERROR",
        Event::Ended(Failure::RefusedUser(_)) => "INVALID UN",
        Event::Ended(Failure::RefusedPassword(_)) => "INVALID UN/PWD",
        Event::Refused { .. } | Event::Ended(_) => "SERVER ERROR",
        _ => "SUCCESS",
    }
}

/// A session with all that the modem has commands for, up to the first misfortune; what the modem shows then, and
/// after how many seconds.
fn whole_session(server: &str, user: &str) -> (&'static str, u64) {
    let mut session = Session::open(server, user, false, &fresh());
    let mut answer = session.answer();
    for request in [
        Request::Stat,
        Request::List(Some(1)),
        Request::List(None),
        Request::Headers(1),
        Request::Retrieve(1),
        Request::Retrieve(2),
        Request::Delete(1),
        Request::Quit,
    ] {
        if word(&answer) != "SUCCESS" {
            break;
        }
        answer = session.ask(request);
        match (request, &answer) {
            (Request::Headers(1), Answer::Event(Event::ContentEnd, text)) => {
                assert!(first_mails::OCTETS[0].starts_with(text) && text.ends_with(b"\r\n\r\n"));
            }
            (Request::Retrieve(id), Answer::Event(Event::ContentEnd, text)) => {
                assert_eq!(text, first_mails::OCTETS[id as usize - 1]);
            }
            _ => {}
        }
    }
    (word(&answer), session.now.since(Instant::POWER_ON).as_secs())
}

#[test]
fn what_the_table_says_the_modem_shows_is_what_comes_of_it() {
    let mut words = Vec::new();
    for row in TABLE {
        let (shown, took) = match row.place {
            Place::Pop3User => whole_session("pop3.server.com", row.pattern),
            Place::Server => whole_session(&row.pattern.replace('*', "example.com"), "un"),
            Place::SmtpUser | Place::Sender | Place::Recipient => continue,
        };
        words.push(shown);
        if find(row.place, &row.pattern.replace('*', "")) == Some(Trouble::AuthRequired) {
            // A POP3 server always wants a user.
            assert_eq!((shown, took), ("SUCCESS", 0));
            continue;
        }
        let expected = row.shown.split(", ").next().unwrap();
        assert_eq!(shown, expected, "{}", row.pattern);
        assert_eq!(took, if row.shown.contains("after 30 s") { 30 } else { 0 }, "{}", row.pattern);
    }
    // Every code of the command reference is provoked.
    for code in [
        "NETWORK ERROR",
        "SERVER ERROR",
        "INVALID UN",
        "INVALID UN/PWD",
        "FILE SYSTEM ERROR",
        "FAILURE",
        "SUCCESS",
    ] {
        assert!(words.contains(&code), "{code}");
    }
}

#[test]
fn the_notes_mails_are_what_the_user_un_finds() {
    for apop in [false, true] {
        let mut session = Session::open("pop3.server.com", "un", apop, &fresh());
        assert_eq!(session.answer(), Answer::Event(Event::LoggedIn, Vec::new()));
        let stat = Event::Stat { count: 2, octets: 2134 };
        assert_eq!(session.ask(Request::Stat), Answer::Event(stat, Vec::new()));
        for (id, octets) in (1..).zip(first_mails::OCTETS) {
            let retrieved = session.ask(Request::Retrieve(id));
            assert_eq!(retrieved, Answer::Event(Event::ContentEnd, octets.to_vec()));
        }
    }
}

#[test]
fn a_mail_sent_by_smtp_is_fetched_octet_for_octet() {
    let mailboxes = fresh();
    let mut content = b"Subject: dots\r\n\r\n.\r\n..\r\n.dot\r\n\xff\0\n.\n\r\r\n+OK\r\n".to_vec();
    while content.len() < 100_000 {
        content.extend_from_slice(b".a line that begins with a dot\r\n");
    }
    let mut smtp = connect(Service::Smtp, "smtp.server.com", &mailboxes).unwrap();
    smtp.handle(Input::Opened, Instant::POWER_ON);
    smtp.handle(
        Input::Received(b"HELO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<ToAddr@server.com>\r\nDATA\r\n"),
        Instant::POWER_ON,
    );
    let mut wire = Vec::new();
    let mut stuffer = mail::dot::DotStuffer::default();
    stuffer.push(&content, &mut wire);
    stuffer.finish(&mut wire);
    smtp.handle(Input::Received(&wire), Instant::POWER_ON);

    for user in ["ToAddr@server.com", "toaddr"] {
        let mut session = Session::log_in(user, &mailboxes);
        let stat = Event::Stat { count: 1, octets: content.len() as u64 };
        assert_eq!(session.ask(Request::Stat), Answer::Event(stat, Vec::new()));
        let retrieved = session.ask(Request::Retrieve(1));
        assert!(retrieved == Answer::Event(Event::ContentEnd, content.clone()), "{user}");
    }
    let stranger = Session::log_in("toaddr@elsewhere.com", &mailboxes).ask(Request::Stat);
    assert_eq!(stranger, Answer::Event(Event::Stat { count: 0, octets: 0 }, Vec::new()));
}
