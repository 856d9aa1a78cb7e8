"""What many stored faces cost: a late selfie, and the next photo of a large event."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import asyncpg
import numpy as np

from libs.common.database.database import Database
from libs.common.messaging.messages import PhotoAnalyzed, SelfieUploaded
from libs.common.settings import CommonSettings
from services.recognition.engine.engines import EmbeddedEngine
from services.recognition.engine.face_engine import (
    EMBEDDED,
    DetectedFace,
    FloatArray,
    PhotoAnalysis,
    to_bytes,
)
from services.recognition.engine.workers import engine_pool
from services.recognition.indexes.embedded.index import EmbeddedIndex, indexed_photo
from services.recognition.indexes.face_index import FaceKey
from services.recognition.matching import repository as stored_matches
from services.recognition.matching.match import Matcher, match_photos
from services.recognition.photos import repository
from services.recognition.selfies import repository as selfie_repository
from tests.support.databases import migrated_databases
from tests.support.postgres import running_postgres
from tests.support.rows import Rows

FACES_PER_PHOTO = 10
LIKENESSES = 50
PHOTOS_TIMED = 30
_CHUNK = 20_000
_THRESHOLD = 85.0


@asynccontextmanager
async def private_database() -> AsyncIterator[Database]:
    with running_postgres() as server, migrated_databases(server) as databases:
        async with databases.fresh() as url:
            settings = CommonSettings(database_url=url, secret_key="x" * 32)
            async with Database.open(settings) as database:
                yield database


def _random_faces(count: int, seed: int) -> FloatArray:
    """Unit vectors; any two are about 1.4 apart."""
    vectors = np.random.default_rng(seed).standard_normal(
        (count, EMBEDDED.embedding_size), np.float32
    )
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


async def _fill_event(
    database: Database, event_id: int, faces: int, likeness: FloatArray, *, per_photo: int
) -> None:
    """Store faces by COPY; `LIKENESSES` of them, spread evenly, are near `likeness`."""
    url = database.engine.url.set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    try:
        await connection.execute(
            "INSERT INTO photos (event_id, filename, original_filename, content_type, sha256,"
            " crc32, size_bytes, width, height, processing_status)"
            " SELECT $1::bigint, 'e' || $1::bigint || '-' || n, 'x.jpg', 'image/jpeg', '', 0, 1,"
            " 4000, 3000, 'done'"
            " FROM generate_series(1, $2::int) n",
            event_id,
            faces // per_photo,
        )
        ids = [
            row["id"]
            for row in await connection.fetch(
                "SELECT id FROM photos WHERE event_id = $1 ORDER BY id", event_id
            )
        ]
        every = faces // LIKENESSES
        for start in range(0, faces, _CHUNK):
            count = min(_CHUNK, faces - start)
            vectors = _random_faces(count, seed=start)
            alike = np.arange(-start % every, count, every)
            vectors[alike] = likeness + 0.01 * vectors[alike]
            await connection.copy_records_to_table(
                "faces",
                records=[
                    (ids[(start + row) // per_photo], event_id, (start + row) %
                     per_photo, 0.1, 0.1, 0.1, 0.1, 0.9, EMBEDDED.name, to_bytes(vector))
                    for row, vector in enumerate(vectors)
                ],
                columns=["photo_id", "event_id", "position", "left", "top", "width", "height",
                         "confidence", "engine", "embedding"],
            )  # fmt: skip
        await connection.execute("VACUUM ANALYZE faces")
    finally:
        await connection.close()


@dataclass(frozen=True, slots=True)
class LateSelfies:
    """Seconds of selfies against all faces of an event, and the extra MB of all of them.

    `first_seconds` is that of the first one that its partition's owner sees of the event: it reads
    all faces, and keeps them rounded for those that follow.
    """

    first_seconds: float
    seconds: float
    extra_mb: float


async def late_selfies(database: Database, faces: int) -> LateSelfies:
    """Match selfies with an event of so many faces.

    Raises RuntimeError when one does not find exactly the faces that are like it.
    """
    rows = Rows(database)
    event_id = await rows.event()
    (likeness,) = _random_faces(1, seed=-1 % 2**32)
    await _fill_event(database, event_id, faces, likeness, per_photo=FACES_PER_PHOTO)
    index = _index(database)
    before = _reset_peak_memory()
    seconds = [await _late_selfie(database, event_id, likeness, index) for _ in range(4)]
    return LateSelfies(seconds[0], median(seconds[1:]), _peak_memory() - before)


async def _late_selfie(
    database: Database, event_id: int, likeness: FloatArray, index: EmbeddedIndex
) -> float:
    rows = Rows(database)
    guest = await rows.person(joined=event_id)
    selfie_id = await rows.insert_selfie(guest)
    async with database.unit_of_work() as unit:
        await selfie_repository.claim_selfie(
            unit.connection,
            selfie_id=selfie_id,
            event_id=event_id,
            claimant="benchmark",
            lease_seconds=60,
            replica_lease_seconds=60,
        )
        await selfie_repository.save_face_key(
            unit.connection,
            selfie_id=selfie_id,
            event_id=event_id,
            key=FaceKey(embedding=to_bytes(likeness)),
            engine=EMBEDDED.name,
        )
    message = SelfieUploaded(event_id=event_id, user_id=guest.id, selfie_id=selfie_id)
    started = time.perf_counter()
    found = await _match(database, message, index)
    seconds = time.perf_counter() - started
    if found != LIKENESSES:
        raise RuntimeError(f"the selfie is in {LIKENESSES} photos, {found} were found")
    return seconds


async def _match(database: Database, message: SelfieUploaded, index: EmbeddedIndex) -> int:
    """The matching of match_selfie; the number of photos found."""
    photos = 0
    async for found in index.match(
        message.event_id, selfie_ids=[message.selfie_id], threshold=_THRESHOLD
    ):
        async with database.unit_of_work() as unit:
            await stored_matches.upsert(unit.connection, message.event_id, found)
        photos += len(found)
    return photos


async def cost_growth(
    database: Database, *, photos: int, guests: int, analysis_seconds: float
) -> float:
    """A photo's time in an event of that size over its time in an empty one.

    `analysis_seconds` is what decoding, detection and embedding cost in either.
    """
    rows = Rows(database)
    large, empty = await rows.event(), await rows.event()
    (nobody,) = _random_faces(1, seed=5)
    await _fill_event(database, large, photos, nobody, per_photo=1)
    await _add_guests(database, large, guests)
    rounds = [
        [await _seconds_per_photo(database, event_id) for event_id in (large, empty)]
        for _ in range(3)
    ]
    in_large, in_empty = (median(seconds) for seconds in zip(*rounds, strict=True))
    return float((analysis_seconds + in_large) / (analysis_seconds + in_empty))


async def _seconds_per_photo(database: Database, event_id: int) -> float:
    """Median seconds to store a photo's three faces and to match them."""
    rows = Rows(database)
    matcher = Matcher(database=database, index=_index(database))
    seconds = []
    for number in range(PHOTOS_TIMED):
        faces = tuple(
            DetectedFace(0.1, 0.1, 0.1, 0.1, 0.9, vector)
            for vector in _random_faces(3, seed=10**6 + number)
        )
        analysis = indexed_photo(PhotoAnalysis(4000, 3000, "", faces))
        photo_id = await rows.insert_photo(event_id)
        started = time.perf_counter()
        async with database.unit_of_work() as unit:
            photo = await repository.find_photo(unit.connection, photo_id)
            if photo is None:
                raise RuntimeError("the photo is gone")
            await repository.save_analysis(unit.connection, photo, analysis, engine=EMBEDDED.name)
        await match_photos([PhotoAnalyzed(event_id=event_id, photo_id=photo_id)], using=matcher)
        seconds.append(time.perf_counter() - started)
    return float(median(seconds))


def _index(database: Database) -> EmbeddedIndex:
    """An index that matches only: its workers are never started."""
    pool = engine_pool(1, EmbeddedEngine)
    return EmbeddedIndex(database, pool, EMBEDDED, photos_at_once=1)


async def _add_guests(database: Database, event_id: int, guests: int) -> None:
    """Guests with indexed selfies."""
    rows = Rows(database)
    for vector in _random_faces(guests, seed=77):
        guest = await rows.person(joined=event_id)
        selfie_id = await rows.insert_selfie(guest)
        await rows.index(
            selfie_id, event_id, guest, status="done", engine=EMBEDDED.name,
            embedding=to_bytes(vector),
        )  # fmt: skip


def _reset_peak_memory() -> float:
    """Forget the process's memory peak (Linux); return what it uses now, in MB."""
    Path("/proc/self/clear_refs").write_text("5")
    return _peak_memory()


def _peak_memory() -> float:
    line = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line
    )
    return int(line.split()[1]) * 1024 / 1e6
