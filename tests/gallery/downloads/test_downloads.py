"""Links to photos that somebody takes along: for whom, of which photos, and for how long."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, update

from libs.common.database.tables import downloads, events, photos
from libs.common.web.auth import Role
from services.gallery.downloads import rules, take_along
from services.gallery.downloads.take_along import delete_expired_downloads
from tests.gallery.world import World
from tests.support.people import Person
from tests.support.polling import eventually
from tests.support.rows import NEXT_MONTH


async def asked(world: World, event_id: int, person: Person, **body: object) -> httpx.Response:
    path = f"/api/events/{event_id}/downloads"
    return await world.client.post(path, json=body, headers=person.headers)


async def kept(world: World) -> list[Any]:
    async with world.database.read() as connection:
        rows = await connection.execute(downloads.select().order_by(downloads.c.created_at))
    return list(rows)


async def test_a_guest_takes_along_what_shows_them(world: World) -> None:
    event = await world.event()
    guest = await world.person(joined=event)
    mine, _, hidden = [await world.photo(event) for _ in range(3)]
    await world.match(guest, event, [mine, hidden], await world.insert_selfie(guest))
    await world.execute(update(photos).where(photos.c.id == hidden).values(show_in_general=False))

    answer = await asked(world, event, guest, photos="mine")

    found = answer.json()
    assert (answer.status_code, found["photos"], found["left_out"]) == (200, 2, [])
    (row,) = await kept(world)
    assert (row.user_id, row.event_id, row.photo_ids) == (guest.id, event, [mine, hidden])
    assert found["url"].startswith(f"/api/downloads/{row.id}/photos.zip?e=")
    assert found["state_url"].startswith(f"/api/downloads/{row.id}?e=")
    link = await world.client.get(f"/api/events/{event}/my-photos.zip", headers=guest.headers)
    assert link.status_code == 303
    looked = await world.client.head(f"/api/events/{event}/my-photos.zip", headers=guest.headers)
    assert (looked.status_code, looked.content) == (303, b"")
    # The same photos are the same archive.
    assert link.headers["location"].partition("?")[0] == found["url"].partition("?")[0]
    assert len(await kept(world)) == 1


async def test_a_selection_is_what_the_caller_may_see_of_it(world: World) -> None:
    owner = await world.photographer()
    event, elsewhere = await world.event(owner), await world.event()
    guest = await world.person(joined=event)
    seen, hidden, others = [await world.photo(place) for place in (event, event, elsewhere)]
    await world.execute(update(photos).where(photos.c.id == hidden).values(show_in_general=False))
    ids = [others, hidden, seen, 10**12]

    by_guest = await asked(world, event, guest, photo_ids=ids)
    by_owner = await asked(world, event, owner, photo_ids=ids, folders="day")

    assert by_guest.json()["left_out"] == [hidden, others, 10**12]
    assert by_owner.json()["left_out"] == [others, 10**12]
    assert [row.photo_ids for row in await kept(world)] == [[seen], [seen, hidden]]
    nothing = await asked(world, event, guest, photo_ids=[others])
    assert nothing.status_code == 404
    assert "Choose others" in nothing.json()["detail"]


async def test_all_photos_are_for_who_runs_the_event(world: World) -> None:
    owner, helper = await world.photographer(), await world.photographer()
    event = await world.event(owner)
    guest = await world.person(joined=event)
    for photographer in (owner, helper, None):
        await world.photo(event, photographer=photographer, show_in_general=False)
    path = f"/api/events/{event}/all-photos.zip"

    for person in (owner, await world.admin()):
        answer = await asked(world, event, person, photos="all", folders="photographer")
        assert answer.json()["photos"] == 3
        link = await world.client.get(f"{path}?folders=day", headers=person.headers)
        assert link.status_code == 303
    names = {str(owner.id): owner.name, str(helper.id): helper.name}
    assert [row.photographers for row in await kept(world)] == [names, {}, names, {}]
    assert (await asked(world, event, guest, photos="all")).status_code == 403
    assert (await asked(world, event, owner, photos="mine")).status_code == 403
    assert (await asked(world, event, helper, photos="all")).status_code == 404
    assert (await world.client.get(path, headers=guest.headers)).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"photos": "mine", "photo_ids": [1]},
        {"photos": "selected"},
        {"photo_ids": []},
        {"photo_ids": [0]},
        {"photo_ids": [*range(1, rules.MAX_SELECTED + 2)]},
        {"photos": "mine", "folders": "../"},
    ],
)
async def test_a_request_that_says_no_photos_is_refused(
    world: World, body: dict[str, object]
) -> None:
    event = await world.event()
    answer = await asked(world, event, await world.person(joined=event), **body)
    assert answer.status_code == 422
    assert "Which" not in answer.text


async def test_a_link_of_a_guest_ends_with_the_event(world: World) -> None:
    owner = await world.photographer()
    event = await world.event(owner)
    guest = await world.person(joined=event)
    photo = await world.photo(event)
    soon = datetime.now(UTC) + timedelta(hours=2)
    for ends_at, hours in ((NEXT_MONTH, 24), (soon, 2)):
        await world.execute(update(events).values(expires_at=ends_at))
        answer = await asked(world, event, guest, photo_ids=[photo], folders="day")
        until = datetime.fromisoformat(answer.json()["expires_at"])
        assert abs(until - datetime.now(UTC) - timedelta(hours=hours)) < timedelta(minutes=5)
    await world.execute(update(events).values(expires_at=func.now() - timedelta(seconds=1)))
    assert (await asked(world, event, guest, photo_ids=[photo])).status_code == 410
    assert (await asked(world, event, owner, photo_ids=[photo])).status_code == 200


async def test_too_many_photos_for_an_archive_are_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MAX_PHOTOS", 2)
    monkeypatch.setattr(take_along, "MAX_PHOTOS", 2)
    owner = await world.photographer()
    event = await world.event(owner)
    ids = [await world.photo(event) for _ in range(3)]
    refused = await asked(world, event, owner, photos="all")
    assert (refused.status_code, "at most 2 photos" in refused.text) == (400, True)
    assert (await asked(world, event, owner, photo_ids=ids[:2])).status_code == 200


async def test_an_account_keeps_so_many_and_the_last_ones(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(take_along, "MAX_KEPT", 2)
    event = await world.event()
    guest = await world.person(Role.PARTICIPANT, joined=event)
    ids = [await world.photo(event) for _ in range(3)]
    for photo in (*ids, ids[1]):
        await asked(world, event, guest, photo_ids=[photo])
    assert [row.photo_ids for row in await kept(world)] == [[ids[2]], [ids[1]]]


async def test_too_many_links_an_hour_are_refused(world: World) -> None:
    event = await world.event()
    guest = await world.person(joined=event)
    photo = await world.photo(event)
    answers = [await asked(world, event, guest, photo_ids=[photo]) for _ in range(101)]
    assert [answer.status_code for answer in answers] == [200] * 100 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0


async def test_choices_go_when_their_links_are_good_no_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(take_along, "CLEANED_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(take_along, "DELETED_AT_ONCE", 1)
    event = await world.event()
    guest = await world.person(joined=event)
    for _ in range(3):
        await asked(world, event, guest, photo_ids=[await world.photo(event)])
    last = (await kept(world))[-1].id
    await world.execute(
        update(downloads).where(downloads.c.id != last).values(expires_at=func.now())
    )
    task = asyncio.create_task(delete_expired_downloads(world.services_database))
    try:

        async def are_gone() -> bool:
            return [row.id for row in await kept(world)] == [last]

        await eventually(are_gone)
    finally:
        task.cancel()
