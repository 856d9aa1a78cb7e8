import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from libs.common.storage.protocol import StoreUnavailable
from libs.common.storage.s3 import S3Store, open_s3_store
from libs.common.storage.s3_writer import PART_BYTES
from tests.support.polling import PATIENCE_SECONDS
from tests.support.s3 import S3Bucket
from tests.support.services import free_port
from tests.support.stores import S3Probe, use_credentials

KEY = "events/1/photos/a.jpg"
ANSWER_SECONDS = "libs.common.storage.s3_turns.ANSWER_SECONDS"
SEND_SECONDS = "libs.common.storage.s3_turns.SEND_SECONDS"
SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"
THROTTLED = b"HTTP/1.1 503 Slow Down\r\nContent-Length: %d\r\n\r\n%b" % (len(SLOW_DOWN), SLOW_DOWN)
LISTING = (
    b"<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>events/1/a</Key>"
    b"<LastModified>2030-01-02T03:04:05.000Z</LastModified><ETag>x</ETag><Size>1</Size>"
    b"</Contents></ListBucketResult>"
)
LISTED = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (
    len(LISTING),
    LISTING,
)
CUT_SHORT = b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nETag: "x"\r\n\r\nonly this'
#: What comes when the client goes on where that broke off.
NO_REST = (
    b"HTTP/1.1 206 Partial Content\r\nContent-Length: 991\r\n"
    b'Content-Range: bytes 9-999/1000\r\nETag: "x"\r\n\r\n'
)


async def _list(store: S3Store) -> None:
    _ = [found async for found in store.list("events/1/")]


async def _write_a_part(store: S3Store) -> None:
    async with store.create(KEY, content_type="image/jpeg") as writer:
        await writer.write(bytes(PART_BYTES + 1))


#: Whatever sends no photo and may be waited for.
QUESTIONS: dict[str, Callable[[S3Store], Awaitable[object]]] = {
    "stat": lambda store: store.stat(KEY),
    "get": lambda store: store.get(KEY),
    "list": _list,
    "delete": lambda store: store.delete(KEY),
    "delete_prefix": lambda store: store.delete_prefix("events/1/"),
    "check": lambda store: store.check(),
    "create_bucket": lambda store: store.create_bucket("us-east-1"),
    "first part": _write_a_part,
}
each_question = pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)


@contextlib.asynccontextmanager
async def _store_at(url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[S3Store]:
    use_credentials(S3Bucket(url, "photos", "key", "secret"), monkeypatch)
    async with open_s3_store("photos", endpoint_url=url, region="us-east-1") as store:
        yield store


@contextlib.asynccontextmanager
async def _server_that_answers(answer: bytes, *, then: bytes = b"") -> AsyncIterator[str]:
    """Give every request the same answer, or the first one, and close its connection."""
    answers = [answer]

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answers.pop() if answers else then or answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        port: int = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"


@contextlib.asynccontextmanager
async def _server_that_stops(beginning: bytes, *, after: bytes = b"") -> AsyncIterator[str]:
    """Begin every answer alike, and never go on; the first is `after`, if that is anything."""
    writers: list[asyncio.StreamWriter] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        is_first = after and len(writers) == 1
        writer.write(after if is_first else beginning)
        await reader.read()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        port: int = server.sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            for writer in writers:
                writer.transport.abort()


async def test_a_server_that_is_not_there_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _store_at(f"http://127.0.0.1:{free_port()}", monkeypatch) as store:
        with pytest.raises(StoreUnavailable) as raised:
            await store.check()

    assert raised.value.__cause__ is not None


async def test_a_server_that_throttles_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _server_that_answers(THROTTLED) as url, _store_at(url, monkeypatch) as store:
        with pytest.raises(StoreUnavailable, match="SlowDown"):
            await store.get(KEY)


async def test_an_answer_that_breaks_off_is_not_taken_for_the_object(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with _server_that_answers(CUT_SHORT) as url, _store_at(url, monkeypatch) as store:
        with pytest.raises(StoreUnavailable):
            await store.get(KEY)


@pytest.mark.parametrize("is_streamed", [True, False])
async def test_an_answer_that_breaks_off_is_gone_on_with(
    monkeypatch: pytest.MonkeyPatch, *, is_streamed: bool
) -> None:
    async with (
        _server_that_answers(CUT_SHORT, then=NO_REST + b"." * 991) as url,
        _store_at(url, monkeypatch) as store,
    ):
        content = (
            b"".join([piece async for piece in store.read(KEY)])
            if is_streamed
            else await store.get(KEY)
        )

    assert content == b"only this" + b"." * 991


@each_question
async def test_a_server_that_does_not_answer_is_waited_for_in_bounds(
    ask: Callable[[S3Store], Awaitable[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ANSWER_SECONDS, 0.3)
    async with _server_that_stops(b"") as url, _store_at(url, monkeypatch) as store:
        with pytest.raises(StoreUnavailable, match="failed: TimeoutError"):
            await ask(store)


async def test_a_server_that_lists_and_does_not_delete_is_waited_for_in_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ANSWER_SECONDS, 2.0)
    async with _server_that_stops(b"", after=LISTED) as url, _store_at(url, monkeypatch) as store:
        with pytest.raises(StoreUnavailable, match="failed: TimeoutError"):
            await store.delete_prefix("events/1/")


async def test_an_answer_that_stops_is_waited_for_in_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("libs.common.storage.s3_objects.READ_TIMEOUT_SECONDS", 0.3)
    async with (
        _server_that_stops(NO_REST, after=CUT_SHORT) as url,
        _store_at(url, monkeypatch) as store,
    ):
        with pytest.raises(StoreUnavailable, match="Timeout"):
            await store.get(KEY)


@each_question
async def test_a_connection_is_waited_for_in_bounds(
    ask: Callable[[S3Store], Awaitable[object]], s3: S3Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        _store_with_one_connection(s3, monkeypatch) as store,
        contextlib.aclosing(store.read(KEY)) as held,
    ):
        await anext(held)
        monkeypatch.setattr(ANSWER_SECONDS, 0.3)
        with pytest.raises(StoreUnavailable, match="failed: TimeoutError"):
            await ask(store)


async def test_the_end_of_an_upload_waits_for_a_connection_in_bounds(
    s3: S3Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        _store_with_one_connection(s3, monkeypatch) as store,
        contextlib.aclosing(store.read(KEY)) as held,
    ):
        with capture_logs() as logs:
            async with store.create("events/1/large", content_type="image/jpeg") as writer:
                await writer.write(bytes(PART_BYTES + 1))
                await anext(held)
                for seconds in (ANSWER_SECONDS, SEND_SECONDS):
                    monkeypatch.setattr(seconds, 0.3)
                with pytest.raises(StoreUnavailable, match="failed: TimeoutError"):
                    await writer.commit()

    # Neither completed nor aborted: the end of both was waited for.
    assert [log["event"] for log in logs] == ["upload_not_aborted"]
    assert await S3Probe(s3).unfinished() == 1


@contextlib.asynccontextmanager
async def _store_with_one_connection(
    bucket: S3Bucket, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[S3Store]:
    """Open a store with one connection, and a photo that is more than a socket takes at once."""
    use_credentials(bucket, monkeypatch)
    async with open_s3_store(bucket.bucket, endpoint_url=bucket.endpoint_url, pool_size=1) as store:
        await store.put(KEY, b"x" * 3_000_000, content_type="image/jpeg")
        yield store


async def test_a_missing_bucket_is_unavailable_and_no_missing_object(
    s3: S3Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_credentials(s3, monkeypatch)
    async with open_s3_store("no-such-bucket", endpoint_url=s3.endpoint_url) as store:
        with pytest.raises(StoreUnavailable, match="no-such-bucket"):
            await store.check()
        with pytest.raises(StoreUnavailable, match="NoSuchBucket"):
            await store.get(KEY)
        with pytest.raises(StoreUnavailable, match="NoSuchBucket"):
            await store.put(KEY, b"x", content_type="image/jpeg")


async def test_more_objects_than_one_page_are_listed_and_deleted(
    s3: S3Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_credentials(s3, monkeypatch)
    async with open_s3_store(s3.bucket, endpoint_url=s3.endpoint_url) as store:
        # Few at once: a server that is busy takes long to accept many connections.
        for first in range(0, 1003, 8):
            numbers = range(first, min(first + 8, 1003))
            await asyncio.gather(
                *(store.put(f"events/1/{n}", b"", content_type="image/jpeg") for n in numbers)
            )

        assert len([info async for info in store.list("events/1/")]) == 1003
        assert await store.delete_prefix("events/1/") == 1003
        assert [info async for info in store.list("")] == []


async def test_a_store_that_takes_no_more_bytes_is_not_sent_to_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(SEND_SECONDS, 0.5)
    is_over = asyncio.Event()

    async def read_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await is_over.wait()
        writer.transport.abort()

    server = await asyncio.start_server(read_nothing, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, asyncio.timeout(PATIENCE_SECONDS), _store_at(url, monkeypatch) as store:
        try:
            with pytest.raises(StoreUnavailable):
                await store.put(KEY, bytes(PART_BYTES * 4), content_type="image/jpeg")
            async with store.create(KEY, content_type="image/jpeg") as writer:
                await writer.write(bytes(PART_BYTES))
                with pytest.raises(StoreUnavailable):
                    await writer.commit()
        finally:
            is_over.set()
