//! The host's DTR on a serial line. A cable that crosses the wires has it arrive as DSR, as DCD, or as both; one of three
//! wires has nothing arrive, and is a host that never lowered it.
//!
//! Not here: what it means ([`modem::modem::Input::DtrLowered`]).

use super::tty::Tty;
use crate::limits::DTR_WAIT;
use serial2::SerialPort;
use std::future::pending;
use std::io;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// The wire, and how it stood last.
pub(super) struct Dtr {
    line: Arc<SerialPort>,
    edge: Edge,
    checks: Interval,
    /// It is being asked. Adapters may take long to answer, and others must not wait for that.
    asked: Option<JoinHandle<io::Result<bool>>>,
}

impl Dtr {
    /// Of a line, if its device can tell.
    pub(super) fn of(tty: &Tty) -> Option<Self> {
        // The crate asks what rustix has no call for. A duplicate leaves the line and its modes to their owner.
        let line = tty.as_fd().try_clone_to_owned().map(SerialPort::from);
        match line.and_then(|line| Ok((is_raised(&line)?, line))) {
            Ok((is_raised, line)) => {
                let mut checks = interval(DTR_WAIT);
                checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                Some(Self { line: Arc::new(line), edge: Edge { is_raised }, checks, asked: None })
            }
            Err(error) => {
                tracing::debug!(%error, "the device does not tell how the host's DTR stands");
                None
            }
        }
    }
}

fn is_raised(line: &SerialPort) -> io::Result<bool> {
    Ok(line.read_dsr()? || line.read_cd()?)
}

/// Waits until the host lowers its DTR. May be dropped; nothing is lost.
pub(super) async fn lowered(dtr: &mut Option<Dtr>) {
    let Some(Dtr { line, edge, checks, asked }) = dtr else { return pending().await };
    loop {
        if asked.is_none() {
            checks.tick().await;
        }
        let ask = || {
            let line = Arc::clone(line);
            spawn_blocking(move || is_raised(&line))
        };
        let answer = asked.get_or_insert_with(ask).await;
        *asked = None;
        // Of a device that does not answer, or is gone, it stands as it stood; who reads from it sees the end.
        if matches!(answer, Ok(Ok(is_raised)) if edge.is_lowered(is_raised)) {
            return;
        }
    }
}

/// What makes a lowered DTR of one that is low.
struct Edge {
    is_raised: bool,
}

impl Edge {
    fn is_lowered(&mut self, is_raised: bool) -> bool {
        std::mem::replace(&mut self.is_raised, is_raised) && !is_raised
    }
}

#[cfg(test)]
mod tests {
    use super::Edge;

    #[test]
    fn only_a_raised_dtr_is_lowered_and_once() {
        let mut edge = Edge { is_raised: false };
        let lowered =
            [false, true, true, false, false, true, false].map(|is_raised| edge.is_lowered(is_raised));
        assert_eq!(lowered, [false, false, false, true, false, false, true]);
    }
}
