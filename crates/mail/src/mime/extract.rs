//! What to save of a mail, found while it comes in: its header, its text, its attachments.
//!
//! The mail is pushed in any portions; what it holds comes out in portions too. Held are a header field, a line's
//! start, and an HTML text of which it is not known yet whether a plain one follows; never a part, never the mail.
//!
//! Nothing is refused and nothing is dropped but what MIME says to drop: preambles and epilogues (RFC 2046 §5.1.1), and
//! the HTML alternative of a plain text (§5.1.4). A part that cannot be understood is an attachment, as it came.
//!
//! Not here: where things are saved and under which name ([`super::file_name`]).

use super::charset::TextDecoder;
use super::delimiter::{self, Delimiter, Found};
use super::field::{Line, Name, Section};
use super::html;
use super::part::Part;
use super::transfer::TransferDecoder;
use crate::limits::{CHUNK_OCTETS, HTML_OCTETS_MAX, NESTING_MAX, PARTS_MAX, PREAMBLE_OCTETS_MAX};
use std::fmt;

/// A piece of a mail, in the order in which they come: the header once and first; `Text` any number of times;
/// attachments one after another, no text inside one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// The mail's header.
    Header(Summary),
    /// More of the mail's text, with CRLF line ends: the first inline `text/plain` part without a name, or, where there
    /// is none, the first such `text/html` part as readable text (then it comes last of all).
    Text(&'a str),
    /// An attachment begins.
    AttachmentBegin(Attachment),
    /// More of its octets, transfer encoding undone.
    AttachmentOctets(&'a [u8]),
    /// It is complete, or the mail ended in its middle.
    AttachmentEnd,
}

/// The header fields a reader sees: decoded, on one line each, without control characters, of at most
/// [`crate::limits::FIELD_OCTETS_MAX`] octets each; empty when missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// When it was written, in the sender's words.
    pub date: String,
    /// By whom.
    pub from: String,
    /// To whom.
    pub to: String,
    /// About what.
    pub subject: String,
}

/// What a mail says of an attachment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attachment {
    /// The file name, decoded but as the sender chose it: not safe to use for a file.
    pub name: Option<String>,
    /// Type and subtype, in lower case.
    pub content_type: String,
    /// Whether it is meant to be seen with the text (a picture in HTML) and not beside it.
    pub inline: bool,
}

/// Reads one mail. The output depends on the octets alone, not on their portions.
///
/// ```
/// use mail::mime::extract::{Extractor, Piece};
///
/// let mut text = String::new();
/// let mut take = |piece: Piece<'_>| {
///     if let Piece::Text(more) = piece {
///         text.push_str(more);
///     }
/// };
/// let mut extractor = Extractor::default();
/// extractor.push(b"Subject: x\r\n\r\nHel", &mut take);
/// extractor.push(b"lo", &mut take);
/// extractor.finish(&mut take);
/// assert_eq!(text, "Hello");
/// ```
pub struct Extractor {
    /// Octets that mean nothing yet: an unfinished header line, or what may become a delimiter line.
    held: Vec<u8>,
    section: Section,
    place: Place,
    /// Those that are open, outermost first.
    multiparts: Vec<Multipart>,
    transfer: TransferDecoder,
    /// Room for what it decodes, used again and again.
    decoded: Vec<u8>,
    leaf: Leaf,
    /// The mail's own header was told.
    has_header: bool,
    /// The mail's text is found, so no other part is.
    has_text: bool,
    parts: usize,
    html: Option<Html>,
}

/// Where in a mail the next octet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In a header section; `in_line`: in the middle of a line that is too long.
    Header { in_line: bool },
    /// In a body; `at_start`: at its first octet.
    Body { at_start: bool },
}

struct Multipart {
    boundary: Vec<u8>,
    is_alternative: bool,
    is_digest: bool,
    /// How many of its parts have begun.
    parts: usize,
    /// In which of its parts the mail's text was found, and the HTML that may become it.
    text_in: Option<usize>,
    html_in: Option<usize>,
}

/// What becomes of a body's octets.
enum Leaf {
    /// Nothing.
    Dropped,
    /// Held: it is the text of a multipart in which no part begins.
    Preamble(Vec<u8>),
    Text(TextDecoder),
    Html,
    Attachment,
}

/// An HTML text that is the mail's if no plain one comes.
struct Html {
    octets: Vec<u8>,
    charset: Option<String>,
    attachment: Attachment,
}

impl Default for Extractor {
    fn default() -> Self {
        Self {
            held: Vec::new(),
            section: Section::default(),
            place: Place::Header { in_line: false },
            multiparts: Vec::new(),
            transfer: TransferDecoder::default(),
            decoded: Vec::new(),
            leaf: Leaf::Dropped,
            has_header: false,
            has_text: false,
            parts: 0,
            html: None,
        }
    }
}

/// The parts of it that say where it is; what it holds is the mail's.
impl fmt::Debug for Extractor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Extractor");
        debug
            .field("place", &self.place)
            .field("nesting", &self.multiparts.len())
            .field("parts", &self.parts);
        debug.field("held_octets", &self.held.len()).finish_non_exhaustive()
    }
}

/// Who takes the pieces. One that cannot (a full drive) remembers so and stops the pushing.
type Sink<'s> = dyn FnMut(Piece<'_>) + 's;

impl Extractor {
    /// Reads more of the mail.
    pub fn push(&mut self, octets: &[u8], sink: &mut Sink<'_>) {
        for portion in octets.chunks(CHUNK_OCTETS) {
            if self.held.is_empty() {
                let used = self.read(portion, false, sink);
                self.held.extend_from_slice(portion.get(used..).unwrap_or_default());
            } else {
                let mut held = std::mem::take(&mut self.held);
                held.extend_from_slice(portion);
                let used = self.read(&held, false, sink);
                held.drain(..used);
                self.held = held;
            }
        }
    }

    /// The mail has ended, perhaps too early: what is open is closed.
    pub fn finish(mut self, sink: &mut Sink<'_>) {
        let held = std::mem::take(&mut self.held);
        self.read(&held, true, sink);
        if matches!(self.place, Place::Header { .. }) && (!self.has_header || self.section.has_lines()) {
            self.end_header(sink);
        }
        self.end_leaf(sink);
        if let Some(html) = self.html.take() {
            html.become_text(sink);
        }
    }

    /// Reads `octets`, and returns how many of them are done with.
    fn read(&mut self, octets: &[u8], is_all: bool, sink: &mut Sink<'_>) -> usize {
        let mut used = 0;
        loop {
            let rest = octets.get(used..).unwrap_or_default();
            let step = match self.place {
                Place::Header { in_line } => self.read_header_line(rest, in_line, is_all, sink),
                Place::Body { at_start } => self.read_body(rest, at_start, is_all, sink),
            };
            match step {
                Some(octets) => used += octets,
                None => return used,
            }
        }
    }

    /// Reads one header line, or piece of a long one.
    fn read_header_line(
        &mut self,
        octets: &[u8],
        in_line: bool,
        is_all: bool,
        sink: &mut Sink<'_>,
    ) -> Option<usize> {
        let line = delimiter::first_line(octets, is_all)?;
        let text = octets.get(..line.text).unwrap_or_default();
        self.place = Place::Header { in_line: !line.has_end };
        if in_line {
            self.section.push_more(text);
            return Some(line.all);
        }
        if line.has_end
            && let Some(delimiter) = delimiter::at_start(text, boundaries(&self.multiparts))
        {
            // A part of which only a header was sent.
            if self.section.has_lines() {
                self.end_header(sink);
            }
            return Some(if self.pass_delimiter(delimiter, sink) { line.all } else { 0 });
        }
        match self.section.push_line(text) {
            Line::Header => Some(line.all),
            Line::End => {
                self.end_header(sink);
                Some(line.all)
            }
            // The empty line is missing.
            Line::Foreign => {
                self.end_header(sink);
                Some(0)
            }
        }
    }

    /// Reads a body up to the next delimiter line, or as far as it is certain.
    fn read_body(
        &mut self,
        octets: &[u8],
        at_start: bool,
        is_all: bool,
        sink: &mut Sink<'_>,
    ) -> Option<usize> {
        let found = if self.multiparts.is_empty() {
            Found::Content(octets.len())
        } else {
            delimiter::find(octets, at_start, is_all, boundaries(&self.multiparts))
        };
        match found {
            Found::Delimiter { content, delimiter } => {
                self.push_content(octets.get(..content).unwrap_or_default(), sink);
                let is_passed = self.pass_delimiter(delimiter, sink);
                Some(if is_passed { delimiter.start + delimiter.octets } else { delimiter.start })
            }
            Found::Content(0) => None,
            Found::Content(content) => {
                self.place = Place::Body { at_start: false };
                self.push_content(octets.get(..content).unwrap_or_default(), sink);
                Some(content)
            }
        }
    }

    /// A delimiter line: the part before it ends, and perhaps another begins. `false` when there were too many: then
    /// the line is the start of the last one, which has no end.
    fn pass_delimiter(&mut self, delimiter: Delimiter, sink: &mut Sink<'_>) -> bool {
        // Multiparts inside that never ended.
        while self.multiparts.len() > delimiter.boundary + 1 {
            self.end_leaf(sink);
            self.multiparts.pop();
        }
        if delimiter.is_last {
            self.end_leaf(sink);
            self.multiparts.pop();
            self.begin_body(Leaf::Dropped);
            return true;
        }
        if let Some(multipart) = self.multiparts.last_mut() {
            multipart.parts += 1;
        }
        self.end_leaf(sink);
        if self.parts == PARTS_MAX {
            self.multiparts.clear();
            let rest =
                Attachment { content_type: "application/octet-stream".to_owned(), ..Attachment::default() };
            self.begin_attachment(rest, sink);
            return false;
        }
        self.parts += 1;
        self.section = Section::default();
        self.place = Place::Header { in_line: false };
        true
    }

    /// The header section is complete: what it heads begins.
    fn end_header(&mut self, sink: &mut Sink<'_>) {
        let mut section = std::mem::take(&mut self.section);
        section.finish();
        if !std::mem::replace(&mut self.has_header, true) {
            let text = |name| section.text(name);
            let (date, from) = (text(Name::Date), text(Name::From));
            sink(Piece::Header(Summary { date, from, to: text(Name::To), subject: text(Name::Subject) }));
        }
        // RFC 2046 §5.1.5.
        let in_digest = self.multiparts.last().is_some_and(|multipart| multipart.is_digest);
        let part = Part::new(&section, if in_digest { "message/rfc822" } else { "text/plain" });
        self.begin_part(part, sink);
    }

    fn begin_part(&mut self, mut part: Part, sink: &mut Sink<'_>) {
        if let Some(subtype) = part.media_type.strip_prefix("multipart/") {
            match part.boundary.take() {
                Some(boundary) if self.multiparts.len() < NESTING_MAX => {
                    self.multiparts.push(Multipart {
                        boundary,
                        is_alternative: subtype == "alternative",
                        is_digest: subtype == "digest",
                        parts: 0,
                        text_in: None,
                        html_in: None,
                    });
                    return self.begin_body(Leaf::Preamble(Vec::new()));
                }
                Some(_) => {}
                // Without a boundary there are no parts to find.
                None => part.media_type = "text/plain".to_owned(),
            }
        }
        self.transfer = std::mem::take(&mut part.transfer);
        if part.is_inline("text/plain") && !self.has_text {
            return self.begin_text(part.charset.as_deref(), sink);
        }
        if part.is_inline("text/html") {
            if !self.has_text && self.html.is_none() {
                for multipart in &mut self.multiparts {
                    multipart.html_in = Some(multipart.parts);
                }
                let charset = part.charset.take();
                self.html = Some(Html { octets: Vec::new(), charset, attachment: attachment(part) });
                return self.begin_body(Leaf::Html);
            }
            if self.is_alternative_to(|multipart| multipart.text_in) {
                return self.begin_body(Leaf::Dropped);
            }
        }
        self.begin_attachment(attachment(part), sink);
    }

    fn begin_text(&mut self, charset: Option<&str>, sink: &mut Sink<'_>) {
        self.has_text = true;
        if let Some(html) = self.html.take()
            && !self.is_alternative_to(|multipart| multipart.html_in)
        {
            html.become_attachment(sink);
        }
        for multipart in &mut self.multiparts {
            multipart.text_in = Some(multipart.parts);
        }
        self.begin_body(Leaf::Text(TextDecoder::new(charset)));
    }

    fn begin_attachment(&mut self, attachment: Attachment, sink: &mut Sink<'_>) {
        sink(Piece::AttachmentBegin(attachment));
        self.begin_body(Leaf::Attachment);
    }

    fn begin_body(&mut self, leaf: Leaf) {
        self.leaf = leaf;
        self.place = Place::Body { at_start: true };
    }

    /// Whether the part that begins is another alternative to the one in `other_in`.
    fn is_alternative_to(&self, other_in: impl Fn(&Multipart) -> Option<usize>) -> bool {
        let is_other =
            |multipart: &Multipart| other_in(multipart).is_some_and(|other| other != multipart.parts);
        self.multiparts.iter().any(|multipart| multipart.is_alternative && is_other(multipart))
    }

    fn push_content(&mut self, octets: &[u8], sink: &mut Sink<'_>) {
        match (&mut self.leaf, &mut self.transfer) {
            (Leaf::Dropped, _) => {}
            (Leaf::Preamble(held), _) => {
                held.extend_from_slice(octets);
                if held.len() > PREAMBLE_OCTETS_MAX {
                    self.begin_partless(sink);
                }
            }
            (Leaf::Attachment, TransferDecoder::Identity) => {
                push_decoded(octets, &mut self.leaf, &mut self.html, sink);
            }
            (_, transfer) => {
                self.decoded.clear();
                transfer.push(octets, &mut self.decoded);
                push_decoded(&self.decoded, &mut self.leaf, &mut self.html, sink);
            }
        }
    }

    /// What seemed a preamble is the body of a multipart without parts: text, or what is left of an attachment.
    fn begin_partless(&mut self, sink: &mut Sink<'_>) {
        let Leaf::Preamble(held) = std::mem::replace(&mut self.leaf, Leaf::Dropped) else { return };
        let place = self.place;
        self.transfer = TransferDecoder::default();
        if self.has_text {
            let content_type = "text/plain".to_owned();
            self.begin_attachment(Attachment { content_type, name: None, inline: true }, sink);
        } else {
            self.begin_text(None, sink);
        }
        self.place = place;
        self.push_content(&held, sink);
    }

    /// The body is over.
    fn end_leaf(&mut self, sink: &mut Sink<'_>) {
        if let Leaf::Preamble(held) = &self.leaf {
            let has_parts = self.multiparts.last().is_some_and(|multipart| multipart.parts > 0);
            if !has_parts && !held.trim_ascii().is_empty() {
                self.begin_partless(sink);
            }
        }
        if let Leaf::Text(_) | Leaf::Html | Leaf::Attachment = self.leaf {
            let mut decoded = Vec::new();
            self.transfer.finish(&mut decoded);
            push_decoded(&decoded, &mut self.leaf, &mut self.html, sink);
        }
        match std::mem::replace(&mut self.leaf, Leaf::Dropped) {
            Leaf::Text(mut decoder) => push_text(&mut decoder, b"", true, sink),
            Leaf::Attachment => sink(Piece::AttachmentEnd),
            Leaf::Dropped | Leaf::Preamble(_) | Leaf::Html => {}
        }
    }
}

impl Html {
    /// Its octets so far are an attachment's; more may follow.
    fn begin_attachment(self, sink: &mut Sink<'_>) {
        sink(Piece::AttachmentBegin(self.attachment));
        sink(Piece::AttachmentOctets(&self.octets));
    }

    fn become_attachment(self, sink: &mut Sink<'_>) {
        self.begin_attachment(sink);
        sink(Piece::AttachmentEnd);
    }

    /// As readable text, of which a mail that is one picture has none.
    fn become_text(self, sink: &mut Sink<'_>) {
        let mut html = String::new();
        let charset = self.charset.clone().or_else(|| html::charset(&self.octets));
        TextDecoder::new(charset.as_deref()).push(&self.octets, true, &mut html);
        push_text(&mut TextDecoder::new(None), html::to_text(&html).as_bytes(), true, sink);
    }
}

fn push_decoded(octets: &[u8], leaf: &mut Leaf, html: &mut Option<Html>, sink: &mut Sink<'_>) {
    match leaf {
        _ if octets.is_empty() => {}
        Leaf::Dropped | Leaf::Preamble(_) => {}
        Leaf::Text(decoder) => push_text(decoder, octets, false, sink),
        Leaf::Attachment => sink(Piece::AttachmentOctets(octets)),
        Leaf::Html => {
            let Some(candidate) = html else { return };
            candidate.octets.extend_from_slice(octets);
            if candidate.octets.len() > HTML_OCTETS_MAX
                && let Some(html) = html.take()
            {
                html.begin_attachment(sink);
                *leaf = Leaf::Attachment;
            }
        }
    }
}

fn push_text(decoder: &mut TextDecoder, octets: &[u8], is_last: bool, sink: &mut Sink<'_>) {
    let mut text = String::new();
    decoder.push(octets, is_last, &mut text);
    if !text.is_empty() {
        sink(Piece::Text(&text));
    }
}

fn boundaries(
    multiparts: &[Multipart],
) -> impl DoubleEndedIterator<Item = &[u8]> + ExactSizeIterator + Clone {
    multiparts.iter().map(|multipart| multipart.boundary.as_slice())
}

fn attachment(part: Part) -> Attachment {
    Attachment { inline: !part.is_attachment, name: part.name, content_type: part.media_type }
}

#[cfg(test)]
mod tests;
