//! A POP3 command: read from a line, and written as one (RFC 1939 §5 to §7, RFC 2449 §5, RFC 2595 §4,
//! RFC 5034 §4).
//!
//! Not here: which command is allowed when ([`super::server`]), and what it is answered ([`super::response`]).

use super::number;
use crate::sasl::{Exchange, Mechanism};
use crate::secret::Secret;
use crate::smtp::reply::printable;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// A command with its arguments. A message number is 1 for the first message; 0 is well-formed and names none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// USER: who logs in. Any octets but CR, LF and NUL; not empty.
    User(Vec<u8>),
    /// PASS. Its argument is the rest of the line, spaces included (RFC 1939 §7).
    Pass(Secret),
    /// APOP: both at once; the last word is the digest, so that a name may hold spaces.
    Apop {
        /// Who logs in.
        name: Vec<u8>,
        /// What [`super::apop::digest`] computes.
        digest: String,
    },
    /// AUTH: begins an exchange of SASL (RFC 5034 §4).
    Auth {
        /// The mechanism's name, upper case when it was parsed.
        mechanism: String,
        /// The initial response, decoded; an empty one is `=` on the wire, `None` is none at all.
        initial: Option<Secret>,
    },
    /// STAT: how many messages, how many octets.
    Stat,
    /// LIST: the size of one message, or of each.
    List(Option<u32>),
    /// RETR: a whole message.
    Retr(u32),
    /// DELE: mark a message as deleted.
    Dele(u32),
    /// NOOP.
    Noop,
    /// RSET: take all marks away.
    Rset,
    /// TOP: the header section, and the first lines of the body.
    Top {
        /// Which message.
        id: u32,
        /// How many lines of its body.
        lines: u32,
    },
    /// UIDL: the unique identifier of one message, or of each.
    Uidl(Option<u32>),
    /// CAPA: what the server can do.
    Capa,
    /// STLS: begin TLS.
    Stls,
    /// QUIT: end the session, and delete what is marked.
    Quit,
}

/// Why a line is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCommand {
    /// A keyword that is not known here.
    #[error("unknown command")]
    Unknown,
    /// An argument missing, too many, or no number.
    #[error("bad argument")]
    Argument,
}

impl Command {
    /// Reads a line without its end. Keywords are taken in any case (RFC 1939 §3).
    ///
    /// # Errors
    /// What is to be answered with -ERR.
    pub fn parse(line: &[u8]) -> Result<Self, BadCommand> {
        let space = line.iter().position(|&b| b == b' ');
        let (keyword, rest) = line.split_at(space.unwrap_or(line.len()));
        let octets = rest.get(1..);
        let words =
            || std::str::from_utf8(rest).map(|rest| rest.split_ascii_whitespace().collect::<Vec<_>>());
        let words = words().map_err(|_| BadCommand::Argument);
        let none = |command: Self| match words.as_deref() {
            Ok([]) => Ok(command),
            _ => Err(BadCommand::Argument),
        };
        let one = |command: fn(u32) -> Self| match words.as_deref() {
            Ok([id]) => number(id).map(command).ok_or(BadCommand::Argument),
            _ => Err(BadCommand::Argument),
        };
        let perhaps_one = |command: fn(Option<u32>) -> Self| match words.as_deref() {
            Ok([]) => Ok(command(None)),
            Ok([id]) => number(id).map(|id| command(Some(id))).ok_or(BadCommand::Argument),
            _ => Err(BadCommand::Argument),
        };
        match keyword.to_ascii_uppercase().as_slice() {
            b"USER" => match octets {
                Some(name) if !name.is_empty() => Ok(Self::User(name.to_vec())),
                _ => Err(BadCommand::Argument),
            },
            b"PASS" => octets.map(|password| Self::Pass(Secret::new(password))).ok_or(BadCommand::Argument),
            b"APOP" => octets.and_then(parse_apop).ok_or(BadCommand::Argument),
            b"AUTH" => match words.as_deref() {
                Ok([mechanism]) => {
                    Ok(Self::Auth { mechanism: mechanism.to_ascii_uppercase(), initial: None })
                }
                Ok([mechanism, initial]) => {
                    let initial = match *initial {
                        "=" => Vec::new(),
                        initial => STANDARD.decode(initial).map_err(|_| BadCommand::Argument)?,
                    };
                    let initial = Some(Secret::new(initial));
                    Ok(Self::Auth { mechanism: mechanism.to_ascii_uppercase(), initial })
                }
                _ => Err(BadCommand::Argument),
            },
            b"TOP" => match words.as_deref() {
                Ok([id, lines]) => {
                    let (id, lines) = number(id).zip(number(lines)).ok_or(BadCommand::Argument)?;
                    Ok(Self::Top { id, lines })
                }
                _ => Err(BadCommand::Argument),
            },
            b"LIST" => perhaps_one(Self::List),
            b"UIDL" => perhaps_one(Self::Uidl),
            b"RETR" => one(Self::Retr),
            b"DELE" => one(Self::Dele),
            b"STAT" => none(Self::Stat),
            b"NOOP" => none(Self::Noop),
            b"RSET" => none(Self::Rset),
            b"CAPA" => none(Self::Capa),
            b"STLS" => none(Self::Stls),
            b"QUIT" => none(Self::Quit),
            _ => Err(BadCommand::Unknown),
        }
    }

    /// AUTH as it begins `exchange`: with the initial response if there is one, and the line with its end is of at most
    /// `line_octets_max` then. XOAUTH2's is always left for the server to ask for: there are servers that end the
    /// session over it.
    pub(super) fn auth(exchange: &mut Exchange, line_octets_max: usize) -> Self {
        let mechanism = exchange.mechanism();
        let octets_max = match mechanism {
            Mechanism::Xoauth2 => 0,
            _ => line_octets_max.saturating_sub("AUTH  \r\n".len() + mechanism.name().len()),
        };
        Self::Auth { mechanism: mechanism.name().to_owned(), initial: exchange.initial(octets_max) }
    }

    /// The keyword, in upper case.
    #[must_use]
    pub const fn keyword(&self) -> &'static str {
        match self {
            Self::User(_) => "USER",
            Self::Pass(_) => "PASS",
            Self::Apop { .. } => "APOP",
            Self::Auth { .. } => "AUTH",
            Self::Stat => "STAT",
            Self::List(_) => "LIST",
            Self::Retr(_) => "RETR",
            Self::Dele(_) => "DELE",
            Self::Noop => "NOOP",
            Self::Rset => "RSET",
            Self::Top { .. } => "TOP",
            Self::Uidl(_) => "UIDL",
            Self::Capa => "CAPA",
            Self::Stls => "STLS",
            Self::Quit => "QUIT",
        }
    }

    /// The line, with its end. A secret in it is in clear.
    #[must_use]
    pub fn to_octets(&self) -> Vec<u8> {
        let mut line = self.written(|secret| secret);
        line.extend(b"\r\n");
        line.into_octets()
    }

    /// The line without its end, secrets as `told` tells them.
    fn written(&self, told: fn(&[u8]) -> &[u8]) -> Secret {
        let mut line = Secret::new(self.keyword());
        let mut argument = |octets: &[u8]| {
            line.push(b' ');
            line.extend(octets);
        };
        match self {
            Self::User(name) => argument(name),
            Self::Pass(password) => argument(told(password.reveal())),
            Self::Apop { name, digest } => {
                argument(name);
                argument(told(digest.as_bytes()));
            }
            Self::Auth { mechanism, initial } => {
                argument(mechanism.as_bytes());
                match initial.as_ref().map(Secret::reveal) {
                    None => {}
                    Some(b"") => argument(b"="),
                    Some(initial) => argument(told(Secret::new(STANDARD.encode(initial)).reveal())),
                }
            }
            Self::Retr(id) | Self::Dele(id) | Self::List(Some(id)) | Self::Uidl(Some(id)) => {
                argument(id.to_string().as_bytes());
            }
            Self::Top { id, lines } => argument(format!("{id} {lines}").as_bytes()),
            Self::List(None) | Self::Uidl(None) => {}
            Self::Stat | Self::Noop | Self::Rset | Self::Capa | Self::Stls | Self::Quit => {}
        }
        line
    }
}

/// The line without its end, for a log: a secret in it is `***`.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(self.written(|_| Secret::MASK.as_bytes()).reveal()))
    }
}

fn parse_apop(argument: &[u8]) -> Option<Command> {
    let space = argument.iter().rposition(|&b| b == b' ')?;
    let (name, digest) = argument.split_at(space);
    let digest = std::str::from_utf8(digest.get(1..)?).ok()?.to_owned();
    (!name.is_empty() && !digest.is_empty()).then(|| Command::Apop { name: name.to_vec(), digest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keywords_in_any_case_and_arguments_in_their_place() {
        assert_eq!(Command::parse(b"retr 7"), Ok(Command::Retr(7)));
        assert_eq!(Command::parse(b"List"), Ok(Command::List(None)));
        assert_eq!(Command::parse(b"STAT "), Ok(Command::Stat));
        assert_eq!(Command::parse(b"TOP 1 0"), Ok(Command::Top { id: 1, lines: 0 }));
        assert_eq!(Command::parse(b"PASS a  b "), Ok(Command::Pass(Secret::new("a  b "))));
        assert_eq!(Command::parse(b"USER \xff\0"), Ok(Command::User(b"\xff\0".to_vec())));
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for line in [&b""[..], b" ", b"XYZZY", b"RETR1", b"AUTHPLAIN", b"\xff\xfe", b" STAT"] {
            assert_eq!(Command::parse(line), Err(BadCommand::Unknown), "{line:?}");
        }
        for line in [
            &b"USER"[..],
            b"USER ",
            b"PASS",
            b"APOP",
            b"APOP a",
            b"APOP  d",
            b"APOP a ",
            b"RETR",
            b"RETR x",
            b"RETR +1",
            b"RETR -1",
            b"RETR 1 2",
            b"RETR 4294967296",
            b"TOP 1",
            b"LIST 1 2",
            b"AUTH",
            b"AUTH PLAIN x",
            b"AUTH PLAIN eA== eA==",
            b"QUIT now",
            b"DELE \xff",
        ] {
            assert_eq!(Command::parse(line), Err(BadCommand::Argument), "{line:?}");
        }
    }

    #[test]
    fn a_password_does_not_show_itself() {
        assert_eq!(format!("{:?}", Command::Pass(Secret::new("tiger"))), "Pass(***)");
    }

    fn any_command() -> impl Strategy<Value = Command> {
        let octets =
            || prop::collection::vec(any::<u8>().prop_filter("no line end", |b| !b"\r\n".contains(b)), 1..20);
        prop_oneof![
            octets().prop_map(Command::User),
            octets().prop_map(|octets| Command::Pass(Secret::new(octets))),
            (octets(), "[0-9a-f]{32}").prop_map(|(name, digest)| Command::Apop { name, digest }),
            ("[A-Z0-9-]{1,20}", any::<Option<Vec<u8>>>()).prop_map(|(mechanism, initial)| Command::Auth {
                mechanism,
                initial: initial.map(Secret::new)
            }),
            any::<Option<u32>>().prop_map(Command::List),
            any::<Option<u32>>().prop_map(Command::Uidl),
            any::<u32>().prop_map(Command::Retr),
            any::<u32>().prop_map(Command::Dele),
            any::<(u32, u32)>().prop_map(|(id, lines)| Command::Top { id, lines }),
            prop::sample::select(vec![
                Command::Stat,
                Command::Noop,
                Command::Rset,
                Command::Capa,
                Command::Stls,
                Command::Quit,
                Command::Pass(Secret::default()),
            ]),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(command in any_command()) {
            let line = command.to_octets();
            prop_assert_eq!(Command::parse(line.strip_suffix(b"\r\n").unwrap()), Ok(command));
        }

        #[test]
        fn no_octets_break_it(line in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Command::parse(&line);
        }
    }
}
