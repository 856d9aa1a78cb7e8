"""Bytes to and from S3 by obstore: the crate object_store, off the event loop.

It takes a fifth of aiobotocore's processor time for a thumbnail, and goes on with an answer that
breaks off. All else is aiobotocore's, which says better what a server refuses.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.exceptions import BaseError, PermissionDeniedError
from obstore.store import S3Store as Client

from libs.common.exhaustion import Exhausted, lacks_by_its_words
from libs.common.storage.protocol import ObjectInfo, ObjectNotFound, StoreUnavailable
from libs.common.storage.s3_turns import NOT_FOUND_CODES, Turns, refused

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta
    from obstore.store import ClientConfig, S3CredentialProvider

READ_PIECE_BYTES = 256 * 1024
CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 20.0
ATTEMPTS = 3
#: obstore's own limit is for a whole answer, which lasts as long as a slow guest takes to read it.
ANY_LENGTH = timedelta(days=1)
#: Botocore looks at each question whether they must be refreshed, and does so in time.
CREDENTIALS_ARE_KEPT_FOR = timedelta(minutes=1)
RANGE_NOT_SATISFIABLE = "416"
#: "Server returned non-2xx status code: 404 Not Found: <Error><Code>NoSuchKey</Code>...".
_STATUS = re.compile(r"non-2xx status code: (\d{3})[^:]*:(?:.*?<Code>(\w+)</Code>)?", re.DOTALL)
_REASONS = re.compile(r'kind: (Timeout)|(?:message|error): "([^"]+)"')


class S3Objects:
    """The objects of one bucket, without their list."""

    def __init__(
        self, client: Client, turns: Turns, *, skew: Callable[[], Awaitable[str | None]]
    ) -> None:
        """`skew` asks how wrong the clock is, where that can be why a request was refused."""
        self._client = client
        self._turns = turns
        self._skew = skew

    async def put(self, key: str, data: bytes, *, content_type: str) -> None:
        """Write an object with one request."""
        async with self._turns.sent(key), self._translated(key):
            await self._client.put_async(
                key, data, attributes={"Content-Type": content_type}, use_multipart=False
            )

    async def stat(self, key: str) -> ObjectInfo:
        """As `ObjectStore.stat`."""
        async with self._turns.answered(key), self._translated(key):
            return _info(key, await self._client.head_async(key))

    async def get_object(self, key: str) -> tuple[ObjectInfo, bytes]:
        """As `ObjectStore.get_object`."""
        async with self._turns.answered(key), self._translated(key):
            answer = await self._client.get_async(key)
            return _info(key, answer.meta), bytes(await answer.bytes_async())

    async def read(self, key: str, *, start: int, end: int | None) -> AsyncGenerator[bytes, None]:
        """As `ObjectStore.read`, of one byte at least."""
        options: GetOptions | None = None
        if end is not None:
            options = {"range": (start, end)}
        elif start > 0:
            options = {"range": {"offset": start}}
        async with self._turns.answered(key) as limit, self._translated(key):
            try:
                answer = await self._client.get_async(key, options=options)
            except BaseError as error:
                if _told(error)[0] == RANGE_NOT_SATISFIABLE:
                    return
                raise
            # From here on it is the client's reader who takes the time, and the client's own limit
            # that bounds each wait for the server.
            limit.reschedule(None)
            async for chunk in answer.stream(min_chunk_size=READ_PIECE_BYTES):
                # Larger by what was in the socket.
                if len(chunk) <= READ_PIECE_BYTES:
                    yield chunk
                    continue
                for at in range(0, len(chunk), READ_PIECE_BYTES):
                    yield chunk[at : at + READ_PIECE_BYTES]

    @asynccontextmanager
    async def _translated(self, key: str) -> AsyncIterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            status, code = _told(error)
            if code in {status, *NOT_FOUND_CODES}:
                raise ObjectNotFound(key) from error
            raise refused(code, None) from error
        except PermissionDeniedError as error:
            raise refused(_told(error)[1], await self._skew()) from error
        except BaseError as error:
            status, code = _told(error)
            if status:
                raise refused(code, None) from error
            if (what := lacks_by_its_words(error)) is not None:
                raise Exhausted(what) from error
            raise StoreUnavailable(f"The photo store failed: {_reason(error)}.") from error


def open_client(
    bucket: str,
    *,
    address: str,
    is_path_style: bool,
    region: str,
    credentials: "S3CredentialProvider",
    root_certificates: bytes | None,
    pool_size: int,
) -> Client:
    """Make the client; `address` is the server's, without the bucket."""
    options: ClientConfig = {
        "allow_http": True,
        "connect_timeout": timedelta(seconds=CONNECT_TIMEOUT_SECONDS),
        "read_timeout": timedelta(seconds=READ_TIMEOUT_SECONDS),
        "timeout": ANY_LENGTH,
        "pool_max_idle_per_host": str(pool_size),
    }
    if root_certificates is not None:
        options["root_certificate"] = root_certificates
    if not is_path_style:
        scheme, host, *_ = urlsplit(address)
        address = f"{scheme}://{bucket}.{host}"
    return Client(
        bucket,
        endpoint=address,
        # The one above another of the environment, of which botocore has made the address.
        aws_endpoint_url_s3=address,
        virtual_hosted_style_request=not is_path_style,
        region=region,
        credential_provider=credentials,
        client_options=options,
        retry_config={"max_retries": ATTEMPTS - 1, "retry_timeout": timedelta(minutes=2)},
    )


def _info(key: str, meta: "ObjectMeta") -> ObjectInfo:
    if (etag := meta["e_tag"]) is None:
        raise StoreUnavailable("The photo store gives objects without an ETag.")
    return ObjectInfo(key, meta["size"], etag)


def _told(error: BaseException) -> tuple[str, str]:
    """Return what the server answered: the status, and S3's word for it, or the status again.

    Both are empty where the server has said nothing.
    """
    if (found := _STATUS.search(str(error))) is None:
        return "", ""
    return found[1], found[2] or found[1]


def _reason(error: BaseException) -> str:
    """Return the innermost reason in the client's words."""
    if found := [*_REASONS.finditer(str(error))]:
        return found[-1][1] or found[-1][2]
    first, _, _ = str(error).partition("\n")
    return first.rpartition(": ")[2]
