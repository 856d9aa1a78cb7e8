"""Walls: made, shown to whoever has the link, and taken down."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from libs.common.database.tables import audit, events, walls
from libs.common.limits.budgets import WRONG_LINKS
from services.gallery.events.links import LINK_TURN
from services.gallery.sharing import walls as walls_module
from tests.gallery.world import NOON, World
from tests.support.people import Person


async def make(
    world: World, event_id: int, person: Person, status: int = 200
) -> tuple[str, dict[str, Any]]:
    """Make a wall; return its link and what was answered."""
    answer = await world.client.post(
        f"/api/photographer/events/{event_id}/walls", headers=person.headers
    )
    assert answer.status_code == status, answer.text
    made: dict[str, Any] = answer.json()
    return urlsplit(made.get("path", "")).fragment, made


async def show(world: World, link: str, status: int = 200, **headers: str) -> Any:
    answer = await world.client.get("/api/wall", params={"link": link}, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def test_a_screen_shows_what_everybody_may_see_the_newest_first(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    await world.photo(event_id, show_in_general=False)
    await world.photo(event_id, status="failed", error="corrupt")
    shown = [
        await world.photo(event_id, uploaded_at=NOON + timedelta(minutes=minute))
        for minute in range(3)
    ]
    link, made = await make(world, event_id, photographer)
    assert len(link) == 43
    # What a browser asks for, and logs have, is without it.
    assert urlsplit(made["path"]).path == "/wall"
    found = await show(world, link)
    assert [photo["id"] for photo in found["photos"]] == shown[::-1]
    assert found["newest"] == 3
    assert found["invite_url"] == f"/e/{found['event_code']}"
    listed = await world.client.get(
        f"/api/photographer/events/{event_id}/walls", headers=photographer.headers
    )
    assert listed.json() == [made]


async def test_behind_the_newest_comes_a_mix_of_all_others(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(walls_module, "NEWEST", 2)
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    photos = [
        await world.photo(event_id, uploaded_at=NOON + timedelta(minutes=minute))
        for minute in range(5)
    ]
    link, _ = await make(world, event_id, photographer)
    found = await show(world, link)
    ids = [photo["id"] for photo in found["photos"]]
    assert ids[:2] == [photos[4], photos[3]]
    assert sorted(ids[2:]) == photos[:3]
    assert found["newest"] == 2
    # One that is hidden meanwhile is not mixed in any more.
    await world.client.put(
        f"/api/photos/{photos[0]}/show-in-general",
        json={"show_in_general": False},
        headers=photographer.headers,
    )
    world.app.state.gallery.wall_shows._shows.clear()
    assert photos[0] not in [photo["id"] for photo in (await show(world, link))["photos"]]


async def test_its_addresses_hold_for_hours_and_not_for_the_whole_event(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    await world.photo(event_id)
    link, _ = await make(world, event_id, photographer)
    (photo,) = (await show(world, link))["photos"]
    query = parse_qs(urlsplit(photo["preview_url"]).query)
    ends = datetime.fromtimestamp(int(query["e"][0]), UTC)
    assert LINK_TURN < ends - datetime.now(UTC) <= 2 * LINK_TURN


async def test_a_screen_that_has_it_all_is_told_so_in_no_bytes(world: World) -> None:
    photographer = await world.photographer()
    link, _ = await make(world, await world.event(photographer), photographer)
    answer = await world.client.get("/api/wall", params={"link": link})
    tag = answer.headers["ETag"]
    assert await show(world, link, 304, **{"If-None-Match": tag}) is None


async def test_a_wall_that_is_taken_down_ends_at_once_and_others_stay(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    (link, made), (kept, _) = [await make(world, event_id, photographer) for _ in range(2)]
    await show(world, link)
    answer = await world.client.delete(
        f"/api/photographer/events/{event_id}/walls/{made['id']}", headers=photographer.headers
    )
    assert answer.status_code == 200
    assert "not there any more" in (await show(world, link, 404))["detail"]
    await show(world, kept)
    told = [(row["action"], row["actor_id"], row["event_id"]) for row in await world.rows(audit)]
    assert told[-1] == ("wall.revoked", photographer.id, event_id)
    # One that is made of nothing, and one of an event that is not the caller's.
    for event, wall in ((event_id, uuid.uuid4()), (event_id + 1000, made["id"])):
        answer = await world.client.delete(
            f"/api/photographer/events/{event}/walls/{wall}", headers=photographer.headers
        )
        assert answer.status_code == 404


async def test_links_that_are_not_ours_are_refused_and_soon_not_looked_at(
    world: World,
) -> None:
    for link in ("", "x", "A" * 43, "ü" * 10, "A" * 42 + "="):
        await show(world, link, 404)
    for _ in range(WRONG_LINKS.amount - 5):
        await show(world, "A" * 43, 404)
    await show(world, "A" * 43, 429)
    # Who has a link goes on.
    photographer = await world.photographer()
    link, _ = await make(world, await world.event(photographer), photographer)
    await show(world, link)


async def test_it_ends_with_its_event(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    link, _ = await make(world, event_id, photographer)
    past = datetime.now(UTC) - timedelta(hours=1)
    await world.change(events, event_id, expires_at=past)
    await show(world, link, 410)
    await make(world, event_id, photographer, 410)
    await world.delete(events, event_id)
    assert await world.rows(walls) == []
    await show(world, link, 404)


async def test_it_is_no_guests_and_no_strangers_and_there_are_not_too_many(
    world: World, monkeypatch: Any
) -> None:
    monkeypatch.setattr(walls_module, "MAX_WALLS", 1)
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    await make(world, event_id, await world.person(joined=event_id), 403)
    await make(world, event_id, await world.photographer(), 404)
    await make(world, event_id, await world.admin())
    await make(world, event_id, photographer, 409)


async def test_the_invitation_has_no_host_that_nobody_named(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer, code="GALA2026")
    answer = await world.client.get(
        f"/api/photographer/events/{event_id}/invitation", headers=photographer.headers
    )
    assert answer.json() == {"url": "/e/GALA2026", "event_code": "GALA2026"}
