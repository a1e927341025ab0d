//! SMTP (RFC 5321), both ends.

pub mod client;
pub mod command;
pub mod extensions;
pub mod reply;
