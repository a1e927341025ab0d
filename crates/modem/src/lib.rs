//! The modem: octets typed in, octets shown out.
//!
//! Deliberately not here: ports, sockets, directories, the clock. They are the program's, which tells the modem what
//! happened and does what it asks.

pub mod clock;
pub mod command;
pub mod drive;
mod files;
mod inbox;
mod kept;
pub mod limits;
pub mod modem;
mod outbox;
pub mod route;
pub mod settings;
mod terminal;
mod xmodem;
