//! HTML to text that can be read.
//!
//! Not here: whether a mail's HTML is its text.

use crate::limits::{HTML_NESTING_MAX, HTML_TAGS_MAX};
use memchr::{memchr, memmem};

/// Columns the text is wrapped at.
const COLUMNS: usize = 78;

/// Elements that end by themselves (HTML §13.1.2.4) or have no content (§13.1.2): open ones do not pile up.
const SELF_ENDING: [&str; 27] = [
    "area", "base", "br", "col", "colgroup", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta",
    "optgroup", "option", "p", "param", "source", "tbody", "td", "tfoot", "th", "thead", "tr", "track",
    "wbr",
];

/// The text of an HTML document. `None` when it cannot be made in reasonable time: the work of reading HTML grows
/// with the square of how deep its elements nest, and each of them may indent every line; tables grow with the square of
/// their cells.
pub(super) fn to_text(html: &str) -> Option<String> {
    let Outline { tags, nesting } = outline(html);
    if tags > HTML_TAGS_MAX || nesting > HTML_NESTING_MAX {
        return None;
    }
    let html = without_row_spans(html);
    html2text::config::plain()
        .no_table_borders()
        .allow_width_overflow()
        .string_from_read(html.as_bytes(), COLUMNS)
        .ok()
}

/// The charset a document says it is in, for those whose part says none (HTML §13.2.3.2 looks as far too).
pub(super) fn charset(html: &[u8]) -> Option<String> {
    let head = html.get(..1_024).unwrap_or(html).to_ascii_lowercase();
    let at = memmem::find(&head, b"charset=")?;
    let label = head.get(at + 8..).unwrap_or_default();
    let label = label.strip_prefix(b"\"").or_else(|| label.strip_prefix(b"'")).unwrap_or(label);
    let is_label = |octet: &&u8| octet.is_ascii_alphanumeric() || b"-_:.".contains(octet);
    let label: Vec<u8> = label.iter().take_while(is_label).copied().collect();
    // What is read as octets of ASCII cannot be in a charset of wider units.
    String::from_utf8(label).ok().filter(|label| !label.starts_with("utf-16"))
}

/// Cells that span rows cost the square of the rows, and say nothing in a text.
fn without_row_spans(html: &str) -> String {
    let lower = html.to_ascii_lowercase();
    let mut without = String::with_capacity(html.len());
    let mut from = 0;
    for (at, name) in lower.match_indices("rowspan") {
        let after = at + name.len();
        if html.get(after..).unwrap_or_default().trim_start().starts_with('=') {
            without.push_str(html.get(from..at).unwrap_or_default());
            without.push('x');
            from = after;
        }
    }
    without.push_str(html.get(from..).unwrap_or_default());
    without
}

/// What the work of reading a document grows with.
#[derive(Debug, PartialEq, Eq)]
struct Outline {
    /// How many tags it has, or more.
    tags: usize,
    /// How many elements are inside one another, or more: an end tag counts only where it ends the element opened last.
    nesting: usize,
}

fn outline(html: &str) -> Outline {
    let mut open: Vec<&str> = Vec::new();
    let (mut tags, mut nesting) = (0, 0);
    let mut rest = html;
    while let Some(at) = memchr(b'<', rest.as_bytes()) {
        rest = rest.get(at + 1..).unwrap_or_default();
        let (is_end, tag) = rest.strip_prefix('/').map_or((false, rest), |tag| (true, tag));
        let name_end = tag.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(tag.len());
        let name = tag.get(..name_end).unwrap_or_default();
        tags += usize::from(!name.is_empty());
        if name.is_empty() || SELF_ENDING.iter().any(|other| name.eq_ignore_ascii_case(other)) {
            continue;
        }
        if !is_end {
            open.push(name);
            nesting = nesting.max(open.len());
        } else if open.last().is_some_and(|last| name.eq_ignore_ascii_case(last)) {
            open.pop();
        }
    }
    Outline { tags, nesting }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_becomes_text() {
        let html = "<html><head><title>no</title><style>no</style></head><body><h1>Hi</h1><p>a&nbsp;&uuml;<br>b \
                    <a href=\"http://x.example/\">link</a><ul><li>one<li>two</ul><script>no</script>";
        let text = to_text(html).unwrap();
        for word in ["Hi", "\u{a0}ü\nb", "* one", "* two", "http://x.example/"] {
            assert!(text.contains(word), "{word:?} in {text:?}");
        }
        assert!(!text.contains("no"), "{text:?}");
    }

    #[test]
    fn the_charset_of_the_document() {
        assert_eq!(
            charset(b"<META http-equiv=x content=\"text/html; charset=Shift_JIS\">").as_deref(),
            Some("shift_jis")
        );
        assert_eq!(charset(b"<meta charset='utf-8'>").as_deref(), Some("utf-8"));
        assert_eq!(charset(b"<meta charset=utf-16>"), None);
        assert_eq!(charset(b"<p>x"), None);
    }

    #[test]
    fn row_spans_go_and_the_word_stays() {
        assert_eq!(without_row_spans("<td RowSpan = \"2\">rowspan ü</td>"), "<td x = \"2\">rowspan ü</td>");
        let text = to_text("<table><tr><td rowspan=2>a<td>b<tr><td>c</table>").unwrap();
        assert!(text.contains('a') && text.contains('c'), "{text:?}");
    }

    #[test]
    fn tags_are_counted_and_more_than_the_bound_are_not_read() {
        assert_eq!(outline("<b>a</b> < 1 <!-- --><br/><TD x>"), Outline { tags: 4, nesting: 1 });
        for unit in ["<td>x", "<br>", "<blockquote></blockquote>"] {
            let tags = unit.matches('<').count();
            let fits = unit.repeat(HTML_TAGS_MAX / tags);
            assert!(to_text(&fits).is_some(), "{unit}");
            assert_eq!(to_text(&format!("{fits}<p>")), None, "{unit}");
        }
    }

    #[test]
    fn nesting_is_counted_and_never_too_low() {
        let nesting = |html: &str| outline(html).nesting;
        assert_eq!(nesting("<b><i>x</i></b><b><br><p><p></b>"), 2);
        assert_eq!(nesting("<ul><marquee></ul></marquee>".repeat(3).as_str()), 4);
        assert_eq!(nesting("a < b <> </b> <!-- -->"), 0);
        assert_eq!(to_text(&"<ul><li>".repeat(HTML_NESTING_MAX + 1)), None);
        assert!(to_text(&format!("{}x", "<div>".repeat(HTML_NESTING_MAX))).is_some());
    }
}
