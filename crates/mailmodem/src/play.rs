//! `mailmodem play`: dialogues played in memory, and where the modem does otherwise.
//!
//! Not here: the dialogues' language, and the world they are played in ([`dialogue`]).

use crate::flags::PlayFlags;
use anyhow::{Context as _, bail};
use dialogue::play::{Manner, play};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{fmt, fs};

/// Plays all of them, and tells of each that differs.
///
/// # Errors
/// One differs, or cannot be read.
pub fn run(flags: &PlayFlags) -> anyhow::Result<()> {
    let mut files = Vec::new();
    for path in &flags.files {
        find_dialogues(path, &mut files)?;
    }
    if files.is_empty() {
        bail!("there is no dialogue: no file that ends in .at");
    }
    let manners = if flags.octet_by_octet {
        &[Manner::AsWritten, Manner::OctetByOctet][..]
    } else {
        &[Manner::AsWritten]
    };
    let mut differing = 0;
    for file in &files {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let difference = manners.iter().find_map(|&manner| play(&text, manner).err());
        match difference {
            None => say(format_args!("as written  {}", file.display()))?,
            Some(difference) => {
                differing += 1;
                say(format_args!("differs     {}: {difference}", file.display()))?;
            }
        }
    }
    say(format_args!("dialogues: {}, as written: {}", files.len(), files.len() - differing))?;
    if differing > 0 {
        bail!("{differing} of {} dialogues differ", files.len());
    }
    Ok(())
}

fn say(line: fmt::Arguments<'_>) -> anyhow::Result<()> {
    writeln!(io::stdout(), "{line}").context("cannot write to standard output")
}

/// A file itself, whatever it is called; of a directory, what ends in `.at`, in name order.
fn find_dialogues(path: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    if !path.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut entries = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    for entry in entries {
        if entry.is_dir() || entry.extension().is_some_and(|extension| extension == "at") {
            find_dialogues(&entry, found)?;
        }
    }
    Ok(())
}
