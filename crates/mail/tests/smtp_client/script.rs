//! A peer by script. A script is the transcript that must come of it: the lines that happen to the client are played,
//! everything the client does is written down, and the two must be the same text.
//!
//! | line | |
//! |---|---|
//! | `S: …` | the server says a line; lines that stand together come in one portion |
//! | `closed`, `secured` | the link is gone, the handshake is done |
//! | `wait MS` | so many milliseconds pass |
//! | `C: …`, `C+ …` | the client sends a line; `+`: in the same portion as the one before. Escaped as `escape_ascii` does |
//! | `starttls`, `close`, `greeted`, `skipped …`, `sent`, `failed …` | what else it wants or tells, in a failure's words |
//!
//! The link opens by itself, and takes at once what is sent.

use mail::machine::{Input, Instant, Machine, Output};
use mail::policy::Policy;
use mail::smtp::client::{BadRecipient, Client, Event, Failure, Order, Prepared, Submission, Unreadable};
use mail::smtp::reply::Reply;
use std::time::Duration;

/// A message in given portions. It can carry octets above 127 as they are, or not at all.
pub(crate) struct Text(pub(crate) Vec<Result<Vec<u8>, Unreadable>>);

impl Text {
    pub(crate) fn of(portions: &[&[u8]]) -> Box<dyn Submission> {
        Box::new(Self(portions.iter().map(|portion| Ok(portion.to_vec())).collect()))
    }
}

impl Submission for Text {
    fn prepare(&mut self, _: bool) -> Prepared {
        let portions = self.0.iter().flatten();
        Prepared { octets: portions.map(|portion| portion.len() as u64).sum(), eight_bit: false }
    }

    fn next(&mut self, content: &mut Vec<u8>) -> Result<bool, Unreadable> {
        if !self.0.is_empty() {
            content.extend(self.0.remove(0)?);
        }
        Ok(!self.0.is_empty())
    }
}

pub(crate) const CONTENT: &[u8] = b"Subject: a\r\n\r\nb\r\n";

/// From Mike to John, in clear, without a log-in.
pub(crate) fn order() -> Order {
    Order {
        hello_name: "modem.example".into(),
        policy: Policy::default(),
        credentials: None,
        nonce: None,
        sender: "mike@server.com".parse().unwrap(),
        recipients: vec!["john@server.com".into()],
        bad_recipient: BadRecipient::Fail,
        message: Text::of(&[CONTENT]),
    }
}

pub(crate) fn order_to(recipients: &[&str], bad_recipient: BadRecipient) -> Order {
    let recipients = recipients.iter().map(|&address| address.to_owned()).collect();
    Order { recipients, bad_recipient, ..order() }
}

/// The script up to the reply to EHLO, with these extensions.
pub(crate) fn greeting(extensions: &[&str]) -> String {
    let mut script = "S: 220 mx\ngreeted\nC: EHLO modem.example\n".to_owned();
    let mut lines = vec!["mx"];
    lines.extend(extensions);
    let last = lines.pop().unwrap();
    for line in lines {
        script += &format!("S: 250-{line}\n");
    }
    script + &format!("S: 250 {last}\n")
}

/// What a good transaction looks like from DATA's 354 on.
pub(crate) const GOOD_END: &str = "
    S: 354 go
    C: Subject: a
    C+
    C+ b
    C+ .
    S: 250 taken
    C: QUIT
    close
    sent";

/// Plays a script with the server's lines in one portion each time, and again with each octet by itself.
#[track_caller]
pub(crate) fn play(order: impl Fn() -> Order, script: &str) {
    play_in_portions(order(), script, usize::MAX);
    play_in_portions(order(), script, 1);
}

/// Plays a script whose lines mean something else when they come one by one.
#[track_caller]
pub(crate) fn play_at_once(order: Order, script: &str) {
    play_in_portions(order, script, usize::MAX);
}

#[track_caller]
fn play_in_portions(order: Order, script: &str, octets: usize) {
    let script: Vec<&str> = script.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let mut peer = Peer::new(order);
    let mut said = String::new();
    for (at, line) in script.iter().enumerate() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "S:" => {
                said += &format!("{rest}\r\n");
                peer.transcript.push((*line).to_owned());
                if !script.get(at + 1).is_some_and(|next| next.starts_with("S:")) {
                    for portion in std::mem::take(&mut said).as_bytes().chunks(octets) {
                        peer.tell(Input::Received(portion));
                    }
                }
            }
            "closed" => peer.tell_by_name(line, Input::Closed),
            "secured" => peer.tell_by_name(line, Input::Secured(None)),
            "wait" => {
                peer.now = peer.now + Duration::from_millis(rest.parse().unwrap());
                peer.tell_by_name(line, Input::DeadlinePassed);
            }
            _ => {}
        }
    }
    assert_eq!(peer.transcript.join("\n"), script.join("\n"), "in portions of {octets}");
}

/// The client, a link that takes everything at once, and what happened on it.
pub(crate) struct Peer {
    pub(crate) client: Client,
    pub(crate) now: Instant,
    pub(crate) transcript: Vec<String>,
    pub(crate) outcome: Option<Result<Reply, Failure>>,
    /// All octets sent.
    pub(crate) wire: Vec<u8>,
}

impl Peer {
    /// A client whose link has just opened.
    pub(crate) fn new(order: Order) -> Self {
        let now = Instant::POWER_ON;
        let client = Client::new(order, now);
        let mut peer = Self { client, now, transcript: Vec::new(), outcome: None, wire: Vec::new() };
        peer.tell(Input::Opened);
        peer
    }

    fn tell_by_name(&mut self, line: &str, input: Input<'_>) {
        self.transcript.push(line.to_owned());
        self.tell(input);
    }

    pub(crate) fn say(&mut self, line: &str) {
        self.tell(Input::Received(format!("{line}\r\n").as_bytes()));
    }

    pub(crate) fn tell(&mut self, input: Input<'_>) {
        self.client.handle(input, self.now);
        while self.write_down() {
            self.client.handle(Input::Drained, self.now);
        }
    }

    /// Writes down what the client wants now; whether some of it was octets to send.
    pub(crate) fn write_down(&mut self) -> bool {
        let mut has_sent = false;
        while let Some(output) = self.client.poll() {
            assert_eq!(self.outcome, None, "{output:?} after the end");
            let line = match output {
                Output::Transmit(octets) => {
                    has_sent = true;
                    self.wire.extend_from_slice(&octets);
                    let lines = octets.strip_suffix(b"\r\n").unwrap_or(&octets).split(|&b| b == b'\n');
                    for (at, line) in lines.enumerate() {
                        let line = line.strip_suffix(b"\r").unwrap_or(line).escape_ascii();
                        let mark = if at == 0 { "C:" } else { "C+" };
                        self.transcript.push(format!("{mark} {line}").trim_end().to_owned());
                    }
                    continue;
                }
                Output::StartTls => "starttls".to_owned(),
                Output::Close => "close".to_owned(),
                Output::Abort => "abort".to_owned(),
                Output::Event(Event::Greeted) => "greeted".to_owned(),
                Output::Event(Event::Passage(passage)) => format!("{passage:?}"),
                Output::Event(Event::Skipped(failure)) => format!("skipped {failure}"),
                Output::Event(Event::Finished(outcome)) => {
                    self.outcome = Some(outcome.clone());
                    outcome.map_or_else(|failure| format!("failed {failure}"), |_| "sent".to_owned())
                }
            };
            self.transcript.push(line);
        }
        has_sent
    }
}
