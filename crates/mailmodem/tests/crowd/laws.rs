//! What must be, whatever servers do: the account of every mail.

use super::Mail;
use super::server::{Held, Manner, Reading};
use super::service::Queued;
use std::collections::{BTreeMap, BTreeSet};

/// The most memory that each line may come to while it sends, beyond what the process has with all lines idle: what waits
/// to be sent on a link, what is read, and what is composed meanwhile.
const PEAK_PER_LINE_KB_MAX: u64 = 512;

/// What a line may share with others: the allocator's and the runtime's own.
const PEAK_SHARED_KB_MAX: u64 = 16 * 1024;

/// What the log names a server by, before its port.
const CALLED: &str = "127.0.0.1:";

/// What the log says of a server that says nothing.
const SILENCE: &str = " within 30 s";

/// Accounts for every mail, and tells how many came to which end.
pub(crate) fn hold(
    mails: &[Mail],
    held: &BTreeMap<String, Vec<Held>>,
    queue: &BTreeMap<String, Vec<Queued>>,
    log: &[String],
) -> BTreeMap<&'static str, usize> {
    let mut fates = BTreeMap::new();
    for mail in mails {
        let address = format!("{}@example.com", mail.mark);
        let held = held.get(&mail.mark).map_or(&[][..], Vec::as_slice);
        let queued = queue.get(&address).map_or(&[][..], Vec::as_slice);
        let account = format!("{mail:?}, held {}, queued {}", held.len(), queued.len());
        assert!(held.iter().all(|held| held.digest == mail.content), "other content: {account}");
        // A server that takes mails has each once: those that go on the same way whatever it says then.
        assert_eq!(held.len(), usize::from(mail.manner.takes()), "{account}");
        let fate = if mail.is_queued {
            of_queued(mail, queued, &account)
        } else {
            of_direct(mail, queued, &account)
        };
        *fates.entry(fate).or_default() += 1;
    }
    let known: usize = held.values().map(Vec::len).sum();
    let all_held: usize = mails.iter().filter(|mail| mail.manner.takes()).count();
    assert_eq!(known, all_held, "a server has a mail that nobody sent");
    let is_known = |address: &str| mails.iter().any(|mail| address == format!("{}@example.com", mail.mark));
    assert!(queue.keys().all(|address| is_known(address)), "the queue has a mail that nobody sent");
    reasons(mails, log);
    fates
}

/// Of a mail that its terminal waited for.
fn of_direct(mail: &Mail, queued: &[Queued], account: &str) -> &'static str {
    assert!(queued.is_empty(), "{account}");
    let (outcome, fate) = match mail.manner {
        Manner::Well | Manner::Slow => ("SUCCESS".to_owned(), "direct: sent"),
        Manner::RefusesRecipient => (format!("BAD RCPT {}@example.com", mail.mark), "direct: bad recipient"),
        Manner::RefusesForNow | Manner::Silent => ("SERVER ERROR".to_owned(), "direct: server error"),
        Manner::CutsInMessage | Manner::CutsBeforeTaking => {
            ("NETWORK ERROR".to_owned(), "direct: network error")
        }
        Manner::CutsAfterTaking => {
            ("NETWORK ERROR".to_owned(), "direct: network error, when the server had taken it already")
        }
    };
    assert_eq!(mail.outcome, outcome, "{account}");
    fate
}

/// Of a mail that its terminal left to the queue.
fn of_queued(mail: &Mail, queued: &[Queued], account: &str) -> &'static str {
    assert_eq!(mail.outcome, "SUCCESS", "{account}");
    let (states, words) = match mail.manner {
        Manner::Well | Manner::Slow => {
            assert!(queued.is_empty(), "{account}");
            return "queued: sent";
        }
        Manner::RefusesRecipient => (&["failed"][..], "550 nobody here"),
        Manner::RefusesForNow => (&["waiting"][..], "451 no room at present"),
        Manner::Silent => (&["waiting"][..], CALLED),
        // The system may have had the final dot from the modem already: then nobody here knows how far it came.
        Manner::CutsInMessage => (&["waiting", "unknown"][..], CALLED),
        Manner::CutsBeforeTaking | Manner::CutsAfterTaking => (&["unknown"][..], CALLED),
    };
    let [queued] = queued else { panic!("{account}: {queued:?}") };
    assert!(states.contains(&queued.state), "{account}: {queued:?}");
    assert!(queued.words.contains(words), "another reason: {account}: {}", queued.words);
    assert_eq!(Reading::of_file(&queued.message), (mail.mark.clone(), mail.content), "{account}");
    match queued.state {
        "failed" => "queued: failed, with a report",
        "waiting" => "queued: waits for its next try",
        _ if mail.manner.takes() => "queued: held, its fate is unknown; the server has it",
        _ => "queued: held, its fate is unknown; the server has it not",
    }
}

/// Each outcome that a terminal was told stands in the log, once, with who was called; and no server is called silent that
/// was not.
fn reasons(mails: &[Mail], log: &[String]) {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in log {
        if let Some((reason, mail)) = line.rsplit_once(" (mail ") {
            let address = mail.split_once(" to ").unwrap().1.trim_end_matches(')');
            reasons.entry(address).or_default().push(reason);
        }
    }
    let mut servers: BTreeMap<String, &str> = BTreeMap::new();
    for mail in mails {
        let address = format!("{}@example.com", mail.mark);
        let told = reasons.remove(address.as_str()).unwrap_or_default();
        let [reason] = told[..] else { panic!("{mail:?}: {told:?}") };
        let who = if mail.is_queued { "the queue " } else { CALLED };
        let (_, rest) = reason
            .split_once(&format!("{}: {who}", mail.outcome))
            .unwrap_or_else(|| panic!("{mail:?}: {reason}"));
        assert_eq!(reason.contains(SILENCE), mail.manner == Manner::Silent, "{mail:?}: {reason}");
        if !mail.is_queued {
            let port = rest.split_once(' ').unwrap().0;
            let server = servers.entry(format!("{:?}", mail.manner)).or_insert(port);
            assert_eq!(*server, port, "another server: {mail:?}: {reason}");
        }
    }
    let ports: BTreeSet<&&str> = servers.values().collect();
    assert_eq!(ports.len(), servers.len(), "two are called by one port: {servers:?}");
    assert!(reasons.is_empty(), "outcomes that no terminal was told: {reasons:?}");
}

/// A mail is never held as a whole, so neither its size nor their number is in it, but the lines'.
pub(crate) fn memory_is_bounded([idle_kb, peak_kb]: [u64; 2], lines: usize) {
    let bound = idle_kb + PEAK_SHARED_KB_MAX + PEAK_PER_LINE_KB_MAX * lines as u64;
    assert!(peak_kb <= bound, "{peak_kb} kB, of which {idle_kb} with all lines idle");
}
