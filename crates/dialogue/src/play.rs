//! Plays a dialogue in a [`World`].

use crate::script::{Act, BadScript, Content, Step, parse};
use crate::world::{DRIVE_OCTETS_MAX, PowerOn, World};
use modem::clock::Calendar;
use modem::drive::path::Path;
use modem::drive::{Drive as _, Letter};
use modem::settings::{BadRecipient, MailFileName, Settings};
use std::fmt::Write as _;

/// The clock of dialogues that do not set it: the day of the note's pictures, `10/02/02,10:00:00+32`.
pub const CALENDAR: Calendar = Calendar { unix_s: 1_265_076_000, zone_quarters: 32 };

/// How the octets arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// In the portions that they are written in.
    AsWritten,
    /// Each alone, in both directions.
    OctetByOctet,
}

/// Where a dialogue and the modem differ.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// It is no dialogue.
    #[error(transparent)]
    Script(#[from] BadScript),
    /// It is one, and the modem does otherwise.
    #[error("line {line}: {words}")]
    Otherwise {
        /// Where.
        line: usize,
        /// In what way.
        words: String,
    },
}

/// Plays a dialogue from its text.
///
/// # Errors
/// The first difference.
pub fn play(text: &str, manner: Manner) -> Result<(), Mismatch> {
    let steps = parse(text)?;
    let at = |line: usize| move |words: String| Mismatch::Otherwise { line, words };
    if steps.is_empty() {
        return Err(at(1)("there is no step in it".to_owned()));
    }
    let mut power_on = PowerOn {
        settings: Settings { hello_name: "modem.example".to_owned(), ..Settings::default() },
        calendar: CALENDAR,
        first_mails: true,
        card: true,
        drive_c_octets_max: DRIVE_OCTETS_MAX,
        drive_d_octets_max: DRIVE_OCTETS_MAX,
        octet_by_octet: manner == Manner::OctetByOctet,
    };
    let (first, rest) = steps.split_at(steps.iter().take_while(|step| is_before_power_on(&step.act)).count());
    for Step { line, act } in first {
        prepare(&mut power_on, act).map_err(at(*line))?;
    }
    let mut player = Player { world: World::new(power_on), echo: true };
    for Step { line, act } in rest {
        player.perform(act).map_err(at(*line))?;
    }
    player.expect_silence().map_err(at(text.lines().count()))
}

const fn is_before_power_on(act: &Act) -> bool {
    matches!(act, Act::Set(..) | Act::Clock(_))
}

fn prepare(power_on: &mut PowerOn, act: &Act) -> Result<(), String> {
    let settings = &mut power_on.settings;
    match act {
        Act::Clock(text) => power_on.calendar = calendar(text).ok_or("no such time")?,
        Act::Set(key, value) => {
            let number = || value.parse::<u64>().map_err(|error| error.to_string());
            let flag = || value.parse::<bool>().map_err(|error| error.to_string());
            match key.as_str() {
                "mask_passwords" => settings.mask_passwords = flag()?,
                "require_pdp_context" => settings.require_pdp_context = flag()?,
                "bad_recipient" if value == "skip" => settings.bad_recipient = BadRecipient::Skip,
                "bad_recipient" if value == "fail" => settings.bad_recipient = BadRecipient::Fail,
                "line_octets_max" => {
                    settings.line_octets_max =
                        usize::try_from(number()?).map_err(|error| error.to_string())?;
                }
                "attachments_octets_max" => settings.attachments_octets_max = number()?,
                "mail_octets_max" => settings.mail_octets_max = number()?,
                "mail_file_name" if value == "dated" => settings.mail_file_name = MailFileName::Dated,
                "apop" => settings.apop = flag()?,
                "boot_urcs" => settings.boot_urcs = flag()?,
                "manufacturer" => settings.identity.manufacturer.clone_from(value),
                "model" => settings.identity.model.clone_from(value),
                "revision" => settings.identity.revision.clone_from(value),
                "imei" => settings.identity.imei.clone_from(value),
                "imsi" => settings.identity.imsi.clone_from(value),
                "iccid" => settings.identity.iccid.clone_from(value),
                "first_mails" => power_on.first_mails = flag()?,
                "card" => power_on.card = flag()?,
                "drive_c_octets_max" => power_on.drive_c_octets_max = number()?,
                "drive_d_octets_max" => power_on.drive_d_octets_max = number()?,
                _ => return Err(format!("no such setting: {key} = {value}")),
            }
        }
        _ => {}
    }
    Ok(())
}

fn calendar(text: &str) -> Option<Calendar> {
    if text == "unset" { Some(Calendar::UNSET) } else { Calendar::parse(text.as_bytes(), 0) }
}

struct Player {
    world: World,
    echo: bool,
}

impl Player {
    fn perform(&mut self, act: &Act) -> Result<(), String> {
        if !matches!(act, Act::Shown(_)) {
            self.expect_silence()?;
        }
        match act {
            Act::Type(line) => {
                self.world.type_octets(line);
                if self.echo {
                    expect("shown", self.world.shown(), line)?;
                }
            }
            Act::TypeOctets(octets) => self.world.type_octets(octets),
            Act::Shown(octets) => expect("shown", self.world.shown(), octets)?,
            Act::Serve(octets) => {
                self.expect_nothing_sent()?;
                self.world.serve(octets).ok_or("there is no open connection")?;
            }
            Act::ServeLate(octets) => {
                self.world.serve_late(octets).ok_or("there is no connection that the modem has ended")?;
            }
            Act::Sent(octets) => {
                let sent = self.world.sent().ok_or("servers are not scripted: `peer` is missing")?;
                expect("sent", sent, octets)?;
            }
            Act::SentUpTo(line) => {
                let sent = self.world.sent().ok_or("servers are not scripted: `peer` is missing")?;
                let end = lines_end(sent, line).ok_or_else(|| format!("sent: {} …", escaped(sent)))?;
                sent.drain(..end);
            }
            Act::Wait(wait) => self.world.wait(*wait),
            Act::Echo(on) => self.echo = *on,
            Act::File(path, content) => {
                let octets = match content {
                    Content::Octets(count) => &vec![b'x'; *count],
                    Content::Text(text) => text,
                };
                let (drive, file) = on_drive(path)?;
                self.world.drive(drive).add_file(file, octets, CALENDAR.unix_s).map_err(words)?;
            }
            Act::Content(path, content) => {
                let (drive, file) = on_drive(path)?;
                let found = self.world.drive(drive).content(file).ok_or("there is no such file")?;
                match content {
                    Content::Octets(count) if found.len() == *count => {}
                    Content::Text(text) if found == *text => {}
                    Content::Octets(_) => return Err(format!("it is of {} octets", found.len())),
                    Content::Text(text) => {
                        return Err(format!("expected: {}\n      in it: {}", escaped(text), escaped(&found)));
                    }
                }
            }
            Act::Remove(path) => {
                let path = absolute(path)?;
                self.world.drive(path.drive).clone().remove_file(&path.names).map_err(words)?;
            }
            Act::Card(is_in) => self.world.set_card(*is_in),
            Act::DtrLow => self.world.lower_dtr(),
            Act::Peer(opening) => self.world.script_servers(*opening),
            Act::Held(fate) => self.world.decide(*fate).ok_or("there is no held connection")?,
            Act::HangUp => {
                self.expect_nothing_sent()?;
                self.world.hang_up().ok_or("there is no open connection")?;
            }
            Act::Closed => {
                self.expect_nothing_sent()?;
                if self.world.scripted_is_open() {
                    return Err("the connection is still open".to_owned());
                }
            }
            Act::Drain(drains) => self.world.set_drains(*drains),
            Act::Speed(expected) => match self.world.take_speed() {
                Some(speed) if speed == *expected => {}
                Some(speed) => return Err(format!("the modem has asked for speed {speed}")),
                None => return Err("the modem has asked for no speed".to_owned()),
            },
            Act::PowerKey => self.world.press_power_key().ok_or("the modem is on")?,
            Act::Terminal(takes) => self.world.set_terminal_takes(*takes),
            Act::Mails(recipient, count) => {
                let held = self.world.mailboxes().mails_to(recipient).len();
                if held != *count {
                    return Err(format!("the sandbox holds {held} mails for {recipient}, not {count}"));
                }
            }
            Act::Set(..) | Act::Clock(_) => return Err("comes too late: the power is on".to_owned()),
        }
        Ok(())
    }

    fn expect_silence(&mut self) -> Result<(), String> {
        match self.world.shown().as_slice() {
            [] => Ok(()),
            more => Err(format!("before this the modem also showed: {}", escaped(more))),
        }
    }

    fn expect_nothing_sent(&mut self) -> Result<(), String> {
        match self.world.sent().map(|sent| sent.as_slice()) {
            None | Some([]) => Ok(()),
            Some(more) => Err(format!("before this the modem also sent: {}", escaped(more))),
        }
    }
}

/// The octets must be the next ones; they are taken then.
fn expect(verb: &str, found: &mut Vec<u8>, expected: &[u8]) -> Result<(), String> {
    if !found.starts_with(expected) {
        return Err(format!("expected: {}\n      {verb}: {}", escaped(expected), escaped(found)));
    }
    found.drain(..expected.len());
    Ok(())
}

/// Where the first line that is `line` ends.
fn lines_end(octets: &[u8], line: &[u8]) -> Option<usize> {
    let mut end = 0;
    for found in octets.split_inclusive(|&octet| octet == b'\n') {
        end += found.len();
        if found == line {
            return Some(end);
        }
    }
    None
}

/// A drive, and the path from its root.
fn on_drive(path: &str) -> Result<(Letter, &str), String> {
    let drive = absolute(path)?.drive;
    Ok((drive, path.get("C:/".len()..).unwrap_or_default()))
}

fn absolute(path: &str) -> Result<Path, String> {
    Path::root(Letter::C).join(path).ok_or_else(|| format!("no such path: {path}"))
}

fn words(error: modem::drive::DriveError) -> String {
    error.to_string()
}

/// Octets as a dialogue writes them; a long run is cut.
fn escaped(octets: &[u8]) -> String {
    const SHOWN_OCTETS_MAX: usize = 600;
    let mut text = String::new();
    for &octet in octets.iter().take(SHOWN_OCTETS_MAX) {
        match octet {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(octet)),
            // Writing to a String cannot fail.
            _ => drop(write!(text, "\\x{octet:02x}")),
        }
    }
    if octets.is_empty() {
        text.push_str("nothing");
    } else if octets.len() > SHOWN_OCTETS_MAX {
        text.push('…');
    }
    text
}
