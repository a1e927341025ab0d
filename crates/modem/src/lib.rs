//! The modem: octets typed in, octets shown out.
//!
//! Deliberately not here: ports, sockets, directories, the clock. They are the program's, which tells the modem what
//! happened and does what it asks.

pub mod drive;
