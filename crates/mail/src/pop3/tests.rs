//! Whole sessions: the client against servers that are odd or hostile, the server against clients of the same kind,
//! and the two against each other.

mod against_each_other;
mod ahead;
mod log_in;
mod odd_clients;
mod odd_servers;

use super::capability::Capabilities;
use super::command::Command;
use super::server::{Content, Mail, Proof, Reaction, Service};
use crate::secret::Secret;
use std::cell::RefCell;
use std::rc::Rc;

/// A service with some messages for anybody whose password is `tiger`, and with a trouble for each user name that is
/// the name of one.
struct Post {
    mails: Vec<Vec<u8>>,
    user: String,
    /// The numbers that a QUIT deleted.
    deleted: Rc<RefCell<Vec<u32>>>,
    has_stls: bool,
    has_pipelining: bool,
    sasl: Option<String>,
    is_full: bool,
}

impl Post {
    fn new(mails: &[&[u8]]) -> Self {
        let mails = mails.iter().map(|mail| mail.to_vec()).collect();
        Self {
            mails,
            user: String::new(),
            deleted: Rc::default(),
            has_stls: false,
            has_pipelining: true,
            sasl: None,
            is_full: false,
        }
    }
}

/// A message that is read 10 octets at a time.
struct Reading {
    rest: Vec<u8>,
    trouble: Option<Reaction>,
    is_endless: bool,
}

impl Content for Reading {
    fn read(&mut self) -> Result<Vec<u8>, Reaction> {
        if self.is_endless {
            return Ok(vec![b'x'; 1_000]);
        }
        let rest = self.rest.split_off(self.rest.len().min(10));
        let portion = std::mem::replace(&mut self.rest, rest);
        match self.trouble.take_if(|_| self.rest.is_empty()) {
            Some(trouble) => Err(trouble),
            None => Ok(portion),
        }
    }
}

impl Service for Post {
    type Content = Reading;

    fn greeting(&mut self) -> Result<String, Reaction> {
        if self.is_full {
            return Err(Reaction::Refuse("full".into()));
        }
        Ok("ready <1896.697170952@dbc.mtview.ca.us>".to_owned())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            top: self.user != "no-top",
            uidl: self.user != "no-uidl",
            user: true,
            pipelining: self.has_pipelining,
            stls: self.has_stls,
            sasl: self.sasl.clone(),
            ..Capabilities::NONE
        }
    }

    fn challenge(&self) -> String {
        "<1@post>".to_owned()
    }

    fn before(&mut self, command: &Command) -> Result<(), Reaction> {
        if let Command::User(name) = command {
            self.user = String::from_utf8_lossy(name).into_owned();
        }
        match (self.user.as_str(), command) {
            ("unknown", Command::User(_)) => Err(Reaction::Refuse("who?".into())),
            ("silent", Command::Pass(_)) => Err(Reaction::Silence),
            ("garbage", Command::Stat) => Err(Reaction::Garbage(b"\0\xff\r\n".to_vec())),
            ("err-on-dele", Command::Dele(_)) => Err(Reaction::Refuse("read-only".into())),
            _ => Ok(()),
        }
    }

    fn log_in(&mut self, name: &[u8], proof: Proof<'_>) -> Result<Vec<Mail>, Reaction> {
        match name {
            b"locked" => return Err(Reaction::Refuse("[IN-USE] locked".into())),
            _ if !proof.holds_for(&Secret::new("tiger")) => return Err(Reaction::Refuse("[AUTH] no".into())),
            _ => {}
        }
        let lie = u64::from(name == b"lying-size");
        let mails = (1u32..).zip(&self.mails);
        Ok(mails
            .map(|(id, mail)| Mail { octets: mail.len() as u64 + lie, unique: format!("u{id}") })
            .collect())
    }

    fn open(&mut self, id: u32) -> Result<Reading, Reaction> {
        Ok(Reading {
            rest: self.mails[id as usize - 1].clone(),
            trouble: match self.user.as_str() {
                "cut" => Some(Reaction::Cut),
                "garbage" => Some(Reaction::Garbage(b"\r\n.\r\n\xff\r\n".to_vec())),
                "mute" => Some(Reaction::Silence),
                "refused" => Some(Reaction::Refuse("too late".into())),
                _ => None,
            },
            is_endless: self.user == "endless",
        })
    }

    fn commit(&mut self, marked: &[u32]) -> Result<(), Reaction> {
        if self.user == "err-on-quit" {
            return Err(Reaction::Refuse("some deleted messages not removed".into()));
        }
        self.deleted.borrow_mut().extend(marked);
        Ok(())
    }
}
