//! The provider and `mail`'s SMTP client on one link, in simulated time: what the table of troubles says the modem
//! shows is what comes of it.

use mail::machine::{Input, Instant, Machine, Output};
use mail::policy::Policy;
use mail::sasl::Credentials;
use mail::smtp::client::{
    BadRecipient, Client, Event, Failure, Order, Prepared, Step, Submission, Unreadable,
};
use mail::smtp::command::Path;
use mail::smtp::reply::Severity;
use sandbox::limits::SLOW_ANSWER;
use sandbox::mailbox::MemoryMailboxes;
use sandbox::provider::{Connection, Provider, Service, Settings};
use sandbox::trouble::{Place, TABLE};
use std::time::Duration;

const CONTENT: &[u8] = b"Subject: a\r\n\r\n.\r\n..two dots\r\nMAIL FROM:<evil@x>\r\n";

/// The content so many times over.
struct Repeated(u64);

impl Submission for Repeated {
    fn prepare(&mut self, _: bool) -> Prepared {
        Prepared { octets: CONTENT.len() as u64 * self.0, eight_bit: false }
    }

    fn next(&mut self, content: &mut Vec<u8>) -> Result<bool, Unreadable> {
        content.extend_from_slice(CONTENT);
        self.0 -= 1;
        Ok(self.0 > 0)
    }
}

struct Names<'a> {
    server: &'a str,
    user: Option<&'a str>,
    sender: &'a str,
    recipient: &'a str,
}

const GOOD: Names<'_> =
    Names { server: "smtp.server.com", user: None, sender: "mike@server.com", recipient: "john@server.com" };

/// What came of a mail, and how long that took; `None` for a dialogue that never ends.
type Sent = Option<(Result<(), Failure>, Duration)>;

/// Sends a mail under these names.
fn send(names: &Names<'_>, mailboxes: &MemoryMailboxes) -> Sent {
    let credentials = |user: &str| Credentials::with_password(user, "pwd");
    let order = Order {
        hello_name: "modem.example".into(),
        policy: Policy::default(),
        nonce: None,
        credentials: names.user.map(credentials),
        sender: names.sender.parse().unwrap_or(Path::null()),
        recipients: vec![names.recipient.into()],
        bad_recipient: BadRecipient::Fail,
        message: Box::new(Repeated(10)),
    };
    let mut provider = Provider::new(mailboxes.clone(), Settings::default());
    let mut client = Client::new(order, Instant::POWER_ON);
    let server = provider.connect(Service::Smtp, names.server).ok();
    play(&mut client, server)
}

/// Lets the two talk until the client has finished. Without a server the link does not open.
fn play(client: &mut Client, mut server: Option<Connection>) -> Sent {
    let mut now = Instant::POWER_ON;
    client.handle(if server.is_some() { Input::Opened } else { Input::Closed }, now);
    if let Some(server) = &mut server {
        server.handle(Input::Opened, now);
    }
    loop {
        let mut is_idle = true;
        while let Some(output) = client.poll() {
            is_idle = false;
            match (output, &mut server) {
                (Output::Event(Event::Finished(outcome)), _) => {
                    return Some((outcome.map(drop), now.since(Instant::POWER_ON)));
                }
                (Output::Transmit(octets), Some(server)) => {
                    server.handle(Input::Received(&octets), now);
                    client.handle(Input::Drained, now);
                }
                (Output::Close | Output::Abort, Some(server)) => server.handle(Input::Closed, now),
                _ => {}
            }
        }
        while let Some(output) = server.as_mut().and_then(|server| server.poll()) {
            is_idle = false;
            match output {
                Output::Transmit(octets) => client.handle(Input::Received(&octets), now),
                Output::Close | Output::Abort => client.handle(Input::Closed, now),
                Output::StartTls => return None,
                Output::Event(never) => match never {},
            }
        }
        if is_idle {
            let deadlines = [client.deadline(), server.as_ref().and_then(|server| server.deadline())];
            now = deadlines.into_iter().flatten().min()?;
            client.handle(Input::DeadlinePassed, now);
            if let Some(server) = &mut server {
                server.handle(Input::DeadlinePassed, now);
            }
        }
    }
}

/// The word that the command reference has for an outcome, for those that the provider can bring about.
fn word(outcome: &Result<(), Failure>) -> &'static str {
    match outcome {
        Ok(()) => "SUCCESS",
        Err(Failure::NotOpened | Failure::Lost(_)) => "NETWORK ERROR",
        Err(Failure::BadRecipient { .. }) => "BAD RCPT",
        Err(Failure::Refused { reply, .. }) if reply.code == 530 => "AUTH REQUIRED",
        Err(Failure::Refused { step: Step::Auth, reply }) if reply.severity() == Severity::Permanent => {
            "AUTH ERROR"
        }
        Err(_) => "SERVER ERROR",
    }
}

#[test]
fn a_mail_arrives_octet_for_octet_with_and_without_a_user() {
    let mailboxes = MemoryMailboxes::default();
    for user in [None, Some("un")] {
        assert_eq!(send(&Names { user, ..GOOD }, &mailboxes), Some((Ok(()), Duration::ZERO)));
    }
    let names = Names { user: Some("un"), server: "auth-required.x", ..GOOD };
    assert_eq!(send(&names, &mailboxes), Some((Ok(()), Duration::ZERO)));
    let mails = mailboxes.mails_to("john@server.com");
    assert_eq!(mails.len(), 3);
    assert_eq!(mails[0].octets, CONTENT.repeat(10));
}

#[test]
fn what_the_table_says_the_modem_shows_is_what_comes_of_it() {
    for row in TABLE {
        let plain = row.pattern.replace('…', "x.example").replace('*', "example.com");
        // What stands first in the table goes for any code, 421 and 530 for themselves where it says so.
        for code in ["450", "554", "421", "530"] {
            let name = plain.replace("NNN", code);
            let names = match row.place {
                Place::Server => Names { server: &name, ..GOOD },
                Place::SmtpUser => Names { user: Some(&name), ..GOOD },
                Place::Sender => Names { sender: &name, ..GOOD },
                Place::Recipient => Names { recipient: &name, ..GOOD },
                Place::Pop3User => continue,
            };
            let (outcome, took) = send(&names, &MemoryMailboxes::default()).unwrap();
            let shown = match row.shown.split_once(&format!("for {code} ")) {
                Some((_, exception)) => exception,
                None => row.shown,
            };
            assert!(shown.starts_with(word(&outcome)), "{name}: {outcome:?}, not {shown}");
            let wait = if shown.contains("after 30 s") { 30 } else { 0 };
            assert_eq!(took.as_secs(), wait, "{name}");
        }
    }
    assert_eq!(SLOW_ANSWER * 3, Duration::from_secs(30));
}
