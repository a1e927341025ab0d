//! One SMTP link: mail goes into mailboxes, unless a name means trouble.

use super::{GARBAGE, in_a_line};
use crate::limits::{CUT_AFTER_OCTETS, SLOW_ANSWER};
use crate::mailbox::{Delivery, Envelope, Mailboxes, NotStored};
use crate::trouble::{self, Place, Trouble};
use mail::sasl::server::Claim;
use mail::secret::Secret;
use mail::smtp::command::Path;
use mail::smtp::reply::Reply;
use mail::smtp::server::{Reaction, Service};
use std::ops::ControlFlow;
use std::sync::Arc;

/// One SMTP link, and the transaction on it.
pub(super) struct Session {
    name: String,
    trouble: Option<Trouble>,
    mailboxes: Arc<dyn Mailboxes>,
    scram_password: Secret,
    transaction: Transaction,
}

#[derive(Default)]
struct Transaction {
    sender: String,
    recipients: Vec<String>,
    /// What will happen to the text, by the first recipient whose name says so.
    text_trouble: Option<Trouble>,
    is_slow: bool,
    text_octets: u64,
    /// `None` while there is no text, and when it comes to nothing.
    delivery: Option<Box<dyn Delivery>>,
}

impl Session {
    pub(super) fn new(
        name: String,
        trouble: Option<Trouble>,
        mailboxes: Arc<dyn Mailboxes>,
        scram_password: Secret,
    ) -> Self {
        Self { name, trouble, mailboxes, scram_password, transaction: Transaction::default() }
    }
}

impl Service for Session {
    fn greeting(&mut self) -> Reaction {
        match self.trouble {
            Some(Trouble::SilentServer) => Reaction::Silence,
            Some(Trouble::Busy) => Reaction::reply(421, format!("{} is too busy", self.name)),
            Some(Trouble::Garbage) => Reaction::Garbage(GARBAGE.to_vec()),
            _ => Reaction::reply(220, format!("{} ESMTP sandbox", self.name)),
        }
    }

    fn authenticate(&mut self, claim: &Claim) -> Reaction {
        let is_proven = !matches!(claim, Claim::Scram { is_proven: false, .. });
        match trouble::find(Place::SmtpUser, claim.user()) {
            Some(Trouble::AuthUnavailable) => Reaction::reply(454, "4.7.0 Cannot authenticate now"),
            Some(Trouble::AuthRefused) => Reaction::reply(535, "5.7.8 Authentication credentials invalid"),
            _ if !is_proven => Reaction::reply(535, "5.7.8 Authentication credentials invalid"),
            _ => Reaction::reply(235, "2.7.0 Welcome"),
        }
    }

    fn password_of(&mut self, _: &str) -> Option<Secret> {
        Some(self.scram_password.clone())
    }

    fn mail(&mut self, reverse_path: &Path, authenticated: bool) -> Reaction {
        if self.trouble == Some(Trouble::AuthRequired) && !authenticated {
            return Reaction::reply(530, "5.7.0 Authentication required");
        }
        if let Some(Trouble::SenderRefused(code)) = trouble::find(Place::Sender, reverse_path.as_str()) {
            return Reaction::Reply(refusal(code));
        }
        self.transaction = Transaction { sender: reverse_path.as_str().to_owned(), ..Transaction::default() };
        Reaction::reply(250, "2.1.0 Sender OK")
    }

    fn recipient(&mut self, forward_path: &Path) -> Reaction {
        let transaction = &mut self.transaction;
        match trouble::find(Place::Recipient, forward_path.as_str()) {
            Some(Trouble::RecipientRefused(code)) => return transaction.answer(refusal(code)),
            Some(Trouble::Slow) => transaction.is_slow = true,
            Some(trouble) => {
                transaction.text_trouble.get_or_insert(trouble);
            }
            None => {}
        }
        transaction.recipients.push(forward_path.as_str().to_owned());
        transaction.answer(Reply::new(250, "2.1.5 Recipient OK"))
    }

    fn data(&mut self) -> Reaction {
        let transaction = &mut self.transaction;
        if transaction.text_trouble.is_none() {
            let envelope =
                Envelope { sender: transaction.sender.clone(), recipients: transaction.recipients.clone() };
            match self.mailboxes.begin(envelope) {
                Ok(delivery) => transaction.delivery = Some(delivery),
                Err(why) => return transaction.answer(not_stored(&why)),
            }
        }
        transaction.answer(Reply::new(354, "End with a dot on a line of its own"))
    }

    fn text(&mut self, octets: &[u8]) -> ControlFlow<Reaction> {
        let transaction = &mut self.transaction;
        transaction.text_octets = transaction.text_octets.saturating_add(octets.len() as u64);
        if transaction.text_trouble == Some(Trouble::Cut) && transaction.text_octets >= CUT_AFTER_OCTETS {
            return ControlFlow::Break(Reaction::Cut);
        }
        match transaction.delivery.as_mut().map(|delivery| delivery.write(octets)) {
            Some(Err(why)) => {
                transaction.delivery = None;
                ControlFlow::Break(transaction.answer(not_stored(&why)))
            }
            Some(Ok(())) | None => ControlFlow::Continue(()),
        }
    }

    fn text_end(&mut self) -> Reaction {
        let transaction = &mut self.transaction;
        let reply = match (transaction.text_trouble, transaction.delivery.take()) {
            (Some(Trouble::Cut), _) => return Reaction::Cut,
            (Some(Trouble::SilentAtEnd), _) => return Reaction::Silence,
            (Some(Trouble::TextRefused(code)), _) => refusal(code),
            (_, Some(delivery)) => match delivery.commit() {
                Ok(()) => Reply::new(250, "2.0.0 Delivered"),
                Err(why) => not_stored(&why),
            },
            (_, None) => Reply::new(451, "4.3.0 Nothing was begun"),
        };
        transaction.answer(reply)
    }

    fn reset(&mut self) {
        self.transaction = Transaction::default();
    }
}

impl Transaction {
    /// Gives an answer at this transaction's pace.
    const fn answer(&self, reply: Reply) -> Reaction {
        if self.is_slow { Reaction::Later(SLOW_ANSWER, reply) } else { Reaction::Reply(reply) }
    }
}

fn refusal(code: u16) -> Reply {
    Reply::new(code, format!("{}.0.0 The name asks for it", code / 100))
}

fn not_stored(why: &NotStored) -> Reply {
    Reply::new(451, format!("4.3.0 Cannot store it: {}", in_a_line(&why.0)))
}
