//! What arrives, taken apart: lines, and pieces of texts.
//!
//! Not here: what follows from an answer ([`super`]), and who is told of it ([`super::asked`]).

use super::{Client, Event, Failure, Request, State, Step};
use crate::dot::DotReader;
use crate::limits::{CAPABILITIES_MAX, LISTING_LINES_MAX};
use crate::line::Line;
use crate::machine::{Instant, Passage};
use crate::pop3::response::{BadResponse, Response, two_numbers, unique_id};
use crate::pop3::top::TopCut;
use crate::secret::Secret;
use crate::smtp::reply::printable;
use memchr::memchr;

#[derive(Debug)]
pub(super) struct Text {
    reader: DotReader,
    /// For a header section: where it ends, and how many octets may still arrive.
    header: Option<(TopCut, usize)>,
}

impl Text {
    pub(super) fn new(header: Option<(TopCut, usize)>) -> Self {
        Self { reader: DotReader::default(), header }
    }
}

impl Client {
    /// Takes octets from the server.
    pub(super) fn receive(&mut self, mut octets: &[u8], now: Instant) {
        while !octets.is_empty() {
            octets = match self.state {
                State::Unopened | State::Ended => return,
                State::Text(_) => self.read_text(octets, now),
                // In clear, where TLS was to begin: none of it may be read as if it came under TLS (CVE-2011-0411).
                _ if self.asked.first() == Some(Step::Handshake) => {
                    return self.malformed(BadResponse::Unasked);
                }
                State::Response | State::Listing(_) => self.read_line(octets, now),
            };
        }
    }

    /// Takes the next line, or a piece of it, and returns the octets behind it.
    fn read_line<'o>(&mut self, octets: &'o [u8], now: Instant) -> &'o [u8] {
        let end = memchr(b'\n', octets).map_or(octets.len(), |at| at + 1);
        let (piece, rest) = octets.split_at_checked(end).unwrap_or((octets, &[]));
        self.lines.push(piece);
        let line = match self.lines.next_line() {
            Some(Line::Whole(line)) => Some(line.to_vec()),
            Some(Line::TooLong) | None => None,
        };
        if let Some(line) = line {
            self.progress = now;
            self.on_line(&line);
        } else if piece.ends_with(b"\n") || self.lines.is_swallowing() {
            self.malformed(BadResponse::LineTooLong);
        }
        rest
    }

    fn on_line(&mut self, line: &[u8]) {
        let challenge = match (self.asked.first(), line) {
            (Some(Step::Auth), b"+") => Some(&b""[..]),
            (Some(Step::Auth), [b'+', b' ', challenge @ ..]) => Some(challenge),
            _ => None,
        };
        self.tell(|client| {
            Passage::Heard(match challenge {
                // With the answer to it, it may give the password away.
                Some(_) => format!("+ {}", Secret::MASK),
                None => client.confided.cut_from(&printable(line)),
            })
        });
        if let Some(challenge) = challenge {
            return self.answer_challenge(challenge);
        }
        if let (State::Listing(lines), Some(step)) = (&mut self.state, self.asked.first()) {
            *lines += 1;
            let lines = *lines;
            return self.on_listed(step, lines, line);
        }
        let response = match Response::parse(line) {
            Ok(response) if response.is_positive => response,
            Ok(response) => Response::negative(self.confided.cut_from(&response.text)),
            Err(reason) => return self.malformed(reason),
        };
        match self.asked.first() {
            Some(step) => self.on_response(step, response),
            // An autologout (RFC 1939 §3) may be announced.
            None if !response.is_positive => self.fail(Failure::Released(response)),
            None => self.malformed(BadResponse::Unasked),
        }
    }

    /// Takes line number `lines` of the listing that answers `step`.
    fn on_listed(&mut self, step: Step, lines: usize, line: &[u8]) {
        let listed = match line {
            b"." => None,
            [b'.', stuffed @ ..] => Some(printable(stuffed)),
            _ => Some(printable(line)),
        };
        match (step, listed) {
            (Step::Request(_), None) => self.answer(Event::ListEnd),
            (_, None) => self.on_capabilities(),
            (Step::Request(_), Some(_)) if lines > LISTING_LINES_MAX => self.malformed(BadResponse::Endless),
            (Step::Request(request), Some(listed)) => match entry(request, &listed) {
                Some((_, event)) => self.pass_on(event),
                None => self.malformed(BadResponse::NoNumbers),
            },
            (_, Some(_)) if lines > CAPABILITIES_MAX => self.malformed(BadResponse::Endless),
            (_, Some(listed)) => {
                if let Some(capabilities) = &mut self.capabilities {
                    capabilities.push(&listed);
                }
            }
        }
    }

    /// Takes what belongs to a text, if one is being read, and returns the octets behind it.
    fn read_text<'o>(&mut self, octets: &'o [u8], now: Instant) -> &'o [u8] {
        let State::Text(Text { reader, header }) = &mut self.state else { return octets };
        self.progress = now;
        let allowed = header.as_ref().map_or(octets.len(), |(_, left)| octets.len().min(*left));
        let (wire, beyond) = octets.split_at_checked(allowed).unwrap_or((octets, &[]));
        let mut content = Vec::with_capacity(wire.len());
        let end = reader.push(wire, |portion| {
            content.extend_from_slice(match header {
                Some((cut, _)) => cut.push(portion),
                None => portion,
            });
        });
        if let Some((_, left)) = header {
            *left -= wire.len();
        }
        let taken = end.unwrap_or(wire.len());
        if taken > 0 {
            self.tell(|_| Passage::HeardContent(taken));
        }
        if !content.is_empty() {
            self.pass_on(Event::Content(content));
        }
        match (end, self.asked.first()) {
            (Some(end), _) => {
                self.answer(Event::ContentEnd);
                octets.get(end..).unwrap_or_default()
            }
            // Whoever waits for it, if anybody does: POP3 has no other way to stop a text.
            (None, Some(Step::Request(Request::Headers(id)))) if !beyond.is_empty() => {
                self.fail(Failure::HeaderTooLong(id));
                &[]
            }
            (None, _) => &[],
        }
    }
}

/// The entry of a listing, and the number of its message.
pub(super) fn entry(request: Request, listed: &str) -> Option<(u32, Event)> {
    let (id, event) = match request {
        Request::Uidl(_) => {
            let (id, unique) = unique_id(listed)?;
            (id, Event::UniqueId { id, unique })
        }
        _ => {
            let (id, octets) = two_numbers(listed)?;
            (id, Event::ListEntry { id, octets })
        }
    };
    (id > 0).then_some((id, event))
}
