//! STARTTLS and what must not happen around it (RFC 3207; CVE-2011-0411).

use crate::script::{GOOD_END, Peer, greeting, order, play, play_at_once};
use mail::machine::Input;
use mail::policy::{Policy, Security};
use mail::sasl::Credentials;
use mail::smtp::client::{Failure, Nonsense, Order, Step};

fn order_with(security: Security) -> Order {
    let credentials = Some(Credentials::with_password("u", "p"));
    Order { policy: Policy { security, ..Policy::default() }, credentials, ..order() }
}

fn required() -> Order {
    order_with(Security::Required)
}

#[test]
fn without_starttls_while_required_nothing_is_sent() {
    let script = "
        C: QUIT
        S: 221 bye
        close
        failed does not offer STARTTLS, which is required";
    play(required, &(greeting(&["AUTH PLAIN"]) + script));
    // A server from before extensions cannot have it either.
    let refused =
        "S: 220 mx\ngreeted\nC: EHLO modem.example\nS: 502 what\nC: HELO modem.example\nS: 250 mx\n";
    play(required, &(refused.to_owned() + script));
}

#[test]
fn capabilities_from_before_tls_are_forgotten() {
    for security in [Security::Required, Security::WhenOffered] {
        let script = "
            C: STARTTLS
            S: 220 go
            starttls
            secured
            C: EHLO modem.example
            S: 250-mx
            S: 250 AUTH LOGIN
            C: AUTH LOGIN
            S: 334 VXNlcm5hbWU6
            C: dQ==
            S: 334 UGFzc3dvcmQ6
            C: cA==
            S: 235 in
            C: MAIL FROM:<mike@server.com>
            S: 250 ok
            C: RCPT TO:<john@server.com>
            S: 250 ok
            C: DATA";
        let before = greeting(&["STARTTLS", "AUTH CRAM-MD5", "SIZE 1", "PIPELINING"]);
        play(|| order_with(security), &(before + script + GOOD_END));
    }
}

#[test]
fn capabilities_are_forgotten_too_when_ehlo_is_refused_after_tls() {
    let script = "
        C: STARTTLS
        S: 220 go
        starttls
        secured
        C: EHLO modem.example
        S: 502 what
        C: HELO modem.example
        S: 250 mx
        C: QUIT
        S: 221 bye
        close
        failed offers no authentication mechanism that is spoken here, but: none";
    play(required, &(greeting(&["STARTTLS", "AUTH PLAIN"]) + script));
}

#[test]
fn starttls_is_not_asked_for_twice() {
    let script = "
        C: STARTTLS
        S: 220 go
        starttls
        secured
        C: EHLO modem.example
        S: 250-mx
        S: 250 STARTTLS
        C: QUIT
        S: 221 bye
        close
        failed offers no authentication mechanism that is spoken here, but: none";
    play(required, &(greeting(&["STARTTLS"]) + script));
}

#[test]
fn octets_in_clear_behind_the_answer_are_never_read() {
    let before = greeting(&["STARTTLS"]) + "C: STARTTLS\n";
    let script = "
        S: 220 go
        S: 250 PIPELINING
        close
        failed answered STARTTLS with octets in clear behind its reply";
    play_at_once(required(), &(before.clone() + script));
    let script = "
        S: 220 go
        starttls
        S: 2
        close
        failed answered STARTTLS with octets in clear behind its reply";
    let mut peer = Peer::new(required());
    for line in ["220 mx", "250-mx\r\n250 STARTTLS", "220 go"] {
        peer.say(line);
    }
    peer.tell(Input::Received(b"2"));
    let injected = Failure::Malformed(Step::StartTls, Nonsense::Injected);
    assert_eq!(peer.outcome, Some(Err(injected)));
    let expected = before + script;
    let expected = expected.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("S:"));
    assert_eq!(peer.transcript, expected.collect::<Vec<_>>());
}

#[test]
fn a_link_that_goes_during_the_handshake_is_a_failed_handshake() {
    let before = greeting(&["STARTTLS"]) + "C: STARTTLS\nS: 220 go\nstarttls\n";
    play(required, &(before.clone() + "closed\nclose\nfailed failed in the TLS handshake"));
    play(required, &(before + "wait 29999\nwait 1\nclose\nfailed did not answer STARTTLS within 30 s"));
}

#[test]
fn refused_starttls_ends_it_only_when_required() {
    let before = greeting(&["STARTTLS", "AUTH PLAIN"]) + "C: STARTTLS\nS: 454 not now\n";
    let quit = "C: QUIT\nS: 221 bye\nclose\nfailed answered \"454 not now\" to STARTTLS";
    play(required, &(before.clone() + quit));
    let goes_on = "
        C: AUTH PLAIN AHUAcA==
        S: 235 in
        C: MAIL FROM:<mike@server.com>
        S: 250 ok
        C: RCPT TO:<john@server.com>
        S: 250 ok
        C: DATA";
    play(|| order_with(Security::WhenOffered), &(before + goes_on + GOOD_END));
    // 421 is no opinion on TLS.
    let before = greeting(&["STARTTLS"]) + "C: STARTTLS\nS: 421 bye\n";
    play(|| order_with(Security::WhenOffered), &(before + "close\nfailed answered \"421 bye\" to STARTTLS"));
}
