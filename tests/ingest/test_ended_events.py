"""Nothing comes into an event that is over."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import events, selfies
from libs.common.web.auth import Role
from services.ingest.photos import repository
from tests.ingest.conftest import Gallery, Ingest
from tests.ingest.test_selfies import SELFIE, guest_of, rows, upload
from tests.support.image_files import image_file

OVER = "This event has ended: its photos are not shown any more. Its photographer can prolong it."


async def end(ingest: Ingest, event_id: int) -> None:
    past: Any = func.now() - timedelta(seconds=1)
    await ingest.world.execute(
        update(events).where(events.c.id == event_id).values(expires_at=past)
    )


@pytest.mark.parametrize("route", ["upload-photos", "upload-photos-async"])
async def test_photos_for_an_event_that_is_over_are_refused_unread(
    gallery: Gallery, route: str
) -> None:
    ingest = gallery.ingest
    await end(ingest, gallery.event_id)
    admin = await ingest.world.user("admin")
    for headers in (gallery.headers, ingest.headers(admin, Role.ADMIN)):
        answer = await ingest.client.post(
            f"/api/photographer/events/{gallery.event_id}/{route}",
            headers=headers,
            files=[("files", ("a.jpg", image_file(), "image/jpeg"))],
        )
        assert (answer.status_code, answer.json()) == (410, {"detail": OVER})
    stranger = await ingest.world.user("photographer")
    refused = await ingest.client.post(gallery.url, headers=ingest.headers(stranger))
    assert refused.status_code == 403
    assert not await ingest.photos()
    assert not await ingest.objects()


async def test_of_an_event_that_ends_during_an_upload_the_rest_is_refused_and_leaves_nothing(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = repository.find_earlier_photo
    asked = 0

    async def find_and_end(connection: AsyncConnection, event_id: int, *told: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 2:
            await end(gallery.ingest, event_id)
        return await find(connection, event_id, *told)

    monkeypatch.setattr(repository, "find_earlier_photo", find_and_end)
    answer = await gallery.upload(*((f"{n}.jpg", image_file(seed=n)) for n in range(3)))
    assert (answer.status_code, answer.json()) == (410, {"detail": OVER})
    assert len(await gallery.ingest.photos()) == len(await gallery.ingest.objects()) == 1


async def test_a_selfie_that_finds_nothing_any_more_is_refused_before_it_is_looked_at(
    ingest: Ingest,
) -> None:
    guest, event_ids = await guest_of(ingest, 2)
    for event_id in event_ids:
        await end(ingest, event_id)
    ingest.recognition.refused.add(SELFIE)  # as it would, if it were asked
    answer = await upload(ingest, guest)
    assert (answer.status_code, answer.json()) == (410, {"detail": OVER})
    assert not await ingest.objects()
    assert not await rows(ingest, selfies)


async def test_a_selfie_is_matched_in_the_guests_open_events_only(ingest: Ingest) -> None:
    guest, (over, open_event) = await guest_of(ingest, 2)
    await end(ingest, over)
    assert (await upload(ingest, guest)).status_code == 200
    assert [(topic, body["event_id"]) for topic, body in await ingest.messages()] == [
        ("selfie.uploaded", open_event)
    ]


async def test_a_guest_of_no_event_sends_a_selfie_for_the_first_one(ingest: Ingest) -> None:
    assert (await upload(ingest, await ingest.world.user())).status_code == 200
