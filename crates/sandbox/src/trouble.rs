//! Trouble by name: what a host does wrong, or has to live through, is asked for by what it writes. One table says all
//! there is; the provider's behaviour and the printed page both come from it.
//!
//! Not here: how a trouble is brought about, which is [`crate::provider`]'s.

/// Where a name is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A host name that is dialled; its first label counts.
    Server,
    /// The user of an SMTP authentication, whatever the mechanism and the password.
    SmtpUser,
    /// The sender's address in the envelope; its local part counts.
    Sender,
    /// A recipient's address in the envelope; its local part counts.
    Recipient,
    /// The user of a POP3 log-in, by USER or APOP, whatever the password.
    Pop3User,
}

/// What a name brings about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The server's name leads nowhere.
    Unresolved,
    /// Nobody takes the call.
    Refused,
    /// The server takes it, and never greets.
    SilentServer,
    /// The server greets with 421 or -ERR.
    Busy,
    /// The server greets with what is neither SMTP nor POP3.
    Garbage,
    /// The SMTP server takes mail from users only: 530 to MAIL.
    AuthRequired,
    /// 535 to the credentials.
    AuthRefused,
    /// 454 to the credentials.
    AuthUnavailable,
    /// This code to MAIL.
    SenderRefused(u16),
    /// This code to RCPT.
    RecipientRefused(u16),
    /// This code after the final dot.
    TextRefused(u16),
    /// The link ends in the middle of the text.
    Cut,
    /// No answer to the final dot.
    SilentAtEnd,
    /// Each answer comes late.
    Slow,
    /// The POP3 session goes wrong.
    Session(SessionTrouble),
}

/// What the name of a POP3 user brings about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionTrouble {
    /// -ERR to USER.
    UnknownUser,
    /// -ERR to PASS and APOP.
    WrongPassword,
    /// -ERR to PASS and APOP: another session has the maildrop.
    Locked,
    /// RETR brings a mail up to its last line, and nothing after that.
    Silent,
    /// RETR brings a mail up to its last line, and the link ends.
    Cut,
    /// RETR brings a mail of which the attachment does not end.
    Endless,
    /// -ERR to RETR.
    ErrOnRetr,
    /// After the log-in all answers are what is no POP3.
    Garbage,
    /// Listings tell other sizes than RETR brings.
    LyingSize,
    /// There is no TOP.
    NoTop,
    /// There is no UIDL.
    NoUidl,
    /// -ERR to DELE.
    ErrOnDele,
    /// -ERR to QUIT.
    ErrOnQuit,
}

/// One trouble there is.
#[derive(Debug)]
pub struct Row {
    /// The name: as it stands up to `.` or `@`, where `NNN` is any code of 400 to 559 that a reply can have.
    pub pattern: &'static str,
    /// Where it is written.
    pub place: Place,
    /// What happens then.
    pub happens: &'static str,
    /// What the modem shows in the end, after `+SMTP: ` or `+POP3: `.
    pub shown: &'static str,
    /// The trouble, from the number in the name, or from 0.
    trouble: fn(u16) -> Trouble,
}

/// Every trouble there is, in the order of a mail's way to its mailbox, and out of it.
pub static TABLE: &[Row] = &[
    Row {
        pattern: "unresolved.*",
        place: Place::Server,
        happens: "the name is not resolved",
        shown: "NETWORK ERROR",
        trouble: |_| Trouble::Unresolved,
    },
    Row {
        pattern: "refused.*",
        place: Place::Server,
        happens: "the connection is refused",
        shown: "NETWORK ERROR",
        trouble: |_| Trouble::Refused,
    },
    Row {
        pattern: "silent.*",
        place: Place::Server,
        happens: "the server never greets",
        shown: "SERVER ERROR, after 30 s",
        trouble: |_| Trouble::SilentServer,
    },
    Row {
        pattern: "busy.*",
        place: Place::Server,
        happens: "the server greets with 421, or -ERR, and closes",
        shown: "SERVER ERROR",
        trouble: |_| Trouble::Busy,
    },
    Row {
        pattern: "garbage.*",
        place: Place::Server,
        happens: "the server greets with what is neither SMTP nor POP3",
        shown: "SERVER ERROR",
        trouble: |_| Trouble::Garbage,
    },
    Row {
        pattern: "auth-required.*",
        place: Place::Server,
        happens: "530 to MAIL, unless a user was authenticated",
        shown: "AUTH REQUIRED",
        trouble: |_| Trouble::AuthRequired,
    },
    Row {
        pattern: "wrong",
        place: Place::SmtpUser,
        happens: "535 to the authentication, whatever the password",
        shown: "AUTH ERROR",
        trouble: |_| Trouble::AuthRefused,
    },
    Row {
        pattern: "unavailable",
        place: Place::SmtpUser,
        happens: "454 to the authentication",
        shown: "SERVER ERROR",
        trouble: |_| Trouble::AuthUnavailable,
    },
    Row {
        pattern: "mailfrom-NNN@…",
        place: Place::Sender,
        happens: "NNN to MAIL (421 also closes)",
        shown: "SERVER ERROR; for 530 AUTH REQUIRED",
        trouble: Trouble::SenderRefused,
    },
    Row {
        pattern: "NNN@…",
        place: Place::Recipient,
        happens: "NNN to RCPT (421 also closes)",
        shown: "BAD RCPT NNN@…; for 421 SERVER ERROR, for 530 AUTH REQUIRED",
        trouble: Trouble::RecipientRefused,
    },
    Row {
        pattern: "data-NNN@…",
        place: Place::Recipient,
        happens: "NNN after the final dot (421 also closes); nothing is delivered",
        shown: "SERVER ERROR; for 530 AUTH REQUIRED",
        trouble: Trouble::TextRefused,
    },
    Row {
        pattern: "cut@…",
        place: Place::Recipient,
        happens: "the link is cut in the text, of a short one at its end; nothing is delivered",
        shown: "NETWORK ERROR",
        trouble: |_| Trouble::Cut,
    },
    Row {
        pattern: "silent@…",
        place: Place::Recipient,
        happens: "no answer to the final dot; nothing is delivered",
        shown: "SERVER ERROR, after 30 s",
        trouble: |_| Trouble::SilentAtEnd,
    },
    Row {
        pattern: "slow@…",
        place: Place::Recipient,
        happens: "this answer and each one up to the delivery comes after 10 s",
        shown: "SUCCESS, after 30 s or more",
        trouble: |_| Trouble::Slow,
    },
    Row {
        pattern: "unknown",
        place: Place::Pop3User,
        happens: "-ERR to USER",
        shown: "INVALID UN",
        trouble: |_| Trouble::Session(SessionTrouble::UnknownUser),
    },
    Row {
        pattern: "wrong",
        place: Place::Pop3User,
        happens: "-ERR to PASS and APOP, whatever the password",
        shown: "INVALID UN/PWD",
        trouble: |_| Trouble::Session(SessionTrouble::WrongPassword),
    },
    Row {
        pattern: "locked",
        place: Place::Pop3User,
        happens: "-ERR [IN-USE] to PASS and APOP",
        shown: "INVALID UN/PWD",
        trouble: |_| Trouble::Session(SessionTrouble::Locked),
    },
    Row {
        pattern: "silent",
        place: Place::Pop3User,
        happens: "RETR stops before the mail's last line, and nothing is answered any more",
        shown: "SERVER ERROR, after 30 s",
        trouble: |_| Trouble::Session(SessionTrouble::Silent),
    },
    Row {
        pattern: "cut",
        place: Place::Pop3User,
        happens: "RETR stops before the mail's last line, and the link is cut",
        shown: "NETWORK ERROR",
        trouble: |_| Trouble::Session(SessionTrouble::Cut),
    },
    Row {
        pattern: "endless",
        place: Place::Pop3User,
        happens: "RETR brings a mail of which the attachment never ends",
        shown: "FILE SYSTEM ERROR, when the drive is full",
        trouble: |_| Trouble::Session(SessionTrouble::Endless),
    },
    Row {
        pattern: "err-on-retr",
        place: Place::Pop3User,
        happens: "-ERR [SYS/TEMP] to RETR",
        shown: "FAILURE",
        trouble: |_| Trouble::Session(SessionTrouble::ErrOnRetr),
    },
    Row {
        pattern: "garbage",
        place: Place::Pop3User,
        happens: "every answer after the log-in is what is no POP3",
        shown: "SERVER ERROR",
        trouble: |_| Trouble::Session(SessionTrouble::Garbage),
    },
    Row {
        pattern: "lying-size",
        place: Place::Pop3User,
        happens: "STAT and LIST tell sizes of 1 octet and of 4 GiB; the mails are whole",
        shown: "SUCCESS",
        trouble: |_| Trouble::Session(SessionTrouble::LyingSize),
    },
    Row {
        pattern: "no-top",
        place: Place::Pop3User,
        happens: "TOP is no command of this server",
        shown: "SUCCESS",
        trouble: |_| Trouble::Session(SessionTrouble::NoTop),
    },
    Row {
        pattern: "no-uidl",
        place: Place::Pop3User,
        happens: "UIDL is no command of this server",
        shown: "SUCCESS",
        trouble: |_| Trouble::Session(SessionTrouble::NoUidl),
    },
    Row {
        pattern: "err-on-dele",
        place: Place::Pop3User,
        happens: "-ERR to DELE",
        shown: "SERVER ERROR",
        trouble: |_| Trouble::Session(SessionTrouble::ErrOnDele),
    },
    Row {
        pattern: "err-on-quit",
        place: Place::Pop3User,
        happens: "-ERR to QUIT",
        shown: "SERVER ERROR",
        trouble: |_| Trouble::Session(SessionTrouble::ErrOnQuit),
    },
];

/// The trouble that `name` means when it is written at `place`, if any. Letter case is of no matter.
#[must_use]
pub fn find(place: Place, name: &str) -> Option<Trouble> {
    let word = match place {
        Place::Server => name.split('.').next()?,
        Place::SmtpUser | Place::Pop3User => name,
        Place::Sender | Place::Recipient => name.rsplit_once('@').map_or(name, |(local_part, _)| local_part),
    };
    TABLE.iter().filter(|row| row.place == place).find_map(|row| row.meets(word))
}

impl Row {
    fn cells(&self) -> [String; 4] {
        let place = match self.place {
            Place::Server => "server",
            Place::SmtpUser => "SMTP user",
            Place::Sender => "sender",
            Place::Recipient => "recipient",
            Place::Pop3User => "POP3 user",
        };
        [format!("`{}`", self.pattern), place.to_owned(), self.happens.to_owned(), self.shown.to_owned()]
    }

    /// The trouble that `word` asks for, if it is this one.
    fn meets(&self, word: &str) -> Option<Trouble> {
        let own = self.pattern.split(['.', '@']).next()?;
        let Some(prefix) = own.strip_suffix("NNN") else {
            return own.eq_ignore_ascii_case(word).then(|| (self.trouble)(0));
        };
        let (start, code) = word.split_at_checked(prefix.len())?;
        let is_code = matches!(code.as_bytes(), [b'4' | b'5', b'0'..=b'5', b'0'..=b'9'])
            && start.eq_ignore_ascii_case(prefix);
        is_code.then(|| code.parse().ok().map(self.trouble))?
    }
}

/// The table as a page shows it, in Markdown; good to read on a terminal too.
#[must_use]
pub fn table() -> String {
    let heads = ["name", "written as", "what happens", "the modem shows after `+SMTP:` or `+POP3:`"]
        .map(String::from);
    let rows: Vec<_> = std::iter::once(heads).chain(TABLE.iter().map(Row::cells)).collect();
    let widths = [0, 1, 2, 3].map(|column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    });
    let mut page = String::new();
    for (at, row) in rows.iter().enumerate() {
        write_row(&mut page, row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")));
        if at == 0 {
            write_row(&mut page, widths.into_iter().map(|width| "-".repeat(width)));
        }
    }
    page
}

fn write_row(page: &mut String, cells: impl Iterator<Item = String>) {
    page.push_str("| ");
    page.push_str(&cells.collect::<Vec<_>>().join(" | "));
    page.push_str(" |\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_where_they_are_written() {
        for (place, name, trouble) in [
            (Place::Recipient, "550@x", Some(Trouble::RecipientRefused(550))),
            (Place::Recipient, "451@x.y", Some(Trouble::RecipientRefused(451))),
            (Place::Recipient, "559", Some(Trouble::RecipientRefused(559))),
            (Place::Recipient, "250@x", None),
            (Place::Recipient, "560@x", None),
            (Place::Recipient, "5500@x", None),
            (Place::Recipient, "55@x", None),
            (Place::Recipient, "\u{fc}0@x", None),
            (Place::Recipient, "data-\u{fc}0@x", None),
            (Place::Recipient, "DATA-552@x", Some(Trouble::TextRefused(552))),
            (Place::Recipient, "data-@x", None),
            (Place::Recipient, "cut.x@y", None),
            (Place::Recipient, "mike@cut", None),
            (Place::Sender, "550@x", None),
            (Place::Sender, "mailfrom-421@x", Some(Trouble::SenderRefused(421))),
            (Place::Server, "BUSY.server.com", Some(Trouble::Busy)),
            (Place::Server, "busy", Some(Trouble::Busy)),
            (Place::Server, "smtp.busy.com", None),
            (Place::Server, "", None),
            (Place::SmtpUser, "wrong", Some(Trouble::AuthRefused)),
            (Place::SmtpUser, "wrong.user", None),
            (Place::SmtpUser, "locked", None),
            (Place::Pop3User, "LOCKED", Some(Trouble::Session(SessionTrouble::Locked))),
            (Place::Pop3User, "locked@server.com", None),
            (Place::Pop3User, "unavailable", None),
        ] {
            assert_eq!(find(place, name), trouble, "{name}");
        }
    }

    #[test]
    fn the_page_has_every_row_and_lines_of_one_width() {
        let page = table();
        assert_eq!(page.lines().count(), TABLE.len() + 2);
        let width = page.lines().next().unwrap().chars().count();
        for (line, row) in page.lines().skip(2).zip(TABLE) {
            assert!(line.contains(row.pattern) && line.contains(row.happens) && line.contains(row.shown));
            assert_eq!(line.chars().count(), width, "{line}");
        }
    }

    #[test]
    fn no_name_means_two_things() {
        for (at, row) in TABLE.iter().enumerate() {
            let is_same = |other: &&Row| other.place == row.place && other.pattern == row.pattern;
            assert_eq!(TABLE.iter().position(|other| is_same(&other)), Some(at), "{}", row.pattern);
        }
    }
}
