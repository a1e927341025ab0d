"""Servers on loopback: ports that are free, and when somebody answers there."""

import contextlib
import os
import pathlib
import pwd
import shutil
import socket
import tempfile
import time

# Longer than any server here takes to start on a machine that is busy.
START_S = 60


def free_ports(count):
    """So many ports, all different."""
    with contextlib.ExitStack() as probes:
        held = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in held:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in held]


def wait_for(address, log, process):
    """Returns when something listens at `address`; fails with the log when it does not, or its process has ended."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(address, 1).close()
            return
        except OSError:
            ended = process.poll() is not None
            if ended or time.monotonic() > deadline:
                process.kill()
                told = log.read_text(errors="replace") if log.exists() else "nothing"
                raise AssertionError(f"no server at {address}; its log: {told}") from None
        time.sleep(0.05)


def wait_until(holds, what):
    deadline = time.monotonic() + START_S
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.05)


class Home:
    """A server's directory: of a short path, since sockets are in it, and open to the users its processes run as."""

    def __init__(self, name):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir="/tmp"))
        self.path.chmod(0o755)

    def file(self, name, content, mode=0o644):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def give(self, place, user):
        """Makes a user the owner of a file, or of a directory and all that is in it."""
        owner = pwd.getpwnam(user)
        places = [place]
        for directory, folders, files in os.walk(place):
            places += [os.path.join(directory, name) for name in folders + files]
        for each in places:
            os.chown(each, owner.pw_uid, owner.pw_gid)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)
