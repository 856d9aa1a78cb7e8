"""The object store on S3, or on whatever speaks its protocol, by aioboto3."""

import asyncio
import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aioboto3
import aiohttp
import structlog
from aiobotocore.config import AioConfig
from botocore.exceptions import BotoCoreError, ClientError

from libs.common.errors import Unavailable
from libs.common.exhaustion import Exhausted, lacks
from libs.common.storage.keys import checked_folder, checked_key, checked_prefix
from libs.common.storage.protocol import ObjectInfo, ObjectNotFound, StoreUnavailable
from libs.common.storage.skew import told_skew
from libs.common.telemetry import tracing

READ_PIECE_BYTES = 256 * 1024
#: A thread is entered once per batch of a local copy.
WRITE_BATCH_BYTES = 1024 * 1024
#: An object up to one part is one request; memory in use of an upload is one part.
PART_BYTES = 8 * 1024 * 1024
CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 20
#: All attempts of a call that sends a part. What is sent and not acknowledged has no limit of its
#: own: the kernel goes on for a quarter of an hour.
SEND_SECONDS = 90.0
ATTEMPTS = 3
#: All attempts of every other call, a connection's turn included, which the client itself waits for
#: without an end. Of what is then read on, READ_TIMEOUT_SECONDS bound each wait.
ANSWER_SECONDS = 30.0
FORBIDDEN = 403
NOT_FOUND_CODES = frozenset({"404", "NoSuchKey", "NotFound"})
#: The range starts behind the end of the object.
INVALID_RANGE = "InvalidRange"
#: Somebody else made the bucket between the look and the making.
BUCKET_IS_OURS = "BucketAlreadyOwnedByYou"

log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_s3_store(
    bucket: str,
    *,
    endpoint_url: str | None = None,
    region: str | None = None,
    pool_size: int = 64,
) -> AsyncIterator["S3Store"]:
    """Open the process's only client; `pool_size` bounds its connections.

    Credentials come from botocore's usual places (environment, profile, instance role).
    """
    config = AioConfig(
        max_pool_connections=pool_size,
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        # Servers other than AWS seldom have a host name per bucket, and some refuse the
        # checksums that newer clients add unasked.
        s3={"addressing_style": "path" if endpoint_url else "auto"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    session = aioboto3.Session()
    async with session.client(
        "s3", endpoint_url=endpoint_url, region_name=region, config=config
    ) as client:
        yield S3Store(client, bucket)


class S3Store:
    """Objects in one bucket. Make one with `open_s3_store`."""

    def __init__(self, client: Any, bucket: str) -> None:  # noqa: ANN401  aioboto3 has no types
        self._client = client
        self._bucket = bucket

    @asynccontextmanager
    async def create(self, key: str, *, content_type: str) -> AsyncIterator["S3Writer"]:
        writer = S3Writer(self._client, self._bucket, checked_key(key), content_type)
        try:
            yield writer
        finally:
            # Shielded: a cancelled upload must not leave its parts behind (they are charged).
            await asyncio.shield(writer.discard())

    async def put(self, key: str, data: bytes, *, content_type: str) -> None:
        async with _sent(key):
            await self._client.put_object(
                Bucket=self._bucket, Key=checked_key(key), Body=data, ContentType=content_type
            )

    async def stat(self, key: str) -> ObjectInfo:
        async with _answered(key):
            head = await self._client.head_object(Bucket=self._bucket, Key=checked_key(key))
        return ObjectInfo(
            key=key,
            size_bytes=head["ContentLength"],
            etag=head["ETag"],
        )

    async def get(self, key: str) -> bytes:
        return b"".join([piece async for piece in self.read(key)])

    async def read(
        self, key: str, *, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        checked_key(key)
        if end is not None and end <= start:
            await self.stat(key)  # S3 has no empty range; a missing object is still an error
            return
        whole = start == 0 and end is None
        span = {} if whole else {"Range": f"bytes={start}-{'' if end is None else end - 1}"}
        with _translated(key):
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    answer = await self._client.get_object(Bucket=self._bucket, Key=key, **span)
            except ClientError as error:
                if _code(error) == INVALID_RANGE:
                    return
                raise
            async with answer["Body"] as body:
                async for piece in body.content.iter_chunked(READ_PIECE_BYTES):
                    yield piece

    @asynccontextmanager
    async def local_file(self, key: str) -> AsyncIterator[Path]:
        with _translated_local_errors():
            # A file and no folder around it: to remove that takes descriptors, which may be used
            # up. Made on the loop: cancelled while it waits for a thread, it would be left behind.
            descriptor, name = tempfile.mkstemp(prefix="findme-object-")
        path = Path(name)
        try:
            with tracing.detail("fetch"), _translated_local_errors():
                await self._download(key, descriptor)
            yield path
        finally:
            await asyncio.shield(asyncio.to_thread(path.unlink, missing_ok=True))

    async def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        async for page in self._pages(checked_prefix(prefix)):
            for found in page:
                yield ObjectInfo(
                    key=found["Key"],
                    size_bytes=found["Size"],
                    etag=found["ETag"],
                )

    async def delete(self, key: str) -> None:
        async with _answered(key):
            await self._client.delete_object(Bucket=self._bucket, Key=checked_key(key))

    async def delete_prefix(self, prefix: str) -> int:
        deleted = 0
        async for page in self._pages(checked_folder(prefix)):
            keys = [{"Key": found["Key"]} for found in page]
            async with _answered(prefix):
                answer = await self._client.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": keys, "Quiet": True}
                )
            if errors := answer.get("Errors"):
                raise StoreUnavailable(f"{len(errors)} of {len(keys)} objects were not deleted.")
            deleted += len(keys)
        return deleted

    async def check(self) -> None:
        try:
            async with _answered(self._bucket):
                await self._client.head_bucket(Bucket=self._bucket)
        except ObjectNotFound as error:
            raise StoreUnavailable(f"There is no bucket {self._bucket}.") from error

    async def create_bucket(self, region: str) -> bool:
        """Make the bucket; return whether it was missing."""
        # The region that has no name for itself: S3 refuses it as a constraint.
        place = {} if region == "us-east-1" else {"LocationConstraint": region}
        async with _answered(self._bucket):
            try:
                await self._client.head_bucket(Bucket=self._bucket)
            except ClientError as error:
                if _code(error) not in NOT_FOUND_CODES:
                    raise
            else:
                return False
            configuration = {"CreateBucketConfiguration": place} if place else {}
            try:
                await self._client.create_bucket(Bucket=self._bucket, **configuration)
            except ClientError as error:
                if _code(error) != BUCKET_IS_OURS:
                    raise
                return False
        return True

    async def _download(self, key: str, descriptor: int) -> None:
        # Buffered: a raw file's write may take a part only (on a full disk it does), and says so
        # by its result alone.
        with os.fdopen(descriptor, "wb") as file:
            batch = bytearray()
            async with aclosing(self.read(key)) as pieces:
                async for piece in pieces:
                    batch += piece
                    if len(batch) >= WRITE_BATCH_BYTES:
                        await asyncio.to_thread(file.write, bytes(batch))
                        batch.clear()
            await asyncio.to_thread(file.write, batch)
            await asyncio.to_thread(file.flush)

    async def _pages(self, prefix: str) -> AsyncIterator[Sequence[dict[str, Any]]]:
        """List up to 1,000 objects a page, which is also what one batch delete takes."""
        paginator = self._client.get_paginator("list_objects_v2")
        pages = aiter(paginator.paginate(Bucket=self._bucket, Prefix=prefix))
        while True:
            async with _answered(prefix):
                page = await anext(pages, None)
            if page is None:
                return
            if contents := page.get("Contents"):
                yield contents


class S3Writer:
    """One request for an object of up to one part; a multipart upload above."""

    def __init__(self, client: Any, bucket: str, key: str, content_type: str) -> None:  # noqa: ANN401
        self._client = client
        self._target = {"Bucket": bucket, "Key": key}
        self._content_type = content_type
        self._buffer = bytearray()
        self._upload_id: str | None = None
        self._parts: list[dict[str, Any]] = []

    async def write(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= PART_BYTES:
            part = bytes(memoryview(self._buffer)[:PART_BYTES])
            del self._buffer[:PART_BYTES]
            await self._upload_part(part)

    async def commit(self) -> None:
        rest, self._buffer = bytes(self._buffer), bytearray()
        if self._upload_id is None and not self._parts:
            async with _sent(self._target["Key"]):
                await self._client.put_object(
                    **self._target, Body=rest, ContentType=self._content_type
                )
            return
        if rest:
            await self._upload_part(rest)
        async with _answered(self._target["Key"]):
            await self._client.complete_multipart_upload(
                **self._target, UploadId=self._upload_id, MultipartUpload={"Parts": self._parts}
            )
        self._upload_id = None

    async def discard(self) -> None:
        """Abort what was not committed. A failure is only logged: it must not hide its cause."""
        if self._upload_id is None:
            return
        try:
            async with _answered(self._target["Key"]):
                await self._client.abort_multipart_upload(**self._target, UploadId=self._upload_id)
        except (ObjectNotFound, Unavailable) as error:
            log.warning("upload_not_aborted", key=self._target["Key"], error=str(error))

    async def _upload_part(self, data: bytes) -> None:
        number = len(self._parts) + 1
        key = self._target["Key"]
        if self._upload_id is None:
            async with _answered(key):
                created = await self._client.create_multipart_upload(
                    **self._target, ContentType=self._content_type
                )
            self._upload_id = created["UploadId"]
        async with _sent(key):
            answer = await self._client.upload_part(
                **self._target, UploadId=self._upload_id, PartNumber=number, Body=data
            )
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _refusal(error: ClientError) -> str:
    answer = error.response.get("ResponseMetadata", {})
    skew = None
    if answer.get("HTTPStatusCode") == FORBIDDEN:
        skew = told_skew(answer.get("HTTPHeaders", {}).get("date", ""), now=datetime.now(UTC))
    return f"{_code(error)}, and {skew}" if skew else _code(error)


@asynccontextmanager
async def _answered(key: str) -> AsyncIterator[None]:
    with _translated(key):
        async with asyncio.timeout(ANSWER_SECONDS):
            yield


@asynccontextmanager
async def _sent(key: str) -> AsyncIterator[None]:
    with _translated(key):
        async with asyncio.timeout(SEND_SECONDS):
            yield


@contextmanager
def _translated(key: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if _code(error) in NOT_FOUND_CODES:
            raise ObjectNotFound(key) from error
        raise StoreUnavailable(f"The photo store refused: {_refusal(error)}.") from error
    except (BotoCoreError, aiohttp.ClientError, TimeoutError, OSError) as error:
        if (what := lacks(error)) is not None:
            raise Exhausted(what) from error
        raise StoreUnavailable(f"The photo store failed: {type(error).__name__}.") from error


@contextmanager
def _translated_local_errors() -> Iterator[None]:
    """Translate the errors of the local copy: they are this machine's, not the store's."""
    try:
        yield
    except OSError as error:
        if (what := lacks(error)) is not None:
            raise Exhausted(what) from error
        msg = f"The folder for temporary files failed: {error.strerror}."
        raise StoreUnavailable(msg) from error
