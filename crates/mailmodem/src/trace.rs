//! A trace of a line: everything typed and shown, with the servers' wire beside it, in a file of its own.
//!
//! A line of it is the wall clock, the milliseconds since power-on, who speaks, and the octets, escaped. `T:` is the
//! terminal, `M:` the modem, `C:` the modem as a server's client on a link, `S:` that server, `--` what happened.
//!
//! Not here: what is secret, which whoever knows the octets has masked: raw octets do not come here.

use crate::limits::TRACE_FILE_OCTETS_MAX;
use mail::machine::{Instant, Passage};
use modem::modem::{LinkId, Traced};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::PathBuf;

/// Who may read it: mails and names are in it.
const MODE: u32 = 0o600;

/// Where a line is traced to. When it fails, the line goes on without it.
pub struct Trace {
    path: PathBuf,
    /// `None` once it has failed.
    file: Option<File>,
    octets: u64,
}

impl Trace {
    /// Appends to a file, which only its owner may read from then on.
    ///
    /// # Errors
    /// The file cannot be opened or made private.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).mode(MODE).open(&path)?;
        let metadata = file.metadata()?;
        // A terminal or a pipe is its owner's business.
        if metadata.is_file() && metadata.permissions().mode() & 0o777 != MODE {
            file.set_permissions(Permissions::from_mode(MODE))?;
        }
        Ok(Self { path, octets: if metadata.is_file() { metadata.len() } else { 0 }, file: Some(file) })
    }

    /// What the modem tells.
    pub fn tell(&mut self, now: Instant, traced: &Traced) {
        match traced {
            Traced::Typed(line) => self.write(now, "T:", line),
            Traced::TypedOther(words) => self.write(now, "T:", format!("({words})").as_bytes()),
            Traced::Shown(octets) => self.write(now, "M:", octets),
            Traced::OnLink(link, passage) => {
                let content = |octets| format!("({octets} octets of a message)");
                let (who, what) = match passage {
                    Passage::Said(line) => ("C:", line.clone()),
                    Passage::Heard(line) => ("S:", line.clone()),
                    Passage::SaidContent(octets) => ("C:", content(octets)),
                    Passage::HeardContent(octets) => ("S:", content(octets)),
                };
                self.write(now, &format!("{who} {link}"), what.as_bytes());
            }
        }
    }

    /// What happened to the line.
    pub fn event(&mut self, now: Instant, words: &str) {
        self.write(now, "--", words.as_bytes());
    }

    /// What happened to a link.
    pub fn link_event(&mut self, now: Instant, link: LinkId, words: &str) {
        self.write(now, &format!("-- {link}"), words.as_bytes());
    }

    fn write(&mut self, now: Instant, who: &str, octets: &[u8]) {
        let clock = jiff::Timestamp::now();
        let line = format!("{clock:.3} {:>10} {who} {}\n", now.as_ms(), escaped(octets));
        if let Err(error) = self.append(line.as_bytes()) {
            tracing::warn!(file = %self.path.display(), %error, "the trace ends: it cannot be written");
            self.file = None;
        }
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.file.is_some() && self.octets > 0 && self.octets + line.len() as u64 > TRACE_FILE_OCTETS_MAX {
            self.begin_anew()?;
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write_all(line)?;
        self.octets += line.len() as u64;
        Ok(())
    }

    /// What there is goes to `FILE.1`, and what was there before is gone.
    fn begin_anew(&mut self) -> io::Result<()> {
        let mut old = self.path.clone().into_os_string();
        old.push(".1");
        std::fs::rename(&self.path, old)?;
        *self = Self::open(std::mem::take(&mut self.path))?;
        Ok(())
    }
}

/// As dialogues write octets; a text in UTF-8 stays readable.
fn escaped(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    for chunk in octets.utf8_chunks() {
        for c in chunk.valid().chars() {
            // Writing to a String cannot fail.
            let _ = match c {
                '\r' => text.write_str("\\r"),
                '\n' => text.write_str("\\n"),
                '\\' => text.write_str("\\\\"),
                c if c.is_control() => {
                    c.encode_utf8(&mut [0; 4]).bytes().try_for_each(|b| write!(text, "\\x{b:02x}"))
                }
                c => text.write_char(c),
            };
        }
        for octet in chunk.invalid() {
            let _ = write!(text, "\\x{octet:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_escaped() {
        assert_eq!(escaped(b"a\r\n\\\"\x1b\xff\xc3\xa4"), "a\\r\\n\\\\\"\\x1b\\xff\u{e4}");
    }

    #[test]
    fn it_is_private_and_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("trace");
        std::fs::write(&path, "before\n").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let mut trace = Trace::open(path.clone()).unwrap();
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), MODE);
        trace.event(Instant::from_ms(1_234), "power on");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("before\n") && text.ends_with("Z       1234 -- power on\n"), "{text}");

        let large = "x".repeat(1024 * 1024);
        for _ in 0..40 {
            trace.event(Instant::POWER_ON, &large);
        }
        let old = directory.path().join("trace.1");
        for file in [&path, &old] {
            let octets = std::fs::metadata(file).unwrap().len();
            assert!((1..=TRACE_FILE_OCTETS_MAX).contains(&octets), "{octets}");
            assert_eq!(mode(file), MODE);
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_file_that_cannot_be_written_ends_the_trace_and_nothing_else() {
        let mut trace = Trace::open("/dev/full".into()).unwrap();
        trace.event(Instant::POWER_ON, "a");
        assert!(trace.file.is_none());
        trace.event(Instant::POWER_ON, "b");
    }
}
