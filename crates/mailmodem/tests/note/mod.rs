//! The note's own session (§3.2), and the mail that it sends.

use mail_parser::{MessageParser, MimeHeaders as _};
use std::fs;
use std::path::{Path, PathBuf};

/// What the pictures on drive C: must be.
pub(crate) const PICTURES: [(&str, &[u8]); 2] = [
    ("20100202_100006.jpg", include_bytes!("../../assets/20100202_100006.jpg")),
    ("20100202_100016.jpg", include_bytes!("../../assets/20100202_100016.jpg")),
];

/// The note's session (§3.1, §3.2): each line and what is answered to it.
pub(crate) const SESSION: &[(&str, &str)] = &[
    (r#"AT+CGSOCKCONT=1,"IP","3GNET","0.0.0.0",0,0"#, "\r\nOK\r\n"),
    (r#"AT+SMTPSRV="smtp.server.com",25"#, "\r\nOK\r\n"),
    (r#"AT+SMTPAUTH=1,"UserName","password""#, "\r\nOK\r\n"),
    (r#"AT+SMTPFROM="UserName@server.com","PresentName""#, "\r\nOK\r\n"),
    (r#"AT+SMTPRCPT=0,0,"ToAddr@server.com","ToName""#, "\r\nOK\r\n"),
    (r#"AT+SMTPRCPT=1,0,"CcAddr@server.com","CcName""#, "\r\nOK\r\n"),
    (r#"AT+SMTPSUB="First Email""#, "\r\nOK\r\n"),
    (r#"AT+SMTPBODY="This is the first Email!""#, "\r\nOK\r\n"),
    ("AT+FSCD=C:/Picture", "\r\n+FSCD: C:/Picture/\r\n\r\nOK\r\n"),
    ("AT+FSLS", "\r\n+FSLS: FILES:\r\n20100202_100006.jpg\r\n20100202_100016.jpg\r\n\r\n\r\nOK\r\n"),
    (r#"AT+SMTPFILE=1,"20100202_100006.jpg""#, "\r\nOK\r\n"),
    (r#"AT+SMTPFILE=2,"20100202_100016.jpg""#, "\r\nOK\r\n"),
    ("AT+SMTPSEND", "\r\n+SMTP: OK\r\n\r\nOK\r\n\r\n+SMTP: SUCCESS\r\n"),
];

/// The mail lies in both mailboxes of the sandbox's that is kept in `directory`, with the pictures as they are.
pub(crate) fn assert_mail_is_there(directory: &Path) {
    for (mailbox, address) in
        [("toaddr@server.com", "ToAddr@server.com"), ("ccaddr@server.com", "CcAddr@server.com")]
    {
        let file = only_file(&directory.join("mail").join(mailbox).join("new"));
        let octets = fs::read(file).unwrap();
        let message = MessageParser::default().parse(&octets).unwrap();
        assert_eq!(message.header_raw("Delivered-To").unwrap().trim(), address);
        assert_eq!(message.header_raw("Return-Path").unwrap().trim(), "<UserName@server.com>");
        assert_eq!(message.subject(), Some("First Email"));
        assert_eq!(message.body_text(0).unwrap().trim_end(), "This is the first Email!");
        let attachments: Vec<_> = message.attachments().collect();
        assert_eq!(attachments.len(), PICTURES.len());
        for (attachment, (name, picture)) in attachments.iter().zip(PICTURES) {
            assert_eq!(attachment.attachment_name(), Some(name));
            assert!(attachment.contents() == picture, "{name} is not what was sent");
        }
    }
}

/// The only file in a directory.
pub(crate) fn only_file(directory: &Path) -> PathBuf {
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}
