"""HTTP/1.1 as uvicorn speaks it, but for what follows.

`Upgrade` is ignored, as RFC 9110 7.8 allows. Clients that stop are cut off (`stalled.py`). A head
has a size and a deadline, and so has what a body brings besides its bytes. Connections are counted
(`connection_bounds.py`). A client that waits to be asked for its body, and is answered instead, is
told that the connection ends: what it sends next need not be a request. A connection that ends
before all of a body came lets the client read its answer (`lingering.py`), and after an answer that
is whole it goes on, whatever failed behind it. Of a PATCH that breaks off, all that came is read.
Proxies are believed (`forwarded.py`). Answers begin a few at a time (`turns.py`). What the
application has at hand is written without a task (`at_once.py`), any other answer that is there at
once by one write (`joined_head.py`), files are sent by the kernel (`file_sending.py`), and live
streams are written to without their tasks (`piece_writing.py`).
"""

import asyncio
import http
import os
from functools import partial

import httptools
import orjson
from uvicorn._types import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGIReceiveEvent,
    ASGISendCallable,
    ASGISendEvent,
    HTTPScope,
    Scope,
)
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from libs.common.telemetry.metrics import CLIENTS_CUT_OFF
from libs.common.web import file_sending, piece_writing
from libs.common.web.at_once import AnswersAtOnce
from libs.common.web.connection_bounds import ConnectionBounds
from libs.common.web.file_sending import FileSender
from libs.common.web.forwarded import Forwarded
from libs.common.web.joined_head import JoinedHead
from libs.common.web.lingering import LINGER_SECONDS, LingeringEnd
from libs.common.web.piece_writing import PieceWriter
from libs.common.web.stalled import DEFAULT_STALL_SECONDS, StallWatch
from libs.common.web.turns import Turns

#: A request's line and header fields; browsers and proxies stay below half of it. The parser joins
#: the pieces of a field anew for each: 80 MB of one took 4.6 s, in which nobody else was answered.
MAX_HEAD_BYTES = 64 * 1024
MAX_HEADER_FIELDS = 200
#: From its first byte (of a new connection: from its beginning) until a head is complete.
HEAD_SECONDS = 30.0
RETRY_AFTER_SECONDS = 10
_WITHOUT_BODY = frozenset({"GET", "HEAD"})
#: An orchestrator that is kept waiting ends the process.
_BEFORE_ALL_OTHERS = frozenset({"/livez", "/readyz"})
_CAN_SEND_FILES = hasattr(os, "sendfile")


class HttpProtocol(HttpToolsProtocol):
    """Reads a request that offers another protocol as one that does not.

    The parser takes what follows the head of such a request (of stock Java clients, of
    `curl --http2`) for the other protocol, and uvicorn goes on without its body: a login had no
    name and no password. Here the head is read once more, without the offer, by a new parser;
    what follows is then the body that it is.
    """

    #: After so long a client that takes nothing is cut off; see `protocol_of`.
    stall_seconds = DEFAULT_STALL_SECONDS
    head_seconds = HEAD_SECONDS
    linger_seconds = LINGER_SECONDS
    #: Shared by the process's connections; None for as many as the system allows.
    bounds: ConnectionBounds | None = None
    #: What proxies say is believed; None for what nobody says.
    forwarded: Forwarded | None = None
    #: What may have answers at hand.
    at_hand: AnswersAtOnce | None = None
    #: Shared by the process's connections, from the first one on.
    turns: Turns | None = None

    _is_offered = False
    _is_refused = False
    _is_head_due = False
    _is_head_too_large = False
    #: A request began whose last byte has not come.
    _is_body_due = False
    _is_unreadable = False
    #: The server ends: nobody is waited for.
    _is_stopping = False
    #: Of a connection that answers nothing more, and waits until its client has read.
    _ending: LingeringEnd | None = None
    #: Bytes that came since something came of them: a head, or a piece of a body.
    _idle_bytes = 0
    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None
    _watch: StallWatch | None = None
    _files: FileSender | None = None
    #: Of a connection that was admitted; no other begins an answer.
    _head_writer: JoinedHead
    _sends_files = False
    #: One for what came together: of thousands of requests in one packet the others have a task
    #: each, which waits for its turn and until the client has taken what was written before.
    _may_answer_at_once = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, and watch that the client does not stop; or refuse what is one too many."""
        super().connection_made(transport)
        if self.bounds is not None and not self.bounds.admit(self.client):
            self._is_refused = True
            self._refuse(503, "Too many connections are open. Try again in a few seconds.")
            return
        if self.turns is None or self.turns.loop is not self.loop:
            type(self).turns = Turns(self.loop)
        self._await_head()
        self._head_writer = JoinedHead(transport, self.loop, hang_up=self._hang_up)
        self._sends_files = _CAN_SEND_FILES and transport.get_extra_info("ssl_object") is None
        self._watch = StallWatch(
            transport,
            self.loop,
            waiting_bytes=self._waiting_bytes,
            awaits_client=self._awaits_client,
            stall_seconds=self.stall_seconds,
            silence_seconds=self.timeout_keep_alive,
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if self._watch is not None:
            self._watch.end()
        if self._files is not None:
            self._files.end()
        if self._ending is not None:
            self._ending.end()
        self._end_head_timer()
        if self.bounds is not None and not self._is_refused:
            self.bounds.release(self.client)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and refuse what brings it nowhere."""
        if self._is_refused or self._is_unreadable:
            return
        self._unset_keepalive_if_required()
        # What comes of this data sets it to 0: at its end it is what nothing has come of yet.
        self._idle_bytes += len(data)
        self._may_answer_at_once = self.at_hand is not None
        self._feed(data)
        if self.transport.is_closing():
            return
        if self._idle_bytes > MAX_HEAD_BYTES:
            self._refuse_head()
        elif self._is_head_due and self._head_timer is None:
            self._await_head()

    def _feed(self, data: bytes) -> None:
        """Feed the parser, and a new one wherever a request in the data offers to upgrade."""
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
                if self._is_head_too_large:
                    self._refuse_head()
                else:
                    self._refuse(400, "This is no valid HTTP request.")
                return
            else:
                return

    def on_message_begin(self) -> None:
        """A head begins; of an endless one no more than one piece is taken."""
        super().on_message_begin()
        self._is_head_due = True
        self._head_bytes = 0
        self._idle_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head. Those that follow a body (trailers) are for nobody here."""
        if self._is_head_due:
            self._head_bytes += len(name) + len(value)
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin the request, unless its head is to be read once more."""
        self._is_head_due = False
        if self._ending is not None:
            # Sent behind what was the last to be answered.
            return
        self._is_body_due = True
        self._idle_bytes = 0
        self._end_head_timer()
        self._is_head_too_large = (
            self._head_bytes + len(self.url) > MAX_HEAD_BYTES
            or len(self.headers) > MAX_HEADER_FIELDS
        )
        if self._is_head_too_large:
            # Out of the parser: nothing of the request goes on.
            raise ValueError
        self._heard()
        self._is_offered = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if not self._is_offered:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._idle_bytes = 0
        # What is sent after the answer keeps no connection.
        if not self.cycle.response_complete:
            self._heard()
            if not self.cycle.body:
                # As it came: uvicorn's way of joining it to nothing copies it twice.
                self.cycle.body = body  # type: ignore[assignment]  # of either it asks the same
                if len(body) > HIGH_WATER_LIMIT:
                    self.flow.pause_reading()
                self.cycle.message_event.set()
                return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request's body."""
        self._idle_bytes = 0
        if self._is_offered:
            return
        self._is_body_due = False
        super().on_message_complete()
        if self._ending is not None:
            self._ending.end()

    def on_response_complete(self) -> None:
        """Go on with what was sent behind the request, unless the connection ends."""
        if self._ending is None:
            super().on_response_complete()

    def shutdown(self) -> None:
        """End with the answer that is being given."""
        self._is_stopping = True
        super().shutdown()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Begin an answer as soon as it is its turn."""
        if self.forwarded is not None:
            self.forwarded.believe(cycle.scope)  # type: ignore[arg-type]  # the same
        if _announces_much(cycle.scope):
            # Until it is asked for: hundreds that wait for their turn held a piece of it each.
            self.flow.pause_reading()
        is_at_hand, self._may_answer_at_once = self._may_answer_at_once, False
        begin = partial(self._begin, cycle, app, is_at_hand=is_at_hand)
        if self.turns is None or cycle.scope["path"] in _BEFORE_ALL_OTHERS:
            begin()
        else:
            self.turns.begin(begin)

    def _begin(
        self, cycle: RequestResponseCycle, app: ASGI3Application, *, is_at_hand: bool
    ) -> None:
        """Begin an answer, or write it: what it is written to, and what it may have sent."""
        if cycle.disconnected or (is_at_hand and self._is_answered_at_once(cycle)):
            return
        self._head_writer.begin()
        cycle.transport = self._head_writer  # type: ignore[assignment]  # all that it uses
        offers: dict[str, object] = {piece_writing.EXTENSION: PieceWriter(cycle, self.transport)}
        if self._sends_files:
            self._files = FileSender(cycle, self.transport, self._head_writer, self.loop)
            offers[file_sending.EXTENSION] = self._files
        cycle.scope["extensions"] = offers  # type: ignore[typeddict-item]
        app = _keeping_whole_answers(cycle, app)
        if cycle.waiting_for_100_continue:
            app = _ending_unasked(cycle, app)
        if cycle.scope["method"] == "PATCH":
            app = _reading_what_came(cycle, app)
        super()._start_asgi_task(cycle, app)

    def _is_answered_at_once(self, cycle: RequestResponseCycle) -> bool:
        """Write the answer that the application has at hand, if there is one."""
        if self.at_hand is None or self.flow.write_paused or cycle.waiting_for_100_continue:
            return False
        answer = self.at_hand.at_once(cycle.scope)  # type: ignore[arg-type]  # the same
        if answer is None:
            return False
        head = [answer.head]
        for name, value in cycle.default_headers:
            head += (name, b": ", value, b"\r\n")
        head.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
        self._head_writer.write_whole(b"".join(head), answer.body)
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self._hang_up()
        self.on_response_complete()
        return True

    def _waiting_bytes(self) -> int:
        """What the client is to take: of what was written, and of a file."""
        files = self._files.waiting_bytes if self._files is not None else 0
        return self.transport.get_write_buffer_size() + files

    def _heard(self) -> None:
        if self._watch is not None:
            self._watch.heard()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self._head_is_late)

    def _end_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        CLIENTS_CUT_OFF.labels("sent_no_head").inc()
        self.transport.abort()

    def _refuse_head(self) -> None:
        CLIENTS_CUT_OFF.labels("sent_too_much").inc()
        self._refuse(431, "The request's header fields are too large.")

    def _refuse(self, status: int, sentence: str) -> None:
        """Answer what cannot become a request, and hang up."""
        self._end_head_timer()
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if is_answering or self._ending is not None:
            # Into the middle of another request's answer nothing can be said, nor behind the last.
            self.transport.abort()
            return
        body = orjson.dumps({"detail": sentence})
        head = (
            f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\n"
            "content-type: application/json\r\ncache-control: no-store\r\n"
            + (f"retry-after: {RETRY_AFTER_SECONDS}\r\n" if status == 503 else "")
            + f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        # The place of one too many is not kept.
        self._is_unreadable = not self._is_refused
        self._hang_up()

    def _hang_up(self) -> None:
        """End the connection behind what was written, once the client is able to read it."""
        is_answered = self.cycle is not None and self.cycle.response_complete
        is_sent_more = self._is_body_due and is_answered
        if self._is_stopping or not (is_sent_more or self._is_unreadable):
            self.transport.close()
        elif self._ending is None and not self.transport.is_closing():
            self._ending = LingeringEnd(self.transport, self.loop, seconds=self.linger_seconds)
            self.flow.resume_reading()

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


def _announces_much(scope: HTTPScope) -> bool:
    if scope["method"] in _WITHOUT_BODY:
        return False
    for name, value in scope["headers"]:
        if name == b"content-length":
            return value.isdigit() and int(value) > HIGH_WATER_LIMIT
        if name == b"transfer-encoding":
            return True
    return False


def _keeping_whole_answers(cycle: RequestResponseCycle, app: ASGI3Application) -> ASGI3Application:
    """Wrap what may fail after its answer: the last error handler answers, and raises on.

    uvicorn would close a connection of which the answer said that it goes on, and the client's next
    request would be lost.
    """

    async def answer(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        try:
            await app(scope, receive, send)
        except Exception:
            if not cycle.response_complete:
                raise
            cycle.logger.exception("Exception in ASGI application\n")

    return answer


def _ending_unasked(cycle: RequestResponseCycle, app: ASGI3Application) -> ASGI3Application:
    """Wrap the answer to a client that sends its body when it is asked for it (RFC 9110, 10.1.1).

    Answered before, it may send the body all the same or leave it out, and the next request with
    it would be read as that body.
    """

    async def answer(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        async def sending(message: ASGISendEvent) -> None:
            if message["type"] == "http.response.start" and cycle.waiting_for_100_continue:
                cycle.keep_alive = False
            await send(message)

        await app(scope, receive, sending)

    return answer


def _reading_what_came(cycle: RequestResponseCycle, app: ASGI3Application) -> ASGI3Application:
    """Wrap the reading of a body that is gone on with after a break, by the method for it.

    What came before the connection ended is read before its end is: else it would have to be sent
    again, up to all of a body whose client did not wait for the answer.
    """

    async def answer(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        async def receiving() -> ASGIReceiveEvent:
            event = await receive()
            if event["type"] != "http.disconnect" or not cycle.body or cycle.response_complete:
                return event
            body, cycle.body = bytes(cycle.body), bytearray()
            return {"type": "http.request", "body": body, "more_body": cycle.more_body}

        await app(scope, receiving, send)

    return answer


def protocol_of(
    *,
    stall_seconds: float = DEFAULT_STALL_SECONDS,
    head_seconds: float = HEAD_SECONDS,
    linger_seconds: float = LINGER_SECONDS,
    bounds: ConnectionBounds | None = None,
    forwarded: Forwarded | None = None,
    at_hand: AnswersAtOnce | None = None,
) -> type[HttpProtocol]:
    """Return the protocol with these limits and offers, for all connections of a process."""
    attributes = {
        "stall_seconds": stall_seconds,
        "head_seconds": head_seconds,
        "linger_seconds": linger_seconds,
        "bounds": bounds,
        "forwarded": forwarded,
        "at_hand": at_hand,
    }
    return type("HttpProtocol", (HttpProtocol,), attributes)


def _without_upgrade(connection: bytes) -> bytes:
    options = [option.strip() for option in connection.split(b",")]
    return b", ".join(option for option in options if option.lower() != b"upgrade")
