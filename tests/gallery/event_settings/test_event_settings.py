"""What an event looks like, how long it goes on, and who sees what, as its photographer says."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from libs.common.database.tables import audit, events, photos
from libs.common.storage.keys import rendition_key
from libs.common.web.signed_urls import SignedUrls
from services.gallery.events.links import LINK_TURN
from services.gallery.events.rules import LONGEST_LIFE
from tests.gallery.lists.test_participant_photos import ids
from tests.gallery.world import World
from tests.support.people import KEYS, Person


def path(event_id: int) -> str:
    return f"/api/photographer/events/{event_id}/settings"


async def changed(world: World, event_id: int, person: Person, **values: Any) -> Any:
    answer = await asked(world, event_id, person, **values)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def asked(world: World, event_id: int, person: Person, **values: Any) -> httpx.Response:
    return await world.client.patch(path(event_id), json=values, headers=person.headers)


async def looked_up(world: World, code: str) -> Any:
    answer = await world.client.post("/api/look-up-event", json={"event_code": code})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_an_event_looks_as_its_photographer_chose(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer, code="GALA2026")
    photo_id = await world.photo(event_id, show_in_general=False)
    before = await looked_up(world, "GALA2026")
    assert (before["accent"], before["consent_text"], before["cover_url"]) == (None, None, None)
    said = await changed(
        world,
        event_id,
        photographer,
        accent="#0b6e4f",
        consent_text="  The film crew sees them, too. \n\nAsk Zoë. ",
        cover_photo_id=photo_id,
        date="2026-06-01T00:00:00Z",
    )
    assert said["accent"] == "#0B6E4F"
    assert said["consent_text"] == "The film crew sees them, too.\n\nAsk Zoë."
    assert said["cover_photo_id"] == photo_id
    shown = await looked_up(world, "GALA2026")
    assert shown["accent"] == "#0B6E4F"
    assert shown["consent_text"] == said["consent_text"]
    # Also a hidden photo, as it was chosen to be shown here; as small as a preview.
    # Nothing else of it, and for hours: whoever has the code is told the link, without an account.
    [photo] = await world.rows(photos)
    preview = rendition_key(event_id, photo["filename"], "preview")
    for link in (shown["cover_url"], said["cover_url"]):
        ends = datetime.fromtimestamp(int(parse_qs(urlsplit(link).query)["e"][0]), UTC)
        assert link == SignedUrls(KEYS).sign_alone(preview, ends)
        assert ends - datetime.now(UTC) <= 2 * LINK_TURN
    assert shown["date"] == "2026-06-01T00:00:00+00:00"
    got = await world.client.get(path(event_id), headers=photographer.headers)
    assert got.json() | {"cover_url": None} == said | {"cover_url": None}
    assert [topic for topic, _ in await world.sent()] == ["event.changed"]
    [row] = await world.rows(audit)
    assert row["details"] == {"changed": "date,accent,consent_text,cover_photo_id"}


async def test_what_is_not_named_stays_and_null_takes_away(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    photo_id = await world.photo(event_id)
    full = {"accent": "#B93E14", "consent_text": "We film.", "cover_photo_id": photo_id}
    await changed(world, event_id, photographer, **full)
    said = await changed(world, event_id, photographer, name="Ball")
    assert {key: said[key] for key in full} == full
    none = dict.fromkeys(full)
    said = await changed(world, event_id, photographer, **none)
    assert {key: said[key] for key in none} == none
    assert said["name"] == "Ball"
    for nothing in (" \n ", ""):
        said = await changed(world, event_id, photographer, consent_text=nothing)
        assert said["consent_text"] is None


async def test_a_cover_goes_with_its_photo(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    photo_id = await world.photo(event_id)
    await changed(world, event_id, photographer, cover_photo_id=photo_id)
    gone = await world.client.delete(f"/api/photos/{photo_id}", headers=photographer.headers)
    assert gone.status_code == 200
    got = await world.client.get(path(event_id), headers=photographer.headers)
    assert (got.json()["cover_photo_id"], got.json()["cover_url"]) == (None, None)


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"accent": "red"}, 400),
        ({"accent": "#12345"}, 400),
        ({"accent": "#12345678"}, 400),
        ({"consent_text": "x" * 1001}, 400),
        ({"consent_text": "a\u202eb"}, 400),
        ({"name": " "}, 400),
        ({"event_code": "ab"}, 400),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 400),
        ({"expires_at": "2190-01-01T00:00:00Z"}, 400),
        ({"date": "2190-01-01T00:00:00Z"}, 400),
        ({"cover_photo_id": 987654321}, 404),
    ],
)
async def test_what_cannot_be_is_refused_and_changes_nothing(
    world: World, values: dict[str, Any], status: int
) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    before = await world.rows(events)
    answer = await asked(world, event_id, photographer, **({"name": "Other"} | values))
    assert answer.status_code == status, answer.text
    assert await world.rows(events) == before


async def test_another_events_photo_is_no_cover(world: World) -> None:
    photographer = await world.photographer()
    event_id, other = await world.event(photographer), await world.event(photographer)
    answer = await asked(world, event_id, photographer, cover_photo_id=await world.photo(other))
    assert answer.status_code == 404


async def test_an_event_ends_when_its_photographer_says(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    said = await changed(world, event_id, photographer, expires_at=tomorrow.isoformat())
    assert datetime.fromisoformat(said["expires_at"]) == tomorrow


async def test_an_event_that_is_put_off_keeps_its_whole_lifetime(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    date = datetime.now(UTC) + timedelta(days=100)
    said = await changed(world, event_id, photographer, date=date.isoformat())
    assert datetime.fromisoformat(said["expires_at"]) == date + timedelta(days=90)


async def test_an_event_that_is_put_off_may_end_sooner_than_after_its_whole_lifetime(
    world: World,
) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    end = datetime.now(UTC) + LONGEST_LIFE - timedelta(days=1)
    put_off = {"date": (end - timedelta(days=1)).isoformat()}
    answer = await asked(world, event_id, photographer, **put_off)
    assert answer.json() == {"detail": "An event ends within 5 years: choose an earlier date."}
    said = await changed(world, event_id, photographer, **put_off, expires_at=end.isoformat())
    assert datetime.fromisoformat(said["expires_at"]) == end


async def test_an_event_that_was_over_is_matched_again_once_it_goes_on(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer, expires_at=datetime.now(UTC) - timedelta(hours=1))
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    await changed(world, event_id, photographer, expires_at=tomorrow.isoformat())
    assert [topic for topic, _ in await world.sent()] == ["event.changed", "rematch.requested"]


async def test_guests_see_only_what_is_chosen_where_the_event_is_set_so(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer, code="GALA2026")
    guest = await world.person(joined=event_id)
    first = await world.photo(event_id)
    await world.photo(event_id)
    general = f"/api/user/events/{event_id}/all-photos"
    assert len(await ids(world, guest, general)) == 2
    said = await changed(world, event_id, photographer, selected_only=True)
    assert said["selected_only"] is True
    assert (await looked_up(world, "GALA2026"))["photos"] == 0
    [(_, told)] = await world.sent()
    assert told["event_id"] == event_id
    other = await world.person(joined=event_id)
    assert await ids(world, other, general) == []
    await world.change(photos, first, show_in_general=True)
    third = await world.person(joined=event_id)
    assert await ids(world, third, general) == [first]


async def test_settings_are_for_who_runs_the_event(world: World) -> None:
    owner = await world.photographer()
    event_id = await world.event(owner)
    for person, status in (
        (await world.photographer(), 404),
        (await world.person(joined=event_id), 403),
        (await world.admin(), 200),
    ):
        answer = await world.client.get(path(event_id), headers=person.headers)
        assert answer.status_code == status


async def test_a_photographer_deletes_their_event(world: World) -> None:
    owner = await world.photographer()
    event_id = await world.event(owner)
    photo_id = await world.photo(event_id)
    await changed(world, event_id, owner, cover_photo_id=photo_id)
    await world.sent()
    whole = f"/api/photographer/events/{event_id}"
    stranger = await world.photographer()
    assert (await world.client.delete(whole, headers=stranger.headers)).status_code == 404
    assert (await world.client.delete(whole, headers=owner.headers)).status_code == 200
    assert await world.rows(events) == []
    assert {topic for topic, _ in await world.sent()} == {"event.deleted"}
