"""What must not be trusted is refused before any log-in, with words of its own: the terminal hears SERVER ERROR, and
AT+MAILERR? and the log tell why. And what its owner does for a server that no authority vouches for.
"""
# needs: root postfix postconf dovecot openssl

import contextlib
import pathlib
import subprocess
import tempfile

from certificates import BEGINS_ON, EXPIRED_ON, OTHER_NAME, Certificates
from dovecot import Dovecot
from loopback import Home, free_ports, wait_for
from postfix import CLEAR, IMPLICIT, OLD, STARTTLS, Postfix
from service import Service, upstream

USER, PASSWORD = "panel@server.com", "Zw2-never+said/by"

UNKNOWN = (
    "has a certificate of an authority that is not known here; name the authority's certificate with ca_file, or the "
    "server's key with pins"
)
OLD_TLS = "speaks no TLS from 1.2 on, and what was before is not safe any more"
NO_TLS = (
    "does not speak TLS from the first octet on this port; tls = 'required' asks for it by STARTTLS or STLS"
)


def words_of(host):
    """Each bad certificate, and what is said of it where the server is called by this name."""
    return {
        "expired": f"has a certificate that expired on {EXPIRED_ON:%Y-%m-%d}",
        "early": f"has a certificate that begins on {BEGINS_ON:%Y-%m-%d} only; is this machine's clock right?",
        "other-name": f"has a certificate that is not for {host}, but for {OTHER_NAME}",
        "no-name": f"has a certificate that is not for {host}, but for no name",
        "stranger": UNKNOWN,
        "self-signed": "has a certificate that is an authority's own, as self-signed ones are; name the "
        "server's key with pins",
        "self-signed-server": UNKNOWN,
    }


class OldServer:
    """OpenSSL, which speaks TLS 1.1 where nobody asks it for security."""

    def __init__(self, certificates):
        (self.port,) = free_ports(1)
        self._home = Home("openssl")
        files = ["-cert", certificates.chain("good"), "-key", certificates.key("good")]
        log = self._home.path / "log"
        self._process = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0", *files],
            # It ends when its input does.
            stdin=subprocess.PIPE, stdout=log.open("w"), stderr=subprocess.STDOUT)
        wait_for(("127.0.0.1", self.port), log, self._process)

    def stop(self):
        self._process.terminate()
        self._process.wait(30)
        self._home.remove()


def compose(modem, server, log_in=("UserName", "password")):
    modem.must(f"AT+SMTPSRV={server}")
    modem.must('AT+SMTPAUTH=1,"{}","{}"'.format(*log_in))
    modem.must('AT+SMTPFROM="UserName@server.com"')
    modem.must('AT+SMTPRCPT=0,0,"ToAddr@server.com"')
    modem.must('AT+SMTPSUB="First Email"')


def refused_to_send(modem, server):
    """What the terminal hears of a mail that does not go."""
    compose(modem, server)
    heard = modem.ask("AT+SMTPSEND")
    if heard == ["+SMTP: OK", "OK"]:
        heard.append(modem.urc("+SMTP: "))
    assert heard in (["+SMTP: SERVER ERROR", "ERROR"], ["+SMTP: OK", "OK", "+SMTP: SERVER ERROR"]), heard
    return heard


def refused_to_receive(modem, server):
    modem.must(f'AT+POP3SRV={server.split(",")[0]},"un","pwd"')
    heard = modem.ask("AT+POP3IN")
    assert heard == ["+POP3: SERVER ERROR", "ERROR"], heard
    return heard


def assert_told(modem, heard, place, reason):
    code, told = modem.last_failure()
    assert (code, told) == ("SERVER ERROR", f"{place} {reason}"), told
    # As it is there, in the place of the apostrophes that a terminal gets.
    assert f"{code}: {place} {reason}" in modem.log().replace('tls = "required"', "tls = 'required'"), modem.log()
    print(f"   | {' '.join(f'`{line}`' for line in heard)} | {reason} |")


def handshake(host, port, words):
    return f"failed in the TLS handshake: {host}:{port} {words}"


def rules(world):
    """A rule for each bad server, with what is said of it; the server's name is the rule's."""
    postfix, dovecot, certificates, old = world
    ca = {"ca_file": certificates.authority}

    for kind, words in words_of("localhost").items():
        for way, tls in [("", "implicit"), ("-starttls", "required"), ("-starttls", "opportunistic")]:
            port = postfix.ports[kind + way]
            yield "smtp", f"{kind}-{tls}", "localhost", port, tls, ca, handshake("localhost", port, words)
    for way, tls in [("", "implicit"), ("-starttls", "required")]:
        port = postfix.ports["old" + way]
        yield "smtp", f"old-{tls}", "localhost", port, tls, ca, handshake("localhost", port, OLD_TLS)
    for address, kind in world_addresses().items():
        for port, tls in [(dovecot.tls_port, "implicit"), (dovecot.port, "required")]:
            words = words_of(address)[kind]
            yield "pop3", f"{kind}-{tls}", address, port, tls, ca, handshake(address, port, words)
    yield "pop3", "old", "localhost", old.port, "implicit", ca, handshake("localhost", old.port, OLD_TLS)
    clear, good = postfix.ports["clear"], postfix.ports["good-starttls"]
    yield "smtp", "none", "localhost", clear, "required", ca, "does not offer STARTTLS, which is required"
    yield "smtp", "clear", "localhost", clear, "implicit", ca, handshake("localhost", clear, NO_TLS)
    yield "pop3", "clear", "localhost", dovecot.port, "implicit", ca, handshake("localhost", dovecot.port, NO_TLS)
    pins = {"pins": [certificates.pin("stranger")]}
    unpinned = f"is another than expected: its key is {certificates.pin('good')}, which is not pinned"
    yield "smtp", "unpinned", "localhost", good, "required", pins, handshake("localhost", good, unpinned)


def world_addresses():
    return {f"127.0.0.{last}": kind for last, kind in enumerate(words_of(""), 2)}


def bad_servers(world):
    cases = list(rules(world))
    config = "".join(
        upstream(
            f"{protocol}-{name}", match={"protocol": protocol, "server": f"{name}.test"}, host=host, port=port, tls=tls,
            user=USER, password=PASSWORD, **trust)
        for protocol, name, host, port, tls, trust, _ in cases
    )
    with Service(config, [PASSWORD]) as modem:
        modem.ask("ATE0", echo=True)
        for protocol, name, host, called, _, _, reason in cases:
            refused, port = {"smtp": (refused_to_send, 25), "pop3": (refused_to_receive, 110)}[protocol]
            heard = refused(modem, f'"{name}.test"')
            # The words of a handshake say who was called; other words are laid to whoever that is.
            place = f"{name}.test:{port}" if reason.startswith("failed in the TLS") else f"{host}:{called}"
            assert_told(modem, heard, place, reason)
        said = [line for line in modem.trace().splitlines() if " C: #" in line]
        assert said and not any(word in line for line in said for word in ["AUTH", "MAIL", "USER", "PASS", "APOP"])
    postfix, dovecot, *_ = world
    assert "sasl_method" not in postfix.log.read_text() and "Login: user" not in dovecot.log.read_text()
    return len(cases)


def no_rule(world):
    """The terminal names a server on this machine itself; a certificate of an authority that is not known is no less
    refused than elsewhere, and nothing goes in clear instead."""
    postfix, dovecot, *_ = world
    with Service() as modem:
        modem.ask("ATE0", echo=True)
        for port in [postfix.ports["good-starttls"], postfix.ports["stranger-starttls"]]:
            heard = refused_to_send(modem, f'"localhost",{port}')
            assert_told(modem, heard, f"localhost:{port}", handshake("localhost", port, UNKNOWN))
        modem.must(f'AT+POP3SRV="localhost","un","pwd",{dovecot.port}')
        heard = modem.ask("AT+POP3IN")
        assert heard == ["+POP3: SERVER ERROR", "ERROR"], heard
        assert_told(modem, heard, f"localhost:{dovecot.port}", handshake("localhost", dovecot.port, UNKNOWN))
    return 3


def trusted(world):
    """What can be done for such a server: this machine trusts its authority, or a rule knows its key."""
    postfix, _, certificates, _ = world
    good, signed_itself = postfix.ports["good-starttls"], postfix.ports["self-signed-starttls"]
    pinned = {"match": {"server": "localhost"}, "pins": [certificates.pin("self-signed")]}
    ways = [
        ("this machine trusts the authority", good, "", {"SSL_CERT_FILE": str(certificates.authority)}),
        ("a rule has the key", signed_itself, upstream("here", **pinned), {}),
    ]
    for name, port, config, environment in ways:
        with Service(config, [PASSWORD], environment) as modem:
            modem.ask("ATE0", echo=True)
            compose(modem, f'"localhost",{port}', (USER, PASSWORD))
            # The owner's own modem reads its password back; its trace does not.
            assert PASSWORD in modem.must("AT+SMTPAUTH?")[0]
            heard = [*modem.ask("AT+SMTPSEND"), modem.urc("+SMTP: ")]
            assert heard == ["+SMTP: OK", "OK", "+SMTP: SUCCESS"], heard
            trace = modem.trace()
            assert "secured: TLS 1.3, " in trace and "AUTH SCRAM-SHA-256" in trace, trace
            print(f"   | {' '.join(f'`{line}`' for line in heard)} | {name} |")
    return len(ways)


def main():
    with tempfile.TemporaryDirectory(prefix="refusals-", dir="/tmp") as place, contextlib.ExitStack() as started:
        directory = pathlib.Path(place)
        directory.chmod(0o755)
        certificates = Certificates(directory)
        dovecot = Dovecot({USER: PASSWORD}, certificates, world_addresses())
        started.callback(dovecot.stop)
        services = {"old": IMPLICIT | OLD, "old-starttls": STARTTLS | OLD, "clear": CLEAR, "good-starttls": STARTTLS}
        for kind in words_of(""):
            services |= {kind: IMPLICIT | {"certificate": kind}, f"{kind}-starttls": STARTTLS | {"certificate": kind}}
        postfix = Postfix(certificates, dovecot.sasl_socket, services)
        started.callback(postfix.stop)
        old = OldServer(certificates)
        started.callback(old.stop)
        passed = sum(test((postfix, dovecot, certificates, old)) for test in [bad_servers, no_rule, trusted])
    print(f"{passed} passed, 0 failed")


main()
