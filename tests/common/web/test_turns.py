"""Answers begin a few at a time: who asks meanwhile is heard, and probes wait for nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.types import Receive, Scope, Send

from libs.common.web.turns import AT_A_TURN, Turns
from tests.support.http_server import server_of, url_of
from tests.support.polling import PATIENCE_SECONDS, eventually

CROWD = 4 * AT_A_TURN


async def test_so_many_begin_in_a_turn_in_their_order() -> None:
    loop = asyncio.get_running_loop()
    turns, begun, of_each_turn = Turns(loop, at_a_turn=3), [], []
    for number in range(8):
        turns.begin(lambda number=number: begun.append(number))  # type: ignore[misc]
    while len(begun) < 8:
        of_each_turn.append(len(begun))
        await asyncio.sleep(0)
    assert begun == list(range(8))
    assert of_each_turn == [3, 6]


async def test_one_that_fails_keeps_no_other_from_its_turn() -> None:
    loop = asyncio.get_running_loop()
    told: list[object] = []
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
    turns, begun = Turns(loop, at_a_turn=1), []
    turns.begin(lambda: None)
    turns.begin(lambda: begun.append(1 / 0))
    turns.begin(lambda: begun.append(2.0))
    await eventually(lambda: begun == [2.0])
    assert [type(error) for error in told] == [ZeroDivisionError]


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Says how many began before."""
    del receive
    begun: list[str] = scope["state"]["begun"]
    body = b"%d" % len(begun)
    begun.append(scope["path"])
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def connections(number: int) -> AsyncIterator[list["Connection"]]:
    async with server_of(app) as server, AsyncExitStack() as opened:
        server.lifespan.state["begun"] = []
        host, _, port = url_of(server).removeprefix("http://").partition(":")
        made = []
        for _ in range(number):
            reader, writer = await asyncio.open_connection(host, int(port))
            opened.callback(writer.close)
            made.append(Connection(reader, writer))
        # All are begun at the server: each was answered once.
        for one in made:
            one.ask("/first")
            await one.answer()
        server.lifespan.state["begun"].clear()
        yield made


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def ask(self, path: str) -> None:
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())

    async def answer(self) -> int:
        async with asyncio.timeout(PATIENCE_SECONDS):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
            _, _, length = head.partition("content-length: ")
            return int(await self._reader.readexactly(int(length.partition("\r\n")[0])))


async def test_of_a_crowd_all_are_answered_in_order_and_a_probe_before_most() -> None:
    async with connections(CROWD + 1) as (probe, *crowd):
        for one in crowd:
            one.ask("/photos")
        probe.ask("/livez")
        before = await probe.answer()
        answers = [await one.answer() for one in crowd]
    assert sorted([before, *answers]) == list(range(CROWD + 1))
    assert before <= 2 * AT_A_TURN
