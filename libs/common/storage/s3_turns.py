"""What every request to S3 has: a connection's turn, an end in time, and errors of our own."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError

from libs.common.exhaustion import Exhausted, lacks
from libs.common.storage.protocol import ObjectNotFound, StoreUnavailable
from libs.common.storage.skew import told_skew

#: All attempts of a call that sends a part. What is sent and not acknowledged has no limit of its
#: own: the kernel goes on for a quarter of an hour.
SEND_SECONDS = 90.0
#: All attempts of every other call, a connection's turn included. Of what is then read on, the
#: client's own limit bounds each wait.
ANSWER_SECONDS = 30.0
FORBIDDEN = 403
NOT_FOUND_CODES = frozenset({"404", "NoSuchKey", "NoSuchUpload", "NotFound"})


class Turns:
    """The connections of a process to its S3 server, whichever client uses them.

    The one for data bounds only those that are idle.
    """

    def __init__(self, count: int) -> None:
        self._free = asyncio.Semaphore(count)

    @asynccontextmanager
    async def answered(self, key: str) -> AsyncIterator[asyncio.Timeout]:
        """Ask for something; raises ObjectNotFound and Unavailable.

        Who reads on afterwards ends the limit, and keeps the turn, to the end of the block.
        """
        with translated(key):
            async with asyncio.timeout(ANSWER_SECONDS) as limit, self._free:
                yield limit

    @asynccontextmanager
    async def sent(self, key: str) -> AsyncIterator[None]:
        """Send a part; raises ObjectNotFound and Unavailable."""
        with translated(key):
            async with asyncio.timeout(SEND_SECONDS), self._free:
                yield


def code_of(error: ClientError) -> str:
    """Return S3's word for an error, or the status where it said nothing."""
    return str(error.response.get("Error", {}).get("Code", ""))


def skew_of(error: ClientError) -> str | None:
    """Return how wrong the clock is, where that can be why the request was refused."""
    answer = error.response.get("ResponseMetadata", {})
    if answer.get("HTTPStatusCode") != FORBIDDEN:
        return None
    return told_skew(answer.get("HTTPHeaders", {}).get("date", ""), now=datetime.now(UTC))


def refused(code: str, skew: str | None) -> StoreUnavailable:
    """Say that the store refuses, and why."""
    why = f"{code}, and {skew}" if skew else code
    return StoreUnavailable(f"The photo store refused: {why}.")


@contextmanager
def translated(key: str) -> Iterator[None]:
    """Translate botocore's errors, and those of time."""
    try:
        yield
    except ClientError as error:
        if code_of(error) in NOT_FOUND_CODES:
            raise ObjectNotFound(key) from error
        raise refused(code_of(error), skew_of(error)) from error
    except (BotoCoreError, aiohttp.ClientError, TimeoutError, OSError) as error:
        if (what := lacks(error)) is not None:
            raise Exhausted(what) from error
        raise StoreUnavailable(f"The photo store failed: {type(error).__name__}.") from error
