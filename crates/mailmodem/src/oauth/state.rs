//! What is kept of a log-in between starts: `tokens/NAME.json` in the state directory, for its owner alone.
//!
//! A file appears whole or not at all, also when the power fails. Who renews holds the lock beside it, so that a refresh
//! token that is good once is used once, whatever processes there are.
//!
//! Not here: how tokens are renewed.

use super::endpoint::Grant;
use super::{OAuthClient, TokenError, text, token};
use crate::limits::{AUTHORISATION_OCTETS_MAX, TOKEN_LOCK_CHECK, TOKEN_LOCK_WAIT};
use mail::secret::Secret;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The file. Tokens are given to no other client and endpoint than those they are from.
#[derive(Serialize, Deserialize)]
struct Kept {
    token_endpoint: String,
    client_id: String,
    access_token: String,
    obtained_unix_s: u64,
    expires_unix_s: u64,
    refresh_token: Option<String>,
    refresh_expires_unix_s: Option<u64>,
}

/// Whoever holds it may have stopped, and threads that wait are not many.
fn lock_in_time(file: &File) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if begun.elapsed() < TOKEN_LOCK_WAIT => {
                std::thread::sleep(TOKEN_LOCK_CHECK);
            }
            Err(TryLockError::WouldBlock) => {
                let words = "another process is renewing them, and does not come to an end";
                return Err(io::Error::new(ErrorKind::TimedOut, words));
            }
            locked => return Ok(locked?),
        }
    }
}

/// The right to renew. It ends when this is dropped.
pub(super) struct Lock {
    _file: File,
}

impl OAuthClient {
    /// Waits until nobody else renews, for as long as a renewal may take.
    pub(super) fn lock(&self) -> Result<Lock, TokenError> {
        let lock = || {
            let directory = self.state_file.parent().unwrap_or(Path::new("."));
            let owner =
                directory.parent().and_then(|state_dir| state_dir.metadata().ok()).map(|state| state.uid());
            if let Some(owner) = owner.filter(|&owner| geteuid().is_root() && owner != 0) {
                // What root keeps there is nothing that the service could read.
                let words =
                    format!("the directory is that of user {owner}; run this as that user, not as root");
                return Err(io::Error::new(ErrorKind::PermissionDenied, words));
            }
            DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
            std::fs::set_permissions(directory, Permissions::from_mode(0o700))?;
            let file = private().truncate(false).open(self.state_file.with_extension("lock"))?;
            lock_in_time(&file)?;
            Ok(Lock { _file: file })
        };
        lock().map_err(|error| self.state_error(&error))
    }

    /// What is kept, if there is anything for this client.
    pub(super) fn stored(&self) -> Result<Option<Grant>, TokenError> {
        let octets = match read(&self.state_file) {
            Ok(octets) => octets,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.state_error(&error)),
        };
        // What the parser has to say could quote a token.
        let Ok(kept) = serde_json::from_slice::<Kept>(octets.reveal()) else {
            let words = format!("it is damaged; {}", self.remedy());
            return Err(TokenError::File { file: self.state_file.clone(), words });
        };
        let refresh_token = kept.refresh_token.map(Secret::new);
        let access_token = Secret::new(kept.access_token);
        if kept.token_endpoint != self.token_endpoint.as_str() || kept.client_id != self.client_id {
            return Ok(None);
        }
        Ok(Some(Grant {
            access_token,
            obtained: time(kept.obtained_unix_s),
            expires: time(kept.expires_unix_s),
            refresh_token,
            refresh_expires: kept.refresh_expires_unix_s.map(time),
        }))
    }

    /// Keeps `grant` in place of what was kept.
    pub(super) fn store(&self, grant: &Grant, _lock: &Lock) -> Result<(), TokenError> {
        let kept = Kept {
            token_endpoint: self.token_endpoint.to_string(),
            client_id: self.client_id.clone(),
            access_token: text(&grant.access_token),
            obtained_unix_s: unix_s(grant.obtained),
            expires_unix_s: unix_s(grant.expires),
            refresh_token: grant.refresh_token.as_ref().map(text),
            refresh_expires_unix_s: grant.refresh_expires.map(unix_s),
        };
        let octets = serde_json::to_vec(&kept).map(Secret::new);
        // Wiped, as everything that is a secret.
        for secret in [Some(kept.access_token), kept.refresh_token].into_iter().flatten() {
            drop(Secret::new(secret));
        }
        let store = || {
            let new_file = self.state_file.with_extension("json.new");
            let mut file = private().truncate(true).open(&new_file)?;
            // One that was left behind may have had another mode.
            file.set_permissions(Permissions::from_mode(0o600))?;
            file.write_all(octets?.reveal())?;
            file.sync_all()?;
            std::fs::rename(&new_file, &self.state_file)?;
            File::open(self.state_file.parent().unwrap_or(Path::new(".")))?.sync_all()
        };
        store().map_err(|error| self.state_error(&error))
    }

    fn state_error(&self, error: &io::Error) -> TokenError {
        TokenError::File { file: self.state_file.clone(), words: error.to_string() }
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

/// The token, or another secret, that is all there is in `file`.
pub(super) fn read_secret(file: &Path) -> Result<Secret, TokenError> {
    let error = |words: String| TokenError::File { file: file.to_owned(), words };
    let octets = read(file).map_err(|e| error(e.to_string()))?;
    token(octets.reveal()).map_err(|words| error(words.to_owned()))
}

fn read(file: &Path) -> io::Result<Secret> {
    let mut octets = Vec::new();
    let read = File::open(file)?.take(AUTHORISATION_OCTETS_MAX + 1).read_to_end(&mut octets);
    let octets = Secret::new(octets);
    if read? as u64 > AUTHORISATION_OCTETS_MAX {
        return Err(io::Error::new(ErrorKind::FileTooLarge, "it is larger than any token"));
    }
    Ok(octets)
}

fn time(unix_s: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_secs(unix_s)).unwrap_or(UNIX_EPOCH)
}

fn unix_s(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
