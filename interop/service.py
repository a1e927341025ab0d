"""The modem as a service: `mailmodem serve` with a config, its line on a pseudo-terminal, traced.

Everything that is told of it is looked through for secrets.
"""

import base64
import json
import os
import pathlib
import re
import subprocess
import tempfile
import threading
import time
import urllib.parse

from modem import BINARY, PATIENCE_S, ROOT, Terminal

DIALOGUES = ROOT / "dialogues" / "note"

# The modem's name for a mail is when it was saved, which no test on real servers can know.
SAVED = re.compile(rb"(?<=C:/Email/)\d{12}")
ANY = b"\0"


def forms(secret):
    """How a secret can look on a wire or in a log: as it is, in base64 at each place in three octets, in a URL."""
    octets = secret.encode()
    encoded = [base64.b64encode(b"\0" * skip + octets)[4 if skip else 0 :] for skip in range(3)]
    # The first and the last digits also depend on what stands beside.
    return {octets, urllib.parse.quote(secret).encode(), *(digits.rstrip(b"=")[2:-2] for digits in encoded)}


def alike(octet, expected):
    return expected in (octet, ANY[0])


def toml(value):
    """A value of the config's, of text, numbers, lists and tables."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(each)}" for key, each in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False, default=str)


def upstream(name, **settings):
    """A rule of the config."""
    settings = {"name": name, **settings}
    return "[[upstream]]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in settings.items()) + "\n"


class Service(Terminal):
    """`upstreams` goes into the config; `secrets` must be shown nowhere; `environment` is added to the process's."""

    def __init__(self, upstreams="", secrets=(), environment=None):
        self._directory = tempfile.TemporaryDirectory(prefix="mailmodem-service-")
        home = pathlib.Path(self._directory.name)
        self._secrets = [form for secret in secrets for form in forms(secret)]
        self._log, self._trace = home / "log", home / "panel" / "trace"
        config = home / "mailmodem.toml"
        config.touch(0o600)
        # At this level all is told that ever is.
        config.write_text(f"""
data_dir = {toml(home)}
[logging]
level = "trace"
[[line]]
name = "panel"
port = {toml(f"pty:{home}/modem")}
upstream = "direct"
trace = "panel/trace"
{upstreams}""")
        environment = {**os.environ, "RUST_BACKTRACE": "full", **(environment or {})}
        self._process = subprocess.Popen(
            [BINARY, "serve", "--config", config], stdin=subprocess.DEVNULL, stdout=self._log.open("w"),
            stderr=subprocess.STDOUT, env=environment)
        self._over, self._listed = threading.Event(), set()
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self._watching.start()
        deadline = time.monotonic() + PATIENCE_S
        while not (home / "modem").exists():
            assert self._process.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(0.02)
        self._line = os.open(home / "modem", os.O_RDWR | os.O_NOCTTY)
        super().__init__(self._line, self._line)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        os.close(self._line)
        self._over.set()
        self._watching.join()
        self._process.terminate()
        status = self._process.wait(PATIENCE_S)
        told = {"the log": self._log.read_bytes(), "the trace": self._trace.read_bytes()}
        self._directory.cleanup()
        if kind is None:
            assert status == 0, f"ended with {status}: {told['the log'].decode()}"
            for place, octets in told.items():
                shown = [form for form in self._secrets if form in octets]
                assert not shown, f"{place} shows {shown}"
            assert not self._listed, f"processes showed {self._listed}"
        elif kind:
            print(told["the log"].decode()[-3000:], told["the trace"].decode()[-6000:], sep="\n")

    def _watch(self):
        """Looks all the time at what any user of the machine sees of any process, and at the modem's environment."""
        own = pathlib.Path(f"/proc/{self._process.pid}/environ")
        while not self._over.wait(0.05):
            for place in [own, *pathlib.Path("/proc").glob("[0-9]*/cmdline")]:
                try:
                    octets = place.read_bytes()
                except OSError:
                    # It has ended.
                    continue
                self._listed |= {form for form in self._secrets if form in octets}

    def log(self):
        return self._log.read_text()

    def trace(self):
        return self._trace.read_text()

    def play(self, dialogue, last=None):
        """Types a dialogue of the note, up to a line that is the `last`, and hears exactly its answers; returns what was
        heard."""
        exchanges = []
        for line in (DIALOGUES / dialogue).read_text().splitlines():
            if line.startswith("T: "):
                exchanges.append((line[3:].encode() + b"\r", [line[3:].encode() + b"\r"]))
            elif line.startswith("M:"):
                exchanges[-1][1].append(line[3:].encode() + b"\r\n")
            elif last and exchanges and exchanges[-1][0] == last.encode() + b"\r":
                break
        heard = []
        for typed, shown in exchanges:
            self.type(typed)
            expected = b"".join(shown)
            exact = SAVED.sub(lambda saved: ANY * len(saved[0]), expected)
            said = self.hear_octets(len(expected), lambda some: all(map(alike, some, exact)))
            heard.append(said.decode())
        return heard

    def last_failure(self):
        """AT+MAILERR?: the result code, and why."""
        (line,) = self.must("AT+MAILERR?")
        return re.fullmatch(r'\+MAILERR: "(.*)","(.*)"', line).groups()
