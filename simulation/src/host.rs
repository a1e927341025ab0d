//! A host: what it types next, from what it sees. It means well, types ahead, changes its mind, and types at random
//! now and then.
//!
//! Not here: what becomes of its octets on their way to the modem ([`crate::world`]).

use crate::chance::Chance;
use crate::reading::Reading;
use std::collections::VecDeque;
use std::time::Duration;

/// What a host means to do.
#[derive(Clone, Debug)]
enum Act {
    /// A line.
    Line(String),
    /// Waits.
    Pause(u64),
    /// Waits for what is due.
    Outcome,
    /// Octets that mean nothing.
    Noise,
}

/// What a host does at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Types octets.
    Types(Vec<u8>),
    /// Types octets that must arrive as they are: the last words of a world.
    TypesTruly(Vec<u8>),
    /// Presses the power key.
    PressesPowerKey,
    /// Waits for so long.
    Waits(Duration),
    /// Has no more to do.
    IsDone,
}

/// How a host writes.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// What its lines end with.
    pub line_end: &'static str,
    /// In a hundred moments of waiting it stops, or types on.
    pub impatience: u64,
}

/// See the module's words.
pub struct Host {
    acts: VecDeque<Act>,
    manner: Manner,
    /// When its patience for an outcome ends.
    waits_left: u32,
    last_words: u8,
    is_asked_to_end: bool,
}

/// Whom and what a host knows.
#[derive(Clone, Debug)]
pub struct Knowledge {
    /// Files on the drives.
    pub files: Vec<String>,
    /// Passwords with their users: SMTP, POP3.
    pub passwords: Vec<(String, String)>,
    /// Whether names that mean trouble are used.
    pub likes_trouble: bool,
}

const RECIPIENTS: [&str; 7] = [
    "un@server.com",
    "x@server.com",
    "y@server.com",
    "un@server.com",
    "a.b+c@server.com",
    "<z@server.com>",
    "w@server.com",
];

const TROUBLED_RECIPIENTS: [&str; 10] = [
    "550@server.com",
    "451@server.com",
    "421@server.com",
    "530@server.com",
    "data-552@server.com",
    "data-451@server.com",
    "cut@server.com",
    "silent@server.com",
    "slow@server.com",
    "no address",
];

const GENERAL: [&str; 24] = [
    "AT",
    "AT+CSQ",
    "ATI",
    "AT+CREG?",
    "AT+CCLK?",
    "AT+CPIN?",
    "AT+CMEE=2",
    "AT+CMEE=1",
    "AT+MAILERR?",
    "AT+NOSUCH",
    "AT+SMTPSRV?",
    "AT+SMTPAUTH?",
    "AT+SMTPRCPT?",
    "AT+SMTPSUB?",
    "AT+SMTPFILE?",
    "AT+SMTPSEND?",
    "AT+POP3SRV?",
    "AT+POP3IN?",
    "AT+FSMEM",
    "AT+FSLS",
    "AT+SMTPFROM?",
    "AT+CSQ;+CREG?;+CCLK?",
    "AT+POP3NUM=?",
    "AT+CLAC",
];

impl Host {
    /// A host with something to do.
    pub fn new(chance: &mut Chance, knowledge: &Knowledge, manner: Manner) -> Self {
        let mut acts = VecDeque::new();
        acts.push_back(Act::Line(chance.pick(&["AT", "ATE0", "ATE1", "ATE0", "AT+CMEE=2"]).to_owned()));
        for _ in 0..chance.count(1, 4) {
            match chance.below(8) {
                0..=3 => smtp(chance, knowledge, &mut acts),
                4..=5 => pop3(chance, knowledge, &mut acts),
                6 => files(chance, knowledge, &mut acts),
                _ => general(chance, &mut acts),
            }
        }
        Self { acts, manner, waits_left: 0, last_words: 0, is_asked_to_end: false }
    }

    /// The power was cut: it begins again, from the middle of what it wanted.
    pub fn power_on(&mut self, chance: &mut Chance, knowledge: &Knowledge) {
        if self.last_words == 0 && chance.one_in(2) {
            let mut acts = VecDeque::new();
            smtp(chance, knowledge, &mut acts);
            acts.extend(std::mem::take(&mut self.acts));
            self.acts = acts;
        }
        self.last_words = 0;
    }

    /// What it does now. `is_due`: an outcome is.
    pub fn next(&mut self, reading: &Reading, is_due: bool, chance: &mut Chance) -> Deed {
        if reading.is_off() {
            return Deed::PressesPowerKey;
        }
        if reading.wants_text() {
            return Deed::Types(self.text(chance));
        }
        if let Some(octets) = reading.wants_octets() {
            let octets = if chance.one_in(15) { octets / 2 } else { octets };
            return if octets == 0 {
                Deed::Waits(Duration::from_secs(31))
            } else {
                Deed::Types(chance.octets(octets.min(20_000)))
            };
        }
        if let Some(pending) = reading.pending() {
            return self.while_pending(pending, chance);
        }
        match self.acts.pop_front() {
            None => self.ends(reading, is_due),
            Some(Act::Line(line)) => Deed::Types(self.line(&line, chance)),
            Some(Act::Pause(ms)) => Deed::Waits(Duration::from_millis(ms)),
            Some(Act::Outcome) if is_due && self.waits_left < 120 => {
                self.waits_left += 1;
                if chance.per_cent(self.manner.impatience) {
                    let impatient = chance.pick(&[
                        "AT+SMTPSTOP",
                        "AT+POP3STOP",
                        "AT+SMTPSEND",
                        "AT+SMTPSEND?",
                        "AT",
                        "AT+SMTPSUB=\"new\"",
                    ]);
                    self.acts.push_front(Act::Outcome);
                    return Deed::Types(self.line(impatient, chance));
                }
                self.acts.push_front(Act::Outcome);
                Deed::Waits(Duration::from_millis(chance.pick(&[10, 200, 1_000, 3_000])))
            }
            Some(Act::Outcome) => {
                self.waits_left = 0;
                Deed::Waits(Duration::ZERO)
            }
            Some(Act::Noise) => {
                let count = chance.count(1, 12);
                Deed::Types(chance.octets(count))
            }
        }
    }

    fn while_pending(&mut self, pending: &[u8], chance: &mut Chance) -> Deed {
        if !chance.per_cent(self.manner.impatience) {
            return Deed::Waits(Duration::from_millis(chance.pick(&[1, 20, 300, 2_000, 9_000])));
        }
        let is_pop3 = pending.windows(5).any(|part| part.eq_ignore_ascii_case(b"+POP3"));
        match chance.below(8) {
            0..=3 => {
                let stop = if is_pop3 { "AT+POP3STOP" } else { "at+smtpstop" };
                Deed::Types(self.line(stop, chance))
            }
            4..=6 => match self.acts.pop_front() {
                Some(Act::Line(line)) => Deed::Types(self.line(&line, chance)),
                _ => Deed::Waits(Duration::from_millis(50)),
            },
            // More than is kept.
            _ => {
                let line = self.line(&format!("AT+SMTPSUB=\"{}\"", chance.word(60)), chance);
                Deed::Types(line.repeat(chance.count(1, 60)))
            }
        }
    }

    /// The last words: whatever was, the modem answers AT.
    fn ends(&mut self, reading: &Reading, is_due: bool) -> Deed {
        self.is_asked_to_end = true;
        if is_due {
            return Deed::Waits(Duration::from_secs(1));
        }
        self.last_words += 1;
        match self.last_words {
            // Out of a line that is partly typed, of whatever it consists.
            1 if reading.is_in_line() => Deed::TypesTruly(b"\r".to_vec()),
            1 => Deed::Waits(Duration::from_millis(1)),
            2 => Deed::TypesTruly(b"AT\r".to_vec()),
            3 => Deed::Waits(Duration::from_secs(2)),
            _ => Deed::IsDone,
        }
    }

    fn line(&self, line: &str, chance: &mut Chance) -> Vec<u8> {
        let before =
            if chance.one_in(25) { chance.pick(&["\u{1b}\r", "\0", "\r\r", "  ", "x\u{8}"]) } else { "" };
        format!("{before}{line}{}", self.manner.line_end).into_bytes()
    }

    fn text(&self, chance: &mut Chance) -> Vec<u8> {
        let mut text = body(chance).into_bytes();
        if chance.one_in(10) {
            text.extend_from_slice(b"oops\x08\x08\x08\x7f");
        }
        text.push(if chance.one_in(12) { 0x1b } else { 0x1a });
        text
    }
}

/// A body as it may be typed at the prompt.
fn body(chance: &mut Chance) -> String {
    if chance.one_in(40) {
        let octets = chance.pick(&[5_119, 5_120, 5_121, 6_000]);
        return "z".repeat(octets);
    }
    let mut body = String::new();
    for _ in 0..chance.count(0, 6) {
        let line = match chance.below(9) {
            0 => ".".to_owned(),
            1 => "..two".to_owned(),
            2 => format!(".{}", chance.word(6)),
            3 => "l".repeat(chance.count(900, 1_100)),
            4 => "\u{e4}\u{f6}\u{fc} \u{20ac}".to_owned(),
            5 => String::new(),
            6 => "From here".to_owned(),
            _ => format!("{} {}", chance.word(7), chance.word(4)),
        };
        body.push_str(&line);
        body.push_str(chance.pick(&["\r\n", "\r\n", "\r", "\n"]));
    }
    if chance.one_in(2) {
        body.push_str(&chance.word(9));
    }
    body
}

fn smtp(chance: &mut Chance, knowledge: &Knowledge, acts: &mut VecDeque<Act>) {
    let trouble = knowledge.likes_trouble && chance.one_in(2);
    let mut line = |line: String| acts.push_back(Act::Line(line));
    let server = if trouble && chance.one_in(4) {
        chance.pick(&["unresolved.x", "refused.x", "silent.x", "busy.x", "garbage.x", "auth-required.x"])
    } else {
        "smtp.server.com"
    };
    line(format!("AT+SMTPSRV=\"{server}\",{}", chance.pick(&["25", "587", "1"])));
    if chance.one_in(2) {
        if let Some((user, password)) = knowledge.passwords.first() {
            let user = if trouble && chance.one_in(4) {
                chance.pick(&["wrong", "unavailable"])
            } else {
                user.as_str()
            };
            line(format!("AT+SMTPAUTH=1,\"{user}\",\"{password}\""));
        }
    } else if chance.one_in(3) {
        line("AT+SMTPAUTH=0".to_owned());
    }
    let sender = if trouble && chance.one_in(6) { "mailfrom-550@server.com" } else { "from@server.com" };
    line(format!("AT+SMTPFROM=\"{sender}\",\"{}\"", chance.pick(&["", "A B", "\u{c4}. B"])));
    if chance.one_in(2) {
        line("AT+SMTPRCPT".to_owned());
    }
    for _ in 0..chance.pick(&[0, 1, 1, 1, 1, 2, 3]) {
        let (kind, index) = (chance.below(3), chance.below(5));
        let address = if trouble && chance.one_in(3) {
            chance.pick(&TROUBLED_RECIPIENTS)
        } else {
            chance.pick(&RECIPIENTS)
        };
        line(format!("AT+SMTPRCPT={kind},{index},\"{address}\",\"N\""));
    }
    line(format!("AT+SMTPSUB=\"{}\"", chance.pick(&["Hello", "", "\u{dc}ber alles", "a b c d", "=?x?="])));
    match chance.below(3) {
        0 => line(format!("AT+SMTPBODY=\"{}\"", chance.word(20))),
        1 => line("AT+SMTPBODY".to_owned()),
        _ => {}
    }
    if chance.one_in(3) {
        line("AT+SMTPFILE".to_owned());
        for at in 1..=chance.between(1, 3) {
            if let Some(file) = chance.pick_from(&knowledge.files) {
                line(format!("AT+SMTPFILE={at},\"{file}\""));
            }
        }
    }
    if chance.one_in(5) {
        let pages = chance.pick(&["AT+SMTPSEND?", "AT+SMTPRCPT?", "AT+SMTPAUTH?", "AT+SMTPFILE?"]);
        line(pages.to_owned());
    }
    line("AT+SMTPSEND".to_owned());
    match chance.below(10) {
        0 => {
            acts.push_back(Act::Pause(chance.pick(&[0, 1, 5, 40, 400, 2_000])));
            acts.push_back(Act::Line("AT+SMTPSTOP".to_owned()));
        }
        1 => acts.push_back(Act::Pause(chance.below(3_000))),
        2 if chance.one_in(6) => acts.push_back(Act::Line("AT+COPS=2".to_owned())),
        3 if chance.one_in(6) => acts.push_back(Act::Line("AT+CRESET".to_owned())),
        _ => acts.push_back(Act::Outcome),
    }
    if chance.one_in(20) {
        acts.push_back(Act::Noise);
    }
}

fn pop3(chance: &mut Chance, knowledge: &Knowledge, acts: &mut VecDeque<Act>) {
    let trouble = knowledge.likes_trouble && chance.one_in(2);
    let mut line = |line: String| acts.push_back(Act::Line(line));
    let (user, password) = knowledge.passwords.last().cloned().unwrap_or_default();
    let user = if trouble {
        chance
            .pick(&[
                "unknown",
                "wrong",
                "locked",
                "silent",
                "cut",
                "err-on-retr",
                "garbage",
                "lying-size",
                "no-top",
                "err-on-dele",
                "err-on-quit",
            ])
            .to_owned()
    } else {
        user
    };
    let server = if trouble && chance.one_in(6) {
        chance.pick(&["unresolved.x", "busy.x", "silent.x"])
    } else {
        "pop3.server.com"
    };
    line(format!("AT+POP3SRV=\"{server}\",\"{user}\",\"{password}\",110"));
    if chance.one_in(4) {
        line(format!("AT+FSLOCA={}", chance.below(2)));
    }
    line("AT+POP3IN".to_owned());
    for _ in 0..chance.count(0, 7) {
        if chance.one_in(6) {
            headers_in_a_row(chance, acts);
            continue;
        }
        let id = chance.between(1, 4);
        let command = match chance.below(12) {
            0 => "AT+POP3NUM".to_owned(),
            1 => "AT+POP3LIST".to_owned(),
            2 => format!("AT+POP3LIST={id}"),
            3 | 4 => format!("AT+POP3HDR={id}"),
            5..=8 => {
                acts.push_back(Act::Line(format!("AT+POP3GET={id}{}", chance.pick(&["", ",1", ",2", ",3"]))));
                if chance.one_in(5) {
                    acts.push_back(Act::Pause(chance.below(600)));
                } else {
                    acts.push_back(Act::Outcome);
                }
                chance.pick(&["AT+POP3READ", "AT", "AT+POP3STOP"]).to_owned()
            }
            9 | 10 => format!("AT+POP3DEL={id}"),
            _ => "AT+POP3IN?".to_owned(),
        };
        acts.push_back(Act::Line(command));
    }
    acts.push_back(Act::Line(
        chance.pick(&["AT+POP3OUT", "AT+POP3OUT", "AT+POP3STOP", "AT+POP3IN?"]).to_owned(),
    ));
}

/// As a host does that shows a list of mails: on a line, or on lines of their own with others between.
fn headers_in_a_row(chance: &mut Chance, acts: &mut VecDeque<Act>) {
    let from = chance.between(1, 3);
    let row = (from..from + chance.between(3, 24)).map(|id| format!("+POP3HDR={id}"));
    if chance.one_in(2) {
        let commands: Vec<String> = row.collect();
        return acts.push_back(Act::Line(format!("AT{}", commands.join(";"))));
    }
    for command in row {
        acts.push_back(Act::Line(format!("AT{command}")));
        if chance.one_in(8) {
            let id = from + chance.below(24);
            let other = chance.pick(&["AT+POP3DEL=", "AT+POP3LIST=", "AT+POP3HDR="]);
            acts.push_back(Act::Line(format!("{other}{id}")));
        }
    }
}

fn files(chance: &mut Chance, knowledge: &Knowledge, acts: &mut VecDeque<Act>) {
    for _ in 0..chance.count(1, 6) {
        let known = chance.pick_from(&knowledge.files).cloned().unwrap_or_default();
        let new = format!(
            "{}:/{}",
            chance.pick(&["C", "C", "D"]),
            chance.pick(&["n1.bin", "n2.bin", "Picture/n3.bin", "OK", "ERROR"])
        );
        let line = match chance.below(10) {
            0 | 1 => format!("AT+CFTRANRX=\"{new}\",{}", chance.pick(&[0, 1, 17, 300, 3_000])),
            2 => format!("AT+CFTRANTX=\"{known}\""),
            3 => format!("AT+FSCOPY={known},{new}"),
            4 => format!("AT+FSDEL={new}"),
            5 => chance.pick(&["AT+FSLS", "AT+FSLS=2", "AT+FSLS?", "AT+FSMEM", "AT+FSCD?"]).to_owned(),
            6 => format!("AT+FSCD={}", chance.pick(&["C:/", "D:/", "Picture", "..", "../..", "C:/../../x"])),
            7 => format!("AT+FSMKDIR={}", chance.pick(&["F1", "F2", "../F3", "..", "C:/../F4"])),
            8 => format!("AT+FSATTRI={known}"),
            _ => format!("AT+FSRENAME={new},C:/{}", chance.pick(&["n4.bin", "../n5.bin"])),
        };
        acts.push_back(Act::Line(line));
    }
}

fn general(chance: &mut Chance, acts: &mut VecDeque<Act>) {
    for _ in 0..chance.count(1, 6) {
        let line = match chance.below(30) {
            0 => format!(
                "AT+SMTPSUB=\"{}\"",
                "s".repeat(chance.pick(&[511, 512, 513, 3_055, 3_056, 3_057, 3_200]))
            ),
            1 => "AT+CRESET".to_owned(),
            2 => "AT+CPOF".to_owned(),
            3 => "AT+NETOPEN".to_owned(),
            4 => "AT+NETCLOSE".to_owned(),
            5 => "A/".to_owned(),
            6 => "nonsense".to_owned(),
            7 => {
                acts.push_back(Act::Noise);
                "AT".to_owned()
            }
            _ => chance.pick(&GENERAL).to_owned(),
        };
        acts.push_back(Act::Line(line));
    }
}
