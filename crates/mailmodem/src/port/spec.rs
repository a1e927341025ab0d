//! A port's name: `pty:/path`, `serial:/dev/ttyUSB0,speed=9600`, `tcp:127.0.0.1:7000`, `stdio`.
//!
//! Not here: what such a port does.

use serde::Deserialize;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Which port it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Spec {
    /// A pseudo-terminal, found through a link of this path.
    Pty(PathBuf),
    /// A serial line.
    Serial(SerialSettings),
    /// Whoever connects to this address (`host:port`); one at a time.
    Tcp(String),
    /// Standard input and output.
    Stdio,
}

/// A serial line, and how octets travel on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerialSettings {
    /// The device.
    pub device: PathBuf,
    /// In bits per second, until AT+IPR says otherwise.
    pub speed: u32,
    /// The parity bit.
    pub parity: Parity,
    /// How either side holds the other back.
    pub flow: Flow,
}

/// The parity bit of a serial line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parity {
    /// There is none.
    #[default]
    None,
    /// An even number of ones.
    Even,
    /// An odd number of ones.
    Odd,
}

/// How either side of a serial line holds the other back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// Not at all.
    #[default]
    None,
    /// By the wires RTS and CTS.
    RtsCts,
}

/// Why a port's name is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Of no kind there is.
    #[error(
        "\"{0}\" is no port; ports are pty:PATH, serial:DEVICE[,speed=115200][,parity=none|even|odd][,flow=none|rtscts], \
         tcp:ADDRESS:PORT and stdio"
    )]
    Kind(String),
    /// A path is missing.
    #[error("\"{0}\" names no path; write pty:./modem or serial:/dev/ttyUSB0")]
    Path(String),
    /// An address is missing, or its port.
    #[error("\"{0}\" names no address and port; write tcp:127.0.0.1:7000, or port 0 for any free one")]
    Address(String),
    /// An option of a serial line that there is not, or not so.
    #[error(
        "\"{0}\" is no setting of a serial line; those are speed=115200, parity=none|even|odd, flow=none|rtscts"
    )]
    Setting(String),
}

/// The speed of a serial line about which nothing is said.
const DEFAULT_SPEED: u32 = 115_200;

impl Spec {
    /// Whether another port of this name is not the same: the system chooses each.
    #[must_use]
    pub fn is_any_free_one(&self) -> bool {
        matches!(self, Self::Tcp(address) if address.ends_with(":0"))
    }
}

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        match text.split_once(':') {
            None if text == "stdio" => Ok(Self::Stdio),
            Some(("pty" | "serial", "")) => Err(SpecError::Path(text.to_owned())),
            Some(("pty", path)) => Ok(Self::Pty(path.into())),
            Some(("serial", line)) => Ok(Self::Serial(line.parse()?)),
            Some(("tcp", address)) => match address.rsplit_once(':') {
                Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                    Ok(Self::Tcp(address.to_owned()))
                }
                _ => Err(SpecError::Address(text.to_owned())),
            },
            _ => Err(SpecError::Kind(text.to_owned())),
        }
    }
}

impl FromStr for SerialSettings {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let mut parts = text.split(',');
        let device = parts.next().filter(|device| !device.is_empty());
        let device = device.ok_or_else(|| SpecError::Path(format!("serial:{text}")))?.into();
        let mut line =
            Self { device, speed: DEFAULT_SPEED, parity: Parity::default(), flow: Flow::default() };
        for part in parts {
            let wrong = || SpecError::Setting(part.to_owned());
            match part.split_once('=').ok_or_else(wrong)? {
                ("speed", speed) => {
                    line.speed = speed.parse().ok().filter(|&speed| speed > 0).ok_or_else(wrong)?;
                }
                ("parity", "none") => line.parity = Parity::None,
                ("parity", "even") => line.parity = Parity::Even,
                ("parity", "odd") => line.parity = Parity::Odd,
                ("flow", "none") => line.flow = Flow::None,
                ("flow", "rtscts") => line.flow = Flow::RtsCts,
                _ => return Err(wrong()),
            }
        }
        Ok(line)
    }
}

impl TryFrom<String> for Spec {
    type Error = SpecError;

    fn try_from(text: String) -> Result<Self, SpecError> {
        text.parse()
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pty(path) => write!(f, "pty:{}", path.display()),
            Self::Serial(line) => write!(f, "serial:{} at {} bit/s", line.device.display(), line.speed),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::Stdio => f.write_str("stdio"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_names_of_ports() {
        let serial = |speed, parity, flow| {
            Spec::Serial(SerialSettings { device: "/dev/ttyUSB0".into(), speed, parity, flow })
        };
        for (text, spec) in [
            ("pty:./modem", Spec::Pty("./modem".into())),
            ("tcp:127.0.0.1:0", Spec::Tcp("127.0.0.1:0".to_owned())),
            ("tcp:[::1]:7000", Spec::Tcp("[::1]:7000".to_owned())),
            ("stdio", Spec::Stdio),
            ("serial:/dev/ttyUSB0", serial(115_200, Parity::None, Flow::None)),
            (
                "serial:/dev/ttyUSB0,speed=9600,parity=even,flow=rtscts",
                serial(9_600, Parity::Even, Flow::RtsCts),
            ),
        ] {
            assert_eq!(text.parse(), Ok(spec), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_name() {
        for (text, error) in [
            ("", SpecError::Kind(String::new())),
            ("usb:/dev/ttyUSB0", SpecError::Kind("usb:/dev/ttyUSB0".to_owned())),
            ("pty:", SpecError::Path("pty:".to_owned())),
            ("serial:,speed=9600", SpecError::Path("serial:,speed=9600".to_owned())),
            ("serial:/dev/ttyS0,speed=fast", SpecError::Setting("speed=fast".to_owned())),
            ("serial:/dev/ttyS0,speed=0", SpecError::Setting("speed=0".to_owned())),
            ("serial:/dev/ttyS0,stop=2", SpecError::Setting("stop=2".to_owned())),
            ("tcp:7000", SpecError::Address("tcp:7000".to_owned())),
            ("tcp:localhost:modem", SpecError::Address("tcp:localhost:modem".to_owned())),
        ] {
            assert_eq!(text.parse::<Spec>(), Err(error), "{text}");
        }
    }
}
