//! What an attempt's outcome means for a mail: for each recipient, and for the mail.
//!
//! What the server says about the mail is final if it is a 5yz. What it says about the session (the greeting, TLS, the
//! log-in) is not, whatever its digits: it is the owner's to set right, and the mail waits for that until its deadline.
//!
//! Not here: what is done about it.

use super::envelope::{Envelope, Fate};
use crate::outgoing::NotSent;
use mail::smtp::client::{Failure, Step};
use mail::smtp::reply::{Reply, Severity};

/// What an outcome means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is settled for some; those who still wait are tried again.
    Known,
    /// The server may have the mail, for all who still wait.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Again,
    Never,
    Unknown,
}

/// Writes the outcome of an attempt into the envelope: why it failed, if it did, and the recipients that were refused on
/// the way.
pub(super) fn enter(envelope: &mut Envelope, skipped: &[Failure], not_sent: Option<&NotSent>) -> Verdict {
    forget_earlier(envelope);
    let mut refused: Vec<&str> = Vec::new();
    let last = not_sent.and_then(|not_sent| not_sent.failure.as_ref());
    for failure in skipped.iter().chain(last) {
        let Failure::BadRecipient { address, .. } = failure else { continue };
        for recipient in envelope.recipients.iter_mut().filter(|recipient| recipient.address == *address) {
            recipient.words = Some(failure.to_string());
            if meaning(failure) == Meaning::Never {
                recipient.fate = Fate::Failed;
            }
        }
        refused.push(address);
    }
    let words = not_sent.map(|not_sent| not_sent.words.clone());
    let (fate, verdict) = match (not_sent, last) {
        (None, _) => (Fate::Sent, Verdict::Known),
        // That was said for each of them; or nothing was said about the mail.
        (Some(_), None | Some(Failure::BadRecipient { .. })) => (Fate::Waiting, Verdict::Known),
        (Some(_), Some(failure)) => match meaning(failure) {
            Meaning::Never => (Fate::Failed, Verdict::Known),
            Meaning::Again => (Fate::Waiting, Verdict::Known),
            Meaning::Unknown => (Fate::Waiting, Verdict::Unknown),
        },
    };
    for recipient in &mut envelope.recipients {
        if recipient.fate == Fate::Waiting && !refused.contains(&recipient.address.as_str()) {
            recipient.fate = fate;
            if fate == Fate::Failed {
                recipient.words.clone_from(&words);
            }
        }
    }
    if let Some(words) = words.or_else(|| skipped.last().map(ToString::to_string)) {
        envelope.words = Some(words);
    }
    verdict
}

/// Nobody knows what the last attempt came to, and why.
pub(super) fn is_left_open(envelope: &mut Envelope, why: &str) {
    forget_earlier(envelope);
    envelope.words = Some(why.to_owned());
}

/// What an earlier attempt came to says nothing about the last one.
fn forget_earlier(envelope: &mut Envelope) {
    for recipient in envelope.recipients.iter_mut().filter(|recipient| recipient.fate == Fate::Waiting) {
        recipient.words = None;
    }
}

/// Gives up those who still wait.
pub(super) fn give_up(envelope: &mut Envelope, hours: u64) {
    for recipient in &mut envelope.recipients {
        if recipient.fate == Fate::Waiting {
            recipient.fate = Fate::Failed;
            let last = recipient.words.take().or_else(|| envelope.words.clone()).unwrap_or_default();
            recipient.words = Some(format!("did not go in {hours} h; at last: {last}"));
        }
    }
}

fn meaning(failure: &Failure) -> Meaning {
    match failure {
        failure if failure.fate_is_unknown() => Meaning::Unknown,
        // Neither yes nor no to a whole message.
        Failure::Refused { step: Step::FinalDot, reply } if reply.severity() == Severity::Intermediate => {
            Meaning::Unknown
        }
        Failure::BadRecipient { reply: None, .. } | Failure::SenderNotCarried | Failure::TooLarge { .. } => {
            Meaning::Never
        }
        // RFC 5321 §4.5.3.1.10: a server that means 452 may say 552.
        Failure::BadRecipient { reply: Some(Reply { code: 552, .. }), .. } => Meaning::Again,
        Failure::BadRecipient { reply: Some(reply), .. }
        | Failure::Refused { step: Step::Mail | Step::Data | Step::Message | Step::FinalDot, reply }
            if reply.severity() == Severity::Permanent && reply.code != 530 =>
        {
            Meaning::Never
        }
        Failure::BadRecipient { .. }
        | Failure::Refused { .. }
        | Failure::RefusedFor { .. }
        | Failure::NotOpened
        | Failure::Lost(_)
        | Failure::Silent(_)
        | Failure::NotGreeted
        | Failure::Malformed(..)
        | Failure::NoLogIn(_)
        | Failure::BadChallenge(_)
        | Failure::TlsNotOffered
        | Failure::TlsFailed
        | Failure::Unreadable(_) => Meaning::Again,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::envelope::Recipient;
    use jiff::Timestamp;
    use mail::smtp::client::Nonsense;

    fn envelope() -> Envelope {
        let recipient =
            |address: &str| Recipient { address: address.to_owned(), fate: Fate::Waiting, words: None };
        Envelope {
            upstream: "provider".to_owned(),
            line: "panel".to_owned(),
            server: "smtp.server.com".to_owned(),
            port: 25,
            hello_name: "[127.0.0.1]".to_owned(),
            sender: "from@server.com".to_owned(),
            recipients: vec![recipient("a@b"), recipient("c@d"), recipient("e@f")],
            octets: 100,
            eight_bit: false,
            accepted_at: Timestamp::UNIX_EPOCH,
            tried_since: Timestamp::UNIX_EPOCH,
            attempts: 1,
            next_try_at: Timestamp::UNIX_EPOCH,
            words: None,
        }
    }

    fn refused(address: &str, code: u16) -> Failure {
        Failure::BadRecipient { address: address.to_owned(), reply: Some(Reply::new(code, "no")) }
    }

    fn not_sent(failure: Failure) -> NotSent {
        NotSent { words: format!("mx:25 {failure}"), failure: Some(failure) }
    }

    fn at(step: Step, code: u16) -> NotSent {
        not_sent(Failure::Refused { step, reply: Reply::new(code, "no") })
    }

    fn fates(envelope: &Envelope) -> [Fate; 3] {
        [0, 1, 2].map(|at| envelope.recipients[at].fate)
    }

    #[test]
    fn each_recipient_has_a_fate_of_its_own() {
        let mut envelope = envelope();
        let skipped = [refused("a@b", 550), refused("c@d", 450)];
        assert_eq!(enter(&mut envelope, &skipped, None), Verdict::Known);
        assert_eq!(fates(&envelope), [Fate::Failed, Fate::Waiting, Fate::Sent]);
        assert_eq!(envelope.call().recipients, ["c@d"]);
        assert!(envelope.waits() && envelope.has_failed());
        // The next attempt touches none but those who wait.
        assert_eq!(enter(&mut envelope, &[], None), Verdict::Known);
        assert_eq!(fates(&envelope), [Fate::Failed, Fate::Sent, Fate::Sent]);
        assert!(!envelope.waits());
    }

    #[test]
    fn when_all_are_refused_each_has_its_own_words() {
        let mut envelope = envelope();
        let skipped = [refused("a@b", 550), refused("c@d", 552)];
        let outcome = not_sent(refused("e@f", 553));
        assert_eq!(enter(&mut envelope, &skipped, Some(&outcome)), Verdict::Known);
        assert_eq!(fates(&envelope), [Fate::Failed, Fate::Waiting, Fate::Failed]);
    }

    #[test]
    fn what_is_said_about_the_mail_is_final_and_about_the_session_is_not() {
        for (outcome, fate) in [
            (at(Step::Mail, 550), Fate::Failed),
            (at(Step::Mail, 450), Fate::Waiting),
            (at(Step::Mail, 530), Fate::Waiting),
            (at(Step::Data, 554), Fate::Failed),
            (at(Step::Message, 552), Fate::Failed),
            (at(Step::FinalDot, 554), Fate::Failed),
            (at(Step::FinalDot, 451), Fate::Waiting),
            (at(Step::FinalDot, 421), Fate::Waiting),
            (at(Step::Greeting, 554), Fate::Waiting),
            (at(Step::Auth, 535), Fate::Waiting),
            (not_sent(Failure::TooLarge { octets: 2, limit: 1 }), Fate::Failed),
            (not_sent(Failure::TlsNotOffered), Fate::Waiting),
            (not_sent(Failure::Lost(Step::Message)), Fate::Waiting),
            (NotSent { words: "mx:25 refused".to_owned(), failure: None }, Fate::Waiting),
        ] {
            let mut envelope = envelope();
            assert_eq!(enter(&mut envelope, &[], Some(&outcome)), Verdict::Known, "{outcome}");
            assert_eq!(fates(&envelope), [fate; 3], "{outcome}");
            assert_eq!(envelope.words.as_deref(), Some(outcome.words.as_str()));
        }
    }

    #[test]
    fn a_whole_message_without_its_answer_has_an_unknown_fate() {
        for outcome in [
            not_sent(Failure::Lost(Step::FinalDot)),
            not_sent(Failure::Silent(Step::FinalDot)),
            not_sent(Failure::Malformed(Step::FinalDot, Nonsense::TooEarly)),
            at(Step::FinalDot, 354),
        ] {
            let mut envelope = envelope();
            let skipped = [refused("a@b", 550)];
            assert_eq!(enter(&mut envelope, &skipped, Some(&outcome)), Verdict::Unknown, "{outcome}");
            assert_eq!(fates(&envelope), [Fate::Failed, Fate::Waiting, Fate::Waiting]);
        }
    }

    #[test]
    fn who_waited_to_the_end_is_told_why_it_was_in_vain() {
        let mut envelope = envelope();
        enter(&mut envelope, &[refused("a@b", 450)], Some(&at(Step::Data, 451)));
        give_up(&mut envelope, 120);
        assert_eq!(fates(&envelope), [Fate::Failed; 3]);
        let words = |at: usize| envelope.recipients[at].words.clone().unwrap();
        assert!(words(0).contains("120 h") && words(0).contains("450"), "{}", words(0));
        assert!(words(1).contains("451"), "{}", words(1));
    }
}
