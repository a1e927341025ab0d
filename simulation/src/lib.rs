//! Seeded worlds: a host, a modem, a network, a provider, drives and a clock in one thread, where everything is drawn
//! from one number. What may never be is asked after every step ([`laws`]); a world that breaks is told by its seed, and
//! lived through again by it. `README.md` says what is drawn and what the worlds have caught.
//!
//! Deliberately not here: sockets, directories, real time. The drives are those in memory.

pub mod causes;
pub mod chance;
pub mod draft;
pub mod editor;
pub mod ground;
pub mod host;
pub mod laws;
pub mod liar;
pub mod limits;
pub mod link;
pub mod mails;
pub mod message;
pub mod provider;
pub mod queue;
pub mod reading;
pub mod replies;
pub mod run;
pub mod secrets;
pub mod shapes;
pub mod transcript;
pub mod world;
