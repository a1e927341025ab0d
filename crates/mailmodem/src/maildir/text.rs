//! A mail in a Maildir as it is fetched.

use super::trace;
use crate::limits::TRACE_OCTETS_MAX;
use mail::limits::CHUNK_OCTETS;
use sandbox::mailbox::{NotServed, Text};
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Take};

/// A mail that is being read, no longer than it was when it was opened.
pub(super) struct MaildirText {
    rest: Take<File>,
    line_ends: LineEnds,
}

enum LineEnds {
    /// The mail came by us, and its octets are the sender's.
    AsTheyAre,
    /// Another program put it there.
    ToCrlf { is_after_cr: bool },
}

impl MaildirText {
    /// Reads a mail from the beginning of its file.
    pub(super) fn begin(mut file: File) -> io::Result<Self> {
        let mut head = Vec::new();
        file.by_ref().take(TRACE_OCTETS_MAX as u64).read_to_end(&mut head)?;
        let (begins, line_ends) = match trace::length(&head) {
            Some(length) => (length as u64, LineEnds::AsTheyAre),
            None => (0, LineEnds::ToCrlf { is_after_cr: false }),
        };
        file.seek(SeekFrom::Start(begins))?;
        let octets = file.metadata()?.len().saturating_sub(begins);
        Ok(Self { rest: file.take(octets), line_ends })
    }

    /// How much it brings. That is known at once only of a mail that came by us.
    pub(super) fn octets(mut self) -> io::Result<u64> {
        if let LineEnds::AsTheyAre = self.line_ends {
            return Ok(self.rest.limit());
        }
        let mut octets = 0;
        loop {
            match self.portion()?.len() {
                0 => return Ok(octets),
                more => octets += more as u64,
            }
        }
    }

    fn portion(&mut self) -> io::Result<Vec<u8>> {
        match &mut self.line_ends {
            LineEnds::AsTheyAre => take(&mut self.rest, CHUNK_OCTETS),
            LineEnds::ToCrlf { is_after_cr } => {
                // Each octet may be an LF, and become two.
                let octets = take(&mut self.rest, CHUNK_OCTETS / 2)?;
                Ok(with_crlf(&octets, is_after_cr))
            }
        }
    }
}

fn take(file: &mut Take<File>, octets_max: usize) -> io::Result<Vec<u8>> {
    let mut octets = Vec::with_capacity(octets_max);
    file.take(octets_max as u64).read_to_end(&mut octets)?;
    Ok(octets)
}

/// A CR that stands alone stays so; it ends no line.
fn with_crlf(octets: &[u8], is_after_cr: &mut bool) -> Vec<u8> {
    let mut brought = Vec::with_capacity(2 * octets.len());
    for &octet in octets {
        if octet == b'\n' && !*is_after_cr {
            brought.push(b'\r');
        }
        brought.push(octet);
        *is_after_cr = octet == b'\r';
    }
    brought
}

impl Text for MaildirText {
    fn read(&mut self) -> Result<Vec<u8>, NotServed> {
        self.portion().map_err(|error| super::not_served(&error))
    }
}
