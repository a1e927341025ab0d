//! What happened, for people: kept only when somebody wants to read it.

use crate::reading::text;
use mail::machine::Instant;

/// See the module's words.
#[derive(Debug, Default)]
pub struct Transcript {
    lines: Option<Vec<String>>,
}

/// Longest run of octets that is written.
const OCTETS_MAX: usize = 400;

impl Transcript {
    /// One that keeps nothing.
    #[must_use]
    pub const fn none() -> Self {
        Self { lines: None }
    }

    /// One that keeps everything.
    #[must_use]
    pub const fn kept() -> Self {
        Self { lines: Some(Vec::new()) }
    }

    /// Whether it keeps anything.
    pub(crate) const fn is_kept(&self) -> bool {
        self.lines.is_some()
    }

    /// What was kept.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }

    pub(crate) fn note(&mut self, now: Instant, words: &str) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>8} -- {words}", now.as_ms()));
        }
    }

    pub(crate) fn octets(&mut self, now: Instant, who: &str, octets: &[u8]) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>8} {who} {}", now.as_ms(), cut(octets)));
        }
    }

    pub(crate) fn link(&mut self, now: Instant, link: u64, who: &str, octets: &[u8]) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>8}    #{link} {who} {}", now.as_ms(), cut(octets)));
        }
    }
}

fn cut(octets: &[u8]) -> String {
    match octets.get(..OCTETS_MAX) {
        Some(start) if start.len() < octets.len() => format!("{} … ({} octets)", text(start), octets.len()),
        _ => text(octets),
    }
}
