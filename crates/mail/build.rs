//! Writes the content types that files' names suggest as one text, `content_types`: lines of an extension, a space and a
//! type. As a table of texts they are thousands of pointers, each of which is set at every start of the program.
//!
//! Not here: which of them the mail uses.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a build script talks to the build, and writes for it"
)]

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let mut extensions = mime_guess::get_extensions("*", "*").ok_or("there are no extensions")?.to_vec();
    // What is said of `dll.config` is never found: a file's extension is what follows its last dot.
    extensions.retain(|extension| !extension.contains('.'));
    extensions.sort_unstable();
    extensions.dedup();
    let mut types = String::from("\n");
    for extension in extensions {
        let content_type = mime_guess::from_ext(extension).first_raw().ok_or("an extension has no type")?;
        types.push_str(&format!("{extension} {content_type}\n"));
    }
    let directory = std::env::var("OUT_DIR")?;
    std::fs::write(Path::new(&directory).join("content_types"), types)?;
    Ok(())
}
