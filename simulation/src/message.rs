//! Whether a mail that was delivered is the one that was composed: read by a parser that the project did not write.
//!
//! Not here: whether it had to be delivered ([`crate::laws`]).

use crate::causes;
use crate::draft::Draft;
use crate::provider::Delivered;
use crate::reading::{Wrong, text};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_parser::{MessageParser, MimeHeaders as _};

/// Longest line that SMTP may carry, without its end (RFC 5321 §4.5.3.1.6).
const LINE_OCTETS_MAX: usize = 998;

/// A mail that was to be sent.
#[derive(Debug)]
pub struct Composed {
    /// As the lines have set it.
    pub draft: Draft,
    /// The attached files, by their paths, as they were.
    pub files: Vec<(String, Vec<u8>)>,
    /// Recipients that were told to be refused.
    pub refused: Vec<String>,
}

impl Composed {
    /// To whom it goes, who is not refused.
    #[must_use]
    pub fn recipients(&self) -> Vec<&str> {
        let all = self.draft.recipients.values().map(|address| bare(address));
        all.filter(|address| self.refused.iter().all(|refused| refused != address)).collect()
    }
}

/// Compares. `is_exact`: everyone has it who was not told to be refused. Otherwise those may be missing who may have been
/// refused without a word of it.
///
/// # Errors
/// In what they differ.
pub fn compare(composed: &Composed, delivered: &Delivered, is_exact: bool) -> Result<(), Wrong> {
    let Composed { draft, files, .. } = composed;
    let envelope = &delivered.envelope;
    let mut recipients = composed.recipients();
    if !is_exact {
        let is_here = |address: &str| envelope.recipients.iter().any(|other| other == address);
        recipients.retain(|address| is_here(address) || !causes::may_be_refused(address));
    }
    if draft.sender.as_ref() != Some(&envelope.sender) || recipients != envelope.recipients {
        return Err(format!(
            "delivered from {} to {:?}, not to {recipients:?}",
            envelope.sender, envelope.recipients
        ));
    }
    check_lines(&delivered.octets)?;
    let message = MessageParser::default().parse(&delivered.octets).ok_or("delivered is no message")?;
    let subject = message.subject().unwrap_or_default();
    if subject.as_bytes() != draft.subject.as_slice() {
        return Err(format!("the subject is {subject:?}, not {}", text(&draft.subject)));
    }
    for ((kind, _), address) in &draft.recipients {
        let address = bare(address);
        let header_end = delivered.octets.windows(4).position(|end| end == b"\r\n\r\n").unwrap_or_default();
        let header = delivered.octets.get(..header_end).unwrap_or_default();
        let is_named = names(header, address);
        let is_open_too =
            draft.recipients.iter().any(|((other, _), same)| *other < 2 && bare(same) == address);
        if *kind < 2 && !is_named {
            return Err(format!("{address} is not in the header section"));
        }
        if *kind == 2 && !is_open_too && is_named && Some(address) != draft.sender.as_deref() {
            return Err(format!("the blind recipient {address} is in the header section"));
        }
    }
    compare_body(&draft.body, message.body_text(0).as_deref().unwrap_or_default())?;
    let attachments: Vec<_> = message.attachments().collect();
    if attachments.len() != files.len() {
        return Err(format!("{} attachments, not {}", attachments.len(), files.len()));
    }
    for (attachment, (path, octets)) in attachments.iter().zip(files) {
        // The parser would make letters of a text's octets.
        let start = usize::try_from(attachment.raw_body_offset()).unwrap_or(usize::MAX);
        let end = usize::try_from(attachment.raw_end_offset()).unwrap_or(usize::MAX);
        let base64 = delivered.octets.get(start..end).unwrap_or_default();
        let base64: Vec<u8> = base64.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
        if STANDARD.decode(base64).ok().as_ref() != Some(octets) {
            return Err(format!("the attachment {path} is not octet for octet what was attached"));
        }
        // A slash behind it changes nothing.
        let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        if attachment.attachment_name() != Some(name) {
            return Err(format!("the attachment {path} is called {:?}", attachment.attachment_name()));
        }
    }
    Ok(())
}

/// Without the angle brackets that a host may put around it.
#[must_use]
pub fn bare(address: &str) -> &str {
    address.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(address)
}

/// Whether an address stands in a header section, not as a part of another: neither before nor behind it is what an
/// address may consist of (RFC 5322 §3.2.3, atext).
fn names(header: &[u8], address: &str) -> bool {
    let is_inside = |octet: Option<&u8>| {
        octet.is_some_and(|o| o.is_ascii_alphanumeric() || b".@!#$%&'*+-/=?^_`{|}~".contains(o))
    };
    let starts = header.windows(address.len()).enumerate();
    let mut starts =
        starts.filter(|(_, part)| part.eq_ignore_ascii_case(address.as_bytes())).map(|(at, _)| at);
    starts.any(|at| {
        let before = at.checked_sub(1).and_then(|before| header.get(before));
        !is_inside(before) && !is_inside(header.get(at + address.len()))
    })
}

fn check_lines(octets: &[u8]) -> Result<(), Wrong> {
    for line in octets.split_inclusive(|&octet| octet == b'\n') {
        let Some(line) = line.strip_suffix(b"\r\n") else {
            return Err(format!("a line without CRLF: {}", text(line.get(..80).unwrap_or(line))));
        };
        if line.len() > LINE_OCTETS_MAX || line.contains(&b'\r') {
            return Err(format!("a line that SMTP cannot carry, of {} octets", line.len()));
        }
    }
    Ok(())
}

/// Line ends are the transport's, and so are those at the end.
fn compare_body(typed: &[u8], delivered: &str) -> Result<(), Wrong> {
    let Ok(typed) = std::str::from_utf8(typed) else { return Ok(()) };
    if typed.chars().any(|letter| letter.is_control() && !matches!(letter, '\r' | '\n' | '\t')) {
        return Ok(());
    }
    let plain = |body: &str| body.replace("\r\n", "\n").replace('\r', "\n").trim_end_matches('\n').to_owned();
    if plain(typed) == plain(delivered) {
        Ok(())
    } else {
        Err(format!("the body is {:?}, not {:?}", plain(delivered), plain(typed)))
    }
}
