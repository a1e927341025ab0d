//! Single lines and texts: what was understood of one reads the same when it is written again.

use mail::pop3::{apop, capability::Capabilities, command::Command as Pop3Command, response};
use mail::smtp::command::{Command, Path};
use mail::smtp::extensions::Extensions;
use mail::smtp::reply::ReplyReader;
use modem::clock::Calendar;
use modem::drive::Letter;
use modem::drive::path::{PATH_OCTETS_MAX, Path as DrivePath};

/// Each line as a command, an address, and a line of a reply.
pub(crate) fn smtp(octets: &[u8]) {
    let mut replies = ReplyReader::default();
    for line in lines(octets) {
        if let Ok(command) = Command::parse(line) {
            let said = command.to_string();
            assert!(!said.contains(char::is_control), "{said:?} is said in more lines than one");
            assert_eq!(Command::parse(said.as_bytes()), Ok(command));
        }
        if let Some(path) = std::str::from_utf8(line).ok().and_then(|text| text.parse::<Path>().ok()) {
            assert!(!path.as_str().contains(char::is_control), "{path:?}");
            assert!(path.as_str().starts_with(path.local_part()));
        }
        match replies.push(line) {
            Ok(Some(reply)) => {
                let extensions = Extensions::from_reply(&reply);
                assert!(extensions.size || extensions.size_max.is_none());
                let status = reply.enhanced();
                assert!(status.is_none_or(|(class, _, _)| class == reply.code / 100), "{status:?}");
                assert!(!reply.to_string().contains(char::is_control), "{reply:?}");
                let mut reader = ReplyReader::default();
                let said = reply.to_octets();
                let again =
                    lines(&said).filter(|line| !line.is_empty()).find_map(|line| reader.push(line).ok()?);
                assert_eq!(again, Some(reply));
            }
            Ok(None) => {}
            Err(_) => replies.clear(),
        }
    }
}

/// Each line as a command, a response, and lines of listings.
pub(crate) fn pop3(octets: &[u8]) {
    let mut capabilities = Capabilities::NONE;
    for line in lines(octets) {
        if let Ok(command) = Pop3Command::parse(line) {
            let said = command.to_octets();
            let again = said.strip_suffix(b"\r\n").map(Pop3Command::parse);
            assert_eq!(again, Some(Ok(command)));
        }
        if let Ok(response) = response::Response::parse(line) {
            assert!(!response.text.contains(char::is_control), "{response:?}");
            // The code is the text's beginning, so that it has to begin like one.
            assert!(response.code().is_none() || response.text.starts_with('['), "{response:?}");
            if let Some(timestamp) = apop::timestamp(&response.text) {
                assert!(timestamp.starts_with('<') && timestamp.ends_with('>'));
            }
        }
        let text = String::from_utf8_lossy(line);
        if let Some((number, octets)) = response::two_numbers(&text) {
            assert!(text.contains(&number.to_string()) && text.contains(&octets.to_string()));
        }
        if let Some((_, unique)) = response::unique_id(&text) {
            assert!(unique.bytes().all(|octet| octet.is_ascii_graphic()), "{unique:?}");
        }
        capabilities.push(&text);
    }
    let mut again = Capabilities::NONE;
    for keyword in capabilities.clone().keywords() {
        again.push(&keyword);
    }
    assert_eq!(again, capabilities);
}

/// Each line as a path from where the one before it led, and as a time: nothing leads out of a drive.
pub(crate) fn paths_and_times(octets: &[u8]) {
    let mut place = DrivePath::root(Letter::C);
    for line in lines(octets) {
        let Ok(text) = std::str::from_utf8(line) else { continue };
        if let Some(path) = place.join(text) {
            let told = path.to_string();
            assert!(told.len() <= PATH_OCTETS_MAX, "{told:?}");
            assert!(
                path.names
                    .iter()
                    .all(|name| !name.as_str().contains(['/', '\\', ':']) && name.as_str() != "..")
            );
            assert_eq!(DrivePath::root(Letter::C).join(&told).as_ref(), Some(&path));
            place = path;
        }
        if let Some(calendar) = Calendar::parse(line, 0) {
            assert!((-47..=48).contains(&calendar.zone_quarters), "{calendar:?}");
        }
    }
}

/// A dialogue from its text.
pub(crate) fn dialogue(octets: &[u8]) {
    if let Ok(text) = std::str::from_utf8(octets)
        && let Ok(steps) = dialogue::script::parse(text)
    {
        assert!(steps.len() <= text.lines().count());
    }
}

fn lines(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    octets.split(|&octet| octet == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}
