//! A page of text: words put into lines, lines into paragraphs, lists and quotations.
//!
//! Not here: which element of HTML is what.

use crate::limits::HTML_INDENTS_MAX;
use unicode_width::UnicodeWidthChar as _;

/// Columns that lines are wrapped at. A longer word has a line of its own.
const COLUMNS: usize = 78;

/// What stands before a line.
enum Indent {
    Quote,
    /// A list: the number of its next item, if it counts; what stands before the item that began last, and whether that
    /// is still to be written.
    List {
        next: Option<u32>,
        marker: String,
        is_due: bool,
    },
}

/// A page that is being written.
#[derive(Default)]
pub(super) struct Page {
    /// The lines that are complete.
    text: String,
    /// The line that is not, and its columns. Empty when it has no word.
    line: String,
    columns: usize,
    /// The word that is not complete, and its columns.
    word: String,
    word_columns: usize,
    /// Columns between the line and the word.
    space: usize,
    /// An empty line comes before the next word, in so many quotations.
    paragraph_in: Option<usize>,
    indents: Vec<Indent>,
    /// How many more indents would be there, but for the bound.
    indents_beyond: usize,
    /// White space stands as it is.
    is_verbatim: bool,
}

impl Page {
    /// Words, or parts of them.
    pub(super) fn write(&mut self, text: &str) {
        for letter in text.chars() {
            let columns = letter.width().unwrap_or_default();
            match letter {
                '\n' if self.is_verbatim => self.next_line(),
                // A terminal would obey it.
                _ if letter.is_control() && !letter.is_ascii_whitespace() => {}
                '\r' if self.is_verbatim => {}
                _ if letter.is_ascii_whitespace() && !self.is_verbatim => {
                    self.end_word();
                    self.space = self.space.max(1);
                }
                // Scripts of wide letters have no spaces between words.
                _ if columns > 1 && !self.is_verbatim => {
                    self.end_word();
                    self.word.push(letter);
                    self.word_columns = columns;
                    self.end_word();
                }
                _ => {
                    self.word.push(letter);
                    self.word_columns += columns;
                }
            }
        }
    }

    fn end_word(&mut self) {
        if self.word.is_empty() {
            return;
        }
        if !self.line.is_empty() && self.columns + self.space + self.word_columns > COLUMNS {
            self.end_written_line();
        }
        if self.line.is_empty() {
            self.begin_line();
        } else {
            self.line.extend(std::iter::repeat_n(' ', self.space));
            self.columns += self.space;
        }
        self.line.push_str(&self.word);
        self.columns += self.word_columns;
        self.word.clear();
        (self.word_columns, self.space) = (0, 0);
    }

    fn begin_line(&mut self) {
        if let Some(quotes) = self.paragraph_in.take()
            && !self.text.is_empty()
        {
            self.write_empty_line(quotes.min(self.quotes()));
        }
        for indent in &mut self.indents {
            match indent {
                Indent::Quote => self.line.push_str("> "),
                Indent::List { marker, is_due, .. } => {
                    let columns = marker.len();
                    let marker = if std::mem::take(is_due) { marker.as_str() } else { "" };
                    self.line.push_str(&format!("{marker:columns$}"));
                }
            }
        }
        self.columns = self.line.len();
    }

    fn end_written_line(&mut self) {
        self.text.push_str(self.line.trim_end_matches(' '));
        self.text.push('\n');
        self.line.clear();
        self.columns = 0;
    }

    fn write_empty_line(&mut self, quotes: usize) {
        let line = "> ".repeat(quotes);
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// How many quotations are around everything else that is open.
    fn quotes(&self) -> usize {
        self.indents.iter().take_while(|indent| matches!(indent, Indent::Quote)).count()
    }

    /// What comes next is not on the same line.
    pub(super) fn end_line(&mut self) {
        self.end_word();
        self.space = 0;
        if !self.line.is_empty() {
            self.end_written_line();
        }
    }

    /// The line ends, though it may be empty.
    pub(super) fn next_line(&mut self) {
        self.end_word();
        if self.line.is_empty() && self.paragraph_in.is_none() && !self.text.is_empty() {
            self.write_empty_line(self.quotes());
        }
        self.end_line();
    }

    /// What comes next is a line away.
    pub(super) fn end_paragraph(&mut self) {
        self.end_line();
        let quotes = self.quotes();
        self.paragraph_in = Some(self.paragraph_in.map_or(quotes, |before| before.min(quotes)));
    }

    /// What comes next is another cell of a row.
    pub(super) fn next_cell(&mut self) {
        self.end_word();
        self.space = 2;
    }

    pub(super) fn begin_verbatim(&mut self) {
        self.is_verbatim = true;
    }

    pub(super) fn end_verbatim(&mut self) {
        self.end_word();
        self.is_verbatim = false;
    }

    pub(super) fn begin_quote(&mut self) {
        self.begin_indent(Indent::Quote);
    }

    pub(super) fn end_quote(&mut self) {
        self.end_indent(|indent| matches!(indent, Indent::Quote));
    }

    /// A list; `next` is the number of its first item, if it counts.
    pub(super) fn begin_list(&mut self, next: Option<u32>) {
        self.begin_indent(Indent::List { next, marker: String::new(), is_due: false });
    }

    pub(super) fn is_in_list(&self) -> bool {
        self.indents.iter().any(|indent| matches!(indent, Indent::List { .. }))
    }

    pub(super) fn end_list(&mut self) {
        self.end_indent(|indent| matches!(indent, Indent::List { .. }));
    }

    /// An item of the innermost list; of none, if there is no list.
    pub(super) fn begin_item(&mut self) {
        for indent in self.indents.iter_mut().rev() {
            if let Indent::List { next, marker, is_due } = indent {
                *marker = next.map_or_else(|| "* ".to_owned(), |number| format!("{number}. "));
                *next = next.map(|number| number.saturating_add(1));
                *is_due = true;
                return;
            }
        }
        self.write("* ");
    }

    fn begin_indent(&mut self, indent: Indent) {
        if self.indents.len() < HTML_INDENTS_MAX {
            self.indents.push(indent);
        } else {
            self.indents_beyond += 1;
        }
    }

    /// Ends the innermost of a kind, and what is in it.
    fn end_indent(&mut self, is_kind: impl Fn(&Indent) -> bool) {
        self.end_line();
        if self.indents_beyond > 0 {
            self.indents_beyond -= 1;
        } else if let Some(at) = self.indents.iter().rposition(is_kind) {
            self.indents.truncate(at);
        }
    }

    /// The whole page, with where its links lead to.
    pub(super) fn end(mut self, links: &[String]) -> String {
        self.end_line();
        let mut text = self.text;
        text.truncate(text.trim_end_matches('\n').len());
        if !text.is_empty() {
            text.push('\n');
        }
        for (at, place) in links.iter().enumerate() {
            let place: String = place.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            let place: Vec<&str> = place.split_whitespace().collect();
            let before = if at == 0 { "\n" } else { "" };
            text.push_str(&format!("{before}[{}]: {}\n", at + 1, place.join(" ")));
        }
        text
    }
}
