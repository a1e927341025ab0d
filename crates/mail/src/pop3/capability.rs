//! What a server says it can do (RFC 2449 §6). Only what one of the two ends acts on is kept.

/// The capabilities of a server, as CAPA lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// TOP is there.
    pub top: bool,
    /// UIDL is there.
    pub uidl: bool,
    /// USER and PASS may log in.
    pub user: bool,
    /// STLS is there (RFC 2595 §4).
    pub stls: bool,
    /// Responses may begin with a response code (RFC 2449 §6.4).
    pub resp_codes: bool,
    /// … and with `[AUTH]` and `[SYS/…]` (RFC 3206 §6).
    pub auth_resp_code: bool,
    /// Commands may come before the one before is answered (RFC 2449 §6.6).
    pub pipelining: bool,
    /// AUTH is there (RFC 5034 §3): the names of its mechanisms, space-separated.
    pub sasl: Option<String>,
}

impl Capabilities {
    /// Nothing, or nothing known.
    pub const NONE: Self = Self {
        top: false,
        uidl: false,
        user: false,
        stls: false,
        resp_codes: false,
        auth_resp_code: false,
        pipelining: false,
        sasl: None,
    };

    /// Takes a line of the listing, without its end; a keyword that is not known is passed over.
    pub fn push(&mut self, line: &str) {
        let (keyword, arguments) = line.split_once(' ').unwrap_or((line, ""));
        if keyword.eq_ignore_ascii_case("SASL") {
            self.sasl = Some(arguments.trim().to_owned());
        } else if let Some((_, flag)) =
            self.flags().into_iter().find(|(name, _)| name.eq_ignore_ascii_case(keyword))
        {
            *flag = true;
        }
    }

    /// The keywords of the listing, a line each.
    pub fn keywords(mut self) -> impl Iterator<Item = String> {
        let flags = self.flags().map(|(name, flag)| flag.then(|| name.to_owned()));
        flags.into_iter().flatten().chain(self.sasl.map(|names| format!("SASL {names}")))
    }

    fn flags(&mut self) -> [(&'static str, &mut bool); 7] {
        [
            ("TOP", &mut self.top),
            ("UIDL", &mut self.uidl),
            ("USER", &mut self.user),
            ("STLS", &mut self.stls),
            ("RESP-CODES", &mut self.resp_codes),
            ("AUTH-RESP-CODE", &mut self.auth_resp_code),
            ("PIPELINING", &mut self.pipelining),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_is_read_back_and_the_rest_passed_over() {
        let sasl = Some("PLAIN X-NEW".to_owned());
        let all = Capabilities {
            top: true,
            stls: true,
            resp_codes: true,
            pipelining: true,
            sasl,
            ..Capabilities::NONE
        };
        assert_eq!(
            all.clone().keywords().collect::<Vec<_>>(),
            ["TOP", "STLS", "RESP-CODES", "PIPELINING", "SASL PLAIN X-NEW"]
        );
        let mut read = Capabilities::NONE;
        for line in
            ["top", "STLS", "RESP-CODES", "Pipelining", "sasl PLAIN X-NEW ", "EXPIRE 60", "", "XTOP", "TOPS"]
        {
            read.push(line);
        }
        assert_eq!(read, all);
    }
}
