"""The note's §3.2 and §4.4, typed unchanged, while the config leads them to servers of today: TLS, and log-ins by SCRAM,
by tokens and by what older servers have. What is on the wire is told by the servers too.
"""
# needs: root postfix postconf dovecot pop3d popauth node openssl

import base64
import contextlib
import email
import email.policy
import hashlib
import pathlib
import ssl
import tempfile

import aiosmtpd
from aiosmtpd.smtp import AuthResult

from aiosmtpd_server import Keeper, listen
from certificates import Certificates
from dovecot import Dovecot
from loopback import wait_until
from mailutils import Mailutils
from modem import ROOT
from npm_smtp_server import NpmSmtpServer
from postfix import CLEAR, IMPLICIT, STARTTLS, TLS_1_2, Postfix
from service import Service, upstream

USER = "panel@server.com"
PASSWORD = "Xq7-its \"own\" secret/9ü"
TOKEN = "ya29.A0-a_token/of+its.own~4"

MAILS = [(ROOT / "crates/sandbox/assets" / name).read_bytes() for name in ["first.eml", "second.eml"]]
PICTURES = [ROOT / "crates/mailmodem/assets" / name for name in ["20100202_100006.jpg", "20100202_100016.jpg"]]


class World:
    """All servers, one of each, and the secrets in files as an owner has them."""

    def __init__(self, directory, started):
        self._started = started
        self.directory = pathlib.Path(directory)
        self.directory.chmod(0o755)
        self.certificates = Certificates(self.directory)
        self.dovecot = self.start(Dovecot, {USER: PASSWORD, "un": "pwd"}, self.certificates)
        self.token = self.dovecot.token(USER)
        ports = {"starttls": STARTTLS, "implicit": IMPLICIT, "tls-1.2": {**STARTTLS, **TLS_1_2}, "clear": CLEAR}
        self.postfix = self.start(Postfix, self.certificates, self.dovecot.sasl_socket, ports)
        self.npm = self.start(NpmSmtpServer, self.certificates, USER, PASSWORD, TOKEN)
        self.mailutils = self.start(Mailutils, self.certificates, USER, PASSWORD)
        for number, mail in enumerate(MAILS, 1):
            self.dovecot.deliver(number, mail)
        self.keeper = Keeper()
        self.aiosmtpd = {
            kind: listen(self.keeper, self._judge, tls=self._server_tls(), implicit=kind == "implicit")
            for kind in ["starttls", "implicit"]
        }

    def start(self, kind, *arguments):
        server = kind(*arguments)
        self._started.callback(server.stop)
        return server

    def _server_tls(self):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificates.chain("good"), self.certificates.key("good"))
        return context

    @staticmethod
    def _judge(server, session, envelope, mechanism, data):
        tls = server.transport.get_extra_info("ssl_object")
        good = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=good, handled=False, auth_data=(mechanism, tls.version()) if good else None)

    def secret_file(self, secret):
        path = self.directory / hashlib.sha256(secret.encode()).hexdigest()
        path.touch(0o600)
        path.write_text(secret)
        return path

    def rule(self, protocol, port, tls, log_in):
        """An upstream as docs/interop.md has it."""
        named = {"smtp": "smtp.server.com", "pop3": "pop3.server.com"}[protocol]
        return upstream(
            "provider", match={"protocol": protocol, "server": named}, host="localhost", port=port, tls=tls,
            ca_file=self.certificates.authority, user=USER, **log_in)


def by_password(world, mechanism=None):
    said = {"mechanism": mechanism} if mechanism else {}
    return {"password_file": world.secret_file(PASSWORD), **said}


def by_token(world, token, mechanism):
    return {"token_command": ["cat", world.secret_file(token)], "mechanism": mechanism}


def secured(trace, version):
    assert f"secured: {version}, " in trace, trace


def assert_is_the_mail(octets):
    mail = email.message_from_bytes(octets, policy=email.policy.default)
    assert mail["Subject"] == "First Email" and mail["From"] == "PresentName <UserName@server.com>"
    text, *attachments = mail.iter_parts()
    assert text.get_content().splitlines() == ["This is the first Email!"]
    assert [part.get_payload(decode=True) for part in attachments] == [path.read_bytes() for path in PICTURES]
    return mail


def row(server, spoken, heard):
    print(f"   | {server} | {spoken} | " + " ".join(f"`{line}`" for line in heard.split("\r\n")[1:] if line) + " |")


def send(world, server, port, tls, log_in, version, mechanism):
    """Plays §3.2; returns how many mails the server should have now."""
    with Service(world.rule("smtp", port, tls, log_in), [PASSWORD, TOKEN, world.token]) as modem:
        *_, last = modem.play("3.2-send.at")
        trace = modem.trace()
        secured(trace, version)
        assert f"C: #1 AUTH {mechanism}" in trace, trace
        row(server, f"{tls}: {version}, {mechanism}", last)


def to_postfix(world):
    postfix, count = f"Postfix {world.postfix.version()}", 0
    for kind, tls, version, log_in, mechanism in [
        ("starttls", "required", "TLS 1.3", by_password, "SCRAM-SHA-256"),
        ("implicit", "implicit", "TLS 1.3", by_password, "SCRAM-SHA-256"),
        ("implicit", "implicit", "TLS 1.3", lambda world: by_token(world, world.token, "XOAUTH2"), "XOAUTH2"),
        ("starttls", "required", "TLS 1.3", lambda world: by_token(world, world.token, "OAUTHBEARER"), "OAUTHBEARER"),
        ("tls-1.2", "opportunistic", "TLS 1.2", lambda world: by_password(world, "CRAM-MD5"), "CRAM-MD5"),
        ("starttls", "required", "TLS 1.3", lambda world: by_password(world, "PLAIN"), "PLAIN"),
        ("implicit", "implicit", "TLS 1.3", lambda world: by_password(world, "LOGIN"), "LOGIN"),
        # Where there is no TLS, a log-in that shows no password.
        ("clear", "off", None, lambda world: by_password(world, "SCRAM-SHA-256"), "SCRAM-SHA-256"),
    ]:
        port = world.postfix.ports[kind]
        if version:
            send(world, postfix, port, tls, log_in(world), version, mechanism)
        else:
            with Service(world.rule("smtp", port, tls, log_in(world)), [PASSWORD]) as modem:
                *_, last = modem.play("3.2-send.at")
                assert "secured" not in modem.trace()
                row(postfix, f"{tls}: no TLS, {mechanism}", last)
        # One for each recipient.
        count += 2
        wait_until(lambda: len(world.postfix.mails()) == count, "Postfix delivers")
        for mail in map(assert_is_the_mail, world.postfix.mails()[-2:]):
            received = mail["Received"]
            assert (f"TLSv{version.split()[1]}" in received) if version else ("TLS" not in received), received
            assert f"Authenticated sender: {USER}" in received, received
        judged = [line for line in world.postfix.log.read_text().splitlines() if "sasl_method=" in line][-1]
        assert f"sasl_method={mechanism}, sasl_username={USER}" in judged, judged
    return count // 2


def to_aiosmtpd(world):
    server = f"aiosmtpd {aiosmtpd.__version__}"
    ways = [("starttls", "required"), ("implicit", "implicit")]
    for kind, tls in ways:
        send(world, server, world.aiosmtpd[kind], tls, by_password(world), "TLS 1.3", "PLAIN")
        login, envelope = world.keeper.envelopes[-1]
        assert login == ("PLAIN", "TLSv1.3"), login
        assert envelope.rcpt_tos == ["ToAddr@server.com", "CcAddr@server.com"]
        assert_is_the_mail(envelope.original_content)
    return len(ways)


def to_npm(world):
    server = f"npm smtp-server {world.npm.version()}"
    ways = [
        ("starttls", "required", by_token(world, TOKEN, "XOAUTH2"), "XOAUTH2"),
        ("implicit", "implicit", by_token(world, TOKEN, "XOAUTH2"), "XOAUTH2"),
        ("implicit", "implicit", by_password(world), "CRAM-MD5"),
    ]
    for count, (kind, tls, log_in, mechanism) in enumerate(ways, 1):
        send(world, server, world.npm.ports[kind], tls, log_in, "TLS 1.3", mechanism)
        assert len(world.npm.mails()) == count
        mail = world.npm.mails()[-1]
        assert mail["user"] == f"{USER} by {mechanism}" and mail["tls"]["version"] == "TLSv1.3", mail
        assert_is_the_mail(base64.b64decode(mail["mail"]))
    return len(ways)


def receive(world, server, port, tls, log_in, version, said, told, log, settings="", last=None):
    """Plays §4.4; `said` is how the modem logs in, and `told` what the server writes of it into its log."""
    before = len(log.read_text())
    rule = f"[modem]\n{settings}\n" + world.rule("pop3", port, tls, log_in)
    with Service(rule, [PASSWORD, world.token]) as modem:
        heard = modem.play("4.4-retrieve.at", last)
        trace = modem.trace()
        if version:
            secured(trace, version)
        else:
            assert "secured" not in trace
        assert f"C: #1 {said}" in trace, trace
        row(server, f"{tls}: {version or 'no TLS'}, {said.removeprefix('AUTH ').split()[0]}", heard[1])
    wait_until(lambda: told in log.read_text()[before:], f"the server tells {told}")


def from_dovecot(world):
    dovecot, server = world.dovecot, f"Dovecot {world.dovecot.version()}"
    ways = [
        (dovecot.port, "required", by_password, "SCRAM-SHA-256"),
        (dovecot.tls_port, "implicit", by_password, "SCRAM-SHA-256"),
        (dovecot.tls_port, "implicit", lambda world: by_token(world, world.token, "XOAUTH2"), "XOAUTH2"),
        (dovecot.port, "required", lambda world: by_token(world, world.token, "OAUTHBEARER"), "OAUTHBEARER"),
        (dovecot.port, "opportunistic", lambda world: by_password(world, "CRAM-MD5"), "CRAM-MD5"),
        (dovecot.tls_port, "implicit", lambda world: by_password(world, "PLAIN"), "PLAIN"),
        (dovecot.port, "off", by_password, "SCRAM-SHA-256"),
    ]
    for port, tls, log_in, mechanism in ways:
        version = None if tls == "off" else "TLS 1.3"
        told = f"user=<{USER}>, method={mechanism}" + (", TLSv1.3 " if version else "\n")
        receive(world, server, port, tls, log_in(world), version, f"AUTH {mechanism}", told, dovecot.log)
        assert len(dovecot.mails()) == len(MAILS)
    # Where SCRAM is offered, APOP is not used.
    plain = world.start(Dovecot, {USER: PASSWORD})
    for number, mail in enumerate(MAILS, 1):
        plain.deliver(number, mail)
    told, settings = f"user=<{USER}>, method=APOP", "apop = true"
    receive(world, server, plain.port, "off", by_password(world), None, f"APOP {USER} ***", told, plain.log, settings)
    return len(ways) + 1


def from_mailutils(world):
    mailutils, server = world.mailutils, f"GNU Mailutils pop3d {world.mailutils.version()}"
    ways = [
        ("stls", "required", "TLS 1.3", f"USER {USER}", "C: PASS ***", ""),
        ("implicit", "implicit", "TLS 1.3", f"USER {USER}", "C: PASS ***", ""),
        ("implicit", "implicit", "TLS 1.3", f"APOP {USER} ***", f"C: APOP {USER}", "apop = true"),
        ("clear", "off", None, f"APOP {USER} ***", f"C: APOP {USER}", "apop = true"),
    ]
    for kind, tls, version, said, told, settings in ways:
        # It notes in each mail what was read, and so it is larger the next time.
        mailutils.deliver(MAILS)
        port, log, last = mailutils.ports[kind], mailutils.log, "AT+POP3OUT"
        receive(world, server, port, tls, by_password(world), version, said, told, log, settings, last)
        assert len(mailutils.mails()) == len(MAILS)
    assert mailutils.log.read_text().count("(TLS1.3)") == 3, mailutils.log.read_text()
    return len(ways)


TESTS = [to_postfix, to_aiosmtpd, to_npm, from_dovecot, from_mailutils]


def main():
    with tempfile.TemporaryDirectory(prefix="providers-", dir="/tmp") as directory, contextlib.ExitStack() as started:
        world = World(directory, started)
        passed = sum(test(world) for test in TESTS)
    print(f"{passed} passed, 0 failed")


main()
