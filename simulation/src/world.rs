//! One world: everything that is drawn from its seed, and what happens in it in the order of its time.
//!
//! Not here: what must hold ([`crate::laws`]), what a host wants ([`crate::host`]), and how links behave
//! ([`crate::link`]).

use crate::chance::Chance;
use crate::ground::Ground;
use crate::host::{Deed, Host, Knowledge, Manner};
use crate::laws::{Laws, shows_files};
use crate::liar::{Liar, Lie};
use crate::limits::{EVENTS_MAX, WORLD_MAX};
use crate::link::{Carried, Far, Fate, Link};
use crate::mails;
use crate::provider::Office;
use crate::queue;
use crate::reading::{Wrong, is_beyond_reading};
use crate::secrets::Secrets;
use crate::transcript::Transcript;
use dialogue::play::CALENDAR;
use mail::machine::{Input as LinkInput, Instant, Output as LinkOutput};
use modem::drive::Letter;
use modem::drive::memory::MemoryDrive;
use modem::modem::{Input, LinkId, Modem, Obstacle, ObstacleKind, Output, Protocol};
use modem::route::{Call, Route};
use modem::settings::{BadRecipient, Settings};
use sandbox::provider::{DialTrouble, Service};
use std::collections::BTreeMap;
use std::time::Duration;

/// Where a world broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("seed {seed}: after {ms} ms: {words}")]
pub struct Broken {
    /// The world's seed.
    pub seed: u64,
    /// When.
    pub ms: u64,
    /// Which law, and how.
    pub words: String,
}

/// What a world was like that did not break.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lived {
    /// How many lines were answered.
    pub answers: u64,
    /// How many sends had an outcome.
    pub sends: u64,
    /// How many of them had SUCCESS.
    pub successes: u64,
    /// How many mails were saved.
    pub saves: u64,
    /// How many mails AT+POP3OUT has deleted.
    pub deletes: u64,
    /// How many events there were.
    pub events: u64,
    /// What its queue was like.
    pub queue: queue::Lived,
}

/// What may happen.
#[derive(Debug)]
enum Event {
    /// The host does something.
    Host,
    /// Typed octets arrive.
    Typed(Vec<u8>),
    /// The terminal has taken what was shown.
    Taken,
    /// A link opens, or does not.
    Opens(u64),
    /// The wire to the modem brings something.
    Down(u64, Carried),
    /// The wire from the modem does.
    Up(u64, Carried),
    /// The network takes what is unsent.
    Drains(u64),
    /// A liar does what it meant to do.
    Lies(u64, Lie),
    /// The storage card is pulled, or put in.
    Card(bool),
    /// The power goes, and comes back.
    PowerCut,
    /// A deadline is told that is not here yet.
    EarlyDeadline,
}

/// What a world does to typed octets.
#[derive(Clone, Copy, Debug)]
struct Line {
    /// Octets that arrive together at most.
    portion_octets_max: usize,
    /// Between portions.
    gap_ms: u64,
    /// One octet in so many is dropped, changed, or has noise before it; 0: none.
    noise_one_in: u64,
}

struct World<'a> {
    chance: Chance,
    now: Instant,
    modem: Modem,
    settings: Settings,
    laws: Laws,
    ground: Ground,
    host: Host,
    knowledge: Knowledge,
    line: Line,
    line_until: Instant,
    events: BTreeMap<(Instant, u64), Event>,
    events_made: u64,
    links_by_id: BTreeMap<LinkId, u64>,
    worst: u64,
    lateness: Duration,
    takes_after_ms: u64,
    is_taking: bool,
    card_is_in: bool,
    transcript: &'a mut Transcript,
}

/// Lives through the world of `seed`.
///
/// # Errors
/// Where it broke.
pub fn live(seed: u64, transcript: &mut Transcript) -> Result<Lived, Broken> {
    let mut world = World::new(seed, transcript);
    let result = world.live();
    let ms = world.now.as_ms();
    result.map_err(|words| {
        world.transcript.note(world.now, &format!("broken: {words}"));
        Broken { seed, ms, words }
    })
}

impl<'a> World<'a> {
    fn new(seed: u64, transcript: &'a mut Transcript) -> Self {
        let mut chance = Chance::new(seed);
        // What kind of world it is: 0 all goes well, 1 honest servers on a bad network, 2 anything.
        let worst = chance.pick(&[0, 1, 1, 2, 2]);
        let settings = Settings {
            trace: chance.one_in(2),
            boot_urcs: chance.one_in(4),
            mask_passwords: chance.one_in(4),
            apop: chance.one_in(3),
            bad_recipient: if chance.one_in(3) { BadRecipient::Skip } else { BadRecipient::Fail },
            hello_name: "modem.example".to_owned(),
            nonce: seed,
            ..Settings::default()
        };
        let passwords = vec![
            ("smtpuser".to_owned(), format!("s{}", chance.word(11))),
            ("un".to_owned(), format!("p{}", chance.word(11))),
        ];
        let room = |chance: &mut Chance| chance.pick(&[8_000_000, 8_000_000, 8_000_000, 400_000, 20_000]);
        let (c, d) = (room(&mut chance), room(&mut chance));
        let mut ground = Ground {
            c: MemoryDrive::new(Letter::C.name_case(), c),
            d: MemoryDrive::new(Letter::D.name_case(), d),
            links: BTreeMap::new(),
            office: Office::default(),
            plain: Vec::new(),
        };
        let mut knowledge = Knowledge {
            files: vec!["C:/missing.bin".to_owned()],
            passwords,
            likes_trouble: worst > 0 && chance.one_in(2),
        };
        for name in ["a.jpg", "b.txt", "Picture/c.bin", "d.bin"] {
            let size = chance.pick(&[0, 1, 56, 57, 58, 1_000, 9_000, 24_000, 70_000, 200_000]);
            let letter = if name == "d.bin" { Letter::D } else { Letter::C };
            if ground.drive(letter).add_file(name, &chance.octets(size), CALENDAR.unix_s).is_ok() {
                knowledge.files.push(format!("{letter}/{name}"));
            }
        }
        let mails = if chance.one_in(5) { chance.count(4, 24) } else { chance.count(0, 3) };
        for _ in 0..mails {
            let mail = mails::plain(&mut chance);
            // Memory has room for them.
            let _ = ground.office.put("un@server.com", &mail.octets);
            ground.plain.push(mail);
        }
        if worst > 0 {
            for _ in 0..chance.count(0, 2) {
                let _ = ground.office.put("un@server.com", &mails::odd(&mut chance));
            }
        }
        let card_is_in = chance.per_cent(70);
        if !card_is_in {
            ground.d.pull();
        }
        let manner = Manner {
            line_end: chance.pick(&["\r", "\r", "\r\n", "\n"]),
            impatience: chance.pick(&[0, 3, 10, 40]),
        };
        let line = Line {
            portion_octets_max: chance.pick(&[1, 3, 16, 100, usize::MAX, usize::MAX, usize::MAX]),
            gap_ms: chance.pick(&[0, 0, 1, 5, 300]),
            noise_one_in: if worst > 0 { chance.pick(&[0, 0, 0, 2_000, 400, 60]) } else { 0 },
        };
        let lateness = Duration::from_millis(chance.pick(&[0, 0, 3, 50]));
        let card = card_is_in.then(|| Box::new(ground.d.clone()) as _);
        let modem =
            Modem::power_on(settings.clone(), Box::new(ground.c.clone()), card, CALENDAR, Instant::POWER_ON);
        let host = Host::new(&mut chance, &knowledge, manner);
        let laws = Laws::new(&settings, Secrets::new(&knowledge.passwords), lateness);
        let takes_after_ms = chance.pick(&[0, 0, 0, 2, 700]);
        let mut world = Self {
            chance,
            now: Instant::POWER_ON,
            modem,
            settings,
            laws,
            ground,
            host,
            knowledge,
            line,
            line_until: Instant::POWER_ON,
            events: BTreeMap::new(),
            events_made: 0,
            links_by_id: BTreeMap::new(),
            worst,
            lateness,
            takes_after_ms,
            is_taking: false,
            card_is_in,
            transcript,
        };
        world.plan();
        world
    }

    /// What will happen by itself, whatever else does.
    fn plan(&mut self) {
        self.at(Duration::ZERO, Event::Host);
        if self.worst == 0 {
            return;
        }
        for _ in 0..self.chance.pick(&[0, 0, 0, 1, 2, 4]) {
            let after = self.chance.between(1, 90_000);
            let is_in = self.chance.one_in(2);
            self.at(Duration::from_millis(after), Event::Card(is_in));
        }
        for _ in 0..self.chance.pick(&[0, 0, 0, 0, 1, 2]) {
            let reach = self.chance.pick(&[300, 5_000, 90_000]);
            let after = self.chance.between(1, reach);
            self.at(Duration::from_millis(after), Event::PowerCut);
        }
        for _ in 0..self.chance.pick(&[0, 0, 5]) {
            let after = self.chance.between(1, 60_000);
            self.at(Duration::from_millis(after), Event::EarlyDeadline);
        }
    }

    fn at(&mut self, after: Duration, event: Event) {
        self.at_time(self.now + after, event);
    }

    fn at_time(&mut self, at: Instant, event: Event) {
        self.events_made += 1;
        self.events.insert((at.max(self.now), self.events_made), event);
    }

    fn live(&mut self) -> Result<Lived, Wrong> {
        self.settle()?;
        let mut events = 0;
        while let Some(at) = self.next_time() {
            events += 1;
            if events > EVENTS_MAX || at > Instant::POWER_ON + WORLD_MAX {
                return Err(format!("it does not end: {events} events in {} ms", at.as_ms()));
            }
            self.now = self.now.max(at);
            self.servers_deadlines();
            if self.modem.deadline().is_some_and(|deadline| deadline + self.lateness <= self.now) {
                self.modem.handle(Input::DeadlinePassed, self.now);
                self.settle()?;
                continue;
            }
            let is_here = self.events.first_key_value().is_some_and(|((at, _), _)| *at <= self.now);
            if is_here && let Some((_, event)) = self.events.pop_first() {
                self.happen(event)?;
            }
        }
        self.laws.end(&self.modem, &self.ground)?;
        let [sends, successes] = self.laws.outcomes;
        Ok(Lived {
            answers: self.laws.answers,
            sends,
            successes,
            saves: self.laws.saves,
            deletes: self.laws.deletes,
            events,
            queue: queue::Lived::default(),
        })
    }

    fn next_time(&self) -> Option<Instant> {
        let servers = self.ground.links.values().filter_map(|link| match &link.far {
            Far::Honest(connection) => connection.deadline(),
            Far::Nobody | Far::Liar(_) => None,
        });
        let event = self.events.first_key_value().map(|((at, _), _)| *at);
        let modem = self.modem.deadline().map(|deadline| deadline + self.lateness);
        // Servers that wait for a client that is gone are not waited for.
        let others = event.into_iter().chain(modem).min();
        others.map(|at| servers.chain([at]).min().unwrap_or(at))
    }

    fn servers_deadlines(&mut self) {
        let due: Vec<u64> = self
            .ground
            .links
            .iter()
            .filter(|(_, link)| {
                matches!(&link.far, Far::Honest(far) if far.deadline().is_some_and(|deadline| deadline <= self.now))
            })
            .map(|(number, _)| *number)
            .collect();
        for number in due {
            self.tell_server(number, LinkInput::DeadlinePassed);
        }
    }

    fn happen(&mut self, event: Event) -> Result<(), Wrong> {
        match event {
            Event::Host => return self.host_acts(),
            Event::Typed(octets) => {
                self.transcript.octets(self.now, "T>", &octets);
                self.modem.handle(Input::Typed(&octets), self.now);
                if self.laws.reading.wants_octets().is_some() {
                    self.laws.progress(self.now);
                }
                self.carry_out_all()?;
                self.laws.typed(&octets, &self.ground, self.now)?;
            }
            Event::Taken => {
                self.is_taking = false;
                if self.laws.reading.pending().is_some_and(shows_files) {
                    self.laws.progress(self.now);
                }
                self.modem.handle(Input::Shown, self.now);
            }
            Event::Opens(number) => self.opens(number),
            Event::Down(number, carried) => self.comes_down(number, carried),
            Event::Up(number, Carried::Octets(octets)) => {
                self.transcript.link(self.now, number, "at the server:", &octets);
                self.tell_server(number, LinkInput::Received(&octets));
            }
            Event::Up(number, Carried::Cut) => {
                self.tell_server(number, LinkInput::Closed);
                self.hang_up(number);
            }
            Event::Drains(number) => self.drains(number),
            Event::Lies(number, Lie::Say(octets)) => self.say(number, &octets),
            Event::Lies(number, Lie::HangUp) => self.hang_up(number),
            Event::Card(is_in) => self.card(is_in),
            Event::PowerCut => return self.power_cut(),
            Event::EarlyDeadline => self.modem.handle(Input::DeadlinePassed, self.now),
        }
        self.settle()
    }

    fn host_acts(&mut self) -> Result<(), Wrong> {
        if self.now < self.line_until {
            self.at_time(self.line_until, Event::Host);
            return Ok(());
        }
        let is_due = self.laws.is_due();
        let wait = match self.host.next(&self.laws.reading, is_due, &mut self.chance) {
            Deed::IsDone => return Ok(()),
            Deed::Waits(wait) => wait,
            Deed::Types(octets) => {
                self.types(&octets, self.line);
                Duration::from_millis(self.chance.pick(&[0, 1, 30, 600]))
            }
            Deed::TypesTruly(octets) => {
                self.types(&octets, Line { noise_one_in: 0, ..self.line });
                Duration::from_millis(10)
            }
            Deed::PressesPowerKey => {
                self.transcript.note(self.now, "the power key is pressed");
                self.laws.power_cut(&self.settings);
                self.modem.handle(Input::PowerKey, self.now);
                self.settle()?;
                Duration::from_millis(100)
            }
        };
        self.at_time(self.line_until.max(self.now + wait), Event::Host);
        Ok(())
    }

    /// Sends octets over the line to the modem.
    fn types(&mut self, octets: &[u8], line: Line) {
        let mut arriving = Vec::with_capacity(octets.len());
        for &octet in octets {
            match (line.noise_one_in > 0 && self.chance.one_in(line.noise_one_in))
                .then(|| self.chance.below(3))
            {
                Some(0) => {}
                Some(1) => arriving.extend([self.chance.octet(), octet]),
                Some(_) => arriving.push(self.chance.octet()),
                None => arriving.push(octet),
            }
        }
        if arriving != octets && arriving.split(|octet| b"\r\n".contains(octet)).any(is_beyond_reading) {
            arriving = octets.to_vec();
        }
        self.line_until = self.line_until.max(self.now);
        // A line that may wait, or that stops one that does, ends a portion: what is behind it is typed ahead.
        let upper = arriving.to_ascii_uppercase();
        let is_cut = ["STOP", "SEND", "READ", "TRAN"]
            .iter()
            .any(|word| upper.windows(word.len()).any(|part| part == word.as_bytes()));
        let lines: Vec<&[u8]> = if is_cut {
            arriving.split_inclusive(|octet| b"\r\n".contains(octet)).collect()
        } else {
            vec![&arriving]
        };
        // A long text octet by octet would be most of a world.
        let portion_octets_max = line.portion_octets_max.max(arriving.len() / 100 + 1);
        for portion in lines.iter().flat_map(|line| line.chunks(portion_octets_max)) {
            self.at_time(self.line_until, Event::Typed(portion.to_vec()));
            self.line_until = self.line_until + Duration::from_millis(line.gap_ms);
        }
    }

    fn opens(&mut self, number: u64) {
        let Some(link) = self.ground.links.get_mut(&number) else { return };
        if link.is_over {
            return;
        }
        let not_opened = |kind| Obstacle { kind, words: "as the seed has it".to_owned() };
        let obstacle = match link.fate {
            Fate::Silent => return,
            Fate::Closes => {
                link.is_over = true;
                link.is_lost = true;
                self.modem.handle(Input::Link(link.id, LinkInput::Closed), self.now);
                return;
            }
            Fate::Refused(kind) => Some(not_opened(kind)),
            Fate::Opens if link.is_liar => {
                link.far = Far::Liar(Liar::new(link.protocol, &mut self.chance, self.now));
                None
            }
            Fate::Opens => {
                let service = match link.protocol {
                    Protocol::Smtp => Service::Smtp,
                    Protocol::Pop3 => Service::Pop3,
                };
                let pipelining = self.chance.per_cent(70);
                match self.ground.office.connect(number, service, &link.server, pipelining) {
                    Ok(connection) => {
                        link.far = Far::Honest(connection);
                        None
                    }
                    Err(DialTrouble::Unresolved | DialTrouble::Refused) => {
                        Some(not_opened(ObstacleKind::Network))
                    }
                }
            }
        };
        if let Some(obstacle) = obstacle {
            link.is_over = true;
            link.is_lost = true;
            self.modem.handle(Input::Obstructed(link.id, obstacle), self.now);
            return;
        }
        link.is_open = true;
        link.progress = self.now;
        self.laws.progress(self.now);
        self.modem.handle(Input::Opened(link.id, Route::default()), self.now);
        self.tell_server(number, LinkInput::Opened);
    }

    fn comes_down(&mut self, number: u64, carried: Carried) {
        let Some(link) = self.ground.links.get_mut(&number) else { return };
        match carried {
            Carried::Octets(octets) => {
                self.transcript.link(
                    self.now,
                    number,
                    if link.is_over { "late:" } else { "from the server:" },
                    &octets,
                );
                if !link.is_over && link.receive(&octets) {
                    link.progress = self.now;
                    self.laws.progress(self.now);
                }
                if self.links_by_id.get(&link.id) == Some(&number) {
                    self.modem.handle(Input::Link(link.id, LinkInput::Received(&octets)), self.now);
                }
            }
            Carried::Cut => {
                self.transcript.note(self.now, &format!("link {number} ends"));
                link.is_lost = true;
                link.is_over = true;
                if self.links_by_id.get(&link.id) == Some(&number) {
                    self.modem.handle(Input::Link(link.id, LinkInput::Closed), self.now);
                }
                self.tell_server(number, LinkInput::Closed);
            }
        }
    }

    /// Tells the far end of a link something, and has done what it wants.
    fn tell_server(&mut self, number: u64, input: LinkInput<'_>) {
        let Some(link) = self.ground.links.get_mut(&number) else { return };
        match &mut link.far {
            Far::Nobody => {}
            Far::Liar(liar) => {
                if let LinkInput::Received(octets) = input {
                    liar.receive(octets, &mut self.chance, self.now);
                }
                let lies = liar.take();
                if input == LinkInput::Closed {
                    link.far = Far::Nobody;
                    return;
                }
                for (at, lie) in lies {
                    self.at_time(at, Event::Lies(number, lie));
                }
            }
            Far::Honest(connection) => {
                let delivered = self.ground.office.ledger().delivered.len();
                connection.handle(input, self.now);
                let mut outputs = Vec::new();
                while let Some(output) = connection.poll() {
                    outputs.push(output);
                    connection.handle(LinkInput::Drained, self.now);
                }
                if self.ground.office.ledger().delivered.len() > delivered {
                    link.reply_is_due = true;
                }
                if input == LinkInput::Closed {
                    link.far = Far::Nobody;
                    return;
                }
                for output in outputs {
                    match output {
                        LinkOutput::Transmit(octets) => self.say(number, &octets),
                        LinkOutput::Close | LinkOutput::Abort | LinkOutput::StartTls => self.hang_up(number),
                        LinkOutput::Event(never) => match never {},
                    }
                }
            }
        }
    }

    /// The far end says something.
    fn say(&mut self, number: u64, octets: &[u8]) {
        let Some(link) = self.ground.links.get_mut(&number) else { return };
        link.said += octets.len();
        if std::mem::take(&mut link.reply_is_due) {
            link.said_at_reply = Some(link.said);
        }
        for (at, carried) in link.down.carry(octets, self.now, &mut self.chance) {
            self.at_time(at, Event::Down(number, carried));
        }
    }

    /// The far end hangs up: what it has said arrives before.
    fn hang_up(&mut self, number: u64) {
        let Some(link) = self.ground.links.get_mut(&number) else { return };
        link.far = Far::Nobody;
        let at = link.down.arrival(self.now, &mut self.chance);
        self.at_time(at, Event::Down(number, Carried::Cut));
    }

    /// The network takes what was transmitted.
    fn drains(&mut self, number: u64) {
        let Some(link) = self.ground.links.get_mut(&number) else { return };
        if link.unsent.is_empty() || link.stuck_from.is_some_and(|from| link.taken >= from) {
            return;
        }
        for octets in std::mem::take(&mut link.unsent) {
            link.taken += 1;
            for (at, carried) in link.up.carry(&octets, self.now, &mut self.chance) {
                self.events_made += 1;
                self.events.insert((at.max(self.now), self.events_made), Event::Up(number, carried));
            }
        }
        if !link.is_over {
            // A portion of a message, that is; that a command is on its way is none.
            if link.is_in_data() {
                link.progress = self.now;
                self.laws.progress(self.now);
            }
            self.modem.handle(Input::Link(link.id, LinkInput::Drained), self.now);
        }
    }

    fn card(&mut self, is_in: bool) {
        if is_in == self.card_is_in {
            return;
        }
        self.card_is_in = is_in;
        self.transcript.note(self.now, if is_in { "the card is put in" } else { "the card is pulled" });
        if is_in {
            self.ground.d.insert();
            self.modem.handle(Input::CardInserted(Box::new(self.ground.d.clone())), self.now);
        } else {
            self.ground.d.pull();
            self.modem.handle(Input::CardRemoved, self.now);
        }
    }

    /// The power goes at once, and comes back: drives and mailboxes are what they are, and nothing else stays.
    fn power_cut(&mut self) -> Result<(), Wrong> {
        self.transcript.note(self.now, "the power is cut, and comes back");
        self.laws.power_cut(&self.settings);
        let standing: Vec<u64> =
            self.ground.links.iter().filter(|(_, link)| !link.is_over).map(|(number, _)| *number).collect();
        for number in standing {
            self.abandon(number);
        }
        self.links_by_id.clear();
        self.is_taking = false;
        self.events.retain(|_, event| !matches!(event, Event::Taken | Event::Typed(_)));
        let card = self.card_is_in.then(|| Box::new(self.ground.d.clone()) as _);
        self.modem =
            Modem::power_on(self.settings.clone(), Box::new(self.ground.c.clone()), card, CALENDAR, self.now);
        self.host.power_on(&mut self.chance, &self.knowledge);
        self.laws.progress(self.now);
        self.settle()
    }

    /// The modem's end of a link is gone without a word: what the network has not taken is not sent.
    fn abandon(&mut self, number: u64) {
        let Some(link) = self.ground.links.get_mut(&number) else { return };
        link.is_over = true;
        link.unsent.clear();
        let at = link.up.arrival(self.now, &mut self.chance);
        self.at_time(at, Event::Up(number, Carried::Cut));
    }

    /// Does what the modem wants done, and asks the laws.
    fn settle(&mut self) -> Result<(), Wrong> {
        self.carry_out_all()?;
        self.laws.settled(&self.modem, &self.ground, self.now)
    }

    fn carry_out_all(&mut self) -> Result<(), Wrong> {
        while let Some(output) = self.modem.poll() {
            self.carry_out(output)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, output: Output) -> Result<(), Wrong> {
        match output {
            Output::Show(octets) => {
                self.transcript.octets(self.now, "M>", &octets);
                self.laws.shows(&octets)?;
                if !std::mem::replace(&mut self.is_taking, true) {
                    self.at(Duration::from_millis(self.takes_after_ms), Event::Taken);
                }
            }
            // The line has no speed here; nobody stores a profile, or looks for another account.
            Output::Speed(_) | Output::Profile(_) | Output::LogInRefused(_) => {}
            Output::PoweredOff => self.laws.powered_off(),
            Output::Trace(traced) => self.laws.traces(&traced)?,
            Output::Report(words) => {
                self.transcript.note(self.now, &format!("log: {words}"));
                self.laws.reports(&words)?;
            }
            Output::Done(words) => {
                self.transcript.note(self.now, &format!("log: {words}"));
                self.laws.done(&words)?;
            }
            Output::Open { link, call } => self.asks_for_link(link, call)?,
            Output::Transmit(id, octets) => {
                let Some(&number) = self.links_by_id.get(&id) else {
                    return Err("octets are transmitted on no link".to_owned());
                };
                self.transcript.link(self.now, number, "modem:", &octets);
                let Some(link) = self.ground.links.get_mut(&number) else { return Ok(()) };
                if !link.is_open {
                    return Err("octets are transmitted on a link that does not stand".to_owned());
                }
                link.transmit(&octets);
                link.progress = self.now;
                self.laws.progress(self.now);
                let drain_ms = link.drain_ms;
                self.laws.transmits(number, link, &octets)?;
                self.at(Duration::from_millis(drain_ms), Event::Drains(number));
            }
            Output::StartTls(_) => return Err("TLS is begun, and nobody offers it".to_owned()),
            Output::Close(id) => {
                if let Some(&number) = self.links_by_id.get(&id) {
                    self.transcript.note(self.now, &format!("link {number} is closed"));
                    self.drains_and_ends(number);
                }
            }
            Output::Abort(id) => {
                if let Some(&number) = self.links_by_id.get(&id) {
                    self.transcript.note(self.now, &format!("link {number} is aborted"));
                    self.abandon(number);
                }
            }
        }
        Ok(())
    }

    /// The modem has closed a link: what it transmitted is sent, and then it ends.
    fn drains_and_ends(&mut self, number: u64) {
        let Some(link) = self.ground.links.get_mut(&number) else { return };
        link.is_over = true;
        if !link.is_lost {
            self.drains(number);
            self.abandon(number);
        }
    }

    fn asks_for_link(&mut self, id: LinkId, call: Call) -> Result<(), Wrong> {
        let Call { protocol, server, .. } = call;
        let number = u64::try_from(self.ground.links.len()).unwrap_or(u64::MAX) + 1;
        if self.links_by_id.insert(id, number).is_some() {
            return Err("a link's name is used twice".to_owned());
        }
        let mut link = Link::draw(id, protocol, server, &mut self.chance, self.worst);
        link.progress = self.now;
        self.transcript.note(
            self.now,
            &format!(
                "link {number} to {} ({protocol}): {:?} after {:?}, {}, up {:?}, down {:?}",
                link.server,
                link.fate,
                link.opens_after,
                if link.is_liar { "a liar" } else { "honest" },
                link.up,
                link.down
            ),
        );
        self.at(link.opens_after, Event::Opens(number));
        self.ground.links.insert(number, link);
        self.laws.progress(self.now);
        self.laws.opens(number, protocol)
    }
}
