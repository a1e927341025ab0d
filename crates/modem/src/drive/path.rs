//! Names and paths of the modem's drives (commands.md §4). A [`Name`] is checked once, when it is made; what is built of
//! names cannot leave a drive.

use super::Letter;
use std::fmt;

/// Longest path, drive and separators included.
pub const PATH_OCTETS_MAX: usize = 254;

/// What no name may hold, besides control characters.
const FORBIDDEN: &[char] = &['\\', ':', '*', '?', '"', '<', '>', '|', ',', ';', '/'];

/// The name of a folder or a file: 1 to [`PATH_OCTETS_MAX`] octets of UTF-8, no forbidden or control character, first a
/// letter, digit or `_`, last not `.`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// Checks a name.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let first = name.chars().next()?;
        let legal = name.len() <= PATH_OCTETS_MAX
            && (first.is_alphanumeric() || first == '_')
            && !name.ends_with('.')
            && !name.chars().any(|c| c.is_control() || FORBIDDEN.contains(&c));
        legal.then(|| Self(name.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A place on one of the drives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    /// Which drive.
    pub drive: Letter,
    /// The names from its root on; none for the root itself.
    pub names: Vec<Name>,
}

impl Path {
    /// The root of a drive.
    #[must_use]
    pub const fn root(drive: Letter) -> Self {
        Self { drive, names: Vec::new() }
    }

    /// Reads what a host wrote, starting from `self`: absolute (`C:/Picture/a.jpg`, `d:`), or relative
    /// (`Picture`, `../Audio`, `a.jpg`); one trailing `/` is allowed. `..` at the root stays there.
    ///
    /// `None` for an empty text, a name that is no [`Name`], and a path that is too long.
    #[must_use]
    pub fn join(&self, text: &str) -> Option<Self> {
        let (mut path, rest) = match text.split_once(':') {
            Some((drive, rest)) => {
                let drive = match drive {
                    "C" | "c" => Letter::C,
                    "D" | "d" => Letter::D,
                    _ => return None,
                };
                (Self::root(drive), rest.strip_prefix('/').or(rest.is_empty().then_some(""))?)
            }
            None if text.is_empty() => return None,
            // The root of the drive one is on.
            None => match text.strip_prefix('/') {
                Some(rest) => (Self::root(self.drive), rest),
                None => (self.clone(), text),
            },
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if !rest.is_empty() {
            for name in rest.split('/') {
                match name {
                    ".." => drop(path.names.pop()),
                    "." => {}
                    name => path.names.push(Name::new(name)?),
                }
            }
        }
        (path.to_string().len() <= PATH_OCTETS_MAX).then_some(path)
    }

    /// The path of what is called `name` in this folder.
    #[must_use]
    pub fn child(&self, name: Name) -> Self {
        let mut path = self.clone();
        path.names.push(name);
        path
    }

    /// The last name; `None` for a root.
    #[must_use]
    pub fn name(&self) -> Option<&Name> {
        self.names.last()
    }

    /// A file's folder, as a folder is shown, and its name: `C:/Email/100202110457/` and `EMAIL000.TXT`.
    #[must_use]
    pub fn as_folder_and_name(&self) -> (String, &str) {
        let mut folder = self.clone();
        folder.names.pop();
        (folder.as_folder(), self.name().map_or("", Name::as_str))
    }

    /// Whether both name the same place: on D: letter case is of no matter.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.names.len() == other.names.len() && self.is_or_holds(other)
    }

    /// Whether `other` is this place, or lies in it at any depth.
    #[must_use]
    pub fn is_or_holds(&self, other: &Self) -> bool {
        let case = self.drive.name_case();
        self.drive == other.drive
            && self.names.len() <= other.names.len()
            && self.names.iter().zip(&other.names).all(|(a, b)| case.key(a) == case.key(b))
    }

    /// The path as a folder is shown: with a trailing `/`.
    #[must_use]
    pub fn as_folder(&self) -> String {
        if self.names.is_empty() { self.to_string() } else { format!("{self}/") }
    }
}

/// As a file is shown: `C:/Picture/a.jpg`; a root is `C:/`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.drive)?;
        for (at, name) in self.names.iter().enumerate() {
            if at > 0 {
                f.write_str("/")?;
            }
            write!(f, "{name}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(from: &str, text: &str) -> Option<String> {
        Path::root(Letter::C).join(from).and_then(|path| path.join(text)).map(|path| path.as_folder())
    }

    #[test]
    fn absolute_and_relative_paths() {
        assert_eq!(joined("C:/", "C:/Picture").as_deref(), Some("C:/Picture/"));
        assert_eq!(joined("C:/Picture", "c:").as_deref(), Some("C:/"));
        assert_eq!(joined("C:/Picture", "D:/").as_deref(), Some("D:/"));
        assert_eq!(joined("C:/Picture", "a/b/").as_deref(), Some("C:/Picture/a/b/"));
        assert_eq!(joined("C:/Picture", "../Audio").as_deref(), Some("C:/Audio/"));
        assert_eq!(joined("C:/Picture", "../../..").as_deref(), Some("C:/"));
        assert_eq!(joined("C:/Picture", "/Audio").as_deref(), Some("C:/Audio/"));
    }

    #[test]
    fn places_and_what_lies_in_them() {
        let path = |text: &str| Path::root(Letter::C).join(text).unwrap();
        for (a, b, same, holds) in [
            ("C:/a", "C:/a", true, true),
            ("C:/a", "C:/A", false, false),
            ("D:/a", "D:/A", true, true),
            ("C:/a", "D:/a", false, false),
            ("C:/a", "C:/a/b", false, true),
            ("C:/a/b", "C:/a", false, false),
            ("C:/a", "C:/ab", false, false),
            ("C:/", "C:/a", false, true),
        ] {
            assert_eq!(
                (path(a).is_same_as(&path(b)), path(a).is_or_holds(&path(b))),
                (same, holds),
                "{a} {b}"
            );
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in
            ["", "E:/", "C:Picture", "a//b", "a\\b", "a:b", ".hidden", "a.", "a*", "\u{7}a", "-a", "a;b"]
        {
            assert_eq!(joined("C:/", text), None, "{text:?}");
        }
        let longest = "a".repeat(PATH_OCTETS_MAX - "C:/".len());
        assert!(joined("C:/", &longest).is_some());
        assert_eq!(joined("C:/", &format!("{longest}a")), None);
    }
}
