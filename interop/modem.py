"""The modem as a host program sees it: octets typed in, octets shown out."""

import os
import pathlib
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = ROOT / "target" / "release" / "mailmodem"

# Longer than any timer of the modem's.
PATIENCE_S = 60


class Terminal:
    """What is typed is written to one file, what is shown is read from another; or both are the same."""

    def __init__(self, shown, typed):
        self._shown, self._typed = shown, typed
        self._heard = bytearray()
        self._changed = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while octets := self._read():
            with self._changed:
                self._heard += octets
                self._changed.notify_all()

    def _read(self):
        try:
            return os.read(self._shown, 65536)
        except OSError:
            # A pseudo-terminal whose other side has gone.
            return b""

    def type(self, octets):
        while octets:
            octets = octets[os.write(self._typed, octets) :]

    def hear(self, until):
        """Everything that is said up to and with the first of these ends."""

        def said():
            ends = [at + len(end) for end in until if (at := self._heard.find(end)) >= 0]
            return min(ends) if ends else None

        return self._take(said, until)

    def hear_octets(self, count, alike):
        """So many octets. `alike` says of those heard yet whether they still can be the right ones."""

        def said():
            assert alike(bytes(self._heard[:count])), f"heard: {bytes(self._heard[:count])}"
            return count if len(self._heard) >= count else None

        return self._take(said, f"{count} octets")

    def _take(self, enough, what):
        deadline = time.monotonic() + PATIENCE_S
        with self._changed:
            while (count := enough()) is None:
                left = deadline - time.monotonic()
                assert left > 0, f"not heard: {what}; heard: {bytes(self._heard[-500:])}"
                self._changed.wait(left)
            said = bytes(self._heard[:count])
            del self._heard[:count]
            return said

    def ask(self, line, echo=False):
        """Types a command; returns the lines of its answer, the result code last."""
        self.type(line.encode() + b"\r")
        said = self.hear([b"\r\nOK\r\n", b"\r\nERROR\r\n"])
        if echo:
            said = said.removeprefix(line.encode() + b"\r")
        return [text for text in said.decode().split("\r\n") if text]

    def must(self, line):
        """Types a command that must be answered OK; returns the lines before it."""
        *lines, code = self.ask(line)
        assert code == "OK", f"{line}: {lines} {code}"
        return lines

    def urc(self, start):
        """An unsolicited result code that begins so; returns its first line."""
        said = self.hear([b"\r\n" + start.encode()])
        return start + self.hear([b"\r\n"]).decode().rstrip("\r\n") if said else ""


class Modem(Terminal):
    """A modem of its own, with echo off, dialling real servers, its drives in a directory that goes away with it."""

    def __init__(self, *arguments):
        self._directory = tempfile.TemporaryDirectory(prefix="mailmodem-interop-")
        self.home = pathlib.Path(self._directory.name)
        command = [BINARY, "console", "--network", "real", "--dir", self.home, *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        super().__init__(self._process.stdout.fileno(), self._process.stdin.fileno())
        self.ask("ATE0", echo=True)

    def close(self):
        """Ends the input; the modem must end by itself, and well."""
        self._process.stdin.close()
        assert self._process.wait(PATIENCE_S) == 0
        self._directory.cleanup()
