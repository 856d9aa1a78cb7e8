from datetime import timedelta

import pytest

from libs.common.database.tables import outbox, photos
from libs.common.web.auth import Role
from services.gallery.settings import DELETE_AGAIN_SECONDS
from tests.gallery.world import NOON, World


async def test_a_photographer_sees_their_events_the_first_one_by_itself(world: World) -> None:
    photographer = await world.photographer()
    answer = await world.client.get("/api/photographer/my-event", headers=photographer.headers)
    assert answer.status_code == 404
    first, second = await world.event(photographer), await world.event(photographer)
    await world.event(await world.photographer())
    answer = await world.client.get("/api/photographer/events", headers=photographer.headers)
    assert [event["id"] for event in answer.json()] == [second, first]
    answer = await world.client.get("/api/photographer/my-event", headers=photographer.headers)
    assert set(answer.json()) == {
        "id",
        "name",
        "event_code",
        "date",
        "photographer_id",
        "expires_at",
        "strip_metadata",
        "duplicates",
        "time_zone",
    }
    assert answer.json()["id"] == first


async def test_an_events_photos_say_how_far_they_are_and_why_one_failed(world: World) -> None:
    photographer, admin = await world.photographer(), await world.admin()
    event_id = await world.event(photographer)
    failed = await world.photo(
        event_id, status="failed", error="The file is truncated.", show_in_general=False
    )
    queued = await world.photo(
        event_id, status="queued", uploaded_at=NOON + timedelta(seconds=1), show_in_general=True
    )
    for person in (photographer, admin):
        answer = await world.client.get(
            f"/api/photographer/events/{event_id}/photos", headers=person.headers
        )
        assert [
            (
                photo["id"],
                photo["processing_status"],
                photo["processing_error"],
                photo["show_in_general"],
            )
            for photo in answer.json()
        ] == [
            (queued, "queued", None, True),
            (failed, "failed", "The file is truncated.", False),
        ]
    page = await world.client.get(
        f"/api/photographer/events/{event_id}/photos?limit=1", headers=photographer.headers
    )
    rest = await world.client.get(page.links["next"]["url"], headers=photographer.headers)
    assert [photo["id"] for photo in rest.json()] == [failed]
    assert "next" not in rest.links


async def test_a_note_on_a_photo_is_for_photographers_alone(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    await world.photo(event_id, note="The picture is damaged.", show_in_general=True)
    await world.photo(event_id, uploaded_at=NOON - timedelta(seconds=1))
    guest = await world.person(joined=event_id)

    answer = await world.client.get(
        f"/api/photographer/events/{event_id}/photos", headers=photographer.headers
    )
    assert [photo["processing_note"] for photo in answer.json()] == [
        "The picture is damaged.",
        None,
    ]
    answer = await world.client.get(
        f"/api/user/events/{event_id}/all-photos", headers=guest.headers
    )
    assert answer.json()
    assert "processing_note" not in answer.json()[0]


async def test_progress_counts_photos_by_status(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    await world.photo(await world.event(photographer), status="failed")
    for status, count in [("queued", 3), ("analyzed", 2), ("done", 1)]:
        for _ in range(count):
            await world.photo(event_id, status=status)
    answer = await world.client.get(
        f"/api/photographer/events/{event_id}/progress", headers=photographer.headers
    )
    assert answer.json() == {"total": 6, "queued": 3, "analyzed": 2, "done": 1, "failed": 0}


async def test_uploaded_photos_are_those_of_all_events(world: World) -> None:
    photographer = await world.photographer()
    events = [await world.event(photographer), await world.event()]
    mine = [await world.photo(event_id, photographer=photographer) for event_id in events]
    await world.photo(events[0])
    answer = await world.client.get("/api/my-uploaded-photos", headers=photographer.headers)
    assert [(photo["id"], photo["event_id"]) for photo in answer.json()] == list(
        zip(mine[::-1], events[::-1], strict=True)
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "photos"), ("GET", "progress"), ("POST", "rematch")],
)
async def test_other_photographers_events_are_not_found(
    world: World, method: str, path: str
) -> None:
    event_id = await world.event(await world.photographer())
    stranger = await world.photographer()
    for asked in (event_id, event_id + 100):
        answer = await world.client.request(
            method, f"/api/photographer/events/{asked}/{path}", headers=stranger.headers
        )
        assert (answer.status_code, answer.json()) == (404, {"detail": "Event not found"})
    assert await world.sent() == []


async def test_a_photo_is_shown_hidden_and_left_open(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    photo_id = await world.photo(event_id)
    for show in (True, False, None):
        answer = await world.client.put(
            f"/api/photos/{photo_id}/show-in-general",
            json={"show_in_general": show},
            headers=photographer.headers,
        )
        assert (answer.status_code, answer.json()["show_in_general"]) == (200, show)
        assert (await world.rows(photos))[0]["show_in_general"] is show
    assert [(topic, body["photo_id"]) for topic, body in await world.sent()] == [
        ("photo.changed", photo_id)
    ] * 3


async def test_in_bulk_others_photos_are_skipped(world: World) -> None:
    photographer, other = await world.photographer(), await world.photographer()
    mine = [await world.photo(await world.event(photographer)) for _ in range(2)]
    # Who uploaded it does not matter: the event's photographer decides.
    theirs = await world.photo(await world.event(other), photographer=photographer)
    url = "/api/photos/bulk/show-in-general"
    answer = await world.client.put(
        url,
        json={"photo_ids": [*mine, theirs, 10**9], "show_in_general": True},
        headers=photographer.headers,
    )
    assert answer.status_code == 200
    assert set(answer.json()) == {"message", "updated_count", "show_in_general"}
    assert answer.json()["updated_count"] == 2
    shown = {row["id"]: row["show_in_general"] for row in await world.rows(photos)}
    assert shown == {mine[0]: True, mine[1]: True, theirs: None}
    for ids, status in ([], 400), ([theirs], 404), ([0], 422), ([2**63], 422):
        answer = await world.client.put(
            url, json={"photo_ids": ids, "show_in_general": True}, headers=photographer.headers
        )
        assert answer.status_code == status


async def test_a_deleted_photo_is_gone_and_its_objects_are_asked_to_go(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    photo_id = await world.photo(event_id)
    filename = (await world.rows(photos))[0]["filename"]
    stranger = await world.photographer()
    url = f"/api/photos/{photo_id}"
    assert (await world.client.delete(url, headers=stranger.headers)).status_code == 404
    assert await world.sent() == []
    assert (await world.client.delete(url, headers=photographer.headers)).status_code == 200
    assert (await world.client.delete(url, headers=photographer.headers)).status_code == 404
    assert await world.rows(photos) == []
    first, again = sorted(await world.rows(outbox), key=lambda row: row["next_attempt_at"])
    wait = (again["next_attempt_at"] - first["next_attempt_at"]).total_seconds()
    assert wait == pytest.approx(DELETE_AGAIN_SECONDS, abs=1)
    sent = await world.sent()
    assert [topic for topic, _ in sent] == ["photo.deleted"] * 2
    for _, body in sent:
        named = (body["event_id"], body["photo_id"], body["filename"])
        assert named == (event_id, photo_id, filename)


async def test_several_photos_are_deleted_others_are_skipped(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    mine = [await world.photo(event_id) for _ in range(3)]
    theirs = await world.photo(await world.event())
    answer = await world.client.delete(
        f"/api/photos?photo_ids={mine[0]},{mine[1]},{theirs}", headers=photographer.headers
    )
    assert (answer.status_code, answer.json()["deleted_count"]) == (200, 2)
    assert {row["id"] for row in await world.rows(photos)} == {mine[2], theirs}
    assert [topic for topic, _ in await world.sent()] == ["photo.deleted"] * 4
    for joined, status in ("", 400), ("1,x", 400), ("9" * 30, 400), (str(theirs), 404):
        answer = await world.client.delete(
            f"/api/photos?photo_ids={joined}", headers=photographer.headers
        )
        assert answer.status_code == status


async def test_a_rematch_is_scheduled_by_the_owner_and_by_admins(world: World) -> None:
    photographer, admin = await world.photographer(), await world.admin()
    event_id = await world.event(photographer)
    for person, prefix in (photographer, "photographer"), (admin, "admin"):
        answer = await world.client.post(
            f"/api/{prefix}/events/{event_id}/rematch", headers=person.headers
        )
        assert answer.json() == {"scheduled": True, "event_id": event_id}
        assert [(topic, body["event_id"]) for topic, body in await world.sent()] == [
            ("rematch.requested", event_id)
        ]
    answer = await world.client.post(
        f"/api/admin/events/{event_id + 100}/rematch", headers=admin.headers
    )
    assert answer.status_code == 404


async def test_admins_see_others_events_as_well(world: World) -> None:
    event_id = await world.event(await world.photographer())
    admin = await world.person(Role.ADMIN)
    answer = await world.client.get(
        f"/api/photographer/events/{event_id}/progress", headers=admin.headers
    )
    assert answer.status_code == 200


async def test_guests_are_told_of_a_photo_only_where_they_saw_it_or_see_it_now(
    world: World,
) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    hidden, other = [await world.photo(event_id, show_in_general=False) for _ in range(2)]

    async def told(photo_id: int, *, show: bool | None) -> bool:
        answer = await world.client.put(
            f"/api/photos/{photo_id}/show-in-general",
            json={"show_in_general": show},
            headers=photographer.headers,
        )
        assert answer.status_code == 200
        ((_, body),) = await world.sent()
        return bool(body["seen_by_all"])

    assert not await told(hidden, show=False)
    assert await told(hidden, show=None)
    assert await told(hidden, show=True)
    # With a selection, what is neither shown nor hidden is not seen either.
    assert not await told(other, show=None)
    assert not await told(other, show=False)
    assert await told(hidden, show=False)


async def test_the_message_of_a_deleted_photo_names_who_could_see_it(world: World) -> None:
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    guest, other = [await world.person(joined=event_id) for _ in range(2)]
    general = await world.photo(event_id)
    hidden = await world.photo(event_id, show_in_general=False)
    for person, photo_id in ((guest, hidden), (other, general)):
        await world.match(person, event_id, [photo_id], await world.selfie(person))
    answer = await world.client.delete(
        f"/api/photos?photo_ids={general},{hidden}", headers=photographer.headers
    )
    assert answer.status_code == 200
    told = [
        (body["photo_id"], body["seen_by_all"], body["user_ids"]) for _, body in await world.sent()
    ]
    assert sorted(told[:2]) == [(general, True, [other.id]), (hidden, False, [guest.id])]
    # When its objects are looked for again, nobody is told of it a second time.
    assert sorted(told[2:]) == [(general, False, []), (hidden, False, [])]
