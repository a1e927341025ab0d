"""Mail out: the note's §3.2 and a mail of 10 MB, to aiosmtpd, parsed by Python's email package."""

import email
import email.policy
import hashlib
import os

from aiosmtpd.smtp import AuthResult, LoginPassword

from aiosmtpd_server import Keeper, listen
from modem import Modem

MEGABYTES_10 = 10 * 1024 * 1024


def authenticate(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"UserName", b"password")
    return AuthResult(success=good, handled=good, auth_data=data.login if good else None)


def sha256(octets):
    return hashlib.sha256(octets).hexdigest()


def structure(message, depth=0):
    """The message's parts, as the other program sees them."""
    name = message.get_filename()
    octets = "" if message.is_multipart() else f" {len(message.get_payload(decode=True))} octets"
    print("   " + "  " * depth + message.get_content_type() + (f" {name!r}" if name else "") + octets)
    for part in message.iter_parts() if message.is_multipart() else []:
        structure(part, depth + 1)


def send(modem, keeper, files):
    for index, name in enumerate(files, 1):
        modem.must(f'AT+SMTPFILE={index},"{name}"')
    assert modem.must("AT+SMTPSEND") == ["+SMTP: OK"]
    assert modem.urc("+SMTP: ") == "+SMTP: SUCCESS"
    login, envelope = keeper.envelopes[-1]
    message = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
    assert not message.defects
    return login, envelope, message


def main():
    keeper = Keeper()
    port = listen(keeper, authenticate)
    modem = Modem()
    for line in [
        f'AT+SMTPSRV="127.0.0.1",{port}',
        'AT+SMTPAUTH=1,"UserName","password"',
        'AT+SMTPFROM="UserName@server.com","PresentName"',
        'AT+SMTPRCPT=0,0,"ToAddr@server.com","ToName"',
        'AT+SMTPRCPT=1,0,"CcAddr@server.com","CcName"',
        'AT+SMTPRCPT=2,0,"BccAddr@server.com","BccName"',
        'AT+SMTPSUB="First Email"',
        'AT+SMTPBODY="This is the first Email!"',
        "AT+FSCD=C:/Picture",
    ]:
        modem.must(line)
    pictures = ["20100202_100006.jpg", "20100202_100016.jpg"]
    assert modem.must("AT+FSLS") == ["+FSLS: FILES:", *pictures]
    login, envelope, message = send(modem, keeper, pictures)
    print("the note's mail:")
    structure(message)
    assert login == b"UserName"
    assert envelope.mail_from == "UserName@server.com"
    assert envelope.rcpt_tos == ["ToAddr@server.com", "CcAddr@server.com", "BccAddr@server.com"]
    assert message["From"] == '"PresentName" <UserName@server.com>' or message["From"] == "PresentName <UserName@server.com>"
    assert message["Subject"] == "First Email" and message["Bcc"] is None
    assert [str(a) for a in message["To"].addresses] == ["ToName <ToAddr@server.com>"]
    assert [str(a) for a in message["Cc"].addresses] == ["CcName <CcAddr@server.com>"]
    text, *attachments = message.iter_parts()
    assert text.get_content().splitlines() == ["This is the first Email!"]
    for name, part in zip(pictures, attachments, strict=True):
        there = (modem.home / "drive-c" / "Picture" / name).read_bytes()
        assert part.get_filename() == name and part.get_content_type() == "image/jpeg"
        assert sha256(part.get_payload(decode=True)) == sha256(there)

    # Ten files of 10 MB in all, to the octet, of names and sizes that are no round figures.
    sizes = [1, 57, 58, 32_768, 99_999, 1_000_003, 1_048_576, 2_000_000, 3_000_017]
    sizes.append(MEGABYTES_10 - sum(sizes))
    contents = {f"file {index} é.bin": os.urandom(size) for index, size in enumerate(sizes)}
    for name, octets in contents.items():
        (modem.home / "drive-c" / "Picture" / name).write_bytes(octets)
    hexed = {"{non-ascii}\"" + name.encode().hex() + "\"": name for name in contents}
    modem.must('AT+SMTPRCPT=0,0,"ToAddr@server.com"')
    modem.must('AT+SMTPSUB={non-ascii}"E6B58BE8AF95"')
    modem.type(b"AT+SMTPBODY\r")
    modem.hear([b">> "])
    modem.type(".\r\n..\r\nGrüße\r\n.\r\n".encode() + b"\x1a")
    modem.hear([b"\r\nOK\r\n"])
    for index, name in enumerate(hexed, 1):
        modem.must(f"AT+SMTPFILE={index},{name}")
    assert modem.ask('AT+SMTPFILE=1,"20100202_100006.jpg"') == ["+SMTP: OVERSIZE", "ERROR"]
    _, _, message = send(modem, keeper, [])
    print("the mail of 10 MB:")
    structure(message)
    assert message["Subject"] == "测试"
    text, *attachments = message.iter_parts()
    assert text.get_content().splitlines() == [".", "..", "Grüße", "."]
    for (name, octets), part in zip(contents.items(), attachments, strict=True):
        assert part.get_filename() == name
        assert sha256(part.get_payload(decode=True)) == sha256(octets)
    modem.close()
    print("2 passed, 0 failed")


main()
