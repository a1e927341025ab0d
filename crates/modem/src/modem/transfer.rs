//! Files that come and go over the terminal's line, octet for octet (commands.md §4): counted (+CFTRANRX), and by
//! XMODEM (+CRXFILE, +CTXFILE). While one is under way everything typed belongs to it, and nothing is echoed.
//!
//! Not here: the protocol ([`crate::xmodem`]); AT+CFTRANTX, which takes nothing in ([`super::reading`]).

use super::{Activity, Modem, Traced};
use crate::command::Answer;
use crate::drive::path::Path;
use crate::drive::{DriveError, Letter};
use crate::files::NewFile;
use crate::limits::OCTET_WAIT;
use crate::terminal::Code;
use crate::terminal::grammar::CommandLine;
use crate::xmodem::{Failure, Receiver, Sender, receiver, sender};
use mail::machine::{Input, Instant, Machine, Output};
use std::time::Duration;

/// A file under way.
pub(crate) enum Transfer {
    /// AT+CFTRANRX.
    Counted(Counted),
    /// AT+CRXFILE. Nothing holds the file when it is whole.
    Receiving(Receiver, Option<NewFile>, Letter),
    /// AT+CTXFILE.
    Sending(Sender, Letter),
}

/// A file whose length was said before.
pub(crate) struct Counted {
    /// `None` as soon as it cannot be written any more: what is left of it is still no command.
    file: Option<NewFile>,
    octets_left: u32,
    deadline: Instant,
}

/// What a transfer comes to.
enum Step {
    Show(Vec<u8>),
    Ended(Result<(), Failure>),
}

impl Modem {
    /// AT+CFTRANRX.
    pub(crate) fn begin_taking(
        &mut self,
        path: Path,
        octets: u32,
        now: Instant,
    ) -> Result<Answer, DriveError> {
        self.files.check_room(path.drive, octets.into())?;
        let file = Some(self.files.create(path)?);
        let counted = Counted { file, octets_left: octets, deadline: now + OCTET_WAIT };
        Ok(Answer::AskOctets(Box::new(Transfer::Counted(counted))))
    }

    /// AT+CRXFILE.
    pub(crate) fn begin_receiving(&mut self, path: Path, now: Instant) -> Result<Answer, DriveError> {
        let drive = path.drive;
        let file = self.files.create(path)?;
        let receiver = Receiver::new(self.patience(), now);
        Ok(Answer::Then(Box::new(Transfer::Receiving(receiver, Some(file), drive))))
    }

    /// AT+CTXFILE.
    pub(crate) fn begin_xmodem_sending(
        &mut self,
        path: &Path,
        has_long_blocks: bool,
        now: Instant,
    ) -> Result<Answer, DriveError> {
        let file = self.files.open(path)?;
        let sender = Sender::new(file, has_long_blocks, self.patience(), now);
        Ok(Answer::Then(Box::new(Transfer::Sending(sender, path.drive))))
    }

    /// How long the other side may take to begin; `None`: as long as the protocol has it.
    fn patience(&self) -> Option<Duration> {
        let seconds = self.kept.number("+CMWAIT", 0);
        (seconds > 0).then(|| Duration::from_secs(seconds.into()))
    }

    pub(super) fn begin_transfer(
        &mut self,
        transfer: Box<Transfer>,
        line: Option<CommandLine>,
        now: Instant,
    ) {
        self.activity = Activity::Transfer(transfer, line);
        self.step_transfer(now);
        self.take_up_type_ahead(now);
    }

    /// Takes what of the octets is the transfer's, and returns the rest.
    pub(super) fn typed_transfer<'a>(&mut self, octets: &'a [u8], now: Instant) -> &'a [u8] {
        let (Activity::Transfer(transfer, _), Some((&first, rest))) =
            (&mut self.activity, octets.split_first())
        else {
            return octets;
        };
        if self.terminal.editor.is_second_half_before_file(first) {
            return rest;
        }
        let rest = transfer.typed(octets, now);
        let taken = octets.len() - rest.len();
        self.trace(|| Traced::TypedOther(format!("{taken} octets of a file")));
        self.step_transfer(now);
        rest
    }

    pub(super) fn transfer_deadline(&self) -> Option<Instant> {
        match &self.activity {
            Activity::Transfer(transfer, _) => transfer.deadline(),
            Activity::Off | Activity::Ready | Activity::Text(..) | Activity::Waiting(..) => None,
        }
    }

    pub(super) fn on_transfer_deadline(&mut self, now: Instant) {
        if let Activity::Transfer(transfer, _) = &mut self.activity {
            transfer.deadline_passed(now);
            self.step_transfer(now);
        }
    }

    pub(super) fn on_card_removed_from_transfer(&mut self, now: Instant) {
        if let Activity::Transfer(transfer, _) = &mut self.activity {
            transfer.card_removed();
            self.step_transfer(now);
        }
    }

    /// The terminal does not go on with it.
    pub(super) fn cancel_transfer(&mut self, now: Instant) {
        if let Activity::Transfer(transfer, _) = &mut self.activity {
            match &mut **transfer {
                Transfer::Counted(_) => return self.end_transfer(Err(Failure::Cancelled), now),
                Transfer::Receiving(receiver, ..) => receiver.cancel(Failure::Cancelled),
                Transfer::Sending(sender, _) => sender.cancel(Failure::Cancelled),
            }
            self.step_transfer(now);
        }
    }

    fn step_transfer(&mut self, now: Instant) {
        while let Activity::Transfer(transfer, _) = &mut self.activity {
            match transfer.step(now) {
                None => return,
                Some(Step::Show(octets)) => self.terminal.show_file(&octets),
                Some(Step::Ended(result)) => self.end_transfer(result, now),
            }
        }
    }

    fn end_transfer(&mut self, result: Result<(), Failure>, now: Instant) {
        let Activity::Transfer(_, line) = std::mem::replace(&mut self.activity, Activity::Ready) else {
            return;
        };
        if let Err(failure) = &result {
            self.report_transfer(&failure.to_string());
        }
        match line {
            Some(line) => self.resume(if result.is_ok() { Code::Ok } else { Code::Error }, line, now),
            // The line was answered, and the other side knows by the protocol.
            None => self.take_up_type_ahead(now),
        }
    }
}

impl Transfer {
    /// Takes octets, and returns what is not its own any more.
    fn typed<'a>(&mut self, octets: &'a [u8], now: Instant) -> &'a [u8] {
        let (machine_octet, rest) = octets.split_at_checked(1).unwrap_or_default();
        match self {
            Self::Counted(counted) => return counted.take(octets, now),
            // One by one: what stands behind the last is a command again.
            Self::Receiving(receiver, ..) => receiver.handle(Input::Received(machine_octet), now),
            Self::Sending(sender, _) => sender.handle(Input::Received(machine_octet), now),
        }
        rest
    }

    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Counted(counted) => Some(counted.deadline),
            Self::Receiving(receiver, ..) => receiver.deadline(),
            Self::Sending(sender, _) => sender.deadline(),
        }
    }

    fn deadline_passed(&mut self, now: Instant) {
        match self {
            Self::Counted(_) => {}
            Self::Receiving(receiver, ..) => receiver.handle(Input::DeadlinePassed, now),
            Self::Sending(sender, _) => sender.handle(Input::DeadlinePassed, now),
        }
    }

    /// Some of what was typed was lost: a file with a hole must not become whole. By XMODEM the other side repeats it.
    pub(super) fn spoil(&mut self) {
        if let Self::Counted(counted) = self {
            counted.file = None;
        }
    }

    fn card_removed(&mut self) {
        match self {
            Self::Counted(counted) => drop(counted.file.take_if(|file| file.drive() == Letter::D)),
            Self::Receiving(receiver, _, Letter::D) => receiver.cancel(Failure::File),
            Self::Sending(sender, Letter::D) => sender.cancel(Failure::File),
            Self::Receiving(..) | Self::Sending(..) => {}
        }
    }

    /// Does what is due; `None` when nothing is.
    fn step(&mut self, now: Instant) -> Option<Step> {
        match self {
            Self::Counted(counted) => counted.end(now).map(Step::Ended),
            Self::Receiving(receiver, file, _) => step_receiving(receiver, file),
            Self::Sending(sender, _) => match sender.poll()? {
                Output::Transmit(octets) => Some(Step::Show(octets)),
                Output::Event(sender::Event(result)) => Some(Step::Ended(result)),
                Output::StartTls | Output::Close | Output::Abort => None,
            },
        }
    }
}

/// A file comes before the answer that says it is there.
fn step_receiving(receiver: &mut Receiver, file: &mut Option<NewFile>) -> Option<Step> {
    loop {
        let written = match receiver.poll()? {
            Output::Transmit(octets) => return Some(Step::Show(octets)),
            Output::Event(receiver::Event::Ended(result)) => return Some(Step::Ended(result)),
            Output::Event(receiver::Event::Block(octets)) => file.as_mut().map(|file| file.write(&octets)),
            Output::Event(receiver::Event::Whole) => file.take().map(NewFile::publish),
            Output::StartTls | Output::Close | Output::Abort => continue,
        };
        if written != Some(Ok(())) {
            receiver.cancel(Failure::File);
        }
    }
}

impl Counted {
    fn take<'a>(&mut self, octets: &'a [u8], now: Instant) -> &'a [u8] {
        let wanted = usize::try_from(self.octets_left).unwrap_or(usize::MAX);
        let (taken, rest) = octets.split_at_checked(wanted).unwrap_or((octets, &[]));
        self.file = self.file.take().and_then(|mut file| file.write(taken).is_ok().then_some(file));
        self.octets_left = self.octets_left.saturating_sub(u32::try_from(taken.len()).unwrap_or(u32::MAX));
        self.deadline = now + OCTET_WAIT;
        rest
    }

    /// How it ended, if it did.
    fn end(&mut self, now: Instant) -> Option<Result<(), Failure>> {
        if self.octets_left > 0 {
            return (now >= self.deadline).then_some(Err(Failure::Silent));
        }
        let published = self.file.take().map(NewFile::publish);
        Some(if published == Some(Ok(())) { Ok(()) } else { Err(Failure::File) })
    }
}
