//! The two mails that lie in a fresh provider: those of the note's §4.3 to §4.7, with their sizes, headers and texts.
//!
//! Not here: whether a provider is fresh, which only the maker of its mailboxes knows.

use crate::mailbox::{Envelope, Mailboxes, NotStored};

/// Whom they are for; the POP3 user `un` of the note finds them.
pub const RECIPIENT: &str = "un@server.com";

/// The two, in their order: 1050 and 1084 octets. Each ends with a base64 attachment of whole groups of three octets,
/// and the closing delimiter of its only multipart.
pub const OCTETS: [&[u8]; 2] =
    [include_bytes!("../assets/first.eml"), include_bytes!("../assets/second.eml")];

/// Delivers them to [`RECIPIENT`]. To be called when mailboxes are made, and not when they are opened once more: what
/// was deleted stays so.
///
/// # Errors
/// They could not be stored, or only the first of them.
pub fn deliver(mailboxes: &dyn Mailboxes) -> Result<(), NotStored> {
    for octets in OCTETS {
        let mut delivery = mailboxes.begin(Envelope {
            sender: "FromAddr@server.com".to_owned(),
            recipients: vec![RECIPIENT.to_owned()],
        })?;
        delivery.write(octets)?;
        delivery.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn their_sizes_and_header_fields_are_the_notes() {
        assert_eq!(OCTETS.map(<[u8]>::len), [1050, 1084]);
        for (octets, ordinal, minutes) in [(OCTETS[0], "First", "11:30"), (OCTETS[1], "Second", "16:27")] {
            let text = std::str::from_utf8(octets).unwrap();
            assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
            assert!(text.ends_with("--\r\n") && text.lines().all(|line| !line.starts_with('.')));
            for line in [
                "From: \"FromName\" <FromAddr@server.com>",
                "To: \"ToName\" <ToAddr@server.com>",
                &format!("Date: Tue, 9 Mar 2010 17:{minutes} +0800"),
                &format!("Subject: {ordinal} Test Email"),
            ] {
                assert_eq!(text.lines().filter(|other| other == &line).count(), 1, "{line}");
            }
        }
        let text = "\r\n\r\nThis is a test email with an attachment.\r\n\r\n--";
        assert!(std::str::from_utf8(OCTETS[0]).unwrap().contains(text));
    }
}
