//! The fuzzer's corpus, against the laws: what was once found stays mended. And the fuzzer has a target for each law.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that panics fails, as it should"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// All corpora together: they are read by every run of the tests.
const CORPUS_OCTETS_MAX: u64 = 512 * 1024;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn names_in(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn the_corpus_breaks_no_law() {
    let mut octets = 0;
    for (name, law) in laws::ALL {
        let directory = fuzz().join("corpus").join(name);
        let inputs = names_in(&directory);
        assert!(!inputs.is_empty(), "{name} has no corpus");
        for input in inputs {
            let content = fs::read(directory.join(&input)).unwrap();
            octets += content.len() as u64;
            if let Err(panic) = std::panic::catch_unwind(|| law(&content)) {
                println!("by fuzz/corpus/{name}/{input}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    assert!(octets <= CORPUS_OCTETS_MAX, "{octets} octets: minimise it (cargo fuzz cmin)");
}

#[test]
fn each_law_has_its_target_and_its_corpus_and_nothing_else_has() {
    let laws: BTreeSet<String> = laws::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names_in(&fuzz().join("corpus")), laws);
    let targets: BTreeSet<String> = laws.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names_in(&fuzz().join("fuzz_targets")), targets);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in laws {
        let target = fs::read_to_string(fuzz().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(target.contains(&format!("laws::test(\"{name}\", octets)")), "{name}");
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
}
