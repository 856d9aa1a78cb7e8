"""The object store on S3, or on whatever speaks its protocol."""

import asyncio
import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from enum import Enum, auto
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.httpsession import get_cert_path

from libs.common.exhaustion import Exhausted, lacks
from libs.common.storage.keys import checked_folder, checked_key, checked_prefix
from libs.common.storage.protocol import (
    AnswerHeaders,
    ListedObject,
    ObjectInfo,
    ObjectNotFound,
    StoreUnavailable,
    UnfinishedUpload,
)
from libs.common.storage.s3_objects import (
    ATTEMPTS,
    CONNECT_TIMEOUT_SECONDS,
    CREDENTIALS_ARE_KEPT_FOR,
    READ_TIMEOUT_SECONDS,
    S3Objects,
    open_client,
)
from libs.common.storage.s3_turns import NOT_FOUND_CODES, Turns, code_of, skew_of
from libs.common.storage.s3_writer import S3Writer
from libs.common.telemetry import tracing

if TYPE_CHECKING:
    from obstore.store import S3Credential

#: A thread is entered once per batch of a local copy.
WRITE_BATCH_BYTES = 1024 * 1024
#: An upload that nobody ended is charged, and seen in no list.
UNFINISHED_DAYS = 7
UNFINISHED_RULE = {
    "ID": "end-unfinished-uploads",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_DAYS},
}
NO_RULES = "NoSuchLifecycleConfiguration"
#: Somebody else made the bucket between the look and the making.
BUCKET_IS_OURS = "BucketAlreadyOwnedByYou"


class UnfinishedRule(Enum):
    """Whether the bucket ends uploads in parts: by a rule made now, one that was there, or not."""

    IS_NEW = auto()
    IS_THERE = auto()
    IS_MISSING = auto()


@asynccontextmanager
async def open_s3_store(
    bucket: str,
    *,
    endpoint_url: str | None = None,
    public_url: str | None = None,
    region: str | None = None,
    pool_size: int = 64,
) -> AsyncIterator["S3Store"]:
    """Open the process's only clients; `pool_size` bounds their connections.

    `public_url` is the server where it signs addresses for others, unless it is the same.

    Credentials, region, certificates and proxies come from botocore's usual places (environment,
    profile, role of the pod or the machine), for both clients.
    """
    config = AioConfig(
        max_pool_connections=pool_size,
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        # Botocore signs addresses by an older version for some regions, which most servers refuse.
        signature_version="s3v4",
        # Servers other than AWS seldom have a host name per bucket, and some refuse the
        # checksums that newer clients add unasked.
        s3={"addressing_style": "path" if endpoint_url else "auto"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    session = AioSession()
    async with AsyncExitStack() as clients:
        client = await clients.enter_async_context(
            session.create_client(
                "s3", endpoint_url=endpoint_url, region_name=region, config=config
            )
        )
        signer = client
        if public_url not in {None, endpoint_url}:
            signer = await clients.enter_async_context(
                session.create_client(
                    "s3", endpoint_url=public_url, region_name=region, config=config
                )
            )
        address: str = client.meta.endpoint_url
        turns = Turns(pool_size)
        objects = S3Objects(
            open_client(
                bucket,
                address=address,
                # As botocore does: a certificate is for no name with further dots.
                is_path_style=bool(endpoint_url) or "." in bucket,
                region=client.meta.region_name,
                credentials=partial(_credentials, session),
                root_certificates=_root_certificates(session, address),
                pool_size=pool_size,
            ),
            turns,
            skew=partial(_skew, client, bucket),
        )
        yield S3Store(client, objects, turns, bucket, signer=signer)


class S3Store:
    """Objects in one bucket. Make one with `open_s3_store`."""

    def __init__(
        self,
        client: Any,  # noqa: ANN401  aiobotocore has no types
        objects: S3Objects,
        turns: Turns,
        bucket: str,
        *,
        signer: Any,  # noqa: ANN401
    ) -> None:
        self._client = client
        self._objects = objects
        self._turns = turns
        self._bucket = bucket
        self._signer = signer

    @asynccontextmanager
    async def create(self, key: str, *, content_type: str) -> AsyncIterator[S3Writer]:
        writer = S3Writer(
            self._client,
            self._objects,
            self._turns,
            bucket=self._bucket,
            key=checked_key(key),
            content_type=content_type,
        )
        try:
            yield writer
        finally:
            # Shielded: a cancelled upload must not leave its parts behind (they are charged).
            await asyncio.shield(writer.discard())

    async def put(self, key: str, data: bytes, *, content_type: str) -> None:
        await self._objects.put(checked_key(key), data, content_type=content_type)

    async def stat(self, key: str) -> ObjectInfo:
        return await self._objects.stat(checked_key(key))

    async def get(self, key: str) -> bytes:
        return (await self.get_object(key))[1]

    async def get_object(self, key: str) -> tuple[ObjectInfo, bytes]:
        return await self._objects.get_object(checked_key(key))

    async def presigned_url(
        self, key: str, *, valid_seconds: int, headers: AnswerHeaders
    ) -> str | None:
        # Nothing is asked for, but the credentials may have to be.
        async with self._turns.answered(key):
            url: str = await self._signer.generate_presigned_url(
                "get_object",
                Params={
                    "Bucket": self._bucket,
                    "Key": checked_key(key),
                    "ResponseContentType": headers.content_type,
                    "ResponseContentDisposition": headers.content_disposition,
                    "ResponseCacheControl": headers.cache_control,
                },
                ExpiresIn=valid_seconds,
            )
        return url

    async def read(
        self, key: str, *, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        checked_key(key)
        if end is not None and end <= start:
            await self.stat(key)  # S3 has no empty range; a missing object is still an error
            return
        async with aclosing(self._objects.read(key, start=start, end=end)) as pieces:
            async for piece in pieces:
                yield piece

    def open_file(self, key: str) -> None:
        del key  # what is here is reached by requests alone

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

    async def list(self, prefix: str) -> AsyncIterator[ListedObject]:
        async for page in self._pages(checked_prefix(prefix)):
            for found in page:
                yield ListedObject(
                    key=found["Key"],
                    size_bytes=found["Size"],
                    etag=found["ETag"],
                    modified_at=found["LastModified"],
                )

    async def delete(self, key: str) -> None:
        async with self._turns.answered(key):
            await self._client.delete_object(Bucket=self._bucket, Key=checked_key(key))

    async def delete_prefix(self, prefix: str) -> int:
        deleted = 0
        async for page in self._pages(checked_folder(prefix)):
            keys = [{"Key": found["Key"]} for found in page]
            async with self._turns.answered(prefix):
                answer = await self._client.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": keys, "Quiet": True}
                )
            if errors := answer.get("Errors"):
                raise StoreUnavailable(f"{len(errors)} of {len(keys)} objects were not deleted.")
            deleted += len(keys)
        return deleted

    async def unfinished(self) -> AsyncIterator[UnfinishedUpload]:
        async for page in self._pages("", of="list_multipart_uploads", named="Uploads"):
            for found in page:
                yield UnfinishedUpload(
                    name=found["UploadId"],
                    key=found["Key"],
                    size_bytes=await self._size_of_parts(found["Key"], found["UploadId"]),
                    begun_at=found["Initiated"],
                )

    async def discard(self, upload: UnfinishedUpload) -> None:
        with suppress(ObjectNotFound):  # finished or aborted meanwhile
            async with self._turns.answered(upload.key or ""):
                await self._client.abort_multipart_upload(
                    Bucket=self._bucket, Key=upload.key, UploadId=upload.name
                )

    async def free_bytes(self) -> None:
        """A bucket has no end."""

    async def check(self) -> None:
        try:
            async with self._turns.answered(self._bucket):
                await self._client.head_bucket(Bucket=self._bucket)
        except ObjectNotFound as error:
            raise StoreUnavailable(f"There is no bucket {self._bucket}.") from error

    async def create_bucket(self, region: str) -> bool:
        """Make the bucket; return whether it was missing."""
        # The region that has no name for itself: S3 refuses it as a constraint.
        place = {} if region == "us-east-1" else {"LocationConstraint": region}
        async with self._turns.answered(self._bucket):
            try:
                await self._client.head_bucket(Bucket=self._bucket)
            except ClientError as error:
                if code_of(error) not in NOT_FOUND_CODES:
                    raise
            else:
                return False
            configuration = {"CreateBucketConfiguration": place} if place else {}
            try:
                await self._client.create_bucket(Bucket=self._bucket, **configuration)
            except ClientError as error:
                if code_of(error) != BUCKET_IS_OURS:
                    raise
                return False
        return True

    async def end_unfinished_uploads(self) -> UnfinishedRule:
        """Have the server end uploads in parts by itself, unless the bucket has rules.

        Raises StoreUnavailable, also where the server knows no such rules.
        """
        async with self._turns.answered(self._bucket):
            try:
                kept = await self._client.get_bucket_lifecycle_configuration(Bucket=self._bucket)
            except ClientError as error:
                if code_of(error) != NO_RULES:
                    raise
            else:
                is_there = any(
                    rule["Status"] == "Enabled" and "AbortIncompleteMultipartUpload" in rule
                    for rule in kept["Rules"]
                )
                return UnfinishedRule.IS_THERE if is_there else UnfinishedRule.IS_MISSING
            await self._client.put_bucket_lifecycle_configuration(
                Bucket=self._bucket, LifecycleConfiguration={"Rules": [UNFINISHED_RULE]}
            )
        return UnfinishedRule.IS_NEW

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

    async def _size_of_parts(self, key: str, upload_id: str) -> int:
        size = 0
        with suppress(ObjectNotFound):
            found = self._pages("", of="list_parts", named="Parts", Key=key, UploadId=upload_id)
            async for parts in found:
                size += sum(part["Size"] for part in parts)
        return size

    async def _pages(
        self, prefix: str, *, of: str = "list_objects_v2", named: str = "Contents", **target: str
    ) -> AsyncIterator[Sequence[dict[str, Any]]]:
        """List up to 1,000 objects a page, which is also what one batch delete takes."""
        if prefix:
            target["Prefix"] = prefix
        pages = aiter(self._client.get_paginator(of).paginate(Bucket=self._bucket, **target))
        while True:
            async with self._turns.answered(target.get("Key", prefix)):
                page = await anext(pages, None)
            if page is None:
                return
            if found := page.get(named):
                yield found


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


async def _credentials(session: AioSession) -> "S3Credential":
    """Ask botocore, which refreshes them in time."""
    if (found := await session.get_credentials()) is None:
        raise NoCredentialsError
    frozen = await found.get_frozen_credentials()
    return {
        "access_key_id": frozen.access_key,
        "secret_access_key": frozen.secret_key,
        "token": frozen.token,
        "expires_at": datetime.now(UTC) + CREDENTIALS_ARE_KEPT_FOR,
    }


def _root_certificates(session: AioSession, address: str) -> bytes | None:
    """Return those that botocore trusts, which an image without any of its own has, too."""
    if not address.startswith("https:"):
        return None
    named = session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
    try:
        return Path(named or get_cert_path(verify=True)).read_bytes()
    except OSError as error:
        msg = f"The certificates of AWS_CA_BUNDLE cannot be read: {error.strerror}."
        raise StoreUnavailable(msg) from error


async def _skew(client: Any, bucket: str) -> str | None:  # noqa: ANN401
    """Ask the store for the time, where it refuses to answer."""
    try:
        await client.head_bucket(Bucket=bucket)
    except ClientError as error:
        return skew_of(error)
    except (BotoCoreError, OSError):
        return None
    return None
