from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, update

from libs.common.database.tables import events, photos
from libs.common.storage.folder import FolderStore
from libs.common.storage.protocol import ObjectInfo
from libs.common.web.auth import Role
from libs.common.web.session_cookie import TOKEN_COOKIE
from services.media.settings import MediaSettings
from tests.media.world import Photo, World, cached_seconds, running_world
from tests.support.people import Person
from tests.support.rows import NEXT_MONTH
from tests.support.settings import settings_of

#: Above what is sent at once, and no multiple of a piece.
LARGE = bytes(range(256)) * 4000 + b"end"


def _paths(photo: Photo) -> list[str]:
    return [f"/api/photo/{photo.id}", f"/api/image/{photo.filename}"]


def until(moment: datetime) -> float:
    return (moment - datetime.now(UTC)).total_seconds()


async def _guest_and_photo(
    world: World, data: bytes = b"the photo's bytes"
) -> tuple[Person, Photo]:
    event = await world.event()
    return await world.person(joined=event), await world.photo(event, data)


async def test_a_guest_gets_the_photo_by_id_and_by_filename(any_world: World) -> None:
    event = await any_world.event()
    guest = await any_world.person(joined=event)
    for data in (b"the photo's bytes", LARGE, b""):
        photo = await any_world.photo(event, data)
        for path in _paths(photo):
            answer = await any_world.client.get(path, headers=guest.headers)

            assert answer.status_code == 200
            assert answer.content == data
            assert answer.headers["content-length"] == str(len(data))
            assert answer.headers["content-type"] == "image/jpeg"
            assert cached_seconds(answer) == pytest.approx(until(NEXT_MONTH), abs=60)
            assert answer.headers["etag"] == (await any_world.store.stat(photo.key)).etag
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-disposition"] == 'inline; filename="IMG_1.jpg"'


async def test_the_login_cookie_is_enough_for_an_image_element(world: World) -> None:
    guest, photo = await _guest_and_photo(world)
    cookie = {"Cookie": f"{TOKEN_COOKIE}={guest.token}"}

    for path in _paths(photo):
        assert (await world.client.get(path, headers=cookie)).content == photo.data


async def test_the_photographer_and_admins_see_the_event_s_photos(world: World) -> None:
    photographer = await world.person(Role.PHOTOGRAPHER)
    admin = await world.person(Role.ADMIN)
    photo = await world.photo(await world.event(photographer))

    for person in (photographer, admin):
        for path in _paths(photo):
            assert (await world.client.get(path, headers=person.headers)).status_code == 200


async def test_nobody_else_learns_that_the_photo_exists(world: World) -> None:
    other_event = await world.event()
    stranger = await world.person(joined=other_event)
    other_photographer = await world.person(Role.PHOTOGRAPHER)
    photo = await world.photo(await world.event())

    for person in (stranger, other_photographer):
        for path, unknown in zip(_paths(photo), ["/api/photo/999", "/api/image/x"], strict=True):
            refused = await world.client.get(path, headers=person.headers)
            missing = await world.client.get(unknown, headers=person.headers)

            assert refused.status_code == missing.status_code == 404
            assert refused.json() == missing.json() == {"detail": "Photo not found"}


async def test_a_hidden_photo_is_served_to_those_whom_it_shows_and_to_no_other_guest(
    world: World,
) -> None:
    photographer = await world.person(Role.PHOTOGRAPHER)
    event = await world.event(photographer)
    shown, other = [await world.person(joined=event) for _ in range(2)]
    photo = await world.photo(event)
    await world.execute(photos.update().values(show_in_general=False))
    await world.match(shown, event, [photo.id], await world.insert_selfie(shown))

    for path in _paths(photo):
        for person, status in ((shown, 200), (photographer, 200), (other, 404)):
            answer = await world.client.get(path, headers=person.headers)
            assert answer.status_code == status


async def test_where_the_photographer_selects_the_other_photos_are_served_to_nobody(
    world: World,
) -> None:
    guest, photo = await _guest_and_photo(world)
    selected = await world.photo(photo.event_id)
    for path in _paths(photo):
        assert (await world.client.get(path, headers=guest.headers)).status_code == 200
    await world.execute(
        photos.update().where(photos.c.id == selected.id).values(show_in_general=True)
    )

    for path in _paths(photo):
        assert (await world.client.get(path, headers=guest.headers)).status_code == 404
    for path in _paths(selected):
        assert (await world.client.get(path, headers=guest.headers)).status_code == 200


async def test_from_its_events_end_on_a_photo_is_served_to_who_runs_it_alone(world: World) -> None:
    photographer = await world.person(Role.PHOTOGRAPHER)
    admin = await world.person(Role.ADMIN)
    photo = await world.photo(await world.event(photographer))
    guest, stranger = await world.person(joined=photo.event_id), await world.person()
    await world.execute(update(events).values(expires_at=func.now()))

    for path in _paths(photo):
        for person, status in ((guest, 410), (stranger, 404), (photographer, 200), (admin, 200)):
            answer = await world.client.get(path, headers=person.headers)
            assert answer.status_code == status
    await world.execute(update(events).values(erasure_began_at=func.now()))
    for path in _paths(photo):
        for person in (guest, photographer, admin):
            assert (await world.client.get(path, headers=person.headers)).status_code == 410


async def test_a_guests_browser_keeps_no_photo_beyond_its_events_end(world: World) -> None:
    photographer = await world.person(Role.PHOTOGRAPHER)
    ends_at = datetime.now(UTC) + timedelta(hours=1)
    photo = await world.photo(await world.event(photographer, expires_at=ends_at))
    guest = await world.person(joined=photo.event_id)

    for path in _paths(photo):
        for person, seconds in ((guest, until(ends_at)), (photographer, 365 * 24 * 60 * 60)):
            answer = await world.client.get(path, headers=person.headers)
            assert cached_seconds(answer) == pytest.approx(seconds, abs=60)


async def test_without_a_token_the_answer_asks_to_log_in(world: World) -> None:
    photo = await world.photo(await world.event())

    for path in _paths(photo):
        answer = await world.client.get(path)

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_deleted_photo_is_gone_at_once(world: World) -> None:
    guest, photo = await _guest_and_photo(world)
    await world.delete_row(photo)

    for path in _paths(photo):
        assert (await world.client.get(path, headers=guest.headers)).status_code == 404


async def test_a_photo_whose_bytes_are_lost_is_said_to_be_lost(any_world: World) -> None:
    guest, photo = await _guest_and_photo(any_world)
    await any_world.store.delete(photo.key)

    for path in _paths(photo):
        answer = await any_world.client.get(path, headers=guest.headers)
        assert answer.status_code == 410
        assert answer.json()["detail"].startswith("This photo's file is lost.")


async def test_a_photo_that_goes_away_before_its_first_byte_is_a_clean_not_found(
    database_url: str, tmp_path: Path
) -> None:
    class ForgetfulStore(FolderStore):
        """Loses an object as soon as it was looked at."""

        async def stat(self, key: str) -> ObjectInfo:
            info = await super().stat(key)
            await self.delete(key)
            return info

    store = await ForgetfulStore.open(tmp_path / "store")
    async with running_world(settings_of(MediaSettings, database_url), store) as world:
        for data in (b"small", LARGE):
            guest, photo = await _guest_and_photo(world, data)

            answer = await world.client.get(f"/api/photo/{photo.id}", headers=guest.headers)

            assert answer.status_code == 404
            assert answer.json() == {"detail": "object not found"}


@pytest.mark.parametrize(
    ("path", "status"),
    [("/api/image/a%00b", 422), (f"/api/photo/{2**63 - 1}", 404), ("/api/image/%2e", 404)],
)
async def test_an_odd_name_is_just_not_found(world: World, path: str, status: int) -> None:
    admin = await world.person(Role.ADMIN)

    assert (await world.client.get(path, headers=admin.headers)).status_code == status


async def test_head_tells_what_get_would(any_world: World) -> None:
    guest, photo = await _guest_and_photo(any_world, LARGE)

    for path in _paths(photo):
        head = await any_world.client.head(path, headers=guest.headers | {"Range": "bytes=0-1"})
        get = await any_world.client.get(path, headers=guest.headers)

        assert head.status_code == 200
        assert head.content == b""
        assert _lasting(head) == _lasting(get)
        # Its age runs down by the second between the two.
        assert 0 <= cached_seconds(head) - cached_seconds(get) < 60


async def test_a_second_visit_costs_no_bytes(any_world: World) -> None:
    guest, photo = await _guest_and_photo(any_world)
    path = f"/api/photo/{photo.id}"
    etag = (await any_world.client.get(path, headers=guest.headers)).headers["etag"]

    answer = await any_world.client.get(path, headers=guest.headers | {"If-None-Match": etag})

    assert answer.status_code == 304
    assert answer.content == b""
    assert answer.headers["etag"] == etag
    assert cached_seconds(answer) == pytest.approx(until(NEXT_MONTH), abs=60)


async def test_a_range_is_a_part_of_the_photo(any_world: World) -> None:
    guest, photo = await _guest_and_photo(any_world, LARGE)
    end_of_photo = len(LARGE)

    for header, start, end in [
        ("bytes=0-9", 0, 10),
        ("bytes=500000-", 500_000, end_of_photo),
        ("bytes=-5", end_of_photo - 5, end_of_photo),
        ("bytes=100-900000", 100, 900_001),
    ]:
        answer = await any_world.client.get(
            f"/api/photo/{photo.id}", headers=guest.headers | {"Range": header}
        )

        assert answer.status_code == 206
        assert answer.content == LARGE[start:end]
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{end_of_photo}"
        assert answer.headers["content-length"] == str(end - start)


async def test_a_range_behind_the_end_is_refused(world: World) -> None:
    guest, photo = await _guest_and_photo(world, b"0123456789")

    answer = await world.client.get(
        f"/api/photo/{photo.id}", headers=guest.headers | {"Range": "bytes=10-"}
    )

    assert answer.status_code == 416
    assert answer.content == b""
    assert answer.headers["content-range"] == "bytes */10"


async def test_a_range_of_an_object_that_changed_gets_the_whole(world: World) -> None:
    guest, photo = await _guest_and_photo(world)
    wanted = guest.headers | {"Range": "bytes=0-1", "If-Range": '"of another object"'}

    answer = await world.client.get(f"/api/photo/{photo.id}", headers=wanted)

    assert (answer.status_code, answer.content) == (200, photo.data)


async def test_the_original_name_survives_with_any_letter(world: World) -> None:
    event = await world.event()
    guest = await world.person(joined=event)
    photo = await world.photo(event, original_filename="Grüße 😀.jpg")

    answer = await world.client.get(f"/api/photo/{photo.id}", headers=guest.headers)

    assert answer.headers["content-disposition"] == (
        "inline; filename=\"Gr__e _.jpg\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%F0%9F%98%80.jpg"
    )


async def test_no_stored_type_can_make_a_browser_run_an_upload(world: World) -> None:
    event = await world.event()
    guest = await world.person(joined=event)

    for content_type in ("text/html", "image/svg+xml"):
        photo = await world.photo(event, content_type=content_type)
        answer = await world.client.get(f"/api/photo/{photo.id}", headers=guest.headers)

        assert answer.headers["content-type"] == "application/octet-stream"


async def test_a_client_that_leaves_early_does_not_stop_the_service(any_world: World) -> None:
    guest, photo = await _guest_and_photo(any_world, LARGE * 20)

    for _ in range(3):
        async with any_world.client.stream(
            "GET", f"/api/photo/{photo.id}", headers=guest.headers
        ) as answer:
            await anext(answer.aiter_bytes(1000))

    answer = await any_world.client.get(f"/api/photo/{photo.id}", headers=guest.headers)
    assert answer.content == photo.data


def _lasting(answer: httpx.Response) -> dict[str, str]:
    return {
        name: value
        for name, value in answer.headers.items()
        if name not in {"date", "x-request-id", "cache-control"}
    }
