//! The server, told word by word what a client says.

use super::Post;
use crate::limits::{AUTOLOGOUT, CHUNK_OCTETS, COMMAND_LINE_OCTETS_MAX, SERVER_HELD_OCTETS_MAX};
use crate::machine::{Input, Instant, Machine, Output};
use crate::pop3::server::Server;
use proptest::prelude::*;
use std::time::Duration;

const MAIL_1: &[u8] = b"Subject: one\r\n\r\n.dot\r\n..dots\r\nend\r\n";
const MAIL_2: &[u8] = b"Subject: two\r\n\r\nb\r\n";

struct Session {
    server: Server<Post>,
    now: Instant,
    said: Vec<u8>,
    begun_tls: usize,
    is_closed: bool,
}

impl Session {
    fn new(post: Post) -> Self {
        let now = Instant::from_ms(1_000);
        let mut session =
            Self { server: Server::new(post), now, said: Vec::new(), begun_tls: 0, is_closed: false };
        session.tell(Input::Opened);
        assert_eq!(std::mem::take(&mut session.said), b"+OK ready <1896.697170952@dbc.mtview.ca.us>\r\n");
        session
    }

    /// A session of `user`, logged in and looked at.
    fn logged_in(user: &str) -> Self {
        let mut session = Self::new(Post::new(&[MAIL_1, MAIL_2]));
        session.hear(&format!("USER {user}\r\nPASS tiger\r\n"));
        session
    }

    fn tell(&mut self, input: Input<'_>) {
        self.server.handle(input, self.now);
        while let Some(output) = self.server.poll() {
            match output {
                Output::Transmit(octets) => self.said.extend(octets),
                Output::StartTls => self.begun_tls += 1,
                Output::Close | Output::Abort => self.is_closed = true,
                Output::Event(never) => match never {},
            }
        }
    }

    /// The client says something; what the server says to it, while the network takes it all.
    fn hear(&mut self, client: &str) -> String {
        self.tell(Input::Received(client.as_bytes()));
        loop {
            let before = self.said.len();
            self.tell(Input::Drained);
            if self.said.len() == before {
                break;
            }
        }
        String::from_utf8_lossy(&std::mem::take(&mut self.said)).into_owned()
    }

    fn refuses(&mut self, line: &str) -> bool {
        self.hear(&format!("{line}\r\n")).starts_with("-ERR")
    }
}

#[test]
fn commands_out_of_place_are_refused() {
    let mut session = Session::new(Post::new(&[MAIL_1]));
    for line in [
        "STAT",
        "LIST",
        "RETR 1",
        "DELE 1",
        "PASS tiger",
        "NOOP",
        "RSET",
        "UIDL",
        "TOP 1 0",
        "STLS",
        "AUTH X",
        "",
    ] {
        assert!(session.refuses(line), "{line}");
    }
    // A refused password asks for the name again.
    assert!(!session.refuses("USER un"));
    assert!(session.refuses("PASS wrong"));
    assert!(session.refuses("PASS tiger"));
    assert!(!session.refuses("USER un"));
    assert!(!session.refuses("PASS tiger"));
    for line in [
        "USER un",
        "PASS tiger",
        "APOP un c4",
        "STLS",
        "RETR 0",
        "RETR 2",
        "LIST 2",
        "UIDL 9",
        "TOP 9 1",
        "DELE 2",
    ] {
        assert!(session.refuses(line), "{line}");
    }
    assert!(!session.is_closed);
}

#[test]
fn listings_leave_marked_messages_out() {
    let mut session = Session::logged_in("un");
    let (one, two) = (MAIL_1.len(), MAIL_2.len());
    assert_eq!(session.hear("STAT\r\n"), format!("+OK 2 {}\r\n", one + two));
    assert!(session.hear("LIST\r\n").ends_with(&format!("\r\n1 {one}\r\n2 {two}\r\n.\r\n")));
    assert_eq!(session.hear("UIDL 2\r\n"), "+OK 2 u2\r\n");
    assert!(!session.refuses("DELE 1"));
    for line in ["DELE 1", "RETR 1", "LIST 1", "TOP 1 0", "UIDL 1"] {
        assert!(session.refuses(line), "{line}");
    }
    assert_eq!(session.hear("STAT\r\n"), format!("+OK 1 {two}\r\n"));
    assert!(session.hear("UIDL\r\n").ends_with("each\r\n2 u2\r\n.\r\n"));
    assert!(!session.refuses("RSET"));
    assert_eq!(session.hear("LIST 1\r\n"), format!("+OK 1 {one}\r\n"));
}

#[test]
fn deletion_at_quit_and_only_there() {
    let mut session = Session::logged_in("un");
    let deleted = session.server.service().deleted.clone();
    session.hear("DELE 2\r\n");
    session.now = session.now + AUTOLOGOUT;
    session.tell(Input::DeadlinePassed);
    assert!(session.is_closed && deleted.borrow().is_empty());

    for end in [Input::Closed, Input::Received(b"QUIT\r\n")] {
        let mut session = Session::logged_in("un");
        let deleted = session.server.service().deleted.clone();
        session.hear("DELE 2\r\n");
        session.tell(end);
        assert_eq!(*deleted.borrow(), if end == Input::Closed { vec![] } else { vec![2] });
        assert_eq!(session.server.deadline(), None);
        session.said.clear();
        assert_eq!(session.hear("NOOP\r\n"), "");
    }
}

#[test]
fn a_message_is_sent_in_portions() {
    let long = b"x".repeat(10 * CHUNK_OCTETS);
    let mut session = Session::new(Post::new(&[&long]));
    session.hear("USER un\r\nPASS tiger\r\n");
    session.tell(Input::Received(b"RETR 1\r\nNOOP\r\n"));
    let (mut portions, mut last) = (0, Vec::new());
    while !session.said.is_empty() {
        assert!(session.said.len() < 2 * CHUNK_OCTETS);
        last = std::mem::take(&mut session.said);
        session.tell(Input::Drained);
        portions += 1;
    }
    assert!(portions >= 10);
    assert!(last.ends_with(b"x\r\n.\r\n+OK\r\n"), "and then what was asked meanwhile");
}

#[test]
fn what_is_pipelined_is_bounded() {
    let mut session = Session::logged_in("endless");
    session.tell(Input::Received(b"RETR 1\r\n"));
    for _ in 0..SERVER_HELD_OCTETS_MAX / 8 {
        session.tell(Input::Received(b"RETR 1\r\n"));
    }
    assert!(!session.is_closed);
    session.tell(Input::Received(b"R"));
    assert!(session.is_closed);

    let mut session = Session::logged_in("endless");
    session.tell(Input::Received("RETR 1\r\n".repeat(SERVER_HELD_OCTETS_MAX / 8 + 2).as_bytes()));
    assert!(session.is_closed);
}

/// Answers of less than a portion, of which each could go out at once.
#[test]
fn commands_that_come_together_wait_for_the_link() {
    let header = format!("Subject: {}\r\n\r\n", "x".repeat(1_000));
    let commands = 1_000;
    let mut session = Session::new(Post::new(&[header.as_bytes()]));
    assert!(session.hear("CAPA\r\n").contains("\r\nPIPELINING\r\n"));
    session.hear("USER un\r\nPASS tiger\r\n");
    session.tell(Input::Received("TOP 1 0\r\n".repeat(commands).as_bytes()));
    session.tell(Input::Received(b"QUIT\r\n"));
    let mut said = Vec::new();
    while !session.said.is_empty() {
        assert!(session.said.len() < 2 * CHUNK_OCTETS);
        said.append(&mut session.said);
        session.tell(Input::Drained);
    }
    assert!(session.is_closed);
    let answer = format!("+OK here it is\r\n{header}.\r\n");
    assert_eq!(String::from_utf8(said).unwrap(), answer.repeat(commands) + "+OK bye\r\n");
}

#[test]
fn a_line_that_is_too_long_is_refused() {
    let mut session = Session::new(Post::new(&[]));
    for _ in 0..10 {
        assert_eq!(session.hear(&"x".repeat(COMMAND_LINE_OCTETS_MAX)), "");
    }
    assert!(session.refuses(""));
    assert!(!session.refuses("CAPA"));
}

#[test]
fn tls_begins_once_and_with_nothing_left_over() {
    let post = || Post { has_stls: true, ..Post::new(&[]) };
    let mut session = Session::new(post());
    assert!(session.hear("CAPA\r\n").contains("\r\nSTLS\r\n"));
    session.hear("USER un\r\n");
    assert!(!session.refuses("STLS"));
    assert_eq!(session.begun_tls, 1);
    session.tell(Input::Secured(None));
    assert!(!session.hear("CAPA\r\n").contains("STLS"));
    assert!(session.refuses("STLS"));
    assert!(session.refuses("PASS tiger"), "the name came in clear");

    for apart in [false, true] {
        let mut session = Session::new(post());
        session.tell(Input::Received(if apart { b"STLS\r\n" } else { b"STLS\r\nUSER x\r\n" }));
        session.tell(Input::Received(b"U"));
        assert!(session.is_closed);
    }
}

/// A server with AUTH, for somebody who was in the middle of nothing.
fn with_auth(names: &str) -> Session {
    Session::new(Post { sasl: Some(names.to_owned()), ..Post::new(&[MAIL_1]) })
}

#[test]
fn an_exchange_can_fail_in_every_way_and_be_tried_again() {
    let mut session = with_auth("PLAIN LOGIN CRAM-MD5 XOAUTH2 SCRAM-SHA-256-PLUS");
    // Nothing to bind to in clear.
    assert!(session.hear("CAPA\r\n").contains("\r\nSASL PLAIN LOGIN CRAM-MD5 XOAUTH2\r\n"));
    let long = "x".repeat(COMMAND_LINE_OCTETS_MAX + 1);
    for (line, answer) in [
        ("AUTH", "-ERR bad argument"),
        ("AUTH GSSAPI", "-ERR mechanism not offered"),
        ("AUTH SCRAM-SHA-256-PLUS", "-ERR mechanism not offered"),
        ("AUTH PLAIN !", "-ERR bad argument"),
        ("AUTH PLAIN =", "-ERR not a response of this mechanism"),
        ("AUTH CRAM-MD5 dW4=", "-ERR not a response of this mechanism"),
        ("AUTH PLAIN", "+ "),
        ("*", "-ERR cancelled"),
        ("auth login", "+ VXNlcm5hbWU6"),
        ("QUIT", "+ UGFzc3dvcmQ6"),
        ("a", "-ERR not base64"),
        ("AUTH PLAIN", "+ "),
        (&long, "-ERR line too long"),
        ("AUTH CRAM-MD5", "+ PDFAcG9zdD4="),
        ("dW4gMDA=", "-ERR [AUTH] no"),
        // A token that is not taken: why, and then that.
        (
            "AUTH XOAUTH2 dXNlcj11bgFhdXRoPUJlYXJlciB4AQE=",
            "+ eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIiwic2NvcGUiOiJtYWlsIn0=",
        ),
        ("", "-ERR [AUTH] no"),
        ("STAT", "-ERR not here, or not now"),
        ("AUTH PLAIN AHVuAHRpZ2Vy", "+OK 1 messages, 35 octets"),
        ("AUTH PLAIN AHVuAHRpZ2Vy", "-ERR not here, or not now"),
    ] {
        let answered = session.hear(&format!("{line}\r\n"));
        assert_eq!(answered, format!("{answer}\r\n"), "{line}");
    }
    let mut session = Session::new(Post::new(&[]));
    assert!(!session.hear("CAPA\r\n").contains("SASL"));
    assert!(session.refuses("AUTH PLAIN AHVuAHRpZ2Vy"));
}

#[test]
fn a_refused_greeting_is_the_end() {
    let mut server = Server::new(Post { is_full: true, ..Post::new(&[]) });
    server.handle(Input::Opened, Instant::POWER_ON);
    assert_eq!(server.poll(), Some(Output::Transmit(b"-ERR full\r\n".to_vec())));
    assert_eq!(server.poll(), Some(Output::Close));
    server.handle(Input::Received(b"CAPA\r\n"), Instant::POWER_ON);
    assert_eq!((server.poll(), server.deadline()), (None, None));
}

#[test]
fn a_silent_client_is_logged_out() {
    let mut session = Session::new(Post::new(&[]));
    assert_eq!(session.server.deadline(), Some(session.now + AUTOLOGOUT));
    session.now = session.now + (AUTOLOGOUT - Duration::from_millis(1));
    session.tell(Input::DeadlinePassed);
    assert!(!session.is_closed);
    session.now = session.now + Duration::from_millis(1);
    session.tell(Input::DeadlinePassed);
    assert!(session.is_closed);
}

#[test]
fn nothing_happens_before_the_opening() {
    let mut server = Server::new(Post::new(&[]));
    for input in [Input::Received(b"QUIT\r\n"), Input::Secured(None), Input::Drained, Input::DeadlinePassed] {
        server.handle(input, Instant::POWER_ON);
        assert_eq!((server.poll(), server.deadline()), (None, None));
    }
}

/// What a client may say: commands for the most part.
fn any_words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "USER un\r\nPASS tiger\r\n",
        "STAT\r\n",
        "LIST\r\n",
        "UIDL\n",
        "TOP 1 1\r\n",
        "RETR 1\r\n",
        "RETR 2\r\n",
        "DELE 1\r\n",
        "RSET\r\n",
        "CAPA\r\n",
        "STLS\r\n",
        "QUIT\r\n",
        "NOOP",
        " ",
        "1",
        "\r\n",
        "\0",
        "AUTH PLAIN AHVuAHRpZ2Vy\r\n",
        "AUTH LOGIN\r\n",
        "AUTH XOAUTH2 dXNlcj11bgFhdXRoPUJlYXJlciB4AQE=\r\n",
        "AUTH SCRAM-SHA-256 biwsbj11LHI9Yw==\r\n",
        "dGlnZXI=\r\n",
        "*\r\n",
        "USER silent\r\n",
        "USER cut\r\n",
        "USER garbage\r\n",
    ]);
    prop::collection::vec(word, 0..10).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn portions_make_no_difference(log_in in any::<bool>(), rounds in prop::collection::vec(any_words(), 1..3)) {
        let run = |portion: usize| {
            let mut session = Session::new(Post {
                has_stls: true,
                sasl: Some("PLAIN LOGIN XOAUTH2 SCRAM-SHA-256".to_owned()),
                ..Post::new(&[MAIL_1, &[b'.'; 70_000]])
            });
            if log_in {
                session.tell(Input::Received(b"USER un\r\nPASS tiger\r\n"));
            }
            for words in &rounds {
                for octets in words.as_bytes().chunks(portion) {
                    session.tell(Input::Received(octets));
                    session.tell(Input::DeadlinePassed);
                }
                session.tell(Input::Secured(None));
                session.tell(Input::Drained);
            }
            let deleted = session.server.service().deleted.borrow().clone();
            (session.said, session.begun_tls, session.is_closed, deleted)
        };
        let whole = run(usize::MAX);
        prop_assert!(run(1) == whole);
        prop_assert!(run(3) == whole);
    }
}
