//! The content type that a file's name suggests.
//!
//! Not here: which there are, which is a library's to say (`build.rs`); what name a content type suggests.

use memchr::memmem;
use std::path::Path;

/// Lines of an extension, a space and a type, an empty line before them.
const TYPES: &str = include_str!(concat!(env!("OUT_DIR"), "/content_types"));

const UNKNOWN: &str = "application/octet-stream";

/// The content type of a file that is called so.
pub(super) fn content_type(name: &str) -> &'static str {
    match known(name) {
        // Composite types must not be encoded in base64 (RFC 2045 §6.4).
        Some(composite) if composite.starts_with("message/") || composite.starts_with("multipart/") => {
            UNKNOWN
        }
        Some(known) => known,
        None => UNKNOWN,
    }
}

fn known(name: &str) -> Option<&'static str> {
    let extension = Path::new(name).extension()?.to_str()?.to_ascii_lowercase();
    // With a space it would be more than an extension, and found across the lines.
    if extension.contains(' ') {
        return None;
    }
    let line = format!("\n{extension} ");
    let at = memmem::find(TYPES.as_bytes(), line.as_bytes())? + line.len();
    TYPES.get(at..)?.lines().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_suggest() {
        for (name, suggested) in [
            ("a.jpg", "image/jpeg"),
            ("A.B.JPEG", "image/jpeg"),
            ("a.txt", "text/plain"),
            ("a.pdf", "application/pdf"),
            ("a.eml", UNKNOWN),
            ("noextension", UNKNOWN),
            (".jpg", UNKNOWN),
            ("a.", UNKNOWN),
            ("a.jp", UNKNOWN),
            ("a.jpg image", UNKNOWN),
            ("a.jpg image/jpeg\njpgm", UNKNOWN),
            ("a.äöü", UNKNOWN),
        ] {
            assert_eq!(content_type(name), suggested, "{name}");
        }
    }

    #[test]
    fn every_line_is_found() {
        let lines = || TYPES.trim().lines().map(|line| line.split_once(' ').unwrap());
        assert!(lines().count() > 1_000);
        for (extension, content_type) in lines() {
            assert_eq!(known(&format!("a.{extension}")), Some(content_type));
        }
    }
}
