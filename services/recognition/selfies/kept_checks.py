"""What a check found is kept for minutes, so that a selfie which is sent again is analysed once.

A guest has a picture judged before there is an account, and sends the same bytes as their selfie
a moment later, to whichever replica. So the result of the first is kept in the database, and the
selfie that it was for takes it away.

It is a face's embedding, of somebody who has not consented to more than a look at the picture. So
it is sealed by the picture: the row's name, and the bytes that hide the embedding, are made from
the picture's, which nobody keeps. Without the picture the row says nothing of anybody, and with
the picture nothing that the picture does not. It goes when it is taken, else after minutes,
and is in no backup and in no log of the database (see the table).
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, NoReturn

import structlog

from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.database import Database
from services.recognition import metrics
from services.recognition.selfies import checks_repository as repository

SWEEP_EVERY_SECONDS: Final = 30.0
#: Of all replicas together, 0.7 KB each; beyond them the oldest go.
MAX_KEPT: Final = 20_000
#: A check does not wait for longer for what it can do itself.
PATIENCE_SECONDS: Final = 2.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """A picture that can serve as a selfie, and its face's embedding where that is of use."""

    embedding: bytes | None = field(repr=False)


class Seal:
    """Hides what is kept of a picture, given piece by piece, by the picture itself."""

    def __init__(self) -> None:
        # Another hash than the one that is stored with a selfie.
        self._picture = hashlib.blake2b(person=b"findme-selfie")

    def update(self, piece: bytes) -> None:
        """Go on with the picture."""
        self._picture.update(piece)

    def name(self) -> bytes:
        """What the row is found by, whoever has the picture."""
        return hashlib.blake2b(self._picture.digest(), digest_size=32, person=b"name").digest()

    def applied(self, embedding: bytes, *, made_by: str) -> bytes:
        """Hide an embedding, or show one that is hidden.

        A one-time pad: of a picture, an engine finds the same embedding at any time.
        """
        pad = hashlib.shake_256(self._picture.digest() + made_by.encode()).digest(len(embedding))
        return bytes(one ^ other for one, other in zip(embedding, pad, strict=True))


class KeptChecks:
    """Results of checks by this engine, shared by all replicas that have the same."""

    def __init__(self, database: Database, *, made_by: str, seconds: float) -> None:
        """Results of another `made_by` are not used. With 0 seconds none is kept."""
        self._database = database
        self._made_by = made_by
        self._seconds = seconds

    async def find(self, picture: Seal) -> Found | None:
        """Return what was found in the picture before, and is kept still."""
        return await self._read(picture, takes=False)

    async def take(self, picture: Seal) -> Found | None:
        """The same, and it is kept no longer."""
        return await self._read(picture, takes=True)

    async def keep(self, picture: Seal, found: Found) -> None:
        """Keep what was found in the picture."""
        if not self._seconds:
            return
        sealed = found.embedding and picture.applied(found.embedding, made_by=self._made_by)
        async with _unless_database_is_away(), self._database.single_statements() as connection:
            await repository.keep(connection, picture.name(), made_by=self._made_by, sealed=sealed)

    async def sweep(self) -> int:
        """Delete what has been kept for long enough, and what is too much; return how many."""
        async with self._database.single_statements() as connection:
            return await repository.sweep(connection, seconds=self._seconds, most=MAX_KEPT)

    async def run(self) -> NoReturn:
        """Sweep on a timer until cancelled."""
        while True:
            try:
                await self.sweep()
            except DATABASE_ERRORS as error:
                log.warning("kept_checks_not_swept", error=error)
            await asyncio.sleep(SWEEP_EVERY_SECONDS)

    async def _read(self, picture: Seal, *, takes: bool) -> Found | None:
        if not self._seconds:
            return None
        kept = None
        async with _unless_database_is_away(), self._database.single_statements() as connection:
            read = repository.take if takes else repository.find
            kept = await read(connection, picture.name(), seconds=self._seconds)
        if kept is None or kept.made_by != self._made_by:
            return None
        metrics.CHECKS_REUSED.inc()
        return Found(kept.sealed and picture.applied(kept.sealed, made_by=self._made_by))


@asynccontextmanager
async def _unless_database_is_away() -> AsyncIterator[None]:
    """A check works with the picture alone: nothing kept, and it is made once more."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield
    except (*DATABASE_ERRORS, TimeoutError) as error:
        log.warning("kept_checks_unavailable", error=error)
