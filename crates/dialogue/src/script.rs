//! A dialogue's text, taken apart. How it is written: `dialogues/README.md`.

use crate::limits::{FILE_OCTETS_MAX, TEXT_OCTETS_MAX};
use std::time::Duration;

/// A step, and the line of the text it stands on, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it stands.
    pub line: usize,
    /// What is to be done or seen.
    pub act: Act,
}

/// What is to be done or seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// `T:` a line is typed; its echo is seen, while echo is on.
    Type(Vec<u8>),
    /// `T>` octets are typed.
    TypeOctets(Vec<u8>),
    /// `M:` and `M>`: the modem shows these octets next.
    Shown(Vec<u8>),
    /// `S:` and `S>`: the scripted server sends these octets.
    Serve(Vec<u8>),
    /// `S~`: the scripted server's line is still on its way when the modem has ended the connection.
    ServeLate(Vec<u8>),
    /// `C:` and `C>`: the modem sends these octets to the scripted server next.
    Sent(Vec<u8>),
    /// `C~`: the modem sends lines, and then this one.
    SentUpTo(Vec<u8>),
    /// `wait`: time passes.
    Wait(Duration),
    /// `echo on|off`: whether `T:` expects its echo.
    Echo(bool),
    /// `set`: a setting, before the power comes on.
    Set(String, String),
    /// `clock`: the clock at power-on.
    Clock(String),
    /// `file`: a file is put on a drive.
    File(String, Content),
    /// `content`: what is in a file on a drive.
    Content(String, Content),
    /// `remove`: a file is taken off a drive.
    Remove(String),
    /// `card in|out`.
    Card(bool),
    /// `dtr low`: the terminal lowers its DTR.
    DtrLow,
    /// `peer`: from here on servers are scripted, and connections open at once (`open`), or not yet (`held`).
    Peer(Opening),
    /// `open`, `refuse`, `unresolved`, `no-tls`: what becomes of the held connection.
    Held(Fate),
    /// `hang up`: the scripted server ends the connection.
    HangUp,
    /// `closed`: the modem has ended the connection.
    Closed,
    /// `stall`, `drain`: whether the network takes what the modem sends.
    Drain(bool),
    /// `speed`: the modem has asked for this speed of the line.
    Speed(u32),
    /// `power on`: the power key is pressed, while the modem is off.
    PowerKey,
    /// `terminal stalls`, `terminal takes`: whether the terminal takes what is shown.
    Terminal(bool),
    /// `mails`: how many mails the sandbox holds for a recipient.
    Mails(String, usize),
}

/// What is in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// So many octets of no meaning.
    Octets(usize),
    /// These.
    Text(Vec<u8>),
}

/// How connections to scripted servers begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// They open at once.
    Open,
    /// They wait for a [`Fate`].
    Held,
}

/// What becomes of a connection being opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It opens.
    Open,
    /// The server refuses.
    Refused,
    /// The name is unknown.
    Unresolved,
    /// The TLS handshake fails.
    NoTls,
}

/// A line that is no step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {words}")]
pub struct BadScript {
    /// Where it stands.
    pub line: usize,
    /// What is wrong with it.
    pub words: String,
}

/// Reads a dialogue.
///
/// # Errors
/// The first line that is no step.
pub fn parse(text: &str) -> Result<Vec<Step>, BadScript> {
    let mut steps = Vec::new();
    for (at, text) in text.lines().enumerate() {
        let line = at + 1;
        if !text.trim().is_empty() && !text.starts_with('#') {
            steps.push(Step { line, act: act(text).map_err(|words| BadScript { line, words })? });
        }
    }
    Ok(steps)
}

fn act(text: &str) -> Result<Act, String> {
    if let Some((mark, rest)) = text.split_at_checked(2) {
        // `M:` alone is an empty line.
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        let with = |end: &[u8]| Ok::<_, String>([octets(rest)?.as_slice(), end].concat());
        match mark {
            "T:" => return Ok(Act::Type(with(b"\r")?)),
            "T>" => return Ok(Act::TypeOctets(with(b"")?)),
            "M:" => return Ok(Act::Shown(with(b"\r\n")?)),
            "M>" => return Ok(Act::Shown(with(b"")?)),
            "S:" => return Ok(Act::Serve(with(b"\r\n")?)),
            "S>" => return Ok(Act::Serve(with(b"")?)),
            "S~" => return Ok(Act::ServeLate(with(b"\r\n")?)),
            "C:" => return Ok(Act::Sent(with(b"\r\n")?)),
            "C>" => return Ok(Act::Sent(with(b"")?)),
            "C~" => return Ok(Act::SentUpTo(with(b"\r\n")?)),
            _ => {}
        }
    }
    directive(text.trim_end()).ok_or_else(|| format!("not a step: {text}"))
}

fn directive(text: &str) -> Option<Act> {
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim();
    Some(match (verb, rest) {
        ("wait", _) => Act::Wait(duration(rest)?),
        ("echo", "on") => Act::Echo(true),
        ("echo", "off") => Act::Echo(false),
        ("set", _) => {
            let (key, value) = rest.split_once('=')?;
            Act::Set(key.trim().to_owned(), value.trim().to_owned())
        }
        ("clock", _) => Act::Clock(rest.to_owned()),
        ("file", _) => {
            let (path, content) = path_and_content(rest)?;
            Act::File(path, content)
        }
        ("content", _) => {
            let (path, content) = path_and_content(rest)?;
            Act::Content(path, content)
        }
        ("remove", _) => Act::Remove(unescaped(rest)?),
        ("card", "in") => Act::Card(true),
        ("card", "out") => Act::Card(false),
        ("dtr", "low") => Act::DtrLow,
        ("peer", "") => Act::Peer(Opening::Open),
        ("peer", "held") => Act::Peer(Opening::Held),
        ("open", "") => Act::Held(Fate::Open),
        ("refuse", "") => Act::Held(Fate::Refused),
        ("unresolved", "") => Act::Held(Fate::Unresolved),
        ("no-tls", "") => Act::Held(Fate::NoTls),
        ("hang", "up") => Act::HangUp,
        ("closed", "") => Act::Closed,
        ("stall", "") => Act::Drain(false),
        ("drain", "") => Act::Drain(true),
        ("speed", _) => Act::Speed(rest.parse().ok()?),
        ("power", "on") => Act::PowerKey,
        ("terminal", "stalls") => Act::Terminal(false),
        ("terminal", "takes") => Act::Terminal(true),
        ("mails", _) => {
            let (recipient, count) = rest.split_once(' ')?;
            Act::Mails(recipient.to_owned(), count.parse().ok()?)
        }
        _ => return None,
    })
}

fn path_and_content(text: &str) -> Option<(String, Content)> {
    let quote = text.find(" \"").or_else(|| text.rfind(' '))?;
    let (path, content) = text.split_at_checked(quote)?;
    let content = content.trim();
    let content = match content.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(text) => Content::Text(octets(text).ok()?),
        None => Content::Octets(content.parse().ok().filter(|octets| *octets <= FILE_OCTETS_MAX)?),
    };
    Some((unescaped(path)?, content))
}

fn unescaped(path: &str) -> Option<String> {
    String::from_utf8(octets(path).ok()?).ok()
}

fn duration(text: &str) -> Option<Duration> {
    if let Some(ms) = text.strip_suffix("ms") {
        return ms.parse().ok().map(Duration::from_millis);
    }
    text.strip_suffix('s')?.parse().ok().map(Duration::from_secs)
}

/// Text with escapes: `\r`, `\n`, `\\`, `\xHH`, and `\{x*512}` for 512 times what stands before the star, escapes
/// included; a `#` in it is the number of the time, from 1.
fn octets(text: &str) -> Result<Vec<u8>, String> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, after) = rest.split_at(at);
        all.extend_from_slice(before.as_bytes());
        let escape = after.get(1..).unwrap_or_default();
        let (octet, length) = match escape.as_bytes().first() {
            Some(b'r') => (vec![b'\r'], 1),
            Some(b'n') => (vec![b'\n'], 1),
            Some(b'\\') => (vec![b'\\'], 1),
            Some(b'x') => {
                let hex = escape.get(1..3).ok_or("an \\x without two digits")?;
                (vec![u8::from_str_radix(hex, 16).map_err(|error| error.to_string())?], 3)
            }
            Some(b'{') => {
                let end = escape.find('}').ok_or("a \\{ without its }")?;
                let (what, times) =
                    escape.get(1..end).and_then(|s| s.rsplit_once('*')).ok_or("no * in \\{…}")?;
                let times: usize = times.parse().map_err(|_| "no number behind the * in \\{…}")?;
                if times.saturating_mul(what.len().max(1)) > TEXT_OCTETS_MAX {
                    return Err(too_long());
                }
                let times = (1..=times).map(|time| octets(&what.replace('#', &time.to_string())));
                (times.collect::<Result<Vec<_>, _>>()?.concat(), end + 1)
            }
            _ => return Err(format!("unknown escape: \\{escape}")),
        };
        all.extend(octet);
        if all.len() > TEXT_OCTETS_MAX {
            return Err(too_long());
        }
        rest = escape.get(length..).unwrap_or_default();
    }
    all.extend_from_slice(rest.as_bytes());
    Ok(all)
}

fn too_long() -> String {
    format!("a text of over {TEXT_OCTETS_MAX} octets")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dialogue may come from anywhere.
    #[test]
    fn what_is_repeated_is_bounded() {
        for text in ["\\{a*4000000000}", "\\{*4000000000}", &"\\{ab*500000}".repeat(3)] {
            assert_eq!(octets(text), Err(too_long()), "{text}");
        }
        assert!(parse("file C:/a 4000000000").is_err());
    }

    #[test]
    fn steps_and_their_lines() {
        let steps = parse("# a\n\nT: AT\nM:\nM: OK\nM> 0\\r\nwait 30s\nfile C:/a \"x\\x00\"\n").unwrap();
        let acts: Vec<Act> = steps.iter().map(|step| step.act.clone()).collect();
        assert_eq!(
            acts,
            [
                Act::Type(b"AT\r".to_vec()),
                Act::Shown(b"\r\n".to_vec()),
                Act::Shown(b"OK\r\n".to_vec()),
                Act::Shown(b"0\r".to_vec()),
                Act::Wait(Duration::from_secs(30)),
                Act::File("C:/a".into(), Content::Text(b"x\0".to_vec())),
            ]
        );
        assert_eq!(steps[0].line, 3);
    }

    #[test]
    fn repetition() {
        assert_eq!(octets("a\\{xy*3}b\\\\").unwrap(), b"axyxyxyb\\");
        assert_eq!(octets("\\{x\\r*2}").unwrap(), b"x\rx\r");
        assert_eq!(octets("\\{# x\\n*3}").unwrap(), b"1 x\n2 x\n3 x\n");
        assert!(octets("\\{\\q*3}").is_err());
    }

    #[test]
    fn what_is_no_step_is_told_with_its_line() {
        for bad in [
            "X: a",
            "wait",
            "wait 3",
            "file C:/a",
            "content C:/a",
            "T: \\q",
            "T: \\x1",
            "M> \\{a*",
            "peer x",
            "mails a",
        ] {
            assert_eq!(parse(&format!("T: AT\n{bad}")).unwrap_err().line, 2, "{bad}");
        }
    }
}
