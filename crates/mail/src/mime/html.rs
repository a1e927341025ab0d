//! HTML to text that can be read.
//!
//! Not here: whether a mail's HTML is its text; what is a tag and what a character of HTML's, which is the tokenizer's;
//! lines, which are in [`page`].

mod page;

use crate::limits::HTML_NUMBER_MAX;
use html5gum::{HtmlString, StartTag, Token, Tokenizer, naive_next_state};
use memchr::memmem;
use page::Page;

/// The text of an HTML document. The time is in proportion to its length, whatever it says.
pub(super) fn to_text(html: &str) -> String {
    let mut tokens = Tokenizer::new(html);
    let mut reading = Reading::default();
    while let Some(Ok(token)) = tokens.next() {
        if let Token::StartTag(tag) = &token
            && !is_shown_without_scripts(&tag.name)
            && !reading.is_complete(tag)
            && let Some(state) = naive_next_state(&tag.name)
        {
            tokens.set_state(state);
        }
        reading.take(token);
    }
    reading.end()
}

/// Whether its content is there for a reader who does not run scripts: a tokenizer has to be told.
fn is_shown_without_scripts(name: &[u8]) -> bool {
    name == b"noscript"
}

/// Whether it begins a picture or a formula.
fn is_foreign(name: &[u8]) -> bool {
    matches!(name, b"svg" | b"math")
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

/// Where in a document the reading is.
#[derive(Default)]
struct Reading {
    page: Page,
    /// The element whose content nobody sees.
    hidden: Option<HtmlString>,
    /// How deep it is in pictures and formulas, where a tag that closes itself does (HTML §13.2.6.5).
    foreign: usize,
    /// The marks of words that look different, each of which has begun.
    marks: Vec<&'static str>,
    /// Where the link leads that has no word yet: with none it is not shown.
    link: Option<String>,
    /// Whether one with words is open, and where all of those lead.
    is_in_link: bool,
    links: Vec<String>,
}

impl Reading {
    fn take(&mut self, token: Token) {
        match token {
            Token::StartTag(tag) if self.is_complete(&tag) => {}
            Token::EndTag(tag) if self.hidden.as_ref() == Some(&tag.name) => self.hidden = None,
            _ if self.hidden.is_some() => {}
            Token::StartTag(tag) => self.start(tag),
            Token::EndTag(tag) => self.end_of(&tag.name),
            Token::String(text) => self.write(&String::from_utf8_lossy(&text)),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }

    /// Whether this is an element without content.
    fn is_complete(&self, tag: &StartTag<()>) -> bool {
        tag.self_closing && (self.foreign > 0 || is_foreign(&tag.name))
    }

    fn start(&mut self, tag: StartTag<()>) {
        self.foreign += usize::from(is_foreign(&tag.name));
        let name: &[u8] = &tag.name;
        self.space(name);
        match name {
            b"script" | b"style" | b"title" | b"template" | b"iframe" | b"noembed" => {
                self.hidden = Some(tag.name);
            }
            b"br" => self.page.next_line(),
            b"hr" => {
                self.page.write("--------------------");
                self.page.end_paragraph();
            }
            b"h1" => self.page.write("# "),
            b"h2" => self.page.write("## "),
            b"h3" => self.page.write("### "),
            b"h4" => self.page.write("#### "),
            b"h5" => self.page.write("##### "),
            b"h6" => self.page.write("###### "),
            b"sup" => self.page.write("^"),
            b"td" | b"th" => self.page.next_cell(),
            b"li" => self.page.begin_item(),
            b"ul" => self.page.begin_list(None),
            b"ol" => {
                let first = attribute(&tag, b"start").and_then(|start| start.trim().parse().ok());
                self.page.begin_list(Some(first.unwrap_or(1).min(HTML_NUMBER_MAX)));
            }
            b"blockquote" => self.page.begin_quote(),
            b"pre" | b"xmp" => self.page.begin_verbatim(),
            b"img" => {
                if let Some(words) = attribute(&tag, b"alt") {
                    self.write(&format!("[{words}]"));
                }
            }
            b"a" => {
                self.end_link();
                self.link = attribute(&tag, b"href");
            }
            _ => {
                if let Some(mark) = mark(name)
                    && !self.marks.contains(&mark)
                {
                    self.marks.push(mark);
                    self.write(mark);
                }
            }
        }
    }

    fn end_of(&mut self, name: &[u8]) {
        match name {
            _ if is_foreign(name) => self.foreign = self.foreign.saturating_sub(1),
            b"a" => self.end_link(),
            b"blockquote" => self.page.end_quote(),
            b"pre" | b"xmp" => self.page.end_verbatim(),
            b"ul" | b"ol" => self.page.end_list(),
            _ => {
                if let Some(at) = self.marks.iter().position(|begun| Some(*begun) == mark(name)) {
                    self.page.write(self.marks.remove(at));
                }
            }
        }
        self.space(name);
    }

    /// The room that an element has above it and below.
    fn space(&mut self, name: &[u8]) {
        match name {
            b"ul" | b"ol" if self.page.is_in_list() => self.page.end_line(),
            b"blockquote" | b"dl" | b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" | b"hr" | b"ol" | b"p"
            | b"pre" | b"table" | b"ul" | b"xmp" => self.page.end_paragraph(),
            b"address" | b"article" | b"aside" | b"body" | b"caption" | b"center" | b"dd" | b"details"
            | b"dir" | b"div" | b"dt" | b"fieldset" | b"figcaption" | b"figure" | b"footer" | b"form"
            | b"header" | b"legend" | b"li" | b"main" | b"menu" | b"nav" | b"option" | b"section"
            | b"summary" | b"tr" => self.page.end_line(),
            _ => {}
        }
    }

    /// Words, the first of which begin a link.
    fn write(&mut self, text: &str) {
        let words = text.trim_start();
        if words.is_empty() {
            return self.page.write(text);
        }
        let (space, words) = text.split_at(text.len() - words.len());
        self.page.write(space);
        if let Some(place) = self.link.take() {
            self.links.push(place);
            self.is_in_link = true;
            self.page.write("[");
        }
        self.page.write(words);
    }

    fn end_link(&mut self) {
        self.link = None;
        if std::mem::take(&mut self.is_in_link) {
            self.page.write(&format!("][{}]", self.links.len()));
        }
    }

    /// The whole text, with the places that its links lead to below.
    fn end(mut self) -> String {
        self.end_link();
        for mark in self.marks.iter().rev() {
            self.page.write(mark);
        }
        self.page.end(&self.links)
    }
}

/// What stands at both ends of words that look different.
fn mark(name: &[u8]) -> Option<&'static str> {
    match name {
        b"b" | b"strong" => Some("**"),
        b"code" => Some("`"),
        b"del" | b"s" | b"strike" => Some("~~"),
        b"em" => Some("*"),
        _ => None,
    }
}

/// An attribute that says something.
fn attribute(tag: &StartTag<()>, name: &[u8]) -> Option<String> {
    let value = String::from_utf8_lossy(tag.attributes.get(name)?).into_owned();
    Some(value).filter(|value| !value.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{HTML_INDENTS_MAX, HTML_OCTETS_MAX};

    #[test]
    fn a_document_becomes_text() {
        let html = "<html><head><title>no</title><style>no</style></head><body><h1>Hi</h1><p>a&nbsp;&uuml;<br>b \
                    <a href=\"http://x.example/\">link</a><ul><li>one<li>two</ul><script>no</script>";
        let text = to_text(html);
        for word in ["Hi", "\u{a0}ü\nb", "* one", "* two", "http://x.example/"] {
            assert!(text.contains(word), "{word:?} in {text:?}");
        }
        assert!(!text.contains("no"), "{text:?}");
    }

    /// Each way of saying something, as a reader sees it.
    #[test]
    fn every_kind_of_element() {
        for (html, text) in [
            ("a<i>b</i>\n \t<u>c</u>", "ab c\n"),
            ("<b>a</b> <em>b</em><s>c</s> <code>d</code> <strong>e</strong>", "**a** *b*~~c~~ `d` **e**\n"),
            ("<b><strong>a</b></strong></em> b <em>c", "**a** b *c*\n"),
            ("10<sup>2</sup>", "10^2\n"),
            ("<ol start=9><li>a<br>b<li>c</ol>", "9. a\n   b\n10. c\n"),
            ("<noscript><p>a</p></noscript>", "a\n"),
            ("<p>a</p><p>b</p>", "a\n\nb\n"),
            ("<div>a</div><div><div>b</div></div>c", "a\nb\nc\n"),
            ("a<br>b<br/><br>c", "a\nb\n\nc\n"),
            ("<p>a</p><br><p>b", "a\n\nb\n"),
            ("<h2>a b</h2>c", "## a b\n\nc\n"),
            ("a<hr>b", "a\n\n--------------------\n\nb\n"),
            (
                "<ul><li>a<li>b<ol><li>c</li><li>d<br>e</li></ol></ul>f",
                "* a\n* b\n  1. c\n  2. d\n     e\n\nf\n",
            ),
            ("<ul><li></li><li>a</ul><li>b", "* a\n\n* b\n"),
            ("a<blockquote>b<br>c<ul><li>d</ul></blockquote>e", "a\n\n> b\n> c\n>\n> * d\n\ne\n"),
            ("<ul><li><blockquote>a</blockquote>b</ul>", "* > a\n\n  b\n"),
            ("<table><tr><td>a<td>b<tr><th>c</th> <th>d</table>e", "a  b\nc  d\n\ne\n"),
            ("<pre>\n a  b\n\n c</pre>d  e", " a  b\n\n c\n\nd e\n"),
            ("<img alt='a b'><img><img alt=''>c", "[a b]c\n"),
            ("<a href=x>a</a>, <a name=y>b</a>, <a href='z'>c", "[a][1], b, [c][2]\n\n[1]: x\n[2]: z\n"),
            ("a<a href=x> <img></a><a href=y> <b>b</b>\n<img alt=c></a>", "a [**b** [c]][1]\n\n[1]: y\n"),
            ("<a href='x\n y' href=z>a</a>", "[a][1]\n\n[1]: x y\n"),
            ("&lt;&copy &#150;&#x20ac;&notit;&nonsense;", "<© –€¬it;&nonsense;\n"),
            ("a < b && c > d", "a < b && c > d\n"),
            ("<p title='a > b'>c<!-- d > -->f", "cf\n"),
            (
                "<style>a<b></style>c<script>if (a<b) '<p>'</script>d<script></x></script><template><p>e</template>",
                "cd\n",
            ),
            ("<textarea><p>b</textarea>", "<p>b\n"),
            ("a<svg><style/><title/></svg><math/>b<svg><style>c</style></svg>d", "abd\n"),
            (
                "a&#27;[2J&#13;OK&#0;\0<pre>b&#13;c</pre><a href='x&#27;y'>d",
                "a[2J OK�\n\nbc\n\n[d][1]\n\n[1]: x y\n",
            ),
            ("</ul></blockquote></a></pre></p>a", "a\n"),
            ("", ""),
        ] {
            assert_eq!(to_text(html), text, "{html}");
        }
    }

    #[test]
    fn lines_are_wrapped_between_words_and_between_wide_letters() {
        let text = to_text(&format!("<blockquote>{}", "word ".repeat(40)));
        assert_eq!(text.lines().map(str::len).collect::<Vec<_>>(), [76, 76, 51]);
        assert!(text.lines().all(|line| line.starts_with("> word ")), "{text}");
        let text = to_text(&format!("{}<p>{}", "漢".repeat(50), "x".repeat(100)));
        assert_eq!(text.lines().map(|line| line.chars().count()).collect::<Vec<_>>(), [39, 11, 0, 100]);
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

    /// What is deeper is not farther in, and ends where it ends.
    #[test]
    fn indents_have_a_bound() {
        let html = "<blockquote>".repeat(100) + "x" + &"</blockquote>".repeat(100) + "y";
        assert_eq!(to_text(&html), "> ".repeat(HTML_INDENTS_MAX) + "x\n\ny\n");
    }

    /// The longest documents that are made to become long: a text is no more than so many times as long.
    #[test]
    fn no_document_becomes_much_longer() {
        let deep = "<ol start=999999><li>".repeat(1_000);
        for unit in [
            "<td>",
            "<br>",
            "<hr>",
            "<blockquote>",
            "<ul><li>",
            "<ol><li>x",
            "<a href=x>",
            "<div><p>x",
            "</ul></blockquote>",
            "<x y=z ",
            "</",
            "<!--",
            "&",
            "&am",
            "&#1;",
            "<pre>\n",
            "<table><tr><td>",
            "<style>",
            "<h6>",
            "漢",
            "<br>x",
        ] {
            for before in ["", &deep, "<pre>", "<a b='"] {
                let html = before.to_owned() + &unit.repeat((HTML_OCTETS_MAX - before.len()) / unit.len());
                let text = to_text(&html);
                assert!(text.len() <= 12 * HTML_OCTETS_MAX, "{} of {unit}", text.len());
            }
        }
    }
}
