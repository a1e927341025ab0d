//! Where the terminal plugs in.
//!
//! Not here: what runs the modem ([`crate::driver`]).

pub mod octets;
