//! Switching on and off, and whether there is a network (commands.md §5).
//!
//! Not here: the commands that do it ([`crate::command`]).

use super::reporting::Outcome;
use super::{Activity, Modem, Output, TypeAhead, Urcs};
use crate::command::Power;
use crate::command::network::Network;
use crate::inbox::Inbox;
use crate::outbox::Outbox;
use crate::terminal::Code;
use crate::terminal::editor::Editor;
use mail::machine::{Input as LinkInput, Instant};
use mail::secret::Secret;

/// What a module says as it comes up, when its owner wants to hear it.
const BOOT_URCS: [&str; 4] = ["START", "+CPIN: READY", "SMS DONE", "PB DONE"];

impl Modem {
    /// Says OK and goes off. Everything but the clock, the files, and what AT&W stored is forgotten.
    pub(super) fn go_off(&mut self, power: Power) {
        self.finish(Code::Ok);
        self.flush();
        self.stop_sending();
        self.stop_session();
        // Each field by name, so that none is forgotten.
        let Self {
            settings: _,
            kept: _,
            clock: _,
            speed: _,
            links_opened: _,
            mails_composed: _,
            outputs: _,
            activity: _,
            // A line has just ended, so none is begun; an LF that is still to come belongs to it.
            terminal: _,
            network,
            files,
            outbox,
            inbox,
            last_failure,
            reading,
            copying,
            type_ahead,
            last_line,
            urcs,
        } = self;
        *network = Network::default();
        files.power_on();
        *outbox = Outbox::new();
        *inbox = Inbox::default();
        *last_failure = Outcome::default();
        *reading = None;
        *copying = None;
        *type_ahead = TypeAhead::default();
        *last_line = Secret::default();
        *urcs = Urcs::default();
        match power {
            Power::Restart => self.boot(),
            Power::Off => {
                self.terminal.editor = Editor::default();
                self.activity = Activity::Off;
                self.outputs.push_back(Output::PoweredOff);
            }
        }
    }

    pub(super) fn on_power_key(&mut self) {
        if matches!(self.activity, Activity::Off) {
            self.boot();
        }
    }

    /// The power comes on.
    pub(super) fn boot(&mut self) {
        self.activity = Activity::Ready;
        self.kept.power_on();
        self.terminal.configure(&self.kept);
        self.tell_speed();
        if self.settings.boot_urcs {
            for line in BOOT_URCS {
                self.terminal.say(&[line]);
            }
            self.flush();
        }
    }

    /// Has the line's speed changed, if AT+IPR wants another.
    pub(super) fn tell_speed(&mut self) {
        let speed = self.kept.number("+IPR", 0);
        if std::mem::replace(&mut self.speed, speed) != speed && speed != 0 {
            self.flush();
            self.outputs.push_back(Output::Speed(speed));
        }
    }

    /// Whether there is a network: AT+CFUN has not switched it off, nor AT+COPS left it.
    pub(crate) fn is_registered(&self) -> bool {
        self.kept.number("+CFUN", 0) == 1 && self.kept.number("+COPS", 0) != 2
    }

    /// Whether mail finds a way out.
    pub(crate) fn can_open_links(&self) -> bool {
        let cid = self.kept.number("+CSOCKSETPN", 0);
        self.is_registered() && (self.network.has_context(cid) || !self.settings.require_pdp_context)
    }

    /// The network is gone, and every link with it. What stands already of an outcome stays.
    pub(crate) fn cut_links(&mut self, now: Instant) {
        self.outputs
            .extend([self.sending_link(), self.session_link()].into_iter().flatten().map(Output::Abort));
        self.on_sending_link(LinkInput::Closed, now);
        self.on_network_left(now);
    }

    /// Whether the e-mail application is busy: a mail is being sent, or a POP3 session is open (note §5).
    pub(crate) fn is_mailing(&self) -> bool {
        self.is_sending() || self.inbox.is_open()
    }
}
