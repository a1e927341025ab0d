//! SMTP (RFC 5321), both ends.

pub mod client;
pub mod command;
mod envelope;
pub mod extensions;
mod failure;
pub mod reply;
pub mod server;
mod submission;
