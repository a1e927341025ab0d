mod failing;
mod starting;

use super::orders::{self, Order};
use super::place::ThisMachine;
use super::spool::{self, Id, Listed, Spool, State};
use super::worker::{Opening, Worker};
use super::{Entrance, Queue, Settings, WhenFateUnknown, bounce};
use crate::link::Stopwatch;
use crate::network::SharedUpstreams;
use crate::running::{Running, Told};
use crate::upstream::{Delivery, LogIn, TlsMode, Upstream, Upstreams};
use mail::smtp::client::{
    BadRecipient, Client, Event, Failure, Order as ClientOrder, Prepared, Submission, Unreadable,
};
use modem::modem::Protocol;
use modem::route::Call;
use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// No test waits so long unless it is to fail.
const TOO_LONG: Duration = Duration::from_secs(60);

const MESSAGE: &[u8] = b"Subject: Alarm\r\nMessage-ID: <1@panel>\r\n\r\n.a dot\r\nat the gate\r\n";

/// What a server does on one connection; what is not said is well.
#[derive(Default)]
struct Manner {
    /// Recipients and their answers.
    recipients: Vec<(&'static str, &'static str)>,
    /// The answer to the final dot; empty for none at all, and the end of the connection.
    at_dot: Option<&'static str>,
    /// Waits for this before it answers the dot.
    go: Option<oneshot::Receiver<()>>,
}

/// A mail that a server has: its recipients and its text, and whether it said so.
#[derive(Debug, PartialEq, Eq)]
struct Heard {
    recipients: Vec<String>,
    text: Vec<u8>,
}

/// A server on a socket. What it hears to the dot is told.
struct Mx {
    port: u16,
    heard: mpsc::UnboundedReceiver<Heard>,
}

impl Mx {
    async fn start(manners: Vec<Manner>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, heard) = mpsc::unbounded_channel();
        let manners = Arc::new(Mutex::new(VecDeque::from(manners)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let manner = manners.lock().unwrap().pop_front().unwrap_or_default();
                tokio::spawn(converse(stream, manner, tell.clone()));
            }
        });
        Self { port, heard }
    }

    async fn next(&mut self) -> Heard {
        tokio::time::timeout(TOO_LONG, self.heard.recv()).await.unwrap().unwrap()
    }
}

async fn converse(
    stream: tokio::net::TcpStream,
    mut manner: Manner,
    tell: mpsc::UnboundedSender<Heard>,
) -> Option<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read);
    let mut heard = Heard { recipients: Vec::new(), text: Vec::new() };
    let mut in_text = false;
    write.write_all(b"220 mx ready\r\n").await.ok()?;
    loop {
        let mut line = Vec::new();
        if lines.read_until(b'\n', &mut line).await.ok()? == 0 {
            return None;
        }
        let words = String::from_utf8_lossy(&line).trim_end().to_owned();
        let answer = match words.as_str() {
            "." if in_text => {
                in_text = false;
                let text = std::mem::take(&mut heard.text);
                let recipients = std::mem::take(&mut heard.recipients);
                tell.send(Heard { recipients, text }).ok()?;
                if let Some(go) = manner.go.take() {
                    go.await.ok()?;
                }
                match manner.at_dot {
                    Some("") => return None,
                    Some(answer) => answer.to_owned(),
                    None => "250 taken".to_owned(),
                }
            }
            _ if in_text => {
                heard.text.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
                continue;
            }
            "DATA" => {
                in_text = true;
                "354 go on".to_owned()
            }
            "QUIT" => "221 bye".to_owned(),
            words => match words.strip_prefix("RCPT TO:<").and_then(|rest| rest.split('>').next()) {
                None => "250 well".to_owned(),
                Some(address) => {
                    let refusal = manner.recipients.iter().find(|(refused, _)| *refused == address);
                    if refusal.is_none() {
                        heard.recipients.push(address.to_owned());
                    }
                    refusal.map_or("250 well", |(_, answer)| *answer).to_owned()
                }
            },
        };
        write.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
    }
}

/// A message in memory.
struct Text(Vec<u8>);

impl Submission for Text {
    fn prepare(&mut self, eight_bit: bool) -> Prepared {
        assert!(!eight_bit, "what is queued must be fit for every server");
        Prepared { octets: self.0.len() as u64, eight_bit: false }
    }

    fn next(&mut self, content: &mut Vec<u8>) -> Result<bool, Unreadable> {
        content.append(&mut self.0);
        Ok(false)
    }
}

fn upstream(name: &str, port: u16) -> Upstream {
    Upstream {
        name: name.to_owned(),
        host: Some("127.0.0.1".to_owned()),
        port: Some(port),
        tls: Some(TlsMode::Off),
        log_in: LogIn::Nobody,
        delivery: Delivery::Queued,
        ..Upstream::default()
    }
}

/// A queue in a directory of its own, that is worked on until this is dropped.
struct World {
    directory: TempDir,
    settings: Settings,
    upstreams: SharedUpstreams,
    queue: Queue,
    worker: Option<Worker>,
}

impl World {
    fn new(upstreams: Vec<Upstream>) -> Self {
        Self::with(upstreams, |settings| settings)
    }

    fn with(upstreams: Vec<Upstream>, change: impl FnOnce(Settings) -> Settings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let settings = Settings {
            retry_wait_min: Duration::from_millis(20),
            retry_wait_max: Duration::from_millis(50),
            ..Settings::new(directory.path().join("queue"))
        };
        let settings = change(settings);
        let shared = SharedUpstreams::default();
        shared.set(Upstreams::new(upstreams));
        let queue = Queue::new(settings.clone());
        Self { directory, settings, upstreams: shared, queue, worker: None }
    }

    fn work(&mut self) {
        self.worker = Some(Worker::begin(Some(self.queue.clone()), &self.upstreams, Opening::Again));
    }

    /// Ends the worker, as SIGTERM does.
    async fn stop(&mut self) {
        let mut worker = self.worker.take().unwrap();
        worker.stop();
        tokio::time::timeout(TOO_LONG, worker.ended()).await.unwrap();
    }

    /// What a new process finds.
    async fn begin_again(&mut self) {
        if self.worker.is_some() {
            self.stop().await;
        }
        self.queue = Queue::new(self.settings.clone());
        let opened = tokio::time::timeout(TOO_LONG, async {
            // A link of the one before may still end.
            while let Err(error) = self.queue.open() {
                assert_eq!(error.kind(), std::io::ErrorKind::ResourceBusy);
                tokio::task::yield_now().await;
            }
        });
        opened.await.unwrap();
    }

    /// A mail of the modem's to an upstream.
    async fn put(&self, upstream: &str, recipients: &[&str], message: &[u8]) -> Result<(), Failure> {
        let rule = Arc::clone(self.upstreams.get().named(upstream).unwrap());
        let entrance = Entrance { queue: self.queue.clone(), hello_name: "panel.example".to_owned() };
        let recipients: Vec<String> = recipients.iter().map(|&address| address.to_owned()).collect();
        let call = Call {
            protocol: Protocol::Smtp,
            server: "smtp.server.com".to_owned(),
            port: 25,
            user: None,
            sender: Some("panel@server.com".to_owned()),
            recipients: recipients.clone(),
        };
        let dialled = entrance.enter(&rule, "line", &call).unwrap();
        let watch = Stopwatch::start();
        let order = ClientOrder {
            hello_name: "panel.example".to_owned(),
            policy: dialled.route.policy,
            credentials: None,
            nonce: None,
            sender: "panel@server.com".parse().unwrap(),
            recipients,
            bad_recipient: BadRecipient::Fail,
            message: Box::new(Text(message.to_vec())),
        };
        let mut running =
            Running::new(Client::new(order, watch.now()), dialled.link, dialled.handshake, watch);
        let mut outcome = None;
        while let Some(told) = running.step().await {
            for told in told {
                if let Told::Event(Event::Finished(finished)) = told {
                    outcome = Some(finished.map(drop));
                }
            }
        }
        running.leave().await;
        outcome.unwrap()
    }

    fn listed(&self) -> Vec<Listed> {
        spool::list(&ThisMachine, &self.settings.directory).unwrap()
    }

    /// Waits until the queue on the disk is as wanted.
    async fn wait_until(&self, is_so: impl Fn(&[Listed]) -> bool) -> Vec<Listed> {
        let waited = tokio::time::timeout(TOO_LONG, async {
            loop {
                let listed = self.listed();
                if is_so(&listed) {
                    return listed;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        waited.await.unwrap_or_else(|_| panic!("it never came to that: {:?}", self.listed()))
    }

    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        for part in ["", "orders", "failed"] {
            for entry in fs::read_dir(self.settings.directory.join(part)).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_file() {
                    files.push(format!("{part}/{}", entry.file_name().into_string().unwrap()));
                }
            }
        }
        files.sort();
        files
    }

    fn report(&self, id: Id) -> String {
        fs::read_to_string(self.settings.directory.join(format!("failed/{id}.txt"))).unwrap()
    }
}

fn is_empty(listed: &[Listed]) -> bool {
    listed.is_empty()
}

fn is_unknown(listed: &[Listed]) -> bool {
    listed.iter().any(|listed| listed.state == State::Unknown)
}

#[test]
fn names_sort_as_their_numbers_do_and_are_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let spool = Spool::open(Arc::new(ThisMachine), directory.path().join("queue")).unwrap();
    let ids: Vec<Id> = (0..100).map(|_| spool.create().unwrap().0).collect();
    let names: Vec<String> = ids.iter().map(Id::to_string).collect();
    assert!(ids.is_sorted_by(|a, b| a < b) && names.is_sorted_by(|a, b| a < b), "{names:?}");
    for (id, name) in ids.iter().zip(&names) {
        assert_eq!((name.len(), name.parse()), (11, Ok(*id)));
    }
    for text in ["", "all", "00000000000a", "0000000000A", "../../../etc", "+0000000001"] {
        assert!(text.parse::<Id>().is_err(), "{text}");
    }
}

#[test]
fn a_clock_that_is_set_back_gives_no_name_twice() {
    let directory = tempfile::tempdir().unwrap();
    let queue = directory.path().join("queue");
    drop(Spool::open(Arc::new(ThisMachine), queue.clone()).unwrap());
    let future: Id = "zzzzzzzz000".parse().unwrap();
    fs::write(queue.join(format!("failed/{future}.txt")), "of a clock that went ahead").unwrap();
    let spool = Spool::open(Arc::new(ThisMachine), queue).unwrap();
    let (id, _) = spool.create().unwrap();
    assert!(id > future);
}

#[tokio::test]
async fn what_is_taken_is_on_the_disk_for_its_owners_eyes_and_is_sent_once() {
    let mut mx = Mx::start(vec![]).await;
    let mut world = World::new(vec![upstream("up", mx.port)]);
    world.put("up", &["a@b", "c@d", "a@b"], MESSAGE).await.unwrap();

    let [Listed { id, state: State::Waiting, envelope: Ok(envelope) }] = &world.listed()[..] else {
        panic!("{:?}", world.listed());
    };
    assert_eq!(fs::read(spool::message(&world.settings.directory, *id)).unwrap(), MESSAGE);
    assert_eq!((envelope.octets, envelope.eight_bit), (MESSAGE.len() as u64, false));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for part in ["", "orders", "failed"] {
        assert_eq!(mode(&world.settings.directory.join(part)), 0o700);
    }
    for end in ["eml", "waiting"] {
        assert_eq!(mode(&world.settings.directory.join(format!("{id}.{end}"))), 0o600, "{end}");
    }

    world.work();
    let heard = mx.next().await;
    assert_eq!((heard.recipients, heard.text), (vec!["a@b".to_owned(), "c@d".to_owned()], MESSAGE.to_vec()));
    world.wait_until(is_empty).await;
    world.stop().await;
    assert_eq!(world.files(), [""; 0]);
    assert!(mx.heard.try_recv().is_err(), "it was sent twice");
}

#[tokio::test]
async fn each_recipient_has_its_own_end() {
    let refusing = |recipients: &[(&'static str, &'static str)]| Manner {
        recipients: recipients.to_vec(),
        ..Manner::default()
    };
    let mut mx = Mx::start(vec![
        refusing(&[("never@b", "550 nobody"), ("later@b", "450 not now")]),
        refusing(&[("later@b", "452 not now either")]),
    ])
    .await;
    let mut world = World::new(vec![upstream("up", mx.port)]);
    world.put("up", &["never@b", "later@b", "now@b"], MESSAGE).await.unwrap();
    let id = world.listed()[0].id;
    world.work();
    assert_eq!(mx.next().await.recipients, ["now@b"]);
    assert_eq!(mx.next().await.recipients, ["later@b"]);
    world.wait_until(is_empty).await;
    world.stop().await;
    assert_eq!(world.files(), [format!("failed/{id}.eml"), format!("failed/{id}.txt")]);
    let report = world.report(id);
    assert!(report.contains("Given up:\n  never@b\n      answered \"550 nobody\""), "{report}");
    assert_eq!(fs::read(world.settings.directory.join(format!("failed/{id}.eml"))).unwrap(), MESSAGE);
}

#[tokio::test]
async fn a_mail_whose_answer_never_came_is_held_until_its_owner_decides() {
    let cut = || Manner { at_dot: Some(""), ..Manner::default() };
    let mut mx = Mx::start(vec![cut()]).await;
    let mut world = World::new(vec![upstream("up", mx.port)]);
    world.put("up", &["a@b"], MESSAGE).await.unwrap();
    world.work();
    mx.next().await;
    let id = world.wait_until(is_unknown).await[0].id;
    world.wait_until(|_| world.settings.directory.join(format!("failed/{id}.txt")).exists()).await;
    assert!(world.report(id).contains("may have been sent, and may not"), "{}", world.report(id));

    // Not by a new start either.
    world.begin_again().await;
    world.work();
    world.put("up", &["c@d"], MESSAGE).await.unwrap();
    assert_eq!(mx.next().await.recipients, ["c@d"]);
    world.wait_until(|listed| listed.len() == 1).await;

    // Nor by an order that was given before that was known.
    let place = world.settings.directory.join("orders");
    orders::give(&place, Order::Retry, id).unwrap();
    world.wait_until(|_| !orders::is_given(&place, Order::Retry, id)).await;
    assert!(is_unknown(&world.listed()));

    orders::give(&place, Order::Resend, id).unwrap();
    assert_eq!(mx.next().await.recipients, ["a@b"]);
    world.wait_until(is_empty).await;
    world.stop().await;
    assert_eq!(world.files(), [""; 0], "it went after all");
}

#[tokio::test]
async fn a_mail_can_be_had_rather_twice_than_never() {
    let cut = Manner { at_dot: Some(""), ..Manner::default() };
    let mut mx = Mx::start(vec![cut]).await;
    let mut world = World::with(vec![upstream("up", mx.port)], |settings| Settings {
        when_fate_unknown: WhenFateUnknown::Resend,
        ..settings
    });
    world.put("up", &["a@b"], MESSAGE).await.unwrap();
    world.work();
    assert_eq!(mx.next().await, mx.next().await);
    world.wait_until(is_empty).await;
}

#[tokio::test]
async fn a_refusal_of_the_whole_message_is_known_and_final() {
    let refuse = Manner { at_dot: Some("554 spam"), ..Manner::default() };
    let mut mx = Mx::start(vec![refuse]).await;
    let mut world = World::new(vec![upstream("up", mx.port)]);
    world.put("up", &["a@b"], MESSAGE).await.unwrap();
    let id = world.listed()[0].id;
    world.work();
    mx.next().await;
    world.wait_until(is_empty).await;
    world.stop().await;
    let report = world.report(id);
    assert!(report.contains("answered \"554 spam\" to the message's end"), "{report}");
}

#[tokio::test]
async fn what_does_not_go_is_given_up_at_the_deadline_and_reported() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let mut world = World::with(vec![upstream("up", port)], |settings| Settings {
        deadline: Duration::from_secs(1),
        ..settings
    });
    world.put("up", &["a@b"], MESSAGE).await.unwrap();
    let id = world.listed()[0].id;
    world.work();
    world.wait_until(is_empty).await;
    world.stop().await;
    assert_eq!(world.files(), [format!("failed/{id}.eml"), format!("failed/{id}.txt")]);
    let report = world.report(id);
    let attempts = report.split("Attempts:").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
    assert!(attempts.parse::<u32>().unwrap() > 1, "{report}");
    assert!(report.contains("a@b\n      did not go in 0 h; at last: 127.0.0.1:"), "{report}");
}

#[tokio::test]
async fn a_rule_that_is_gone_is_told_and_waited_for() {
    let mut mx = Mx::start(vec![]).await;
    let mut world = World::new(vec![upstream("up", mx.port)]);
    world.put("up", &["a@b"], MESSAGE).await.unwrap();
    world.upstreams.set(Upstreams::default());
    world.work();
    world
        .wait_until(|listed| {
            let words = listed[0].envelope.as_ref().unwrap().words.clone();
            words.is_some_and(|words| words.contains("no upstream \"up\""))
        })
        .await;
    world.upstreams.set(Upstreams::new(vec![upstream("up", mx.port)]));
    mx.next().await;
    world.wait_until(is_empty).await;
}

#[tokio::test]
async fn a_rule_that_was_mended_has_its_mail_sent_at_once_and_no_other_s() {
    let mut there = Mx::start(vec![]).await;
    let nowhere = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let wait = Duration::from_secs(3600);
    let (go, held) = oneshot::channel();
    let late = Manner { go: Some(held), at_dot: Some("451 later"), ..Manner::default() };
    let mut slow = Mx::start(vec![late]).await;
    let rules = ["up", "other"].map(|name| upstream(name, nowhere)).into_iter();
    let before = Upstreams::new(rules.chain([upstream("slow", slow.port)]).collect());
    let mut world =
        World::with(vec![], |settings| Settings { retry_wait_min: wait, retry_wait_max: wait, ..settings });
    world.upstreams.set(before.clone());
    for name in ["up", "other", "slow"] {
        world.put(name, &[&format!("{name}@b")], MESSAGE).await.unwrap();
    }
    world.work();
    slow.next().await;
    world
        .wait_until(|listed| {
            listed.iter().filter(|it| it.envelope.as_ref().unwrap().attempts > 0).count() == 2
        })
        .await;

    let mended = [upstream("up", there.port), upstream("other", nowhere), upstream("slow", there.port)];
    let mended = Upstreams::new(mended.into());
    let changed = mended.changed_since(&before);
    assert_eq!(changed.iter().collect::<Vec<_>>(), ["slow", "up"]);
    world.upstreams.set(mended);
    world.queue.hurry(&changed);
    assert_eq!(there.next().await.recipients, ["up@b"]);
    // One that was under way by the old rule, and comes back.
    go.send(()).unwrap();
    assert_eq!(there.next().await.recipients, ["slow@b"]);
    let left = world.wait_until(|listed| listed.len() == 1).await;
    let left = left[0].envelope.as_ref().unwrap();
    assert_eq!((left.upstream.as_str(), left.attempts), ("other", 1));
}

#[tokio::test]
async fn one_server_that_does_not_answer_keeps_no_other_waiting() {
    let (go, wait) = oneshot::channel();
    let mut slow = Mx::start(vec![Manner { go: Some(wait), ..Manner::default() }]).await;
    let mut quick = Mx::start(vec![]).await;
    let mut world = World::new(vec![upstream("slow", slow.port), upstream("quick", quick.port)]);
    world.work();
    world.put("slow", &["a@b"], MESSAGE).await.unwrap();
    slow.next().await;
    // One at a time to each.
    world.put("slow", &["b@b"], MESSAGE).await.unwrap();
    for _ in 0..3 {
        world.put("quick", &["c@d"], MESSAGE).await.unwrap();
        quick.next().await;
    }
    world.wait_until(|listed| listed.len() == 2).await;
    assert!(slow.heard.try_recv().is_err());
    go.send(()).unwrap();
    assert_eq!(slow.next().await.recipients, ["b@b"]);
    world.wait_until(is_empty).await;
}

#[tokio::test]
async fn what_is_under_way_comes_to_its_end_when_the_service_is_to_end() {
    let (go, wait) = oneshot::channel();
    let mut mx = Mx::start(vec![Manner { go: Some(wait), ..Manner::default() }]).await;
    let mut world = World::new(vec![upstream("up", mx.port)]);
    world.work();
    world.put("up", &["a@b"], MESSAGE).await.unwrap();
    mx.next().await;
    assert_eq!(world.listed()[0].state, State::Sending);
    world.worker.as_mut().unwrap().stop();
    go.send(()).unwrap();
    world.stop().await;
    assert!(world.listed().is_empty());
}

#[tokio::test]
async fn what_there_is_no_room_for_is_refused_and_leaves_nothing() {
    let world = World::with(vec![upstream("up", 1)], |settings| Settings {
        mails_max: 2,
        octets_max: 5_000,
        ..settings
    });
    let large = |octets: usize| [&b"Subject: x\r\n\r\n"[..], &vec![b'x'; octets]].concat();
    assert!(matches!(
        world.put("up", &["a@b"], &large(6_000)).await,
        Err(Failure::TooLarge { limit: 5_000, .. })
    ));
    world.put("up", &["a@b"], &large(3_000)).await.unwrap();
    // For the disk, the size is only known as it comes.
    let Err(Failure::Refused { reply, .. }) = world.put("up", &["a@b"], &large(3_000)).await else {
        panic!("there was no room");
    };
    assert_eq!((reply.code, world.files().len()), (452, 2));
    world.put("up", &["a@b"], b"Subject: x\r\n\r\n").await.unwrap();
    let full = world.put("up", &["a@b"], b"Subject: x\r\n\r\n").await;
    assert!(matches!(full, Err(Failure::Refused { reply, .. }) if reply.code == 452));
    assert_eq!(world.files().len(), 4);

    // Room that is given back is room again.
    let place = world.settings.directory.join("orders");
    for Listed { id, .. } in world.listed() {
        orders::give(&place, Order::Remove, id).unwrap();
    }
    world.queue.obey();
    assert_eq!(world.files(), [""; 0]);
    world.put("up", &["a@b"], &large(4_000)).await.unwrap();
}

#[tokio::test]
async fn the_oldest_reports_make_room_for_the_newest() {
    let world = World::new(vec![upstream("up", 1)]);
    let mut ids = Vec::new();
    let mut room_for_two = u64::MAX;
    for _ in 0..3 {
        world.put("up", &["a@b"], MESSAGE).await.unwrap();
        let Listed { id, envelope, .. } = world.listed().pop().unwrap();
        let spool = world.queue.spool().unwrap();
        bounce::tell(&spool, id, State::Unknown, &envelope.unwrap(), room_for_two).unwrap();
        let one: u64 = world
            .files()
            .iter()
            .filter(|file| file.starts_with(&format!("failed/{id}")))
            .map(|file| fs::metadata(world.settings.directory.join(file)).unwrap().len())
            .sum();
        room_for_two = 2 * one + one / 2;
        ids.push(id);
    }
    let reported = |of: &[Id]| {
        let failed: Vec<String> =
            world.files().into_iter().filter(|file| file.starts_with("failed/")).collect();
        let expected = of.iter().flat_map(|id| ["eml", "txt"].map(|end| format!("failed/{id}.{end}")));
        assert_eq!(failed, expected.collect::<Vec<_>>());
    };
    reported(&ids[1..]);

    // Not that which has just been written: the mail is removed next, and nothing else is left of it.
    let spool = world.queue.spool().unwrap();
    let envelope = spool::find(&ThisMachine, &world.settings.directory, ids[0]).unwrap().envelope.unwrap();
    bounce::tell(&spool, ids[0], State::Waiting, &envelope, room_for_two).unwrap();
    reported(&[ids[0], ids[2]]);
}
