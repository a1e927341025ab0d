//! The message format: RFC 5322, MIME (RFC 2045 to 2049), and what extends their header fields (RFC 2183, 2231, 6532).
//!
//! Not here: the dots of SMTP and POP3 ([`crate::dot`]), and where what was found in a mail is saved.

pub mod charset;
pub mod compose;
mod content_type;
pub mod date;
mod delimiter;
pub mod encoded_word;
pub mod extract;
pub mod field;
pub mod file_name;
pub mod header;
mod html;
pub mod parameter;
mod part;
pub mod transfer;
mod utf7;
