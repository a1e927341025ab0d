//! A port that is a person at a terminal: lines are edited before they are sent, and what is the program's own stands
//! dim between what is the modem's.
//!
//! The modem echoes what it is sent, as to any terminal; since the line editor has shown it already, the echo is taken
//! out.
//!
//! Not here: the keys ([`super::typist`]).

use super::advice::{OWN_COMMANDS, help};
use super::typist::{End, Typed, Typist};
use crate::driver::{Driver, Notice};
use crate::limits::{PENDING_WAIT, POWER_OFF_MAX};
use crate::port::octets;
use modem::drive::Drive;
use modem::modem::Expects;
use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

const CTRL_Z: u8 = 0x1a;
const ESC: u8 = 0x1b;

/// Text in the style of the program's own remarks.
#[must_use]
pub fn dim(text: &str) -> String {
    format!("\x1b[2m{text}\x1b[0m")
}

/// Runs a modem until the user ends it or a signal does; then what is under way is done. `delivered` says where mail
/// landed, `card` is the storage card that the user can put in.
///
/// # Errors
/// The terminal cannot be set up, or written to.
pub async fn run(
    driver: &mut Driver,
    banner: &str,
    history: PathBuf,
    mut delivered: mpsc::UnboundedReceiver<PathBuf>,
    card: impl Fn() -> anyhow::Result<Option<Box<dyn Drive>>>,
) -> anyhow::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut hung_up = signal(SignalKind::hangup())?;
    let mut screen = Screen::new(Typist::start(history)?);
    screen.write(dim(banner) + "\n");
    // They follow what the modem itself says of the matter.
    let mut remarks = Vec::new();
    let mut was_off = false;
    // One may type ahead; but what is pasted should find the outcome of what stands before it, if that comes soon.
    let mut asks_at = Instant::now();
    loop {
        if driver.is_off() && !was_off {
            remarks.push(format!("the modem is off; it comes on again in {} s", POWER_OFF_MAX.as_secs()));
        }
        was_off = driver.is_off();
        screen.typist.set_expects(driver.expects());
        if driver.is_idle() {
            remarks.drain(..).for_each(|words: String| screen.remark(&words));
        }
        let is_prompting = driver.expects() == Expects::Text && !driver.has_notices();
        if !screen.is_asking && (driver.is_idle() || is_prompting) {
            screen.ask();
        }
        tokio::select! {
            biased;
            notice = driver.next() => match notice {
                Notice::Show(octets) => {
                    screen.show(octets, driver.expects());
                    driver.shown();
                }
                Notice::Report(words) => remarks.push(words),
                // A screen shows the one already, and has no other.
                Notice::Done(_) | Notice::Speed(_) => {}
            },
            Some(file) = delivered.recv() => remarks.push(format!("delivered: {}", file.display())),
            typed = screen.typist.typed.recv(), if screen.is_asking => match typed {
                Some(typed) => {
                    screen.is_asking = false;
                    asks_at = Instant::now() + PENDING_WAIT;
                    match screen.take(typed, driver.expects()) {
                        Taken::Octets(octets) => driver.typed(&octets),
                        Taken::CardOut => {
                            driver.set_card(None);
                            screen.remark("the card is out");
                        }
                        Taken::CardIn => match card() {
                            Ok(card) => {
                                driver.set_card(card);
                                screen.remark("the card is in");
                            }
                            Err(error) => screen.remark(&format!("the card is not put in: {error:#}")),
                        },
                        Taken::Quit => break,
                    }
                }
                None => break,
            },
            () = sleep_until(asks_at), if !screen.is_asking => screen.ask(),
            _ = terminated.recv() => return Ok(()),
            _ = hung_up.recv() => return Ok(()),
        }
    }
    screen.typist.end();
    // A text that is never ended is not waited for.
    if !driver.is_idle() && driver.expects() != Expects::Text {
        writeln!(io::stdout(), "{}", dim("what is under way is waited for; Ctrl-C gives it up"))?;
    }
    octets::run(driver, tokio::io::empty(), tokio::io::stdout()).await?;
    Ok(())
}

/// What a typed line is.
enum Taken {
    /// The modem's; none of it for what the console has done itself.
    Octets(Vec<u8>),
    /// `.card in`.
    CardIn,
    /// `.card out`.
    CardOut,
    /// `.quit`.
    Quit,
}

/// What is on the screen, and what is expected there.
struct Screen {
    typist: Typist,
    /// Whether a line is being typed.
    is_asking: bool,
    /// What was sent and may yet be echoed.
    echoes: VecDeque<Vec<u8>>,
    /// Whether the cursor is on a new line since a line was typed, of which the modem does not know: to a terminal, the
    /// line end that it shows next would be this one.
    is_after_line: bool,
    /// Whether what was shown last ended in a CR, which is shown as a line end; an LF after it adds nothing.
    is_after_cr: bool,
}

impl Screen {
    const fn new(typist: Typist) -> Self {
        Self { typist, is_asking: false, echoes: VecDeque::new(), is_after_line: false, is_after_cr: false }
    }

    fn ask(&mut self) {
        self.is_asking = true;
        self.typist.ask();
    }

    /// What a typed line is.
    fn take(&mut self, typed: Typed, expects: Expects) -> Taken {
        let Typed { line, end } = typed;
        if expects != Expects::Text
            && let Some(own) = line.trim().strip_prefix('.')
        {
            match own.split_once(' ').unwrap_or((own, "")) {
                ("quit", _) => return Taken::Quit,
                ("card", "in") => return Taken::CardIn,
                ("card", "out") => return Taken::CardOut,
                ("help", word) => self.write(dim(help(word).trim_end()) + "\n"),
                _ => self.remark(&format!("the console knows {}", OWN_COMMANDS.join(", "))),
            }
            return Taken::Octets(Vec::new());
        }
        let mut octets = line.into_bytes();
        let (ending, echoed): (&[u8], &[u8]) = match (expects, end) {
            (Expects::Text, End::Line) => (b"\r\n", b"\r\n"),
            (Expects::Text, End::CtrlZ) => (&[CTRL_Z], b""),
            (Expects::Text, End::Cancelled) => {
                octets.clear();
                (&[ESC], b"")
            }
            (Expects::Line | Expects::Nothing, _) => (b"\r", b"\r"),
        };
        self.echoes.push_back([&octets, echoed].concat());
        self.is_after_line = expects != Expects::Nothing;
        octets.extend_from_slice(ending);
        Taken::Octets(octets)
    }

    /// Shows what the modem says.
    fn show(&mut self, octets: Vec<u8>, expects: Expects) {
        let mut shown = octets;
        while let Some(echo) = self.echoes.front() {
            let Some(at) = find_at_line_start(&shown, echo) else { break };
            shown.drain(at..at + echo.len());
            self.echoes.pop_front();
        }
        if expects != Expects::Nothing {
            // What is not echoed by now (ATE0) never will be.
            self.echoes.clear();
        }
        if shown.is_empty() {
            return;
        }
        if std::mem::replace(&mut self.is_after_cr, shown.ends_with(b"\r")) && shown.starts_with(b"\n") {
            shown.drain(..1);
        }
        if std::mem::take(&mut self.is_after_line) && shown.starts_with(b"\r\n") {
            shown.drain(..2);
        }
        if expects == Expects::Text && shown.ends_with(PROMPT) && !self.is_asking {
            shown.truncate(shown.len() - PROMPT.len());
        }
        self.write(printable(&shown));
    }

    /// Says something of the program's own.
    fn remark(&mut self, words: &str) {
        self.write(dim(&format!("[{}]", printable(words.as_bytes()))) + "\n");
    }

    fn write(&mut self, text: String) {
        if !text.is_empty() {
            self.typist.write(text);
        }
    }
}

/// The modem's prompt for a text, which the line editor shows itself.
const PROMPT: &[u8] = b">> ";

/// Where `echo` begins a line. The modem may write a command in upper case that was typed in lower.
fn find_at_line_start(shown: &[u8], echo: &[u8]) -> Option<usize> {
    let is_line_start = |at: usize| at == 0 || matches!(shown.get(at - 1), Some(b'\r' | b'\n'));
    let is_echo =
        |at: usize| shown.get(at..at + echo.len()).is_some_and(|part| part.eq_ignore_ascii_case(echo));
    (0..shown.len()).find(|&at| is_line_start(at) && is_echo(at))
}

/// As a terminal may be given it: what mail from outside says must not move its cursor or change its colours. A lone CR,
/// which ends a result code under ATV0, ends a line.
fn printable(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets).replace("\r\n", "\n").replace('\r', "\n");
    text.chars().map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_given_text_and_line_ends_only() {
        for (octets, shown) in [
            (&b"\r\nOK\r\n"[..], "\nOK\n"),
            (b"0\r", "0\n"),
            (b"\r\r\n", "\n\n"),
            (b"a\tb\x1b[2J\x07\xff", "a\tb\u{fffd}[2J\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(printable(octets), shown);
        }
    }

    #[test]
    fn an_echo_is_found_where_a_line_begins() {
        assert_eq!(find_at_line_start(b"AT\r\r\nOK\r\n", b"at\r"), Some(0));
        assert_eq!(find_at_line_start(b"0\rAT\r", b"AT\r"), Some(2));
        assert_eq!(find_at_line_start(b"xAT\r", b"AT\r"), None);
    }
}
