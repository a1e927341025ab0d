//! XMODEM as a pair of machines: files in numbered blocks, each answered before the next (Ward Christensen's protocol of
//! 1977; checksum, CRC-16 and 1K blocks as in Chuck Forsberg's "XMODEM/YMODEM Protocol Reference" of 1988).
//!
//! The protocol does not tell a file's length: the last block is filled up with SUB, and its receiver keeps them.
//!
//! Not here: YMODEM's names and batches; drives, but for the open file that is sent.

pub(crate) mod receiver;
pub(crate) mod sender;

pub(crate) use receiver::Receiver;
pub(crate) use sender::Sender;

use crc::{CRC_16_XMODEM, Crc};

const SOH: u8 = 0x01;
const STX: u8 = 0x02;
const EOT: u8 = 0x04;
const ACK: u8 = 0x06;
const NAK: u8 = 0x15;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;
/// A receiver's request for blocks with a CRC.
const ASK_CRC: u8 = b'C';

/// Before a block's data: SOH or STX, its number, the number's complement.
const HEAD_OCTETS: usize = 3;
const SHORT_OCTETS: usize = 128;
const LONG_OCTETS: usize = 1024;

/// Ends a transfer whichever side says it; one alone may be a damaged octet.
const CANCEL: [u8; 2] = [CAN, CAN];

/// How a block shows that it came whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Sum,
    Crc,
}

impl Check {
    const fn octets(self) -> usize {
        match self {
            Self::Sum => 1,
            Self::Crc => 2,
        }
    }

    fn append_to(self, block: &mut Vec<u8>, data: &[u8]) {
        static CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);
        match self {
            Self::Sum => block.push(data.iter().fold(0, |sum, octet| sum.wrapping_add(*octet))),
            Self::Crc => block.extend_from_slice(&CRC.checksum(data).to_be_bytes()),
        }
    }
}

/// A block: its head, its number twice, its data filled up, its check.
fn block(number: u8, data: &[u8], octets: usize, check: Check) -> Vec<u8> {
    let head = if octets == LONG_OCTETS { STX } else { SOH };
    let mut data = data.to_vec();
    data.resize(octets, SUB);
    let mut block = [&[head, number, !number], data.as_slice()].concat();
    check.append_to(&mut block, &data);
    block
}

/// The number and data of a block with its head, if it came whole.
fn opened(block: &[u8], check: Check) -> Option<(u8, &[u8])> {
    let (&[_, number, complement], rest) = block.split_first_chunk::<HEAD_OCTETS>()?;
    let (data, found) = rest.split_at_checked(rest.len().checked_sub(check.octets())?)?;
    let mut expected = Vec::new();
    check.append_to(&mut expected, data);
    (number == !complement && found == expected).then_some((number, data))
}

/// Two CANs in a row.
#[derive(Debug, Default)]
struct Cancels(usize);

impl Cancels {
    const fn is_half(&self) -> bool {
        self.0 > 0
    }

    /// Whether this octet makes them complete.
    fn push(&mut self, octet: u8) -> bool {
        self.0 = if octet == CAN { self.0 + 1 } else { 0 };
        self.0 == CANCEL.len()
    }
}

/// Why a transfer failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the other side did not begin")]
    NotBegun,
    #[error("the other side fell silent")]
    Silent,
    #[error("the line is too bad")]
    TooManyTries,
    #[error("the other side cancelled")]
    Cancelled,
    #[error("a block is missing")]
    OutOfOrder,
    #[error("the file cannot be read or written")]
    File,
}

#[cfg(test)]
mod tests;
