//! Where the terminal plugs in.
//!
//! Not here: what runs the modem ([`crate::driver`]).

mod advice;
mod dtr;
pub mod octets;
mod pty;
pub mod screen;
mod serial;
mod spec;
pub(crate) mod stdio;
mod tcp;
mod tty;
mod typist;

pub use pty::Pty;
pub use serial::Serial;
pub use spec::{Flow, Parity, SerialSettings, Spec, SpecError};
pub use tcp::Tcp;
