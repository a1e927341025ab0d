//! The commands of the POP3 application (note §2, §4; commands.md §3).

use super::smtp::{MASK, quoted_line, say_secret};
use super::table::Arguments;
use super::{Answer, Job};
use crate::drive::Letter;
use crate::inbox::saving::Form;
use crate::inbox::{Account, Session};
use crate::modem::Modem;
use mail::machine::Instant;
use mail::pop3::client::Request;
use mail::sasl::Credentials;

pub(super) fn read_account(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    let line = match &modem.inbox.account {
        None => {
            [(); 2].map(|()| quoted_line("+POP3SRV", "", &[b"", b"", b""], &format!(", {}", Account::PORT)))
        }
        Some(Account { server, port, credentials: Credentials { user, proof } }) => {
            let tail = format!(", {port}");
            let line = |password| quoted_line("+POP3SRV", "", &[server.as_bytes(), user, password], &tail);
            [line(proof.secret().reveal()), line(MASK)]
        }
    };
    say_secret(modem, &[line]);
    Answer::OK
}

/// What a session uses is not to be changed while it is open.
fn set_account(modem: &mut Modem, account: Option<Account>) -> Answer {
    if modem.inbox.is_open() {
        return Answer::ERROR;
    }
    modem.inbox.account = account;
    Answer::OK
}

pub(super) fn write_account(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    let (Some(server), Some(user), Some(password)) =
        (arguments.text(0), arguments.octets(1), arguments.octets(2))
    else {
        return Answer::ERROR;
    };
    let port = arguments.number(3).and_then(|port| u16::try_from(port).ok()).unwrap_or(Account::PORT);
    let credentials = Credentials::with_password(user, password);
    set_account(modem, Some(Account { server: server.to_owned(), port, credentials }))
}

pub(super) fn clear_account(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    set_account(modem, None)
}

pub(super) fn read_session(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    let line = match (&modem.inbox.session, &modem.inbox.account) {
        (Session::Open(_), Some(account)) => format!("+POP3IN: \"{}\"", account.server),
        _ => "+POP3IN: NULL".to_owned(),
    };
    modem.terminal.say(&[line]);
    Answer::OK
}

pub(super) fn log_in(modem: &mut Modem, _: &Arguments, now: Instant) -> Answer {
    modem.begin_session(now)
}

pub(super) fn count(modem: &mut Modem, _: &Arguments, now: Instant) -> Answer {
    modem.ask(Request::Stat, Job::Ask, now)
}

pub(super) fn list_all(modem: &mut Modem, _: &Arguments, now: Instant) -> Answer {
    modem.ask(Request::List(None), Job::List { any: false }, now)
}

pub(super) fn list_one(modem: &mut Modem, arguments: &Arguments, now: Instant) -> Answer {
    modem.ask(Request::List(arguments.number(0)), Job::Ask, now)
}

pub(super) fn header(modem: &mut Modem, arguments: &Arguments, now: Instant) -> Answer {
    match arguments.number(0) {
        Some(id) => modem.ask_header(id, now),
        None => Answer::ERROR,
    }
}

pub(super) fn get(modem: &mut Modem, arguments: &Arguments, now: Instant) -> Answer {
    let Some(id) = arguments.number(0) else { return Answer::ERROR };
    let form = match arguments.number(1) {
        Some(2) => Form::Whole,
        Some(3) => Form::Both,
        _ => Form::Parts,
    };
    modem.begin_getting(id, form, now)
}

pub(super) fn delete(modem: &mut Modem, arguments: &Arguments, now: Instant) -> Answer {
    match arguments.number(0) {
        Some(id) => modem.ask(Request::Delete(id), Job::Ask, now),
        None => Answer::ERROR,
    }
}

pub(super) fn log_out(modem: &mut Modem, _: &Arguments, now: Instant) -> Answer {
    modem.ask(Request::Quit, Job::Ask, now)
}

pub(super) fn stop(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    Answer::ok_if_some(modem.stop_session())
}

pub(super) fn read_last(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    let Some(path) = modem.inbox.last_saved.clone() else { return Answer::ERROR };
    modem.begin_reading(&path).unwrap_or(Answer::ERROR)
}

pub(super) fn read_one(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    let drive = if arguments.number(0) == Some(1) { Letter::D } else { Letter::C };
    let path = arguments.text(1).and_then(|text| modem.files.saved_mail(drive, text));
    path.and_then(|path| modem.begin_reading(&path).ok()).unwrap_or(Answer::ERROR)
}
