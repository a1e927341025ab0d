//! A mail from AT+SMTPSEND to its outcome (note §3.2, §3.3).

use super::{LinkId, Modem, Obstacle, ObstacleKind, Output, Protocol};
use crate::command::Job;
use crate::outbox::Sending;
use crate::outbox::draft::{Draft, FileContent, bare_address, header_mailbox};
use crate::outbox::outcome::{Authentication, SUCCESS, failure_words};
use crate::terminal::Code;
use mail::machine::{Input as LinkInput, Instant, Machine as _, Output as LinkOutput};
use mail::mime::compose::{self, Attachment, Message};
use mail::smtp::client::{Client, Event, Failure, Order, Security};

impl Modem {
    /// Composes the mail and opens the link.
    ///
    /// # Errors
    /// The line to show when there is nothing to do yet; no link was opened then.
    pub(crate) fn begin_sending(&mut self, now: Instant) -> Result<(), &'static str> {
        if self.outbox.is_sending() {
            return Err("+SMTP: ONGOING");
        }
        let order = self.order(now).ok_or("+SMTP: PARAM ERROR")?;
        if !self.can_open_links() {
            return Err("+SMTP: NETWORK ERROR");
        }
        let link = self.new_link();
        self.outbox.sending = Some(Sending { link, client: Client::new(order, now) });
        let server = self.outbox.server.clone();
        self.outputs.push_back(Output::Open {
            link,
            protocol: Protocol::Smtp,
            server: server.name,
            port: server.port,
        });
        Ok(())
    }

    /// Everything the mail needs; `None` when a mandatory parameter is missing or invalid (note §3.1).
    fn order(&mut self, now: Instant) -> Option<Order> {
        let outbox = &self.outbox;
        let sender = outbox.sender.as_ref().filter(|_| !outbox.server.name.is_empty())?;
        let recipients: Vec<String> = outbox
            .draft
            .recipients
            .iter()
            .map(|(_, _, mailbox)| bare_address(&mailbox.address).unwrap_or_default().to_owned())
            .collect();
        if recipients.is_empty() {
            return None;
        }
        let mut attachments = Vec::new();
        let mut octets = 0_u64;
        for file in outbox.draft.files.values() {
            // Opened here and read as the link drains: what is removed or written meanwhile is sent as it was opened.
            let content = self.files.open(&file.path).ok()?;
            octets = octets.saturating_add(content.octets());
            let name = file.path.name()?.to_string();
            attachments.push(Attachment { name, content: Box::new(FileContent(content)) });
        }
        if octets > self.settings.attachments_octets_max {
            return None;
        }
        let date = self.clock.date(now)?;
        self.mails_composed += 1;
        let draft = compose::Draft {
            from: header_mailbox(sender),
            to: outbox.draft.recipients.to(),
            cc: outbox.draft.recipients.cc(),
            subject: outbox.draft.subject.clone(),
            text: outbox.draft.body.clone(),
            charset: outbox.charset.clone(),
            date,
            unique: format!("{}.{}.{:x}", date.digits(), self.mails_composed, self.settings.nonce),
            attachments,
        };
        Some(Order {
            hello_name: self.settings.hello_name.clone(),
            security: Security::AsOpened,
            credentials: outbox.credentials.clone(),
            sender: bare_address(&sender.address)?.parse().ok()?,
            recipients,
            bad_recipient: self.settings.bad_recipient,
            message: Box::new(Message::new(draft)),
        })
    }

    /// Drops the mail that is being sent, if one is; nothing of it is ever shown after this. A mail that the server has
    /// accepted cannot be dropped any more: its outcome follows.
    pub(crate) fn stop_sending(&mut self) -> Option<()> {
        let sending = self.outbox.sending.take_if(|sending| !sending.client.is_accepted())?;
        self.outputs.push_back(Output::Abort(sending.link));
        Some(())
    }

    pub(super) fn sending_deadline(&self) -> Option<Instant> {
        self.outbox.sending.as_ref().and_then(|sending| sending.client.deadline())
    }

    pub(super) fn sending_link(&self) -> Option<LinkId> {
        self.outbox.sending.as_ref().map(|sending| sending.link)
    }

    /// Something happened on the link of the mail that is being sent.
    pub(super) fn on_sending_link(&mut self, input: LinkInput<'_>, now: Instant) {
        let Some(sending) = &mut self.outbox.sending else { return };
        let link = sending.link;
        sending.client.handle(input, now);
        let mut events = Vec::new();
        while let Some(output) = sending.client.poll() {
            match output {
                LinkOutput::Transmit(octets) => self.outputs.push_back(Output::Transmit(link, octets)),
                LinkOutput::StartTls => self.outputs.push_back(Output::StartTls(link)),
                LinkOutput::Close => self.outputs.push_back(Output::Close(link)),
                LinkOutput::Abort => self.outputs.push_back(Output::Abort(link)),
                LinkOutput::Event(event) => events.push(event),
            }
        }
        for event in events {
            self.on_sending_event(event, now);
        }
    }

    pub(super) fn on_sending_not_opened(&mut self, obstacle: &Obstacle, now: Instant) {
        let failure = match obstacle.kind {
            ObstacleKind::Network => Failure::NotOpened,
            ObstacleKind::Tls => Failure::TlsFailed,
        };
        self.fail_sending(&failure, &obstacle.words, now);
    }

    fn on_sending_event(&mut self, event: Event, now: Instant) {
        match event {
            Event::Greeted => {
                self.terminal.say(&["+SMTP: OK"]);
                self.finish_pending(Code::Ok, now);
            }
            Event::Skipped(failure) => {
                let words = failure_words(&failure, self.authentication());
                self.report_sending(&words, &failure.to_string());
                self.urc([words], now);
            }
            Event::Finished(Ok(())) => {
                self.outbox.sending = None;
                self.outbox.draft = Draft::default();
                self.urc([SUCCESS.to_owned()], now);
            }
            Event::Finished(Err(failure)) => self.fail_sending(&failure, &failure.to_string(), now),
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
        let offered = |sending: &Sending| sending.client.authentication_is_offered();
        Authentication {
            is_set: self.outbox.credentials.is_some(),
            is_offered: self.outbox.sending.as_ref().is_some_and(offered),
        }
    }

    fn report_sending(&mut self, words: &str, reason: &str) {
        let place = format!("{}:{}", self.outbox.server.name, self.outbox.server.port);
        self.report(words, &place, reason);
    }
}
