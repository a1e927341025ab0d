//! However a password is typed, cut and asked for, and whatever servers do with it: a trace and a report never tell it.

#![allow(clippy::unwrap_used, reason = "what surprises a test is its failure")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dialogue::play::CALENDAR;
use dialogue::script::Opening;
use dialogue::world::{DRIVE_OCTETS_MAX, PowerOn, World};
use mail::machine::Passage;
use modem::modem::Traced;
use modem::settings::Settings;
use proptest::prelude::*;

/// Stands in texts below for the password as it is typed in quotes, and quoted in base64 by servers.
const PASSWORD: &str = "§";
const PASSWORD_BASE64: &str = "§64";

fn world(octet_by_octet: bool, apop: bool) -> World {
    world_of(octet_by_octet, Settings { trace: true, apop, ..Settings::default() })
}

fn world_of(octet_by_octet: bool, settings: Settings) -> World {
    World::new(PowerOn {
        settings,
        calendar: CALENDAR,
        card: true,
        octet_by_octet,
        first_mails: false,
        drive_c_octets_max: DRIVE_OCTETS_MAX,
        drive_d_octets_max: DRIVE_OCTETS_MAX,
    })
}

/// Everything that the modem told anybody but the terminal and the servers.
fn told(world: &World) -> String {
    let mut text = [world.reports(), world.done()].concat().join("\n");
    for traced in world.traced() {
        text.push('\n');
        text.push_str(&match traced {
            Traced::Typed(octets) | Traced::Shown(octets) => String::from_utf8_lossy(octets).into_owned(),
            Traced::TypedOther(words) => words.clone(),
            Traced::OnLink(_, Passage::Said(line) | Passage::Heard(line)) => line.clone(),
            Traced::OnLink(_, Passage::SaidContent(octets) | Passage::HeardContent(octets)) => {
                octets.to_string()
            }
        });
    }
    text
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}

fn assert_not_told(world: &World, password: &str) {
    let told = told(world);
    let lower = told.to_lowercase();
    assert!(!told.contains(password), "{password} in clear:\n{told}");
    assert!(!lower.contains(&hex(password.as_bytes()).to_lowercase()), "{password} in hex:\n{told}");
    for secret in [password.to_owned(), format!("\0un\0{password}")] {
        let base64 = STANDARD.encode(secret);
        assert!(!told.contains(base64.trim_end_matches('=')), "{password} in base64:\n{told}");
    }
}

/// Lines that hold a password or ask for it, and what else a host says.
const LINES: &[&str] = &[
    "AT+SMTPAUTH=1,\"un\",§",
    "AT+POP3SRV=\"pop3.server.com\",\"un\",§,110",
    "AT+CSOCKAUTH=1,1,§,\"un\"",
    "AT+CSOCKAUTH=1,1,\"un\",§",
    "AT+CPIN=§",
    "AT+CMEE=2;+SMTPAUTH=1,\"un\",§;+SMTPSUB=\"a\"",
    "ATE0V1+POP3SRV=\"pop3.server.com\",\"un\",§",
    // What is wrong with these is no reason to tell them.
    "AT+SMTPAUTH=1,\"un\",\"x\",§",
    "AT+SMTPAUTHH=1,\"un\",§",
    "AT+SMTPAUTH 1,\"un\",§",
    "AT+SMTPAUTH=1,\"un\",§\"",
    "AT+SMTPAUTH=1,\"un\",\"\"§",
    "AT+SMTPSUB=\"aAT+SMTPAUTH=1,\"un\",§",
    "AT+SMTPSUB=\"a\"AT+SMTPAUTH=1,\"un\",§",
    "AT+SMTPRCPT=0AT+SMTPAUTH=1,1,§",
    "AT+FSCD=xAT+CSOCKAUTH=1,1,§",
    "+SMTPAUTH=1,\"un\",§",
    "xAT+POP3SRV=\"a\",\"b\",§",
    "AT+SMTPAUTH?",
    "AT+POP3SRV?",
    "AT+CSOCKAUTH?;+SMTPAUTH?",
    "ATE1",
    "AT+SMTPBODY",
    "\x1a",
    "\x1b",
    "A/",
    "AT+SMTPSRV=\"smtp.server.com\"",
    "AT+SMTPFROM=\"a@server.com\";+SMTPRCPT=0,0,\"b@server.com\"",
    "AT+SMTPSEND",
    "AT+POP3IN",
    "AT+POP3STOP",
    "AT+MAILERR?",
    "AT+CFTRANRX=\"C:/f\",20",
    "AT+CFTRANTX=\"C:/f\"",
    "AT+CRXFILE=\"g\"",
    "ATS5=42",
    "AT+CRESET",
];

/// What servers say.
const SERVED: &[&str] = &[
    "220 smtp.server.com",
    "250-smtp.server.com\r\n250 AUTH PLAIN",
    "250-smtp.server.com\r\n250 AUTH LOGIN",
    "250-smtp.server.com\r\n250 AUTH CRAM-MD5",
    "334 VXNlcm5hbWU6",
    "334 §64",
    "235 § is right",
    "250 ok §",
    "535 5.7.8 § §64 is wrong",
    "354 go on",
    "+OK <1896.697170952@dbc.mtview.ca.us>",
    "+OK §",
    "-ERR [AUTH] § §64 is wrong",
];

/// How a password stands on a line.
#[derive(Clone, Copy, Debug)]
enum Form {
    Quoted,
    Hex,
    Bare,
}

#[derive(Clone, Debug)]
enum Doing {
    Type { line: &'static str, form: Form, lower: bool, spaced: bool, slip: usize, end: &'static str },
    Serve(&'static str),
    HangUp,
    Wait(u64),
}

fn doing() -> impl Strategy<Value = Doing> {
    let form = prop::sample::select(vec![Form::Quoted, Form::Quoted, Form::Hex, Form::Bare]);
    let end = prop::sample::select(vec!["\r", "\r\n", "\n", "\r", ""]);
    let typed = (prop::sample::select(LINES), form, any::<bool>(), any::<bool>(), 0..60_usize, end);
    prop_oneof![
        10 => typed.prop_map(|(line, form, lower, spaced, slip, end)| {
            Doing::Type { line, form, lower, spaced, slip, end }
        }),
        8 => prop::sample::select(SERVED).prop_map(Doing::Serve),
        1 => Just(Doing::HangUp),
        1 => (0..20_000_u64).prop_map(Doing::Wait),
    ]
}

/// The line as it is typed: a slip of the finger is taken back where there is room for it.
fn typed(password: &str, doing: &Doing) -> Vec<u8> {
    let &Doing::Type { line, form, lower, spaced, slip, end } = doing else { return Vec::new() };
    let argument = match form {
        Form::Quoted => format!("\"{password}\""),
        Form::Hex => format!("{{non-ascii}}\"{}\"", hex(password.as_bytes())),
        Form::Bare => password.to_owned(),
    };
    let mut line = line.to_owned();
    if lower {
        line = line.to_lowercase();
    }
    if spaced {
        line = line.replace(',', " , ").replace('=', " = ");
    }
    let mut octets = line.replace(PASSWORD, &argument).into_bytes();
    if slip < octets.len() && slip > 2 {
        octets.splice(slip..slip, *b"x\x08");
    }
    octets.extend_from_slice(end.as_bytes());
    octets
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_password_is_told(
        password in "[a-zA-Z0-9]{10,16}",
        octet_by_octet in any::<bool>(),
        apop in any::<bool>(),
        doings in prop::collection::vec(doing(), 0..40),
    ) {
        let mut world = world(octet_by_octet, apop);
        world.script_servers(Opening::Open);
        for doing in &doings {
            match doing {
                Doing::Type { .. } => world.type_octets(&typed(&password, doing)),
                Doing::Serve(line) => {
                    // A server can only quote what it was just told.
                    let sent = String::from_utf8_lossy(&std::mem::take(world.sent().unwrap())).into_owned();
                    let mut base64 = [password.clone(), format!("\0un\0{password}")].map(|secret| STANDARD.encode(secret));
                    let knows = sent.contains(&password) || base64.iter().any(|secret| sent.contains(secret));
                    let quoted = if knows { [std::mem::take(&mut base64[0]), password.clone()] } else { <[String; 2]>::default() };
                    let line = line.replace(PASSWORD_BASE64, &quoted[0]).replace(PASSWORD, &quoted[1]);
                    let _ = world.serve(format!("{line}\r\n").as_bytes());
                }
                Doing::HangUp => drop(world.hang_up()),
                Doing::Wait(ms) => world.wait(std::time::Duration::from_millis(*ms)),
            }
        }
        assert_not_told(&world, &password);
    }
}

/// What a trace does tell: the rest of such lines, and the wire beside them.
#[test]
fn a_log_in_is_traced_without_its_secrets() {
    let mut world = world(false, false);
    world.script_servers(Opening::Open);
    world.type_octets(b"ATE0\rAT+SMTPSRV=\"smtp.server.com\";+SMTPFROM=\"a@b\";+SMTPRCPT=0,0,\"c@d\"\r");
    world.type_octets(b"at+smtpauth = 1, \"un\", \"tiger-hunter\";+CSQ\rAT+SMTPAUTH?\rA/AT+SMTPAUTH=1,\"un\",\"x\rAT+X=1,22,\"1234\"\r");
    world.type_octets(b"AT+SMTPSEND\r");
    for line in
        ["220 mx", "250-mx\r\n250 AUTH LOGIN", "334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "535 tiger-hunter"]
    {
        world.serve(format!("{line}\r\n").as_bytes()).unwrap();
    }
    let expected = "
ATE0
\r\nOK\r\n
AT+SMTPSRV=\"smtp.server.com\";+SMTPFROM=\"a@b\";+SMTPRCPT=0,0,\"c@d\"
\r\nOK\r\n
at+SMTPAUTH=1,\"un\",\"***\";***
\r\n+CSQ: 22,0\r\n\r\nOK\r\n
AT+SMTPAUTH?
\r\n+SMTPAUTH: 1, \"un\", \"***\"\r\n\r\nOK\r\n
A/
\r\n+SMTPAUTH: 1, \"un\", \"***\"\r\n\r\nOK\r\n
AT+SMTPAUTH***
\r\nERROR\r\n
AT+X=1,22,\"***\"
\r\nERROR\r\n
AT+SMTPSEND
220 mx
EHLO [127.0.0.1]
\r\n+SMTP: OK\r\n\r\nOK\r\n
250-mx
250 AUTH LOGIN
AUTH LOGIN
334 ***
***
334 ***
***
535 ***
QUIT";
    assert_eq!(told(&world), expected);
}

#[test]
fn without_the_setting_nothing_is_traced() {
    let mut world = world_of(false, Settings::default());
    world.type_octets(b"AT+SMTPAUTH=1,\"un\",\"x\"\rAT+SMTPAUTH?\r");
    assert!(world.traced().is_empty());
}

/// The line of octets has lost the quotes between a user and a password: what seems to be the user is both.
#[test]
fn a_password_behind_lost_quotes_is_not_traced() {
    let mut world = world(false, false);
    world.type_octets(
        b"AT+POP3SRV=\"pop3.server.com\",\"un7,tiger-hunter\",110\rAT+SMTPAUTH=1,\"un,tiger-hunter\"\r",
    );
    assert_not_told(&world, "tiger-hunter");
}
