//! What a start finds: of a process that was killed, of a disk that cannot be read, and of another process.

use super::{MESSAGE, Mx, World, is_empty, upstream};
use crate::queue::Queue;
use crate::queue::command::{self, Errand, Which};
use crate::queue::envelope::Fate;
use crate::queue::orders::{self, Order};
use crate::queue::place::ThisMachine;
use crate::queue::spool::{self, Id, Listed, State};
use std::fs;

#[tokio::test]
async fn after_a_crash_what_may_have_gone_is_held_and_what_was_not_accepted_is_nothing() {
    let mut mx = Mx::start(vec![]).await;
    let mut world = World::new(vec![upstream("up", mx.port)]);
    for _ in 0..2 {
        world.put("up", &["a@b"], MESSAGE).await.unwrap();
    }
    let ids: Vec<Id> = world.listed().iter().map(|listed| listed.id).collect();
    {
        let spool = world.queue.spool().unwrap();
        spool.turn(ids[0], &mut { State::Waiting }, State::Sending).unwrap();
        let (half, _) = spool.create().unwrap();
        fs::write(world.settings.directory.join(format!("{half}.new")), "{").unwrap();
        fs::write(world.settings.directory.join(format!("{}.new", ids[1])), "{").unwrap();
        // The power may keep one change of a name and not the one before.
        let envelope = |state: &str| world.settings.directory.join(format!("{}.{state}", ids[0]));
        fs::copy(envelope("sending"), envelope("waiting")).unwrap();
    }
    assert_eq!(world.files().len(), 8);
    let listed = spool::list(&ThisMachine, &world.settings.directory).unwrap();
    assert_eq!(listed.iter().map(|listed| listed.id).collect::<Vec<_>>(), ids, "what is half is not seen");

    world.begin_again().await;
    let states: Vec<(Id, State)> = world.listed().iter().map(|listed| (listed.id, listed.state)).collect();
    assert_eq!(states, [(ids[0], State::Unknown), (ids[1], State::Waiting)]);
    assert_eq!(world.files().len(), 6, "two mails, and the report about one: {:?}", world.files());
    world.work();
    mx.next().await;
    world.wait_until(|listed| listed.len() == 1).await;
    world.stop().await;
    assert!(mx.heard.try_recv().is_err());
    assert!(world.report(ids[0]).contains("this program ended before"));
}

#[tokio::test]
async fn an_outcome_that_was_written_and_not_done_with_is_done_with_after_a_crash() {
    let mut world = World::new(vec![upstream("up", 1)]);
    world.put("up", &["a@b"], MESSAGE).await.unwrap();
    let Listed { id, envelope, .. } = world.listed().remove(0);
    let mut envelope = envelope.unwrap();
    envelope.recipients[0].fate = Fate::Failed;
    envelope.recipients[0].words = Some("answered \"550 no\"".to_owned());
    {
        let spool = world.queue.spool().unwrap();
        spool.turn(id, &mut { State::Waiting }, State::Sending).unwrap();
        spool.write(id, State::Sending, &envelope).unwrap();
    }
    world.begin_again().await;
    world.work();
    world.wait_until(is_empty).await;
    world.stop().await;
    assert!(world.report(id).contains("answered \"550 no\""), "{}", world.report(id));
}

#[tokio::test]
async fn an_envelope_that_cannot_be_read_is_told_and_not_touched() {
    let mut world = World::new(vec![upstream("up", 1)]);
    world.put("up", &["a@b"], MESSAGE).await.unwrap();
    let id = world.listed()[0].id;
    let waiting = world.settings.directory.join(format!("{id}.waiting"));
    let readable = fs::read(&waiting).unwrap();
    fs::write(waiting, "{").unwrap();
    let before = world.files();
    world.begin_again().await;
    assert!(world.queue.is_empty());
    assert_eq!(world.files(), before);
    assert!(world.listed()[0].envelope.is_err());

    // Nor is another of the same mail that can be read, and says less.
    let envelope = |state: &str| world.settings.directory.join(format!("{id}.{state}"));
    fs::rename(envelope("waiting"), envelope("sending")).unwrap();
    fs::write(envelope("waiting"), readable).unwrap();
    let before = world.files();
    world.begin_again().await;
    assert!(world.queue.is_empty());
    assert_eq!(world.files(), before);

    // Until its owner has decided, here while no service runs.
    world.queue = Queue::new(world.settings.clone());
    let order = |errand| command::run(world.settings.clone(), errand);
    let words = order(Errand::Retry { mails: vec![Which::One(id)] }).unwrap_err().to_string();
    assert!(words.contains("cannot be tried, since its envelope cannot be read"), "{words}");
    let words = order(Errand::Remove { mails: vec![Which::One(id)] }).unwrap();
    assert_eq!(String::from_utf8(words).unwrap(), format!("{id}: removed\n"));
    assert_eq!(world.files(), [""; 0]);
}

#[tokio::test]
async fn an_envelope_that_can_be_read_again_is_taken_up_by_an_order() {
    let mut mx = Mx::start(vec![]).await;
    let mut world = World::new(vec![upstream("up", mx.port)]);
    world.put("up", &["a@b"], MESSAGE).await.unwrap();
    let id = world.listed()[0].id;
    let waiting = world.settings.directory.join(format!("{id}.waiting"));
    let readable = fs::read(&waiting).unwrap();
    fs::write(&waiting, "{").unwrap();
    world.begin_again().await;
    world.work();
    fs::write(&waiting, readable).unwrap();
    orders::give(&world.settings.directory.join("orders"), Order::Retry, id).unwrap();
    mx.next().await;
    world.wait_until(is_empty).await;
    world.stop().await;
}

/// What the attempt before came to is not why nobody knows what the last one did: its owner would have it sent again.
#[tokio::test]
async fn an_unknown_fate_is_not_told_in_the_words_of_an_earlier_attempt() {
    let mut world = World::new(vec![upstream("up", 1)]);
    world.put("up", &["a@b"], MESSAGE).await.unwrap();
    let Listed { id, envelope, .. } = world.listed().remove(0);
    let mut envelope = envelope.unwrap();
    for words in [&mut envelope.words, &mut envelope.recipients[0].words] {
        *words = Some("answered \"451 not now\"".to_owned());
    }
    {
        let spool = world.queue.spool().unwrap();
        spool.write(id, State::Waiting, &envelope).unwrap();
        spool.turn(id, &mut { State::Waiting }, State::Sending).unwrap();
    }
    for _ in 0..2 {
        world.begin_again().await;
        let report = world.report(id);
        assert!(report.contains("this program ended before") && !report.contains("451"), "{report}");
        let words = world.listed().remove(0).envelope.unwrap().words;
        assert!(words.is_some_and(|words| words.contains("this program ended before")));
    }
}

#[tokio::test]
async fn a_queue_is_one_process_s() {
    let world = World::new(vec![]);
    world.queue.open().unwrap();
    let error = Queue::new(world.settings.clone()).open().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ResourceBusy);
    let words = error.to_string();
    assert!(words.starts_with(&format!("process {} sends", std::process::id())), "{words}");
    assert!(words.contains("data_dir") && words.contains("line of that"), "{words}");
    assert!(world.directory.path().join("queue").exists());
}

#[tokio::test]
async fn a_queue_that_another_process_has_is_opened_when_that_has_ended() {
    let mut mx = Mx::start(vec![]).await;
    let mut world = World::new(vec![upstream("up", mx.port)]);
    world.put("up", &["a@b"], MESSAGE).await.unwrap();
    // What the other process has is what was put; the worker is of this one.
    let other = std::mem::replace(&mut world.queue, Queue::new(world.settings.clone()));
    world.work();
    // It tries once, in vain.
    tokio::task::yield_now().await;
    assert!(world.queue.is_empty());
    drop(other);
    mx.next().await;
    world.wait_until(is_empty).await;
    world.stop().await;
}
