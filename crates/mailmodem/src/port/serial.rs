//! A port that is a serial line. Unplugged, it is waited for, and the modem goes on.
//!
//! The kernel raises DTR and RTS as the device is opened; on a cable that crosses the wires the host sees them as DSR,
//! DCD and CTS, which is all that such a device can raise: RI is none of it. The host's own DTR is this end's DSR, or DCD
//! ([`super::dtr`]).

use super::dtr::Dtr;
use super::octets::{Port, Terminal};
use super::spec::{Flow, Parity, SerialSettings};
use super::tty::Tty;
use crate::limits::SPEED_WAIT;
use crate::retry::Retry;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::termios::{ControlModes, InputModes, OptionalActions, ioctl_tiocexcl, tcgetattr, tcsetattr};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A serial line.
pub struct Serial {
    settings: SerialSettings,
    speed: Arc<AtomicU32>,
    retry: Retry,
    /// Whether it was told that the device is not there.
    is_missed: bool,
}

impl Serial {
    /// A line, whether it is there yet or not.
    #[must_use]
    pub fn new(settings: SerialSettings) -> Self {
        let speed = Arc::new(AtomicU32::new(settings.speed));
        Self { settings, speed, retry: Retry::default(), is_missed: false }
    }

    fn open(&self) -> io::Result<Tty> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let device = rustix::fs::openat(CWD, &self.settings.device, flags, Mode::empty())?;
        set_up(&device, &self.settings, self.speed.load(Ordering::Relaxed))?;
        Tty::new(device)
    }
}

impl Port for Serial {
    type From = Tty;
    type To = Tty;

    async fn next(&mut self) -> Terminal<Tty, Tty> {
        let device = self.settings.device.display();
        loop {
            tokio::time::sleep_until(self.retry.next()).await;
            match self.open() {
                Ok(tty) => {
                    tracing::info!(%device, "the serial line is open");
                    self.is_missed = false;
                    let speed = Speed { line: tty.clone(), remembered: Arc::clone(&self.speed) };
                    return Terminal { dtr: Dtr::of(&tty), from: tty.clone(), to: tty, speed: Some(speed) };
                }
                Err(error) if !self.is_missed => {
                    tracing::warn!(%device, %error, "the serial line cannot be opened; it is tried again and again");
                    self.is_missed = true;
                }
                Err(_) => {}
            }
        }
    }
}

/// What changes the speed of a line.
pub(super) struct Speed {
    line: Tty,
    /// For when the line is opened again.
    remembered: Arc<AtomicU32>,
}

impl Speed {
    /// Changes it, in bits per second, once everything written is sent.
    pub(super) async fn set(&self, speed: u32) -> io::Result<()> {
        self.remembered.store(speed, Ordering::Relaxed);
        let line = self.line.clone();
        // The kernel waits until everything is sent, and a host may hold the line back for long.
        let change = tokio::task::spawn_blocking(move || {
            let mut modes = tcgetattr(&line)?;
            modes.set_speed(speed)?;
            Ok(tcsetattr(&line, OptionalActions::Drain, &modes)?)
        });
        tokio::time::timeout(SPEED_WAIT, change).await??
    }
}

fn set_up(device: &OwnedFd, settings: &SerialSettings, speed: u32) -> io::Result<()> {
    // Two programs on one line would each get a part of what is typed.
    ioctl_tiocexcl(device)?;
    let mut modes = tcgetattr(device)?;
    modes.make_raw();
    modes.set_speed(speed)?;
    modes.input_modes |= InputModes::IGNBRK | InputModes::IGNPAR;
    let lines = ControlModes::PARENB | ControlModes::PARODD | ControlModes::CRTSCTS | ControlModes::CSTOPB;
    modes.control_modes -= lines;
    // A host that lowers its DTR, which may be our DCD, has not unplugged the line.
    modes.control_modes |= ControlModes::CREAD | ControlModes::CLOCAL;
    modes.control_modes |= match settings.parity {
        Parity::None => ControlModes::empty(),
        Parity::Even => ControlModes::PARENB,
        Parity::Odd => ControlModes::PARENB | ControlModes::PARODD,
    };
    modes.control_modes |= match settings.flow {
        Flow::None => ControlModes::empty(),
        Flow::RtsCts => ControlModes::CRTSCTS,
    };
    Ok(tcsetattr(device, OptionalActions::Now, &modes)?)
}
