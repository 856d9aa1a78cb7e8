"""One event of many guests whose photos are analysed and wait: what its partition's owner does."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg
import numpy as np
from sqlalchemy import text

from benchmarks.drawn_faces import DrawnFaces
from libs.common.database.database import Database
from libs.common.messaging.messages import PhotoAnalyzed
from services.recognition.engine.face_engine import EMBEDDED, FloatArray, to_bytes
from tests.support.polling import eventually
from tests.support.rows import Rows

PATIENCE_SECONDS = 300.0

_DONE = text("SELECT count(*) FROM photos WHERE id = ANY(:photos) AND processing_status = 'done'")
_SECONDS = text(
    "SELECT extract(epoch FROM max(finished_at) - :started)::float8 AS last,"
    " extract(epoch FROM min(finished_at) - :started)::float8 AS first"
    " FROM photos WHERE id = ANY(:photos)"
)
_PEOPLE = """
WITH made AS (
    INSERT INTO users (username, password_hash, user_type)
    SELECT 'hot-' || $1::bigint || '-' || n, '-', 'user' FROM generate_series(1, $2::int) n
    RETURNING id
), joined AS (
    INSERT INTO memberships (user_id, event_id) SELECT id, $1 FROM made)
INSERT INTO selfies (user_id, filename, object_key, content_type, sha256, size_bytes)
SELECT id, 'hot-' || id, 'hot-' || id, 'image/jpeg', '', 1 FROM made
RETURNING id, user_id
"""
_PHOTOS = """
INSERT INTO photos (event_id, filename, original_filename, content_type, sha256, crc32, size_bytes,
    width, height, processing_status, engine, analyzed_at)
SELECT $1::bigint, 'hot-' || $1::bigint || '-' || $3::text || '-' || n, 'x.jpg', 'image/jpeg', '',
    0, 1, 4000, 3000, 'analyzed', $4, now()
FROM generate_series(1, $2::int) n RETURNING id
"""


class HotEvent:
    """An event with guests; photos of it are made as their analysis leaves them."""

    def __init__(
        self, database: Database, event_id: int, drawn: DrawnFaces, people: FloatArray
    ) -> None:
        self._database = database
        self._event_id = event_id
        self._drawn = drawn
        self._people = people
        self._random = np.random.default_rng(7)
        self._made = 0

    @classmethod
    async def make(cls, database: Database, *, guests: int) -> "HotEvent":
        """An event in which so many guests' selfies are indexed."""
        event_id = await Rows(database).event()
        drawn = DrawnFaces(np.random.default_rng(5))
        people = drawn.people(guests)
        connection = await _connect(database)
        try:
            selfies = await connection.fetch(_PEOPLE, event_id, guests)
            await connection.copy_records_to_table(
                "selfie_indexes",
                records=[
                    (row["id"], event_id, row["user_id"], "done", "benchmark", EMBEDDED.name,
                     to_bytes(face))
                    for row, face in zip(selfies, drawn.faces_of(people), strict=True)
                ],
                columns=["selfie_id", "event_id", "user_id", "status", "claimed_by", "engine",
                         "embedding"],
            )  # fmt: skip
        finally:
            await connection.close()
        return cls(database, event_id, drawn, people)

    async def photos(self, count: int) -> list[int]:
        """Photos that show two guests and a stranger each."""
        self._made += 1
        guests = self._people[self._random.integers(len(self._people), size=(count, 2))]
        strangers = self._drawn.people(count)
        shown = np.concatenate([guests, strangers[:, np.newaxis]], axis=1)
        faces = self._drawn.faces_of(shown.reshape(-1, shown.shape[-1])).reshape(shown.shape)
        connection = await _connect(self._database)
        try:
            rows = await connection.fetch(
                _PHOTOS, self._event_id, count, str(self._made), EMBEDDED.name
            )
            ids = [row["id"] for row in rows]
            await connection.copy_records_to_table(
                "faces",
                records=[
                    (photo, self._event_id, position, 0.1, 0.1, 0.1, 0.1, 0.9, EMBEDDED.name,
                     to_bytes(face))
                    for photo, of_photo in zip(ids, faces, strict=True)
                    for position, face in enumerate(of_photo)
                ],
                columns=["photo_id", "event_id", "position", "left", "top", "width", "height",
                         "confidence", "engine", "embedding"],
            )  # fmt: skip
            await connection.execute("ANALYZE")
        finally:
            await connection.close()
        return ids

    async def seconds(self, photos: Sequence[int]) -> tuple[float, float]:
        """Send their messages; return when the last photo was done, and when the first."""
        async with self._database.unit_of_work() as unit:
            started: datetime = (
                await unit.connection.execute(text("SELECT clock_timestamp()"))
            ).scalar_one()
            for photo in photos:
                unit.publish(PhotoAnalyzed(event_id=self._event_id, photo_id=photo))

        async def all_done() -> bool:
            async with self._database.read() as connection:
                return bool(await connection.scalar(_DONE, {"photos": photos}) == len(photos))

        await eventually(all_done, timeout=PATIENCE_SECONDS, message="photos were left over")
        async with self._database.read() as connection:
            row = (await connection.execute(_SECONDS, {"photos": photos, "started": started})).one()
        return float(row.last), float(row.first)


async def _connect(database: Database) -> asyncpg.Connection:
    url = database.engine.url.set(drivername="postgresql")
    return await asyncpg.connect(url.render_as_string(hide_password=False))
