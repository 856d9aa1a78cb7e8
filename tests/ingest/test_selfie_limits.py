"""Selfies cost: how many an account or address may send, and slow ones keep nobody waiting."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator

import httpx
import pytest

from libs.common.limits.budgets import SELFIE_CHECKS
from libs.common.settings import MEGABYTE
from libs.common.web.auth import Role
from services.ingest.turns import LEAST_BYTES, selfie_size
from tests.ingest.conftest import Ingest
from tests.support.http_server import server_of, url_of
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.slow_clients import clients_of
from tests.support.tiny_jpeg import tiny_jpeg

#: For visitors; an address has half of it.
ROOM = 64 * MEGABYTE
HEAD = (
    "POST /api/validate-selfie HTTP/1.1\r\nHost: findme\r\nContent-Length: 5000000\r\n"
    "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    '--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
)


async def send(client: httpx.AsyncClient, path: str, headers: dict[str, str]) -> httpx.Response:
    return await client.post(
        path, headers=headers, files={"file": ("me.jpg", tiny_jpeg("people 1"))}
    )


async def test_the_eleventh_selfie_of_an_account_is_refused_and_others_are_not(
    ingest: Ingest,
) -> None:
    me, other = [ingest.headers(await ingest.world.user(), Role.PARTICIPANT) for _ in range(2)]
    for _ in range(10):
        assert (await send(ingest.client, "/api/upload-selfie", me)).status_code == 200
    refused = await send(ingest.client, "/api/upload-selfie", me)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 1200
    assert (await send(ingest.client, "/api/upload-selfie", other)).status_code == 200


async def test_checks_without_an_account_are_bounded_by_address(ingest: Ingest) -> None:
    limiter = ingest.app.state.limiter
    await limiter.spend(SELFIE_CHECKS.of("127.0.0.1"))
    async with ingest.resources.database.single_statements() as connection:
        await connection.exec_driver_sql(f"UPDATE rate_limits SET present = {SELFIE_CHECKS.amount}")
    assert (await send(ingest.client, "/api/validate-selfie", {})).status_code == 429


async def test_strangers_who_send_slowly_keep_neither_guests_nor_other_strangers_waiting(
    ingest: Ingest,
) -> None:
    turns = ingest.app.state.context.selfies
    guest = ingest.headers(await ingest.world.user(), Role.PARTICIPANT)
    async with (
        server_of(ingest.app) as server,
        clients_of(url_of(server), 40) as slow,
        httpx.AsyncClient(base_url=url_of(server), timeout=PATIENCE_SECONDS) as client,
    ):
        for one in slow:
            await one.send(HEAD.encode())
        strangers = turns.arriving_of_strangers
        # Of half of the visitors' 64 MB, by what they say that they will send.
        await eventually(lambda: strangers.waiting == 40 - 6)
        assert (await send(client, "/api/upload-selfie", guest)).status_code == 200
        elsewhere = httpx.ASGITransport(ingest.app, client=("192.0.2.2", 1))
        async with httpx.AsyncClient(transport=elsewhere, base_url="http://test") as other:
            assert (await send(other, "/api/validate-selfie", {})).status_code == 200
        with contextlib.suppress(httpx.HTTPError):
            await client.aclose()


async def test_all_of_a_venue_s_guests_are_taken_at_once(ingest: Ingest) -> None:
    """They have one address, and slow phones: nobody waits for another one's line."""
    turns = ingest.app.state.context.selfies
    async with server_of(ingest.app) as server, clients_of(url_of(server), 100) as slow:
        for one in slow:
            await one.send(HEAD.replace("5000000", "300000").encode())
        arriving = turns.arriving_of_strangers
        await eventually(lambda: arriving._free == ROOM - 100 * 300_000)
        assert arriving.waiting == 0


async def test_who_would_wait_too_long_is_told_how_long_before_anything_is_read(
    ingest: Ingest,
) -> None:
    turns = ingest.app.state.context.selfies
    checked = turns.checked_of_strangers
    checked._note_held(400.0)
    async with contextlib.AsyncExitStack() as others:
        for number in range(ingest.settings.max_concurrent_selfies):
            await others.enter_async_context(checked.turn(f"address {number}"))
        refused = await send(ingest.client, "/api/validate-selfie", {})
        guest = ingest.headers(await ingest.world.user(), Role.PARTICIPANT)
        assert (await send(ingest.client, "/api/upload-selfie", guest)).status_code == 200
    assert refused.status_code == 503
    # One of eight places in 400 s.
    assert refused.headers["Retry-After"] == "50"
    assert ingest.recognition.asked_anonymously == [False]


async def test_what_recognition_says_of_its_own_line_is_passed_on(ingest: Ingest) -> None:
    ingest.recognition.busy_seconds = 17
    refused = await send(ingest.client, "/api/validate-selfie", {})
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "17")


async def at_pace(piece_bytes: int) -> AsyncIterator[bytes]:
    """A selfie's form that takes longer than a client may stall, in pieces of this size."""
    picture = tiny_jpeg("people 1")
    opening = HEAD.partition("\r\n\r\n")[2].encode()
    yield opening + picture
    for _ in range(50):
        await asyncio.sleep(0.05)
        yield bytes(piece_bytes)
    yield b"\r\n--x--\r\n"


@pytest.mark.parametrize(("piece_bytes", "status"), [(8192, 200), (512, 400)])
async def test_a_selfie_may_come_slowly_but_not_for_ever(
    ingest: Ingest, piece_bytes: int, status: int
) -> None:
    """What is slower than a client may stall is judged by its bytes, and not by its time."""
    context = ingest.app.state.context
    settings = ingest.settings.model_copy(update={"upload_stall_seconds": 2.0})
    ingest.app.state.context = dataclasses.replace(context, settings=settings)
    answer = await ingest.client.post(
        "/api/validate-selfie",
        content=at_pace(piece_bytes),
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert answer.status_code == status
    if status == 400:
        assert "Fewer than 32768 bytes a second" in answer.json()["detail"]


def test_a_selfie_has_the_room_that_it_says_it_needs() -> None:
    def size(said: str | None) -> int:
        return selfie_size(said, max_bytes=5_000_000)

    assert size("1000000") == 1_000_000
    assert size("3") == LEAST_BYTES
    assert size("99999999999") == size(None) == size("-1") == size("many") == 5_000_000
