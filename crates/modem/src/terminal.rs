//! The terminal's side of the modem: what is typed becomes lines, what is answered becomes octets (commands.md §1,
//! V.250 §5.7).
//!
//! Not here: when something may be said, which the modem decides.

pub(crate) mod editor;
pub(crate) mod grammar;
pub(crate) mod masking;

use crate::kept::Kept;
use editor::{Editor, Registers};
use mail::secret::Secret;

/// A final result code (V.250 §5.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Ok,
    Error,
    /// A command of 27.007 that can't be carried out: AT+CMEE says how that is told.
    Equipment(Trouble),
}

/// Why a command of 27.007 can't be carried out (27.007 §9.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    NotAllowed,
    NotFound,
    NoNetwork,
}

impl Trouble {
    const fn number_and_words(self) -> (u16, &'static str) {
        match self {
            Self::NotAllowed => (3, "operation not allowed"),
            Self::NotFound => (22, "not found"),
            Self::NoNetwork => (30, "no network service"),
        }
    }
}

impl Code {
    const fn words(self) -> &'static [u8] {
        match self {
            Self::Ok => b"OK",
            Self::Error | Self::Equipment(_) => b"ERROR",
        }
    }

    /// With ATV0.
    const fn number(self) -> u8 {
        match self {
            Self::Ok => b'0',
            Self::Error | Self::Equipment(_) => b'4',
        }
    }
}

#[derive(Debug)]
pub(crate) struct Terminal {
    /// ATE: whether typed octets are shown.
    pub(crate) echo: bool,
    /// ATV: words or numbers.
    pub(crate) verbose: bool,
    /// ATQ: whether final result codes are left out. Unsolicited ones are not: they are all a host learns of a mail.
    pub(crate) quiet: bool,
    /// AT+CMEE: how a [`Trouble`] is told.
    error_reports: u32,
    pub(crate) registers: Registers,
    pub(crate) editor: Editor,
    /// What is typed is echoed there, passwords too.
    shown: Secret,
    /// What was said of it, for a trace if there is one.
    traced: Option<Vec<u8>>,
}

impl Terminal {
    pub(crate) fn new(is_traced: bool) -> Self {
        Self {
            echo: true,
            verbose: true,
            quiet: false,
            error_reports: 0,
            registers: Registers::default(),
            editor: Editor::default(),
            shown: Secret::default(),
            traced: is_traced.then(Vec::new),
        }
    }

    /// Takes over what ATE, ATQ, ATV, S3 to S5 and AT+CMEE keep.
    pub(crate) fn configure(&mut self, kept: &Kept) {
        let octet = |register| u8::try_from(kept.number(register, 0)).unwrap_or_default();
        self.echo = kept.number("E", 0) == 1;
        self.verbose = kept.number("V", 0) == 1;
        self.quiet = kept.number("Q", 0) == 1;
        self.error_reports = kept.number("+CMEE", 0);
        self.registers = Registers { line_end: octet("S3"), line_feed: octet("S4"), backspace: octet("S5") };
    }

    /// What is to be shown, all of it.
    pub(crate) fn take_shown(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.shown).into_octets()
    }

    /// What was said, as a trace tells it.
    pub(crate) fn take_traced(&mut self) -> Vec<u8> {
        self.traced.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Shows typed octets, if echo is on.
    pub(crate) fn echo(&mut self, octets: &[u8]) {
        if self.echo {
            self.shown.extend(octets);
        }
    }

    /// An information response or an unsolicited result code: lines, the first after a line end (with ATV1), each with
    /// one behind it.
    pub(crate) fn say<L: AsRef<[u8]>>(&mut self, lines: &[L]) {
        if self.verbose {
            self.line_end();
        }
        for line in lines {
            self.say_on(line);
        }
    }

    /// One more line of an information response.
    pub(crate) fn say_on(&mut self, line: impl AsRef<[u8]>) {
        self.put(line.as_ref());
        self.line_end();
    }

    /// A line of an information response with a secret in it, which a trace tells as `masked`.
    pub(crate) fn say_secret_on(&mut self, line: &[u8], masked: &[u8]) {
        self.shown.extend(line);
        self.trace(masked);
        self.line_end();
    }

    /// A portion of a file, as it is; a trace tells its size.
    pub(crate) fn show_file(&mut self, octets: &[u8]) {
        self.shown.extend(octets);
        self.trace(format!("({} octets of a file)", octets.len()).as_bytes());
    }

    fn put(&mut self, octets: &[u8]) {
        self.shown.extend(octets);
        self.trace(octets);
    }

    fn trace(&mut self, octets: &[u8]) {
        if let Some(traced) = &mut self.traced {
            traced.extend_from_slice(octets);
        }
    }

    /// A final result code.
    pub(crate) fn finish(&mut self, code: Code) {
        if self.quiet {
            return;
        }
        match (code, self.error_reports) {
            (Code::Equipment(trouble), 1) => {
                self.say(&[format!("+CME ERROR: {}", trouble.number_and_words().0)]);
            }
            (Code::Equipment(trouble), 2) => {
                self.say(&[format!("+CME ERROR: {}", trouble.number_and_words().1)]);
            }
            _ if self.verbose => self.say(&[code.words()]),
            _ => self.put(&[code.number(), self.registers.line_end]),
        }
    }

    /// The prompt for a text or for octets.
    pub(crate) fn prompt(&mut self, words: &[u8]) {
        self.line_end();
        self.put(words);
    }

    fn line_end(&mut self) {
        self.put(&[self.registers.line_end, self.registers.line_feed]);
    }
}
