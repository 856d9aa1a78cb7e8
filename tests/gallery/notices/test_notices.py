"""Guests are told of new photos: once for each, and only those who want to be."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text, update

from libs.common.database.tables import audit, mails, match_overrides, photo_notices, users
from tests.gallery.world import World
from tests.support.mailbox import sent_mails
from tests.support.people import Person


async def notified(
    world: World, event_id: int, photographer: Person, **query: object
) -> dict[str, Any]:
    answer = await world.client.post(
        f"/api/photographer/events/{event_id}/notify-photos-available",
        headers=photographer.headers,
        params={name: str(value) for name, value in query.items()},
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def guest_in(world: World, event_id: int, *photo_ids: int, **account: Any) -> Person:
    guest = await world.person(joined=event_id, **account)
    await world.match(guest, event_id, list(photo_ids), await world.selfie(guest))
    return guest


async def told(world: World) -> dict[str, str]:
    """Who was told what since last time."""
    return {recipient: str(mail["Subject"]) for recipient, mail in await sent_mails(world.database)}


async def test_each_guest_with_new_photos_gets_one_mail_and_none_for_the_same_photos(
    world: World,
) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer, code="GALA1234")
    photos = [await world.photo(event_id) for _ in range(3)]
    anna = await guest_in(world, event_id, *photos[:2])
    bob = await guest_in(world, event_id, photos[1], language="fr")
    await world.person(joined=event_id)  # is in no photo
    assert await notified(world, event_id, photographer) == {
        "scheduled": True,
        "dry_run": False,
        "recipients_count": 2,
        "message": "2 guests will get a mail.",
    }
    assert await told(world) == {
        f"{anna.name}@example.org": "2 new photos of you: Event GALA1234",
        f"{bob.name}@example.org": "Une nouvelle photo de vous : Event GALA1234",
    }
    assert (await notified(world, event_id, photographer))["recipients_count"] == 0
    assert await told(world) == {}
    await world.match(bob, event_id, [photos[2]], await world.selfie(bob))
    assert (await notified(world, event_id, photographer))["recipients_count"] == 1
    assert list(await told(world)) == [f"{bob.name}@example.org"]
    assert {row["action"] for row in await world.rows(audit)} == {"mail.sent_to_guests"}


async def test_a_dry_run_counts_the_same_and_tells_nobody(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    await guest_in(world, event_id, await world.photo(event_id))
    for query in ({"dry_run": True}, {"dry_run": "1"}):
        answer = await notified(world, event_id, photographer, **query)
        assert (answer["recipients_count"], answer["dry_run"], answer["scheduled"]) == (
            1,
            True,
            False,
        )
    counted = await world.client.post(
        f"/api/photographer/events/{event_id}/notify-photos-available",
        headers=photographer.headers,
        json={"dry_run": True},
    )
    assert counted.json()["message"] == "1 guest would get a mail."
    assert await world.rows(mails) == await world.rows(photo_notices) == []
    assert (await notified(world, event_id, photographer))["recipients_count"] == 1


async def test_whom_no_mail_should_reach_gets_none(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    photo_id = await world.photo(event_id)
    await guest_in(world, event_id, photo_id, wants_news=False)
    await guest_in(world, event_id, photo_id, is_active=False)
    await guest_in(world, event_id, photo_id, email="no address")
    denied = await guest_in(world, event_id, photo_id)
    await world.execute(
        match_overrides.insert().values(
            user_id=denied.id, event_id=event_id, photo_id=photo_id, verdict="not_me"
        )
    )
    assert (await notified(world, event_id, photographer, dry_run=True))["recipients_count"] == 0
    assert (await notified(world, event_id, photographer))["recipients_count"] == 0
    assert await told(world) == {}


async def test_a_guest_who_wants_news_again_is_told_of_what_came_meanwhile(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    await guest_in(world, event_id, await world.photo(event_id), wants_news=False)
    assert (await notified(world, event_id, photographer))["recipients_count"] == 0
    await world.execute(update(users).values(wants_news=True))
    assert (await notified(world, event_id, photographer))["recipients_count"] == 1


async def test_asked_twice_at_once_each_guest_gets_one_mail(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    photos = [await world.photo(event_id) for _ in range(3)]
    for _ in range(4):
        await guest_in(world, event_id, *photos)
    answers = await asyncio.gather(*(notified(world, event_id, photographer) for _ in range(3)))
    assert sum(answer["recipients_count"] for answer in answers) == 4
    assert len(await sent_mails(world.database)) == 4


async def test_somebody_elses_event_is_not_found(world: World) -> None:
    event_id = await world.event(await world.photographer())
    stranger = await world.photographer()
    for path in (event_id, 10**9):
        answer = await world.client.post(
            f"/api/photographer/events/{path}/notify-photos-available", headers=stranger.headers
        )
        assert answer.status_code == 404


async def test_guests_of_an_event_that_is_over_are_not_told_of_what_they_cannot_see(
    world: World,
) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    await guest_in(world, event_id, await world.photo(event_id))
    answer = await world.client.post(
        f"/api/photographer/events/{event_id}/notify-photos-available",
        headers=photographer.headers,
    )
    assert answer.status_code == 410
    assert await world.rows(mails) == []


async def test_what_is_known_of_a_photo_goes_with_it(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    await guest_in(world, event_id, await world.photo(event_id))
    await notified(world, event_id, photographer)
    assert len(await world.rows(photo_notices)) == 1
    await world.execute(text("DELETE FROM photos"))
    assert await world.rows(photo_notices) == []
