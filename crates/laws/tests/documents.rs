//! What the documents promise is shown by tests that exist.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics fails, as it should")]

use std::path::Path;

const DOCUMENTS: [&str; 2] = ["docs/hostile-servers.md", "SECURITY.md"];

/// What stands between backticks: every second piece.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_test_and_dialogue_that_a_document_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for document in DOCUMENTS {
        let text = std::fs::read_to_string(root.join(document)).unwrap();
        let mut named = 0;
        for name in quoted(&text) {
            if let Some((file, test)) = name.split_once(".rs::") {
                let file = root.join("crates").join(format!("{file}.rs"));
                let code = std::fs::read_to_string(&file)
                    .unwrap_or_else(|error| panic!("{name} in {document}: {error}"));
                assert!(code.contains(&format!("fn {test}(")), "{name} in {document}");
                named += 1;
            } else if name.ends_with(".at") {
                assert!(root.join("dialogues").join(name).is_file(), "{name} in {document}");
                named += 1;
            }
        }
        assert!(named > 20, "{document} names {named} tests");
    }
}

/// A row without its proof would be a wish.
#[test]
fn every_row_of_a_table_ends_with_what_shows_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for document in DOCUMENTS {
        let text = std::fs::read_to_string(root.join(document)).unwrap();
        let rows = text.lines().filter(|line| line.starts_with("| ") && !line.ends_with("shown by |"));
        for row in rows {
            let last = row.rsplit('|').nth(1).unwrap();
            assert!(quoted(last).any(|name| name.contains(".rs::") || name.ends_with(".at")), "{row}");
        }
    }
}
