//! The law of sending: a send that begins has one outcome, unless it is stopped or the power goes. Over an honest server
//! and a wire that changes nothing on its way to the modem, the outcome is SUCCESS if and only if the provider's 2yz to
//! the final dot reached the modem before the send was stopped; and the provider holds the mail then, once. It may hold
//! a mail of which the terminal heard otherwise only when that reply did not reach the modem: nobody can know then.
//! Over any other server or wire, SUCCESS needs a whole positive reply that was complete after the final dot had gone.
//!
//! Not here: what is told when ([`super`]), and the causes of failures ([`crate::causes`]).

use super::Laws;
use crate::causes;
use crate::ground::Ground;
use crate::link::Link;
use crate::message::{self, Composed};
use crate::reading::{Answered, Wrong};
use mail::machine::Instant;
use modem::settings::BadRecipient;

impl Laws {
    pub(super) fn answered_send(
        &mut self,
        answered: &Answered,
        told: Option<String>,
        ground: &Ground,
        now: Instant,
    ) -> Result<(), Wrong> {
        let may_be_over = self.may_be_over();
        let beginning = self.beginning.take();
        if beginning.is_some()
            && self.due.smtp
            && !may_be_over
            && told.as_deref().is_some_and(|words| words != "+SMTP: ONGOING")
        {
            return Err("two mails are being sent at a time".to_owned());
        }
        match (told.as_deref(), beginning) {
            (Some("+SMTP: OK"), Some(beginning)) => {
                self.sending = Some(beginning);
                self.due.smtp = true;
            }
            (Some("+SMTP: OK"), None) => {
                return Err("a server has greeted that nobody has called".to_owned());
            }
            // Nothing was begun: the link is that of another line in the same breath.
            (Some(words @ ("+SMTP: ONGOING" | "+SMTP: PARAM ERROR")), beginning) => {
                self.opened.extend(beginning.map(|sending| sending.link));
                if (words == "+SMTP: ONGOING") != self.due.smtp && !may_be_over {
                    return Err(format!("{words} at the wrong time"));
                }
            }
            (Some("+SMTP: SUCCESS"), _) => return Err("SUCCESS before the greeting".to_owned()),
            (Some(words), Some(beginning)) => {
                self.sending = Some(beginning);
                self.outcome(words, ground, now)?;
                // Before the greeting no recipient is refused, so that it may not go on.
                self.sending = None;
                self.due.smtp = false;
            }
            (None, Some(beginning)) if answered.is_stopped => {
                self.sending = Some(beginning);
                self.stopped(ground)?;
            }
            (None, beginning) => self.opened.extend(beginning.map(|sending| sending.link)),
            (Some("+SMTP: NETWORK ERROR"), None) => {}
            (Some(words), None) => return Err(format!("{words} without a link")),
        }
        Ok(())
    }

    /// A mail that was stopped: the provider's word must not have come.
    pub(super) fn stopped(&mut self, ground: &Ground) -> Result<(), Wrong> {
        self.due.smtp = false;
        let Some(sending) = self.sending.take() else { return Ok(()) };
        match ground.links.get(&sending.link) {
            Some(link) if link.has_heard_reply() => {
                Err("a mail that the provider has accepted is said to be stopped".to_owned())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn answered_stop(&mut self, answered: &Answered, ground: &Ground) -> Result<(), Wrong> {
        if answered.is_ok {
            return self.stopped(ground);
        }
        let sending = self.sending.as_ref().filter(|_| !self.may_be_over());
        match sending.and_then(|sending| ground.links.get(&sending.link)) {
            Some(link)
                if self.due.smtp
                    && !link.is_over
                    && !link.has_heard_yes()
                    && answered.line.eq_ignore_ascii_case(b"AT+SMTPSTOP") =>
            {
                Err("a mail on its way is not stopped".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// The one outcome of a send.
    pub(super) fn outcome(&mut self, words: &str, ground: &Ground, now: Instant) -> Result<(), Wrong> {
        let Some(sending) = &self.sending else {
            return Err(format!("{words}, and nothing was sent"));
        };
        let link = ground.links.get(&sending.link).ok_or("a send without a link")?;
        let composed = self.composed.get_mut(&sending.link).ok_or("a send of nothing")?;
        if words != "+SMTP: SUCCESS" {
            check_cause(words, composed, link, sending.network_left, now)?;
        }
        if self.bad_recipient == BadRecipient::Skip
            && let Some(refused) = words.strip_prefix("+SMTP: BAD RCPT ")
        {
            let is_known =
                composed.draft.recipients.values().any(|address| message::bare(address) == refused);
            if !is_known && !composed.draft.is_unknown {
                return Err(format!("{words}, and that is no recipient"));
            }
            composed.refused.push(refused.to_owned());
            // That of the last one is the outcome.
            if composed.draft.is_unknown || composed.refused.len() < composed.draft.recipients.len() {
                return Ok(());
            }
        }
        self.due.smtp = false;
        let Some(sending) = self.sending.take() else { return Ok(()) };
        self.outcomes[0] += 1;
        if words != "+SMTP: SUCCESS" {
            return if link.has_heard_reply() {
                Err(format!("{words}, though the provider said that it has the mail"))
            } else {
                Ok(())
            };
        }
        self.outcomes[1] += 1;
        if !std::mem::take(&mut self.is_sending_logged) {
            return Err("a mail is sent, and the log was not told".to_owned());
        }
        self.succeeded.insert(sending.link);
        self.draft.sent();
        if !link.has_heard_yes() {
            return Err("SUCCESS, and nobody said so after the final dot".to_owned());
        }
        if link.is_liar || link.down.is_altered {
            return Ok(());
        }
        let delivered: Vec<_> = {
            let ledger = ground.office.ledger();
            ledger.delivered.iter().filter(|mail| mail.link == sending.link).cloned().collect()
        };
        let [delivered] = delivered.as_slice() else {
            return Err(format!("SUCCESS, and the provider holds {} mails", delivered.len()));
        };
        match self.composed.get(&sending.link) {
            Some(composed) if !composed.draft.is_unknown && !link.up.is_altered => {
                message::compare(composed, delivered, true)
            }
            _ => Ok(()),
        }
    }
}

/// A failure has a cause, and the words for it.
fn check_cause(
    words: &str,
    composed: &Composed,
    link: &Link,
    network_left: bool,
    now: Instant,
) -> Result<(), Wrong> {
    let Composed { draft, files, .. } = composed;
    let has_card_file = files.iter().any(|(path, _)| path.starts_with("D:"));
    if draft.is_unknown
        || !link.is_true()
        || causes::may_end_send(words, draft, has_card_file, link, network_left, now)
    {
        return Ok(());
    }
    Err(format!("{words} without a cause"))
}
