//! Where a password of the config's is, and who else may read it.
//!
//! Not here: what it is for.

use crate::limits::PASSWORD_FILE_OCTETS_MAX;
use mail::secret::Secret;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// At most one of them.
pub(super) struct Source {
    /// In the config itself.
    pub(super) inline: Option<String>,
    /// In a file of its own: its first line.
    pub(super) file: Option<PathBuf>,
    /// A credential of the service's, by name (systemd's `LoadCredential=`).
    pub(super) credential: Option<String>,
}

/// What is found there.
pub(super) enum Password {
    Known(Secret),
    /// The service's credential of this name, and this is not the service.
    InServiceOnly(String),
}

impl Source {
    /// Reads it; `None` if there is none.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub(super) fn read(self) -> Result<Option<Password>, String> {
        let password = match self {
            Self { inline: None, file: None, credential: None } => return Ok(None),
            Self { inline: Some(password), file: None, credential: None } => {
                Secret::new(password.into_bytes())
            }
            Self { inline: None, file: Some(file), credential: None } => read_file(&file)?,
            Self { inline: None, file: None, credential: Some(name) } => {
                if name.is_empty() || name.contains('/') || name.starts_with('.') {
                    return Err(format!("\"{name}\" is no name of a credential"));
                }
                match std::env::var_os("CREDENTIALS_DIRECTORY") {
                    Some(directory) => read_file(&Path::new(&directory).join(name))?,
                    None => return Ok(Some(Password::InServiceOnly(name))),
                }
            }
            _ => {
                return Err(
                    "password, password_file and password_credential are three ways; take one".to_owned()
                );
            }
        };
        if password.reveal().is_empty() || password.reveal().iter().any(|octet| b"\r\n\0".contains(octet)) {
            return Err("a password that is empty, or holds CR, LF or NUL, cannot be sent".to_owned());
        }
        Ok(Some(Password::Known(password)))
    }
}

fn read_file(file: &Path) -> Result<Secret, String> {
    let cannot = |error: io::Error| format!("cannot read {}: {error}", file.display());
    let opened = File::open(file).map_err(cannot)?;
    if let Some(words) = told_to_others(file, &opened.metadata().map_err(cannot)?) {
        return Err(words);
    }
    let mut text = Zeroizing::new(Vec::with_capacity(PASSWORD_FILE_OCTETS_MAX + 1));
    opened.take(PASSWORD_FILE_OCTETS_MAX as u64 + 1).read_to_end(&mut text).map_err(cannot)?;
    if text.len() > PASSWORD_FILE_OCTETS_MAX {
        return Err(format!("{} is too long for a password", file.display()));
    }
    let line = text.split(|octet| b"\r\n".contains(octet)).next().unwrap_or_default();
    Ok(Secret::new(line))
}

/// What to do about a file with a password in it that every user of the machine may read; `None` if it is none.
pub(super) fn told_to_others(file: &Path, metadata: &Metadata) -> Option<String> {
    const OTHERS: u32 = 0o007;
    let file = file.display();
    (metadata.permissions().mode() & OTHERS != 0).then(|| {
        format!(
            "{file} holds a password, and every user of this machine may read it: have the password in a \
             credential of the service, by password_credential, or chmod o= {file}, if whoever runs mailmodem may read it then"
        )
    })
}
