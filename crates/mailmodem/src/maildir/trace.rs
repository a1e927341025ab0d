//! The two lines that stand before a mail which came by us (RFC 5321 §4.4; the second is what mail servers write that
//! deliver into Maildirs).

use crate::limits::TRACE_OCTETS_MAX;

const RETURN_PATH: &str = "Return-Path: <";
const DELIVERED_TO: &str = ">\r\nDelivered-To: ";
const END: &str = "\r\n";

/// The lines. `None` if there is no writing these addresses into them, so that they can be read back.
pub(super) fn lines(sender: &str, recipient: &str) -> Option<String> {
    let lines = [RETURN_PATH, sender, DELIVERED_TO, recipient, END].concat();
    let is_plain = !sender.chars().chain(recipient.chars()).any(char::is_control);
    (is_plain && lines.len() <= TRACE_OCTETS_MAX).then_some(lines)
}

/// How long the lines are at the head of a mail, of which this is the beginning: at least [`TRACE_OCTETS_MAX`] of it,
/// or all. `None` if they are not there. Mails of other programs that have such lines end them with LF alone, as Maildirs
/// do.
pub(super) fn length(head: &[u8]) -> Option<usize> {
    let head = head.get(..TRACE_OCTETS_MAX).unwrap_or(head);
    let return_path = head.strip_prefix(RETURN_PATH.as_bytes())?;
    let sender_ends = line_end(return_path)?.checked_sub(1)?;
    let delivered_to = return_path.get(sender_ends..)?.strip_prefix(DELIVERED_TO.as_bytes())?;
    let recipient_ends = line_end(delivered_to)?;
    Some(RETURN_PATH.len() + sender_ends + DELIVERED_TO.len() + recipient_ends + END.len())
}

/// Where the first line ends, if that is at a CRLF.
fn line_end(octets: &[u8]) -> Option<usize> {
    let at = octets.iter().position(u8::is_ascii_control)?;
    octets.get(at..)?.starts_with(END.as_bytes()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_others_write_is_theirs() {
        for head in [
            &b""[..],
            b"Return-Path: <a@b>\nDelivered-To: c@d\nSubject: s\n",
            b"Return-Path: <a@b>\r\nDelivered-To: c@d\n\r\n",
            b"Return-Path: <a@b>\r\nDelivered-To: c@d",
            b"Return-Path: <a@b>\r\nX-Original-To: c@d\r\nDelivered-To: c@d\r\n",
            b"Return-Path: <\r\nDelivered-To: c@d\r\n",
            b"Return-Path: \r\n",
            b"Subject: s\r\nReturn-Path: <a@b>\r\nDelivered-To: c@d\r\n",
        ] {
            assert_eq!(length(head), None, "{}", head.escape_ascii());
        }
    }

    #[test]
    fn no_address_breaks_out_of_its_line() {
        assert_eq!(lines("a@b>\r\nSubject: s", "c@d"), None);
        assert_eq!(lines("a@b", "c\n@d"), None);
        assert_eq!(lines(&"a".repeat(TRACE_OCTETS_MAX), "c@d"), None);
    }

    proptest! {
        #[test]
        fn the_lines_are_found_again(
            sender in "[ -~\u{e9}>]{0,40}", recipient in "[ -~\u{e9}>]{0,40}", mail in "(?s).{0,80}"
        ) {
            let lines = lines(&sender, &recipient).unwrap();
            prop_assert_eq!(length((lines.clone() + &mail).as_bytes()), Some(lines.len()));
        }

        #[test]
        fn any_octets_are_a_mail(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let head = [RETURN_PATH.as_bytes(), &octets].concat();
            let length = length(&head).unwrap_or_default();
            prop_assert!(length <= head.len());
        }
    }
}
