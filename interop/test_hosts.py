"""Host programs that no one here wrote, on a modem's pseudo-terminal, with its sandbox behind it.

Run with the names of some of them, it tests just those.
"""

import email
import email.policy
import logging
import os
import pathlib
import pty
import queue
import re
import select
import subprocess
import sys
import tempfile
import time

from atlib.LTE_Device import LTE_Device
from gsmmodem.modem import GsmModem

from modem import BINARY, PATIENCE_S

RECIPIENT = "ToAddr@server.com"

# The note's §3.2, but for its subject, which says whose mail it is.
SESSION = [
    'AT+SMTPSRV="smtp.server.com",25',
    'AT+SMTPAUTH=1,"UserName","password"',
    'AT+SMTPFROM="UserName@server.com","PresentName"',
    f'AT+SMTPRCPT=0,0,"{RECIPIENT}","ToName"',
    'AT+SMTPRCPT=1,0,"CcAddr@server.com","CcName"',
    'AT+SMTPSUB="{}"',
    'AT+SMTPBODY="This is the first Email!"',
    "AT+FSCD=C:/Picture",
    'AT+SMTPFILE=1,"20100202_100006.jpg"',
    'AT+SMTPFILE=2,"20100202_100016.jpg"',
]


class Served:
    """A modem as `mailmodem serve` has it: a link to a pseudo-terminal, and a directory that goes away with it."""

    def __enter__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="mailmodem-hosts-")
        self.directory = pathlib.Path(self._directory.name)
        self.link = self.directory / "modem"
        command = [BINARY, "serve", "--port", f"pty:{self.link}", "--sandbox", "--dir", self.directory / "home"]
        log = (self.directory / "log").open("w")
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
        until(self.link.exists, "the modem's link")
        return self

    def __exit__(self, *_):
        self._process.terminate()
        status = self._process.wait(PATIENCE_S)
        self._directory.cleanup()
        assert status == 0, status

    def only_mail(self, subject):
        """The one mail that lies in the sandbox for the note's recipient."""
        files = list((self.directory / "home" / "mail" / RECIPIENT.lower()).glob("new/*"))
        assert len(files) == 1, files
        mail = email.message_from_bytes(files[0].read_bytes(), policy=email.policy.default)
        assert mail["Subject"] == subject, mail["Subject"]
        assert mail["From"] == "PresentName <UserName@server.com>", mail["From"]
        return mail


def until(holds, what):
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def session(subject):
    return [line.format(subject) for line in SESSION]


def show(text):
    print("   " + " | ".join(line for line in re.split(r"[\r\n]+", text) if line.strip()))


def gammu(modem):
    config = modem.directory / "gammurc"
    config.write_text(f"[gammu]\ndevice = {modem.link}\nconnection = at\n")
    command = ["gammu", "-c", config, "identify"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    show(result.stdout + result.stderr)
    assert result.returncode == 0, result.returncode
    for field, value in [("Manufacturer", "mailmodem"), ("IMEI", "004999010640000"), ("SIM IMSI", "001010123456789")]:
        assert re.search(rf"^{field} +: {value}$", result.stdout, re.M), field


def chat(modem):
    script = modem.directory / "chat"
    steps = [f"OK '{line}'" for line in session("By chat")]
    steps = ["ABORT ERROR", "TIMEOUT 60", "'' ATE0", *steps, "OK AT+SMTPSEND", "'+SMTP: SUCCESS' ''"]
    script.write_text("\n".join(steps) + "\n")
    line = os.open(modem.link, os.O_RDWR | os.O_NOCTTY)
    command = ["/usr/sbin/chat", "-V", "-S", "-f", script]
    result = subprocess.run(command, stdin=line, stdout=line, stderr=subprocess.PIPE, text=True, timeout=2 * PATIENCE_S)
    os.close(line)
    show(result.stderr)
    assert result.returncode == 0, result.returncode
    files = [part.get_filename() for part in modem.only_mail("By chat").iter_attachments()]
    assert files == ["20100202_100006.jpg", "20100202_100016.jpg"], files


def smstools(modem):
    """smsd itself, up to where its modem process is ready for short messages."""
    log = modem.directory / "smsd.log"
    log.touch()
    config = modem.directory / "smsd.conf"
    settings = [f"logfile = {log}", "loglevel = 7", "devices = GSM1"]
    settings += [f"{name}file = {modem.directory / name}" for name in ["info", "pid"]]
    for folder in ["outgoing", "checked", "incoming", "failed", "sent"]:
        (modem.directory / folder).mkdir()
        settings.append(f"{folder} = {modem.directory / folder}")
    settings += ["[GSM1]", f"device = {modem.link}", "incoming = no", "init = ATE0"]
    config.write_text("\n".join(settings) + "\n")

    command = ["/usr/sbin/smsd", "-t", "-c", config]
    host = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: re.search("Waiting for messages to send|Failed to initialize", log.read_text()), "smsd")
    finally:
        host.terminate()
        host.wait(PATIENCE_S)
    said = log.read_text()
    show("\n".join(re.findall(r"GSM1: (?:->|<-) (.*)", said)))
    assert "Failed to initialize" not in said
    for line in ["Modem is registered to the network", "IMEI: 004999010640000", "IMSI: 001010123456789"]:
        assert line in said, line


def python_gsmmodem(modem):
    heard = queue.Queue()
    host = GsmModem(str(modem.link))
    host.connect()
    host.notifyCallback = heard.put
    try:
        show(f"{host.manufacturer} {host.model} {host.revision}, on {host.networkName}, signal {host.signalStrength}")
        assert (host.manufacturer, host.networkName, host.signalStrength) == ("mailmodem", "mailmodem", 22)
        for line in session("By python-gsmmodem-new"):
            assert host.write(line)[-1] == "OK", line
        # As it types a short message: a prompt, a text, Ctrl-Z.
        host.write("AT+SMTPBODY", expectedResponseTermSeq=">> ")
        host.write("Typed at the prompt", writeTerm="\x1a")
        assert host.write("AT+SMTPSEND", timeout=PATIENCE_S) == ["+SMTP: OK", "OK"]
        outcome = heard.get(timeout=PATIENCE_S)
    finally:
        host.close()
    show(" | ".join(outcome))
    assert outcome == ["+SMTP: SUCCESS"], outcome
    body = modem.only_mail("By python-gsmmodem-new").get_body()
    assert body.get_content().splitlines() == ["Typed at the prompt"], body.get_content()


def atlib(modem):
    host = LTE_Device(str(modem.link))
    state = [host.get_sim_status(), host.command("AT+CSQ").value("+CSQ"), host.command("AT+COPS?").fields("+COPS")]
    show(str(state))
    assert state == ["OK", "22,0", ["0", "0", "mailmodem", "2"]], state
    for line in session("By atlib"):
        host.command(line).raise_for_status()
    assert host.command("AT+SMTPSEND", timeout=PATIENCE_S).raise_for_status().lines == ["+SMTP: OK"]
    outcome = host.await_urc("+SMTP: ", timeout=PATIENCE_S)
    show(outcome)
    assert outcome == "+SMTP: SUCCESS", outcome
    modem.only_mail("By atlib")


def picocom(modem):
    """On a terminal, a whole session pasted at once."""
    process, terminal = pty.fork()
    if process == 0:
        os.execvp("picocom", ["picocom", "--nolock", "--noreset", str(modem.link)])

    shown = b""

    def hear(end):
        nonlocal shown
        deadline = time.monotonic() + PATIENCE_S
        while end not in shown:
            ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"not shown: {end}; shown: {shown[-500:]}"
            shown += os.read(terminal, 65536)

    hear(b"Terminal ready")
    os.write(terminal, "".join(line + "\r" for line in [*session("By picocom"), "AT+SMTPSEND"]).encode())
    hear(b"+SMTP: SUCCESS\r\n")
    os.write(terminal, b"\x01\x18")
    hear(b"Thanks for using picocom")
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    os.close(terminal)
    said = shown.decode().partition("Terminal ready")[2]
    show(said)
    assert "ERROR" not in said
    assert said.count("\r\nOK\r\n") == len(SESSION) + 1, said.count("\r\nOK\r\n")
    modem.only_mail("By picocom")


def main():
    logging.disable(logging.WARNING)
    hosts = [gammu, chat, smstools, python_gsmmodem, atlib, picocom]
    hosts = [host for host in hosts if host.__name__ in sys.argv[1:]] or hosts
    for host in hosts:
        print(host.__name__)
        with Served() as modem:
            host(modem)
    print(f"{len(hosts)} passed, 0 failed")


main()
