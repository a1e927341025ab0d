//! Saving a mail while it comes in: into files aside, which appear in a folder of their own when it is complete, or
//! never (commands.md §3).
//!
//! Not here: what is in a mail ([`mail::mime::extract`]).

use super::header_line;
use crate::drive::path::Name;
use crate::drive::{Drive, DriveError, Letter, StagedFile, Staging};
use crate::settings::MailFileName;
use mail::mime::extract::{Attachment, Extractor, Piece};
use mail::mime::file_name::safe_name;
use std::collections::BTreeSet;

/// What AT+POP3GET saves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// 1: the text, and the attachments beside it.
    Parts,
    /// 2: the message as it came.
    Whole,
    /// 3: both.
    Both,
}

/// Why a mail was not saved. Nothing of it is on the drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotSaved {
    /// The drive did not take it.
    #[error("the mail cannot be saved: {0}")]
    Drive(#[from] DriveError),
    /// It is larger than the setting allows.
    #[error("the mail has over {0} octets")]
    TooLarge(u64),
}

/// A mail being saved.
pub(crate) struct Saving {
    letter: Letter,
    files: SavedFiles,
    /// `None` when no parts are wanted.
    extractor: Option<Extractor>,
    whole: Option<StagedFile>,
    folder: Name,
    /// The file that the outcome names.
    named: Name,
    octets: u64,
    octets_max: u64,
}

/// The parts of a mail on their way to the drive.
struct SavedFiles {
    staging: Box<dyn Staging>,
    text: Option<StagedFile>,
    attachment: Option<StagedFile>,
    /// In lower case: a name that differs in case alone would not do on every drive.
    names: BTreeSet<String>,
    text_ends_line: bool,
    text_name: MailFileName,
    digits: String,
}

impl Saving {
    /// Begins aside.
    ///
    /// # Errors
    /// The drive is full, gone or broken.
    pub(crate) fn begin(
        letter: Letter,
        drive: &mut dyn Drive,
        form: Form,
        folder: Name,
        text_name: MailFileName,
        octets_max: u64,
    ) -> Result<Self, NotSaved> {
        let mut files = SavedFiles {
            staging: drive.stage()?,
            text: None,
            attachment: None,
            names: BTreeSet::new(),
            text_ends_line: true,
            text_name,
            digits: folder.to_string(),
        };
        let mut named = files.name(&format!("{folder}.eml"))?;
        let whole = match form {
            Form::Parts => None,
            Form::Whole | Form::Both => Some(files.create(&named)?),
        };
        if form != Form::Whole {
            named = files.name(&files.mail_file_name(0))?;
            files.text = Some(files.create(&named)?);
        }
        let extractor = (form != Form::Whole).then(Extractor::default);
        Ok(Self { letter, files, extractor, whole, folder, named, octets: 0, octets_max })
    }

    /// The drive it is saved on.
    pub(crate) const fn letter(&self) -> Letter {
        self.letter
    }

    /// Saves more of it.
    ///
    /// # Errors
    /// It can't be saved any more.
    pub(crate) fn push(&mut self, octets: &[u8]) -> Result<(), NotSaved> {
        self.octets = self.octets.saturating_add(octets.len() as u64);
        if self.octets > self.octets_max {
            return Err(NotSaved::TooLarge(self.octets_max));
        }
        if let Some(whole) = self.whole {
            self.files.staging.write(whole, octets)?;
        }
        let Some(extractor) = &mut self.extractor else { return Ok(()) };
        let mut result = Ok(());
        extractor.push(octets, &mut |piece| {
            if result.is_ok() {
                result = self.files.save(piece);
            }
        });
        Ok(result?)
    }

    /// The mail is complete: it appears in its folder. Returns the folder's and the file's name.
    ///
    /// # Errors
    /// It can't be saved after all.
    pub(crate) fn finish(mut self, drive: &mut dyn Drive, parent: &Name) -> Result<(Name, Name), NotSaved> {
        if let Some(extractor) = self.extractor.take() {
            let mut result = Ok(());
            extractor.finish(&mut |piece| {
                if result.is_ok() {
                    result = self.files.save(piece);
                }
            });
            result?;
            self.files.end_text()?;
        }
        match drive.create_folder(std::slice::from_ref(parent)) {
            Ok(()) | Err(DriveError::Taken) => {}
            Err(error) => return Err(error.into()),
        }
        self.files.staging.publish_folder(&[parent.clone(), self.folder.clone()])?;
        Ok((self.folder, self.named))
    }
}

impl SavedFiles {
    fn save(&mut self, piece: Piece<'_>) -> Result<(), DriveError> {
        match piece {
            Piece::Header(summary) => {
                let lines = [
                    header_line("Date", &summary.date),
                    header_line("From", &summary.from),
                    header_line("To", &summary.to),
                    header_line("Subject", &summary.subject),
                    String::new(),
                    String::new(),
                ];
                self.write_text(&lines.join("\r\n"))
            }
            Piece::Text(text) => self.write_text(text),
            Piece::AttachmentBegin(attachment) => {
                let name = self.attachment_name(&attachment)?;
                self.attachment = Some(self.create(&name)?);
                Ok(())
            }
            Piece::AttachmentOctets(octets) => match self.attachment {
                Some(file) => self.staging.write(file, octets),
                None => Ok(()),
            },
            Piece::AttachmentEnd => match self.attachment.take() {
                Some(file) => self.staging.complete(file),
                None => Ok(()),
            },
        }
    }

    fn write_text(&mut self, text: &str) -> Result<(), DriveError> {
        if let (Some(file), Some(last)) = (self.text, text.as_bytes().last()) {
            self.text_ends_line = *last == b'\n';
            self.staging.write(file, text.as_bytes())?;
        }
        Ok(())
    }

    fn end_text(&mut self) -> Result<(), DriveError> {
        if self.text_ends_line { Ok(()) } else { self.write_text("\r\n") }
    }

    fn create(&mut self, name: &Name) -> Result<StagedFile, DriveError> {
        self.names.insert(name.as_str().to_lowercase());
        self.staging.create(name)
    }

    /// What an attachment is saved as. One that is called like the mail's own file is numbered like one.
    fn attachment_name(&self, attachment: &Attachment) -> Result<Name, DriveError> {
        let is_taken = |name: &str| self.names.contains(&name.to_lowercase());
        let mut name = safe_name(attachment.name.as_deref(), &attachment.content_type, |_| false);
        if name.eq_ignore_ascii_case(&self.mail_file_name(0)) {
            let names = (1..=self.names.len()).map(|number| self.mail_file_name(number));
            name = names.into_iter().find(|name| !is_taken(name)).unwrap_or(name);
        }
        self.name(&safe_name(Some(&name), &attachment.content_type, is_taken))
    }

    fn mail_file_name(&self, number: usize) -> String {
        match self.text_name {
            MailFileName::Plain => format!("EMAIL{number:03}.TXT"),
            MailFileName::Dated => format!("EMAIL{}{number:03}.TXT", self.digits),
        }
    }

    /// Names made here are legal; should one not be, the mail is not saved under it.
    fn name(&self, name: &str) -> Result<Name, DriveError> {
        Name::new(name).ok_or(DriveError::Broken)
    }
}
