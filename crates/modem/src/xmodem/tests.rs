//! Both sides against each other on lines good and bad, and the laws of `mail::machine`.

use super::{ACK, Check, Failure, NAK, Receiver, SHORT_OCTETS, SUB, Sender, block, opened, receiver, sender};
use crate::drive::memory::MemoryDrive;
use crate::drive::path::{Name, Path};
use crate::drive::{Drive as _, Letter, NameCase, OpenFile};
use mail::machine::{Input, Instant, Machine, Output};
use proptest::prelude::*;
use std::fmt::Debug;
use std::time::Duration;

const WAIT: Option<Duration> = Some(Duration::from_secs(10));

fn file(octets: &[u8]) -> Box<dyn OpenFile> {
    let drive = MemoryDrive::new(NameCase::Told, 1 << 20);
    drive.add_file("a", octets, 0).unwrap();
    drive.open(&Path::root(Letter::C).child(Name::new("a").unwrap()).names).unwrap()
}

/// What the line does to a transmission.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Passes,
    IsLost,
    /// The octet at this place, round and round, is changed by this.
    IsDamaged(usize, u8),
    ComesTwice,
}

/// Fates of blocks. What XMODEM cannot tell apart is left out: more damage than a check must find.
fn fate_of_block() -> impl Strategy<Value = Fate> {
    prop_oneof![
        8 => Just(Fate::Passes),
        1 => Just(Fate::IsLost),
        1 => (0..2000_usize, 1..=255_u8).prop_map(|(at, change)| Fate::IsDamaged(at, change)),
    ]
}

/// Fates of answers. An ACK that comes twice is one for the next block too, and a NAK that looks like one says that a
/// block came; against that the protocol has nothing.
fn fate_of_answer() -> impl Strategy<Value = Fate> {
    prop_oneof![8 => Just(Fate::Passes), 1 => Just(Fate::IsLost), 1 => Just(Fate::IsDamaged(0, b'?' ^ ACK))]
}

impl Fate {
    fn befalls(self, mut octets: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Passes => octets,
            Self::IsLost => Vec::new(),
            Self::IsDamaged(at, change) => {
                let length = octets.len();
                octets[at % length] ^= change;
                octets.retain(|&octet| length > 1 || !matches!(octet, ACK | NAK));
                octets
            }
            Self::ComesTwice => octets.repeat(2),
        }
    }
}

/// How a transfer went.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    sent: Result<(), Failure>,
    /// The file, if it is whole.
    received: Result<Vec<u8>, Failure>,
}

/// A transfer over a line without delay; time passes only while it is quiet.
fn transfer(
    octets: &[u8],
    has_long_blocks: bool,
    mut blocks: impl Iterator<Item = Fate>,
    mut answers: impl Iterator<Item = Fate>,
) -> Outcome {
    let mut now = Instant::POWER_ON;
    let mut sender = Sender::new(file(octets), has_long_blocks, WAIT, now);
    let mut receiver = Receiver::new(WAIT, now);
    let (mut content, mut is_whole) = (Vec::new(), false);
    let (mut sent, mut received) = (None, None);
    for _ in 0..10_000 {
        if let Some(output) = receiver.poll() {
            match output {
                Output::Transmit(octets) => {
                    let arrived = answers.next().unwrap_or(Fate::Passes).befalls(octets);
                    sender.handle(Input::Received(&arrived), now);
                }
                Output::Event(receiver::Event::Block(octets)) => content.extend(octets),
                Output::Event(receiver::Event::Whole) => is_whole = true,
                Output::Event(receiver::Event::Ended(result)) => received = Some(result),
                Output::StartTls | Output::Close | Output::Abort => unreachable!(),
            }
        } else if let Some(output) = sender.poll() {
            match output {
                Output::Transmit(octets) => {
                    let arrived = blocks.next().unwrap_or(Fate::Passes).befalls(octets);
                    receiver.handle(Input::Received(&arrived), now);
                }
                Output::Event(sender::Event(result)) => sent = Some(result),
                Output::StartTls | Output::Close | Output::Abort => unreachable!(),
            }
        } else if let (Some(sent), Some(result)) = (sent, received) {
            assert_eq!(is_whole, result.is_ok());
            return Outcome { sent, received: result.map(|()| content) };
        } else {
            now = sender.deadline().into_iter().chain(receiver.deadline()).min().unwrap();
            sender.handle(Input::DeadlinePassed, now);
            receiver.handle(Input::DeadlinePassed, now);
        }
    }
    panic!("it does not end");
}

/// What arrives of a file.
fn filled_up(octets: &[u8]) -> Vec<u8> {
    let mut octets = octets.to_vec();
    octets.resize(octets.len().next_multiple_of(SHORT_OCTETS), SUB);
    octets
}

fn every_octet(count: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(count).collect()
}

#[test]
fn files_of_every_length_near_a_block() {
    for count in [0, 1, 127, 128, 129, 1023, 1024, 1025, 1151, 1152, 1153, 128 * 256, 128 * 257 + 5] {
        for has_long_blocks in [false, true] {
            let octets = every_octet(count);
            let outcome = transfer(&octets, has_long_blocks, std::iter::empty(), std::iter::empty());
            assert_eq!(outcome, Outcome { sent: Ok(()), received: Ok(filled_up(&octets)) });
        }
    }
}

#[test]
fn every_block_and_the_end_may_come_twice() {
    let octets = every_octet(1000);
    let outcome = transfer(&octets, false, std::iter::repeat(Fate::ComesTwice), std::iter::empty());
    assert_eq!(outcome, Outcome { sent: Ok(()), received: Ok(filled_up(&octets)) });
}

#[test]
fn a_line_that_passes_nothing_ends_the_transfer() {
    let lost = || std::iter::repeat(Fate::IsLost);
    let outcome = transfer(b"a", false, lost(), std::iter::empty());
    assert_eq!(outcome.received, Err(Failure::NotBegun));
    assert!(outcome.sent.is_err());
    let outcome = transfer(b"a", false, std::iter::empty(), lost());
    assert_eq!(outcome, Outcome { sent: Err(Failure::NotBegun), received: Err(Failure::NotBegun) });
}

#[test]
fn a_file_that_ends_before_its_time_is_not_sent_as_if_it_were_whole() {
    struct Shorter(Box<dyn OpenFile>);
    impl OpenFile for Shorter {
        fn octets(&self) -> u64 {
            self.0.octets() + 1
        }
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize, crate::drive::DriveError> {
            self.0.read(buffer)
        }
    }
    let now = Instant::POWER_ON;
    let mut sender = Sender::new(Box::new(Shorter(file(b"abc"))), false, WAIT, now);
    sender.handle(Input::Received(b"C"), now);
    assert_eq!(sender.poll(), Some(Output::Transmit(super::CANCEL.to_vec())));
    assert_eq!(sender.poll(), Some(Output::Event(sender::Event(Err(Failure::File)))));
}

#[test]
fn checks_of_the_reference() {
    // CRC-16/XMODEM of "123456789" is 0x31c3; the last octet of its sum is 0xdd.
    let mut check = Vec::new();
    Check::Crc.append_to(&mut check, b"123456789");
    Check::Sum.append_to(&mut check, b"123456789");
    assert_eq!(check, [0x31, 0xc3, 0xdd]);
    for octets in [SHORT_OCTETS, super::LONG_OCTETS] {
        for check in [Check::Sum, Check::Crc] {
            let mut block = block(7, b"abc", octets, check);
            assert_eq!(opened(&block, check).map(|(number, data)| (number, data.len())), Some((7, octets)));
            block[5] ^= 1;
            assert_eq!(opened(&block, check), None);
        }
    }
    assert_eq!(opened(&[1, 1], Check::Crc), None);
}

/// Everything a machine does when it hears this in these portions.
fn transcript<M: Machine>(mut machine: M, octets: &[u8], portion: usize, early: bool) -> Vec<String>
where
    M::Event: Debug,
{
    let mut transcript = Vec::new();
    let mut now = Instant::POWER_ON;
    // Time passes at the same places whatever the portions are.
    for burst in octets.chunks(200) {
        for portion in burst.chunks(portion) {
            machine.handle(Input::Received(portion), now);
            if early && machine.deadline().is_some_and(|deadline| deadline > now) {
                machine.handle(Input::DeadlinePassed, now);
            }
            while let Some(output) = machine.poll() {
                transcript.push(format!("{output:?}"));
            }
        }
        now = now + Duration::from_millis(700);
        if machine.deadline().is_some_and(|deadline| deadline <= now) {
            machine.handle(Input::DeadlinePassed, now);
        }
    }
    while let Some(output) = machine.poll() {
        transcript.push(format!("{output:?}"));
    }
    let is_over = transcript.iter().any(|line| line.contains("Err(") || line.contains("Ok("));
    assert_eq!(is_over, machine.deadline().is_none());
    if is_over {
        machine.handle(Input::Received(b"\x01C\x04\x18\x18"), now);
        machine.handle(Input::Closed, now);
        machine.handle(Input::DeadlinePassed, now);
        assert!(machine.poll().is_none());
    }
    transcript
}

/// Octets that mean something, and others, and whole blocks.
fn heard() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![1_u8, 2, 4, 6, 0x15, 0x18, b'C', 0, 0xff]).prop_map(|octet| vec![octet]),
        2 => (1..5_u8).prop_map(|number| block(number, b"data", SHORT_OCTETS, Check::Crc)),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_bad_line_delays_a_file_or_stops_it_and_never_changes_it(
        octets in prop::collection::vec(any::<u8>(), 0..3000),
        has_long_blocks: bool,
        blocks in prop::collection::vec(fate_of_block(), 0..60),
        answers in prop::collection::vec(fate_of_answer(), 0..60),
    ) {
        let outcome = transfer(&octets, has_long_blocks, blocks.into_iter(), answers.into_iter());
        if let Ok(content) = &outcome.received {
            prop_assert_eq!(content, &filled_up(&octets));
        }
        prop_assert!(outcome.sent.is_err() || outcome.received.is_ok(), "{:?}", outcome);
    }

    #[test]
    fn now_and_then_a_fault_is_no_harm(
        octets in prop::collection::vec(any::<u8>(), 1..3000),
        has_long_blocks: bool,
        at in 0..10_usize,
        is_lost: bool,
    ) {
        let fault = if is_lost { Fate::IsLost } else { Fate::IsDamaged(60, 0x20) };
        let fates = (0..).map(|turn| if turn == at { fault } else { Fate::Passes });
        let outcome = transfer(&octets, has_long_blocks, fates, std::iter::empty());
        prop_assert_eq!(outcome, Outcome { sent: Ok(()), received: Ok(filled_up(&octets)) });
    }

    #[test]
    fn portions_and_early_deadlines_make_no_difference(octets in heard(), portion in 1..50_usize) {
        let now = Instant::POWER_ON;
        let receive = |portion, early| transcript(Receiver::new(WAIT, now), &octets, portion, early);
        prop_assert_eq!(receive(usize::MAX, false), receive(portion, true));
        let send =
            |portion, early| transcript(Sender::new(file(&[b'x'; 300]), true, WAIT, now), &octets, portion, early);
        prop_assert_eq!(send(usize::MAX, false), send(portion, true));
    }
}
