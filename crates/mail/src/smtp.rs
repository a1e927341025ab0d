//! SMTP (RFC 5321), both ends.

pub mod reply;
