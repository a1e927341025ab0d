"""The pop3d of GNU Mailutils (TLS by GnuTLS), on loopback, with one account and its mails in one mailbox.

It has no mechanisms of SASL: a password goes by USER and PASS, or is kept off the wire by APOP.
"""

import mailbox
import pwd
import subprocess

from loopback import Home, free_ports, wait_for

OWNER = "nobody"
PORTS = {"clear": "no", "stls": "ondemand", "implicit": "connection"}


class Mailutils:
    def __init__(self, certificates, user, password):
        """`user` is a name and a domain."""
        self._home = Home("mailutils")
        home = self._home.path
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self._box = home / "box" / "INBOX"
        name, domain = user.split("@")
        owner = pwd.getpwnam(OWNER)
        hashed = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=password, capture_output=True, text=True)
        self._home.file(
            f"accounts/{domain}", f"{name}:{hashed.stdout.strip()}:{owner.pw_uid}:{owner.pw_gid}::{home}/box:/bin/false\n")
        self._box.parent.mkdir()
        known = self._home.file("known", f"{user}: {password}\n", 0o600)
        database = home / "apop.db"
        subprocess.run(["popauth", "--create", "--compatibility", "--file", known, "--output", database], check=True)
        tls = f"ssl-certificate-file {certificates.chain('good')}; ssl-key-file {certificates.key('good')};"
        servers = [
            f"server 127.0.0.1:{port} {{ transcript yes; tls-mode {PORTS[kind]}; tls {{ {tls} }}; }};\n"
            for kind, port in self.ports.items()
        ]
        configuration = self._home.file("pop3d.conf", f"""
mode daemon;
foreground yes;
pidfile "{home}/pid";
logging {{ syslog no; severity debug; }};
virtdomain {{ passwd-dir "{home}/accounts"; }};
auth {{ authorization "virtdomain"; authentication "generic"; }};
apop-database-file "{database}";
{"".join(servers)}""")
        self.log = home / "log"
        self._process = subprocess.Popen(
            ["pop3d", f"--config-file={configuration}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=self.log.open("w"))
        for port in self.ports.values():
            wait_for(("127.0.0.1", port), self.log, self._process)

    @staticmethod
    def version():
        said = subprocess.run(["pop3d", "--version"], capture_output=True, text=True).stdout
        return said.splitlines()[0].split()[-1].rstrip(")")

    def deliver(self, mails):
        """Puts these mails in, in the place of all that were there."""
        octets = b"".join(b"From - Tue Mar  9 17:11:30 2010\n" + mail.replace(b"\r\n", b"\n") + b"\n" for mail in mails)
        self._box.write_bytes(octets)
        self._home.give(self._box, OWNER)

    def mails(self):
        return list(mailbox.mbox(self._box, create=False))

    def stop(self):
        self._process.terminate()
        self._process.wait(30)
        self._home.remove()
