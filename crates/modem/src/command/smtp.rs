//! The commands of the SMTP application (note §2, §3; commands.md §2).

use super::table::Arguments;
use super::{Answer, Entered, Job};
use crate::limits::BODY_OCTETS_MAX;
use crate::modem::Modem;
use crate::outbox::draft::{Attached, Recipients, Server, bare_address};
use crate::terminal::Code;
use mail::machine::Instant;
use mail::mime::header::Mailbox;
use mail::sasl::Credentials;
use mail::secret::Secret;

/// What a masked password reads back as.
pub(super) const MASK: &[u8] = Secret::MASK.as_bytes();

/// A line with passwords in it, in clear and masked, for [`say_secret`].
pub(super) type SecretLine = [Vec<u8>; 2];

/// Says lines with passwords in them: in clear to a terminal that may see them, and never to a trace.
pub(super) fn say_secret(modem: &mut Modem, lines: &[SecretLine]) {
    modem.terminal.say::<&[u8]>(&[]);
    for [clear, masked] in lines {
        let shown = if modem.settings.mask_passwords { masked } else { clear };
        modem.terminal.say_secret_on(shown, masked);
    }
}

/// The setters' rule: a mail that is being sent is not to be changed.
fn when_idle(modem: &mut Modem, set: impl FnOnce(&mut Modem) -> Option<()>) -> Answer {
    if modem.is_sending() { Answer::ERROR } else { Answer::ok_if_some(set(modem)) }
}

/// `NAME: "a", "b"`, octets as they were given.
pub(super) fn quoted_line(name: &str, head: &str, texts: &[&[u8]], tail: &str) -> Vec<u8> {
    let mut line = format!("{name}: {head}").into_bytes();
    for (at, text) in texts.iter().enumerate() {
        if at > 0 {
            line.extend_from_slice(b", ");
        }
        line.push(b'"');
        line.extend_from_slice(text);
        line.push(b'"');
    }
    line.extend_from_slice(tail.as_bytes());
    line
}

pub(super) fn read_server(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    let Server { name, port } = &modem.outbox.server;
    let line = quoted_line("+SMTPSRV", "", &[name.as_bytes()], &format!(", {port}"));
    modem.terminal.say(&[line]);
    Answer::OK
}

pub(super) fn write_server(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    when_idle(modem, |modem| {
        let port = arguments.number(1).and_then(|port| u16::try_from(port).ok()).unwrap_or(Server::PORT);
        modem.outbox.server = Server { name: arguments.text(0)?.to_owned(), port };
        Some(())
    })
}

pub(super) fn clear_server(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    when_idle(modem, |modem| {
        modem.outbox.server = Server::default();
        Some(())
    })
}

pub(super) fn read_authentication(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    let line = match &modem.outbox.credentials {
        None => [(); 2].map(|()| quoted_line("+SMTPAUTH", "0, ", &[b"", b""], "")),
        Some(Credentials { user, proof }) => {
            let line = |password| quoted_line("+SMTPAUTH", "1, ", &[user, password], "");
            [line(proof.secret().reveal()), line(MASK)]
        }
    };
    say_secret(modem, &[line]);
    Answer::OK
}

pub(super) fn write_authentication(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    when_idle(modem, |modem| {
        modem.outbox.credentials = match (arguments.number(0)?, arguments.octets(1), arguments.octets(2)) {
            (0, None, None) => None,
            (1, Some(user), Some(password)) => Some(Credentials::with_password(user, password)),
            _ => return None,
        };
        Some(())
    })
}

pub(super) fn clear_authentication(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    when_idle(modem, |modem| {
        modem.outbox.credentials = None;
        Some(())
    })
}

/// An address and a name from two arguments.
fn mailbox(arguments: &Arguments, address: usize, name: usize) -> Option<Mailbox> {
    let address = arguments.text(address)?;
    // An address that could end its own command is refused where it is typed; what else SMTP cannot carry is for the
    // sending to tell (commands.md §2, BAD RCPT).
    bare_address(address)?;
    let name = arguments.octets(name).unwrap_or_default();
    is_balanced(name).then(|| Mailbox { address: address.to_owned(), name: name.to_vec() })
}

/// Whether every `<` of a name has its `>`: half a pair is an address gone astray.
fn is_balanced(name: &[u8]) -> bool {
    let open = name.iter().try_fold(0_usize, |open, octet| match octet {
        b'<' => Some(open + 1),
        b'>' => open.checked_sub(1),
        _ => Some(open),
    });
    open == Some(0)
}

pub(super) fn read_sender(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    let (address, name) = match &modem.outbox.sender {
        Some(Mailbox { address, name }) => (address.as_bytes(), name.as_slice()),
        None => (&b""[..], &b""[..]),
    };
    modem.terminal.say(&[quoted_line("+SMTPFROM", "", &[address, name], "")]);
    Answer::OK
}

pub(super) fn write_sender(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    when_idle(modem, |modem| {
        modem.outbox.sender = Some(mailbox(arguments, 0, 1)?);
        Some(())
    })
}

pub(super) fn clear_sender(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    when_idle(modem, |modem| {
        modem.outbox.sender = None;
        Some(())
    })
}

pub(super) fn read_recipients(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    let mut lines = Vec::new();
    for (kind, index, Mailbox { address, name }) in modem.outbox.draft.recipients.iter() {
        lines.push(quoted_line("+SMTPRCPT", &format!("{kind}, {index}, "), &[address.as_bytes(), name], ""));
    }
    if !lines.is_empty() {
        modem.terminal.say(&lines);
    }
    Answer::OK
}

pub(super) fn write_recipient(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    when_idle(modem, |modem| {
        let number = |at| arguments.number(at).and_then(|number| usize::try_from(number).ok());
        let recipients = &mut modem.outbox.draft.recipients;
        let kind = recipients.kind_mut(number(0)?)?;
        match (number(1), arguments.octets(2), arguments.octets(3)) {
            (None, None, None) => kind.fill_with(|| None),
            (Some(index), None, None) => *kind.get_mut(index)? = None,
            (Some(index), Some(_), _) => *kind.get_mut(index)? = Some(mailbox(arguments, 2, 3)?),
            _ => return None,
        }
        Some(())
    })
}

pub(super) fn clear_recipients(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    when_idle(modem, |modem| {
        modem.outbox.draft.recipients = Recipients::default();
        Some(())
    })
}

pub(super) fn read_subject(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    modem.terminal.say(&[quoted_line("+SMTPSUB", "", &[&modem.outbox.draft.subject], "")]);
    Answer::OK
}

pub(super) fn write_subject(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    when_idle(modem, |modem| {
        modem.outbox.draft.subject = arguments.octets(0)?.to_vec();
        Some(())
    })
}

pub(super) fn clear_subject(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    when_idle(modem, |modem| {
        modem.outbox.draft.subject = Vec::new();
        Some(())
    })
}

pub(super) fn read_body(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    modem.terminal.say(&[quoted_line("+SMTPBODY", "", &[&modem.outbox.draft.body], "")]);
    Answer::OK
}

pub(super) fn write_body(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    when_idle(modem, |modem| {
        modem.outbox.draft.body = arguments.octets(0)?.to_vec();
        Some(())
    })
}

pub(super) fn ask_body(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    if modem.is_sending() {
        return Answer::ERROR;
    }
    modem.outbox.draft.body = Vec::new();
    Answer::AskText { octets_max: BODY_OCTETS_MAX, take: take_body }
}

fn take_body(modem: &mut Modem, entered: Entered) -> Code {
    match entered {
        Entered::Text(text) => modem.outbox.draft.body = text,
        Entered::Cancelled => {}
        Entered::TooLong => return Code::Error,
    }
    Code::Ok
}

pub(super) fn read_charset(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    modem.terminal.say(&[format!("+SMTPBCH: \"{}\"", modem.outbox.charset)]);
    Answer::OK
}

pub(super) fn write_charset(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    // It is written into header fields, unquoted, and into encoded words (RFC 2045 §5.1 token, RFC 2047 §2).
    let is_token =
        |name: &&str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-^_`{|}~".contains(&b));
    when_idle(modem, |modem| {
        modem.outbox.charset = arguments.text(0).filter(is_token)?.to_owned();
        Some(())
    })
}

pub(super) fn reset_charset(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    when_idle(modem, |modem| {
        modem.outbox.reset_charset();
        Some(())
    })
}

pub(super) fn read_files(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    let mut lines = Vec::new();
    for (index, Attached { path, octets }) in &modem.outbox.draft.files {
        lines.push(format!("+SMTPFILE: {index}, \"{path}\", {octets}"));
    }
    if !lines.is_empty() {
        modem.terminal.say(&lines);
    }
    Answer::OK
}

pub(super) fn write_file(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    if modem.is_sending() {
        return Answer::ERROR;
    }
    let Some(index) = arguments.number(0) else { return Answer::ERROR };
    if arguments.octets(1).is_none() {
        modem.outbox.draft.files.remove(&index);
        return Answer::OK;
    }
    let Some((path, octets)) = arguments.text(1).and_then(|name| modem.files.file(name).ok()) else {
        return Answer::ERROR;
    };
    let others = || modem.outbox.draft.files.iter().filter(|(at, _)| **at != index).map(|(_, file)| file);
    if others().any(|other| other.path.is_same_as(&path)) {
        return Answer::ERROR;
    }
    if others().map(|other| other.octets).fold(octets, u64::saturating_add)
        > modem.settings.attachments_octets_max
    {
        modem.terminal.say(&["+SMTP: OVERSIZE"]);
        return Answer::ERROR;
    }
    modem.outbox.draft.files.insert(index, Attached { path, octets });
    Answer::OK
}

pub(super) fn clear_files(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    when_idle(modem, |modem| {
        modem.outbox.draft.files.clear();
        Some(())
    })
}

pub(super) fn read_sending(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    modem.terminal.say(&[format!("+SMTPSEND: {}", u8::from(modem.outbox.is_sending()))]);
    Answer::OK
}

pub(super) fn send(modem: &mut Modem, _: &Arguments, now: Instant) -> Answer {
    if modem.excludes_mail() {
        return Answer::ERROR;
    }
    match modem.begin_sending(now) {
        Ok(()) => Answer::Await(Job::SmtpGreeting),
        Err(words) => {
            modem.terminal.say(&[words]);
            Answer::ERROR
        }
    }
}

pub(super) fn stop(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    Answer::ok_if_some(modem.stop_sending())
}
