//! The message on the wire: dots, portions, encodings, and an end that never comes by accident.

use crate::script::{Peer, Text, greeting, order, play};
use mail::machine::{Input, Machine, Output};
use mail::mime::compose::{Attachment, Content, Draft, Message};
use mail::mime::date::Date;
use mail::mime::header::Mailbox;
use mail::smtp::client::{Event, Failure, Order, Step, Submission, Unreadable};

fn of(message: Box<dyn Submission>) -> Order {
    Order { message, ..order() }
}

/// A peer whose server has just said 354, and nothing taken by the link since.
fn at_data(message: Box<dyn Submission>) -> Peer {
    let mut peer = Peer::new(of(message));
    for line in ["220 mx", "250 mx", "250 ok", "250 ok"] {
        peer.say(line);
    }
    peer.wire.clear();
    peer.client.handle(Input::Received(b"354 go\r\n"), peer.now);
    peer
}

/// What goes over the wire between 354 and the reply to the dot.
fn on_the_wire(message: Box<dyn Submission>) -> String {
    let mut peer = at_data(message);
    while peer.write_down() {
        peer.client.handle(Input::Drained, peer.now);
    }
    peer.say("250 taken");
    assert!(peer.transcript.ends_with(&["C: QUIT", "close", "sent"].map(str::to_owned)));
    String::from_utf8(peer.wire).unwrap().strip_suffix("QUIT\r\n").unwrap().to_owned()
}

#[test]
fn dots_at_the_start_of_lines_are_doubled_and_the_end_is_one() {
    for (content, wire) in [
        (&b""[..], ".\r\n"),
        (b".", "..\r\n.\r\n"),
        (b".\r\n", "..\r\n.\r\n"),
        (b"a", "a\r\n.\r\n"),
        (b"\r\n", "\r\n.\r\n"),
        (
            b"\r\n.\r\nMAIL FROM:<evil@x>\r\n..a\r\nb.\r\n",
            "\r\n..\r\nMAIL FROM:<evil@x>\r\n...a\r\nb.\r\n.\r\n",
        ),
    ] {
        assert_eq!(on_the_wire(Text::of(&[content])), wire);
        let octets: Vec<&[u8]> = content.chunks(1).collect();
        assert_eq!(on_the_wire(Text::of(&octets)), wire);
    }
}

#[test]
fn the_final_dot_goes_with_the_last_octets() {
    let mut peer = at_data(Text::of(&[b"a\r\n", b"b\r\n", b"c\r\n"]));
    for portion in ["a\r\n", "b\r\n", "c\r\n.\r\n"] {
        assert_eq!(peer.client.poll(), Some(Output::Transmit(portion.into())));
        assert_eq!(peer.client.poll(), None);
        peer.client.handle(Input::Drained, peer.now);
    }
    assert_eq!(peer.client.poll(), None);
}

#[test]
fn no_portion_is_read_before_the_link_took_the_last_one() {
    let mut peer = at_data(Text::of(&[b"a\r\n", b"b\r\n", b"c\r\n"]));
    for _ in 0..3 {
        peer.client.handle(Input::Drained, peer.now);
    }
    assert_eq!(peer.client.poll(), Some(Output::Transmit(b"a\r\n".to_vec())));
    assert_eq!(peer.client.poll(), None);
}

#[test]
fn a_message_that_fails_midway_never_gets_its_dot() {
    let unreadable = Unreadable { what: "a.jpg".into(), why: "the card is gone".into() };
    for before in [vec![], vec![Ok(b"a\r\n".to_vec())], vec![Ok(b"a".to_vec()), Ok(b"b\r\n".to_vec())]] {
        let sent = before.iter().flatten().flatten().copied().collect::<Vec<u8>>();
        let mut portions = before;
        portions.extend([Err(unreadable.clone()), Ok(b"c\r\n".to_vec())]);
        let mut peer = at_data(Box::new(Text(portions)));
        let mut wire = Vec::new();
        let mut rest = Vec::new();
        while let Some(output) = peer.client.poll() {
            match output {
                Output::Transmit(octets) => wire.extend(octets),
                other => rest.push(other),
            }
            peer.client.handle(Input::Drained, peer.now);
        }
        assert_eq!(wire, sent);
        let finished = Event::Finished(Err(Failure::Unreadable(unreadable.clone())));
        assert_eq!(rest, [Output::Abort, Output::Event(finished)]);
    }
}

#[test]
fn a_verdict_before_the_end_of_the_message_is_its_end() {
    for (reply, failure) in [
        ("552 too big", "answered \"552 too big\" to the message"),
        ("421 bye", "answered \"421 bye\" to the message"),
        ("250 taken", "answered the message with a reply before its command"),
        ("354 go on", "answered the message with a reply before its command"),
        ("what", "answered the message with a line that is no SMTP reply"),
    ] {
        let mut peer = at_data(Text::of(&[b"a\r\n", b"b\r\n"]));
        peer.write_down();
        peer.say(reply);
        assert_eq!(peer.wire, b"a\r\n", "no dot after {reply}");
        assert_eq!(peer.outcome.unwrap().unwrap_err().to_string(), failure);
    }
}

#[test]
fn a_link_lost_in_the_message_is_no_unknown_fate_and_one_lost_after_the_dot_is() {
    let mut peer = at_data(Text::of(&[b"a\r\n", b"b\r\n"]));
    peer.write_down();
    peer.tell(Input::Closed);
    let failure = peer.outcome.unwrap().unwrap_err();
    assert_eq!(failure, Failure::Lost(Step::Message));
    assert!(!failure.fate_is_unknown());

    let mut peer = at_data(Text::of(&[b"a\r\n"]));
    peer.write_down();
    peer.tell(Input::Closed);
    let failure = peer.outcome.unwrap().unwrap_err();
    assert_eq!(failure.to_string(), "was lost at the message's end; the message may have been taken");
    assert!(failure.fate_is_unknown());
}

#[test]
fn a_no_to_the_final_dot_is_a_no() {
    for reply in ["451 later", "552 too big", "554 5.7.1 spam", "354 what"] {
        let mut peer = at_data(Text::of(&[b"a\r\n"]));
        peer.write_down();
        peer.say(reply);
        peer.say("221 bye");
        let failure = peer.outcome.unwrap().unwrap_err();
        assert_eq!(failure.to_string(), format!("answered \"{reply}\" to the message's end"));
        assert!(!failure.fate_is_unknown());
    }
}

struct Held(&'static [u8]);

impl Content for Held {
    fn octets(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, String> {
        let read = buffer.len().min(self.0.len());
        buffer[..read].copy_from_slice(&self.0[..read]);
        self.0 = &self.0[read..];
        Ok(read)
    }
}

fn composed(text: &str, charset: &str, files: &[(&str, &'static [u8])]) -> Box<dyn Submission> {
    let mailbox = |address: &str| Mailbox { address: address.into(), name: Vec::new() };
    let attachments = files
        .iter()
        .map(|&(name, octets)| Attachment { name: name.to_owned(), content: Box::new(Held(octets)) });
    Box::new(Message::new(Draft {
        from: mailbox("mike@server.com"),
        to: vec![mailbox("john@server.com")],
        cc: Vec::new(),
        more: Vec::new(),
        subject: b"a".to_vec(),
        text: text.into(),
        charset: charset.into(),
        date: Date::new(1_268_125_890, 480).unwrap(),
        unique: "1".into(),
        attachments: attachments.collect(),
    }))
}

const HEADER: &str = "
    C: Date: Tue, 9 Mar 2010 17:11:30 +0800
    C+ From: mike@server.com
    C+ To: john@server.com
    C+ Subject: a
    C+ Message-ID: <1@server.com>
    C+ MIME-Version: 1.0";

fn dialogue(parameters: &str, body: &str) -> String {
    format!(
        "C: MAIL FROM:<mike@server.com> {parameters}\nS: 250 ok\nC: RCPT TO:<john@server.com>\nS: 250 ok\nC: DATA\n\
         S: 354 go\n{HEADER}\n{body}\nC+ .\nS: 250 taken\nC: QUIT\nclose\nsent"
    )
}

#[test]
fn octets_above_127_travel_as_they_are_where_they_may() {
    let body = "
        C+ Content-Type: text/plain; charset=utf-8
        C+ Content-Transfer-Encoding: 8bit
        C+
        C+ ..\\xc3\\xa9";
    let script = greeting(&["8BITMIME", "SIZE"]) + &dialogue("SIZE=222 BODY=8BITMIME", body);
    play(|| of(composed(".\u{e9}", "utf-8", &[])), &script);
}

#[test]
fn and_quoted_where_they_may_not() {
    let body = "
        C+ Content-Type: text/plain; charset=utf-8
        C+ Content-Transfer-Encoding: quoted-printable
        C+
        C+ ..=C3=A9";
    let script = greeting(&["SIZE"]) + &dialogue("SIZE=238", body);
    play(|| of(composed(".\u{e9}", "utf-8", &[])), &script);
}

#[test]
fn plain_text_declares_no_body() {
    let body = "
        C+ Content-Type: text/plain; charset=us-ascii
        C+ Content-Transfer-Encoding: 7bit
        C+
        C+ ..";
    let script = greeting(&["8BITMIME", "SIZE"]) + &dialogue("SIZE=224", body);
    play(|| of(composed("..\r", "us-ascii", &[])), &script.replace("C+ ..\nC+ .", "C+ ...\nC+ ."));
}

#[test]
fn a_file_goes_along() {
    let body = "
        C+ Content-Type: multipart/mixed; boundary=\\\"=_1\\\"
        C+
        C+ --=_1
        C+ Content-Type: text/plain; charset=utf-8
        C+ Content-Transfer-Encoding: 7bit
        C+
        C+
        C+ --=_1
        C+ Content-Type: image/jpeg
        C+ Content-Transfer-Encoding: base64
        C+ Content-Disposition: attachment; filename=\\\"a.jpg\\\"
        C+
        C+ /9j/
        C+
        C+ --=_1--";
    let script = greeting(&["SIZE"]) + &dialogue("SIZE=413", body);
    play(|| of(composed("", "utf-8", &[("a.jpg", b"\xff\xd8\xff")])), &script);
}
