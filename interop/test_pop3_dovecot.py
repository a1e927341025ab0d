"""Mail in: the note's §4.3 to §4.7, from Dovecot."""

import email
import email.policy
import hashlib
import re

from dovecot import PASSWORD, USER, Dovecot
from modem import ROOT, Modem

FIRST = (ROOT / "crates/sandbox/assets/first.eml").read_bytes()
SECOND = (ROOT / "crates/sandbox/assets/second.eml").read_bytes()


def attachment(octets):
    message = email.message_from_bytes(octets, policy=email.policy.default)
    (part,) = message.iter_attachments()
    return part.get_filename(), hashlib.sha256(part.get_payload(decode=True)).hexdigest()


def peek(modem):
    assert modem.must("AT+POP3IN") == ["+POP3: SUCCESS"]
    assert modem.must("AT+POP3NUM") == ["+POP3: 2, 2134"]
    assert modem.must("AT+POP3LIST=1") == ["+POP3: 1, 1050"]
    assert modem.must("AT+POP3HDR=1") == [
        'From: "FromName" <FromAddr@server.com>',
        "Date: Tue, 9 Mar 2010 17:11:30 +0800",
        "Subject: First Test Email",
    ]
    assert modem.must("AT+POP3LIST=2") == ["+POP3: 2, 1084"]
    assert modem.must("AT+POP3LIST") == ["+POP3:", "1 1050", "2 1084"]


def get(modem, request):
    modem.must(request)
    assert modem.urc("+POP3: ") == "+POP3: SUCCESS"
    place = modem.hear([b"\r\n"]).decode().rstrip("\r\n")
    folder, name = re.fullmatch(r"C:/(Email/\d{12})/, (.+)", place).groups()
    return folder, name


def main():
    server = Dovecot()
    modem = Modem()
    try:
        server.deliver(1, FIRST)
        server.deliver(2, SECOND)
        modem.must(f'AT+POP3SRV="127.0.0.1","{USER}","{PASSWORD}",{server.port}')
        peek(modem)
        modem.must("AT+FSLOCA=0")
        folder, name = get(modem, "AT+POP3GET=1")
        assert name == "EMAIL000.TXT"
        text = [
            "Date: Tue, 9 Mar 2010 17:11:30 +0800",
            'From: "FromName" <FromAddr@server.com>',
            'To: "ToName" <ToAddr@server.com>',
            "Subject: First Test Email",
            "This is a test email with an attachment.",
        ]
        assert modem.must("AT+POP3READ") == text
        saved = {path.name: path for path in (modem.home / "drive-c" / folder).iterdir()}
        attached, digest = attachment(FIRST)
        assert sorted(saved) == sorted([name, attached])
        assert hashlib.sha256(saved[attached].read_bytes()).hexdigest() == digest
        print(f"   {folder}: {', '.join(sorted(saved))}")
        # The whole message, octet for octet.
        whole, name = get(modem, "AT+POP3GET=2,2")
        assert (modem.home / "drive-c" / whole / name).read_bytes() == SECOND
        # No such mail: the session stays open.
        assert modem.ask("AT+POP3LIST=3") == ["+POP3: SERVER ERROR", "ERROR"]
        assert modem.must("AT+POP3OUT") == ["+POP3: SUCCESS"]
        assert len(server.mails()) == 2

        # §4.5, §4.6: deleted by +POP3OUT only.
        peek(modem)
        assert modem.must("AT+POP3DEL=1") == ["+POP3: SUCCESS"]
        modem.must("AT+POP3STOP")
        peek(modem)
        assert modem.must("AT+POP3DEL=1") == ["+POP3: SUCCESS"]
        assert modem.must("AT+POP3OUT") == ["+POP3: SUCCESS"]
        assert len(server.mails()) == 1

        # §4.7.
        modem.must("AT+FSCD=C:/Email")
        assert modem.must(f'AT+POP3READ=0,"{folder.removeprefix("Email/")}/EMAIL000.TXT"') == text

        modem.must(f'AT+POP3SRV="127.0.0.1","{USER}","wrong",{server.port}')
        assert modem.ask("AT+POP3IN") == ["+POP3: INVALID UN/PWD", "ERROR"]
        modem.close()
    finally:
        server.stop()
    print("1 passed, 0 failed")


main()
