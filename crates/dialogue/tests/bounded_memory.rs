//! However much is typed, and wherever: the modem keeps no more of it than its limits say. One test, since the allocator
//! counts for the whole process.

use dialogue::play::CALENDAR;
use dialogue::script::{Fate, Opening};
use dialogue::world::{DRIVE_OCTETS_MAX, PowerOn, World};
use modem::settings::Settings;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// A portion, and how many of them are typed: 16 MB in all.
const PORTION_OCTETS: usize = 4_096;
const PORTIONS: usize = 4_096;

/// The echo of a portion, twice over, and the modem's own few kilobytes.
const GROWTH_OCTETS_MAX: usize = 64 * 1_024;

/// How far memory grew above where it began while the portion was typed over and over.
fn growth(world: &mut World, octet: u8) -> usize {
    let portion = [octet; PORTION_OCTETS];
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    for _ in 0..PORTIONS {
        world.type_octets(&portion);
        world.shown().clear();
    }
    ALLOCATOR.peak_usage().saturating_sub(before)
}

#[test]
fn what_is_typed_without_end_is_not_kept() {
    let settings = Settings::default();
    let mut world = World::new(PowerOn {
        settings,
        calendar: CALENDAR,
        card: true,
        octet_by_octet: false,
        first_mails: false,
        drive_c_octets_max: DRIVE_OCTETS_MAX,
        drive_d_octets_max: DRIVE_OCTETS_MAX,
    });
    let mut most = Vec::new();
    let mut note = |world: &mut World, what: &'static str, octet| most.push((what, growth(world, octet)));

    note(&mut world, "noise", b' ');
    note(&mut world, "a line", b'x');
    world.type_octets(b"\r");
    note(&mut world, "empty lines", b'\r');
    world.type_octets(b"AT+SMTPBODY\r");
    note(&mut world, "a text", b'x');
    world.type_octets(b"\x1a");
    world.type_octets(b"AT+SMTPSRV=\"s\";+SMTPFROM=\"a@b.c\";+SMTPRCPT=0,0,\"a@b.c\"\r");
    world.script_servers(Opening::Held);
    for (what, octet) in [("type-ahead in one line", b'x'), ("type-ahead in empty lines", b'\n')] {
        world.type_octets(b"\rAT+SMTPSEND\r");
        note(&mut world, what, octet);
        assert_eq!(world.decide(Fate::Refused), Some(()));
    }
    world.shown().clear();

    // It is none the worse for it.
    world.type_octets(b"\rATE0\r");
    world.shown().clear();
    world.type_octets(b"AT\r");
    assert_eq!(world.shown(), b"\r\nOK\r\n");
    for (what, growth) in most {
        assert!(growth <= GROWTH_OCTETS_MAX, "{what}: {growth} octets");
    }
}
