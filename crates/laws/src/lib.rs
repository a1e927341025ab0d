//! Laws: what holds of every parser and machine of the project, whatever octets come. A law is a function of octets that
//! panics where it is broken. The fuzzer (`fuzz/`) calls each with octets of its own making, an ordinary test with the
//! corpus that came of it.
//!
//! Not here: what a machine answers to what it should be asked; that is in the tests of each crate.

mod link;
mod mime;
mod modem;
mod pop3;
mod program;
mod sasl;
mod servers;
mod smtp;
mod steps;
mod words;

/// Octets that nobody vouches for, put to the test.
pub type Law = fn(&[u8]);

/// Every law, by the name of its target and its corpus; the most exposed first.
pub const ALL: &[(&str, Law)] = &[
    ("modem", modem::lives_on),
    ("smtp_client", smtp::client),
    ("pop3_client", pop3::client),
    ("mime", mime::mail),
    ("sasl_client", sasl::client),
    ("servers", servers::server),
    ("command_line", modem::portions_show_the_same),
    ("header_fields", mime::header_fields),
    ("transfer", mime::transfer),
    ("smtp_words", words::smtp),
    ("pop3_words", words::pop3),
    ("paths", words::paths_and_times),
    ("dialogue", words::dialogue),
    ("config", program::config),
    ("pattern", program::pattern),
];

/// Puts `octets` to the test of the law of this name.
///
/// # Panics
/// The law is broken, or there is none of this name.
pub fn test(name: &str, octets: &[u8]) {
    let law = ALL.iter().find(|(own, _)| *own == name).map(|(_, law)| law);
    assert!(law.is_some(), "there is no law {name}");
    if let Some(law) = law {
        law(octets);
    }
}
