//! What is to be done.

/// One of the works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// S1: compose and send one mail with five files.
    SendLarge,
    /// S2: send 1,000 mails of 2 kB, a connection each.
    SendSmall,
    /// P1: fetch one mail, and save its text and its five files.
    FetchLarge,
    /// P2: fetch 1,000 mails of 2 kB into files.
    FetchSmall,
    /// P3: look at the headers of 1,000 mails.
    Headers,
}

impl Work {
    pub(crate) const ALL: [Self; 5] =
        [Self::SendLarge, Self::SendSmall, Self::FetchLarge, Self::FetchSmall, Self::Headers];

    pub(crate) const fn letters(self) -> &'static str {
        match self {
            Self::SendLarge => "S1",
            Self::SendSmall => "S2",
            Self::FetchLarge => "P1",
            Self::FetchSmall => "P2",
            Self::Headers => "P3",
        }
    }

    pub(crate) fn named(letters: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|work| work.letters() == letters)
    }

    pub(crate) const fn sends(self) -> bool {
        matches!(self, Self::SendLarge | Self::SendSmall)
    }

    /// Whether files come of it.
    pub(crate) const fn saves(self) -> bool {
        matches!(self, Self::FetchLarge | Self::FetchSmall)
    }

    /// In words.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::SendLarge => "compose and send one mail, 10 MiB in 5 files",
            Self::SendSmall => "1,000 mails of 2 kB, a connection each",
            Self::FetchLarge => "fetch one 14 MB mail, save its text and its 5 files",
            Self::FetchSmall => "fetch 1,000 mails of 2 kB into files",
            Self::Headers => "look at 1,000 headers",
        }
    }
}
