//! One world of queued mail: who does what next is drawn, until the trouble is over and all has to come to its end.
//!
//! Not here: what must hold ([`super::laws`]), the machine ([`super::disk`]) and the server ([`super::far`]).

use super::Lived;
use super::arrival::{Arrival, Heard};
use super::disk::Machine;
use super::far::Manner;
use super::laws::{Laws, Mail, Recipient, Wrong, directory};
use super::sending::{Sending, Told};
use crate::chance::Chance;
use crate::transcript::Transcript;
use jiff::Timestamp;
use mail::machine::Instant;
use mailmodem::limits::QUEUE_SENDS_MAX;
use mailmodem::outgoing::NotSent;
use mailmodem::queue::{Attempt, Entrance, Queue, Settings, WhenFateUnknown};
use modem::modem::Protocol;
use modem::route::Call;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// See the module's words.
pub(super) struct World<'a> {
    chance: Chance,
    machine: Machine,
    settings: Settings,
    laws: Laws,
    mails_max: usize,
    trouble: Trouble,
    /// `None` while it does not run.
    process: Option<Process>,
    lived: Lived,
    transcript: &'a mut Transcript,
}

/// What may go wrong.
#[derive(Clone, Copy)]
struct Trouble {
    server: bool,
    power: bool,
    disk: bool,
    clock: bool,
    owner: bool,
}

/// The program, while it runs.
struct Process {
    queue: Queue,
    entrance: Entrance,
    arrivals: Vec<Arrival>,
    sendings: Vec<Sending>,
    /// Whether it could read all that it found.
    is_whole: bool,
}

const UPSTREAMS: [&str; 2] = ["one", "two"];

/// How often something happens in a world before the trouble is over.
const STEPS_MAX: usize = 160;

/// How often the time may go on after that until the queue has to be empty.
const CALM_STEPS_MAX: usize = 200;

impl<'a> World<'a> {
    pub(super) fn new(seed: u64, transcript: &'a mut Transcript) -> Self {
        // The same seed is another world of the modem's; they have nothing in common.
        let mut chance = Chance::new(!seed);
        let settings = Settings {
            mails_max: chance.count(1, 6),
            octets_max: chance.pick(&[2_000, 10_000, 100_000, 10_000_000]),
            deadline: Duration::from_secs(chance.pick(&[600, 7_200, 86_400, 432_000])),
            retry_wait_min: Duration::from_secs(chance.pick(&[1, 60, 300])),
            retry_wait_max: Duration::from_secs(chance.pick(&[300, 900, 3_600])),
            when_fate_unknown: chance.pick(&[
                WhenFateUnknown::Hold,
                WhenFateUnknown::Hold,
                WhenFateUnknown::Resend,
            ]),
            ..Settings::new(directory().to_owned())
        };
        let trouble = Trouble {
            server: !chance.one_in(5),
            power: !chance.one_in(4),
            disk: chance.one_in(4),
            clock: chance.one_in(4),
            owner: chance.one_in(2),
        };
        let day = i64::try_from(chance.below(10_000)).unwrap_or_default();
        let time = Timestamp::from_second(1_700_000_000 + 86_400 * day).unwrap_or_default();
        let machine = Machine::new(Chance::new(chance.below(u64::MAX)), time);
        machine.hardware().has_links = !chance.one_in(4);
        let laws = Laws::new(settings.clone());
        let mails_max = chance.count(1, 8);
        Self {
            chance,
            machine,
            settings,
            laws,
            mails_max,
            trouble,
            process: None,
            lived: Lived::default(),
            transcript,
        }
    }

    /// How long there has been a world.
    pub(super) fn now(&self) -> Duration {
        self.machine.hardware().elapsed()
    }

    pub(super) fn live(&mut self) -> Result<Lived, Wrong> {
        let settings = self.settings.clone();
        self.note(format_args!("a world of queued mail: {settings:?}"));
        let steps = self.chance.count(STEPS_MAX / 8, STEPS_MAX);
        for _ in 0..steps {
            self.step()?;
            self.hold()?;
        }
        self.calm_down()?;
        self.lived.failures = self.machine.hardware().failures;
        Ok(self.lived)
    }

    fn note(&mut self, words: fmt::Arguments<'_>) {
        if !self.transcript.is_kept() {
            return;
        }
        let ms = u64::try_from(self.now().as_millis()).unwrap_or(u64::MAX);
        self.transcript.note(Instant::from_ms(ms), &words.to_string());
    }

    fn hold(&mut self) -> Result<(), Wrong> {
        if self.machine.hardware().is_off() {
            self.lose_power()?;
        }
        let is_sound = self.is_sound();
        self.laws.hold(&self.machine.hardware(), is_sound)?;
        let Some(process) = &self.process else { return Ok(()) };
        let (mails, octets) = process.queue.taken();
        if is_sound && (mails > self.settings.mails_max || octets > self.settings.octets_max) {
            return Err(format!("room for {mails} mails with {octets} octets is taken"));
        }
        let now = self.now();
        self.laws.hold_waits(now)
    }

    /// Whether the terminal was told that a mail is in the queue.
    fn is_accepted(&self, number: usize) -> bool {
        self.laws.mails.get(number).is_some_and(|mail| mail.accepted.is_some())
    }

    /// Whether the disk has done all that it was asked, but for want of power.
    fn is_sound(&self) -> bool {
        self.machine.hardware().failures == 0
    }

    fn step(&mut self) -> Result<(), Wrong> {
        if self.process.is_none() {
            return self.begin();
        }
        match self.chance.below(100) {
            0..45 => {
                for _ in 0..self.chance.count(1, 8) {
                    self.carry()?;
                }
            }
            45..70 => {
                for _ in 0..self.chance.count(1, 4) {
                    self.arrive();
                }
            }
            70..85 => {
                // Mostly what is on its way is there before anything else is due.
                let is_moving = self.is_moving() && !self.chance.one_in(8);
                let most = if is_moving { 100 } else { self.until_something() };
                let by = if self.chance.one_in(3) { self.chance.below(most + 1) } else { most };
                self.pass(by);
            }
            85..91 if self.trouble.owner => self.order(),
            91..93 if self.trouble.power => {
                let operations = self.chance.below(24);
                self.machine.hardware().let_power_last(operations);
            }
            93 if self.trouble.power => self.machine.hardware().switch_off(),
            94 if self.trouble.power => self.end(true)?,
            95 => self.end(false)?,
            96..98 if self.trouble.disk => self.spoil_disk(),
            98 if self.trouble.clock => self.set_clock(),
            _ => {}
        }
        self.work()
    }

    /// The program starts.
    fn begin(&mut self) -> Result<(), Wrong> {
        let down = self.chance.pick(&[0, 0, 1_000, 60_000, 7_200_000, 500_000_000]);
        if down > 0 && self.trouble.clock {
            self.set_clock();
        }
        self.machine.hardware().advance(Duration::from_millis(self.chance.below(down + 1)));
        let queue = Queue::at(Arc::new(self.machine.clone()), self.settings.clone());
        let failures = self.machine.hardware().failures;
        let opened = queue.open();
        if self.machine.hardware().is_off() {
            return Ok(());
        }
        let failed = self.machine.hardware().failures - failures;
        if let Err(error) = opened {
            self.note(format_args!("the queue is not opened: {error}"));
            return if failed > 0 { Ok(()) } else { Err(format!("the queue is not opened: {error}")) };
        }
        self.laws.set_open(failed == 0);
        let queued = self.laws.queued(&self.machine.hardware())?;
        let there = (queued.len(), queued.iter().map(|(.., octets)| octets).sum());
        self.note(format_args!("the program begins, with {there:?} in the queue"));
        if failed == 0 && queue.taken() != there {
            return Err(format!(
                "{there:?} are there after a start, and room is taken for {:?}",
                queue.taken()
            ));
        }
        self.laws.restarts += 1;
        let entrance = Entrance { queue: queue.clone(), hello_name: "panel.example".to_owned() };
        self.process = Some(Process {
            queue,
            entrance,
            arrivals: Vec::new(),
            sendings: Vec::new(),
            is_whole: failed == 0,
        });
        Ok(())
    }

    /// What the worker does whenever it wakes.
    fn work(&mut self) -> Result<(), Wrong> {
        self.obey()?;
        loop {
            let Some(process) = &mut self.process else { return Ok(()) };
            if self.machine.hardware().is_off() || process.sendings.len() >= QUEUE_SENDS_MAX {
                break;
            }
            let busy: BTreeSet<String> =
                process.sendings.iter().map(|sending| sending.attempt.upstream().to_owned()).collect();
            let Some(attempt) = Attempt::next(&process.queue, &busy) else { break };
            self.attempt(attempt)?;
        }
        self.note_idle()
    }

    /// The program looks at the orders there are.
    fn obey(&mut self) -> Result<(), Wrong> {
        let Some(process) = &self.process else { return Ok(()) };
        let place = directory().join("orders");
        let orders = |machine: &Machine| -> Vec<String> {
            machine.hardware().names(&place).map(|(name, _)| name.to_owned()).collect()
        };
        let (before, failures) = (orders(&self.machine), self.machine.hardware().failures);
        process.queue.obey();
        if self.machine.hardware().is_off()
            || self.machine.hardware().failures > failures
            || !process.is_whole
        {
            return Ok(());
        }
        let after = orders(&self.machine);
        for name in before {
            let Some((word, id)) = name.split_once('.') else { continue };
            if !process.sendings.iter().any(|sending| sending.attempt.id().to_string() == id) {
                self.laws.obeyed(&self.machine.hardware(), word, id, after.contains(&name))?;
            }
        }
        Ok(())
    }

    /// Which mails wait for nothing but their time.
    fn note_idle(&mut self) -> Result<(), Wrong> {
        let now = self.now();
        let mut idle: BTreeSet<usize> = BTreeSet::new();
        if let Some(process) = &self.process
            && process.sendings.len() < QUEUE_SENDS_MAX
            && process.is_whole
            && !self.machine.hardware().is_off()
        {
            let queued = self.laws.queued(&self.machine.hardware())?;
            for (_, state, number, _) in queued.iter() {
                let number = *number;
                let upstream = self.laws.mails.get(number).map(|mail| mail.upstream);
                let is_busy =
                    process.sendings.iter().any(|sending| Some(sending.attempt.upstream()) == upstream);
                if *state == "waiting" && !is_busy && (self.is_sound() || self.is_accepted(number)) {
                    idle.insert(number);
                }
            }
        }
        for (number, mail) in self.laws.mails.iter_mut().enumerate() {
            if mail.is_to_be_tried && idle.contains(&number) {
                return Err(format!("mail {number} was to be tried, and is not"));
            }
            mail.idle_since = idle.contains(&number).then(|| mail.idle_since.unwrap_or(now));
        }
        Ok(())
    }

    fn attempt(&mut self, attempt: Attempt) -> Result<(), Wrong> {
        let id = attempt.id().to_string();
        let number = self.laws.number_of(&self.machine.hardware(), &id)?;
        if let Some(mail) = self.laws.mails.get_mut(number) {
            mail.idle_since = None;
            mail.is_to_be_tried = false;
            mail.tries += u64::from(attempt.is_needed());
        }
        if !attempt.is_needed() {
            return self.settle(attempt, number, &[], None);
        }
        let not_sent = |words: &str| NotSent { words: words.to_owned(), failure: None };
        if self.trouble.server && self.chance.one_in(6) {
            return self.settle(attempt, number, &[], Some(&not_sent("mx:25 is not reached")));
        }
        let manner = if self.trouble.server { Manner::drawn(&mut self.chance) } else { Manner::good() };
        self.note(format_args!("mail {number} is tried: {manner:?}"));
        let now = self.now();
        match Sending::begin(attempt, number, manner, now) {
            Ok((sending, told)) => {
                if let Some(process) = &mut self.process {
                    process.sendings.push(sending);
                    let at = process.sendings.len() - 1;
                    self.tell(at, told)?;
                }
                Ok(())
            }
            Err((attempt, why)) => self.settle(*attempt, number, &[], Some(&why)),
        }
    }

    /// Something happens on a link to the server.
    fn carry(&mut self) -> Result<(), Wrong> {
        let now = self.now();
        let Some(process) = &mut self.process else { return Ok(()) };
        if process.sendings.is_empty() {
            return Ok(());
        }
        let at = self.chance.count(0, process.sendings.len() - 1);
        let Some(sending) = process.sendings.get_mut(at) else { return Ok(()) };
        let told = sending.step(&mut self.chance, now, self.trouble.server);
        self.tell(at, told)
    }

    fn is_moving(&self) -> bool {
        let now = self.now();
        self.process.as_ref().is_some_and(|process| process.sendings.iter().any(|it| it.is_moving(now)))
    }

    /// What a link has told.
    fn tell(&mut self, at: usize, told: Told) -> Result<(), Wrong> {
        if let Some(taken) = &told.taken {
            self.note(format_args!("the server has {} octets for {:?}", taken.text.len(), taken.recipients));
            self.lived.sent += 1;
            self.laws.taken(&self.machine.hardware(), taken)?;
        }
        if let Some(number) = self.process.as_ref().and_then(|it| it.sendings.get(at)).map(|it| it.number) {
            self.laws.refused(number, &told.refused);
        }
        let Some(process) = &mut self.process else { return Ok(()) };
        if self.machine.hardware().is_off() {
            // What was said then was not said.
            if let Some(sending) = process.sendings.get_mut(at) {
                sending.take_back(told.said);
            }
            return Ok(());
        }
        let Some(outcome) = told.outcome else { return Ok(()) };
        let sending = process.sendings.remove(at);
        let not_sent = outcome
            .err()
            .map(|failure| NotSent { words: format!("mx:25 {failure}"), failure: Some(failure) });
        let Sending { attempt, number, have_it, .. } = sending;
        self.settle(attempt, number, &have_it, not_sent.as_ref())
    }

    fn settle(
        &mut self,
        attempt: Attempt,
        number: usize,
        have_it: &[String],
        not_sent: Option<&NotSent>,
    ) -> Result<(), Wrong> {
        let id = attempt.id().to_string();
        let failures = self.machine.hardware().failures;
        let words = not_sent.map_or("sent", |not_sent| &not_sent.words).to_owned();
        attempt.settle(not_sent);
        self.note(format_args!("mail {number} is settled: {words}"));
        let hardware = self.machine.hardware();
        if hardware.is_off() || hardware.failures > failures {
            return Ok(());
        }
        self.laws.settled(&hardware, &id, number, have_it, not_sent.is_none())
    }

    /// A line hands mail over.
    fn arrive(&mut self) {
        let now = self.now();
        let Some(process) = &mut self.process else { return };
        if process.arrivals.is_empty() || (process.arrivals.len() < 2 && self.chance.one_in(4)) {
            if self.laws.mails.len() >= self.mails_max {
                return;
            }
            let number = self.laws.mails.len();
            let mail = draw_mail(&mut self.chance, number);
            let call = Call {
                protocol: Protocol::Smtp,
                server: "smtp.server.com".to_owned(),
                port: 25,
                user: None,
                sender: Some("panel@server.com".to_owned()),
                recipients: Vec::new(),
            };
            if let Ok(server) = process.entrance.server(mail.upstream, "line", &call) {
                process.arrivals.push(Arrival::new(number, server, &mail, &mut self.chance));
                self.laws.mails.push(mail);
            }
            return;
        }
        let at = self.chance.count(0, process.arrivals.len() - 1);
        let Some(arrival) = process.arrivals.get_mut(at) else { return };
        let number = arrival.number;
        let heard = if self.trouble.server && self.chance.one_in(40) {
            Heard::Refused("the line gave it up".to_owned())
        } else {
            arrival.step(Instant::from_ms(u64::try_from(now.as_millis()).unwrap_or_default()))
        };
        if self.machine.hardware().is_off() {
            return;
        }
        match heard {
            Heard::Nothing => {}
            Heard::Refused(why) => {
                process.arrivals.remove(at);
                self.note(format_args!("mail {number} is not taken: {why}"));
            }
            Heard::Accepted(id) => {
                process.arrivals.remove(at);
                self.lived.accepted += 1;
                self.note(format_args!("mail {number} is taken, as {id}"));
                self.laws.accepted(number, id, now);
            }
        }
    }

    /// How long nothing happens by itself.
    fn until_something(&self) -> u64 {
        let Some(process) = &self.process else { return 0 };
        let hardware = self.machine.hardware();
        let busy: BTreeSet<String> =
            process.sendings.iter().map(|sending| sending.attempt.upstream().to_owned()).collect();
        let next_try = process.queue.next_try(&busy).map(|at| hardware.until(at));
        let deadlines =
            process.sendings.iter().filter_map(|sending| sending.until_deadline(hardware.elapsed()));
        // With nothing to wait for, some time.
        let least = deadlines.chain(next_try).min().unwrap_or(self.settings.retry_wait_max * 2);
        u64::try_from(least.as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Time goes by.
    fn pass(&mut self, ms: u64) {
        self.machine.hardware().advance(Duration::from_millis(ms));
    }

    /// The owner wants something done with a mail.
    fn order(&mut self) {
        let Ok(queued) = self.laws.queued(&self.machine.hardware()) else { return };
        let Some((id, state, number, _)) = self.chance.pick_from(&queued) else { return };
        let removal = self.chance.one_in(4);
        self.give_order(id, state, *number, removal);
    }

    fn give_order(&mut self, id: &str, state: &str, number: usize, removal: bool) {
        // As its owner sees it.
        let word = match state {
            _ if removal => "remove",
            "unknown" => "resend",
            _ => "retry",
        };
        self.note(format_args!("the owner's order: {word} {id}"));
        self.laws.ordered(number, word);
        self.machine.hardware().put(&directory().join("orders").join(format!("{word}.{id}")));
    }

    fn spoil_disk(&mut self) {
        let fails_one_in = self.chance.pick(&[0, 0, 5, 20]);
        let is_full = self.chance.one_in(3);
        self.note(format_args!("the disk is full: {is_full}, and fails one time in {fails_one_in}"));
        let mut hardware = self.machine.hardware();
        (hardware.fails_one_in, hardware.is_full) = (fails_one_in, is_full);
    }

    fn set_clock(&mut self) {
        let by =
            self.chance.pick(&[-400_000_000_000, -86_400_000, -3_600_000, 60_000, 3_600_000, 40_000_000_000]);
        self.note(format_args!("the clock is set by {by} ms"));
        self.laws.is_clock_set = true;
        self.machine.hardware().set_clock(by);
    }

    /// The program ends: it `is_killed`, or told to.
    fn end(&mut self, is_killed: bool) -> Result<(), Wrong> {
        self.note(format_args!("{}", if is_killed { "the program is killed" } else { "the program ends" }));
        self.lived.cuts += u64::from(is_killed);
        self.leave_links()?;
        if is_killed {
            self.machine.hardware().switch_off();
        }
        self.process = None;
        self.laws.set_open(false);
        self.machine.hardware().go_on();
        Ok(())
    }

    fn lose_power(&mut self) -> Result<(), Wrong> {
        self.note(format_args!("the power goes"));
        self.lived.cuts += 1;
        self.leave_links()?;
        self.process = None;
        self.laws.set_open(false);
        self.machine.hardware().come_back();
        self.note(format_args!("the power comes back"));
        Ok(())
    }

    /// What was on its way to the server comes there, or not.
    fn leave_links(&mut self) -> Result<(), Wrong> {
        let sendings = self.process.as_mut().map(|process| std::mem::take(&mut process.sendings));
        // What is done with them from here on is done by nobody.
        let was_off = self.machine.hardware().is_off();
        self.machine.hardware().switch_off();
        for mut sending in sendings.into_iter().flatten() {
            if let Some(taken) = sending.leave(&mut self.chance) {
                self.note(format_args!("the server has {} octets all the same", taken.text.len()));
                self.lived.sent += 1;
                self.laws.taken(&self.machine.hardware(), &taken)?;
            }
        }
        if !was_off {
            self.machine.hardware().go_on();
        }
        for mail in &mut self.laws.mails {
            mail.idle_since = None;
            mail.is_to_be_tried = false;
        }
        Ok(())
    }

    /// The trouble is over: all that waits has to come to its end.
    fn calm_down(&mut self) -> Result<(), Wrong> {
        self.note(format_args!("from here on all is well"));
        self.trouble = Trouble { server: false, power: false, disk: false, clock: false, owner: false };
        {
            let mut hardware = self.machine.hardware();
            (hardware.fails_one_in, hardware.is_full) = (0, false);
        }
        self.mails_max = 0;
        self.hold()?;
        let queued = self.laws.queued(&self.machine.hardware())?;
        let is_strange = queued.iter().any(|(_, _, number, _)| !self.is_accepted(*number));
        if is_strange || self.process.as_ref().is_some_and(|process| !process.is_whole) {
            // An envelope that could not be read is told of, and left to the next start. So is a mail that was refused, of
            // which the name could not be removed.
            self.end(false)?;
        }
        for _ in 0..CALM_STEPS_MAX {
            self.hold()?;
            if self.process.is_none() {
                self.begin()?;
            }
            if let Some(process) = &mut self.process {
                process.arrivals.clear();
            }
            self.work()?;
            while self.is_moving() {
                self.carry()?;
                self.work()?;
                self.hold()?;
            }
            self.hold()?;
            if self.process.is_none() {
                continue;
            }
            let queued = self.laws.queued(&self.machine.hardware())?;
            let is_done = self.process.as_ref().is_some_and(|process| process.queue.taken() == (0, 0));
            if queued.is_empty() && is_done {
                return self.end_well();
            }
            for (id, state, number, _) in queued.iter() {
                if *state == "unknown" {
                    let removal = self.chance.one_in(3);
                    self.give_order(id, state, *number, removal);
                }
            }
            let by = self.until_something();
            self.pass(by);
        }
        Err("the queue does not become empty".to_owned())
    }

    fn end_well(&mut self) -> Result<(), Wrong> {
        self.machine.hardware().switch_off();
        self.hold()?;
        self.begin()?;
        self.hold()
    }
}

fn draw_mail(chance: &mut Chance, number: usize) -> Mail {
    let mut text = format!("Message-ID: <{number}@panel>\r\n\r\n{}\r\n.a dot\r\n", chance.word(8));
    // More than is read from the disk at once, at times.
    let lines = chance.pick(&[0, 0, 1, 5, 20, 20, 120]);
    let lines = if chance.one_in(40) { 1_000 } else { lines };
    for _ in 0..lines {
        text += "seventy octets of a line, as there are many in a mail that is a long one.\r\n";
    }
    let recipients = (0..chance.count(1, 3)).map(|at| Recipient::new(format!("r{at}@b{number}")));
    let recipients = recipients.collect();
    Mail::new(chance.pick(&UPSTREAMS), text.into_bytes(), recipients)
}
