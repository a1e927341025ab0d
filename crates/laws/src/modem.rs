//! A whole modem in its world, with a terminal and servers of ill will.

use crate::steps::{Step, choice, steps};
use dialogue::play::CALENDAR;
use dialogue::script::{Fate, Opening};
use dialogue::world::{PowerOn, World};
use modem::settings::{BadRecipient, Settings};
use std::time::Duration;

/// Longer than anything takes: 30 s for each of a handful of answers.
const LONG: Duration = Duration::from_secs(600);

/// What a modem shows at most for an octet that comes. The longest answer is a file, by a short command, or +CLAC.
const SHOWN_OCTETS_PER_OCTET_MAX: usize = 64 * 1024;

const DRIVE_OCTETS_MAX: u64 = 256 * 1024;

fn world(bits: u8, octet_by_octet: bool) -> World {
    let settings = Settings {
        mask_passwords: bits & 1 != 0,
        bad_recipient: if bits & 2 == 0 { BadRecipient::Fail } else { BadRecipient::Skip },
        apop: bits & 4 != 0,
        require_pdp_context: bits & 8 != 0,
        trace: bits & 16 != 0,
        ..Settings::default()
    };
    let mut world = World::new(PowerOn {
        settings,
        calendar: CALENDAR,
        first_mails: true,
        card: true,
        drive_c_octets_max: DRIVE_OCTETS_MAX,
        drive_d_octets_max: DRIVE_OCTETS_MAX,
        octet_by_octet,
    });
    if bits & 32 != 0 {
        world.script_servers(if bits & 64 == 0 { Opening::Open } else { Opening::Held });
    }
    world
}

/// Who sends the octets.
enum Sender {
    Terminal,
    Server,
    LateServer,
}

fn perform(world: &mut World, octets: &[u8]) {
    let mut sender = Sender::Terminal;
    let mut has_card = true;
    for step in steps(octets) {
        // What cannot happen now does not: the world says so with `None`.
        let _ = match step {
            Step::Octets(octets) => match sender {
                Sender::Terminal => {
                    world.type_octets(octets);
                    None
                }
                Sender::Server => world.serve(octets),
                Sender::LateServer => world.serve_late(octets),
            },
            Step::Mark(letter) => {
                match letter {
                    b'T' => sender = Sender::Terminal,
                    b'S' => sender = Sender::Server,
                    b'L' => sender = Sender::LateServer,
                    b'w' => world.wait(Duration::from_secs(1)),
                    b'W' => world.wait(Duration::from_secs(31)),
                    b'd' => world.set_drains(false),
                    b'D' => world.set_drains(true),
                    b'i' => world.set_terminal_takes(false),
                    b'I' => world.set_terminal_takes(true),
                    b'k' => {
                        has_card = !has_card;
                        world.set_card(has_card);
                    }
                    _ => {}
                }
                match letter {
                    b'o' => world.decide(Fate::Open),
                    b'x' => world.decide(Fate::Refused),
                    b'u' => world.decide(Fate::Unresolved),
                    b'l' => world.decide(Fate::NoTls),
                    b'c' => world.hang_up(),
                    b'p' => world.press_power_key(),
                    _ => None,
                }
            }
        };
    }
}

/// An input: an octet of which the bits choose the settings, then what is typed and served, with marks: `T`, `S`, `L`
/// say whose octets follow: the terminal's, the server's, those that come late on a link that is gone · `o`, `x`, `u`,
/// `l` what becomes of a call · `c` the server hangs up · `w`, `W` time passes · `d`, `D` the link takes nothing, and
/// takes again · `i`, `I` the terminal does · `k` the card goes out or in · `p` the power key.
///
/// What is shown is bounded; and in the end the modem answers AT.
pub(crate) fn lives_on(octets: &[u8]) {
    let (bits, octets) = choice(octets);
    let mut world = world(bits, bits & 128 != 0);
    perform(&mut world, octets);
    world.set_drains(true);
    world.set_terminal_takes(true);
    world.wait(LONG);
    let shown = world.shown().len();
    assert!(shown <= (octets.len() + 1) * SHOWN_OCTETS_PER_OCTET_MAX, "{shown} octets shown");
    // On again if it is off; out of a prompt, to the end of a line, whatever octet ends one, past what that line began
    // (a file that is received takes what comes), and back to what codes and lines are.
    let _ = world.press_power_key();
    world.wait(LONG);
    world.type_octets(b"\x1b\n");
    world.wait(LONG);
    world.type_octets(b"\x1b\n\nATE0Q0V1S3=13S4=10S5=8\n");
    world.wait(LONG);
    world.shown().clear();
    world.type_octets(b"AT\r");
    assert_eq!(world.shown().escape_ascii().to_string(), "\\r\\nOK\\r\\n");
}

/// An input: as of [`lives_on`], without servers. Octets that come one by one show the same as all at once.
pub(crate) fn portions_show_the_same(octets: &[u8]) {
    let (bits, octets) = choice(octets);
    // Servers that nobody opens a link to.
    let bits = bits | 32 | 64;
    let mut worlds = [world(bits, false), world(bits, true)];
    for world in &mut worlds {
        perform(world, octets);
    }
    let [portions, one_by_one] = worlds.each_mut().map(|world| world.shown().escape_ascii().to_string());
    assert_eq!(one_by_one, portions);
}
