"""A Postfix of the test's own, on loopback: a port for each way to speak with it, log-ins judged by a Dovecot.

What it takes for server.com lies in one Maildir.
"""

import grp
import pwd
import subprocess

from loopback import Home, free_ports, wait_for

OWNER = "nobody"

# Its daemons; each in a line of master.cf. Only those that take, judge and deliver a mail here.
DAEMONS = """
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""

# Each is a port of its own: its parameters beside the common ones.
STARTTLS = {"smtpd_tls_security_level": "may", "smtpd_tls_auth_only": "yes"}
IMPLICIT = {"smtpd_tls_wrappermode": "yes"}
CLEAR = {"smtpd_tls_security_level": "none"}
# OpenSSL has such a version only where nobody asks for security.
OLD = {"smtpd_tls_protocols": "TLSv1.1", "smtpd_tls_mandatory_protocols": "TLSv1.1",
       "tls_high_cipherlist": "DEFAULT@SECLEVEL=0", "tls_medium_cipherlist": "DEFAULT@SECLEVEL=0"}
TLS_1_2 = {"smtpd_tls_protocols": "TLSv1.2", "smtpd_tls_mandatory_protocols": "TLSv1.2"}


class Postfix:
    def __init__(self, certificates, sasl_socket, services):
        """`services`: what a port is called, and its parameters; `certificate` among them names another than `good`."""
        self._home = Home("postfix")
        home = self._home.path
        self.ports = dict(zip(services, free_ports(len(services)), strict=True))
        for folder in ["etc", "queue", "data", "mail"]:
            (home / folder).mkdir()
        self._home.give(home / "data", "postfix")
        self._home.give(home / "mail", OWNER)
        self.log = home / "log"
        owner = pwd.getpwnam(OWNER)
        main = {
            "compatibility_level": "3.6",
            "queue_directory": home / "queue",
            "data_directory": home / "data",
            "maillog_file": self.log,
            "maillog_file_prefixes": "/tmp",
            "myhostname": "localhost",
            "mydestination": "",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "mynetworks": "",
            "alias_maps": "",
            "virtual_mailbox_domains": "server.com",
            "virtual_mailbox_base": home,
            "virtual_mailbox_maps": "static:mail/",
            "virtual_uid_maps": f"static:{owner.pw_uid}",
            "virtual_gid_maps": f"static:{grp.getgrgid(owner.pw_gid).gr_gid}",
            "virtual_minimum_uid": "1",
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": sasl_socket,
            "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
            "smtpd_sasl_authenticated_header": "yes",
            "smtpd_tls_received_header": "yes",
            "smtpd_tls_loglevel": "1",
        }
        self._home.file("etc/main.cf", "".join(f"{name} = {value}\n" for name, value in main.items()))
        lines = []
        for service, parameters in services.items():
            certificate = parameters.get("certificate", "good")
            chain = f"{certificates.key(certificate)},{certificates.chain(certificate)}"
            options = {"smtpd_tls_chain_files": chain, **parameters}
            options = [f" -o {name}={value}" for name, value in options.items() if name != "certificate"]
            lines.append(f"127.0.0.1:{self.ports[service]} inet n - n - - smtpd{''.join(options)}\n")
        self._home.file("etc/master.cf", "".join(lines) + DAEMONS.lstrip())
        self._process = subprocess.Popen(
            ["postfix", "-c", home / "etc", "start-fg"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=self._home.file("errors", "").open("w"), start_new_session=True)
        for port in self.ports.values():
            wait_for(("127.0.0.1", port), self.log, self._process)

    @staticmethod
    def version():
        return subprocess.run(["postconf", "-dh", "mail_version"], capture_output=True, text=True).stdout.strip()

    def mails(self):
        """What was delivered, oldest first."""
        files = sorted((self._home.path / "mail").glob("new/*"), key=lambda path: path.stat().st_mtime_ns)
        return [path.read_bytes() for path in files]

    def stop(self):
        subprocess.run(["postfix", "-c", self._home.path / "etc", "stop"], capture_output=True)
        self._process.wait(30)
        self._home.remove()
