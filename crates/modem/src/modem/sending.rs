//! A mail from AT+SMTPSEND to its outcome (note §3.2, §3.3).

use super::{LinkId, Modem, NO_NETWORK, Obstacle, ObstacleKind, Output, Protocol, SMTP, Traced};
use crate::command::Job;
use crate::outbox::draft::{Draft, FileContent, Server, bare_address, header_mailbox};
use crate::outbox::outcome::{Authentication, SUCCESS, failure_words};
use crate::outbox::{Sending, Stage};
use crate::route::{Call, Letter, Route, user_name};
use crate::terminal::Code;
use mail::limits::IDLE_MAX;
use mail::machine::{Input as LinkInput, Instant, Machine as _, Output as LinkOutput};
use mail::mime::compose::{self, Attachment, Message};
use mail::smtp::client::{Client, Event, Failure, Order, Step};
use mail::smtp::command::Path as ReversePath;

impl Modem {
    /// Whether a mail is being sent, as far as the terminal has been told. An outcome that waits for a line to be typed
    /// is none yet: what that line sets would look as if the outcome cleared it, and what it sends as if the outcome were
    /// its own.
    pub(crate) fn is_sending(&self) -> bool {
        self.outbox.is_sending() || self.urcs.tell_of(SMTP)
    }

    /// Composes the mail and opens the link.
    ///
    /// # Errors
    /// The line to show when there is nothing to do yet; no link was opened then.
    pub(crate) fn begin_sending(&mut self, now: Instant) -> Result<(), &'static str> {
        if self.is_sending() {
            return Err("+SMTP: ONGOING");
        }
        let letter = match self.letter(now) {
            Ok(letter) => letter,
            Err(reason) => return Err(self.not_begun("+SMTP: PARAM ERROR", reason)),
        };
        if !self.can_open_links() {
            return Err(self.not_begun("+SMTP: NETWORK ERROR", NO_NETWORK.to_owned()));
        }
        let link = self.new_link();
        let Server { name: server, port } = self.outbox.server.clone();
        let call = Call {
            protocol: Protocol::Smtp,
            server,
            port,
            user: self.outbox.credentials.as_ref().map(user_name),
            sender: Some(letter.sender.clone()),
            recipients: letter.recipients.clone(),
        };
        self.outbox.called = None;
        self.outbox.sending = Some(Sending { link, stage: Stage::Opening(Box::new(letter), now + IDLE_MAX) });
        self.outputs.push_back(Output::Open { link, call });
        Ok(())
    }

    /// The link of the mail that is being sent stands.
    pub(super) fn on_sending_opened(&mut self, route: Route, now: Instant) {
        let Some(sending) = self.outbox.sending.take() else { return };
        let Sending { link, stage: Stage::Opening(mut letter, _) } = sending else {
            // It was opened before.
            self.outbox.sending = Some(sending);
            return;
        };
        let Route { called, policy, nonce, account, rewriting } = route;
        self.outbox.called = called;
        rewriting.apply(&mut letter);
        let Letter { draft, sender, recipients } = *letter;
        let Ok(sender) = sender.parse() else {
            self.outputs.push_back(Output::Abort(link));
            return self.fail_sending(
                &Failure::SenderNotCarried,
                "was not called: the sender's address cannot be one",
                now,
            );
        };
        let order = Order {
            hello_name: self.settings.hello_name.clone(),
            policy,
            nonce,
            credentials: account.credentials(self.outbox.credentials.clone()),
            sender,
            recipients,
            bad_recipient: self.settings.bad_recipient,
            message: Box::new(Message::new(draft)),
        };
        let mut client = Client::new(order, now);
        if self.settings.trace {
            client.trace();
        }
        self.outbox.sending = Some(Sending { link, stage: Stage::Sending(Box::new(client)) });
        self.on_sending_link(LinkInput::Opened, now);
    }

    /// The time named by [`Self::sending_deadline`] may be here.
    pub(super) fn on_sending_deadline(&mut self, now: Instant) {
        match &self.outbox.sending {
            Some(Sending { link, stage: Stage::Opening(_, deadline) }) if *deadline <= now => {
                self.outputs.push_back(Output::Abort(*link));
                self.fail_sending(&Failure::NotOpened, &Failure::NotOpened.to_string(), now);
            }
            _ => self.on_sending_link(LinkInput::DeadlinePassed, now),
        }
    }

    fn not_begun(&mut self, words: &'static str, reason: String) -> &'static str {
        self.report_not_begun(words, reason);
        words
    }

    /// Everything the mail needs; or which mandatory parameter is missing or invalid (note §3.1), in words.
    fn letter(&mut self, now: Instant) -> Result<Letter, String> {
        let outbox = &self.outbox;
        if outbox.server.name.is_empty() {
            return Err("no server is set".to_owned());
        }
        let sender = outbox.sender.as_ref().ok_or("no sender is set")?;
        let recipients: Vec<String> = outbox
            .draft
            .recipients
            .iter()
            .map(|(_, _, mailbox)| bare_address(&mailbox.address).unwrap_or_default().to_owned())
            .collect();
        if recipients.is_empty() {
            return Err("no recipient is set".to_owned());
        }
        let mut attachments = Vec::new();
        let mut octets = 0_u64;
        for file in outbox.draft.files.values() {
            // Opened here and read as the link drains: what is removed or written meanwhile is sent as it was opened.
            let content = self.files.open(&file.path).map_err(|error| format!("{}: {error}", file.path))?;
            octets = octets.saturating_add(content.octets());
            let name = file.path.name().ok_or("a drive cannot be sent")?.to_string();
            attachments.push(Attachment { name, content: Box::new(FileContent(content)) });
        }
        if octets > self.settings.attachments_octets_max {
            let most = self.settings.attachments_octets_max;
            return Err(format!("the attachments have {octets} octets; {most} may be sent"));
        }
        let date = self.clock.date(now).ok_or("the clock shows no date that a mail can have")?;
        self.mails_composed += 1;
        let draft = compose::Draft {
            from: header_mailbox(sender),
            to: outbox.draft.recipients.to(),
            cc: outbox.draft.recipients.cc(),
            more: Vec::new(),
            subject: outbox.draft.subject.clone(),
            text: outbox.draft.body.clone(),
            charset: outbox.charset.clone(),
            date,
            unique: format!("{}.{}.{:x}", date.digits(), self.mails_composed, self.settings.nonce),
            attachments,
        };
        let sender = bare_address(&sender.address).filter(|address| address.parse::<ReversePath>().is_ok());
        let sender = sender.ok_or("the sender's address cannot be one")?.to_owned();
        Ok(Letter { draft, sender, recipients })
    }

    /// Drops the mail that is being sent, if one is; nothing of it is ever shown after this.
    pub(crate) fn stop_sending(&mut self) -> Option<()> {
        let sending = self.outbox.sending.take()?;
        self.outputs.push_back(Output::Abort(sending.link));
        Some(())
    }

    pub(super) fn sending_deadline(&self) -> Option<Instant> {
        match &self.outbox.sending.as_ref()?.stage {
            Stage::Opening(_, deadline) => Some(*deadline),
            Stage::Sending(client) => client.deadline(),
        }
    }

    pub(super) fn sending_link(&self) -> Option<LinkId> {
        self.outbox.sending.as_ref().map(|sending| sending.link)
    }

    /// Something happened on the link of the mail that is being sent.
    pub(super) fn on_sending_link(&mut self, input: LinkInput<'_>, now: Instant) {
        let Some(Sending { link, stage: Stage::Sending(client) }) = &mut self.outbox.sending else { return };
        let link = *link;
        client.handle(input, now);
        let mut events = Vec::new();
        while let Some(output) = client.poll() {
            match output {
                LinkOutput::Transmit(octets) => self.outputs.push_back(Output::Transmit(link, octets)),
                LinkOutput::StartTls => self.outputs.push_back(Output::StartTls(link)),
                LinkOutput::Close => self.outputs.push_back(Output::Close(link)),
                LinkOutput::Abort => self.outputs.push_back(Output::Abort(link)),
                LinkOutput::Event(Event::Passage(passage)) => {
                    self.outputs.push_back(Output::Trace(Traced::OnLink(link, passage)));
                }
                LinkOutput::Event(event) => events.push(event),
            }
        }
        for event in events {
            self.on_sending_event(event, now);
        }
    }

    pub(super) fn on_sending_obstructed(&mut self, obstacle: &Obstacle, now: Instant) {
        let failure = match obstacle.kind {
            ObstacleKind::Network => Failure::NotOpened,
            // Neither is the terminal's doing: a server that is of no use.
            ObstacleKind::Tls | ObstacleKind::LogIn => Failure::TlsFailed,
        };
        // Those words say who was called, where that is another than the terminal named.
        self.outbox.called = None;
        self.fail_sending(&failure, &format!("{}: {}", obstacle.kind.deed(), obstacle.words), now);
    }

    fn on_sending_event(&mut self, event: Event, now: Instant) {
        match event {
            Event::Passage(_) => {}
            Event::Greeted => {
                self.terminal.say(&["+SMTP: OK"]);
                self.finish_pending(Code::Ok, now);
            }
            Event::Skipped(failure) => {
                let words = failure_words(&failure, self.authentication());
                self.report_sending(&words, &failure.to_string());
                self.urc([words], now);
            }
            Event::Finished(Ok(reply)) => {
                self.report_sent(&reply.to_string());
                self.outbox.sending = None;
                self.outbox.draft = Draft::default();
                self.urc([SUCCESS.to_owned()], now);
            }
            Event::Finished(Err(failure)) => {
                if let Some(link) = self.sending_link()
                    && matches!(
                        failure,
                        Failure::Refused { step: Step::Auth, .. } | Failure::RefusedFor { .. }
                    )
                {
                    self.outputs.push_back(Output::LogInRefused(link));
                }
                self.fail_sending(&failure, &failure.to_string(), now);
            }
        }
    }

    /// The outcome: an answer to the pending AT+SMTPSEND, or an unsolicited result code after it.
    fn fail_sending(&mut self, failure: &Failure, reason: &str, now: Instant) {
        let words = failure_words(failure, self.authentication());
        self.outbox.sending = None;
        self.report_sending(&words, reason);
        if self.is_pending(Job::SmtpGreeting) {
            self.terminal.say(&[words]);
            self.finish_pending(Code::Error, now);
        } else {
            self.urc([words], now);
        }
    }

    fn authentication(&self) -> Authentication {
        let client = self.outbox.sending.as_ref().and_then(Sending::client);
        Authentication {
            is_set: client.is_some_and(Client::has_credentials),
            is_offered: client.is_some_and(Client::authentication_is_offered),
        }
    }
}
