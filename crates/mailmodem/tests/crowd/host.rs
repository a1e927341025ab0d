//! A host on one of the lines.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// What each line has on its drive, in the folder Picture.
pub(crate) const FILE: &str = "a.bin";

/// No outcome is waited for so long unless something is wrong.
const TOO_LONG: Duration = Duration::from_secs(170);

pub(crate) struct Host(BufReader<TcpStream>);

impl Host {
    pub(crate) fn at(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(TOO_LONG)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut host = Self(BufReader::new(stream));
        host.ask("ATE0;+SMTPFROM=\"panel@example.com\"\r");
        host
    }

    /// Sends a mail, and gives its outcome: what stands after `+SMTP: `.
    pub(crate) fn send(&mut self, server: &str, mark: &str, text: &[String], with_file: bool) -> String {
        let file = if with_file { format!("=1,\"C:/Picture/{FILE}\"") } else { String::new() };
        self.ask(&format!(
            "AT+SMTPSRV=\"{server}\";+SMTPFILE{file};+SMTPRCPT=0,0,\"{mark}@example.com\";+SMTPSUB=\"{mark}\";+SMTPBODY\r\
             {}\x1a",
            text.join("\r")
        ));
        self.type_("AT+SMTPSEND\r");
        let mut is_under_way = false;
        loop {
            let line = self.line();
            match line.strip_prefix("+SMTP: ") {
                Some("OK") => is_under_way = true,
                Some(outcome) => {
                    if !is_under_way {
                        assert_eq!([self.line(), self.line()], ["", "ERROR"]);
                    }
                    return outcome.to_owned();
                }
                None => assert!(line.is_empty() || line == "OK", "{mark}: {line}"),
            }
        }
    }

    fn type_(&mut self, typed: &str) {
        self.0.get_mut().write_all(typed.as_bytes()).unwrap();
    }

    /// Types what is answered by OK.
    fn ask(&mut self, typed: &str) {
        self.type_(typed);
        loop {
            match self.line().as_str() {
                "OK" => return,
                line => assert!(line != "ERROR", "{typed}"),
            }
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.0.read_line(&mut line).unwrap() > 0, "the modem is gone");
        line.trim_end().to_owned()
    }
}
