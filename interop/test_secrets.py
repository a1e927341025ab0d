"""Secrets in every way a log-in can go: accepted, refused, not begun. None is shown by the log at its most talkative, the
trace, AT+MAILERR?, or what any user of the machine sees of the modem and of what it began.
"""
# needs: root postfix postconf dovecot openssl

import contextlib
import pathlib
import tempfile

from certificates import Certificates
from dovecot import Dovecot
from postfix import IMPLICIT, STARTTLS, Postfix
from service import Service, forms, upstream

USER, PASSWORD = "panel@server.com", "Zw2-the right+one/ü"
WRONG = "Vk8-another\"one"
WRONG_TOKEN = "ya29.Wr0ng-t0ken/of+others=="
# Of rules that name no such user, and of what a terminal only sets.
UNUSED, TYPED = "Jh5-of-no~use", "Rb6_typed=not used"


def ways(world):
    """How each rule logs in, with what the terminal hears; the server's name is the rule's."""
    directory, token = world
    files = {}
    for name, secret in [("password", PASSWORD), ("wrong", WRONG), ("token", token), ("wrong-token", WRONG_TOKEN)]:
        files[name] = directory / name
        files[name].touch(0o600)
        files[name].write_text(secret)
    for mechanism in ["SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN"]:
        kind = mechanism.lower()
        yield kind, {"password_file": files["password"], "mechanism": mechanism}, "SUCCESS"
        yield f"{kind}-wrong", {"password_file": files["wrong"], "mechanism": mechanism}, "AUTH ERROR"
    for mechanism in ["XOAUTH2", "OAUTHBEARER"]:
        kind = mechanism.lower()
        yield kind, {"token_file": files["token"], "mechanism": mechanism}, "SUCCESS"
        yield f"{kind}-command", {"token_command": ["cat", files["token"]], "mechanism": mechanism}, "SUCCESS"
        yield f"{kind}-wrong", {"token_file": files["wrong-token"], "mechanism": mechanism}, "AUTH ERROR"
    # Programs that tell their secret where they should not, and fail.
    yield "loud-command", {"token_command": f"cat {files['token']}; cat {files['token']} >&2; exit 1"}, "SERVER ERROR"
    yield "inline", {"password": PASSWORD}, "SUCCESS"
    yield "inline-wrong", {"password": WRONG}, "AUTH ERROR"


def main():
    with tempfile.TemporaryDirectory(prefix="secrets-", dir="/tmp") as place, contextlib.ExitStack() as started:
        directory = pathlib.Path(place)
        directory.chmod(0o755)
        certificates = Certificates(directory)
        dovecot = Dovecot({USER: PASSWORD}, certificates)
        started.callback(dovecot.stop)
        postfix = Postfix(certificates, dovecot.sasl_socket, {"starttls": STARTTLS, "implicit": IMPLICIT})
        started.callback(postfix.stop)
        token = dovecot.token(USER)
        secrets = [PASSWORD, WRONG, WRONG_TOKEN, UNUSED, TYPED, token]
        cases = list(ways((directory, token)))
        common = {"host": "localhost", "ca_file": certificates.authority, "user": USER}
        config = upstream("unused", match={"server": "no.test"}, user=USER, password=UNUSED)
        for name, log_in, _ in cases:
            port = postfix.ports["starttls"]
            config += upstream(name, match={"protocol": "smtp", "server": f"{name}.test"}, port=port, tls="required", **common, **log_in)
            config += upstream(f"{name}-pop3", match={"protocol": "pop3", "server": f"{name}.test"}, port=dovecot.tls_port, tls="implicit", **common, **log_in)
        with Service(config, secrets) as modem:
            modem.ask("ATE0", echo=True)
            for name, _, outcome in cases:
                send(modem, name, outcome, secrets)
                receive(modem, name, outcome, secrets)
            trace = modem.trace()
            assert trace.count("***") > 4 * len(cases), trace
        print(f"   {len(secrets)} secrets, {2 * len(cases)} log-ins")
    print(f"{2 * len(cases)} passed, 0 failed")


def assert_untold(modem, secrets):
    _, reason = modem.last_failure()
    assert not any(form.decode() in reason for secret in secrets for form in forms(secret)), reason


def send(modem, name, outcome, secrets):
    for line in [f'AT+SMTPSRV="{name}.test"', f'AT+SMTPAUTH=1,"UserName","{TYPED}"', 'AT+SMTPFROM="UserName@server.com"',
                 'AT+SMTPRCPT=0,0,"ToAddr@server.com"', 'AT+SMTPSUB="First Email"']:
        modem.must(line)
    heard = modem.ask("AT+SMTPSEND")
    said = modem.urc("+SMTP: ") if heard[-1] == "OK" else heard[0]
    assert said == f"+SMTP: {outcome}", (name, heard, said, modem.last_failure())
    assert_untold(modem, secrets)


def receive(modem, name, outcome, secrets):
    outcome = outcome.replace("AUTH ERROR", "INVALID UN/PWD")
    modem.must(f'AT+POP3SRV="{name}.test","un","{TYPED}"')
    heard = modem.ask("AT+POP3IN")
    assert heard[0] == f"+POP3: {outcome}", (name, heard, modem.last_failure())
    assert_untold(modem, secrets)
    if outcome == "SUCCESS":
        modem.must("AT+POP3OUT")


main()
