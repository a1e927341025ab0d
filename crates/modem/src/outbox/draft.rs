//! The mail being composed, as the terminal sets it.

use crate::drive::OpenFile;
use crate::drive::path::Path;
use crate::limits::RECIPIENTS_MAX;
use mail::mime::compose::Content;
use mail::mime::header::Mailbox;
use std::collections::BTreeMap;

/// The charset when none was set.
pub(crate) const CHARSET: &str = "utf-8";

/// The SMTP server, as the terminal names it.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Empty: none.
    pub(crate) name: String,
    pub(crate) port: u16,
}

impl Server {
    /// Where SMTP servers listen when nothing else is said (RFC 5321 §4.5.4.2).
    pub(crate) const PORT: u16 = 25;
}

impl Default for Server {
    fn default() -> Self {
        Self { name: String::new(), port: Self::PORT }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) recipients: Recipients,
    pub(crate) subject: Vec<u8>,
    pub(crate) body: Vec<u8>,
    /// By index.
    pub(crate) files: BTreeMap<u32, Attached>,
}

/// A file to go along.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) path: Path,
    /// When it was attached.
    pub(crate) octets: u64,
}

/// Recipients of a kind, by index.
type Kind = [Option<Mailbox>; RECIPIENTS_MAX];

/// Recipients by kind and index.
#[derive(Debug, Default)]
pub(crate) struct Recipients {
    to: Kind,
    cc: Kind,
    bcc: Kind,
}

impl Recipients {
    pub(crate) fn kind_mut(&mut self, kind: usize) -> Option<&mut Kind> {
        [&mut self.to, &mut self.cc, &mut self.bcc].into_iter().nth(kind)
    }

    /// All of them, with kind and index.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, usize, &Mailbox)> {
        [&self.to, &self.cc, &self.bcc].into_iter().enumerate().flat_map(|(kind, mailboxes)| {
            mailboxes
                .iter()
                .enumerate()
                .filter_map(move |(index, mailbox)| Some((kind, index, mailbox.as_ref()?)))
        })
    }

    /// As the header section names them.
    pub(crate) fn to(&self) -> Vec<Mailbox> {
        header_mailboxes(&self.to)
    }

    /// As the header section names them.
    pub(crate) fn cc(&self) -> Vec<Mailbox> {
        header_mailboxes(&self.cc)
    }
}

fn header_mailboxes(kind: &Kind) -> Vec<Mailbox> {
    kind.iter().flatten().map(header_mailbox).collect()
}

/// With the bare address.
pub(crate) fn header_mailbox(mailbox: &Mailbox) -> Mailbox {
    let address = bare_address(&mailbox.address).unwrap_or_default().to_owned();
    Mailbox { address, name: mailbox.name.clone() }
}

/// An address without the pair of angle brackets that a host may have put around it; `None` when others are in it.
pub(crate) fn bare_address(address: &str) -> Option<&str> {
    let bare = address.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(address);
    let is_bare = !bare.is_empty() && !bare.contains(['<', '>']) && !bare.contains(char::is_control);
    is_bare.then_some(bare)
}

/// A drive's file as an attachment's content.
pub(crate) struct FileContent(pub(crate) Box<dyn OpenFile>);

impl Content for FileContent {
    fn octets(&self) -> u64 {
        self.0.octets()
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, String> {
        self.0.read(buffer).map_err(|error| error.to_string())
    }
}
