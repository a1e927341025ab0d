//! The modem: the program itself, as a host sees it. AT commands go in by a pipe, and what is waited for comes out.

use crate::content::{self, FILES, MAILS};
use memchr::memmem;
use scene::figures::peak_kb;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// How many commands a host puts on a line: a line has 3,072 octets.
const HEADERS_PER_LINE: u32 = 200;

/// A modem that runs.
pub(crate) struct Modem {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    /// What it showed, and how much of that was waited for.
    shown: Vec<u8>,
    seen: usize,
}

impl Modem {
    /// Switches it on; with a config, there the limits are higher and the line is one of a service's.
    pub(crate) fn start(program: &Path, home: &Path, config: Option<&Path>) -> Self {
        let mut command = Command::new(program);
        match config {
            Some(config) => command.arg("serve").arg("--config").arg(config),
            None => command.args(["console", "--network", "real", "--dir"]).arg(home),
        };
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut modem = Self { child, stdin, stdout, shown: Vec::new(), seen: 0 };
        modem.type_("ATE0\r");
        modem.expect("OK\r\n");
        modem
    }

    pub(crate) fn type_(&mut self, typed: &str) {
        self.stdin.write_all(typed.as_bytes()).unwrap();
    }

    /// Waits until it has shown this.
    pub(crate) fn expect(&mut self, words: &str) {
        let mut portion = [0; 16 * 1024];
        loop {
            let new = self.shown.get(self.seen..).unwrap();
            if let Some(at) = memmem::find(new, words.as_bytes()) {
                self.seen += at + words.len();
                return;
            }
            let is_refused = memmem::find(new, b"ERROR").is_some();
            assert!(!is_refused, "{words} was awaited, and shown was {}", String::from_utf8_lossy(new));
            let octets = self.stdout.read(&mut portion).unwrap();
            assert!(octets > 0, "{words} was awaited, and the modem ended");
            self.shown.extend_from_slice(portion.get(..octets).unwrap());
        }
    }

    /// Ends it. Returns the most memory it had, and all it showed.
    pub(crate) fn end(mut self) -> (u64, String) {
        let peak = peak_kb(&self.child.id().to_string()).unwrap();
        drop(self.stdin);
        self.stdout.read_to_end(&mut self.shown).unwrap();
        assert!(self.child.wait().unwrap().success());
        (peak, String::from_utf8(self.shown).unwrap())
    }

    fn prepare_to_send(&mut self, port: u16) {
        self.type_(&format!("AT+SMTPSRV=\"127.0.0.1\",{port};+SMTPFROM=\"from@example.com\"\r"));
        self.expect("OK\r\n");
    }

    /// One mail with the files of drive C:'s first folder.
    pub(crate) fn send_large(&mut self, port: u16) {
        self.prepare_to_send(port);
        let mut line =
            "AT+SMTPRCPT=0,0,\"to@example.com\";+SMTPSUB=\"five files\";+FSCD=C:/Picture".to_owned();
        for number in 1..=FILES {
            line.push_str(&format!(";+SMTPFILE={number},\"{}\"", content::file_name(number)));
        }
        self.type_(&format!("{line};+SMTPBODY\r{}\x1aAT+SMTPSEND\r", content::text("\r")));
        self.expect("+SMTP: SUCCESS\r\n");
    }

    /// So many small mails. Returns the longest time that one took.
    pub(crate) fn send_small(&mut self, port: u16, mails: u32) -> Duration {
        self.prepare_to_send(port);
        let text = content::text("\r");
        let mut longest = Duration::ZERO;
        for number in 1..=mails {
            let start = Instant::now();
            self.type_(&format!(
                "AT+SMTPRCPT=0,0,\"to@example.com\";+SMTPSUB=\"mail {number}\";+SMTPBODY\r{text}\x1aAT+SMTPSEND\r"
            ));
            self.expect("+SMTP: SUCCESS\r\n");
            longest = longest.max(start.elapsed());
        }
        longest
    }

    pub(crate) fn log_in(&mut self, user: &str, port: u16) {
        self.type_(&format!("AT+POP3SRV=\"127.0.0.1\",\"{user}\",\"pwd\",{port};+POP3IN\r"));
        self.expect("+POP3: SUCCESS\r\n\r\nOK\r\n");
    }

    pub(crate) fn log_out(&mut self) {
        self.type_("AT+POP3OUT\r");
        self.expect("+POP3: SUCCESS\r\n\r\nOK\r\n");
    }

    /// Gets so many mails, each when the one before is saved.
    pub(crate) fn fetch(&mut self, mails: u32) {
        for number in 1..=mails {
            self.type_(&format!("AT+POP3GET={number}\r"));
            self.expect("+POP3: SUCCESS\r\nC:/Email/");
        }
    }

    /// Looks at all headers.
    pub(crate) fn headers(&mut self) {
        let numbers: Vec<u32> = (1..=MAILS).collect();
        for numbers in numbers.chunks(usize::try_from(HEADERS_PER_LINE).unwrap()) {
            let commands: Vec<_> = numbers.iter().map(|number| format!("+POP3HDR={number}")).collect();
            self.type_(&format!("AT{}\r", commands.join(";")));
            self.expect("OK\r\n");
        }
    }
}

/// Makes the directory of a modem's, with its files in drive C:.
pub(crate) fn make_home(home: &Path, octets_each: Option<u64>) {
    for folder in ["Picture", "Audio", "Video", "VideoCall"] {
        fs::create_dir_all(home.join("drive-c").join(folder)).unwrap();
    }
    if let Some(octets) = octets_each {
        content::write_files(&home.join("drive-c/Picture"), octets);
    }
}
