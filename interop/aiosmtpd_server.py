"""An aiosmtpd of the test's own, in a thread of its process."""

import asyncio
import threading

from aiosmtpd.smtp import SMTP


class Keeper:
    """Keeps what it is sent."""

    def __init__(self):
        self.envelopes = []

    async def handle_DATA(self, server, session, envelope):
        self.envelopes.append((session.auth_data, envelope))
        return "250 2.0.0 kept"


def listen(keeper, judge, tls=None, implicit=False):
    """Runs the server beside the test; returns the port that the machine chose. `judge` judges log-ins; with `tls` there
    is STARTTLS, or TLS from the first octet if it is `implicit`, and no log-in without."""
    limit = 32 * 1024 * 1024
    settings = dict(authenticator=judge, data_size_limit=limit, enable_SMTPUTF8=True)
    settings |= dict(auth_require_tls=tls is not None and not implicit, tls_context=None if implicit else tls)
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(
        lambda: SMTP(keeper, loop=loop, **settings), "127.0.0.1", 0, ssl=tls if implicit else None))
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return server.sockets[0].getsockname()[1]
