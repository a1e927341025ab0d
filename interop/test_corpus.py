"""Mails that others wrote, served by Dovecot, fetched by AT+POP3GET, compared with what two other parsers agree on.

The mails are not part of the project: where they are not beside it, this test says so and does nothing. How fields are
compared, and why some differ: docs/spec/corpus.md.
"""

import hashlib
import json
import re
import time

from dovecot import PASSWORD, USER, Dovecot
from modem import ROOT, Modem

CORPUS = ROOT.parent / "shared" / "corpus"

# What was reached when this was written; docs/spec/corpus.md explains the rest.
SHARE_MIN = 0.97


def words(text):
    return " ".join((text or "").split())


def alike(found, expected):
    """Whether the texts are the same but for white space; where the expected one has U+FFFD, the other parser gave up."""
    pattern = "".join("[^\x00-\x7f]*" if c == "\ufffd" or "\ud800" <= c <= "\udfff" else re.escape(c) for c in words(expected))
    return re.fullmatch(pattern, words(found)) is not None


def digests(octets):
    """Of the octets; and of text without transfer encoding, whose line ends Dovecot serves as CRLF, with those of the file."""
    return {hashlib.sha256(form).hexdigest() for form in (octets, octets.replace(b"\r\n", b"\n"))}


def get(modem, number):
    """The files that a mail was saved as."""
    modem.must(f"AT+POP3GET={number},3")
    assert modem.urc("+POP3: ") == "+POP3: SUCCESS"
    folder = modem.hear([b"\r\n"]).decode().split("/, ")[0].removeprefix("C:/")
    return {path.name: path.read_bytes() for path in (modem.home / "drive-c" / folder).iterdir()}


def compare(expected, files):
    """(field, whether it matches) for each field that the two parsers agree on."""
    agree = expected["agree"]
    head, _, text = files.pop("EMAIL000.TXT").decode().partition("\r\n\r\n")
    fields = dict(line.split(":", 1) for line in head.split("\r\n"))
    if agree["subject"]:
        yield "subject", alike(fields["Subject"], expected["subject"])
    if agree["text"] and expected["text"] is not None:
        yield "text", alike(text, expected["text"])
    if agree["att"] and agree["attname"]:
        found = [digests(octets) for octets in files.values()]
        wanted = [a["sha256"] for a in expected["attachments"] if a.get("exact", True)]
        matches = all(any(digest in digests for digests in found) for digest in wanted)
        yield "attachments", len(found) == len(expected["attachments"]) and matches


def main():
    if not CORPUS.is_dir():
        print(f"skipped: there are no mails beside the project ({CORPUS.name}/)")
        return
    expected = json.loads((CORPUS / "expected.json").read_text())
    mails = [(name, (CORPUS / "mails" / name).read_bytes()) for name in sorted(expected)]
    server = Dovecot()
    modem = Modem()
    counts, misses = {}, []
    try:
        for number, (_, octets) in enumerate(mails, 1):
            server.deliver(number, octets)
        modem.must(f'AT+POP3SRV="127.0.0.1","{USER}","{PASSWORD}",{server.port}')
        modem.must("AT+POP3IN")
        assert modem.must("AT+POP3NUM")[0].startswith(f"+POP3: {len(mails)}, ")
        start = time.monotonic()
        for number, (name, octets) in enumerate(mails, 1):
            files = get(modem, number)
            (whole,) = (files.pop(name) for name in list(files) if re.fullmatch(r"\d{12}\.eml", name))
            # Dovecot serves every line end as CRLF; a mail that does not end a line gets an end.
            canonical = re.sub(rb"\r?\n", b"\r\n", octets)
            assert whole.rstrip(b"\r\n") == canonical.rstrip(b"\r\n"), f"{name}: not the message as it came"
            for field, matches in compare(expected[name], files):
                right, all_ = counts.get(field, (0, 0))
                counts[field] = right + matches, all_ + 1
                if not matches:
                    misses.append(f"{name}: {field}")
        seconds = time.monotonic() - start
        modem.must("AT+POP3OUT")
        modem.close()
    finally:
        server.stop()
    for field, (right, all_) in counts.items():
        print(f"   {field}: {right} of {all_}")
    right, all_ = (sum(column) for column in zip(*counts.values()))
    print(f"   {len(mails)} mails, {right} of {all_} fields match ({right / all_:.1%}), {seconds:.1f} s")
    for miss in misses:
        print(f"   differs: {miss}")
    assert right / all_ >= SHARE_MIN
    print("1 passed, 0 failed")


main()
