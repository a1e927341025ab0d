//! What a server says it can do, in its reply to EHLO (RFC 5321 §4.1.1.1).

use super::reply::Reply;

/// The extensions that matter here. The default is a server from before extensions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// Commands may be sent in groups (RFC 2920).
    pub pipelining: bool,
    /// Octets above 127 may travel as they are (RFC 6152).
    pub eight_bit_mime: bool,
    /// Addresses and header fields may be UTF-8 (RFC 6531).
    pub smtp_utf8: bool,
    /// The session can be secured (RFC 3207).
    pub start_tls: bool,
    /// A message's size may be declared (RFC 1870).
    pub size: bool,
    /// The largest message it takes, in octets, if it says.
    pub size_max: Option<u64>,
    /// The names of its authentication mechanisms, space-separated (RFC 4954 §3).
    pub authentication: Option<String>,
}

impl Extensions {
    /// Reads a positive reply to EHLO. The first line is the server's name; a keyword that is not known is no error.
    #[must_use]
    pub fn from_reply(reply: &Reply) -> Self {
        let mut extensions = Self::default();
        for line in reply.lines.iter().skip(1) {
            // `AUTH=LOGIN` is how servers from before RFC 2554 wrote it, and some still write both.
            let (keyword, parameters) = line.split_once([' ', '=']).unwrap_or((line, ""));
            match keyword.to_ascii_uppercase().as_str() {
                "PIPELINING" => extensions.pipelining = true,
                "8BITMIME" => extensions.eight_bit_mime = true,
                "SMTPUTF8" => extensions.smtp_utf8 = true,
                "STARTTLS" => extensions.start_tls = true,
                "SIZE" => {
                    extensions.size = true;
                    // RFC 1870 §4: zero is no limit.
                    extensions.size_max = parameters.trim().parse().ok().filter(|&octets| octets > 0);
                }
                "AUTH" => {
                    let names = extensions.authentication.get_or_insert_default();
                    if !names.is_empty() {
                        names.push(' ');
                    }
                    names.push_str(parameters.trim());
                }
                _ => {}
            }
        }
        extensions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_in_any_case_and_the_old_form_of_auth() {
        let lines =
            ["SIZE is my name", "size 100", "Pipelining", "AUTH PLAIN LOGIN", "AUTH=CRAM-MD5", "XFOO bar"];
        let reply = Reply { code: 250, lines: lines.map(str::to_owned).to_vec() };
        let extensions = Extensions::from_reply(&reply);
        assert!(extensions.pipelining && extensions.size && !extensions.start_tls);
        assert_eq!(extensions.size_max, Some(100));
        assert_eq!(extensions.authentication.as_deref(), Some("PLAIN LOGIN CRAM-MD5"));
    }

    #[test]
    fn a_size_of_zero_and_none_are_no_limit() {
        for line in ["SIZE", "SIZE 0", "SIZE x"] {
            let reply = Reply { code: 250, lines: vec![String::new(), line.to_owned()] };
            let extensions = Extensions::from_reply(&reply);
            assert!(extensions.size);
            assert_eq!(extensions.size_max, None, "{line}");
        }
    }
}
