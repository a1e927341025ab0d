"""Files over the terminal's line: by XMODEM to and from lrzsz, and counted."""

import os
import pathlib
import shutil
import subprocess
import tempfile

from modem import BINARY, PATIENCE_S

BLOCK = 128


class Line:
    """A modem whose two pipes are lent to another program, so that nothing of a transfer may be read too early."""

    def __init__(self, home):
        self.home = home
        command = [BINARY, "console", "--dir", home]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        assert self.ask("ATE0").endswith(b"\r\nOK\r\n")

    def ask(self, line, end=b"\r\nOK\r\n"):
        """Types a command; returns the answer up to its end, and not an octet more."""
        self._process.stdin.write(line.encode() + b"\r")
        return self.hear(end)

    def hear(self, end):
        said = b""
        while not said.endswith((end, b"\r\nERROR\r\n")):
            octet = os.read(self._process.stdout.fileno(), 1)
            assert octet, f"the modem ended; heard: {said}"
            said += octet
        assert said.endswith(end), said
        return said

    def type(self, octets):
        while octets:
            octets = octets[self._process.stdin.write(octets) :]

    def lend(self, *command):
        """Runs a program on the modem's pipes."""
        pipes = {"stdin": self._process.stdout, "stdout": self._process.stdin}
        result = subprocess.run(command, **pipes, stderr=subprocess.PIPE, timeout=PATIENCE_S)
        assert result.returncode == 0, result.stderr.decode(errors="replace")

    def close(self):
        self._process.stdin.close()
        assert self._process.wait(PATIENCE_S) == 0


def filled_up(octets):
    return octets + b"\x1a" * (-len(octets) % BLOCK)


def check(line, directory):
    drive = line.home / "drive-c"
    every_octet = bytes(range(256))
    for size in [1, BLOCK, 1024, 5000, 100_000]:
        octets = (every_octet + os.urandom(size))[-size:]
        (directory / "original").write_bytes(octets)

        for name, options in [("short", []), ("long", ["-k"])]:
            line.ask(f'AT+CRXFILE="{name}"')
            line.lend("sx", "-q", *options, directory / "original")
            assert (drive / name).read_bytes() == filled_up(octets), (size, name)
            line.ask(f"AT+FSDEL={name}")

        (drive / "original").write_bytes(octets)
        for options in [[], ["-c"]]:
            for blocks in ["", ",0,1"]:
                line.ask(f'AT+CTXFILE="original"{blocks}')
                line.lend("rx", "-q", *options, directory / "copy")
                assert (directory / "copy").read_bytes() == filled_up(octets), (size, options, blocks)
                (directory / "copy").unlink()

        line.ask(f'AT+CFTRANRX="counted",{size}', end=b"\r\n>")
        line.type(octets)
        line.hear(b"\r\nOK\r\n")
        assert (drive / "counted").read_bytes() == octets
        said = line.ask('AT+CFTRANTX="counted"', end=b"\r\n+CFTRANTX: 0\r\n\r\nOK\r\n")
        shown = b""
        while not said.startswith(b"\r\n+CFTRANTX: 0\r\n"):
            head, said = said.removeprefix(b"\r\n+CFTRANTX: DATA,").split(b"\r\n", 1)
            shown, said = shown + said[: int(head)], said[int(head) :]
        assert shown == octets
        line.ask("AT+FSDEL=*.*")


def main():
    missing = [program for program in ["sx", "rx"] if not shutil.which(program)]
    if missing:
        print(f"skipped: there is no {' or '.join(missing)} of lrzsz")
        return
    with tempfile.TemporaryDirectory(prefix="mailmodem-xmodem-") as directory:
        directory = pathlib.Path(directory)
        line = Line(directory / "modem")
        check(line, directory)
        line.close()
    print("1 passed, 0 failed")


main()
