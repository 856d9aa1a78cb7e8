"""What is said when a store refuses requests for the moment that they were signed at."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from libs.common.storage.protocol import StoreUnavailable
from libs.common.storage.s3 import open_s3_store
from libs.common.storage.skew import told_skew

KEY = "events/1/photos/a.jpg"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
BODY = b"<Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large.</Message>"
BODY += b"</Error>"


@pytest.mark.parametrize(
    ("store_ahead", "told"),
    [
        (timedelta(minutes=-16), "this machine's clock is 16 minutes ahead of the store's"),
        (timedelta(minutes=20), "this machine's clock is 20 minutes behind the store's"),
        (timedelta(minutes=4), None),
        (timedelta(), None),
    ],
)
def test_a_clock_that_is_minutes_off_is_told(store_ahead: timedelta, told: str | None) -> None:
    answered = format_datetime(NOW + store_ahead, usegmt=True)
    assert told_skew(answered, now=NOW) == told


@pytest.mark.parametrize("date", ["", "yesterday", "2026-06-01"])
def test_an_answer_without_a_date_tells_nothing(date: str) -> None:
    assert told_skew(date, now=NOW) is None


@asynccontextmanager
async def refusing_store(ahead: timedelta) -> AsyncIterator[str]:
    """Something that answers as S3 does where its clock is so far ahead of the caller's."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        date = format_datetime(datetime.now(UTC) + ahead, usegmt=True)
        body = b"" if head.startswith(b"HEAD") else BODY
        writer.write(
            b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nConnection: close\r\n"
            + f"Date: {date}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_refused_store_says_that_the_clock_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "something")
    async with (
        refusing_store(timedelta(minutes=-16)) as url,
        open_s3_store("bucket", endpoint_url=url, region="us-east-1") as store,
    ):
        with pytest.raises(StoreUnavailable, match="403, and this machine's clock is"):
            await store.check()
        with pytest.raises(StoreUnavailable, match="RequestTimeTooSkewed, and this machine's"):
            await store.get(KEY)
        with pytest.raises(StoreUnavailable, match="RequestTimeTooSkewed, and this machine's"):
            await store.put(KEY, b"x", content_type="image/jpeg")
        with pytest.raises(StoreUnavailable, match="403, and this machine's clock is"):
            await store.stat(KEY)


async def test_a_refusal_by_a_store_whose_clock_is_right_is_not_blamed_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "something")
    async with (
        refusing_store(timedelta()) as url,
        open_s3_store("bucket", endpoint_url=url, region="us-east-1") as store,
    ):
        with pytest.raises(StoreUnavailable, match=r"refused: 403\.$"):
            await store.check()
