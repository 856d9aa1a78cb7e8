"""What the lists ask of the database: two steps, no face rows, covering indexes."""

import asyncio
import re
from typing import Any

import pytest
from sqlalchemy import text

from tests.gallery.world import World
from tests.support.statements import statements

PHOTOS = 3000


async def an_event_with_many_photos(
    world: World, *, matched: int, similarity: float = 95
) -> tuple[int, dict[str, str]]:
    """An event in which so many photos show each of twenty guests, vacuumed."""
    event_id = await world.event()
    guest = await world.person(joined=event_id)
    selfie_ids = [await world.selfie(guest) for _ in range(20)]
    async with world.database.unit_of_work() as unit:
        await unit.connection.execute(
            text(
                "INSERT INTO photos (event_id, filename, original_filename, content_type,"
                " uploaded_at, sha256, crc32, size_bytes, width, height, processing_status)"
                " SELECT :event_id, gen_random_uuid() || '.jpg', 'a.jpg', 'image/jpeg',"
                " now() - n * interval '1 second', '', 0, 1, 4000, 3000, 'done'"
                " FROM generate_series(1, :count) AS n"
            ),
            {"event_id": event_id, "count": PHOTOS},
        )
        await unit.connection.execute(
            text(
                "INSERT INTO matches (user_id, event_id, photo_id, selfie_id, face_id, similarity)"
                " SELECT :user_id + selfie_id - :first_selfie, :event_id, id, selfie_id, 1,"
                " :similarity"
                " FROM (SELECT id FROM photos ORDER BY id % 2, id LIMIT :count) AS shown,"
                " unnest(CAST(:selfies AS bigint[])) AS selfie_id"
            ),
            {
                "user_id": guest.id,
                "event_id": event_id,
                "first_selfie": selfie_ids[0],
                "selfies": selfie_ids,
                "count": matched,
                "similarity": similarity,
            },
        )
    async with world.database.read() as connection:
        await connection.execute(text("VACUUM ANALYZE photos, matches"))
    return event_id, guest.headers


@pytest.mark.parametrize("path", ["/api/my-photos", "/api/all-photos"])
async def test_a_list_reads_matched_ids_and_then_photos_and_never_a_face(
    world: World, path: str
) -> None:
    _, headers = await an_event_with_many_photos(world, matched=500)
    with statements(world.services_database) as seen:
        answer = await world.client.get(f"{path}?limit=100", headers=headers)
    assert len(answer.json()) == 100
    asked = [statement for statement, _ in seen]
    assert not [statement for statement in asked if "faces" in statement]
    assert len([statement for statement in asked if "FROM matches" in statement]) == 1
    # Whether any photo of the event is marked is asked along; nothing is joined.
    assert not [
        statement
        for statement in asked
        if "matches" in statement and "photos" in statement.replace("photos AS any_photo", "")
    ]
    with statements(world.services_database) as seen:
        await world.client.get(f"{path}?limit=100", headers=headers)
    assert seen == [], "the second answer comes from memory"


@pytest.mark.parametrize("sort", ["arrived", "taken"])
async def test_where_a_page_ends_is_known_without_asking_again(world: World, sort: str) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    for _ in range(4):
        await world.photo(event_id, photographer=photographer)
    asked = []
    address = f"/api/photographer/events/{event_id}/photos?limit=2&sort={sort}"
    for follows in (True, False):
        with statements(world.services_database) as seen:
            answer = await world.client.get(address, headers=photographer.headers)
        assert ("next" in answer.links) is follows
        asked.append([one for one, _ in seen if "FROM photos" in one])
        address = answer.links["next"]["url"] if follows else ""
    assert len(asked[0]) == len(asked[1])


@pytest.mark.parametrize("path", ["/api/my-photos", "/api/all-photos"])
async def test_both_steps_are_answered_by_covering_indexes(world: World, path: str) -> None:
    _, headers = await an_event_with_many_photos(world, matched=1500)
    with statements(world.services_database) as seen:
        first = await world.client.get(f"{path}?limit=100", headers=headers)
        await world.client.get(first.links["next"]["url"], headers=headers)
    steps = [
        (statement, parameters)
        for statement, parameters in seen
        if "FROM matches" in statement or "ORDER BY photos.uploaded_at" in statement
    ]
    assert len(steps) == 4
    for statement, parameters in steps:
        plan = await explained(world, statement, parameters)
        assert "Index Only Scan" in plan, plan
        assert "Heap Fetches: 0" in plan, plan
        # Sorting what people overruled, a handful of rows, is the planner's choice.
        sorted_by = re.findall(r"Sort Key: (\w+)", plan)
        assert set(sorted_by) <= {"match_overrides"}, plan


@pytest.mark.parametrize("path", ["/api/my-photos", "/api/all-photos"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
async def test_a_page_by_when_photos_were_taken_is_found_by_an_index_alone(
    world: World, path: str, direction: str
) -> None:
    _, headers = await an_event_with_many_photos(world, matched=1500)
    query = f"limit=100&sort=taken&direction={direction}"
    with statements(world.services_database) as seen:
        first = await world.client.get(f"{path}?{query}", headers=headers)
        await world.client.get(first.links["next"]["url"], headers=headers)
    pages = [one for one in seen if "array_agg" in one[0] and "timezone('UTC'" in one[0]]
    assert len(pages) == 2
    for statement, parameters in pages:
        plan = await explained(world, statement, parameters)
        walk = r"Index Only Scan(?: Backward)? using photos_event_taken_idx"
        assert re.search(walk, plan), plan
        assert "Heap Fetches: 0" in plan, plan


async def test_guests_who_come_at_once_after_a_start_have_the_photos_read_once(
    world: World,
) -> None:
    event_id, _ = await an_event_with_many_photos(world, matched=1)
    guests = [await world.person(joined=event_id) for _ in range(8)]
    with statements(world.services_database) as seen:
        answers = await asyncio.gather(
            *(world.client.get("/api/all-photos?limit=300", headers=one.headers) for one in guests)
        )
    assert [len(answer.json()) for answer in answers] == [300] * len(guests)
    pages = [statement for statement, _ in seen if "hash_record_extended" in statement]
    read_whole = [statement for statement in pages if "array_agg" not in statement]
    assert (len(pages), len(read_whole)) == (len(guests) + 1, 1)


async def test_uncertain_photos_are_found_by_a_covering_index_and_their_faces_by_key(
    world: World,
) -> None:
    _, headers = await an_event_with_many_photos(world, matched=1500, similarity=80)
    with statements(world.services_database) as seen:
        answer = await world.client.get("/api/my-uncertain-photos?limit=100", headers=headers)
    assert len(answer.json()) == 100
    (finding,) = [one for one in seen if "HAVING" in one[0]]
    plan = await explained(world, *finding)
    assert "Index Only Scan using matches_guest_idx" in plan, plan
    assert "Heap Fetches: 0" in plan, plan
    (boxes,) = [statement for statement, _ in seen if "faces" in statement]
    assert "JOIN faces ON faces.id = matches.face_id" in boxes
    assert "FROM photos" not in boxes
    assert "JOIN photos" not in boxes


async def test_a_photographers_uploads_are_read_in_the_order_of_an_index(world: World) -> None:
    photographer = await world.photographer()
    await an_event_with_many_photos(world, matched=1)
    await world.execute(
        text(f"UPDATE photos SET photographer_id = {photographer.id} WHERE id % 2 = 0")
    )
    async with world.database.read() as connection:
        await connection.execute(text("VACUUM ANALYZE photos"))
    headers = photographer.headers
    with statements(world.services_database) as seen:
        first = await world.client.get("/api/my-uploaded-photos?limit=100", headers=headers)
        await world.client.get(first.links["next"]["url"], headers=headers)
    pages = [one for one in seen if "ORDER BY photos.uploaded_at" in one[0]]
    assert len(pages) == 2
    for statement, parameters in pages:
        plan = await explained(world, statement, parameters)
        assert "photos_photographer_page_idx" in plan, plan
        assert "Sort" not in plan, plan


async def test_failed_photos_are_found_by_an_index_of_theirs(world: World) -> None:
    photographer, admin = await world.photographer(), await world.admin()
    event_id, _ = await an_event_with_many_photos(world, matched=1)
    await world.execute(
        text(f"UPDATE events SET photographer_id = {photographer.id} WHERE id = {event_id}")
    )
    await world.execute(text("UPDATE photos SET processing_status = 'failed' WHERE id % 1000 = 0"))
    async with world.database.read() as connection:
        await connection.execute(text("VACUUM ANALYZE photos"))
    with statements(world.services_database) as seen:
        listed = await world.client.get("/api/admin/failed-photos", headers=admin.headers)
        await world.client.get("/api/admin/situation", headers=admin.headers)
        await world.client.post(
            f"/api/photographer/events/{event_id}/photos/analyse-again",
            headers=photographer.headers,
            json={},
        )
    assert len(listed.json()) == 3
    asked = [one for one in seen if "'failed'" in one[0] and "FROM photos" in one[0]]
    assert len(asked) == 3
    for statement, parameters in asked:
        plan = await explained(world, statement, parameters)
        assert "photos_failed_idx" in plan, plan


async def explained(world: World, statement: str, parameters: Any) -> str:
    async with world.database.read() as connection:
        raw = await connection.get_raw_connection()
        driver: Any = raw.driver_connection
        rows = await driver.fetch(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", *parameters)
    return "\n".join(row[0] for row in rows)
