//! Plays every dialogue under `dialogues/`, as written and with every octet alone.

#![allow(clippy::unwrap_used, reason = "what surprises a test is its failure")]

use dialogue::play::{Manner, play};
use dialogue::script::{Act, parse};
use modem::command::table::{COMMANDS, forms_on};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn dialogues() -> Vec<(PathBuf, String)> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "at") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dialogues"), &mut found);
    assert!(!found.is_empty());
    found.sort();
    found.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

fn play_all(manner: Manner) {
    let mut differ = Vec::new();
    for (path, text) in dialogues() {
        if let Err(mismatch) = play(&text, manner) {
            differ.push(format!("{}: {mismatch}", path.canonicalize().unwrap().display()));
        }
    }
    assert!(differ.is_empty(), "\n{}\n", differ.join("\n"));
}

#[test]
fn as_written() {
    play_all(Manner::AsWritten);
}

#[test]
fn octet_by_octet() {
    play_all(Manner::OctetByOctet);
}

/// Every form of every command, its test form too, is typed somewhere.
#[test]
fn every_form_of_every_command_has_a_dialogue() {
    let mut typed = BTreeSet::new();
    for (_, text) in dialogues() {
        for step in parse(&text).unwrap() {
            if let Act::Type(octets) | Act::TypeOctets(octets) = step.act {
                for line in octets.split(|&octet| octet == b'\r' || octet == b'\n') {
                    typed.extend(forms_on(line));
                }
            }
        }
    }
    let all =
        COMMANDS.iter().flat_map(|command| command.form_kinds().map(|kind| (command.name.to_owned(), kind)));
    let missing: Vec<_> = all.filter(|form| !typed.contains(form)).collect();
    assert!(missing.is_empty(), "no dialogue types: {missing:?}");
}

/// The table of readings names dialogues that exist.
#[test]
fn every_reading_is_pinned() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readings = std::fs::read_to_string(root.join("docs/spec/readings.md")).unwrap();
    let rows =
        readings.lines().filter(|line| line.starts_with("| ")).filter(|line| !line.ends_with("pinned by |"));
    for row in rows {
        let pins = row.rsplit('|').nth(1).unwrap();
        for pin in pins.split(", ") {
            let path = pin.trim().trim_matches('`');
            assert!(path.ends_with(".at") && root.join("dialogues").join(path).is_file(), "{pin} in {row}");
        }
    }
}

#[test]
fn a_wrong_dialogue_is_told_with_its_line() {
    let wrong = ["T: AT\nM:\nM: ERROR", "T: AT\nM:", "M: OK", "T: ATE0\nM:\nM: OK\nT: AT\nM:\nM: OK"];
    for (text, line) in wrong.iter().zip([3, 2, 1, 4]) {
        let told = play(text, Manner::AsWritten).unwrap_err().to_string();
        assert!(told.starts_with(&format!("line {line}: ")), "{told}");
    }
}
