//! Mail's protocols as pure machines: SMTP (RFC 5321) and POP3 (RFC 1939), both ends of the wire, the message format
//! (RFC 5322, MIME) and the words of SASL.
//!
//! Deliberately not here: sockets, TLS, files, the clock, and anything that knows of a modem. A [`machine::Machine`]
//! is told what happened and says what it wants done; whoever owns it does it.

pub mod dot;
pub mod limits;
pub mod line;
pub mod machine;
pub mod mime;
pub mod policy;
pub mod pop3;
pub mod sasl;
pub mod secret;
pub mod smtp;
