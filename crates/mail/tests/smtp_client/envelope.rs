//! MAIL, RCPT and DATA: their parameters, their grouping (RFC 2920), and recipients refused.

use crate::script::{CONTENT, GOOD_END, Peer, greeting, order, order_to, play};
use mail::smtp::client::BadRecipient::{Fail, Skip};
use mail::smtp::client::Order;

const MAIL: &str = "C: MAIL FROM:<mike@server.com>\n";
const QUIT: &str = "C: QUIT\nS: 221 bye\nclose\n";

#[test]
fn without_pipelining_each_command_waits() {
    let script = "
        S: 250 ok
        C: RCPT TO:<a@x>
        S: 250 ok
        C: RCPT TO:<b@x>
        S: 251 elsewhere
        C: DATA";
    for policy in [Fail, Skip] {
        play(|| order_to(&["a@x", "b@x"], policy), &(greeting(&[]) + MAIL + script + GOOD_END));
    }
}

#[test]
fn one_recipient_goes_with_everything() {
    let script = "C+ RCPT TO:<john@server.com>\nC+ DATA\nS: 250 ok\nS: 250 ok";
    play(order, &(greeting(&["PIPELINING"]) + MAIL + script + GOOD_END));
}

#[test]
fn data_waits_for_several_recipients_when_all_must_be_taken() {
    let script = "C+ RCPT TO:<a@x>\nC+ RCPT TO:<b@x>\nS: 250 ok\nS: 250 ok\nS: 250 ok\nC: DATA";
    play(|| order_to(&["a@x", "b@x"], Fail), &(greeting(&["PIPELINING"]) + MAIL + script + GOOD_END));
}

#[test]
fn data_goes_with_several_recipients_when_some_may_be_skipped() {
    let script = "C+ RCPT TO:<a@x>\nC+ RCPT TO:<b@x>\nC+ DATA\nS: 250 ok\nS: 250 ok\nS: 250 ok";
    play(|| order_to(&["a@x", "b@x"], Skip), &(greeting(&["PIPELINING"]) + MAIL + script + GOOD_END));
}

#[test]
fn the_first_refused_recipient_fails_the_mail() {
    let failed = "failed answered \"550 5.1.1 who\" to RCPT TO:<a@x>";
    let two = || order_to(&["a@x", "b@x"], Fail);
    let script = format!("S: 250 ok\nC: RCPT TO:<a@x>\nS: 550 5.1.1 who\n{QUIT}{failed}");
    play(two, &(greeting(&[]) + MAIL + &script));
    // The answers that are still to come are waited for, and change nothing.
    for last in ["250 ok", "451 later"] {
        let script = format!(
            "C+ RCPT TO:<a@x>\nC+ RCPT TO:<b@x>\nS: 250 ok\nS: 550 5.1.1 who\nS: {last}\n{QUIT}{failed}"
        );
        play(two, &(greeting(&["PIPELINING"]) + MAIL + &script));
    }
    let failed = "failed answered \"451 later\" to RCPT TO:<b@x>";
    let script =
        format!("C+ RCPT TO:<a@x>\nC+ RCPT TO:<b@x>\nS: 250 ok\nS: 250 ok\nS: 451 later\n{QUIT}{failed}");
    play(two, &(greeting(&["PIPELINING"]) + MAIL + &script));
}

#[test]
fn refused_recipients_are_skipped_and_told() {
    let three = || order_to(&["a@x", "b@x", "c@x"], Skip);
    let script = "
        C+ RCPT TO:<a@x>
        C+ RCPT TO:<b@x>
        C+ RCPT TO:<c@x>
        C+ DATA
        S: 250 ok
        S: 550 who
        S: 250 ok
        S: 450 full
        skipped answered \"550 who\" to RCPT TO:<a@x>
        skipped answered \"450 full\" to RCPT TO:<c@x>";
    play(three, &(greeting(&["PIPELINING"]) + MAIL + script + GOOD_END));
    let script = "
        S: 250 ok
        C: RCPT TO:<a@x>
        S: 550 who
        C: RCPT TO:<b@x>
        S: 250 ok
        C: RCPT TO:<c@x>
        S: 450 full
        skipped answered \"550 who\" to RCPT TO:<a@x>
        skipped answered \"450 full\" to RCPT TO:<c@x>
        C: DATA";
    play(three, &(greeting(&[]) + MAIL + script + GOOD_END));
}

#[test]
fn when_all_are_refused_the_last_one_is_the_outcome() {
    let two = || order_to(&["a@x", "b@x"], Skip);
    let end = "failed answered \"551 no\" to RCPT TO:<b@x>";
    let script = format!(
        "S: 250 ok\nC: RCPT TO:<a@x>\nS: 550 who\nC: RCPT TO:<b@x>\nS: 551 no\n\
         skipped answered \"550 who\" to RCPT TO:<a@x>\n{QUIT}{end}"
    );
    play(two, &(greeting(&[]) + MAIL + &script));
    // Pipelined: DATA is on its way, and its answer is one of several.
    for (data, answer) in [
        ("554 nobody", QUIT.to_owned()),
        ("503 what", QUIT.to_owned()),
        ("354 go", format!("C: .\nS: 554 nobody\n{QUIT}")),
        ("354 go", format!("C: .\nS: 250 taken\n{QUIT}")),
        // Asked for a message again and again, the client does not play along.
        ("354 go", format!("C: .\nS: 354 go\n{QUIT}")),
        ("421 bye", "close\n".to_owned()),
    ] {
        let script = format!(
            "C+ RCPT TO:<a@x>\nC+ RCPT TO:<b@x>\nC+ DATA\nS: 250 ok\nS: 550 who\nS: 551 no\n\
             skipped answered \"550 who\" to RCPT TO:<a@x>\nS: {data}\n{answer}{end}"
        );
        play(two, &(greeting(&["PIPELINING"]) + MAIL + &script));
    }
    let script = format!(
        "C+ RCPT TO:<a@x>\nC+ DATA\nS: 250 ok\nS: 550 who\nS: 354 go\nC: .\nS: 554 nobody\n{QUIT}\
         failed answered \"550 who\" to RCPT TO:<a@x>"
    );
    play(|| order_to(&["a@x"], Fail), &(greeting(&["PIPELINING"]) + MAIL + &script));
}

/// A dot would deliver an empty mail to the recipients that were accepted.
#[test]
fn no_dot_is_sent_to_a_server_that_accepted_somebody() {
    let two = || order_to(&["a@x", "b@x"], Skip);
    let group = "C+ RCPT TO:<a@x>\nC+ RCPT TO:<b@x>\nC+ DATA\n";
    for (replies, failure) in [
        ("S: 250 ok\nS: 250 ok\nS: 530 who are you\n", "answered \"530 who are you\" to RCPT TO"),
        ("S: 250 ok\nS: 530 who are you\nS: 250 ok\n", "answered \"530 who are you\" to RCPT TO"),
        ("S: 550 no\nS: 250 ok\nS: 250 ok\n", "answered \"550 no\" to MAIL FROM"),
        ("S: 550 no\nS: 503 what\nS: 250 ok\n", "answered \"550 no\" to MAIL FROM"),
    ] {
        let script = format!("{group}{replies}S: 354 go\nclose\nfailed {failure}");
        play(two, &(greeting(&["PIPELINING"]) + MAIL + &script));
    }
}

#[test]
fn a_refused_mail_is_no_matter_of_its_recipients() {
    let failed = "failed answered \"550 5.7.1 no\" to MAIL FROM";
    play(order, &(greeting(&[]) + MAIL + &format!("S: 550 5.7.1 no\n{QUIT}{failed}")));
    let script = format!(
        "C+ RCPT TO:<john@server.com>\nC+ DATA\nS: 550 5.7.1 no\nS: 503 what\nS: 503 what\n{QUIT}{failed}"
    );
    play(order, &(greeting(&["PIPELINING"]) + MAIL + &script));
    let failed = "failed answered \"555 what parameter\" to MAIL FROM";
    let mail = "C: MAIL FROM:<mike@server.com> SIZE=17\n";
    play(order, &(greeting(&["SIZE"]) + mail + &format!("S: 555 what parameter\n{QUIT}{failed}")));
    // 3yz is no yes.
    let failed = "failed answered \"354 go\" to MAIL FROM";
    play(order, &(greeting(&[]) + MAIL + &format!("S: 354 go\n{QUIT}{failed}")));
}

#[test]
fn data_is_answered_by_354_or_not_at_all() {
    for reply in ["250 ok", "450 later", "503 what", "554 no"] {
        let script = format!(
            "S: 250 ok\nC: RCPT TO:<john@server.com>\nS: 250 ok\nC: DATA\nS: {reply}\n{QUIT}\
             failed answered \"{reply}\" to DATA"
        );
        play(order, &(greeting(&[]) + MAIL + &script));
    }
}

#[test]
fn the_size_is_declared_when_it_may_be() {
    let rest = "S: 250 ok\nC: RCPT TO:<john@server.com>\nS: 250 ok\nC: DATA";
    let octets = CONTENT.len();
    for size in ["SIZE", "SIZE 0", "SIZE 17", "SIZE x", "SIZE 99999999999999999999999"] {
        let mail = format!("C: MAIL FROM:<mike@server.com> SIZE={octets}\n");
        play(order, &(greeting(&[size]) + &mail + rest + GOOD_END));
    }
    play(order, &(greeting(&[]) + MAIL + rest + GOOD_END));
    let failed = "failed takes messages of 16 octets; this one has 17";
    play(order, &(greeting(&["SIZE 16"]) + QUIT + failed));
}

#[test]
fn addresses_beyond_ascii_need_smtputf8() {
    let sender = || Order { sender: "j\u{f6}rg@server.com".parse().unwrap(), ..order() };
    let recipients = |policy| move || order_to(&["j\u{f6}rg@x", "a@x"], policy);
    let utf8 = greeting(&["8BITMIME", "SMTPUTF8"]);
    let plain = greeting(&["8BITMIME"]);

    let script = "
        C: MAIL FROM:<j\\xc3\\xb6rg@server.com> SMTPUTF8
        S: 250 ok
        C: RCPT TO:<john@server.com>
        S: 250 ok
        C: DATA";
    play(sender, &(utf8.clone() + script + GOOD_END));
    let failed = "failed does not offer SMTPUTF8, which the sender's address needs";
    play(sender, &(plain.clone() + QUIT + failed));

    let script = "
        C: MAIL FROM:<mike@server.com> SMTPUTF8
        S: 250 ok
        C: RCPT TO:<j\\xc3\\xb6rg@x>
        S: 250 ok
        C: RCPT TO:<a@x>
        S: 250 ok
        C: DATA";
    play(recipients(Fail), &(utf8.clone() + script + GOOD_END));
    let words = "cannot be given the recipient j\u{f6}rg@x: no address that SMTP carries there";
    play(recipients(Fail), &(plain.clone() + QUIT + "failed " + words));
    let script = format!("{MAIL}S: 250 ok\nC: RCPT TO:<a@x>\nS: 250 ok\nskipped {words}\nC: DATA");
    play(recipients(Skip), &(plain + &script + GOOD_END));

    // Not asked for without need.
    let script = "S: 250 ok\nC: RCPT TO:<john@server.com>\nS: 250 ok\nC: DATA";
    play(order, &(utf8 + MAIL + script + GOOD_END));
}

#[test]
fn an_address_that_would_be_a_command_is_refused_before_a_word_of_the_mail() {
    for address in ["a@x\r\nDATA", "a@x>\r\nRSET", "a@x> SIZE=1", "<a@x>", "a b@x", "a@x\0", "", "@x", "a@"] {
        for policy in [Fail, Skip] {
            let words =
                format!("cannot be given the recipient {address}: no address that SMTP carries there");
            let mut peer = Peer::new(order_to(&[address], policy));
            peer.say("220 mx");
            peer.say("250 mx");
            peer.say("221 bye");
            assert_eq!(peer.wire, b"EHLO modem.example\r\nQUIT\r\n", "{address:?}");
            assert_eq!(peer.outcome.unwrap().unwrap_err().to_string(), words);
        }
    }
}

#[test]
fn an_order_to_nobody_is_sent_to_nobody() {
    let failed = "failed cannot be given the recipient : no address that SMTP carries there";
    for policy in [Fail, Skip] {
        play(|| order_to(&[], policy), &(greeting(&["PIPELINING"]) + QUIT + failed));
    }
}
