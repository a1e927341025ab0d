//! The mailmodem program: a modem of the `modem` crate on this machine's terminals, directories, clock and network.
//!
//! Not here: what the modem does, which is pure and knows nothing of this crate.

pub mod card;
pub mod check;
pub mod config;
pub mod console;
pub mod directory;
pub mod driver;
pub mod flags;
pub mod generate;
pub mod home;
pub mod limits;
pub mod line;
pub mod link;
mod lock;
pub mod maildir;
pub mod network;
pub mod oauth;
pub mod outgoing;
pub mod play;
pub mod port;
pub mod provider;
pub mod queue;
mod retry;
pub mod running;
pub mod serve;
pub mod tls;
pub mod trace;
pub mod upstream;
