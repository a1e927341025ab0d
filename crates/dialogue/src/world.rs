//! A world in memory: a modem, its drives, the sandbox or a scripted server, and a clock that only moves when told.

use mail::machine::{Input as LinkInput, Instant, Output as LinkOutput};
use modem::clock::Calendar;
use modem::drive::Letter;
use modem::drive::memory::MemoryDrive;
use modem::modem::{Input, LinkId, Modem, Obstacle, ObstacleKind, Output, Protocol, Traced};
use modem::route::Route;
use modem::settings::Settings;
use sandbox::mailbox::MemoryMailboxes;
use sandbox::provider::{Connection, DialTrouble, Provider, Service};
use std::collections::BTreeMap;
use std::time::Duration;

use crate::script::{Fate, Opening};

/// The size of each drive, unless told otherwise.
pub const DRIVE_OCTETS_MAX: u64 = 64 * 1024 * 1024;

/// What a modem is switched on with.
#[derive(Clone, Debug)]
pub struct PowerOn {
    /// The modem's settings.
    pub settings: Settings,
    /// Its clock.
    pub calendar: Calendar,
    /// Whether the sandbox has its first mails.
    pub first_mails: bool,
    /// Whether a storage card is in.
    pub card: bool,
    /// The size of drive C:.
    pub drive_c_octets_max: u64,
    /// The size of the storage card.
    pub drive_d_octets_max: u64,
    /// Whether every octet, typed and received, comes alone.
    pub octet_by_octet: bool,
}

/// See the module's words.
pub struct World {
    now: Instant,
    modem: Modem,
    octet_by_octet: bool,
    shown: Vec<u8>,
    reports: Vec<String>,
    done: Vec<String>,
    traced: Vec<Traced>,
    speed: Option<u32>,
    is_off: bool,
    provider: Provider,
    mailboxes: MemoryMailboxes,
    drive_c: MemoryDrive,
    drive_d: MemoryDrive,
    /// Links to the sandbox.
    connections: BTreeMap<LinkId, Connection>,
    scripted: Option<Scripted>,
    drains: bool,
    terminal_takes: bool,
}

/// A server whose words are written down.
struct Scripted {
    opening: Opening,
    link: Option<LinkId>,
    is_open: bool,
    /// The one that the modem ended last.
    ended: Option<LinkId>,
    sent: Vec<u8>,
}

impl World {
    /// Switches the modem on.
    #[must_use]
    pub fn new(power_on: PowerOn) -> Self {
        let PowerOn { settings, calendar, first_mails, card, octet_by_octet, .. } = power_on;
        let now = Instant::POWER_ON;
        let drive_c = MemoryDrive::new(Letter::C.name_case(), power_on.drive_c_octets_max);
        let drive_d = MemoryDrive::new(Letter::D.name_case(), power_on.drive_d_octets_max);
        let mailboxes = MemoryMailboxes::default();
        if first_mails {
            // Memory has room for them.
            let _ = sandbox::first_mails::deliver(&mailboxes);
        }
        let card = card.then(|| Box::new(drive_d.clone()) as _);
        let mut world = Self {
            now,
            modem: Modem::power_on(settings, Box::new(drive_c.clone()), card, calendar, now),
            octet_by_octet,
            shown: Vec::new(),
            reports: Vec::new(),
            done: Vec::new(),
            traced: Vec::new(),
            speed: None,
            is_off: false,
            provider: Provider::new(mailboxes.clone(), sandbox::provider::Settings::default()),
            mailboxes,
            drive_c,
            drive_d,
            connections: BTreeMap::new(),
            scripted: None,
            drains: true,
            terminal_takes: true,
        };
        world.settle();
        world
    }

    /// What the modem has shown and nobody has looked at.
    pub fn shown(&mut self) -> &mut Vec<u8> {
        &mut self.shown
    }

    /// What the modem has reported for the log.
    #[must_use]
    pub fn reports(&self) -> &[String] {
        &self.reports
    }

    /// What the modem has told the log of mails that went, or were saved.
    #[must_use]
    pub fn done(&self) -> &[String] {
        &self.done
    }

    /// What the modem has had to say for a trace.
    #[must_use]
    pub fn traced(&self) -> &[Traced] {
        &self.traced
    }

    /// The line's speed that the modem has asked for since nobody looked.
    pub const fn take_speed(&mut self) -> Option<u32> {
        self.speed.take()
    }

    /// Presses the power key. `None`: the modem is on.
    pub fn press_power_key(&mut self) -> Option<()> {
        std::mem::take(&mut self.is_off).then_some(())?;
        self.modem.handle(Input::PowerKey, self.now);
        self.settle();
        Some(())
    }

    /// A drive, to put files on or take them off.
    #[must_use]
    pub const fn drive(&self, letter: Letter) -> &MemoryDrive {
        match letter {
            Letter::C => &self.drive_c,
            Letter::D => &self.drive_d,
        }
    }

    /// What the sandbox holds.
    #[must_use]
    pub const fn mailboxes(&self) -> &MemoryMailboxes {
        &self.mailboxes
    }

    /// The terminal sends octets.
    pub fn type_octets(&mut self, octets: &[u8]) {
        for portion in self.portions(octets) {
            self.modem.handle(Input::Typed(portion), self.now);
            self.settle();
        }
    }

    /// Puts the storage card in, or pulls it out.
    pub fn set_card(&mut self, is_in: bool) {
        if is_in {
            self.drive_d.insert();
            self.modem.handle(Input::CardInserted(Box::new(self.drive_d.clone())), self.now);
        } else {
            self.drive_d.pull();
            self.modem.handle(Input::CardRemoved, self.now);
        }
        self.settle();
    }

    /// The terminal lowers its DTR.
    pub fn lower_dtr(&mut self) {
        self.modem.handle(Input::DtrLowered, self.now);
        self.settle();
    }

    /// Lets time pass: deadlines in it come at their time.
    pub fn wait(&mut self, wait: Duration) {
        let end = self.now + wait;
        while let Some(at) = self.next_deadline().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            if self.modem.deadline().is_some_and(|deadline| deadline <= self.now) {
                self.modem.handle(Input::DeadlinePassed, self.now);
            }
            for connection in self.connections.values_mut() {
                if connection.deadline().is_some_and(|deadline| deadline <= self.now) {
                    connection.handle(LinkInput::DeadlinePassed, self.now);
                }
            }
            self.settle();
        }
        self.now = end;
    }

    fn next_deadline(&self) -> Option<Instant> {
        let connections = self.connections.values().filter_map(|connection| connection.deadline());
        connections.chain(self.modem.deadline()).min()
    }

    /// From here on servers are scripted.
    pub fn script_servers(&mut self, opening: Opening) {
        self.scripted = Some(Scripted { opening, link: None, is_open: false, ended: None, sent: Vec::new() });
    }

    /// Decides what becomes of the held connection. `None`: there is none.
    pub fn decide(&mut self, fate: Fate) -> Option<()> {
        let link = self.scripted.as_ref()?.link.filter(|_| !self.scripted_is_open())?;
        let not_opened =
            |kind, words: &str| Input::Obstructed(link, Obstacle { kind, words: words.to_owned() });
        let input = match fate {
            Fate::Open => {
                self.scripted.as_mut()?.is_open = true;
                Input::Opened(link, Route::default())
            }
            Fate::Refused => not_opened(ObstacleKind::Network, "connection refused"),
            Fate::Unresolved => not_opened(ObstacleKind::Network, "name not resolved"),
            Fate::NoTls => not_opened(ObstacleKind::Tls, "TLS handshake failed"),
        };
        self.modem.handle(input, self.now);
        self.settle();
        Some(())
    }

    /// The scripted server sends octets. `None`: there is no open connection.
    pub fn serve(&mut self, octets: &[u8]) -> Option<()> {
        self.arrive(self.scripted_link()?, octets);
        Some(())
    }

    /// Octets arrive on the connection that the modem ended last. `None`: there is none.
    pub fn serve_late(&mut self, octets: &[u8]) -> Option<()> {
        self.arrive(self.scripted.as_ref()?.ended?, octets);
        Some(())
    }

    fn arrive(&mut self, link: LinkId, octets: &[u8]) {
        for portion in self.portions(octets) {
            self.modem.handle(Input::Link(link, LinkInput::Received(portion)), self.now);
            self.settle();
        }
    }

    /// The scripted server ends the connection. `None`: there is none.
    pub fn hang_up(&mut self) -> Option<()> {
        let link = self.scripted_link()?;
        self.modem.handle(Input::Link(link, LinkInput::Closed), self.now);
        self.settle();
        Some(())
    }

    /// What the modem has sent to the scripted server and nobody has looked at.
    pub fn sent(&mut self) -> Option<&mut Vec<u8>> {
        self.scripted.as_mut().map(|scripted| &mut scripted.sent)
    }

    /// Whether there is an open connection to a scripted server.
    #[must_use]
    pub fn scripted_is_open(&self) -> bool {
        self.scripted.as_ref().is_some_and(|scripted| scripted.is_open)
    }

    /// Whether the network takes what the modem sends to a scripted server.
    pub fn set_drains(&mut self, drains: bool) {
        self.drains = drains;
        if let Some(link) = self.scripted_link().filter(|_| drains) {
            self.modem.handle(Input::Link(link, LinkInput::Drained), self.now);
            self.settle();
        }
    }

    /// Whether the terminal takes what is shown: the modem is told so, or not.
    pub fn set_terminal_takes(&mut self, takes: bool) {
        self.terminal_takes = takes;
        if takes {
            self.modem.handle(Input::Shown, self.now);
            self.settle();
        }
    }

    fn scripted_link(&self) -> Option<LinkId> {
        self.scripted.as_ref().filter(|scripted| scripted.is_open)?.link
    }

    /// Does what the modem and the servers want done, until nobody wants anything.
    fn settle(&mut self) {
        loop {
            if let Some(output) = self.modem.poll() {
                self.carry_out(output);
            } else if !self.pump_connections() {
                return;
            }
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Show(octets) => {
                self.shown.extend_from_slice(&octets);
                if self.terminal_takes {
                    self.modem.handle(Input::Shown, self.now);
                }
            }
            Output::Speed(speed) => self.speed = Some(speed),
            Output::PoweredOff => self.is_off = true,
            // The power never goes off here without the modem knowing.
            Output::Profile(_) => {}
            // What is typed is no token.
            Output::LogInRefused(_) => {}
            Output::Trace(traced) => self.traced.push(traced),
            Output::Report(words) => self.reports.push(words),
            Output::Done(words) => self.done.push(words),
            Output::Open { link, call } => self.open(link, call.protocol, &call.server),
            Output::Transmit(link, octets) => {
                if let Some(scripted) = self.scripted.as_mut().filter(|scripted| scripted.link == Some(link))
                {
                    scripted.sent.extend_from_slice(&octets);
                    if self.drains {
                        self.modem.handle(Input::Link(link, LinkInput::Drained), self.now);
                    }
                } else {
                    for portion in self.portions(&octets) {
                        if let Some(connection) = self.connections.get_mut(&link) {
                            connection.handle(LinkInput::Received(portion), self.now);
                        }
                    }
                    self.modem.handle(Input::Link(link, LinkInput::Drained), self.now);
                }
            }
            // No server in memory speaks TLS: the handshake fails.
            Output::StartTls(link) => self.modem.handle(Input::Link(link, LinkInput::Closed), self.now),
            // There is nothing between the modem and a server that could hold anything back.
            Output::Close(link) | Output::Abort(link) => {
                if let Some(scripted) = self.scripted.as_mut().filter(|scripted| scripted.link == Some(link))
                {
                    scripted.is_open = false;
                    scripted.ended = scripted.link.take();
                }
                if let Some(mut connection) = self.connections.remove(&link) {
                    connection.handle(LinkInput::Closed, self.now);
                }
            }
        }
    }

    fn open(&mut self, link: LinkId, protocol: Protocol, server: &str) {
        if let Some(scripted) = &mut self.scripted {
            scripted.link = Some(link);
            scripted.is_open = scripted.opening == Opening::Open;
            if scripted.is_open {
                self.modem.handle(Input::Opened(link, Route::default()), self.now);
            }
            return;
        }
        let service = match protocol {
            Protocol::Smtp => Service::Smtp,
            Protocol::Pop3 => Service::Pop3,
        };
        let input = match self.provider.connect(service, server) {
            Ok(mut connection) => {
                connection.handle(LinkInput::Opened, self.now);
                self.connections.insert(link, connection);
                Input::Opened(link, Route::default())
            }
            Err(trouble) => {
                let words = match trouble {
                    DialTrouble::Unresolved => "name not resolved",
                    DialTrouble::Refused => "connection refused",
                };
                Input::Obstructed(link, Obstacle { kind: ObstacleKind::Network, words: words.to_owned() })
            }
        };
        self.modem.handle(input, self.now);
    }

    /// Carries what the sandbox's servers say. False: they are silent.
    fn pump_connections(&mut self) -> bool {
        let mut said = Vec::new();
        for (&link, connection) in &mut self.connections {
            while let Some(output) = connection.poll() {
                said.push((link, output));
            }
        }
        let any = !said.is_empty();
        for (link, output) in said {
            match output {
                LinkOutput::Transmit(octets) => {
                    for portion in self.portions(&octets) {
                        self.modem.handle(Input::Link(link, LinkInput::Received(portion)), self.now);
                    }
                    if let Some(connection) = self.connections.get_mut(&link) {
                        connection.handle(LinkInput::Drained, self.now);
                    }
                }
                LinkOutput::Close | LinkOutput::Abort | LinkOutput::StartTls => {
                    self.connections.remove(&link);
                    self.modem.handle(Input::Link(link, LinkInput::Closed), self.now);
                }
                LinkOutput::Event(never) => match never {},
            }
        }
        any
    }

    /// The portions that octets arrive in.
    fn portions<'a>(&self, octets: &'a [u8]) -> std::slice::Chunks<'a, u8> {
        octets.chunks(if self.octet_by_octet { 1 } else { octets.len().max(1) })
    }
}
