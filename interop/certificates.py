"""Certificates of the tests' own: an authority, what it signed well, and each kind that must be refused."""

import datetime
import subprocess

import trustme

NAMES = ("localhost", *(f"127.0.0.{last}" for last in range(1, 10)))
OTHER_NAME = "other.example"

_NOW = datetime.datetime.now(datetime.timezone.utc)
_YEAR = datetime.timedelta(days=365)
EXPIRED_ON = _NOW - _YEAR
BEGINS_ON = _NOW + _YEAR


class Certificates:
    """In a directory: `NAME.pem` with the chain, `NAME.key`, and the authority's certificate `authority.pem`."""

    def __init__(self, directory):
        self._directory = directory
        authority = trustme.CA()
        stranger = trustme.CA()
        self.authority = directory / "authority.pem"
        authority.cert_pem.write_to_path(self.authority)
        self._keep("good", authority.issue_cert(*NAMES))
        self._keep("expired", authority.issue_cert(*NAMES, not_before=EXPIRED_ON - _YEAR, not_after=EXPIRED_ON))
        self._keep("early", authority.issue_cert(*NAMES, not_before=BEGINS_ON, not_after=BEGINS_ON + _YEAR))
        self._keep("other-name", authority.issue_cert(OTHER_NAME))
        self._keep("stranger", stranger.issue_cert(*NAMES))
        # As it was done once: the name is not where names are looked for today.
        self._keep("no-name", authority.issue_cert(common_name="localhost"))
        # Made as most people make one: with no more than this it says of itself that it is an authority's.
        self._sign_itself("self-signed")
        self._sign_itself("self-signed-server", "-addext", "basicConstraints=critical,CA:FALSE")

    def _keep(self, name, leaf):
        chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        self.chain(name).write_bytes(chain)
        self._private(name, leaf.private_key_pem.bytes())

    def _sign_itself(self, name, *more):
        key = self._private(name, b"")
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost"]
        names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        files = ["-keyout", key, "-out", self.chain(name)]
        subprocess.run([*command, *names, *more, *files], check=True, capture_output=True)

    def _private(self, name, octets):
        key = self.key(name)
        key.touch(0o600)
        key.write_bytes(octets)
        return key

    def chain(self, name):
        return self._directory / f"{name}.pem"

    def key(self, name):
        return self._directory / f"{name}.key"

    def pin(self, name):
        """As docs/interop.md tells its reader to get it from a server."""
        line = "openssl x509 -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64"
        result = subprocess.run(["sh", "-c", line], stdin=self.chain(name).open(), capture_output=True, check=True)
        return "sha256//" + result.stdout.decode().strip()
