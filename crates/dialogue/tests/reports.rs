//! What a server said, as the log has it: the terminal's words for an outcome are few.

#![allow(clippy::unwrap_used, reason = "what surprises a test is its failure")]

use dialogue::play::CALENDAR;
use dialogue::script::Opening;
use dialogue::world::{DRIVE_OCTETS_MAX, PowerOn, World};
use modem::settings::Settings;

/// What is reported of a session with a server that says these lines, one after another.
fn report(typed: &str, lines: &[&str]) -> String {
    play(typed, lines).reports().join("\n")
}

fn play(typed: &str, lines: &[&str]) -> World {
    let mut world = World::new(PowerOn {
        settings: Settings::default(),
        calendar: CALENDAR,
        card: false,
        octet_by_octet: false,
        first_mails: false,
        drive_c_octets_max: DRIVE_OCTETS_MAX,
        drive_d_octets_max: DRIVE_OCTETS_MAX,
    });
    world.script_servers(Opening::Open);
    world.type_octets(typed.as_bytes());
    for line in lines {
        world.serve(format!("{line}\r\n").as_bytes()).unwrap();
    }
    world
}

/// Of each mail that went, and of each that was saved, the log has one line, by which it can be found at the server.
#[test]
fn a_mail_that_went_or_was_saved_is_told() {
    let typed =
        "AT+SMTPSRV=\"smtp.server.com\"\rAT+SMTPFROM=\"a@b.c\"\rAT+SMTPRCPT=0,0,\"d@e.f\"\rAT+SMTPSEND\r";
    let world =
        play(typed, &["220 mx", "250 mx", "250 ok", "250 ok", "354 go", "250 2.0.0 queued as 4BxY\x07"]);
    let words = "SUCCESS: smtp.server.com:25 took it: 250 2.0.0 queued as 4BxY\u{fffd} (mail 1 to d@e.f)";
    assert_eq!(world.done(), [words]);
    assert_eq!(world.reports(), [""; 0]);

    let typed = "AT+POP3SRV=\"pop3.server.com\",\"un\",\"pwd\"\rAT+POP3IN\rAT+POP3GET=2\r";
    let world = play(typed, &["+OK", "+OK", "+OK", "+OK", "Subject: a", "", "b", "."]);
    let [words] = world.done() else { panic!("{:?}", world.done()) };
    assert!(words.starts_with("SUCCESS: saved as C:/Email/"), "{words}");
    assert!(words.ends_with("/EMAIL000.TXT (message 2)"), "{words}");
    assert_eq!(world.reports(), [""; 0]);
}

/// RFC 2449 §8, RFC 3206 §4: a program, or somebody who reads the log, can tell a wrong password from a busy server.
#[test]
fn response_codes_of_a_pop3_server_are_told() {
    let typed = "AT+POP3SRV=\"pop3.server.com\",\"un\",\"pwd\"\rAT+POP3IN\r";
    for answer in
        ["-ERR [IN-USE] locked", "-ERR [LOGIN-DELAY] 5 min", "-ERR [SYS/TEMP] later", "-ERR [AUTH] no"]
    {
        let told = report(typed, &["+OK", "+OK", answer]);
        let words = format!("INVALID UN/PWD: pop3.server.com:110 answered \"{answer}\" to the log-in");
        assert_eq!(told, words);
    }
}

/// RFC 5321 §4.2.1: what may work later, and what will not.
#[test]
fn a_transient_refusal_is_told_from_a_permanent_one() {
    let typed =
        "AT+SMTPSRV=\"smtp.server.com\"\rAT+SMTPFROM=\"a@b.c\"\rAT+SMTPRCPT=0,0,\"d@e.f\"\rAT+SMTPSEND\r";
    for answer in ["450 4.2.1 later", "550 5.1.1 never"] {
        let told = report(typed, &["220 mx", "250 mx", "250 ok", answer, "221 bye"]);
        assert!(
            told.contains(&format!("smtp.server.com:25 answered \"{answer}\" to RCPT TO:<d@e.f>")),
            "{told}"
        );
    }
}
