//! What answers look like, by a grammar that was written from the reference and not from the code that makes them: for
//! each line that a host of this crate types, which lines may stand before its final result code.
//!
//! A line that the network of octets has changed has to have one final result code, and nothing more is asked of it.

use crate::reading::{Answered, Wrong, text};

/// What stands in an answer.
#[derive(Clone, Copy)]
enum Shape {
    /// Nothing.
    Bare,
    /// Lines that begin so: at least, and at most.
    Lines(&'static str, usize, usize),
    /// `+POP3: 2, 2134`.
    Pair,
    /// `+POP3: EMPTY`, or `+POP3:` and a line `1 1050` for each.
    List,
    /// From, Date, Subject, and an empty line.
    Header,
    /// `+POP3: SUCCESS`.
    Success,
    /// `+SMTP: OK`.
    Greeted,
    /// A file, or its portions.
    File,
    /// Folders and files.
    Folder,
    /// Anything.
    Any,
}

/// Lines by how they begin, with what stands before OK. The first that fits counts.
const TABLE: &[(&str, Shape)] = &[
    ("AT+SMTPSRV?", Shape::Lines("+SMTPSRV: \"", 1, 1)),
    ("AT+SMTPAUTH?", Shape::Lines("+SMTPAUTH: ", 1, 1)),
    ("AT+SMTPFROM?", Shape::Lines("+SMTPFROM: \"", 1, 1)),
    ("AT+SMTPRCPT?", Shape::Lines("+SMTPRCPT: ", 0, 15)),
    ("AT+SMTPSUB?", Shape::Lines("+SMTPSUB: \"", 1, 1)),
    ("AT+SMTPFILE?", Shape::Lines("+SMTPFILE: ", 0, 10)),
    ("AT+SMTPSEND?", Shape::Lines("+SMTPSEND: ", 1, 1)),
    ("AT+SMTPSEND", Shape::Greeted),
    ("AT+SMTPBODY?", Shape::Any),
    ("AT+SMTP", Shape::Bare),
    ("AT+POP3SRV?", Shape::Lines("+POP3SRV: \"", 1, 1)),
    ("AT+POP3SRV", Shape::Bare),
    ("AT+POP3IN?", Shape::Lines("+POP3IN: ", 1, 1)),
    ("AT+POP3IN", Shape::Success),
    ("AT+POP3NUM", Shape::Pair),
    ("AT+POP3LIST=", Shape::Pair),
    ("AT+POP3LIST", Shape::List),
    ("AT+POP3HDR=", Shape::Header),
    ("AT+POP3GET=", Shape::Bare),
    ("AT+POP3DEL=", Shape::Success),
    ("AT+POP3OUT", Shape::Success),
    ("AT+POP3STOP", Shape::Bare),
    ("AT+POP3READ", Shape::File),
    ("AT+FSCD", Shape::Lines("+FSCD: ", 1, 1)),
    ("AT+FSLS?", Shape::Lines("+FSLS: SUBDIRECTORIES:", 1, 1)),
    ("AT+FSLS", Shape::Folder),
    ("AT+FSLOCA?", Shape::Lines("+FSLOCA: ", 1, 1)),
    ("AT+FSMEM", Shape::Lines("+FSMEM: C:(", 1, 1)),
    ("AT+FSATTRI=", Shape::Lines("+FSATTRI: ", 1, 1)),
    ("AT+FSCOPY=", Shape::Lines("+FSCOPY: ", 2, 1_000)),
    ("AT+FS", Shape::Bare),
    ("AT+CFTRANRX=", Shape::Bare),
    ("AT+CFTRANTX=", Shape::File),
    ("AT+CSQ", Shape::Lines("+CSQ: ", 1, 1)),
    ("AT+CREG?", Shape::Lines("+CREG: ", 1, 1)),
    ("AT+CCLK?", Shape::Lines("+CCLK: \"", 1, 1)),
    ("AT+CPIN?", Shape::Lines("+CPIN: READY", 1, 1)),
    ("AT+CLAC", Shape::Any),
    ("AT+MAILERR?", Shape::Lines("+MAILERR: ", 1, 1)),
    ("ATI", Shape::Any),
    ("ATE", Shape::Bare),
];

/// What may stand before ERROR.
const ERRORS: &[(&str, &str)] = &[
    ("AT+SMTPSEND", "+SMTP: "),
    ("AT+SMTPFILE", "+SMTP: OVERSIZE"),
    ("AT+POP3", "+POP3: "),
    ("AT+FSCOPY=", ""),
    ("AT+CFTRANTX=", "+CFTRANTX: DATA,"),
];

/// # Errors
/// The answer is not as it must be.
pub fn check(answered: &Answered) -> Result<(), Wrong> {
    let line = std::str::from_utf8(&answered.line).unwrap_or_default().to_ascii_uppercase();
    // Spaces may stand before what is behind a command's name (commands.md §1).
    let name_end = line.find(' ').unwrap_or(line.len());
    let (name, rest) = line.split_at(name_end);
    let is_name = name.bytes().all(|octet| octet == b'+' || octet.is_ascii_alphanumeric());
    let line = if is_name { format!("{name}{}", rest.trim_start()) } else { line };
    let line = line.as_str();
    // Several commands, or basic ones out of which noise has made others.
    let is_known = line.starts_with("AT+") || ["ATI", "ATE0", "ATE1"].contains(&line);
    if line.contains(';') || !is_known {
        return Ok(());
    }
    let lines: Vec<&[u8]> = answered.information.iter().map(Vec::as_slice).collect();
    let is_right = if answered.is_ok { is_ok_shape(line, &lines) } else { is_error_shape(line, &lines) };
    if is_right {
        Ok(())
    } else {
        let shown: Vec<String> = lines.iter().map(|line| text(line)).collect();
        Err(format!("{line} is answered {} behind {shown:?}", if answered.is_ok { "OK" } else { "ERROR" }))
    }
}

fn is_ok_shape(line: &str, lines: &[&[u8]]) -> bool {
    let shape =
        TABLE.iter().find(|(start, _)| line.starts_with(start)).map_or(Shape::Any, |(_, shape)| *shape);
    // Test forms have a line of their own; what is no letter behind it was a slip of the line's.
    if line.trim_ascii_end().ends_with("=?") {
        return lines.len() <= 1;
    }
    match shape {
        Shape::Bare => lines.is_empty(),
        Shape::Lines(start, least, most) => {
            (least..=most).contains(&lines.len())
                && lines.iter().all(|line| line.starts_with(start.as_bytes()))
        }
        Shape::Pair => {
            matches!(lines, [line] if is_pair(line.strip_prefix(b"+POP3: ").unwrap_or_default(), b", "))
        }
        Shape::List => match lines {
            [b"+POP3: EMPTY"] => true,
            [b"+POP3:", mails @ ..] => !mails.is_empty() && mails.iter().all(|line| is_pair(line, b" ")),
            _ => false,
        },
        Shape::Header => matches!(lines, [from, date, subject, b""]
            if is_field(from, b"From:") && is_field(date, b"Date:") && is_field(subject, b"Subject:")),
        Shape::Success => lines == [b"+POP3: SUCCESS"],
        Shape::Greeted => lines == [b"+SMTP: OK"],
        Shape::File => lines.iter().all(|line| line.is_empty() || line.starts_with(b"+CFTRANTX: ")),
        Shape::Folder => lines.iter().all(|line| !line.contains(&b'/') && !line.starts_with(b"..")),
        Shape::Any => true,
    }
}

fn is_error_shape(line: &str, lines: &[&[u8]]) -> bool {
    let start = ERRORS.iter().find(|(start, _)| line.starts_with(start)).map(|(_, words)| words.as_bytes());
    match (start, lines) {
        (_, []) => true,
        (Some(b"+POP3: "), [.., last]) => {
            // A file, or a listing, of which the beginning was shown.
            line.starts_with("AT+POP3READ")
                || last.starts_with(b"+POP3: ")
                || *last == b"+POP3:"
                || is_pair(last, b" ")
        }
        (Some(words), lines) => lines.iter().all(|line| line.starts_with(words) || line.is_empty()),
        (None, _) => !TABLE.iter().any(|(start, _)| line.starts_with(start)),
    }
}

/// Two numbers.
fn is_pair(text: &[u8], between: &[u8]) -> bool {
    let Some(at) = text.windows(between.len()).position(|part| part == between) else { return false };
    let (first, second) = (text.get(..at), text.get(at + between.len()..));
    [first, second].into_iter().all(|number| {
        number.is_some_and(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
    })
}

fn is_field(line: &[u8], tag: &[u8]) -> bool {
    line.strip_prefix(tag).is_some_and(|value| value.is_empty() || value.starts_with(b" "))
        && !line.iter().any(u8::is_ascii_control)
}

/// # Errors
/// What was told by itself is not as it must be.
pub fn check_told(lines: &[Vec<u8>]) -> Result<(), Wrong> {
    const OUTCOMES: &[&[u8]] = &[
        b"+SMTP: SUCCESS",
        b"+SMTP: NETWORK ERROR",
        b"+SMTP: SERVER ERROR",
        b"+SMTP: AUTH REQUIRED",
        b"+SMTP: AUTH ERROR",
        b"+POP3: NETWORK ERROR",
        b"+POP3: SERVER ERROR",
        b"+POP3: FILE SYSTEM ERROR",
        b"+POP3: FAILURE",
    ];
    let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
    let is_right = match lines.as_slice() {
        [b"+POP3: SUCCESS", path] => is_saved_path(path),
        [line] if line.starts_with(b"+SMTP: BAD RCPT ") => !line.iter().any(u8::is_ascii_control),
        [line] if line.starts_with(b"+SMTP: ") || line.starts_with(b"+POP3: ") => OUTCOMES.contains(line),
        [_] => true,
        _ => false,
    };
    if is_right {
        Ok(())
    } else {
        Err(format!("told: {:?}", lines.iter().map(|line| text(line)).collect::<Vec<_>>()))
    }
}

/// `C:/Email/100202110457/, EMAIL000.TXT`, or the `.eml` of the same digits.
fn is_saved_path(path: &[u8]) -> bool {
    let path = String::from_utf8_lossy(path);
    let rest = path.strip_prefix("C:/Email/").or_else(|| path.strip_prefix("D:/Email/"));
    let Some((digits, name)) = rest.and_then(|rest| rest.split_once("/, ")) else { return false };
    digits.len() == 12
        && digits.bytes().all(|octet| octet.is_ascii_digit())
        && (name == "EMAIL000.TXT" || name.strip_suffix(".eml") == Some(digits))
}
