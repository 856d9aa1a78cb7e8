"""What the database takes for an event's photos: rows as the services write them."""

from dataclasses import dataclass

from sqlalchemy import text

from benchmarks.made_up_matches import store_matches
from libs.common.database.database import Database
from libs.common.database.tables import metadata
from services.recognition.engine.face_engine import EMBEDDED
from tests.support.rows import Rows

#: An event as many are: of five faces in two photos, two are guests'; one more is nearly alike.
GUESTS_PER_1000_PHOTOS = 100
FACES_PER_PHOTO = 4
MATCHES_PER_PHOTO = 2

#: Photos as the services write them: parameters are :event, :photographer, and how many :photos.
PHOTOS = """
INSERT INTO photos (event_id, filename, original_filename, content_type, photographer_id, sha256,
    crc32, size_bytes, width, height, taken_at, placeholder, processing_status, analyzed_at,
    finished_at)
SELECT :event, replace(gen_random_uuid()::text, '-', '') || '.jpg', 'IMG_' || n || '.JPG',
    'image/jpeg', :photographer, sha256(n::text::bytea), n, 5000000, 4000, 3000, now(),
    'YTkGJwaRhWUIt4lbgnhZl3ath2BUBGYA', 'done', now(), now()
FROM generate_series(1, :photos) AS n
"""
_DIGESTS = """
INSERT INTO upload_digests (event_id, sha256, photo_id)
SELECT event_id, sha256, id FROM photos WHERE event_id = :event
"""
#: An embedding of random bytes, which no compression makes smaller.
_RANDOM = f"""(SELECT string_agg(uuid_send(gen_random_uuid()), '')
    FROM generate_series(1, {EMBEDDED.embedding_size // 8}) WHERE {{row}} IS NOT NULL)"""
_FACES = f"""
INSERT INTO faces (photo_id, event_id, position, "left", top, width, height, confidence, engine,
    embedding)
SELECT p.id, p.event_id, n, random(), random(), random(), random(), random(), '{EMBEDDED.name}',
    {_RANDOM.format(row="p.id + n")}
FROM photos p, generate_series(0, :faces - 1) AS n WHERE p.event_id = :event
"""
_INDEXES = f"""
INSERT INTO selfie_indexes (selfie_id, event_id, user_id, status, claimed_by, engine, embedding)
SELECT s.id, :event, s.user_id, 'done', 'replica', '{EMBEDDED.name}', {_RANDOM.format(row="s.id")}
FROM selfies s JOIN memberships m USING (user_id) WHERE m.event_id = :event
"""


@dataclass(frozen=True, slots=True)
class Growth:
    """What photos added, in bytes with indexes, by table."""

    photos: int
    bytes_by_table: dict[str, int]

    @property
    def gigabytes_per_million(self) -> float:
        """Of 10^9 bytes, for a million photos."""
        return sum(self.bytes_by_table.values()) / self.photos * 1e6 / 1e9


async def database_growth(database: Database, *, photos: int) -> Growth:
    """Store events of 1,000 photos and compare sizes before and after, vacuumed."""
    before = await _sizes(database)
    for _ in range(photos // 1000):
        await _add_event(database)
    async with database.read() as connection:
        await connection.execute(text("VACUUM ANALYZE"))
    after = await _sizes(database)
    return Growth(photos, {table: after[table] - before[table] for table in after})


async def _add_event(database: Database) -> None:
    rows = Rows(database)
    event = await rows.event()
    photographer = await rows.person()
    for _ in range(GUESTS_PER_1000_PHOTOS):
        await rows.insert_selfie(await rows.person(joined=event), sha256=bytes(32))
    async with database.unit_of_work() as unit:
        for statement in (PHOTOS, _DIGESTS, _FACES, _INDEXES):
            parameters = {
                "event": event,
                "photographer": photographer.id,
                "photos": 1000,
                "faces": FACES_PER_PHOTO,
            }
            known = {key: value for key, value in parameters.items() if f":{key}" in statement}
            await unit.connection.execute(text(statement), known)
        await store_matches(
            unit.connection,
            event,
            guests=GUESTS_PER_1000_PHOTOS,
            per_photo=MATCHES_PER_PHOTO,
            least_similarity=75,
        )


async def _sizes(database: Database) -> dict[str, int]:
    async with database.read() as connection:
        return {
            table.name: int(
                await connection.scalar(
                    text("SELECT pg_total_relation_size(CAST(:name AS regclass))"),
                    {"name": table.name},
                )
                or 0
            )
            for table in metadata.sorted_tables
        }
