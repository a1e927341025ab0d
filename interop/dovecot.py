"""A Dovecot of the test's own: POP3 on free loopback ports, its mails in a Maildir, and log-ins judged for a Postfix."""

import base64
import grp
import hashlib
import hmac
import json
import os
import pwd
import secrets
import subprocess
import time

from loopback import Home, free_ports, wait_for

USER, PASSWORD = "un", "pwd"
OWNER = "dovecot"

# From the weakest, as a client should not choose; apop is POP3's own.
MECHANISMS = "plain login apop cram-md5 scram-sha-1 scram-sha-256 xoauth2 oauthbearer"


class Dovecot:
    """`accounts`: names and passwords. With `certificates`, STLS at `port` and TLS from the first octet at `tls_port`,
    at 127.0.0.1 with the good one; `addresses` has other certificates for other addresses.

    Tokens are good that `token` makes.
    """

    def __init__(self, accounts=None, certificates=None, addresses=None):
        self.port, self.tls_port = free_ports(2)
        self._home = Home("dovecot")
        home = self._home.path
        self.maildir = home / "mail"
        for folder in ["mail/new", "mail/cur", "mail/tmp", "run"]:
            (home / folder).mkdir(parents=True)
        self.sasl_socket = home / "run" / "auth-client"
        accounts = accounts or {USER: PASSWORD}
        self._home.file("passwd", "".join(f"{user}:{{PLAIN}}{password}\n" for user, password in accounts.items()))
        self._token_key = secrets.token_bytes(32)
        self._home.file("keys/default/HS256/default", base64.b64encode(self._token_key))
        self._home.file("oauth2.conf", f"""
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={home}/keys/
username_attribute = sub
""")
        group = grp.getgrgid(pwd.getpwnam(OWNER).pw_gid).gr_name
        configuration = self._home.file("dovecot.conf", f"""
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/log
protocols = pop3
listen = {", ".join(["127.0.0.1", *(addresses or {})])}
{self._tls(certificates, addresses or {})}
disable_plaintext_auth = no
auth_mechanisms = {MECHANISMS if certificates else "plain apop"}
auth_verbose = yes
auth_failure_delay = 0
login_log_format_elements = user=<%u> method=%m %k
mail_location = maildir:{self.maildir}
first_valid_uid = 1
default_internal_user = {OWNER}
default_internal_group = {group}
passdb {{
  driver = passwd-file
  mechanisms = plain login apop cram-md5 scram-sha-1 scram-sha-256
  args = scheme=PLAIN {home}/passwd
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {home}/oauth2.conf
}}
userdb {{
  driver = static
  args = uid={OWNER} gid={group} home={home}
}}
service auth {{
  unix_listener auth-client {{
    mode = 0666
  }}
}}
# Log-ins that fail are many here, and nobody's attack.
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {self.port}
  }}
  inet_listener pop3s {{
    port = {self.tls_port if certificates else 0}
    ssl = yes
  }}
}}
service stats {{
  client_limit = 10
}}
""")
        self._home.give(home, OWNER)
        self.log = home / "log"
        self._process = subprocess.Popen(["dovecot", "-F", "-c", configuration], stdin=subprocess.DEVNULL)
        wait_for(("127.0.0.1", self.port), self.log, self._process)

    @staticmethod
    def _tls(certificates, addresses):
        if certificates is None:
            return "ssl = no"

        def of(name):
            return f"ssl_cert = <{certificates.chain(name)}\nssl_key = <{certificates.key(name)}\n"

        others = [f"local {address} {{\n{of(name)}}}\n" for address, name in addresses.items()]
        return "ssl = yes\n" + of("good") + "".join(others)

    @staticmethod
    def version():
        return subprocess.run(["dovecot", "--version"], capture_output=True, text=True).stdout.split()[0]

    def token(self, user, good_s=600):
        """An access token (RFC 7519), signed by what this Dovecot knows its authorisation server by."""

        def encoded(octets):
            return base64.urlsafe_b64encode(octets).rstrip(b"=")

        now = int(time.time())
        claims = {"sub": user, "iat": now - 60, "nbf": now - 60, "exp": now + good_s}
        parts = [{"alg": "HS256", "typ": "JWT"}, claims]
        signed = b".".join(encoded(json.dumps(part).encode()) for part in parts)
        return (signed + b"." + encoded(hmac.digest(self._token_key, signed, hashlib.sha256))).decode()

    def deliver(self, number, octets):
        """Puts a mail in; mails come in the order of their numbers."""
        # Dovecot counts a line end as CRLF whatever the file has.
        name = f"{1_000_000_000 + number}.{number:06}.interop"
        path = self.maildir / "new" / name
        path.write_bytes(octets)
        os.utime(path, (1_000_000_000 + number, 1_000_000_000 + number))
        self._home.give(self.maildir, OWNER)

    def mails(self):
        return [path for folder in ["new", "cur"] for path in (self.maildir / folder).iterdir()]

    def stop(self):
        self._process.terminate()
        self._process.wait(30)
        self._home.remove()
