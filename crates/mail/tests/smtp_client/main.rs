//! The SMTP client machine against scripted servers: what it says, octet for octet, what it tells, and the laws of
//! `mail::machine`.
//!
//! Not here: the client against a server that behaves, or misbehaves by name (`sandbox/tests/client.rs`).

#![cfg(test)]

mod authentication;
mod envelope;
mod hostile;
mod laws;
mod message;
mod modern;
mod script;
mod security;
mod waiting;
