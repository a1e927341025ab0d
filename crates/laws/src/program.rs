//! What the owner of the program writes, or has copied from somewhere.

use mailmodem::config::{Config, ConfigError};
use mailmodem::upstream::Pattern;
use std::io::Write as _;
use std::path::Path;

/// A config is understood, or it is said where in it what is wrong.
pub(crate) fn config(octets: &[u8]) {
    let Ok(mut file) = tempfile::NamedTempFile::new() else { return };
    if file.write_all(octets).and_then(|()| file.flush()).is_err() {
        return;
    }
    match Config::read(file.path(), Path::new("/nonexistent")) {
        Ok(config) => assert!(!config.lines.is_empty(), "a config without a line"),
        Err(ConfigError::Unreadable { .. }) => assert!(std::str::from_utf8(octets).is_err()),
        // To read logs nobody in.
        Err(ConfigError::NoPassword { words, .. }) => assert_eq!(words, ""),
        Err(ConfigError::Wrong { line, column, words, .. }) => {
            let lines = octets.iter().filter(|&&octet| octet == b'\n').count() + 1;
            assert!((1..=lines).contains(&line) && column >= 1, "{line}:{column} of {lines} lines");
            assert!(!words.is_empty());
        }
    }
}

/// Each line a pattern for the first: it matches what it is without its stars.
pub(crate) fn pattern(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    let mut lines = text.lines();
    let name = lines.next().unwrap_or_default();
    for pattern in lines {
        let of = |text: &str| Pattern::new(vec![text.to_owned()]);
        let is_match = of(pattern).matches(name);
        assert!(of(pattern).matches(&pattern.replace('*', "")), "{pattern:?}");
        assert!(of("*").matches(name));
        assert!(!is_match || of(&format!("*{pattern}*")).matches(name));
        if !pattern.contains('*') {
            assert_eq!(is_match, pattern.to_lowercase() == name.to_lowercase());
        }
    }
}
