//! A server that answers from the seed: right for the most part, and else wrong, over-long, late, before its time, in
//! pieces, or not at all. It quotes what it was told in confidence.
//!
//! Not here: mailboxes. A liar holds nothing, whatever it says.

use crate::chance::Chance;
use crate::mails;
use mail::machine::Instant;
use modem::modem::Protocol;
use std::time::Duration;

/// What a liar wants done, at its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Octets for the modem.
    Say(Vec<u8>),
    /// The link ends.
    HangUp,
}

/// See the module's words.
#[derive(Debug)]
pub struct Liar {
    protocol: Protocol,
    /// In a hundred answers, so many are not right.
    lies: u64,
    line: Vec<u8>,
    heard: Vec<Vec<u8>>,
    in_text: bool,
    /// What was said last, and when it is said.
    at: Instant,
    says: Vec<(Instant, Lie)>,
    user_asked: bool,
}

/// Most octets of a client's line that a liar looks at.
const LINE_OCTETS_MAX: usize = 4_096;

impl Liar {
    /// A liar, whose link stands.
    pub fn new(protocol: Protocol, chance: &mut Chance, now: Instant) -> Self {
        let lies = chance.pick(&[0, 3, 10, 10, 30, 70]);
        let mut liar = Self {
            protocol,
            lies,
            line: Vec::new(),
            heard: Vec::new(),
            in_text: false,
            at: now,
            says: Vec::new(),
            user_asked: false,
        };
        let greeting: &[u8] = match protocol {
            Protocol::Smtp => b"220 liar.example ESMTP\r\n",
            Protocol::Pop3 => b"+OK liar <1.2@liar.example>\r\n",
        };
        liar.answer(greeting.to_vec(), chance, now);
        liar
    }

    /// What it wants done, with the time for it.
    pub fn take(&mut self) -> Vec<(Instant, Lie)> {
        std::mem::take(&mut self.says)
    }

    /// Octets have come from the modem.
    pub fn receive(&mut self, octets: &[u8], chance: &mut Chance, now: Instant) {
        for &octet in octets {
            if octet != b'\n' {
                if self.line.len() < LINE_OCTETS_MAX {
                    self.line.push(octet);
                }
                continue;
            }
            let mut line = std::mem::take(&mut self.line);
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if self.in_text {
                if line == b"." {
                    self.in_text = false;
                    self.answer(b"250 2.0.0 taken\r\n".to_vec(), chance, now);
                } else if chance.below(3_000) == 0 {
                    self.answer(b"452 4.3.1 no room\r\n".to_vec(), chance, now);
                }
                continue;
            }
            let right = match self.protocol {
                Protocol::Smtp => self.smtp(&line, chance),
                Protocol::Pop3 => self.pop3(&line, chance),
            };
            self.heard.push(line);
            self.answer(right, chance, now);
        }
    }

    fn smtp(&mut self, line: &[u8], chance: &mut Chance) -> Vec<u8> {
        let verb = line.split(|&octet| octet == b' ').next().unwrap_or_default().to_ascii_uppercase();
        match verb.as_slice() {
            b"EHLO" => {
                let mut reply = b"250-liar.example\r\n".to_vec();
                for keyword in
                    ["PIPELINING", "8BITMIME", "SIZE 100000", "SIZE 0", "ENHANCEDSTATUSCODES", "SMTPUTF8"]
                {
                    if chance.one_in(3) {
                        reply.extend_from_slice(format!("250-{keyword}\r\n").as_bytes());
                    }
                }
                let auth =
                    chance.pick(&["AUTH PLAIN LOGIN CRAM-MD5", "AUTH LOGIN", "AUTH PLAIN", "AUTH X", "HELP"]);
                reply.extend_from_slice(format!("250 {auth}\r\n").as_bytes());
                reply
            }
            b"AUTH" => chance
                .pick(&["235 2.7.0 ok\r\n", "334 VXNlcm5hbWU6\r\n", "334 \r\n", "334 PDEuMkBsaWFyPg==\r\n"])
                .as_bytes()
                .to_vec(),
            b"DATA" => {
                self.in_text = true;
                b"354 go on\r\n".to_vec()
            }
            b"MAIL" | b"RCPT" | b"HELO" | b"RSET" => b"250 2.1.0 ok\r\n".to_vec(),
            b"QUIT" => b"221 2.0.0 bye\r\n".to_vec(),
            // Probably the answer to a challenge.
            _ => chance
                .pick(&["235 2.7.0 ok\r\n", "334 UGFzc3dvcmQ6\r\n", "535 5.7.8 no\r\n"])
                .as_bytes()
                .to_vec(),
        }
    }

    fn pop3(&mut self, line: &[u8], chance: &mut Chance) -> Vec<u8> {
        let text = String::from_utf8_lossy(line).to_ascii_uppercase();
        let mut words = text.split(' ');
        let (verb, id) = (words.next().unwrap_or_default(), words.next().unwrap_or("1"));
        match verb {
            "USER" => {
                self.user_asked = true;
                b"+OK\r\n".to_vec()
            }
            "CAPA" => chance
                .pick(&[
                    "+OK\r\nTOP\r\nPIPELINING\r\n.\r\n",
                    "+OK\r\nPIPELINING\r\n.\r\n",
                    "+OK\r\nUSER\r\n.\r\n",
                ])
                .as_bytes()
                .to_vec(),
            "STAT" => {
                let count = chance.pick(&[0, 1, 3, 4, 30, u64::from(u32::MAX)]);
                format!("+OK {count} {}\r\n", chance.below(1 << 33)).into_bytes()
            }
            "LIST" | "UIDL" if text.contains(' ') => {
                format!("+OK {id} {}\r\n", chance.below(9_999)).into_bytes()
            }
            "LIST" | "UIDL" => {
                let mut listing = b"+OK\r\n".to_vec();
                for id in 1..=chance.between(0, 4) {
                    listing.extend_from_slice(format!("{id} {}\r\n", chance.below(99_999)).as_bytes());
                }
                if chance.one_in(40) {
                    for id in 5..3_000 {
                        listing.extend_from_slice(format!("{id} 1\r\n").as_bytes());
                    }
                }
                listing.extend_from_slice(b".\r\n");
                listing
            }
            "RETR" | "TOP" => {
                let mail = mails::odd(chance);
                let mut answer = b"+OK octets follow\r\n".to_vec();
                answer.extend_from_slice(&mails::stuffed(&mail));
                answer.extend_from_slice(b".\r\n");
                answer
            }
            _ => b"+OK\r\n".to_vec(),
        }
    }

    /// Says what is right, or something else.
    fn answer(&mut self, right: Vec<u8>, chance: &mut Chance, now: Instant) {
        let is_lie = chance.per_cent(self.lies);
        let delay =
            if is_lie && chance.one_in(3) { chance.below(45_000) } else { chance.pick(&[0, 0, 1, 40, 900]) };
        self.at = self.at.max(now + Duration::from_millis(delay));
        if !is_lie {
            return self.say(right);
        }
        match chance.below(14) {
            0 => self.in_text = false,
            1 => self.says.push((self.at, Lie::HangUp)),
            2 => {
                let cut = chance.count(0, right.len());
                self.say(right.get(..cut).unwrap_or_default().to_vec());
                self.says.push((self.at, Lie::HangUp));
            }
            3 => {
                let code = chance.between(100, 699);
                self.say(format!("{code} whatever\r\n").into_bytes());
            }
            4 => self.say(format!("-ERR [SYS/TEMP] {}\r\n", chance.word(5)).into_bytes()),
            5 => {
                // What it was told, as it was told.
                let mut quote =
                    chance.pick(&["535 5.7.8 ", "-ERR [AUTH] ", "250 ", "+OK ", "550 "]).as_bytes().to_vec();
                quote.extend_from_slice(chance.pick_from(&self.heard).map_or(&b""[..], Vec::as_slice));
                quote.extend_from_slice(b"\r\n");
                self.say(quote);
            }
            6 => {
                let length = chance.pick(&[2_040, 2_047, 2_048, 2_049, 2_100, 9_000]);
                let mut line = b"250 ".to_vec();
                line.resize(length, b'x');
                if chance.one_in(2) {
                    line.extend_from_slice(b"\r\n");
                }
                self.say(line);
            }
            7 => {
                let lines = chance.count(1, 200);
                self.say(b"250-more\r\n".repeat(lines));
            }
            8 => {
                let count = chance.count(1, 300);
                self.say(chance.octets(count));
            }
            9 => {
                // Twice: the second before its time.
                self.say(right.clone());
                self.at = self.at + Duration::from_millis(chance.pick(&[0, 1, 500]));
                self.say(right);
            }
            10 => {
                for octet in right {
                    self.say(vec![octet]);
                    self.at = self.at + Duration::from_millis(chance.pick(&[0, 5, 2_000]));
                }
            }
            11 => {
                // Goes on, and never comes to its end.
                let text = right.strip_suffix(b".\r\n").unwrap_or(&right).to_vec();
                self.say(text);
            }
            12 => self.say(right.iter().map(|&octet| if octet == b'\r' { b' ' } else { octet }).collect()),
            _ => {
                let mut reply = right;
                let at = chance.count(0, reply.len().saturating_sub(1));
                if let Some(octet) = reply.get_mut(at) {
                    *octet = chance.octet();
                }
                self.say(reply);
            }
        }
    }

    fn say(&mut self, octets: Vec<u8>) {
        if !octets.is_empty() {
            self.says.push((self.at, Lie::Say(octets)));
        }
    }
}
