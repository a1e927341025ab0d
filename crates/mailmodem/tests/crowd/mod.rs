//! Many lines of one process that send at once, while some of the servers fail: the real program, real connections, and
//! an account of every mail at the end.
//!
//! Each line has a drive with a file of its own. First every line sends that file at once; then small mails follow,
//! each line's one after the other and each to another server. Each mail has a mark that nothing else has, and goes to
//! an address with that mark.
//!
//! Not here: how many, and what is done with the figures. That is `tests/load.rs` and, larger, `benches/load.rs`.

mod host;
mod laws;
mod server;
mod service;

use host::Host;
use server::{Content, Digest, Held, Manner, Server};
use service::Service;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// How much there is of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub(crate) lines: usize,
    /// Of the file that each line sends.
    pub(crate) file_octets: u64,
    pub(crate) small_mails_per_line: usize,
    /// Whether there is a server that says nothing: each mail to it takes the 30 seconds after which the modem stops.
    pub(crate) has_silence: bool,
}

/// Where the mails of 25 lines go: how the server is, and whether the mail is queued.
const PLACES: [(Manner, bool); 25] = [
    (Manner::Well, false),
    (Manner::RefusesRecipient, false),
    (Manner::Well, false),
    (Manner::RefusesForNow, false),
    (Manner::Well, false),
    (Manner::CutsInMessage, false),
    (Manner::Well, false),
    (Manner::CutsBeforeTaking, false),
    (Manner::Well, false),
    (Manner::CutsAfterTaking, false),
    (Manner::Well, false),
    (Manner::Silent, false),
    (Manner::Well, false),
    (Manner::Slow, false),
    (Manner::Well, false),
    (Manner::Well, true),
    (Manner::Well, false),
    (Manner::RefusesRecipient, true),
    (Manner::Well, false),
    (Manner::RefusesForNow, true),
    (Manner::Well, false),
    (Manner::CutsInMessage, true),
    (Manner::Well, false),
    (Manner::CutsBeforeTaking, true),
    (Manner::CutsAfterTaking, true),
];

/// From a line's mail to its next, so many places on: no number of places is a multiple of it.
const PLACES_APART: usize = 7;

/// Lines of a small mail's text.
const TEXT_LINES: usize = 28;

/// A mail that is sent, and what its terminal was told.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    mark: String,
    manner: Manner,
    pub(crate) is_queued: bool,
    pub(crate) is_large: bool,
    content: Digest,
    /// What stands after `+SMTP: `.
    pub(crate) outcome: String,
    /// From the start that all lines have together to the outcome.
    pub(crate) end: Duration,
}

impl Mail {
    /// Whether its server takes its time.
    pub(crate) fn is_slow(&self) -> bool {
        self.manner == Manner::Slow
    }
}

/// What it came to.
pub(crate) struct Figures {
    pub(crate) mails: Vec<Mail>,
    /// Of the large mails that went straight from lines to servers that are well, as messages.
    pub(crate) large_octets: u64,
    /// From the first to the last outcome of all large mails, of all small ones, and until the queue was at rest.
    pub(crate) walls: [Duration; 3],
    /// What the process took of the processor in each of these.
    pub(crate) processor: [Duration; 3],
    /// The most memory it had: with all lines idle, and in the end.
    pub(crate) peaks_kb: [u64; 2],
    /// How many mails ended where: queued ones by what became of them.
    pub(crate) fates: BTreeMap<&'static str, usize>,
}

/// What is to be sent.
struct Errand {
    mark: String,
    place: (Manner, bool),
    text: Vec<String>,
    /// The file's digest does not tell what it has to be, its octets do.
    file: Option<Vec<u8>>,
}

/// Sends everything, sees that the laws hold, and tells what it took. `tell` is told how many of how many mails are done.
pub(crate) fn run(program: &Path, scale: Scale, tell: impl Fn(usize, usize) + Sync) -> Figures {
    let directory = tempfile::tempdir().unwrap();
    let heads: Vec<Vec<u8>> =
        (0..scale.lines).map(|line| format!("the file of line {line}\n").into_bytes()).collect();
    for (line, head) in heads.iter().enumerate() {
        let folder = directory.path().join(format!("data/{}/drive-c/Picture", service::line_name(line)));
        fs::create_dir_all(&folder).unwrap();
        write_file(&folder.join(host::FILE), head, scale.file_octets);
    }
    let manners: BTreeSet<Manner> = PLACES.iter().map(|(manner, _)| *manner).collect();
    let servers: BTreeMap<Manner, Server> =
        manners.into_iter().map(|manner| (manner, Server::start(manner))).collect();
    let service = Service::start(program, directory.path(), scale.lines, &servers);
    let mut hosts: Vec<Host> =
        service.addresses(scale.lines).iter().map(|address| Host::at(address)).collect();
    let idle_kb = service.peak_kb();
    let all = scale.lines * (1 + scale.small_mails_per_line);
    let done = std::sync::atomic::AtomicUsize::new(0);
    let tell = || tell(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1, all);

    let large: Vec<Vec<Errand>> = (0..scale.lines)
        .map(|line| {
            let file = heads.get(line).cloned();
            vec![errand(format!("large-{line}"), line, scale, file)]
        })
        .collect();
    let (mut mails, mut walls, mut processor) = (Vec::new(), Vec::new(), Vec::new());
    let small: Vec<Vec<Errand>> = (0..scale.lines)
        .map(|line| {
            let mail = |mail: usize| {
                errand(format!("small-{line}-{mail}"), line + PLACES_APART * (mail + 1), scale, None)
            };
            (0..scale.small_mails_per_line).map(mail).collect()
        })
        .collect();
    for errands in [large, small] {
        let (begun, busy) = (Instant::now(), service.processor_time());
        mails.append(&mut send(&mut hosts, errands, scale, &tell));
        walls.push(begun.elapsed());
        processor.push(service.processor_time() - busy);
    }
    let (begun, busy) = (Instant::now(), service.processor_time());
    let queue = service.rest_of_queue();
    walls.push(begun.elapsed());
    processor.push(service.processor_time() - busy);

    let peaks_kb = [idle_kb, service.peak_kb()];
    let log = service.end();
    let held: BTreeMap<String, Vec<Held>> = servers.values().fold(BTreeMap::new(), |mut all, server| {
        for held in server.held() {
            all.entry(held.mark.clone()).or_insert_with(Vec::new).push(held);
        }
        all
    });
    let fates = laws::hold(&mails, &held, &queue, &log);
    laws::memory_is_bounded(peaks_kb, scale.lines);
    let is_well = |mail: &&Mail| mail.is_large && !mail.is_queued && mail.manner == Manner::Well;
    let large_octets = mails.iter().filter(is_well).filter_map(|mail| held.get(&mail.mark)).flatten();
    Figures {
        large_octets: large_octets.map(|held| held.octets).sum(),
        mails,
        walls: walls.try_into().unwrap(),
        processor: processor.try_into().unwrap(),
        peaks_kb,
        fates,
    }
}

fn errand(mark: String, place: usize, scale: Scale, file: Option<Vec<u8>>) -> Errand {
    let mut place = *PLACES.get(place % PLACES.len()).unwrap();
    if place.0 == Manner::Silent && !scale.has_silence {
        place.0 = Manner::Well;
    }
    let lines = if file.is_some() { 1 } else { TEXT_LINES };
    let text = (1..=lines).map(|number| {
        // One that begins with a dot.
        format!(
            "{}{number} of {mark}: the wind in knots, the tide in metres and the load in kilos",
            if number == 1 { "." } else { "" }
        )
    });
    Errand { place, text: text.collect(), file, mark }
}

/// Every line sends its mails, all lines at once.
fn send(hosts: &mut [Host], errands: Vec<Vec<Errand>>, scale: Scale, tell: &(impl Fn() + Sync)) -> Vec<Mail> {
    let start = Barrier::new(hosts.len());
    thread::scope(|scope| {
        let lines: Vec<_> = hosts
            .iter_mut()
            .zip(errands)
            .map(|(host, errands)| {
                let start = &start;
                scope.spawn(move || {
                    let digests: Vec<Digest> = errands.iter().map(|errand| digest(errand, scale)).collect();
                    start.wait();
                    let begun = Instant::now();
                    let mail = |(errand, content): (Errand, Digest)| {
                        let Errand { mark, place: (manner, is_queued), text, file } = errand;
                        let is_large = file.is_some();
                        let server = service::server_name(manner, is_queued);
                        let outcome = host.send(&server, &mark, &text, is_large);
                        tell();
                        Mail { mark, manner, is_queued, is_large, content, outcome, end: begun.elapsed() }
                    };
                    errands.into_iter().zip(digests).map(mail).collect::<Vec<Mail>>()
                })
            })
            .collect();
        lines.into_iter().flat_map(|line| line.join().unwrap()).collect()
    })
}

/// A line's file: what it begins with, and then the same again and again.
fn write_file(file: &Path, head: &[u8], octets: u64) {
    let mut file = File::create_new(file).unwrap();
    portions(head, octets, |portion| file.write_all(portion).unwrap());
}

fn digest(errand: &Errand, scale: Scale) -> Digest {
    let mut content = Content::default();
    errand.text.iter().for_each(|line| content.text(line.as_bytes()));
    if let Some(head) = &errand.file {
        portions(head, scale.file_octets, |portion| content.octets(portion));
    }
    content.digest()
}

fn portions(head: &[u8], octets: u64, mut take: impl FnMut(&[u8])) {
    let block: Vec<u8> = (0..64 * 1024_u32).map(|at| u8::try_from(at * at / 7 % 251).unwrap()).collect();
    take(head);
    let mut left = octets - head.len() as u64;
    while left > 0 {
        let portion = block.get(..usize::try_from(left).unwrap_or(usize::MAX)).unwrap_or(&block);
        take(portion);
        left -= portion.len() as u64;
    }
}
