"""What finishing reads: the matches of what is finished, however many others there are."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from services.recognition.engine.face_engine import EMBEDDED
from services.recognition.matching.match import finish_photos, finish_selfies
from services.recognition.photos.repository import find_photo
from tests.recognition.matching.test_finishing import guest
from tests.support.rows import Rows
from tests.support.statements import Statements, statements

PHOTOS = 300
GUESTS = 20


async def an_event_in_which_all_are_alike(rows: Rows) -> tuple[int, list[int], list[int]]:
    """An event's id, those of its selfies and of its photos, each of which shows everybody."""
    event_id = await rows.event()
    selfies = [(await guest(rows, event_id, person))[1] for person in range(GUESTS)]
    await rows.execute(
        text(
            "INSERT INTO photos (event_id, filename, original_filename, content_type, sha256,"
            " crc32, size_bytes, width, height, processing_status, engine, finished_at)"
            " SELECT :event_id, gen_random_uuid() || '.jpg', 'a.jpg', 'image/jpeg', '', 0, 1,"
            " 4000, 3000, 'done', :engine, now() FROM generate_series(1, :count)"
        ).bindparams(event_id=event_id, engine=EMBEDDED.name, count=PHOTOS)
    )
    await rows.execute(
        text(
            "INSERT INTO matches (user_id, event_id, photo_id, selfie_id, face_id, similarity)"
            " SELECT s.user_id, :event_id, p.id, s.id, 1, 95 FROM photos p, selfies s"
        ).bindparams(event_id=event_id)
    )
    async with rows.database.read() as connection:
        found = await connection.execute(text("SELECT id FROM photos ORDER BY id"))
        return event_id, selfies, list(found.scalars())


async def matches_read(rows: Rows, sent: Statements) -> dict[str, int]:
    """Return how many matches each statement reads; what it changes is taken back."""
    read = {}
    async with rows.database.read() as connection:
        raw = await connection.get_raw_connection()
        driver: Any = raw.driver_connection
        for statement, parameters in sent:
            transaction = driver.transaction()
            await transaction.start()
            explained = await driver.fetchval(
                f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *parameters
            )
            await transaction.rollback()
            read[statement] = sum(_rows_of_matches(explained[0]["Plan"]))
    return read


def _rows_of_matches(plan: dict[str, Any]) -> Iterator[int]:
    if plan.get("Relation Name") == "matches" and plan["Node Type"] != "ModifyTable":
        removed = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Join Filter", 0)
        yield (plan["Actual Rows"] + removed) * plan["Actual Loops"]
    for below in plan.get("Plans", ()):
        yield from _rows_of_matches(below)


@pytest.mark.parametrize("statistics", ["", "VACUUM ANALYZE"])
@pytest.mark.parametrize("finished", ["a selfie", "a photo"])
async def test_what_is_finished_reads_its_own_matches_and_not_everybodys(
    rows: Rows, finished: str, statistics: str
) -> None:
    event_id, selfies, photos = await an_event_in_which_all_are_alike(rows)
    async with rows.database.read() as connection:
        if statistics:
            await connection.execute(text(statistics))
        photo = await find_photo(connection, photos[0])
    assert photo is not None
    with statements(rows.database) as seen:
        async with rows.database.unit_of_work() as unit:
            if finished == "a selfie":
                await finish_selfies(event_id, selfies[:1], unit=unit)
            else:
                await finish_photos([photo], unit=unit)
    sent = [one for one in seen if "matches" in one[0]]
    own = PHOTOS if finished == "a selfie" else GUESTS
    for statement, read in (await matches_read(rows, sent)).items():
        assert read <= 2 * own, statement
