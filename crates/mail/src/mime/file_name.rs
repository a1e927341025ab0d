//! Names of saved attachments: what a mail asks for, made safe for a drive (commands of the file group: no path, no
//! forbidden characters, first character a letter, digit or underscore, last one no dot).
//!
//! Not here: where the file is saved. The mail has no say in that.

use super::charset::cut;
use crate::limits::FILE_NAME_OCTETS_MAX;

/// Longest ending that is kept whole when a name is cut or numbered, with its dot.
const EXTENSION_OCTETS_MAX: usize = 16;

/// A file name for an attachment called `name` of type `content_type`, such that `is_taken` does not know it.
///
/// Of a path its last component is used. What is forbidden, invisible or turns the writing direction is replaced or
/// left out; the result has at most [`FILE_NAME_OCTETS_MAX`] octets with its extension kept. Without a name it is
/// `attachment` with an extension by the type. A taken name becomes `name(1).ext`, then `name(2).ext`; `is_taken`
/// should not tell upper from lower case, as some drives do not.
#[must_use]
pub fn safe_name(name: Option<&str>, content_type: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let safe = name.map(make_safe).filter(|safe| !safe.is_empty());
    let safe = safe.unwrap_or_else(|| format!("attachment.{}", extension(content_type)));
    let (stem, extension) = split_extension(&safe);
    let mut number = 0_u64;
    loop {
        let suffix = if number == 0 { extension.to_owned() } else { format!("({number}){extension}") };
        let mut candidate = stem.to_owned();
        cut(&mut candidate, FILE_NAME_OCTETS_MAX.saturating_sub(suffix.len()));
        candidate.push_str(&suffix);
        // An extension that is cut off may leave a space or a dot at the end of a stem without extension.
        let candidate = candidate.trim_end_matches(['.', ' ']);
        if !is_taken(candidate) {
            return candidate.to_owned();
        }
        number += 1;
    }
}

fn make_safe(name: &str) -> String {
    let last = name.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or_default();
    let mut safe = String::with_capacity(last.len());
    for c in last.chars() {
        match c {
            _ if is_invisible(c) => {}
            ':' | '*' | '?' | '"' | '<' | '>' | '|' | ',' | ';' => safe.push('_'),
            _ if c.is_control() => safe.push('_'),
            _ if c.is_whitespace() => safe.push(' '),
            _ => safe.push(c),
        }
    }
    let safe = safe.trim_matches(|c: char| c == '.' || c == ' ');
    match safe.chars().next() {
        Some(first) if !first.is_alphanumeric() && first != '_' => format!("_{safe}"),
        _ if is_device(safe) => format!("_{safe}"),
        _ => safe.to_owned(),
    }
}

/// Characters that show nothing, or turn the writing direction and so disguise an extension.
const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Names that mean a device to some systems, whatever their extension.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let numbered = |kind| {
        let number = stem.strip_prefix(kind).unwrap_or_default();
        number.len() == 1 && number.bytes().all(|digit| digit.is_ascii_digit())
    };
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt")
}

/// The name without its extension, and the extension with its dot. `.tar.gz` and its like count as one.
fn split_extension(name: &str) -> (&str, &str) {
    let Some(dot) = name.rfind('.').filter(|dot| *dot > 0 && name.len() - dot <= EXTENSION_OCTETS_MAX) else {
        return (name, "");
    };
    let dot = name.get(..dot).and_then(|stem| stem.strip_suffix(".tar")).map_or(dot, str::len);
    name.split_at(if dot == 0 { name.len() } else { dot })
}

/// The extension for a type without a name.
fn extension(content_type: &str) -> &'static str {
    const BY_TYPE: [(&str, &str); 31] = [
        ("application/gzip", "gz"),
        ("application/json", "json"),
        ("application/ms-tnef", "dat"),
        ("application/msword", "doc"),
        ("application/pdf", "pdf"),
        ("application/pgp-encrypted", "pgp"),
        ("application/pgp-signature", "asc"),
        ("application/pkcs7-mime", "p7m"),
        ("application/pkcs7-signature", "p7s"),
        ("application/x-pkcs7-signature", "p7s"),
        ("application/postscript", "ps"),
        ("application/rtf", "rtf"),
        ("application/vnd.ms-excel", "xls"),
        ("application/xml", "xml"),
        ("application/zip", "zip"),
        ("audio/amr", "amr"),
        ("audio/basic", "au"),
        ("audio/mpeg", "mp3"),
        ("audio/wav", "wav"),
        ("image/bmp", "bmp"),
        ("image/gif", "gif"),
        ("image/jpeg", "jpg"),
        ("image/jpg", "jpg"),
        ("image/png", "png"),
        ("image/tiff", "tif"),
        ("message/rfc822", "eml"),
        ("text/calendar", "ics"),
        ("text/html", "html"),
        ("text/vcard", "vcf"),
        ("video/3gpp", "3gp"),
        ("video/mp4", "mp4"),
    ];
    let known = BY_TYPE.iter().find(|(name, _)| content_type.eq_ignore_ascii_case(name));
    match (known, content_type.split('/').next()) {
        (Some((_, extension)), _) => extension,
        // Reports and mails in pieces are text for people, as long as they are not sent as mails.
        (None, Some("text" | "message")) => "txt",
        _ => "bin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn safe(name: &str) -> String {
        safe_name(Some(name), "application/octet-stream", |_| false)
    }

    #[test]
    fn good_names_stay() {
        for name in ["a.txt", "Bild 1.jpg", "тест.doc", "_x", "7", "a.b.c", "x (1).pdf", "nyan cat ✔.gif"]
        {
            assert_eq!(safe(name), name);
        }
    }

    #[test]
    fn no_path_survives() {
        assert_eq!(safe("/etc/passwd"), "passwd");
        assert_eq!(safe("..\\..\\boot.ini"), "boot.ini");
        assert_eq!(safe("C:\\a\\b.txt"), "b.txt");
        assert_eq!(safe("a/../b/"), "b");
        for nothing in ["", "..", "../..", "/", ".", " . ", "\u{200b}"] {
            assert_eq!(safe(nothing), "attachment.bin", "{nothing:?}");
        }
    }

    #[test]
    fn forbidden_characters_and_disguises() {
        assert_eq!(safe("a:b*c?d\"e<f>g|h,i;j\u{7}k"), "a_b_c_d_e_f_g_h_i_j_k");
        assert_eq!(safe("ann\u{202e}gpj.exe"), "anngpj.exe");
        assert_eq!(safe("a\u{200b}b\u{a0}c\td"), "ab c_d");
        assert_eq!(safe(".htaccess."), "htaccess");
        assert_eq!(safe("-rf"), "_-rf");
        assert_eq!(safe("~x"), "_~x");
        assert_eq!(safe("NUL.txt"), "_NUL.txt");
        assert_eq!(safe("com1"), "_com1");
        assert_eq!(safe("com10"), "com10");
    }

    #[test]
    fn names_by_type() {
        let by_type = |content_type| safe_name(None, content_type, |_| false);
        assert_eq!(by_type("image/jpeg"), "attachment.jpg");
        assert_eq!(by_type("message/rfc822"), "attachment.eml");
        assert_eq!(by_type("text/x-unknown"), "attachment.txt");
        assert_eq!(by_type("message/delivery-status"), "attachment.txt");
        assert_eq!(by_type("x/y"), "attachment.bin");
        assert_eq!(by_type(""), "attachment.bin");
    }

    #[test]
    fn a_taken_name_is_numbered_before_its_extension() {
        let taken = ["a.txt", "a(1).txt", "b.tar.gz", "c"];
        let is_taken = |name: &str| taken.iter().any(|other| other.eq_ignore_ascii_case(name));
        assert_eq!(safe_name(Some("A.TXT"), "", is_taken), "A(2).TXT");
        assert_eq!(safe_name(Some("b.tar.gz"), "", is_taken), "b(1).tar.gz");
        assert_eq!(safe_name(Some("c"), "", is_taken), "c(1)");
    }

    #[test]
    fn long_names_keep_their_extension() {
        let name = safe(&format!("{}.jpeg", "ü".repeat(500)));
        assert!(
            name.len() <= FILE_NAME_OCTETS_MAX && name.len() > FILE_NAME_OCTETS_MAX - 2,
            "{}",
            name.len()
        );
        assert!(name.ends_with("ü.jpeg"));
        let numbered = safe_name(Some(&name), "", |other| other == name);
        assert!(numbered.len() <= FILE_NAME_OCTETS_MAX && numbered.ends_with("(1).jpeg"));
        assert_eq!(safe(&format!("a.{}", "b".repeat(500))).len(), FILE_NAME_OCTETS_MAX);
    }

    proptest! {
        #[test]
        fn every_name_is_one_the_file_commands_can_address(
            name in prop::collection::vec(prop::sample::select(&['/', '\\', '.', ' ', ':', ';', 'a', 'ü', '(', '\0', '\u{202e}'][..]), 0..150)
        ) {
            let name: String = name.into_iter().collect();
            let safe = safe(&name);
            prop_assert!(!safe.is_empty() && safe.len() <= FILE_NAME_OCTETS_MAX);
            prop_assert!(!safe.chars().any(|c| "\\:*?\"<>|,;/".contains(c) || c.is_control()));
            prop_assert!(safe.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
            prop_assert!(!safe.ends_with(['.', ' ']));
        }
    }
}
