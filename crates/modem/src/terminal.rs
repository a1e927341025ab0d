//! The terminal's side of the modem: what is typed becomes lines, what is answered becomes octets (commands.md §1,
//! V.250 §5.7).
//!
//! Not here: when something may be said, which the modem decides.

pub(crate) mod editor;
pub(crate) mod grammar;

use editor::{Editor, Registers};

/// A final result code (V.250 §5.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Ok,
    Error,
}

impl Code {
    const fn words(self) -> &'static [u8] {
        match self {
            Self::Ok => b"OK",
            Self::Error => b"ERROR",
        }
    }

    /// With ATV0.
    const fn number(self) -> u8 {
        match self {
            Self::Ok => b'0',
            Self::Error => b'4',
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
    pub(crate) registers: Registers,
    pub(crate) editor: Editor,
    shown: Vec<u8>,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        Self {
            echo: true,
            verbose: true,
            quiet: false,
            registers: Registers::default(),
            editor: Editor::default(),
            shown: Vec::new(),
        }
    }

    /// What is to be shown, all of it.
    pub(crate) fn take_shown(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.shown)
    }

    /// Shows a typed octet, if echo is on.
    pub(crate) fn echo(&mut self, octet: u8) {
        if self.echo {
            self.shown.push(octet);
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
        self.show(line.as_ref());
        self.line_end();
    }

    /// Octets as they are.
    pub(crate) fn show(&mut self, octets: &[u8]) {
        self.shown.extend_from_slice(octets);
    }

    /// A final result code.
    pub(crate) fn finish(&mut self, code: Code) {
        if self.quiet {
            return;
        }
        if self.verbose {
            self.say(&[code.words()]);
        } else {
            self.shown.extend_from_slice(&[code.number(), self.registers.line_end]);
        }
    }

    /// The prompt for a text.
    pub(crate) fn prompt(&mut self) {
        self.line_end();
        self.shown.extend_from_slice(b">> ");
    }

    fn line_end(&mut self) {
        self.shown.extend_from_slice(&[self.registers.line_end, self.registers.line_feed]);
    }
}
