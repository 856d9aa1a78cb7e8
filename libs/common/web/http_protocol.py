"""HTTP/1.1 as uvicorn speaks it, but for two things.

`Upgrade` is ignored, as RFC 9110 7.8 allows, and clients that stop are cut off (`stalled.py`).
"""

import asyncio

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from libs.common.web.stalled import DEFAULT_STALL_SECONDS, StallWatch


class HttpProtocol(HttpToolsProtocol):
    """Reads a request that offers another protocol as one that does not.

    The parser takes what follows the head of such a request (of stock Java clients, of
    `curl --http2`) for the other protocol, and uvicorn goes on without its body: a login had no
    name and no password. Here the head is read once more, without the offer, by a new parser;
    what follows is then the body that it is.
    """

    #: After so long a client that takes nothing is cut off; see `patient_for`.
    stall_seconds = DEFAULT_STALL_SECONDS

    _is_offered = False
    _watch: StallWatch

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, and watch that the client does not stop."""
        super().connection_made(transport)
        self._watch = StallWatch(
            transport,
            self.loop,
            awaits_client=self._awaits_client,
            stall_seconds=self.stall_seconds,
            silence_seconds=self.timeout_keep_alive,
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._watch.end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and a new one wherever a request in the data offers to upgrade."""
        self._unset_keepalive_if_required()
        if self.cycle is not None and self.cycle.more_body:
            self._watch.heard()
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                if not self._is_offered:  # CONNECT, which a proxy would take
                    self._unsupported_upgrade_warning()
                    return
                data = self._head() + data[upgrade.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
            except httptools.HttpParserError:
                self.send_400_response("Invalid HTTP request received.")
                return
            else:
                return

    def on_headers_complete(self) -> None:
        """Begin the request, unless its head is to be read once more."""
        self._watch.heard()
        self._is_offered = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if not self._is_offered:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End the request's body."""
        if not self._is_offered:
            super().on_message_complete()

    def _awaits_client(self) -> bool:
        if self.transport.is_closing():
            return False
        if self.cycle is None or self.cycle.response_complete:
            # With uvicorn's own timer, nothing was sent since the last answer.
            return self.timeout_keep_alive_task is None
        is_asked_for = not self.flow.read_paused and not self.cycle.waiting_for_100_continue
        return self.cycle.more_body and is_asked_for

    def _head(self) -> bytes:
        """Return the head that was read, without what it says of other protocols."""
        line = b"%b %b HTTP/%b" % (
            self.parser.get_method(),
            self.url,
            self.parser.get_http_version().encode(),
        )
        headers = [
            b"%b: %b" % (name, _without_upgrade(value) if name == b"connection" else value)
            for name, value in self.headers
            if name != b"upgrade"
        ]
        return b"\r\n".join([line, *headers, b"", b""])


def patient_for(stall_seconds: float) -> type[HttpProtocol]:
    """Return the protocol that cuts off a client which takes nothing for so long."""
    return type("HttpProtocol", (HttpProtocol,), {"stall_seconds": stall_seconds})


def _without_upgrade(connection: bytes) -> bytes:
    options = [option.strip() for option in connection.split(b",")]
    return b", ".join(option for option in options if option.lower() != b"upgrade")
