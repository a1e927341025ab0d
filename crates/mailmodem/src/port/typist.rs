//! The half of the console that waits for keys, on a thread of its own: line editing, history, prompts.
//!
//! Not here: what becomes of a line ([`super::screen`]).

use super::advice::{Advice, may_hold_secret};
use crate::limits::{ESC_WAIT_MS, HISTORY_LINES_MAX};
use anyhow::Context as _;
use modem::modem::Expects;
use rustix::termios::{InputModes, LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{
    Cmd, ConditionalEventHandler, Config, Editor, Event, EventContext, EventHandler, ExternalPrinter,
    KeyCode, KeyEvent, Modifiers, RepeatCount,
};
use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use tokio::sync::mpsc;

/// What the typist is told.
enum Order {
    /// To write this: above the line that is being typed, if one is.
    Write(String),
    /// To ask for a line.
    Ask,
}

/// Orders in the one order that they are carried out in: by the typist's thread, or, while that waits for a line, by
/// the printer's.
#[derive(Default)]
struct Orders {
    state: Mutex<OrdersState>,
    changed: Condvar,
}

#[derive(Default)]
struct OrdersState {
    waiting: VecDeque<Order>,
    is_line_typed: bool,
    has_ended: bool,
}

impl Orders {
    fn change(&self, change: impl FnOnce(&mut OrdersState)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    /// The next one, when a line is being typed or not, whichever the caller wants. `None` at the end.
    fn next(&self, is_line_typed: bool) -> Option<Order> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if state.is_line_typed == is_line_typed
                && let Some(order) = state.waiting.pop_front()
            {
                return Some(order);
            }
            if state.has_ended {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What was typed at a prompt.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Typed {
    pub(super) line: String,
    pub(super) end: End,
}

/// How it was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// By Enter.
    Line,
    /// By Ctrl-Z.
    CtrlZ,
    /// By ESC or Ctrl-C: what was typed is void.
    Cancelled,
}

/// What the keys mean now, and what they said; shared with the keys' bindings.
#[derive(Default)]
struct Keys {
    expects: AtomicU8,
    end: AtomicU8,
}

const TEXT: u8 = 1;
const CTRL_Z: u8 = 1;
const CANCELLED: u8 = 2;

/// The typist, from outside its thread.
pub(super) struct Typist {
    keys: Arc<Keys>,
    orders: Arc<Orders>,
    /// Ends when the user ends the console.
    pub(super) typed: mpsc::Receiver<Typed>,
    thread: JoinHandle<()>,
    _quiet: QuietTerminal,
}

impl Typist {
    /// Takes the terminal over, until dropped.
    pub(super) fn start(history: PathBuf) -> anyhow::Result<Self> {
        let quiet = QuietTerminal::begin().context("cannot set up the terminal")?;
        let keys = Arc::new(Keys::default());
        let mut editor = editor(&keys).context("cannot set up the terminal")?;
        let mut printer = editor.create_external_printer().context("cannot set up the terminal")?;
        match editor.load_history(&history) {
            Ok(()) => {}
            Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, file = %history.display(), "cannot read the history"),
        }
        let orders = Arc::new(Orders::default());
        let (typed_to, typed) = mpsc::channel(1);
        let (keys_of_thread, orders_of_thread) = (Arc::clone(&keys), Arc::clone(&orders));
        let thread = thread::Builder::new().name("typist".to_owned()).spawn(move || {
            if let Err(error) = type_on(&mut editor, &keys_of_thread, &orders_of_thread, typed_to, &history) {
                tracing::error!(%error, "the console's terminal failed");
            }
        })?;
        // The printer waits for the next prompt when a line is ended in the moment that it prints; only this thread may
        // wait with it.
        let orders_above = Arc::clone(&orders);
        thread::Builder::new().name("printer".to_owned()).spawn(move || {
            while let Some(order) = orders_above.next(true) {
                let Order::Write(text) = order else { continue };
                if let Err(error) = printer.print(text) {
                    tracing::error!(%error, "the console's terminal failed");
                }
            }
        })?;
        Ok(Self { keys, orders, typed, thread, _quiet: quiet })
    }

    /// What keys mean from here on.
    pub(super) fn set_expects(&self, expects: Expects) {
        self.keys.expects.store(if expects == Expects::Text { TEXT } else { 0 }, Ordering::SeqCst);
    }

    /// Asks for a line; it comes from `typed`.
    pub(super) fn ask(&self) {
        self.order(Order::Ask);
    }

    /// Writes; above the line that is being asked for, if one is.
    pub(super) fn write(&self, text: String) {
        self.order(Order::Write(text));
    }

    /// Gives the terminal back. Only when no line is being asked for: the thread could not be ended then.
    pub(super) fn end(self) {
        let Self { orders, thread, .. } = self;
        orders.change(|state| state.has_ended = true);
        if thread.join().is_err() {
            tracing::error!("the console's terminal failed");
        }
    }

    fn order(&self, order: Order) {
        self.orders.change(|state| state.waiting.push_back(order));
    }
}

fn type_on(
    editor: &mut Editor<Advice, FileHistory>,
    keys: &Keys,
    orders: &Orders,
    typed: mpsc::Sender<Typed>,
    history: &Path,
) -> anyhow::Result<()> {
    // Dropped when the user ends the console; what is still to be written then is written.
    let mut typed = Some(typed);
    while let Some(order) = orders.next(false) {
        match order {
            Order::Write(text) => {
                let mut screen = io::stdout().lock();
                screen.write_all(text.as_bytes())?;
                screen.flush()?;
            }
            Order::Ask => {
                orders.change(|state| state.is_line_typed = true);
                let asked = ask(editor, keys);
                orders.change(|state| state.is_line_typed = false);
                match (asked?, &typed) {
                    // Who does not listen any more has ended the console.
                    (Some(line), Some(to)) => drop(to.blocking_send(line)),
                    _ => typed = None,
                }
            }
        }
    }
    editor.save_history(history).with_context(|| format!("cannot write {}", history.display()))
}

/// Asks for one line. `None` when the user ends the console.
fn ask(editor: &mut Editor<Advice, FileHistory>, keys: &Keys) -> anyhow::Result<Option<Typed>> {
    loop {
        keys.end.store(0, Ordering::SeqCst);
        let prompt = if keys.is_text() { ">> " } else { "" };
        match editor.readline(prompt) {
            Ok(line) => {
                let end = match keys.end.load(Ordering::SeqCst) {
                    CTRL_Z => End::CtrlZ,
                    CANCELLED => End::Cancelled,
                    _ => End::Line,
                };
                remember(editor, keys, &line)?;
                return Ok(Some(Typed { line, end }));
            }
            Err(ReadlineError::Interrupted) if keys.is_text() => {
                return Ok(Some(Typed { line: String::new(), end: End::Cancelled }));
            }
            Err(ReadlineError::Eof) => return Ok(None),
            // As a shell does: a new line. Octets that are no UTF-8 cannot be edited.
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Puts what was typed into the history, unless it is a text, or may hold a secret.
fn remember(editor: &mut Editor<Advice, FileHistory>, keys: &Keys, line: &str) -> rustyline::Result<()> {
    if !keys.is_text() && !line.is_empty() && !may_hold_secret(line) {
        editor.add_history_entry(line)?;
    }
    Ok(())
}

fn editor(keys: &Arc<Keys>) -> rustyline::Result<Editor<Advice, FileHistory>> {
    let config = Config::builder()
        // A pasted session is so many lines, each with its answer, and not one line with line ends in it.
        .bracketed_paste(false)
        .keyseq_timeout(Some(ESC_WAIT_MS))
        .max_history_size(HISTORY_LINES_MAX)?
        .completion_type(rustyline::CompletionType::List)
        .build();
    let mut editor = Editor::with_config(config)?;
    let keys_of_advice = Arc::clone(keys);
    editor.set_helper(Some(Advice { is_text: Box::new(move || keys_of_advice.is_text()) }));
    for (key, meaning) in [
        (KeyEvent::ctrl('Z'), Meaning::End(CTRL_Z)),
        (KeyEvent(KeyCode::Esc, Modifiers::NONE), Meaning::End(CANCELLED)),
        (KeyEvent::from('\t'), Meaning::Plain('\t')),
    ] {
        let binding = Binding { keys: Arc::clone(keys), meaning };
        editor.bind_sequence(key, EventHandler::Conditional(Box::new(binding)));
    }
    Ok(editor)
}

impl Keys {
    fn is_text(&self) -> bool {
        self.expects.load(Ordering::SeqCst) == TEXT
    }
}

/// A key that means something else while a text is typed.
struct Binding {
    keys: Arc<Keys>,
    meaning: Meaning,
}

#[derive(Clone, Copy)]
enum Meaning {
    /// Ends the text so. In a command line it is without effect.
    End(u8),
    /// Stands for itself.
    Plain(char),
}

impl ConditionalEventHandler for Binding {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        match (self.meaning, self.keys.is_text()) {
            (Meaning::End(end), true) => {
                self.keys.end.store(end, Ordering::SeqCst);
                Some(Cmd::AcceptLine)
            }
            (Meaning::End(_), false) => Some(Cmd::Noop),
            (Meaning::Plain(c), true) => Some(Cmd::Insert(1, c.to_string())),
            (Meaning::Plain(_), false) => None,
        }
    }
}

/// The terminal takes keys as they are and shows none by itself, between prompts too: what is pasted comes faster than
/// it is asked for. Dropped, it is as it was.
struct QuietTerminal {
    before: Termios,
}

impl QuietTerminal {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN;
        quiet.input_modes -= InputModes::ICRNL | InputModes::IXON;
        tcsetattr(io::stdin(), OptionalActions::Drain, &quiet)?;
        Ok(Self { before })
    }
}

impl Drop for QuietTerminal {
    fn drop(&mut self) {
        if let Err(error) = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before) {
            tracing::warn!(%error, "the terminal stays as it is; `stty sane` helps");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_keeps_its_order_across_a_prompt() {
        let orders = Orders::default();
        let write = |text: &str| {
            orders.change(|state| state.waiting.push_back(Order::Write(text.to_owned())));
        };
        let next = |is_line_typed| match orders.next(is_line_typed) {
            Some(Order::Write(text)) => text,
            Some(Order::Ask) => "asked".to_owned(),
            None => "ended".to_owned(),
        };
        write("answer");
        orders.change(|state| state.waiting.push_back(Order::Ask));
        write("above");
        write("after");
        write("last");
        assert_eq!((next(false).as_str(), next(false).as_str()), ("answer", "asked"));
        orders.change(|state| state.is_line_typed = true);
        assert_eq!(next(true), "above");
        orders.change(|state| state.is_line_typed = false);
        assert_eq!(next(false), "after");
        orders.change(|state| state.has_ended = true);
        assert_eq!(
            (next(true).as_str(), next(false).as_str(), next(false).as_str()),
            ("ended", "last", "ended")
        );
    }

    #[test]
    fn neither_texts_nor_passwords_are_remembered() {
        let keys = Arc::new(Keys::default());
        let mut editor = editor(&keys).unwrap();
        for line in ["ATI", "", "AT+SMTPAUTH=1,\"u\",\"tiger\"", "at+pop3srv=\"h\",\"u\",\"tiger\"", "AT&V"] {
            remember(&mut editor, &keys, line).unwrap();
        }
        keys.expects.store(TEXT, Ordering::SeqCst);
        remember(&mut editor, &keys, "dear tiger").unwrap();
        assert_eq!(editor.history().iter().collect::<Vec<_>>(), ["ATI", "AT&V"]);
    }
}
