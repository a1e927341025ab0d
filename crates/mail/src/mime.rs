//! The message format: RFC 5322, MIME (RFC 2045 to 2049), and what extends their header fields (RFC 2231, 6532).

pub mod compose;
pub mod date;
pub mod header;
