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
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use tokio::sync::mpsc as to_async;

/// What the typist is told.
pub(super) enum Order {
    /// To write this; it is not at a prompt.
    Write(String),
    /// To ask for a line.
    Ask,
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
    orders: mpsc::Sender<Order>,
    /// What to write above the prompt that is being typed at.
    above: mpsc::Sender<String>,
    /// Ends when the user ends the console.
    pub(super) typed: to_async::Receiver<Typed>,
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
        let (orders, taken) = mpsc::channel();
        let (typed_to, typed) = to_async::channel(1);
        let (above, lines_above) = mpsc::channel::<String>();
        let keys_of_thread = Arc::clone(&keys);
        let thread = thread::Builder::new().name("typist".to_owned()).spawn(move || {
            if let Err(error) = type_on(&mut editor, &keys_of_thread, &taken, &typed_to, &history) {
                tracing::error!(%error, "the console's terminal failed");
            }
        })?;
        // The printer waits for a prompt when it has just missed one; only this thread may wait with it.
        thread::Builder::new().name("printer".to_owned()).spawn(move || {
            while let Ok(text) = lines_above.recv() {
                if let Err(error) = printer.print(text) {
                    tracing::error!(%error, "the console's terminal failed");
                }
            }
        })?;
        Ok(Self { keys, orders, above, typed, thread, _quiet: quiet })
    }

    /// What keys mean from here on.
    pub(super) fn set_expects(&self, expects: Expects) {
        self.keys.expects.store(if expects == Expects::Text { TEXT } else { 0 }, Ordering::SeqCst);
    }

    /// Asks for a line; it comes from `typed`.
    pub(super) fn ask(&self) {
        self.order(Order::Ask);
    }

    /// Writes, when no line is being asked for.
    pub(super) fn write(&self, text: String) {
        self.order(Order::Write(text));
    }

    /// Writes above the line that is being asked for.
    pub(super) fn write_above(&self, text: String) {
        // Its thread ends with the program only.
        let _ = self.above.send(text);
    }

    /// Gives the terminal back. Only when no line is being asked for: the thread could not be ended then.
    pub(super) fn end(self) {
        let Self { orders, thread, .. } = self;
        drop(orders);
        if thread.join().is_err() {
            tracing::error!("the console's terminal failed");
        }
    }

    fn order(&self, order: Order) {
        // Who has ended takes no orders; `typed` tells that it has.
        let _ = self.orders.send(order);
    }
}

fn type_on(
    editor: &mut Editor<Advice, FileHistory>,
    keys: &Keys,
    orders: &mpsc::Receiver<Order>,
    typed: &to_async::Sender<Typed>,
    history: &Path,
) -> anyhow::Result<()> {
    while let Ok(order) = orders.recv() {
        match order {
            Order::Write(text) => {
                let mut screen = io::stdout().lock();
                screen.write_all(text.as_bytes())?;
                screen.flush()?;
            }
            Order::Ask => {
                let Some(line) = ask(editor, keys)? else { break };
                if typed.blocking_send(line).is_err() {
                    break;
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
                if !keys.is_text() && !line.is_empty() && !may_hold_secret(&line) {
                    editor.add_history_entry(&line)?;
                }
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
