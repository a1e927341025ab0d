//! A mail from AT+SMTPSEND to its outcome (note §3.2, §3.3).

use super::{LinkId, Modem, NO_NETWORK, Obstacle, ObstacleKind, Output, Protocol, Traced};
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
        let order = match self.order(now) {
            Ok(order) => order,
            Err(reason) => return Err(self.not_begun("+SMTP: PARAM ERROR", reason)),
        };
        if !self.can_open_links() {
            return Err(self.not_begun("+SMTP: NETWORK ERROR", NO_NETWORK.to_owned()));
        }
        let link = self.new_link();
        let mut client = Client::new(order, now);
        if self.settings.trace {
            client.trace();
        }
        self.outbox.sending = Some(Sending { link, client });
        let server = self.outbox.server.clone();
        self.outputs.push_back(Output::Open {
            link,
            protocol: Protocol::Smtp,
            server: server.name,
            port: server.port,
        });
        Ok(())
    }

    fn not_begun(&mut self, words: &'static str, reason: String) -> &'static str {
        self.report_not_begun(words, reason);
        words
    }

    /// Everything the mail needs; or which mandatory parameter is missing or invalid (note §3.1), in words.
    fn order(&mut self, now: Instant) -> Result<Order, String> {
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
            subject: outbox.draft.subject.clone(),
            text: outbox.draft.body.clone(),
            charset: outbox.charset.clone(),
            date,
            unique: format!("{}.{}.{:x}", date.digits(), self.mails_composed, self.settings.nonce),
            attachments,
        };
        let bare_sender = bare_address(&sender.address).and_then(|address| address.parse().ok());
        Ok(Order {
            hello_name: self.settings.hello_name.clone(),
            security: Security::AsOpened,
            credentials: outbox.credentials.clone(),
            sender: bare_sender.ok_or("the sender's address cannot be one")?,
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

    pub(super) fn on_sending_not_opened(&mut self, obstacle: &Obstacle, now: Instant) {
        let failure = match obstacle.kind {
            ObstacleKind::Network => Failure::NotOpened,
            ObstacleKind::Tls => Failure::TlsFailed,
        };
        self.fail_sending(&failure, &format!("{failure}: {}", obstacle.words), now);
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
}
