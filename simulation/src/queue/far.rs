//! The server that queued mail goes to: whether it takes a mail, and when its link ends, was drawn before.
//!
//! Not here: whether it should have been sent that mail ([`super::laws`]).

use crate::chance::Chance;

/// What it does on one link; `""` for an answer is silence.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    greeting: &'static str,
    sender: &'static str,
    /// For the first recipients, one after another; 250 to the others.
    recipients: Vec<&'static str>,
    data: &'static str,
    dot: &'static str,
    /// Whether it has the mail when the dot comes, whatever it says then.
    takes: bool,
    /// The link ends when it has heard so many octets.
    pub(super) cut_after: Option<usize>,
    /// Whether it ends at the dot, before or after the answer.
    cuts_at_dot: bool,
    pipelining: bool,
}

impl Manner {
    /// All is well.
    pub(super) const fn good() -> Self {
        Self {
            greeting: "220 mx",
            sender: "250 well",
            recipients: Vec::new(),
            data: "354 go on",
            dot: "250 taken",
            takes: true,
            cut_after: None,
            cuts_at_dot: false,
            pipelining: true,
        }
    }

    /// Anything, and well at best.
    pub(super) fn drawn(chance: &mut Chance) -> Self {
        let mut manner = Self { pipelining: chance.one_in(2), ..Self::good() };
        match chance.below(16) {
            0 => manner.greeting = chance.pick(&["554 no service", "421 not now", ""]),
            1 => manner.sender = chance.pick(&["450 not now", "550 not you", "452 full", "552 full", ""]),
            2..=4 => {
                let answers = ["250 well", "450 not now", "550 nobody", "552 full", "452 full"];
                manner.recipients = (0..3).map(|_| chance.pick(&answers)).collect();
            }
            5 => manner.data = chance.pick(&["451 not now", "554 never", ""]),
            6 => manner.cut_after = Some(chance.count(0, 400)),
            7..=8 => {
                manner.dot = chance.pick(&["451 not now", "452 full", "554 spam", "552 full", "421 not now"]);
                manner.takes = false;
            }
            9..=10 => {
                // It has it, or has not; and nobody is told.
                manner.takes = chance.one_in(2);
                manner.dot = chance.pick(&["", "354 what", "nonsense"]);
                manner.cuts_at_dot = chance.one_in(2);
            }
            11 => manner.cuts_at_dot = true,
            _ => {}
        }
        manner
    }
}

/// A mail that the server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) recipients: Vec<String>,
    pub(super) text: Vec<u8>,
}

/// Its end of one link.
pub(super) struct Server {
    manner: Manner,
    heard_octets: usize,
    line: Vec<u8>,
    recipients: Vec<String>,
    asked: usize,
    text: Option<Vec<u8>>,
    /// Those whom it has refused for good; an empty address is everybody.
    pub(super) refused: Vec<String>,
    is_silent: bool,
    pub(super) is_over: bool,
}

impl Server {
    /// One that was called, and what it says first.
    pub(super) fn new(manner: Manner) -> (Self, Vec<u8>) {
        let mut said = Vec::new();
        let mut server = Self {
            manner,
            heard_octets: 0,
            line: Vec::new(),
            recipients: Vec::new(),
            asked: 0,
            text: None,
            refused: Vec::new(),
            is_silent: false,
            is_over: false,
        };
        let greeting = server.manner.greeting;
        server.say(greeting, &mut said);
        (server, said)
    }

    fn say(&mut self, words: &str, said: &mut Vec<u8>) {
        self.is_silent |= words.is_empty();
        if !self.is_silent {
            said.extend_from_slice(words.as_bytes());
            said.extend_from_slice(b"\r\n");
        }
    }

    /// It hears these octets. Gives what it says, and the mail it has then.
    pub(super) fn hear(&mut self, octets: &[u8]) -> (Vec<u8>, Option<Taken>) {
        let (mut said, mut taken) = (Vec::new(), None);
        for &octet in octets {
            if self.is_over {
                break;
            }
            self.heard_octets += 1;
            self.line.push(octet);
            if octet == b'\n' {
                let line = std::mem::take(&mut self.line);
                taken = self.hear_line(&line, &mut said).or(taken);
            }
            if self.manner.cut_after.is_some_and(|octets| octets <= self.heard_octets) {
                self.is_over = true;
            }
        }
        (said, taken)
    }

    fn hear_line(&mut self, line: &[u8], said: &mut Vec<u8>) -> Option<Taken> {
        if self.is_silent {
            return None;
        }
        if let Some(mut text) = self.text.take() {
            if line != b".\r\n" {
                text.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
                self.text = Some(text);
                return None;
            }
            let recipients = std::mem::take(&mut self.recipients);
            let dot = self.manner.dot;
            if is_for_good(dot) {
                self.refused.extend(recipients.iter().cloned());
            }
            self.say(dot, said);
            self.is_over = self.manner.cuts_at_dot;
            return self.manner.takes.then_some(Taken { recipients, text });
        }
        let line = String::from_utf8_lossy(line).trim_end().to_owned();
        let answer = if line.starts_with("EHLO") {
            if self.manner.pipelining { "250-mx\r\n250 PIPELINING" } else { "250 mx" }
        } else if line.starts_with("MAIL") {
            if is_for_good(self.manner.sender) {
                self.refused.push(String::new());
            }
            self.manner.sender
        } else if let Some(rest) = line.strip_prefix("RCPT TO:<") {
            let answer = self.manner.recipients.get(self.asked).copied().unwrap_or("250 well");
            self.asked += 1;
            let address = rest.split('>').next().map(str::to_owned);
            if answer.starts_with("250") {
                self.recipients.extend(address);
            } else if is_for_good(answer) && !answer.starts_with("552") {
                // RFC 5321 §4.5.3.1.10: that may mean 452.
                self.refused.extend(address);
            }
            answer
        } else if line == "DATA" {
            match (self.recipients.is_empty(), self.manner.data) {
                (true, _) => "554 for whom",
                (false, data) => {
                    if is_for_good(data) {
                        self.refused.extend(self.recipients.iter().cloned());
                    }
                    self.text = data.starts_with("354").then(Vec::new);
                    data
                }
            }
        } else if line == "QUIT" {
            self.say("221 bye", said);
            self.is_over = true;
            return None;
        } else {
            "250 well"
        };
        self.say(answer, said);
        None
    }
}

fn is_for_good(answer: &str) -> bool {
    answer.starts_with('5')
}
