//! An SMTP command: written as a client sends it, and parsed as a server reads it (RFC 5321 §4.1, with the parameters
//! of RFC 1870, 3207, 4954, 6152 and 6531).
//!
//! Not here: the order in which commands make sense, which is the two machines' business. Parameters of extensions
//! that this project's server does not offer (DSN, BDAT …) are no commands here either.

use crate::limits::{ADDRESS_OCTETS_MAX, MECHANISM_OCTETS_MAX};
use crate::sasl::Exchange;
use crate::secret::Secret;
use base64::Engine as _;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use std::fmt::{self, Write as _};
use std::str::FromStr;

/// What a client asks for. Its `Display` is the line on the wire without CRLF, **secrets included**; its `Debug` hides
/// them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Who the client says it is: a domain or an address literal (RFC 5321 §4.1.1.1).
    Ehlo(String),
    /// The same, from before extensions.
    Helo(String),
    /// Begins a transaction (RFC 5321 §4.1.1.2).
    Mail {
        /// The sender; [`Path::null`] for a message that wants no answer.
        reverse_path: Path,
        /// How many octets the message will have, line ends counted as CRLF (RFC 1870 §3).
        size: Option<u64>,
        /// Whether `BODY=8BITMIME` is declared (RFC 6152 §2).
        eight_bit: bool,
        /// Whether `SMTPUTF8` is declared (RFC 6531 §3.4).
        utf8: bool,
    },
    /// One more recipient (RFC 5321 §4.1.1.3).
    Rcpt {
        /// The recipient; never the null path.
        forward_path: Path,
    },
    /// The message follows (RFC 5321 §4.1.1.4).
    Data,
    /// Drops the transaction (RFC 5321 §4.1.1.5).
    Rset,
    /// Does nothing; what stands behind it is ignored (RFC 5321 §4.1.1.9).
    Noop,
    /// Ends the session (RFC 5321 §4.1.1.10).
    Quit,
    /// Asks whether a name is known (RFC 5321 §4.1.1.6).
    Vrfy(String),
    /// Asks for help; what stands behind it is ignored (RFC 5321 §4.1.1.8).
    Help,
    /// Asks for TLS on this link (RFC 3207 §4).
    StartTls,
    /// Begins an authentication (RFC 4954 §4).
    Auth {
        /// The mechanism's name, upper case when it was parsed.
        mechanism: String,
        /// The initial response, decoded; an empty one is `=` on the wire, `None` is none at all.
        initial: Option<Secret>,
    },
}

/// Why a line is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCommand {
    /// The first word is no command known here.
    #[error("unknown command")]
    Unknown,
    /// Control characters, octets that are no UTF-8, an argument missing, too many or misspelt.
    #[error("syntax error in parameters")]
    Syntax,
    /// A mailbox that cannot be one.
    #[error("{0}")]
    Address(#[from] BadPath),
    /// A parameter to MAIL or RCPT that no offered extension defines.
    #[error("parameter not recognized")]
    Parameter,
    /// An initial response that is not base64.
    #[error("not base64")]
    Base64,
}

impl Command {
    /// Reads one line without its end. Letter case, spaces around the line's parts and a space behind the colon of
    /// `FROM:` and `TO:` are of no matter.
    ///
    /// # Errors
    /// The line is no command; nothing was done about it.
    pub fn parse(line: &[u8]) -> Result<Self, BadCommand> {
        let line = std::str::from_utf8(line).map_err(|_| BadCommand::Syntax)?;
        if line.contains(char::is_control) {
            return Err(BadCommand::Syntax);
        }
        let line = line.trim_matches(' ');
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        let argument = argument.trim_start_matches(' ');
        let bare = |command| if argument.is_empty() { Ok(command) } else { Err(BadCommand::Syntax) };
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => word(argument).map(Self::Ehlo),
            "HELO" => word(argument).map(Self::Helo),
            "MAIL" => parse_mail(argument),
            "RCPT" => parse_rcpt(argument),
            "DATA" => bare(Self::Data),
            "RSET" => bare(Self::Rset),
            "NOOP" => Ok(Self::Noop),
            "QUIT" => bare(Self::Quit),
            "VRFY" if !argument.is_empty() => Ok(Self::Vrfy(argument.to_owned())),
            "VRFY" => Err(BadCommand::Syntax),
            "HELP" => Ok(Self::Help),
            "STARTTLS" => bare(Self::StartTls),
            "AUTH" => parse_auth(argument),
            _ => Err(BadCommand::Unknown),
        }
    }
}

impl Command {
    /// AUTH as it begins `exchange`: with the initial response if there is one, and the line with its end is of at most
    /// `line_octets_max` then.
    pub(super) fn auth(exchange: &mut Exchange, line_octets_max: usize) -> Self {
        let mechanism = exchange.mechanism().name().to_owned();
        let octets_max = line_octets_max.saturating_sub("AUTH  \r\n".len() + mechanism.len());
        Self::Auth { mechanism, initial: exchange.initial(octets_max) }
    }

    /// The line on the wire without CRLF, secrets in it as `***`.
    #[must_use]
    pub fn masked(&self) -> String {
        match self {
            Self::Auth { mechanism, initial: Some(_) } => {
                format!("AUTH {} {}", OneLine(mechanism), Secret::MASK)
            }
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ehlo(name) => write!(f, "EHLO {}", OneLine(name)),
            Self::Helo(name) => write!(f, "HELO {}", OneLine(name)),
            Self::Mail { reverse_path, size, eight_bit, utf8 } => {
                write!(f, "MAIL FROM:{reverse_path}")?;
                if let Some(size) = size {
                    write!(f, " SIZE={size}")?;
                }
                f.write_str(if *eight_bit { " BODY=8BITMIME" } else { "" })?;
                f.write_str(if *utf8 { " SMTPUTF8" } else { "" })
            }
            Self::Rcpt { forward_path } => write!(f, "RCPT TO:{forward_path}"),
            Self::Data => f.write_str("DATA"),
            Self::Rset => f.write_str("RSET"),
            Self::Noop => f.write_str("NOOP"),
            Self::Quit => f.write_str("QUIT"),
            Self::Vrfy(name) => write!(f, "VRFY {}", OneLine(name)),
            Self::Help => f.write_str("HELP"),
            Self::StartTls => f.write_str("STARTTLS"),
            Self::Auth { mechanism, initial } => {
                write!(f, "AUTH {}", OneLine(mechanism))?;
                match initial {
                    None => Ok(()),
                    Some(initial) if initial.reveal().is_empty() => f.write_str(" ="),
                    Some(initial) => write!(f, " {}", Base64Display::new(initial.reveal(), &STANDARD)),
                }
            }
        }
    }
}

/// Words that come from settings: whatever they hold, they stay on their line.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| f.write_char(if c.is_control() { '?' } else { c }))
    }
}

/// An address that SMTP can carry between `<` and `>`, or the null path `<>` (RFC 5321 §4.1.2). Because a value of
/// this type holds no control character, no angle bracket and no space but a quoted one, it cannot end its command.
///
/// The local part is a dot-string (dots anywhere: such addresses are in use) or a quoted string; the domain a name or
/// a literal in brackets, and absent for `<Postmaster>` and its like. `<` and `>` are refused even inside a quoted
/// string, where the RFC would have them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path(String);

/// Why a text is no [`Path`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// Nothing at all, or nothing on one side of the `@`.
    #[error("incomplete address")]
    Incomplete,
    /// Over [`ADDRESS_OCTETS_MAX`].
    #[error("address of over {ADDRESS_OCTETS_MAX} octets")]
    TooLong,
    /// A character that has no place there, such as a control character, `<`, `>` or a bare space.
    #[error("address with a character that cannot be in one")]
    Character,
}

impl Path {
    /// `<>`, the sender of messages that must not be answered (RFC 5321 §4.5.5).
    #[must_use]
    pub const fn null() -> Self {
        Self(String::new())
    }

    /// Whether it is the null path.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        self.0.is_empty()
    }

    /// The address without the angle brackets.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the `@`, quotes and all.
    #[must_use]
    pub fn local_part(&self) -> &str {
        self.0.get(..local_part_octets(&self.0)).unwrap_or_default()
    }

    /// Whether it needs SMTPUTF8.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }
}

/// From an address without angle brackets, not empty.
impl FromStr for Path {
    type Err = BadPath;

    fn from_str(address: &str) -> Result<Self, BadPath> {
        if address.len() > ADDRESS_OCTETS_MAX {
            return Err(BadPath::TooLong);
        }
        let (local, domain) = address.split_at(local_part_octets(address));
        let domain = domain.strip_prefix('@');
        if local.is_empty() || domain == Some("") {
            return Err(BadPath::Incomplete);
        }
        let domain_is_good = domain.is_none_or(|domain| {
            match domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                Some(literal) => {
                    literal.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-'))
                }
                None => {
                    domain.chars().all(|c| c.is_alphanumeric() || is_beyond_ascii(c) || "-._".contains(c))
                }
            }
        });
        let local_is_good = match local.strip_prefix('"') {
            Some(quoted) => is_quoted_rest(quoted),
            None => local.chars().all(|c| {
                c.is_ascii_alphanumeric() || is_beyond_ascii(c) || "!#$%&'*+-/=?^_`{|}~.".contains(c)
            }),
        };
        if domain_is_good && local_is_good { Ok(Self(address.to_owned())) } else { Err(BadPath::Character) }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0)
    }
}

fn is_beyond_ascii(c: char) -> bool {
    !c.is_ascii() && !c.is_control() && !c.is_whitespace()
}

/// Where the local part ends: at the `@`, or at the end of an address that has none. A quoted string may hold an `@`.
fn local_part_octets(address: &str) -> usize {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in address.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '@' if !quoted => return at,
            _ => {}
        }
    }
    address.len()
}

/// Whether this is a quoted string from behind its opening quote, with nothing after its closing one.
fn is_quoted_rest(text: &str) -> bool {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '"' => return chars.next().is_none(),
            '\\' => chars.next().unwrap_or('\0'),
            c => c,
        };
        if c.is_control() || matches!(c, '<' | '>') {
            return false;
        }
    }
    false
}

fn word(argument: &str) -> Result<String, BadCommand> {
    if argument.is_empty() || argument.contains(' ') {
        Err(BadCommand::Syntax)
    } else {
        Ok(argument.to_owned())
    }
}

/// `FROM:` or `TO:`, a path in its brackets, and the parameters behind it.
fn parse_path<'a>(
    argument: &'a str,
    keyword: &str,
) -> Result<(Path, impl Iterator<Item = &'a str>), BadCommand> {
    let (found, rest) = argument.split_at_checked(keyword.len()).ok_or(BadCommand::Syntax)?;
    if !found.eq_ignore_ascii_case(keyword) {
        return Err(BadCommand::Syntax);
    }
    let rest = rest.trim_start_matches(' ').strip_prefix('<').ok_or(BadCommand::Syntax)?;
    let (inside, parameters) = rest.split_once('>').ok_or(BadCommand::Syntax)?;
    if !parameters.is_empty() && !parameters.starts_with(' ') {
        return Err(BadCommand::Syntax);
    }
    // A source route is accepted and ignored (RFC 5321 §4.1.1.3, appendix C).
    let inside = match inside.strip_prefix('@') {
        Some(route) => route.split_once(':').ok_or(BadCommand::Syntax)?.1,
        None => inside,
    };
    let path = if inside.is_empty() { Path::null() } else { inside.parse()? };
    Ok((path, parameters.split(' ').filter(|parameter| !parameter.is_empty())))
}

fn parse_mail(argument: &str) -> Result<Command, BadCommand> {
    let (reverse_path, parameters) = parse_path(argument, "FROM:")?;
    let (mut size, mut body, mut utf8, mut auth) = (None, None, None, None);
    for parameter in parameters {
        let (key, value) = parameter.split_once('=').map_or((parameter, None), |(k, v)| (k, Some(v)));
        let before = match (key.to_ascii_uppercase().as_str(), value) {
            ("SIZE", Some(value)) => size.replace(parse_size(value)?).is_some(),
            ("BODY", Some(value)) if value.eq_ignore_ascii_case("8BITMIME") => body.replace(true).is_some(),
            ("BODY", Some(value)) if value.eq_ignore_ascii_case("7BIT") => body.replace(false).is_some(),
            ("SMTPUTF8", None) => utf8.replace(()).is_some(),
            // Who wrote the message is the client's claim; not believing it is always allowed (RFC 4954 §5).
            ("AUTH", Some(value)) if !value.is_empty() => auth.replace(()).is_some(),
            ("SIZE" | "BODY" | "SMTPUTF8" | "AUTH", _) => return Err(BadCommand::Syntax),
            _ => return Err(BadCommand::Parameter),
        };
        if before {
            return Err(BadCommand::Syntax);
        }
    }
    Ok(Command::Mail { reverse_path, size, eight_bit: body == Some(true), utf8: utf8.is_some() })
}

/// One to twenty digits (RFC 1870 §3); what no 64 bits hold is above every limit all the same.
fn parse_size(value: &str) -> Result<u64, BadCommand> {
    if (1..=20).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit()) {
        Ok(value.parse().unwrap_or(u64::MAX))
    } else {
        Err(BadCommand::Syntax)
    }
}

fn parse_rcpt(argument: &str) -> Result<Command, BadCommand> {
    let (forward_path, mut parameters) = parse_path(argument, "TO:")?;
    if forward_path.is_null() {
        return Err(BadPath::Incomplete.into());
    }
    if parameters.next().is_some() {
        return Err(BadCommand::Parameter);
    }
    Ok(Command::Rcpt { forward_path })
}

fn parse_auth(argument: &str) -> Result<Command, BadCommand> {
    let (mechanism, initial) = argument.split_once(' ').map_or((argument, None), |(m, i)| (m, Some(i)));
    let is_name = (1..=MECHANISM_OCTETS_MAX).contains(&mechanism.len())
        && mechanism.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if !is_name {
        return Err(BadCommand::Syntax);
    }
    let initial = match initial.map(|initial| initial.trim_start_matches(' ')) {
        None => None,
        Some("=") => Some(Secret::default()),
        Some(text) => Some(STANDARD.decode(text).map(Secret::new).map_err(|_| BadCommand::Base64)?),
    };
    Ok(Command::Auth { mechanism: mechanism.to_ascii_uppercase(), initial })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(line: &str) -> Result<Command, BadCommand> {
        Command::parse(line.as_bytes())
    }

    fn mail(address: &str) -> Command {
        let reverse_path = if address.is_empty() { Path::null() } else { address.parse().unwrap() };
        Command::Mail { reverse_path, size: None, eight_bit: false, utf8: false }
    }

    #[test]
    fn every_command_is_written_as_it_is_read() {
        for line in [
            "EHLO modem.example",
            "HELO [192.0.2.1]",
            "MAIL FROM:<>",
            "MAIL FROM:<mike@server.com>",
            "MAIL FROM:<mike@server.com> SIZE=10485760 BODY=8BITMIME SMTPUTF8",
            "RCPT TO:<john@server.com>",
            "RCPT TO:<Postmaster>",
            "RCPT TO:<\"a b\\\"@c\"@server.com>",
            "RCPT TO:<user@[IPv6:2001:db8::1]>",
            "DATA",
            "RSET",
            "NOOP",
            "QUIT",
            "VRFY Mike Smith",
            "HELP",
            "STARTTLS",
            "AUTH CRAM-MD5",
            "AUTH PLAIN =",
            "AUTH PLAIN AHVuAHB3ZA==",
        ] {
            assert_eq!(parse(line).unwrap().to_string(), line);
        }
    }

    #[test]
    fn case_and_spaces_are_of_no_matter() {
        assert_eq!(parse("mail from: <a@b> "), Ok(mail("a@b")));
        assert_eq!(parse("Mail  From:<a@b>  body=7bit"), Ok(mail("a@b")));
        assert_eq!(parse("quit "), Ok(Command::Quit));
        assert_eq!(parse("noop all the rest"), Ok(Command::Noop));
        assert_eq!(parse("auth plain  ="), parse("AUTH PLAIN ="));
    }

    #[test]
    fn a_source_route_is_left_out() {
        assert_eq!(parse("MAIL FROM:<@a.example,@b.example:u@c.example>"), Ok(mail("u@c.example")));
    }

    #[test]
    fn a_claimed_author_is_read_past() {
        assert_eq!(parse("MAIL FROM:<a@b> AUTH=<>"), Ok(mail("a@b")));
        assert_eq!(parse("MAIL FROM:<a@b> AUTH=c+2Bd@e"), Ok(mail("a@b")));
    }

    #[test]
    fn what_is_no_command_says_why() {
        use BadCommand::{Address, Base64, Parameter, Syntax, Unknown};
        for (line, why) in [
            ("", Unknown),
            ("BDAT 3 LAST", Unknown),
            ("HELLO x", Unknown),
            ("EHLO", Syntax),
            ("EHLO a b", Syntax),
            ("DATA now", Syntax),
            ("VRFY", Syntax),
            ("MAIL", Syntax),
            ("MAIL FROM", Syntax),
            ("MAIL FROM:a@b", Syntax),
            ("MAIL FROM:<a@b", Syntax),
            ("MAIL FROM:<a@b>SIZE=1", Syntax),
            ("MAIL FROM:<a@b>>", Syntax),
            ("MAIL FROM:<<a@b>", Address(BadPath::Character)),
            ("MAIL FROM:<a@b> SIZE=", Syntax),
            ("MAIL FROM:<a@b> SIZE", Syntax),
            ("MAIL FROM:<a@b> SIZE=-1", Syntax),
            ("MAIL FROM:<a@b> SIZE=123456789012345678901", Syntax),
            ("MAIL FROM:<a@b> SIZE=1 SIZE=1", Syntax),
            ("MAIL FROM:<a@b> BODY=BINARYMIME", Syntax),
            ("MAIL FROM:<a@b> SMTPUTF8=1", Syntax),
            ("MAIL FROM:<a@b> RET=HDRS", Parameter),
            ("RCPT TO:<>", Address(BadPath::Incomplete)),
            ("RCPT TO:<a@b> NOTIFY=NEVER", Parameter),
            ("RCPT FROM:<a@b>", Syntax),
            ("AUTH", Syntax),
            ("AUTH PL@IN", Syntax),
            ("AUTH PLAIN not/base64!", Base64),
            ("AUTH PLAIN AAAA AAAA", Base64),
            ("NOOP\0", Syntax),
            ("NOOP\rQUIT", Syntax),
        ] {
            assert_eq!(parse(line), Err(why), "{line:?}");
        }
        assert_eq!(Command::parse(b"NOOP \xff"), Err(Syntax));
    }

    #[test]
    fn a_size_beyond_counting_is_the_largest() {
        let Ok(Command::Mail { size, .. }) = parse("MAIL FROM:<a@b> SIZE=99999999999999999999") else {
            panic!()
        };
        assert_eq!(size, Some(u64::MAX));
    }

    #[test]
    fn addresses_that_smtp_cannot_carry() {
        use BadPath::{Character, Incomplete, TooLong};
        for (address, why) in [
            ("", Incomplete),
            ("@b", Incomplete),
            ("a@", Incomplete),
            ("a b@c", Character),
            ("a@b c", Character),
            ("a@b@c", Character),
            ("a\r\nRCPT TO:<x@y", Character),
            ("a@b\r\nDATA", Character),
            ("a@b\n", Character),
            ("a\0@b", Character),
            ("a>@b", Character),
            ("<a@b>", Character),
            ("\"a>b\"@c", Character),
            ("\"a\r\nb\"@c", Character),
            ("\"a\\\nb\"@c", Character),
            ("\"a\"b@c", Character),
            ("\"a@c", Character),
            ("\"a\\\"@c", Character),
            ("a,b@c", Character),
            ("a@[1.2.3.4", Character),
            ("a@\u{2028}b", Character),
        ] {
            assert_eq!(address.parse::<Path>(), Err(why), "{address:?}");
        }
        let longest = "a".repeat(ADDRESS_OCTETS_MAX - 2);
        assert!(format!("{longest}@b").parse::<Path>().is_ok());
        assert_eq!(format!("{longest}@bc").parse::<Path>(), Err(TooLong));
    }

    #[test]
    fn the_local_part_ends_at_the_at_outside_quotes() {
        for (address, local) in [("550@x", "550"), ("\"a@b\"@c", "\"a@b\""), ("Postmaster", "Postmaster")] {
            assert_eq!(address.parse::<Path>().unwrap().local_part(), local);
        }
        assert!(!"\u{fc}@x".parse::<Path>().unwrap().is_ascii());
        assert_eq!(Path::null().local_part(), "");
    }

    #[test]
    fn a_secret_does_not_show_when_debugged() {
        let command = parse("AUTH PLAIN AHVuAHB3ZA==").unwrap();
        let shown = format!("{command:?}");
        assert!(shown.contains("***") && !shown.contains("pwd") && !shown.contains("AHVu"), "{shown}");
    }

    #[test]
    fn words_from_settings_stay_on_their_line() {
        assert_eq!(Command::Ehlo("a\r\nMAIL".into()).to_string(), "EHLO a??MAIL");
    }

    proptest! {
        #[test]
        fn an_address_survives_its_command_or_is_none(address in "(?s)[a<>\"\\\\@. :,\r\n\0\u{fc}]{0,12}") {
            if let Ok(path) = address.parse::<Path>() {
                let command = Command::Rcpt { forward_path: path.clone() };
                prop_assert_eq!(parse(&command.to_string()), Ok(command));
                prop_assert_eq!(path.as_str(), address);
            }
        }

        #[test]
        fn no_octets_upset_the_parser(line in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Command::parse(&line);
        }

        #[test]
        fn what_is_parsed_can_be_written_and_parsed_again(
            line in "(MAIL FROM|RCPT TO|AUTH|EHLO|VRFY)[: ][<>a@\" =.1]{0,12}( SIZE=[0-9]{1,3})?"
        ) {
            if let Ok(command) = parse(&line) {
                prop_assert_eq!(parse(&command.to_string()), Ok(command));
            }
        }
    }
}
