//! `mailmodem generate`: man pages and shell completions, made from the flags.

use crate::flags::Flags;
use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::{Shell, generate_to};
use std::fs;
use std::path::Path;

/// Writes them into `directory`: `man/*.1`, and `completions/` for bash, zsh and fish.
///
/// # Errors
/// They cannot be written.
pub fn run(directory: &Path) -> anyhow::Result<()> {
    let failed = || format!("cannot write to {}", directory.display());
    let (man, completions) = (directory.join("man"), directory.join("completions"));
    fs::create_dir_all(&man).with_context(failed)?;
    fs::create_dir_all(&completions).with_context(failed)?;
    clap_mangen::generate_to(Flags::command(), &man).with_context(failed)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut Flags::command(), "mailmodem", &completions).with_context(failed)?;
    }
    Ok(())
}
