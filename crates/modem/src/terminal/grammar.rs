//! A command line taken apart: which commands, in which form, with which arguments (commands.md §1, V.250 §5.2 to 5.4).
//!
//! Not here: which commands there are, and what their parameters may be ([`crate::command::table`]).

use mail::secret::Secret;
use std::ops::Range;

/// The rest of a command line that is still to be executed.
#[derive(Debug)]
pub(crate) struct CommandLine {
    /// It may hold a password.
    text: Secret,
    at: usize,
}

/// One command on a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invocation {
    /// Upper case: `+SMTPSRV`, `E`, `&F`, `S3`.
    pub(crate) name: String,
    pub(crate) form: Form,
}

/// The forms of a command (commands.md, "Notation").
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Execute,
    Read,
    Test,
    Write(Vec<Argument>),
}

/// An argument as it stands on the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    /// Nothing between two commas.
    Omitted,
    /// In quotes, or given as `{non-ascii}"hex"`.
    Quoted(Secret),
    /// Without quotes.
    Bare(Secret),
}

/// The line cannot be read any further.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl CommandLine {
    /// Takes a line, without noise before it. `None` when it does not begin with `AT`: it is not for us.
    pub(crate) fn new(line: Secret) -> Option<Self> {
        let is_ours = line.reveal().get(..2).is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"AT"));
        is_ours.then_some(Self { text: line, at: 2 })
    }

    /// What is left of it.
    pub(crate) fn rest(&self) -> &[u8] {
        self.slice(self.at..self.text.reveal().len())
    }

    /// The next command; `None` at the end.
    pub(crate) fn next_command(&mut self) -> Result<Option<Invocation>, Malformed> {
        self.skip(|octet| matches!(octet, b' ' | b';'));
        match self.peek() {
            None => Ok(None),
            Some(b'+') => self.extended().map(Some),
            Some(_) => self.basic().map(Some),
        }
    }

    /// `+NAME`, `+NAME?`, `+NAME=?`, `+NAME=arguments`, to a semicolon or the end (V.250 §5.4).
    fn extended(&mut self) -> Result<Invocation, Malformed> {
        let start = self.at;
        self.at += 1;
        self.skip(|octet| octet.is_ascii_alphanumeric());
        let name = self.name(start..self.at);
        self.skip(|octet| octet == b' ');
        let form = match self.peek() {
            None | Some(b';') => Form::Execute,
            Some(b'?') => {
                self.at += 1;
                self.expect_end()?;
                Form::Read
            }
            Some(b'=') => {
                self.at += 1;
                let arguments = self.take_arguments()?;
                if arguments.trim_ascii() == b"?" { Form::Test } else { Form::Write(split(arguments)?) }
            }
            Some(_) => return Err(Malformed),
        };
        Ok(Invocation { name, form })
    }

    /// `E`, `E0`, `&C1`, `S3?`, `S3=13`, with or without spaces before the next (V.250 §5.3).
    fn basic(&mut self) -> Result<Invocation, Malformed> {
        let start = self.at;
        if self.peek() == Some(b'&') {
            self.at += 1;
        }
        let letter = self.peek().filter(u8::is_ascii_alphabetic).ok_or(Malformed)?;
        self.at += 1;
        if letter.eq_ignore_ascii_case(&b'S') {
            self.skip(|octet| octet.is_ascii_digit());
        }
        let name = self.name(start..self.at);
        if name.starts_with('S') {
            // A register always has `=` or `?` behind it, so the spaces cannot be before another command.
            self.skip(|octet| octet == b' ');
        }
        let digits = self.at;
        let form = match self.peek() {
            Some(b'?') => {
                self.at += 1;
                Form::Read
            }
            Some(b'=') => {
                self.at += 1;
                self.skip(|octet| octet == b' ');
                let digits = self.at;
                self.skip(|octet| octet.is_ascii_digit());
                Form::Write(vec![Argument::Bare(Secret::new(self.slice(digits..self.at)))])
            }
            Some(b'0'..=b'9') => {
                self.skip(|octet| octet.is_ascii_digit());
                Form::Write(vec![Argument::Bare(Secret::new(self.slice(digits..self.at)))])
            }
            _ => Form::Execute,
        };
        Ok(Invocation { name, form })
    }

    /// What stands up to the next semicolon outside quotes.
    fn take_arguments(&mut self) -> Result<&[u8], Malformed> {
        let start = self.at;
        let mut quoted = false;
        while let Some(octet) = self.peek() {
            match octet {
                b'"' => quoted = !quoted,
                b';' if !quoted => break,
                _ => {}
            }
            self.at += 1;
        }
        if quoted { Err(Malformed) } else { Ok(self.slice(start..self.at)) }
    }

    fn expect_end(&mut self) -> Result<(), Malformed> {
        self.skip(|octet| octet == b' ');
        if matches!(self.peek(), None | Some(b';')) { Ok(()) } else { Err(Malformed) }
    }

    fn skip(&mut self, which: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&which) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.reveal().get(self.at).copied()
    }

    fn slice(&self, range: Range<usize>) -> &[u8] {
        self.text.reveal().get(range).unwrap_or_default()
    }

    fn name(&self, range: Range<usize>) -> String {
        String::from_utf8_lossy(self.slice(range)).to_ascii_uppercase()
    }
}

/// Arguments at commas outside quotes, spaces around them dropped.
fn split(text: &[u8]) -> Result<Vec<Argument>, Malformed> {
    let mut arguments = Vec::new();
    let mut quoted = false;
    let parts = text.split(|&octet| {
        quoted ^= octet == b'"';
        octet == b',' && !quoted
    });
    for part in parts {
        arguments.push(argument(part.trim_ascii())?);
    }
    Ok(arguments)
}

fn argument(text: &[u8]) -> Result<Argument, Malformed> {
    const NON_ASCII: &[u8] = b"{non-ascii}";
    if text.is_empty() {
        return Ok(Argument::Omitted);
    }
    if let Some((prefix, hex)) = text.split_at_checked(NON_ASCII.len())
        && prefix.eq_ignore_ascii_case(NON_ASCII)
    {
        let digits = unquoted(hex.trim_ascii()).ok_or(Malformed)?;
        return octets_of_hex(digits).map(|octets| Argument::Quoted(Secret::new(octets))).ok_or(Malformed);
    }
    match unquoted(text) {
        Some(inside) => Ok(Argument::Quoted(Secret::new(inside))),
        None if text.contains(&b'"') => Err(Malformed),
        None => Ok(Argument::Bare(Secret::new(text))),
    }
}

/// What stands between the quotes, if there is one at each end and none between.
fn unquoted(text: &[u8]) -> Option<&[u8]> {
    let inside = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    (!inside.contains(&b'"')).then_some(inside)
}

fn octets_of_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok());
    pairs.iter().map(|&[high, low]| Some(nibble(high)? << 4 | nibble(low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(line: &str) -> Result<Vec<(String, Form)>, Malformed> {
        let mut line = CommandLine::new(Secret::new(line)).unwrap();
        let mut commands = Vec::new();
        while let Some(Invocation { name, form }) = line.next_command()? {
            commands.push((name, form));
        }
        Ok(commands)
    }

    fn write(arguments: &[&str]) -> Form {
        Form::Write(arguments.iter().map(|a| argument(a.as_bytes()).unwrap()).collect())
    }

    fn one(name: &str, form: Form) -> (String, Form) {
        (name.to_owned(), form)
    }

    #[test]
    fn forms_of_extended_commands() {
        assert_eq!(commands("AT+X"), Ok(vec![one("+X", Form::Execute)]));
        assert_eq!(commands("at+x?"), Ok(vec![one("+X", Form::Read)]));
        assert_eq!(commands("At+X=?"), Ok(vec![one("+X", Form::Test)]));
        assert_eq!(commands("AT+X = \"s\", 25"), Ok(vec![one("+X", write(&["\"s\"", "25"]))]));
        assert_eq!(commands("AT+X=0,,\"a,;b\""), Ok(vec![one("+X", write(&["0", "", "\"a,;b\""]))]));
        assert_eq!(commands("AT+X=C:/Picture"), Ok(vec![one("+X", write(&["C:/Picture"]))]));
    }

    #[test]
    fn several_on_a_line() {
        assert_eq!(
            commands("ATE0V1+CMEE=2;+SMTPSRV=\"h\",25").unwrap(),
            [
                one("E", write(&["0"])),
                one("V", write(&["1"])),
                one("+CMEE", write(&["2"])),
                one("+SMTPSRV", write(&["\"h\"", "25"]))
            ]
        );
        assert_eq!(
            commands("ATQ0 V1 E1 S0=0 &C1 &D2 +FCLASS=0")
                .unwrap()
                .into_iter()
                .map(|c| c.0)
                .collect::<Vec<_>>(),
            ["Q", "V", "E", "S0", "&C", "&D", "+FCLASS"]
        );
        assert_eq!(commands("ATS3 = 13").unwrap(), [one("S3", write(&["13"]))]);
        assert_eq!(commands("ATS3?S4=10").unwrap(), [one("S3", Form::Read), one("S4", write(&["10"]))]);
        assert_eq!(commands("AT;;").unwrap(), []);
    }

    #[test]
    fn text_by_its_octets() {
        let octets = |text: &str| argument(text.as_bytes());
        assert_eq!(octets("{non-ascii}\"E6B58b\""), Ok(Argument::Quoted(Secret::new("测"))));
        assert_eq!(octets("{NON-ASCII} \"\""), Ok(Argument::Quoted(Secret::default())));
        for bad in ["{non-ascii}E6", "{non-ascii}\"E\"", "{non-ascii}\"xy\"", "{non-ascii}"] {
            assert_eq!(octets(bad), Err(Malformed), "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_read() {
        for line in [
            "AT+X=\"a",
            "AT+X=\"a\"b",
            "AT+X=a\"b\"",
            "AT+X?x",
            "AT+X!",
            "AT&",
            "AT*",
            "AT=1",
            "AT+X=\"a\"\"b\"",
        ] {
            assert_eq!(commands(line), Err(Malformed), "{line}");
        }
        assert!(
            CommandLine::new(Secret::new("hello")).is_none() && CommandLine::new(Secret::new("A")).is_none()
        );
    }
}
