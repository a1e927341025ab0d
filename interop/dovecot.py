"""A Dovecot of the test's own: POP3 on a free loopback port, one account, its mails in a Maildir."""

import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile
import time

USER, PASSWORD = "un", "pwd"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Dovecot:
    def __init__(self):
        self.port = free_port()
        # Its sockets must have short paths, and its processes of other users must get there.
        self._home = pathlib.Path(tempfile.mkdtemp(prefix="dovecot-", dir="/tmp"))
        self._home.chmod(0o755)
        self.maildir = self._home / "mail"
        for folder in ["new", "cur", "tmp"]:
            (self.maildir / folder).mkdir(parents=True)
        (self._home / "run").mkdir()
        (self._home / "passwd").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
        configuration = self._home / "dovecot.conf"
        configuration.write_text(f"""
base_dir = {self._home}/run
state_dir = {self._home}/run
log_path = {self._home}/log
protocols = pop3
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain apop
mail_location = maildir:{self.maildir}
first_valid_uid = 1
default_internal_user = {self._user()}
default_internal_group = {self._group()}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {self._home}/passwd
}}
userdb {{
  driver = static
  args = uid={self._user()} gid={self._group()} home={self._home}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {self.port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service stats {{
  client_limit = 10
}}
""")
        self._own(self._home)
        self._process = subprocess.Popen(["dovecot", "-F", "-c", configuration])
        self._wait()

    @staticmethod
    def _user():
        return "dovecot"

    @classmethod
    def _group(cls):
        import grp

        return grp.getgrgid(pwd.getpwnam(cls._user()).pw_gid).gr_name

    def _own(self, path):
        user = pwd.getpwnam(self._user())
        for directory, folders, files in os.walk(path):
            for name in [".", *folders, *files]:
                os.chown(os.path.join(directory, name), user.pw_uid, user.pw_gid)

    def _wait(self):
        for _ in range(100):
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                    if probe.recv(100).startswith(b"+OK"):
                        return
            except OSError:
                pass
            time.sleep(0.1)
        raise AssertionError(f"dovecot did not start: {(self._home / 'log').read_text()}")

    def deliver(self, number, octets):
        """Puts a mail in; mails come in the order of their numbers."""
        # Dovecot counts a line end as CRLF whatever the file has.
        name = f"{1_000_000_000 + number}.{number:06}.interop"
        path = self.maildir / "new" / name
        path.write_bytes(octets)
        os.utime(path, (1_000_000_000 + number, 1_000_000_000 + number))
        self._own(self.maildir)

    def mails(self):
        return [path for folder in ["new", "cur"] for path in (self.maildir / folder).iterdir()]

    def stop(self):
        self._process.terminate()
        self._process.wait(20)
        shutil.rmtree(self._home, ignore_errors=True)
