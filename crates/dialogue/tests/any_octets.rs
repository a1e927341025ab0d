//! Whatever is typed, in whatever portions and with whatever pauses: the modem lives on, and answers each line once.

use dialogue::play::CALENDAR;
use dialogue::script::{Fate, Opening};
use dialogue::world::{DRIVE_OCTETS_MAX, PowerOn, World};
use modem::limits::TYPE_AHEAD_OCTETS_MAX;
use modem::settings::Settings;
use proptest::prelude::*;
use std::time::Duration;

/// Longer than anything takes: 30 s for each of a handful of answers.
const LONG: Duration = Duration::from_secs(600);

#[derive(Clone, Debug)]
enum Doing {
    Type(Vec<u8>),
    Wait(Duration),
    Card(bool),
}

fn world(octet_by_octet: bool) -> World {
    World::new(PowerOn {
        settings: Settings::default(),
        calendar: CALENDAR,
        card: true,
        octet_by_octet,
        first_mails: true,
        drive_c_octets_max: DRIVE_OCTETS_MAX,
        drive_d_octets_max: DRIVE_OCTETS_MAX,
    })
}

fn perform(world: &mut World, doings: &[Doing]) {
    for doing in doings {
        match doing {
            Doing::Type(octets) => world.type_octets(octets),
            Doing::Wait(wait) => world.wait(*wait),
            Doing::Card(is_in) => world.set_card(*is_in),
        }
    }
}

/// Commands that get a mail going, among them ones for servers and people that mean trouble.
const MAIL: &[&str] = &[
    "AT+SMTPSEND\r",
    "AT+SMTPSTOP\r",
    "AT+SMTPSRV=\"smtp.server.com\"\r",
    "AT+SMTPSRV=\"silent.server.com\"\r",
    "AT+SMTPSRV=\"refused.server.com\"\r",
    "AT+SMTPFROM=\"a@server.com\";+SMTPRCPT=0,0,\"b@server.com\"\r",
    "AT+SMTPRCPT=0,1,\"slow@server.com\"\r",
    "AT+SMTPRCPT=0,1,\"silent@server.com\"\r",
    "AT+SMTPAUTH=1,\"u\",\"p\"\r",
    "AT+POP3SRV=\"pop3.server.com\",\"un\",\"pwd\"\r",
    "AT+POP3SRV=\"pop3.server.com\",\"cut\",\"pwd\"\r",
    "AT+POP3SRV=\"pop3.server.com\",\"silent\",\"pwd\"\r",
    "AT+POP3SRV=\"pop3.server.com\",\"garbage\",\"pwd\"\r",
    "AT+POP3SRV=\"pop3.server.com\",\"no-top\",\"pwd\"\r",
    "AT+POP3SRV=\"pop3.server.com\",\"err-on-quit\",\"pwd\"\r",
    "AT+POP3SRV=\"silent.server.com\",\"un\",\"pwd\"\r",
    "AT+POP3IN\r",
    "AT+POP3IN\r",
    "AT+POP3NUM\r",
    "AT+POP3LIST\r",
    "AT+POP3HDR=1\r",
    "AT+POP3GET=1\r",
    "AT+POP3GET=2,3\r",
    "AT+POP3READ\r",
    "AT+POP3DEL=2\r",
    "AT+POP3OUT\r",
    "AT+POP3STOP\r",
];

/// Pieces that mean something, and need no network.
const PIECES: &[&str] = &[
    "AT",
    "A/",
    "\r",
    "\n",
    "\r\n",
    "\x1a",
    "\x1b",
    "\x08",
    "\x7f",
    "\0",
    ";",
    "\"",
    ",",
    "=",
    "?",
    " ",
    "E0",
    "V0",
    "Q1",
    "S3=13",
    "S4=7",
    "+SMTPBODY",
    "+SMTPSUB=",
    "{non-ascii}\"E6B5",
    "+SMTPFILE=1,",
    "+FSCD=",
    "C:/Picture",
    "../",
    "+FSLS",
    "+CLAC",
    "+CCLK=\"10/02/02,10:00:00",
    "+NETOPEN",
    "+NETCLOSE",
    "+CREG=1",
    "+CFUN=4",
    "+CFUN=1",
    "+CMEE=2",
    "+CPIN=\"1234\"",
    "+IPR=9600",
    "+CRESET",
    "&W",
    "&F",
    "Z",
    "ATE1Q0V1\r",
    "AT+FSMKDIR=d\r",
    "AT+FSCD=d;+FSRMDIR=d\r",
    "AT+FSRENAME=a,b\r",
    "AT+FSDEL=*.*\r",
    "AT+FSCOPY=a,D:/a;+FSMEM\r",
    "AT+FSFMT\r",
    "AT+CFTRANRX=a,20\r\nAT\r",
    "AT+CFTRANRX=a,2\r01",
    "AT+CFTRANTX=a\r",
    "AT+CRXFILE=a\r",
    "AT+CTXFILE=a\r",
    "\x06",
    "\x15",
    "\x18\x18",
    "\x04\x04",
];

fn octets(pieces: Vec<&'static str>) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => prop::sample::select(pieces).prop_map(|piece| piece.as_bytes().to_vec()),
        2 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (any::<u8>(), 0..7_000_usize).prop_map(|(octet, times)| vec![octet; times]),
    ]
}

fn wait() -> impl Strategy<Value = Doing> {
    prop_oneof![0..3_000_u64, 0..40_000_u64].prop_map(|ms| Doing::Wait(Duration::from_millis(ms)))
}

fn doings(pieces: Vec<&'static str>) -> impl Strategy<Value = Vec<Doing>> {
    let doing = prop_oneof![
        8 => octets(pieces).prop_map(Doing::Type),
        1 => wait(),
        1 => any::<bool>().prop_map(Doing::Card),
    ];
    prop::collection::vec(doing, 0..60)
}

/// A line, with how many final result codes it asks for.
#[derive(Clone, Debug)]
struct Typed {
    octets: Vec<u8>,
    codes: usize,
}

fn commands() -> impl Strategy<Value = String> {
    let valid = vec![
        "+SMTPSUB=\"a;b\"",
        "+SMTPSUB?",
        "+SMTPSRV?",
        "+SMTPRCPT?",
        "+SMTPAUTH=0",
        "+SMTPBCH=\"utf-8\"",
        "+SMTPFILE?",
        "+SMTPSEND?",
        "+SMTPBODY=\"text\"",
        "+CLAC",
        "+CGSOCKCONT=1,\"IP\",\"3GNET\"",
        "+FSLS",
        "+FSCD=C:/Picture",
        "+CMEE=1",
        "&C1",
        "S0=0",
        "&V",
        "I",
        "+CREG=2",
        "+CGATT=0",
        "+CGPS=0",
        "+IPR=9600",
    ];
    let invalid = vec![
        "+NOSUCH",
        "+SMTPSRV=",
        "+SMTPSRV=\"a\",0",
        "+SMTPSUB=\"a",
        "+SMTPRCPT=9",
        "+FSCD=Z:",
        "*",
        "&",
        "+SMTPFILE=1,\"none\"",
        "+CPIN=\"1234\"",
        "+CGACT=1,9",
    ];
    let garbage = "[ -~]{0,40}".prop_map(|text| format!("+{text}"));
    let one = prop_oneof![
        6 => prop::sample::select(valid).prop_map(str::to_owned),
        2 => prop::sample::select(invalid).prop_map(str::to_owned),
        1 => garbage,
    ];
    prop::collection::vec(one, 0..4).prop_map(|commands| commands.join(";"))
}

/// A command line, or an empty one.
fn line() -> impl Strategy<Value = Typed> {
    prop_oneof![
        8 => (prop::sample::select(vec!["AT", "at", "aT"]), commands())
            .prop_map(|(at, commands)| (format!("{at}{commands}"), 1)),
        1 => Just((String::new(), 0)),
    ]
    .prop_flat_map(ended)
}

/// Typed while a command waits, it takes all the room there is for what is typed ahead, and more.
fn too_long() -> impl Strategy<Value = Typed> {
    ended((format!("AT{}", "x".repeat(4_000)), 1))
}

/// Lines to be typed at any time: either short enough to be kept all together while a command waits, prompts among them,
/// or such that it is of no matter what is lost of them.
fn lines() -> impl Strategy<Value = Vec<Typed>> {
    let kept =
        prop::collection::vec(prop_oneof![6 => line(), 2 => odd_line(), 2 => prompt(), 3 => mail()], 0..25)
            .prop_filter("more than is kept", |lines| octets_of(lines).len() <= TYPE_AHEAD_OCTETS_MAX);
    let lost = prop::collection::vec(prop_oneof![6 => line(), 1 => too_long(), 3 => mail()], 0..25);
    prop_oneof![kept, lost]
}

fn octets_of(lines: &[Typed]) -> Vec<u8> {
    lines.iter().flat_map(|line| line.octets.clone()).collect()
}

fn codes_of(lines: &[Typed]) -> usize {
    lines.iter().map(|line| line.codes).sum()
}

/// A line that is edited, repeated, or not for the modem.
fn odd_line() -> impl Strategy<Value = Typed> {
    prop::sample::select(vec![("hello", 0), ("ATX\x08\x7fAT", 0), ("ATX\x08+SMTPSUB?\rA/", 2)])
        .prop_flat_map(|(text, codes)| ended((text.to_owned(), codes)))
}

/// With noise before it and an end behind it.
fn ended((text, codes): (String, usize)) -> impl Strategy<Value = Typed> {
    let noise = prop::sample::select(vec!["", "", "", "\x1b\r", "\0", "  ", "\r\r\r"]);
    let end = prop::sample::select(vec!["\r", "\r\n", "\n"]);
    (noise, end).prop_map(move |(noise, end)| Typed { octets: format!("{noise}{text}{end}").into(), codes })
}

/// A prompt with its text. When the modem does not ask for it, the text is a line that is not for the modem.
fn prompt() -> impl Strategy<Value = Typed> {
    prop::sample::select(vec![
        "AT+SMTPBODY\rHello\x1a\r",
        "AT+SMTPBODY\r\nHello\x1b\r",
        "AT+SMTPBODY\r\x1a\r",
    ])
    .prop_map(|text| Typed { octets: text.into(), codes: 1 })
}

fn mail() -> impl Strategy<Value = Typed> {
    prop::sample::select(MAIL).prop_map(|text| Typed { octets: text.into(), codes: 1 })
}

/// Lines of the terminal, with echo off, so that all that is shown is the modem's own.
fn final_codes(shown: &[u8]) -> usize {
    let is_code = |line: &&[u8]| matches!(*line, b"OK\r" | b"ERROR\r") || line.starts_with(b"+CME ERROR: ");
    shown.split(|&octet| octet == b'\n').filter(is_code).count()
}

/// Octets in portions, with pauses between.
fn portions(octets: &[u8], cuts: &[(prop::sample::Index, u64)]) -> Vec<Doing> {
    let mut cuts: Vec<(usize, u64)> =
        cuts.iter().map(|(index, ms)| (index.index(octets.len() + 1), *ms)).collect();
    cuts.sort_unstable();
    let mut doings = Vec::new();
    let mut rest = octets;
    for (cut, ms) in cuts {
        let (portion, after) = rest.split_at(cut - (octets.len() - rest.len()));
        doings.push(Doing::Type(portion.to_vec()));
        doings.push(Doing::Wait(Duration::from_millis(ms)));
        rest = after;
    }
    doings.push(Doing::Type(rest.to_vec()));
    doings
}

fn cuts() -> impl Strategy<Value = Vec<(prop::sample::Index, u64)>> {
    prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![Just(0_u64), 0..2_000_u64]), 0..20)
}

proptest! {
    /// It lives: whatever was typed, the modem can be brought back to answer AT.
    #[test]
    fn any_octets_leave_a_modem_that_answers(
        doings in doings(PIECES.iter().chain(MAIL).copied().collect()),
        octet_by_octet in any::<bool>(),
    ) {
        let mut world = world(octet_by_octet);
        perform(&mut world, &doings);
        world.wait(LONG);
        // Out of a prompt, to the end of a line, whatever octet ends one, and back to what codes and lines are.
        world.type_octets(b"\x1b\n\nATE0Q0V1S3=13S4=10S5=8\n");
        world.wait(LONG);
        world.shown().clear();
        world.type_octets(b"AT\r");
        prop_assert_eq!(world.shown().as_slice(), b"\r\nOK\r\n");
    }

    #[test]
    fn octet_by_octet_shows_the_same_as_all_at_once(doings in doings(PIECES.to_vec())) {
        let [mut portions, mut octets] = [world(false), world(true)];
        perform(&mut portions, &doings);
        perform(&mut octets, &doings);
        prop_assert_eq!(portions.shown(), octets.shown());
    }

    #[test]
    fn every_line_has_one_final_result_code(
        lines in lines(),
        cuts in cuts(),
        octet_by_octet in any::<bool>(),
    ) {
        let mut world = world(octet_by_octet);
        world.type_octets(b"ATE0\r");
        world.shown().clear();
        perform(&mut world, &portions(&octets_of(&lines), &cuts));
        world.wait(LONG);
        let shown = String::from_utf8_lossy(world.shown()).into_owned();
        prop_assert_eq!(final_codes(world.shown()), codes_of(&lines), "{}", shown);
    }

    /// Also those for which there was no room while a command waited. (What is not for the modem is an ERROR there.)
    #[test]
    fn every_line_typed_ahead_has_one_final_result_code(
        lines in prop::collection::vec(prop_oneof![9 => line(), 1 => too_long()], 0..100),
        cuts in cuts(),
        octet_by_octet in any::<bool>(),
    ) {
        let mut world = world(octet_by_octet);
        world.script_servers(Opening::Held);
        world.type_octets(b"ATE0+SMTPSRV=\"s\";+SMTPFROM=\"a@b.c\";+SMTPRCPT=0,0,\"a@b.c\"\rAT+SMTPSEND\r");
        world.shown().clear();
        perform(&mut world, &portions(&octets_of(&lines), &cuts));
        prop_assert_eq!(world.decide(Fate::Refused), Some(()));
        let shown = String::from_utf8_lossy(world.shown()).into_owned();
        prop_assert_eq!(final_codes(world.shown()), 1 + codes_of(&lines), "{}", shown);
    }
}
