"""What an operator sees first: what waits, what was given up, who works and who is logged in."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import insert

from libs.common.database.tables import (
    audit,
    dead_letters,
    events,
    match_partitions,
    recognition_replicas,
)
from libs.common.web.auth import Role
from tests.gallery.world import World
from tests.support.people import Person


async def get(world: World, path: str, admin: Person) -> httpx.Response:
    answer = await world.client.get(f"/api/admin/{path}", headers=admin.headers)
    assert answer.status_code == 200, answer.text
    return answer


async def test_it_says_what_is_stuck_and_since_when(world: World) -> None:
    admin, photographer = await world.admin(), await world.photographer()
    event_id = await world.event(photographer)
    now = datetime.now(UTC)
    await world.photo(event_id, status="queued", uploaded_at=now - timedelta(minutes=5))
    await world.photo(event_id, status="failed", error="It cannot be read.")
    await world.execute(
        insert(dead_letters).values(
            message_id="a",
            queue="findme.match.00",
            routing_key="photo.analyzed.00",
            body=b"{}",
            reason="unknown",
            attempts=5,
        )
    )
    await world.execute(
        insert(match_partitions).values(
            partition=0, owner="a", epoch=3, lease_until=now + timedelta(seconds=10)
        )
    )
    await world.execute(insert(recognition_replicas).values(replica_id="a", engine="embedded"))
    found = (await get(world, "situation", admin)).json()
    waiting = {one["kind"]: one for one in found["waiting"]}
    assert waiting["photos_to_analyse"]["count"] == 1
    assert 290 < waiting["photos_to_analyse"]["oldest_seconds"] < 900
    assert waiting["photos_to_match"] == {
        "kind": "photos_to_match",
        "count": 0,
        "oldest_seconds": 0.0,
    }
    assert [(one["queue"], one["letters"]) for one in found["dead_letters"]] == [
        ("findme.match.00", 1)
    ]
    assert found["failed_photos"] == 1
    (partition,) = found["partitions"]
    assert (partition["owner"], partition["epoch"]) == ("a", 3)
    assert partition["lease_seconds"] > 0
    assert [one["replica_id"] for one in found["replicas"]] == ["a"]
    assert found["grafana_url"] is None


async def test_failed_photos_are_listed_page_by_page_until_their_event_is_over(
    world: World,
) -> None:
    admin, photographer = await world.admin(), await world.photographer()
    event_id, over = await world.event(photographer), await world.event(photographer)
    failed = [
        await world.photo(event_id, status="failed", error=f"reason {number}")
        for number in range(3)
    ]
    await world.photo(event_id)
    await world.photo(over, status="failed", error="late")
    await world.change(events, over, expires_at=datetime.now(UTC) - timedelta(hours=1))
    first = await get(world, "failed-photos?limit=2", admin)
    assert [photo["id"] for photo in first.json()] == failed[:0:-1]
    assert first.json()[0]["reason"] == "reason 2"
    next_page = first.links["next"]["url"]
    rest = await world.client.get(next_page, headers=admin.headers)
    assert [photo["id"] for photo in rest.json()] == failed[:1]
    assert "next" not in rest.links


async def test_it_tells_who_runs_events_and_logs_somebody_out_everywhere(world: World) -> None:
    admin, photographer, guest = (
        await world.admin(),
        await world.photographer(),
        await world.person(Role.PARTICIPANT),
    )
    await world.event(photographer)
    people: list[dict[str, Any]] = (await get(world, "people", admin)).json()
    assert [(one["id"], one["user_type"], one["events"], one["logins"]) for one in people] == [
        (admin.id, "admin", 0, 1),
        (photographer.id, "photographer", 1, 1),
    ]
    path = "/api/admin/people/{}/logout"
    answer = await world.client.post(path.format(guest.id), headers=admin.headers)
    assert answer.status_code == 404
    answer = await world.client.post(path.format(photographer.id), headers=admin.headers)
    assert answer.json()["ended"] == 1
    answer = await world.client.get("/api/me", headers=photographer.headers)
    assert answer.status_code == 401
    assert [row["action"] for row in await world.rows(audit)] == ["session.ended"]


async def test_the_first_start_is_open_until_there_is_an_admin(world: World) -> None:
    answer = await world.client.get("/api/first-start")
    assert answer.json() == {"needs_admin": True, "links_begin_with": None}
    await world.admin()
    answer = await world.client.get("/api/first-start")
    assert not answer.json()["needs_admin"]
