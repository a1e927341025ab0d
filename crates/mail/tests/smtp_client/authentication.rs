//! The words of AUTH (RFC 4954), and what is never said.

use crate::script::{GOOD_END, greeting, order, play};
use mail::sasl::Credentials;
use mail::smtp::client::Order;

fn tim() -> Order {
    let credentials = Some(Credentials::with_password("tim", "tanstaaftanstaaf"));
    Order { credentials, ..order() }
}

const TRANSACTION: &str = "
    C: MAIL FROM:<mike@server.com>
    S: 250 ok
    C: RCPT TO:<john@server.com>
    S: 250 ok
    C: DATA";

fn good(auth: &str, dialogue: &str) {
    play(tim, &(greeting(&[auth]) + dialogue + TRANSACTION + GOOD_END));
}

#[test]
fn plain_with_its_initial_response() {
    // RFC 4616 §4.
    good("AUTH PLAIN", "C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\nS: 235 in");
}

const LOGIN: &str = "
    C: AUTH LOGIN
    S: 334 VXNlcm5hbWU6
    C: dGlt
    S: 334 UGFzc3dvcmQ6
    C: dGFuc3RhYWZ0YW5zdGFhZg==
    S: 235 in";

const CRAM: &str = "
    C: AUTH CRAM-MD5
    S: 334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+
    C: dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw
    S: 235 in";

#[test]
fn login_in_two_answers() {
    good("AUTH LOGIN", LOGIN);
    good("AUTH=login", LOGIN);
}

#[test]
fn cram_md5_as_in_rfc_2195() {
    good("AUTH CRAM-MD5", CRAM);
}

#[test]
fn login_whose_prompts_are_empty() {
    let bare = LOGIN.replace(" VXNlcm5hbWU6", "").replace(" UGFzc3dvcmQ6", "");
    good("AUTH LOGIN", &bare);
}

#[test]
fn the_strongest_is_taken_in_whatever_order_they_are_offered() {
    for offered in ["AUTH LOGIN PLAIN CRAM-MD5", "AUTH CRAM-MD5 LOGIN", "AUTH GSSAPI cram-md5 PLAIN"] {
        good(offered, CRAM);
    }
    good("AUTH LOGIN PLAIN XOAUTH2", "C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\nS: 235 in");
}

#[test]
fn no_weaker_one_follows_a_refusal() {
    for reply in ["535 no", "534 too weak", "538 encrypt", "454 later", "504 what", "530 tls first", "250 ok"]
    {
        let script = format!(
            "C: AUTH CRAM-MD5\nS: {reply}\nC: QUIT\nS: 221 bye\nclose\nfailed answered \"{reply}\" to AUTH"
        );
        play(tim, &(greeting(&["AUTH CRAM-MD5 PLAIN LOGIN"]) + &script));
    }
    let script = LOGIN.replace("235 in", "535 5.7.8 no")
        + "\nC: QUIT\nS: 221 bye\nclose\nfailed answered \"535 5.7.8 no\" to AUTH";
    play(tim, &(greeting(&["AUTH LOGIN"]) + &script));
}

/// Nonsense is quoted too, and may be good news that quotes what it was told.
#[test]
fn a_password_in_a_reply_of_any_kind_is_not_quoted() {
    for code in ["250", "354", "550"] {
        let script = LOGIN.replace("235 in", &format!("{code} dGFuc3RhYWZ0YW5zdGFhZg== tanstaaftanstaaf"))
            + &format!("\nC: QUIT\nS: 221 bye\nclose\nfailed answered \"{code} ***== ***\" to AUTH");
        play(tim, &(greeting(&["AUTH LOGIN"]) + &script));
    }
}

#[test]
fn without_a_common_mechanism_nothing_is_sent_unauthenticated() {
    for (extensions, offered) in
        [(&["SIZE"][..], "none"), (&["AUTH"], "none"), (&["AUTH GSSAPI NTLM"], "GSSAPI NTLM")]
    {
        let script = format!(
            "C: QUIT\nS: 221 bye\nclose\nfailed offers no authentication mechanism that is spoken here, but: {offered}"
        );
        play(tim, &(greeting(extensions) + &script));
    }
}

#[test]
fn a_challenge_that_cannot_be_answered_is_cancelled_without_the_password() {
    for challenge in ["334 Rubbish", "334", "334 =", "334 \u{e9}", "334 PDFA eD4="] {
        let script = format!(
            "C: AUTH CRAM-MD5\nS: {challenge}\nC: *\nS: 501 cancelled\nC: QUIT\nS: 221 bye\nclose\n\
             failed sent a challenge that CRAM-MD5 cannot answer"
        );
        play(tim, &(greeting(&["AUTH CRAM-MD5 PLAIN"]) + &script));
    }
}

#[test]
fn no_mechanism_answers_a_challenge_too_many() {
    for (dialogue, mechanism) in [
        (LOGIN, "LOGIN"),
        (CRAM, "CRAM-MD5"),
        ("C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\nS: 235 in", "PLAIN"),
    ] {
        let script = dialogue.replace("235 in", "334 PDFAeD4=")
            + &format!(
                "\nC: *\nS: 235 in after all\nC: QUIT\nS: 221 bye\nclose\n\
                 failed sent a challenge that {mechanism} cannot answer"
            );
        play(tim, &(greeting(&[&format!("AUTH {mechanism}")]) + &script));
    }
}

#[test]
fn what_comes_after_the_cancellation_changes_nothing() {
    for (after, last) in [
        ("S: 421 bye", ""),
        ("S: what", ""),
        ("closed", ""),
        ("wait 30000", ""),
        ("S: 334 PDFAeD4=", "C: QUIT\nS: 221 bye\n"),
    ] {
        let script = format!(
            "C: AUTH CRAM-MD5\nS: 334 !\nC: *\n{after}\n{last}close\nfailed sent a challenge that CRAM-MD5 cannot answer"
        );
        play(tim, &(greeting(&["AUTH CRAM-MD5"]) + &script));
    }
}

#[test]
fn a_log_in_that_is_offered_and_not_asked_for_is_left_alone() {
    play(order, &(greeting(&["AUTH PLAIN"]) + TRANSACTION + GOOD_END));
}

#[test]
fn an_empty_password_is_a_password() {
    let order = || Order { credentials: Some(Credentials::with_password("u", "")), ..order() };
    let login = "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: dQ==\nS: 334 UGFzc3dvcmQ6\nC:\nS: 235 in";
    play(order, &(greeting(&["AUTH LOGIN"]) + login + TRANSACTION + GOOD_END));
}
