//! Patterns of names and addresses: `*` stands for any text, and case does not matter.

use std::fmt;

/// Texts, any of which may match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<String>);

impl Pattern {
    /// Any of these.
    #[must_use]
    pub const fn new(texts: Vec<String>) -> Self {
        Self(texts)
    }

    /// Whether one of them matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.0.iter().any(|pattern| matches(&pattern.to_lowercase(), &text))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" or "))
    }
}

/// The pieces between the stars are found one after the other; the first and last at the ends.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, pieces)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let (pieces, last) =
        pieces.rsplit_once('*').map_or((None, pieces), |(pieces, last)| (Some(pieces), last));
    for piece in pieces.into_iter().flat_map(|pieces| pieces.split('*')) {
        let Some(at) = rest.find(piece) else { return false };
        rest = rest.get(at + piece.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("smtp.server.com", &["smtp.server.com", "SMTP.Server.COM"], &["", "xsmtp.server.com"]),
            ("*", &["", "a", "a@b"], &[]),
            ("*@server.com", &["a@server.com", "@server.com"], &["server.com", "a@server.com.org"]),
            ("panel-*", &["panel-", "panel-4"], &["panel", "x-panel-4"]),
            ("a*b*c", &["abc", "a1b2c", "abbbc"], &["ac", "acb", "ab", "abcd"]),
            ("a*a", &["aa", "aba"], &["a"]),
            ("**", &["", "x"], &[]),
        ];
        for (pattern, good, bad) in cases {
            let pattern = Pattern::new(vec![(*pattern).to_owned()]);
            for text in *good {
                assert!(pattern.matches(text), "{pattern} {text}");
            }
            for text in *bad {
                assert!(!pattern.matches(text), "{pattern} {text}");
            }
        }
        let any = Pattern::new(vec!["a".to_owned(), "b*".to_owned()]);
        assert!(any.matches("a") && any.matches("bx") && !any.matches("ax"));
    }
}
