"""A database with one hot event and others beside it: rows as the services write them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from benchmarks.made_up_matches import store_matches
from benchmarks.private_services import SECRET_KEY
from libs.common.accounts.principal import Role
from libs.common.accounts.tokens import TokenClaims, Tokens
from libs.common.database.database import Database
from libs.common.signing_keys import SigningKeys
from services.gallery.web.paging import Place, encode_cursor
from tests.support.rows import Rows

MATCHES_PER_PHOTO = 3
GUESTS_OF_OTHERS = 200
LIFETIME = timedelta(hours=6)
#: Photos that are written by one statement.
AT_ONCE = 20_000

_GUESTS = """
WITH made AS (
    INSERT INTO users (username, password_hash, user_type)
    SELECT 'Guest ' || n, NULL, 'user' FROM generate_series(1, :guests) AS n
    RETURNING id, subject
), joined AS (
    INSERT INTO memberships (user_id, event_id) SELECT id, :event FROM made
), sent AS (
    INSERT INTO selfies (user_id, filename, object_key, content_type, sha256, size_bytes)
    SELECT id, 'selfie.jpg', 'selfies/' || id || '/selfie.jpg', 'image/jpeg', sha256('-'), 200000
    FROM made
)
INSERT INTO sessions (user_id, expires_at, label)
SELECT id, now() + interval '6 hours', 'Benchmark' FROM made
RETURNING id, user_id, (SELECT subject FROM made WHERE made.id = user_id) AS subject
"""
_PHOTOS = """
INSERT INTO photos (event_id, filename, original_filename, content_type, photographer_id,
    uploaded_at, sha256, crc32, size_bytes, width, height, taken_at, placeholder,
    processing_status, analyzed_at, finished_at)
SELECT :event, replace(gen_random_uuid()::text, '-', '') || '.jpg', 'IMG_' || n || '.JPG',
    'image/jpeg', :photographer, now() - (:photos - n) * interval '1 second',
    sha256(n::text::bytea), n, 5000000, 4000, 3000,
    localtimestamp, 'YTkGJwaRhWUIt4lbgnhZl3ath2BUBGYA', 'done', now(), now()
FROM generate_series(CAST(:first AS int), :last) AS n
"""
_PLACE = """
SELECT uploaded_at, id FROM photos WHERE event_id = :event
ORDER BY uploaded_at DESC, id DESC OFFSET :before LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Guest:
    """Who asks for lists."""

    id: int
    token: str


@dataclass(frozen=True, slots=True)
class HotEvent:
    """The event that everybody looks at."""

    id: int
    photos: int
    guests: Sequence[Guest]


async def store_events(database: Database, *, photos: int, guests: int, others: int) -> HotEvent:
    """Store the hot event and so many others of as many photos, and vacuum as a server does."""
    rows = Rows(database)
    photographer = (await rows.person(Role.PHOTOGRAPHER)).id
    event_id = await rows.event(photographer)
    hot = HotEvent(event_id, photos, await _fill(database, event_id, photographer, photos, guests))
    for _ in range(others):
        other = await rows.event(photographer)
        await _fill(database, other, photographer, photos, GUESTS_OF_OTHERS)
    async with database.read(patient=True) as connection:
        await connection.execute(text("VACUUM ANALYZE"))
        # Else it is written out while lists are measured.
        await connection.execute(text("CHECKPOINT"))
    return hot


async def cursor_of(database: Database, event: HotEvent, *, before: int) -> str:
    """Return what asks for the photos behind the one that so many are newer than."""
    async with database.read() as connection:
        row = (await connection.execute(text(_PLACE), {"event": event.id, "before": before})).one()
    return encode_cursor(Place(row.uploaded_at, row.id))


async def _fill(
    database: Database, event: int, photographer: int, photos: int, guests: int
) -> list[Guest]:
    tokens = Tokens(SigningKeys(SECRET_KEY))
    expires_at = datetime.now(UTC) + LIFETIME
    async with database.unit_of_work(patient=True) as unit:
        found = await unit.connection.execute(text(_GUESTS), {"event": event, "guests": guests})
        people = [
            Guest(
                row.user_id,
                tokens.issue(
                    TokenClaims(row.subject, row.id, Role.PARTICIPANT), expires_at=expires_at
                ),
            )
            for row in found
        ]
        for first in range(1, photos + 1, AT_ONCE):
            await unit.connection.execute(
                text(_PHOTOS),
                {
                    "event": event,
                    "photographer": photographer,
                    "photos": photos,
                    "first": first,
                    "last": min(first + AT_ONCE - 1, photos),
                },
            )
        await store_matches(
            unit.connection,
            event,
            guests=guests,
            per_photo=MATCHES_PER_PHOTO,
            least_similarity=90,
        )
    return people
