//! A disk of which one operation fails: what is left must be a whole queue. Power cuts are the simulation's.

use super::{MESSAGE, State, World, upstream};
use crate::outgoing::NotSent;
use crate::queue::attempt::Attempt;
use crate::queue::orders::{self, Order};
use crate::queue::place::{Names, NewFile, Place, ThisMachine};
use crate::queue::{Queue, Settings, WhenFateUnknown};
use jiff::Timestamp;
use mail::smtp::client::{Failure, Step};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::time::Instant;

/// This machine, but for what is switched off.
#[derive(Default)]
struct Failing {
    /// No directory is synced.
    syncs: AtomicBool,
    /// Nothing gets another name.
    renames: AtomicBool,
    /// No file has two names.
    links: AtomicBool,
    /// Directories have a name more than they are found to have when it is looked for: it was just taken off.
    late_names: AtomicBool,
}

/// A name of another mail's report while that is written.
const LATE_NAME: &str = "0hokzjbv2ta.new";

fn fail_if(is_failing: &AtomicBool) -> io::Result<()> {
    if is_failing.load(Ordering::Relaxed) { Err(io::Error::other("as the test wants")) } else { Ok(()) }
}

impl Place for Failing {
    fn time(&self) -> Timestamp {
        ThisMachine.time()
    }

    fn now(&self) -> Instant {
        ThisMachine.now()
    }

    fn make_directory(&self, directory: &Path) -> io::Result<()> {
        ThisMachine.make_directory(directory)
    }

    fn lock(&self, directory: &Path) -> io::Result<Box<dyn Send + Sync>> {
        ThisMachine.lock(directory)
    }

    fn names(&self, directory: &Path) -> io::Result<Names> {
        let late = self.late_names.load(Ordering::Relaxed).then(|| Ok(LATE_NAME.into()));
        Ok(Box::new(ThisMachine.names(directory)?.chain(late)))
    }

    fn octets(&self, file: &Path) -> io::Result<u64> {
        ThisMachine.octets(file)
    }

    fn create(&self, file: &Path) -> io::Result<Box<dyn NewFile>> {
        ThisMachine.create(file)
    }

    fn open(&self, file: &Path) -> io::Result<Box<dyn Read + Send>> {
        ThisMachine.open(file)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fail_if(&self.renames)?;
        ThisMachine.rename(from, to)
    }

    fn link(&self, file: &Path, name: &Path) -> io::Result<()> {
        fail_if(&self.links)?;
        ThisMachine.link(file, name)
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        ThisMachine.remove(file)
    }

    fn sync(&self, directory: &Path) -> io::Result<()> {
        fail_if(&self.syncs)?;
        ThisMachine.sync(directory)
    }
}

/// A queue with one mail in it, on such a disk; nothing waits for long.
async fn world() -> (World, Arc<Failing>) {
    let place = Arc::new(Failing::default());
    let mut world = World::with(vec![upstream("up", 1)], |settings| Settings {
        retry_wait_min: std::time::Duration::ZERO,
        when_fate_unknown: WhenFateUnknown::Hold,
        ..settings
    });
    world.queue = Queue::at(Arc::clone(&place) as Arc<dyn Place>, world.settings.clone());
    world.put("up", &["a@b"], MESSAGE).await.unwrap();
    (world, place)
}

fn next(world: &World) -> Attempt {
    Attempt::next(&world.queue, &BTreeSet::new()).unwrap()
}

fn refused(code: u16) -> NotSent {
    let reply = mail::smtp::reply::Reply::new(code, "no");
    let failure = Failure::Refused { step: Step::FinalDot, reply };
    NotSent { words: failure.to_string(), failure: Some(failure) }
}

/// Gives out the whole message; whether it may have gone.
fn give_out(attempt: &Attempt) -> bool {
    let mut message = attempt.outgoing().unwrap().message;
    message.next(&mut Vec::new()).is_ok()
}

#[tokio::test]
async fn a_mark_that_may_not_last_lets_nothing_go_and_leaves_one_envelope() {
    let (world, place) = world().await;
    place.syncs.store(true, Ordering::Relaxed);
    let attempt = next(&world);
    assert!(!give_out(&attempt), "the disk may say that it has not gone");
    attempt.settle(Some(&NotSent { words: "was not sent".to_owned(), failure: None }));
    place.syncs.store(false, Ordering::Relaxed);
    let envelopes = world.files().into_iter().filter(|file| !file.ends_with(".eml"));
    assert_eq!(envelopes.count(), 1, "{:?}", world.files());
    let noting = next(&world);
    assert!(!noting.is_needed(), "what came of it is noted first");
    noting.settle(None);
    let attempt = next(&world);
    assert!(attempt.is_needed() && give_out(&attempt));
    attempt.settle(None);
    assert_eq!(world.files(), [""; 0]);
}

#[tokio::test]
async fn a_mail_that_fails_while_another_is_reported_is_done_with_at_once() {
    let (world, place) = world().await;
    let attempt = next(&world);
    place.late_names.store(true, Ordering::Relaxed);
    attempt.settle(Some(&refused(550)));
    assert!(world.queue.is_empty() && world.queue.taken() == (0, 0));
    let files = world.files();
    assert!(files.len() == 2 && files.iter().all(|file| file.starts_with("failed/")), "{files:?}");
}

#[tokio::test]
async fn an_outcome_that_could_not_be_noted_is_noted_later() {
    for (outcome, state) in
        [(Some(refused(451)), Some(State::Waiting)), (Some(refused(354)), Some(State::Unknown)), (None, None)]
    {
        let (world, place) = world().await;
        let attempt = next(&world);
        assert!(give_out(&attempt));
        place.renames.store(true, Ordering::Relaxed);
        place.syncs.store(true, Ordering::Relaxed);
        attempt.settle(outcome.as_ref());
        place.renames.store(false, Ordering::Relaxed);
        place.syncs.store(false, Ordering::Relaxed);
        let again = next(&world);
        assert!(
            !again.is_needed(),
            "{outcome:?}: what came of it is known, and nothing is sent before it is noted"
        );
        again.settle(None);
        let listed = world.listed();
        assert_eq!(listed.first().map(|listed| listed.state), state, "{outcome:?}");
        assert_eq!(world.queue.taken().0, listed.len());
    }
}

#[tokio::test]
async fn a_mail_is_removed_when_the_disk_can_and_the_order_waits_for_that() {
    let (world, place) = world().await;
    let id = world.listed()[0].id;
    let orders = world.settings.directory.join("orders");
    orders::give(&orders, Order::Remove, id).unwrap();
    place.syncs.store(true, Ordering::Relaxed);
    world.queue.obey();
    assert!(orders::is_given(&orders, Order::Remove, id));
    assert_eq!(world.queue.taken().0, 1);
    place.syncs.store(false, Ordering::Relaxed);
    world.queue.obey();
    assert_eq!((world.files(), world.queue.taken()), (Vec::new(), (0, 0)));
}

#[tokio::test]
async fn an_order_to_retry_that_may_come_back_is_not_carried_out() {
    let (world, place) = world().await;
    let id = world.listed()[0].id;
    let attempt = next(&world);
    assert!(give_out(&attempt));
    attempt.settle(Some(&refused(354)));
    orders::give(&world.settings.directory.join("orders"), Order::Retry, id).unwrap();
    place.syncs.store(true, Ordering::Relaxed);
    world.queue.obey();
    place.syncs.store(false, Ordering::Relaxed);
    assert_eq!(world.listed()[0].state, State::Unknown);
}

#[tokio::test]
async fn what_was_not_taken_leaves_nothing_on_a_disk_that_fails() {
    let (mut world, place) = world().await;
    place.syncs.store(true, Ordering::Relaxed);
    assert!(world.put("up", &["c@d"], MESSAGE).await.is_err());
    assert_eq!((world.queue.taken().0, world.files().len()), (1, 2), "{:?}", world.files());
    world.begin_again().await;
    assert_eq!((world.queue.taken().0, world.files().len()), (1, 2), "{:?}", world.files());
}

#[tokio::test]
async fn a_mail_that_failed_is_copied_whole_where_no_file_has_two_names() {
    let (world, place) = world().await;
    let id = world.listed()[0].id;
    place.links.store(true, Ordering::Relaxed);
    next(&world).settle(Some(&refused(554)));
    assert_eq!(world.files(), [format!("failed/{id}.eml"), format!("failed/{id}.txt")]);
    assert_eq!(fs::read(world.settings.directory.join(format!("failed/{id}.eml"))).unwrap(), MESSAGE);
}

#[tokio::test]
async fn a_mail_that_failed_is_done_with_though_its_message_is_gone() {
    let (world, _) = world().await;
    let id = world.listed()[0].id;
    fs::remove_file(world.settings.directory.join(format!("{id}.eml"))).unwrap();
    next(&world).settle(Some(&refused(554)));
    assert_eq!((world.files(), world.queue.taken()), (vec![format!("failed/{id}.txt")], (0, 0)));
}
