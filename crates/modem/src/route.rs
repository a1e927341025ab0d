//! Where a call goes: what the terminal named, and what is really used instead.
//!
//! The terminal's settings are fixed in a firmware that nobody can change; the owner of the modem says, for what it
//! names, what today's provider wants to hear. [`Route::default`] is the note's module: everything as it was named.
//!
//! Not here: the owner's rules, and how a link is opened by them.

use crate::modem::Protocol;
use mail::mime::compose;
use mail::mime::header::Mailbox;
use mail::policy::Policy;
use mail::sasl::{Credentials, Nonce};

/// What the terminal named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What will be spoken.
    pub protocol: Protocol,
    /// The server.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// The user, if it gave one. Octets that are no UTF-8 are replaced.
    pub user: Option<String>,
    /// The mail's sender, as a bare address; with SMTP only.
    pub sender: Option<String>,
    /// The mail's recipients, as bare addresses; with SMTP only.
    pub recipients: Vec<String>,
}

/// How a call is carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Who was called, in words for the log, if it is another than the terminal named.
    pub called: Option<String>,
    /// STARTTLS and STLS, and what may be said without. A link that is secured from its first octet is told by `Secured`
    /// right after its opening.
    pub policy: Policy,
    /// For SCRAM, another one for each call; with it, POP3 logs in by AUTH where the server offers it.
    pub nonce: Option<Nonce>,
    /// Who logs in.
    pub account: Account,
    /// What becomes of the mail's sender, recipients and subject.
    pub rewriting: Rewriting,
}

/// Who logs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Account {
    /// Whoever the terminal named, or nobody.
    #[default]
    AsNamed,
    /// Nobody, whatever the terminal named. POP3 knows no such thing: there it is as named.
    Nobody,
    /// This one.
    Other(Credentials),
}

impl Account {
    /// The credentials to use.
    #[must_use]
    pub fn credentials(self, named: Option<Credentials>) -> Option<Credentials> {
        match self {
            Self::AsNamed => named,
            Self::Nobody => None,
            Self::Other(credentials) => Some(credentials),
        }
    }
}

/// What becomes of a mail's sender, recipients and subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewriting {
    /// Takes the sender's place in From and on the envelope; its name is ASCII, and an empty one keeps the terminal's.
    pub sender: Option<Mailbox>,
    /// Where the sender whose place was taken is kept.
    pub original_sender: OriginalSender,
    /// Take the place of all recipients, on the envelope and in the header section.
    pub recipients: Option<Vec<String>>,
    /// Get the mail too: bare addresses, on the envelope only.
    pub more_recipients: Vec<String>,
    /// Goes before the subject: ASCII, so that it is the same in every charset that a draft can have.
    pub subject_prefix: String,
}

/// Where the sender is kept whose place another has taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OriginalSender {
    /// Nowhere.
    #[default]
    Dropped,
    /// In Reply-To (RFC 5322 §3.6.2).
    ReplyTo,
    /// In X-Original-From.
    Field,
}

/// The user of these credentials, in words.
pub(crate) fn user_name(credentials: &Credentials) -> String {
    String::from_utf8_lossy(&credentials.user).into_owned()
}

/// A mail as the terminal composed it, with its envelope.
pub(crate) struct Letter {
    pub(crate) draft: compose::Draft,
    /// Bare addresses.
    pub(crate) sender: String,
    pub(crate) recipients: Vec<String>,
}

impl Rewriting {
    pub(crate) fn apply(self, letter: &mut Letter) {
        let draft = &mut letter.draft;
        if let Some(mut sender) = self.sender {
            letter.sender.clone_from(&sender.address);
            if sender.name.is_empty() {
                sender.name.clone_from(&draft.from.name);
            }
            let original = std::mem::replace(&mut draft.from, sender);
            match self.original_sender {
                OriginalSender::Dropped => {}
                OriginalSender::ReplyTo => draft.more.push(("Reply-To", original)),
                OriginalSender::Field => draft.more.push(("X-Original-From", original)),
            }
        }
        if let Some(recipients) = self.recipients {
            draft.cc.clear();
            draft.to = recipients
                .iter()
                .map(|address| Mailbox { address: address.clone(), name: Vec::new() })
                .collect();
            letter.recipients = recipients;
        }
        for address in self.more_recipients {
            if !letter.recipients.contains(&address) {
                letter.recipients.push(address);
            }
        }
        draft.subject.splice(..0, self.subject_prefix.into_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail::mime::date::Date;

    fn mailbox(address: &str, name: &str) -> Mailbox {
        Mailbox { address: address.to_owned(), name: name.into() }
    }

    fn letter() -> Letter {
        Letter {
            draft: compose::Draft {
                from: mailbox("panel@server.com", "Panel 4"),
                to: vec![mailbox("to@server.com", "To")],
                cc: vec![mailbox("cc@server.com", "")],
                more: Vec::new(),
                subject: b"Alarm".to_vec(),
                text: Vec::new(),
                charset: "utf-8".to_owned(),
                date: Date::new(0, 0).unwrap(),
                unique: "1".to_owned(),
                attachments: Vec::new(),
            },
            sender: "panel@server.com".to_owned(),
            recipients: vec!["to@server.com".to_owned(), "cc@server.com".to_owned()],
        }
    }

    fn rewritten(rewriting: Rewriting) -> Letter {
        let mut letter = letter();
        rewriting.apply(&mut letter);
        letter
    }

    #[test]
    fn nothing_is_rewritten_unless_asked() {
        let letter = rewritten(Rewriting::default());
        assert_eq!(letter.sender, "panel@server.com");
        assert_eq!(letter.recipients, ["to@server.com", "cc@server.com"]);
        assert_eq!(letter.draft.from, mailbox("panel@server.com", "Panel 4"));
        assert_eq!(letter.draft.more, []);
        assert_eq!(letter.draft.subject, b"Alarm");
    }

    #[test]
    fn another_sender_takes_the_place_and_the_first_is_kept_where_asked() {
        let sender = Some(mailbox("me@example.com", ""));
        for (original_sender, kept) in [
            (OriginalSender::Dropped, vec![]),
            (OriginalSender::ReplyTo, vec![("Reply-To", mailbox("panel@server.com", "Panel 4"))]),
            (OriginalSender::Field, vec![("X-Original-From", mailbox("panel@server.com", "Panel 4"))]),
        ] {
            let letter =
                rewritten(Rewriting { sender: sender.clone(), original_sender, ..Rewriting::default() });
            assert_eq!(letter.sender, "me@example.com");
            assert_eq!(letter.draft.from, mailbox("me@example.com", "Panel 4"));
            assert_eq!(letter.draft.more, kept);
        }
        let named = Rewriting { sender: Some(mailbox("me@example.com", "Me")), ..Rewriting::default() };
        assert_eq!(rewritten(named).draft.from, mailbox("me@example.com", "Me"));
    }

    #[test]
    fn recipients_are_replaced_in_both_places_and_added_on_the_envelope_only() {
        let letter = rewritten(Rewriting {
            recipients: Some(vec!["duty@example.com".to_owned()]),
            more_recipients: vec!["archive@example.com".to_owned(), "duty@example.com".to_owned()],
            ..Rewriting::default()
        });
        assert_eq!(letter.recipients, ["duty@example.com", "archive@example.com"]);
        assert_eq!((letter.draft.to, letter.draft.cc), (vec![mailbox("duty@example.com", "")], vec![]));
    }

    #[test]
    fn a_prefix_goes_before_the_subject() {
        let prefix = Rewriting { subject_prefix: "[site 4] ".to_owned(), ..Rewriting::default() };
        assert_eq!(rewritten(prefix).draft.subject, b"[site 4] Alarm");
    }
}
