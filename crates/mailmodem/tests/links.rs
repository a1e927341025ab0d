//! Links, servers on streams, and a modem's driver, on streams and clocks of the tests' own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics fails, as it should")]

use mail::machine::{Input, Instant, Machine, Output};
use mailmodem::driver::{Driver, Notice};
use mailmodem::limits::{LINGER_MAX, RECEIVED_OCTETS_MAX, UNSENT_OCTETS_MAX};
use mailmodem::link::{Event, Link, serve};
use mailmodem::network::{Network, Real, Sandbox, SharedUpstreams};
use mailmodem::port::octets;
use modem::clock::Calendar;
use modem::drive::NameCase;
use modem::drive::memory::MemoryDrive;
use modem::modem::Expects;
use modem::settings::Settings;
use sandbox::mailbox::MemoryMailboxes;
use sandbox::provider::{self, Provider};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Two ends of a TCP connection.
async fn socket_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    (near.unwrap(), far.unwrap().0)
}

#[tokio::test]
async fn a_link_tells_when_everything_is_sent_and_what_comes() {
    let (near, mut far) = tokio::io::duplex(16);
    let mut link = Link::new(near);
    let mut buffer = [0; 64];
    link.transmit(b"twice as much as ".to_vec());
    link.transmit(b"the stream holds".to_vec());
    let sent = async {
        let mut received = [0; 33];
        far.read_exact(&mut received).await.unwrap();
        assert_eq!(&received, b"twice as much as the stream holds");
        far.write_all(b"answer").await.unwrap();
        drop(far);
    };
    let events = async {
        assert!(matches!(link.next(&mut buffer).await, Event::Drained));
        assert!(matches!(link.next(&mut buffer).await, Event::Received(6)));
        assert_eq!(buffer.get(..6), Some(&b"answer"[..]));
        assert!(matches!(link.next(&mut buffer).await, Event::Closed(None)));
    };
    tokio::join!(sent, events);
}

#[tokio::test]
async fn who_does_not_listen_is_not_listened_to() {
    let (near, mut far) = tokio::io::duplex(16);
    let mut link = Link::new(near);
    let mut buffer = [0; 64];
    link.transmit(vec![b'x'; UNSENT_OCTETS_MAX + 17]);
    far.write_all(b"more").await.unwrap();
    let next = tokio::time::timeout(Duration::from_millis(1), link.next(&mut buffer)).await;
    assert!(next.is_err(), "{next:?}");
    // Twice what the stream holds is what it takes to get below the bound.
    let mut taken = [0; 32];
    let (event, read) = tokio::join!(link.next(&mut buffer), far.read_exact(&mut taken));
    assert!(matches!(event, Event::Received(4)), "{event:?}");
    read.unwrap();
}

#[tokio::test]
async fn a_closed_link_sends_its_rest_though_the_peer_still_talks() {
    let (near, mut far) = socket_pair().await;
    let mut link = Link::new(near);
    // Octets that nobody reads would make a socket take back what it sent last.
    far.write_all(&vec![b'x'; 3 * RECEIVED_OCTETS_MAX]).await.unwrap();
    link.transmit(b"552 too much\r\n".to_vec());
    let received = async {
        let mut said = String::new();
        far.read_to_string(&mut said).await.unwrap();
        drop(far);
        said
    };
    let (said, ()) = tokio::join!(received, link.close());
    assert_eq!(said, "552 too much\r\n");
}

#[tokio::test]
async fn of_an_aborted_link_nothing_more_is_sent() {
    let (near, mut far) = socket_pair().await;
    let mut link = Link::new(near);
    let mut buffer = vec![0; RECEIVED_OCTETS_MAX];
    link.transmit(b"354 go on".to_vec());
    assert!(matches!(link.next(&mut buffer).await, Event::Drained));
    // More than any socket holds: the end of it is still here, and some is with the machine.
    link.transmit([vec![b'x'; 32 * 1024 * 1024], b"\r\n.\r\n".to_vec()].concat());
    let next = tokio::time::timeout(Duration::from_millis(50), link.next(&mut buffer)).await;
    assert!(next.is_err(), "{next:?}");
    link.abort();
    let mut heard = Vec::new();
    let ended = far.read_to_end(&mut heard).await;
    assert!(
        !heard.ends_with(b"\r\n.\r\n") && heard.len() < 32 * 1024 * 1024,
        "{ended:?}, {} octets",
        heard.len()
    );
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_ends_is_left() {
    let (near, _far) = tokio::io::duplex(16);
    let mut link = Link::new(near);
    link.transmit(vec![b'x'; 1_000]);
    let begun = tokio::time::Instant::now();
    link.close().await;
    assert_eq!(begun.elapsed(), LINGER_MAX);
}

/// Answers each portion, waits a while at first, and ends at the word.
#[derive(Default)]
struct Echo {
    outputs: VecDeque<Output<Infallible>>,
    greets_at: Option<Instant>,
}

impl Machine for Echo {
    type Event = Infallible;

    fn handle(&mut self, input: Input<'_>, now: Instant) {
        match input {
            Input::Opened => self.greets_at = Some(now + Duration::from_secs(5)),
            Input::DeadlinePassed if self.greets_at.is_some_and(|at| at <= now) => {
                self.greets_at = None;
                self.outputs.push_back(Output::Transmit(b"hello".to_vec()));
            }
            Input::Received(octets) => {
                self.outputs.push_back(Output::Transmit(octets.to_vec()));
                if octets == b"end" {
                    self.outputs.push_back(Output::Close);
                }
            }
            _ => {}
        }
    }

    fn poll(&mut self) -> Option<Output<Infallible>> {
        self.outputs.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        self.greets_at
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_keeps_its_deadlines_and_ends_when_it_says_so() {
    let (near, mut far) = tokio::io::duplex(64);
    let served = tokio::spawn(serve(Box::<Echo>::default(), near));
    let begun = tokio::time::Instant::now();
    let mut hello = [0; 5];
    far.read_exact(&mut hello).await.unwrap();
    assert_eq!((&hello, begun.elapsed()), (b"hello", Duration::from_secs(5)));
    far.write_all(b"end").await.unwrap();
    let mut rest = String::new();
    far.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "end");
    drop(far);
    served.await.unwrap();
}

fn drive() -> Box<MemoryDrive> {
    Box::new(MemoryDrive::new(NameCase::Told, 1_000_000))
}

fn modem_on(network: Network) -> Driver {
    Driver::power_on(Settings::default(), drive(), None, Calendar::UNSET, network, None)
}

fn sandbox(mailboxes: &MemoryMailboxes) -> Network {
    Network::sandbox(Provider::new(mailboxes.clone(), provider::Settings::default()))
}

/// Runs a modem on what is typed until all is done.
async fn run(driver: &mut Driver, typed: &str) -> String {
    let mut shown = Vec::new();
    octets::run(driver, typed.as_bytes(), &mut shown).await.unwrap();
    String::from_utf8(shown).unwrap()
}

fn mail_to(recipient: &str, server: &str) -> String {
    format!(
        "ATE0\rAT+SMTPSRV=\"{server}\"\rAT+SMTPFROM=\"a@b\"\rAT+SMTPRCPT=0,0,\"{recipient}\"\rAT+SMTPBODY=\"text\"\r"
    )
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_greets_is_given_up_by_the_modems_timer() {
    let mailboxes = MemoryMailboxes::default();
    let mut driver = modem_on(sandbox(&mailboxes));
    let begun = tokio::time::Instant::now();
    let shown = run(&mut driver, &(mail_to("c@d", "silent.x") + "AT+SMTPSEND\r")).await;
    assert!(shown.ends_with("\r\n+SMTP: SERVER ERROR\r\n\r\nERROR\r\n"), "{shown}");
    assert_eq!(begun.elapsed(), Duration::from_secs(30));
    assert!(driver.is_idle());
}

#[tokio::test(start_paused = true)]
async fn a_pending_send_can_be_stopped_and_the_next_one_goes() {
    let mailboxes = MemoryMailboxes::default();
    let mut driver = modem_on(sandbox(&mailboxes));
    let typed = mail_to("c@d", "silent.x") + "AT+SMTPSEND\rAT+SMTPSTOP\rAT+SMTPSRV=\"x\"\rAT+SMTPSEND\r";
    let shown = run(&mut driver, &typed).await;
    assert!(
        shown.ends_with("\r\nERROR\r\n\r\nOK\r\n\r\nOK\r\n\r\n+SMTP: OK\r\n\r\nOK\r\n\r\n+SMTP: SUCCESS\r\n"),
        "{shown}"
    );
    assert_eq!(mailboxes.mails().len(), 1);
}

/// The real network, of which nothing is mapped.
fn real() -> Network {
    let sandbox = Sandbox::new(Provider::new(MemoryMailboxes::default(), provider::Settings::default()));
    let upstreams = SharedUpstreams::default();
    Network::Real(Real { line: "a".to_owned(), upstreams, sandbox, queue: None })
}

#[tokio::test]
async fn a_name_that_leads_nowhere_is_a_network_error_with_its_reason() {
    let mut driver = modem_on(real());
    driver.typed((mail_to("c@d", "name.invalid") + "AT+SMTPSEND\r").as_bytes());
    let (mut shown, mut reasons) = (Vec::new(), Vec::new());
    while driver.expects() == Expects::Nothing || driver.has_notices() {
        match driver.next().await {
            Notice::Show(mut octets) => shown.append(&mut octets),
            Notice::Report(reason) => reasons.push(reason),
            Notice::Done(words) => panic!("{words}"),
            Notice::Speed(speed) => panic!("nobody asked for a speed of {speed}"),
        }
    }
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.ends_with("\r\n+SMTP: NETWORK ERROR\r\n\r\nERROR\r\n"), "{shown}");
    assert!(matches!(reasons.as_slice(), [reason] if reason.contains("name.invalid")), "{reasons:?}");
}

#[tokio::test]
async fn a_peer_that_refuses_is_a_network_error() {
    // A port that was free a moment ago, and has nobody on it.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let mut driver = modem_on(real());
    let typed = mail_to("c@d", "127.0.0.1") + &format!("AT+SMTPSRV=\"127.0.0.1\",{port}\rAT+SMTPSEND\r");
    let shown = run(&mut driver, &typed).await;
    assert!(shown.ends_with("\r\n+SMTP: NETWORK ERROR\r\n\r\nERROR\r\n"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_terminal_that_does_not_read_holds_no_mail_up() {
    let mailboxes = MemoryMailboxes::default();
    let mut driver = modem_on(sandbox(&mailboxes));
    let (port, terminal) = tokio::io::duplex(1);
    let typed = mail_to("c@d", "x") + "AT+SMTPSEND\r";
    let running = octets::run(&mut driver, typed.as_bytes(), port);
    let ended = tokio::time::timeout(Duration::from_secs(60), running).await;
    assert!(ended.is_err(), "what is not read cannot all be shown");
    assert_eq!(mailboxes.mails().len(), 1);
    drop(terminal);
}
