//! A sequence of happenings, written in octets such that a corpus can be read and a fuzzer's small change of it is a small
//! change of what happens: octets stand for themselves, up to a mark. A mark is the octet FF and a letter; what the
//! letter means is each law's own. FF FF is the octet FF.

const MARK: u8 = 0xff;

/// One happening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// Octets come; never none.
    Octets(&'a [u8]),
    /// A mark's letter.
    Mark(u8),
}

/// Takes the octets apart.
pub(crate) fn steps(octets: &[u8]) -> impl Iterator<Item = Step<'_>> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        let (step, after) = match rest {
            [] => return None,
            [MARK, MARK, after @ ..] => (Step::Octets(&[MARK]), after),
            [MARK, letter, after @ ..] => (Step::Mark(*letter), after),
            [MARK] => return None,
            _ => {
                let end = rest.iter().position(|&octet| octet == MARK).unwrap_or(rest.len());
                let (octets, after) = rest.split_at(end);
                (Step::Octets(octets), after)
            }
        };
        rest = after;
        Some(step)
    })
}

/// The octets that come, without the marks between.
pub(crate) fn octets_of(octets: &[u8]) -> Vec<u8> {
    let octets = steps(octets).filter_map(|step| match step {
        Step::Octets(octets) => Some(octets),
        Step::Mark(_) => None,
    });
    octets.collect::<Vec<_>>().concat()
}

/// The first octet, of which the bits choose something, and the others.
pub(crate) fn choice(octets: &[u8]) -> (u8, &[u8]) {
    octets.split_first().map_or((0, octets), |(first, rest)| (*first, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_marks_and_the_mark_itself() {
        let found: Vec<Step<'_>> = steps(b"ab\xffnc\xff\xff\xffn\xff").collect();
        assert_eq!(
            found,
            [
                Step::Octets(b"ab"),
                Step::Mark(b'n'),
                Step::Octets(b"c"),
                Step::Octets(b"\xff"),
                Step::Mark(b'n'),
            ]
        );
    }
}
