//! Who has a maildrop open, so that no two have the same mail.

use super::{NotOpened, shares_with};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The sessions over the same mailboxes. A clone is one more handle of the same.
#[derive(Clone, Debug, Default)]
pub struct Sessions(Arc<Mutex<Vec<String>>>);

impl Sessions {
    /// Lets a user in.
    ///
    /// # Errors
    /// [`NotOpened::InUse`] while a user is in who [`shares_with`] this one.
    pub fn enter(&self, user: &str) -> Result<Session, NotOpened> {
        let mut users = self.users();
        if users.iter().any(|other| shares_with(user, other)) {
            return Err(NotOpened::InUse);
        }
        users.push(user.to_owned());
        Ok(Session { sessions: self.clone(), user: user.to_owned() })
    }

    /// The names are whole between any two calls, even if a thread that had them panicked.
    fn users(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A user is in session until this is dropped.
#[derive(Debug)]
pub struct Session {
    sessions: Sessions,
    user: String,
}

impl Drop for Session {
    fn drop(&mut self) {
        // Nobody else is in under this name.
        self.sessions.users().retain(|user| *user != self.user);
    }
}
