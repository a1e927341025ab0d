//! Where the terminal plugs in.
//!
//! Not here: what runs the modem ([`crate::driver`]).

mod advice;
pub mod octets;
pub mod screen;
mod typist;
