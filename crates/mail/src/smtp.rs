//! SMTP (RFC 5321), both ends.

pub mod command;
pub mod reply;
