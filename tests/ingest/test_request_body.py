import asyncio
from typing import Any

import pytest

from services.ingest.request_body import (
    BodyTooLarge,
    BrokenBody,
    RequestBody,
    check_announced_size,
)


def body(*messages: dict[str, Any], max_bytes: int = 100, stall_seconds: float = 5) -> RequestBody:
    queue = list(messages)

    async def receive() -> dict[str, Any]:
        if not queue:
            await asyncio.Event().wait()
        return queue.pop(0)

    return RequestBody(receive, max_bytes=max_bytes, stall_seconds=stall_seconds)


def chunk(content: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": content, "more_body": more}


async def test_chunks_come_as_they_arrive_and_empty_ones_are_skipped() -> None:
    source = body(chunk(b"a"), chunk(b""), chunk(b"b", more=False))

    assert [await source.read() for _ in range(4)] == [b"a", b"b", b"", b""]


async def test_a_client_that_goes_away_breaks_the_body() -> None:
    source = body(chunk(b"a"), {"type": "http.disconnect"})
    await source.read()

    with pytest.raises(BrokenBody, match="closed"):
        await source.read()


async def test_a_client_that_stalls_is_given_up() -> None:
    source = body(chunk(b"a"), stall_seconds=0.01)
    await source.read()

    with pytest.raises(BrokenBody, match=r"0\.01 s"):
        await source.read()


class Clock:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def dripping(clock: Clock, *, came_bytes: int, seconds: float) -> RequestBody:
    """A client that sends so much in so many seconds, and never stops."""

    async def receive() -> dict[str, Any]:
        clock.now += seconds
        return chunk(b"a" * came_bytes)

    return RequestBody(receive, max_bytes=10**9, stall_seconds=60, clock=clock)


async def test_a_client_that_sends_next_to_nothing_is_given_up_though_it_never_stalls() -> None:
    source = dripping(Clock(), came_bytes=1, seconds=6)

    for _ in range(9):
        assert await source.read()
    with pytest.raises(BrokenBody, match="Fewer than 512 bytes a second"):
        await source.read()


async def test_a_slow_client_is_waited_for() -> None:
    source = dripping(Clock(), came_bytes=6 * 512, seconds=6)

    for _ in range(50):
        assert await source.read()


async def test_what_we_wait_for_ourselves_is_not_held_against_a_client() -> None:
    clock = Clock()
    source = dripping(clock, came_bytes=1, seconds=0)

    for _ in range(5):
        assert await source.read()
        clock.now += 3600  # the store is slow, say


async def test_a_body_above_its_limit_is_not_read_on() -> None:
    source = body(chunk(b"a" * 60), chunk(b"a" * 60))
    await source.read()

    with pytest.raises(BodyTooLarge):
        await source.read()


@pytest.mark.parametrize("header", [None, "", "100", "not a number"])
def test_an_announced_size_within_the_limit_or_unknown_passes(header: str | None) -> None:
    check_announced_size(header, max_bytes=100)


def test_an_announced_size_above_the_limit_is_refused() -> None:
    with pytest.raises(BodyTooLarge):
        check_announced_size("101", max_bytes=100)
