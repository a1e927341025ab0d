//! What a host makes of the line: it knows which octets reached the modem, sees what is shown, and pairs every command
//! line with its one final result code. Written from the reference (commands.md §1) and not from the modem: each octet
//! that is shown has to have its place in the grammar below, or the world is broken.
//!
//! ```text
//! shown      = *( echo / unsolicited / answer )
//! unsolicited= CRLF line CRLF [ line CRLF ]            ; the second behind +POP3: SUCCESS
//! answer     = *( CRLF 1*( line CRLF ) / file ) CRLF code CRLF
//! code       = "OK" / "ERROR" / "+CME ERROR: " text
//! ```
//!
//! Not here: what is due, and what answers mean ([`crate::laws`]).

use crate::editor::{Editor, Typed};
use crate::limits::{BODY_OCTETS_MAX, TYPE_AHEAD_OCTETS_MAX};
use std::collections::VecDeque;

/// What the line has come to, in order.
#[derive(Clone, Debug)]
pub enum Happened {
    /// The modem has taken a command line; its answer follows.
    Begun(Vec<u8>),
    /// It has answered it.
    Answered(Answered),
    /// It has told something by itself: a line, or two.
    Told(Vec<Vec<u8>>),
}

/// A command line and its answer.
#[derive(Clone, Debug, Default)]
pub struct Answered {
    /// The line without its end. Empty for one that was over a bound, or lost.
    pub line: Vec<u8>,
    /// Lines before the final result code.
    pub information: Vec<Vec<u8>>,
    /// Whether the code is OK.
    pub is_ok: bool,
    /// What was typed at the prompt: a text, or `None` for one that was cancelled or too long.
    pub text: Option<Option<Vec<u8>>>,
    /// What was typed as a file.
    pub file: Vec<u8>,
    /// What was shown as a file.
    pub shown_file: Vec<u8>,
    /// It was ended by a STOP that was typed after it.
    pub is_stopped: bool,
    /// It is that STOP.
    pub is_stop: bool,
}

/// What may be told unasked now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Due {
    /// The outcome of a send.
    pub smtp: bool,
    /// The outcome of getting a mail.
    pub pop3: bool,
    /// +NETOPEN or +NETCLOSE.
    pub network: bool,
    /// What a module says as it comes up.
    pub boot: bool,
}

/// In what way what is shown is not as it must be.
pub type Wrong = String;

#[derive(Debug)]
enum Mode {
    Off,
    Ready,
    Answer(Pending),
    Text { pending: Pending, text: Vec<u8>, is_too_long: bool },
    Octets { pending: Pending, left: usize },
}

/// A line that waits for its final result code.
#[derive(Debug, Default)]
struct Pending {
    answered: Answered,
    /// The token before was an empty line.
    fresh: bool,
    raw: Raw,
    /// The STOP that ended it, with its line end.
    stop: Option<Vec<u8>>,
}

#[derive(Debug, Default)]
enum Raw {
    #[default]
    None,
    /// So many octets of a file are still to come.
    Counted(usize),
    /// The file is known; so much of it has come. `None`: the empty line before it has not come.
    Known(Vec<u8>, Option<usize>),
}

/// A STOP that was taken before what was typed ahead of it.
#[derive(Debug)]
struct GonePast {
    /// Its line end.
    end: Option<u8>,
    /// What was typed ahead behind it.
    behind: VecDeque<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lost {
    lines: usize,
    in_line: bool,
}

/// The line. See the module's words.
#[derive(Debug)]
pub struct Reading {
    arrived: VecDeque<u8>,
    shown: VecDeque<u8>,
    mode: Mode,
    /// `None`: the next graphic octet will tell.
    echo: Option<bool>,
    editor: Editor,
    lost: Option<Lost>,
    /// Lost lines that are still to be answered.
    lost_lines: usize,
    last_line: Vec<u8>,
    /// STOPs that were taken before what was typed ahead of them, the last first.
    gone_past: Vec<GonePast>,
    has_started: bool,
    /// Octets have reached the modem that are not told here yet, and what is shown may be about them.
    pub is_more_to_come: bool,
}

/// Commands that may keep their line waiting.
const WAITING: &[&str] = &[
    "+SMTPSEND",
    "+POP3IN",
    "+POP3NUM",
    "+POP3LIST",
    "+POP3HDR",
    "+POP3DEL",
    "+POP3OUT",
    "+POP3READ",
    "+FSCOPY",
    "+CFTRANTX",
];

const CTRL_Z: u8 = 0x1a;
const ESC: u8 = 0x1b;

impl Default for Reading {
    fn default() -> Self {
        Self {
            arrived: VecDeque::new(),
            shown: VecDeque::new(),
            mode: Mode::Ready,
            echo: Some(true),
            editor: Editor::default(),
            lost: None,
            lost_lines: 0,
            last_line: Vec::new(),
            gone_past: Vec::new(),
            has_started: false,
            is_more_to_come: false,
        }
    }
}

impl Reading {
    /// The modem has shown octets.
    pub fn show(&mut self, octets: &[u8]) {
        self.shown.extend(octets);
    }

    /// An octet has reached the modem. To be followed by [`Self::next`] until there is nothing more.
    pub fn arrive(&mut self, octet: u8) {
        let Mode::Answer(pending) = &mut self.mode else {
            if !matches!(self.mode, Mode::Off) {
                self.arrived.push_back(octet);
            }
            return;
        };
        let ends_line = octet == b'\r' || octet == b'\n';
        if let Some(lost) = &mut self.lost {
            return lost.push(octet);
        }
        let line_start =
            self.arrived.iter().rposition(|octet| b"\r\n".contains(octet)).map_or(0, |before| before + 1);
        if self.arrived.len() == TYPE_AHEAD_OCTETS_MAX {
            let mut lost = Lost::default();
            self.arrived.drain(line_start..).for_each(|octet| lost.push(octet));
            lost.push(octet);
            self.lost = Some(lost);
            return;
        }
        self.arrived.push_back(octet);
        if ends_line && pending.stop.is_none() {
            let line: Vec<u8> = self.arrived.range(line_start..).copied().collect();
            let stop = stop_of(&pending.answered.line);
            if stop.is_some_and(|stop| line.trim_ascii().eq_ignore_ascii_case(stop)) {
                self.arrived.truncate(line_start);
                pending.stop = Some(line);
            }
        }
    }

    /// What has happened next, if that can be told by now.
    ///
    /// # Errors
    /// Something was shown that has no place.
    pub fn next(&mut self, due: Due) -> Result<Option<Happened>, Wrong> {
        loop {
            match &mut self.mode {
                Mode::Off => {
                    self.arrived.clear();
                    return Ok(None);
                }
                Mode::Ready => {
                    if let Some(lines) = self.unsolicited(due)? {
                        return Ok(Some(Happened::Told(lines)));
                    }
                    if self.is_cut_unsolicited() {
                        return Ok(None);
                    }
                    if let Some(octet) = self.arrived.pop_front() {
                        if let Some(line) = self.take(octet)? {
                            return Ok(Some(Happened::Begun(line)));
                        }
                    } else if self.comes_up_to_stop() {
                        // What is behind it is next.
                    } else if self.lost_lines > 0 {
                        self.lost_lines -= 1;
                        self.mode = Mode::Answer(Pending::default());
                    } else if let Some(Lost { lines, in_line }) = self.lost.take() {
                        self.lost_lines = lines;
                        if in_line {
                            self.editor.spoil();
                        }
                    } else {
                        return Ok(None);
                    }
                }
                Mode::Answer(_) => match self.answer()? {
                    Some(answered) => return Ok(Some(Happened::Answered(answered))),
                    None if matches!(self.mode, Mode::Answer(_)) && !self.comes_up_to_stop() => {
                        return Ok(None);
                    }
                    None => {}
                },
                Mode::Text { is_too_long, .. } => {
                    if let Some(octet) = self.arrived.pop_front() {
                        self.take_text(octet)?;
                    } else if self.gone_past.is_empty() && self.lost.take().is_some() {
                        // Its end is among what was lost.
                        *is_too_long = true;
                    } else if !self.comes_up_to_stop() {
                        return Ok(None);
                    }
                }
                Mode::Octets { .. } => {
                    if !self.take_file() && !self.comes_up_to_stop() {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// All that was typed ahead of a STOP is read: what stood behind it follows. False: there was none.
    fn comes_up_to_stop(&mut self) -> bool {
        let Some(GonePast { end, behind }) = self.gone_past.pop() else { return false };
        if let Some(end) = end {
            self.editor.line_went_past(end);
        }
        self.arrived.extend(behind);
        true
    }

    /// Takes a STOP out of what was typed ahead, if the line that it stops became pending only after it was typed: what
    /// was typed ahead counts as typed when the line before it is answered. Its echo and its OK tell, which stand before
    /// the echo of what was typed ahead of it.
    fn stop_typed_ahead(&mut self, pending: &[u8]) -> Option<Vec<u8>> {
        let stop = stop_of(pending)?;
        let arrived: Vec<u8> = self.arrived.iter().copied().collect();
        let mut start = 0;
        for line in arrived.split_inclusive(|octet| b"\r\n".contains(octet)) {
            let end = start + line.len();
            if line.len() > stop.len() && line.trim_ascii().eq_ignore_ascii_case(stop) {
                // Without echo its OK alone has to tell: that of a line before it would be one too many in the end.
                let echoed: &[u8] = if self.echo == Some(false) { b"" } else { line };
                let expected = echoed.iter().chain(b"\r\nOK\r\n");
                let is_taken = self.shown.iter().take(expected.clone().count()).eq(expected);
                return is_taken.then(|| {
                    let behind = self.arrived.split_off(end);
                    self.arrived.truncate(start);
                    self.gone_past.push(GonePast { end: line.last().copied(), behind });
                    line.to_vec()
                });
            }
            start = end;
        }
        None
    }

    /// A line that is not answered at once, and nothing that has no place: to be asked when the modem wants nothing more.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check_settled(&self) -> Result<(), Wrong> {
        if !self.shown.is_empty() && !self.is_in_file() {
            return Err(format!("shown, and nothing asked for it: {}", self.rest_shown()));
        }
        match &self.mode {
            Mode::Answer(Pending { answered, .. }) => {
                let line = String::from_utf8_lossy(&answered.line).to_ascii_uppercase();
                if WAITING.iter().any(|name| line.contains(name)) {
                    Ok(())
                } else {
                    Err(format!("no final result code for {}", text(&answered.line)))
                }
            }
            Mode::Ready if self.lost_lines > 0 => Err("a lost line is not answered".to_owned()),
            _ => Ok(()),
        }
    }

    /// Whether a file is being shown.
    #[must_use]
    pub fn is_in_file(&self) -> bool {
        matches!(&self.mode, Mode::Answer(Pending { raw: Raw::Counted(1..) | Raw::Known(..), .. }))
    }

    fn rest_shown(&self) -> String {
        text(&self.shown.iter().copied().take(200).collect::<Vec<_>>())
    }

    /// The power was cut, and came back.
    pub fn power_on(&mut self) {
        *self = Self::default();
    }

    /// The modem is off: what is typed is lost.
    fn power_off(&mut self) {
        let shown = std::mem::take(&mut self.shown);
        *self = Self { mode: Mode::Off, shown, ..Self::default() };
    }

    /// The file that the answer to the line just begun will show.
    pub fn expect_file(&mut self, octets: Vec<u8>) {
        if let Mode::Answer(pending) = &mut self.mode {
            pending.raw = Raw::Known(octets, None);
        }
    }

    /// Whether a command line may be typed and will be taken at once.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self.mode, Mode::Ready)
    }

    /// The line that waits for its final result code.
    #[must_use]
    pub fn pending(&self) -> Option<&[u8]> {
        match &self.mode {
            Mode::Answer(pending) => Some(&pending.answered.line),
            _ => None,
        }
    }

    /// Whether `words`, in capitals, stand in what was typed ahead and is not read yet.
    #[must_use]
    pub fn is_typed_ahead(&self, words: &str) -> bool {
        let behind = self.gone_past.iter().rev().flat_map(|past| &past.behind);
        let octets: Vec<u8> = self.arrived.iter().chain(behind).copied().collect();
        String::from_utf8_lossy(&octets).to_ascii_uppercase().contains(words)
    }

    /// Whether the prompt for a text is shown.
    #[must_use]
    pub fn wants_text(&self) -> bool {
        matches!(self.mode, Mode::Text { .. })
    }

    /// How many octets of a file are asked for.
    #[must_use]
    pub fn wants_octets(&self) -> Option<usize> {
        match self.mode {
            Mode::Octets { left, .. } => Some(left),
            _ => None,
        }
    }

    /// Whether the modem is off.
    #[must_use]
    pub fn is_off(&self) -> bool {
        matches!(self.mode, Mode::Off)
    }

    /// Whether a line is partly typed.
    #[must_use]
    pub fn is_in_line(&self) -> bool {
        self.editor.is_in_line()
    }

    fn echo(&mut self, octet: u8) -> Result<(), Wrong> {
        let is_answer = self.echo.is_none() && octet == b'\r' && self.shown.get(1) == Some(&b'\n');
        let shown = self.shown.front() == Some(&octet) && !is_answer;
        match self.echo {
            Some(true) if !shown => {
                return Err(format!("echo of {} expected, shown: {}", text(&[octet]), self.rest_shown()));
            }
            Some(false) => return Ok(()),
            None if !shown => {
                self.echo = octet.is_ascii_graphic().then_some(false);
                return Ok(());
            }
            Some(true) | None => self.echo = Some(true),
        }
        self.shown.pop_front();
        Ok(())
    }

    /// Takes an octet between answers. Some: a line that is to be answered.
    fn take(&mut self, octet: u8) -> Result<Option<Vec<u8>>, Wrong> {
        let typed = self.editor.type_octet(octet);
        if typed != Typed::SecondHalf {
            self.echo(octet)?;
        }
        let line = match typed {
            Typed::SecondHalf | Typed::Part => return Ok(None),
            Typed::Void => Vec::new(),
            Typed::Line(line) if !line.get(..2).is_some_and(|at| at.eq_ignore_ascii_case(b"AT")) => {
                return Ok(None);
            }
            Typed::Line(line) => {
                self.last_line.clone_from(&line);
                line
            }
            Typed::Again => self.last_line.clone(),
        };
        let answered = Answered { line: line.clone(), ..Answered::default() };
        self.mode = Mode::Answer(Pending { answered, ..Pending::default() });
        Ok(Some(line))
    }

    /// Something that was told unasked.
    fn unsolicited(&mut self, due: Due) -> Result<Option<Vec<Vec<u8>>>, Wrong> {
        if self.shown.front() != Some(&b'\r') || self.shown.get(1) != Some(&b'\n') {
            return Ok(None);
        }
        let Some(first) = self.line_at(2) else { return Ok(None) };
        if self.is_answer_before_outcome(&first) {
            return Ok(None);
        }
        let is_due = match first.as_slice() {
            // It is an answer too, but not behind START.
            b"+CPIN: READY" => due.boot && self.has_started,
            b"START" | b"SMS DONE" | b"PB DONE" => due.boot,
            b"+NETOPEN: 0" | b"+NETCLOSE: 0" => due.network,
            b"+SMTP: ONGOING" | b"+SMTP: PARAM ERROR" => false,
            line if line.starts_with(b"+SMTP: ") => due.smtp,
            line if line.starts_with(b"+POP3: ") => due.pop3,
            _ => false,
        };
        if !is_due {
            // It may be the answer to a line that has arrived, if that line is not echoed.
            let is_answered = !self.arrived.is_empty()
                || self.is_more_to_come
                || !self.gone_past.is_empty()
                || self.lost.is_some()
                || self.lost_lines > 0;
            // The echo of line ends looks like the beginning of an answer.
            let is_echoed =
                self.echo == Some(true) && self.arrived.front().is_some_and(|octet| !b"\r\n".contains(octet));
            if !is_answered || is_echoed {
                return Err(format!("told, and not due: {}", text(&first)));
            }
            return Ok(None);
        }
        self.has_started = first == b"START";
        let mut lines = vec![first];
        let is_saved = lines.first().is_some_and(|line| line == b"+POP3: SUCCESS");
        if is_saved {
            let after = 2 + "+POP3: SUCCESS\r\n".len();
            lines.push(self.line_at(after).ok_or("a saved mail without its file")?);
        }
        let octets: usize = lines.iter().map(|line| line.len() + 2).sum();
        self.shown.drain(..octets + 2);
        Ok(Some(lines))
    }

    /// Whether this, which looks like the outcome of getting a mail, is the beginning of the answer to the line that is being
    /// typed without echo: the outcome stands behind it.
    fn is_answer_before_outcome(&self, first: &[u8]) -> bool {
        let comes = self.is_more_to_come || !self.arrived.is_empty();
        let behind = self.shown.iter().skip(2 + first.len() + 2);
        let outcome = b"\r\nERROR\r\n\r\n+POP3: ";
        comes
            && self.editor.is_in_line()
            && first.starts_with(b"+POP3: ")
            && behind.take(outcome.len()).eq(outcome)
    }

    /// Whether something stands there that [`Self::unsolicited`] could not read to its end.
    fn is_cut_unsolicited(&self) -> bool {
        self.arrived.is_empty()
            && self.gone_past.is_empty()
            && !self.shown.is_empty()
            && self.lost.is_none()
            && self.lost_lines == 0
    }

    /// The line that begins behind so many shown octets, if it is whole.
    fn line_at(&self, start: usize) -> Option<Vec<u8>> {
        let rest = self.shown.range(start.min(self.shown.len())..);
        let mut line = Vec::new();
        let mut cr = false;
        for &octet in rest {
            if cr && octet == b'\n' {
                line.pop();
                return Some(line);
            }
            cr = octet == b'\r';
            line.push(octet);
        }
        None
    }

    /// Goes on with the pending answer. Some: it is complete.
    fn answer(&mut self) -> Result<Option<Answered>, Wrong> {
        loop {
            if self.raw() {
                return Ok(None);
            }
            if self.prompt() {
                return Ok(None);
            }
            let Some(line) = self.line_at(0) else { return Ok(None) };
            let Mode::Answer(pending) = &mut self.mode else { return Ok(None) };
            self.shown.drain(..line.len() + 2);
            let answered = &mut pending.answered;
            if line.is_empty() {
                if std::mem::replace(&mut pending.fresh, true) {
                    answered.information.push(line);
                } else if let Raw::Known(_, at @ None) = &mut pending.raw {
                    *at = Some(0);
                }
                continue;
            }
            if pending.fresh && (line == b"OK" || line == b"ERROR" || line.starts_with(b"+CME ERROR: ")) {
                return self.answered(line == b"OK").map(Some);
            }
            if !pending.fresh && answered.information.is_empty() {
                return Err(format!("an answer that does not begin with a line end: {}", text(&line)));
            }
            pending.fresh = false;
            if answered.line.to_ascii_uppercase().windows(9).any(|part| part == b"+CFTRANTX")
                && let Some(count) = line.strip_prefix(b"+CFTRANTX: DATA,")
            {
                let count = std::str::from_utf8(count).ok().and_then(|count| count.parse().ok());
                pending.raw = Raw::Counted(count.ok_or("a portion of a file without its count")?);
            }
            answered.information.push(line);
        }
    }

    /// Takes what is shown of a file. True: there is more to come.
    fn raw(&mut self) -> bool {
        let Mode::Answer(Pending { answered, raw, fresh, .. }) = &mut self.mode else { return false };
        match raw {
            Raw::Counted(left) => {
                let taken = self.shown.len().min(*left);
                answered.shown_file.extend(self.shown.drain(..taken));
                *left -= taken;
                if *left > 0 {
                    return true;
                }
                *raw = Raw::None;
                *fresh = false;
            }
            Raw::Known(octets, Some(at)) => {
                while let Some(octet) = octets.get(*at) {
                    match self.shown.front() {
                        Some(shown) if shown == octet => {
                            self.shown.pop_front();
                            answered.shown_file.push(*octet);
                            *at += 1;
                        }
                        Some(_) => break,
                        None => return true,
                    }
                }
                // An answer that has no file after all begins as one that has.
                *fresh = *at == 0;
                *raw = Raw::None;
            }
            Raw::None | Raw::Known(_, None) => {}
        }
        false
    }

    /// Takes a prompt, if that is what is shown.
    fn prompt(&mut self) -> bool {
        let Mode::Answer(pending) = &mut self.mode else { return false };
        let line = String::from_utf8_lossy(&pending.answered.line).to_ascii_uppercase();
        let starts_with = |prompt: &[u8]| self.shown.iter().take(prompt.len()).eq(prompt);
        if line.contains("+SMTPBODY") && starts_with(b"\r\n>> ") {
            self.shown.drain(..5);
            // The text is echoed or not by what the same line has said before.
            if has_basic_commands(&pending.answered.line) {
                self.echo = None;
            }
            self.mode = Mode::Text { pending: std::mem::take(pending), text: Vec::new(), is_too_long: false };
            return true;
        }
        if line.contains("+CFTRANRX") && starts_with(b"\r\n>") {
            self.shown.drain(..3);
            let end = line.rfind(',').map_or(0, |comma| comma + 1);
            let length = line.get(end..).unwrap_or_default().trim_start();
            let digits: String = length.chars().take_while(char::is_ascii_digit).collect();
            let left = digits.parse().unwrap_or_default();
            self.mode = Mode::Octets { pending: std::mem::take(pending), left };
            return true;
        }
        false
    }

    fn answered(&mut self, is_ok: bool) -> Result<Answered, Wrong> {
        let Mode::Answer(Pending { mut answered, stop, .. }) = std::mem::replace(&mut self.mode, Mode::Ready)
        else {
            return Err("an answer without a line".to_owned());
        };
        answered.is_ok = is_ok;
        if has_basic_commands(&answered.line) {
            self.echo = None;
        }
        let upper = String::from_utf8_lossy(&answered.line).to_ascii_uppercase();
        if is_ok && is_execution(&upper, "+CRESET") {
            self.echo = Some(true);
        }
        if is_ok && is_execution(&upper, "+CPOF") {
            self.power_off();
            return Ok(answered);
        }
        if stop.is_some() && is_ok {
            return Err("a stopped command ends with OK".to_owned());
        }
        let stop = match stop {
            Some(stop) => {
                self.gone_past.push(GonePast { end: stop.last().copied(), behind: VecDeque::new() });
                Some(stop)
            }
            None if is_ok => None,
            None => self.stop_typed_ahead(&answered.line),
        };
        if let Some(stop) = stop {
            answered.is_stopped = true;
            for &octet in &stop {
                self.echo(octet)?;
            }
            let line = stop.trim_ascii().to_vec();
            let stopping = Answered { line, is_stop: true, ..Answered::default() };
            self.mode = Mode::Answer(Pending { answered: stopping, ..Pending::default() });
        } else if answered.is_stop && !is_ok {
            return Err("a STOP that stopped a pending command ends with ERROR".to_owned());
        }
        Ok(answered)
    }

    fn take_text(&mut self, octet: u8) -> Result<(), Wrong> {
        if self.editor.is_second_half(octet) {
            return Ok(());
        }
        let Mode::Text { pending, text, is_too_long } = &mut self.mode else { return Ok(()) };
        match octet {
            CTRL_Z | ESC => {
                let is_text = octet == CTRL_Z && !*is_too_long;
                pending.answered.text = Some(is_text.then(|| std::mem::take(text)));
                self.mode = Mode::Answer(std::mem::take(pending));
                return Ok(());
            }
            _ if *is_too_long => {}
            0x08 | 0x7f => drop(text.pop()),
            _ if text.len() == BODY_OCTETS_MAX => *is_too_long = true,
            _ => text.push(octet),
        }
        self.echo(octet)
    }

    /// Takes octets of a file. False: there are no more for now.
    fn take_file(&mut self) -> bool {
        let is_last = self.arrived.is_empty() && self.gone_past.is_empty() && !self.is_more_to_come;
        let Mode::Octets { pending, left } = &mut self.mode else { return false };
        // Its time is over, or it cannot be written; or it is whole.
        let is_answered = is_last && self.shown.iter().take(2).eq(b"\r\n");
        if *left == 0 || is_answered {
            self.mode = Mode::Answer(std::mem::take(pending));
            return true;
        }
        let Some(octet) = self.arrived.pop_front() else {
            // What was lost of it is lost.
            if is_last {
                self.lost = None;
            }
            return false;
        };
        if !self.editor.is_second_half_before_file(octet) {
            pending.answered.file.push(octet);
            *left -= 1;
        }
        true
    }
}

impl Lost {
    fn push(&mut self, octet: u8) {
        if b"\r\n".contains(&octet) {
            self.lines += usize::from(std::mem::take(&mut self.in_line));
        } else {
            self.in_line |= octet.is_ascii_graphic();
        }
    }
}

/// The line that stops a pending one.
fn stop_of(pending: &[u8]) -> Option<&'static [u8]> {
    let line = String::from_utf8_lossy(pending).to_ascii_uppercase();
    if line.contains("+SMTPSEND") {
        Some(b"AT+SMTPSTOP")
    } else if line.contains("+POP3") && !line.contains("+POP3READ") {
        Some(b"AT+POP3STOP")
    } else {
        None
    }
}

/// Whether a line has commands that are not extended ones: those may switch the echo.
fn has_basic_commands(line: &[u8]) -> bool {
    let mut commands = line.get(2..).unwrap_or_default().split(|&octet| octet == b';');
    commands.any(|command| command.trim_ascii_start().first().is_some_and(|&octet| octet != b'+'))
}

/// Whether a line executes a command: not its read, test or write form.
#[must_use]
pub fn is_execution(upper: &str, name: &str) -> bool {
    upper.match_indices(name).any(|(at, _)| {
        let rest = upper.get(at + name.len()..).unwrap_or_default().trim_start();
        rest.is_empty() || rest.starts_with(';')
    })
}

/// Whether a line may change what answers look like: ATV, ATQ, S registers, profiles. Hosts here type none, but noise
/// can make one; a world does not let it pass.
#[must_use]
pub fn is_beyond_reading(line: &[u8]) -> bool {
    let line = line.to_ascii_uppercase();
    let starts = line.windows(2).enumerate().filter(|(_, at)| *at == b"AT").map(|(at, _)| at + 2);
    let more = line.iter().enumerate().filter(|(_, octet)| **octet == b';').map(|(at, _)| at + 1);
    starts.chain(more).any(|start| {
        let commands = line.get(start..).unwrap_or_default();
        let first = commands.iter().find(|octet| !b" ;".contains(octet) && !octet.is_ascii_digit());
        let is_basic = first.is_some_and(|&octet| octet != b'+');
        // Registers and the like, or a command of which the answer is known by how its line begins.
        is_basic && (commands.contains(&b'+') || commands.iter().any(|octet| b"VQSZ&".contains(octet)))
    })
}

/// Octets as a person reads them.
#[must_use]
pub fn text(octets: &[u8]) -> String {
    octets.escape_ascii().to_string()
}
