"""The smtp-server of npm (Nodemailer's), on loopback: by STARTTLS at one port, by TLS from the first octet at another."""

import json
import subprocess

from loopback import Home, free_ports, wait_for
from modem import ROOT

MODULES = ROOT / "target" / "interop" / "node_modules"

PROGRAM = """
const fs = require("fs");
const { SMTPServer } = require("smtp-server");
const settings = JSON.parse(fs.readFileSync(process.argv[2]));
function serve(port, secure) {
  new SMTPServer({
    secure,
    key: fs.readFileSync(settings.key),
    cert: fs.readFileSync(settings.chain),
    authMethods: ["PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2"],
    onAuth({ method, username, password, accessToken, validatePassword }, session, judged) {
      const good = username === settings.user && (
        method === "XOAUTH2" ? accessToken === settings.token :
        method === "CRAM-MD5" ? validatePassword(settings.password) :
        password === settings.password);
      judged(good ? null : new Error("no"), good ? { user: `${username} by ${method}` } : undefined);
    },
    onData(stream, session, taken) {
      const octets = [];
      stream.on("data", (some) => octets.push(some));
      stream.on("end", () => {
        const { envelope, user, tlsOptions } = session;
        const mail = Buffer.concat(octets).toString("base64");
        fs.appendFileSync(settings.mails, JSON.stringify({ envelope, user, tls: tlsOptions, mail }) + "\\n");
        taken();
      });
    },
    // A connection that went wrong; unheard, it would end the server.
  }).on("error", (error) => console.error(error.message)).listen(port, "127.0.0.1");
}
serve(settings.starttls, false);
serve(settings.implicit, true);
"""


class NpmSmtpServer:
    def __init__(self, certificates, user, password, token):
        self._home = Home("npm-smtp-server")
        self.ports = dict(zip(["starttls", "implicit"], free_ports(2), strict=True))
        self._mails = self._home.file("mails", "")
        settings = dict(
            user=user, password=password, token=token, mails=str(self._mails), **self.ports,
            key=str(certificates.key("good")), chain=str(certificates.chain("good")))
        self.log = self._home.path / "log"
        self._process = subprocess.Popen(
            ["node", self._home.file("server.js", PROGRAM), self._home.file("settings", json.dumps(settings), 0o600)],
            env={"NODE_PATH": str(MODULES), "PATH": "/usr/local/bin:/usr/bin:/bin"}, stdin=subprocess.DEVNULL,
            stdout=self.log.open("w"), stderr=subprocess.STDOUT)
        for port in self.ports.values():
            wait_for(("127.0.0.1", port), self.log, self._process)

    @staticmethod
    def version():
        return json.loads((MODULES / "smtp-server" / "package.json").read_text())["version"]

    def mails(self):
        return [json.loads(line) for line in self._mails.read_text().splitlines()]

    def stop(self):
        self._process.terminate()
        self._process.wait(30)
        self._home.remove()
