import pytest
from sqlalchemy import update

from libs.common.database.tables import events
from tests.support.rekognition.album import Album
from tests.support.rekognition.pictures import picture_of
from tests.support.rekognition.sight import see_angles
from tests.support.rekognition_server import Fault, RekognitionServer

pytestmark = pytest.mark.usefixtures("recognition")


async def test_photos_after_and_before_the_selfie_are_matched_with_it(
    album: Album, server: RekognitionServer
) -> None:
    event = await album.event()
    before = await album.picture(event, 1, 2)
    await album.picture(event, 3)
    await album.settled()
    guest = await album.guest(event, 1)
    await album.settled()
    assert await album.matches(event) == {(guest, before)}
    after = await album.picture(event, 4, 1)
    await album.settled()
    assert await album.matches(event) == {(guest, before), (guest, after)}
    assert server.count()["IndexFaces"] == 4


async def test_photos_and_selfies_in_one_batch_lose_no_match_and_make_none_up(
    album: Album, server: RekognitionServer
) -> None:
    event = await album.event()
    guests = {await album.guest(event, person): person for person in range(1, 6)}
    photos = {}
    for number in range(12):
        people = {number % 5 + 1, number % 7 + 1, 50 + number}
        photos[await album.picture(event, *people)] = people
    await album.settled()
    assert await album.matches(event) == {
        (guest, photo)
        for guest, person in guests.items()
        for photo, people in photos.items()
        if person in people
    }
    counted = server.count()
    assert counted["IndexFaces"] == len(guests) + len(photos)
    assert counted["CreateCollection"] == 1


async def test_a_match_names_the_face_its_box_and_its_similarity(
    album: Album,
) -> None:
    event = await album.event()
    photo = await album.picture(event, 7, 8)
    guest = await album.guest(event, 8)
    await album.settled()
    row = await album.scalar(
        "SELECT f.left FROM matches m JOIN faces f ON f.id = m.face_id"
        " WHERE m.user_id = :guest AND m.photo_id = :photo AND m.similarity > 99",
        guest=guest,
        photo=photo,
    )
    assert row == pytest.approx(1 / 15, abs=1e-3)


async def test_a_face_that_is_nearly_alike_is_kept_and_shown_when_the_threshold_allows(
    album: Album, server: RekognitionServer
) -> None:
    server.collections.sight = see_angles
    event = await album.event()
    guest = await album.guest(event, 0)
    near, _ = await album.picture(event, 37), await album.picture(event, 45)
    await album.settled()
    kept = await album.scalar("SELECT jsonb_object_agg(photo_id, round(similarity)) FROM matches")
    assert kept == {str(near): 80}
    assert await album.matches(event) == set()
    await album.execute(update(events).values(match_threshold=79))
    assert await album.matches(event) == {(guest, near)}
    searches = [call.parameters for call in server.calls if call.operation == "SearchFaces"]
    assert {search["FaceMatchThreshold"] for search in searches} == {75}


async def test_without_selfies_nothing_is_searched_and_without_photos_neither(
    album: Album, server: RekognitionServer
) -> None:
    event, other = await album.event(), await album.event()
    await album.picture(event, 1, 2)
    await album.guest(other, 1)
    await album.settled()
    assert server.count()["SearchFaces"] == 0


async def test_events_are_kept_apart(album: Album) -> None:
    first, second = await album.event(), await album.event()
    await album.guest(first, 1)
    guest = await album.guest(second, 1)
    photo = await album.picture(second, 1)
    await album.settled()
    assert await album.matches(first) == set()
    assert await album.matches(second) == {(guest, photo)}


async def test_throttled_calls_are_made_again_and_not_counted_as_calls(
    album: Album, server: RekognitionServer
) -> None:
    server.fail("CreateCollection", Fault.THROTTLED)
    server.fail("IndexFaces", Fault.THROTTLED, Fault.THROUGHPUT, Fault.THROTTLED)
    server.fail("SearchFaces", Fault.THROTTLED)
    event = await album.event()
    guest = await album.guest(event, 1)
    await album.settled()
    photo = await album.picture(event, 1)
    await album.settled()
    assert await album.matches(event) == {(guest, photo)}
    assert server.count() == {"CreateCollection": 1, "IndexFaces": 2, "SearchFaces": 1}


async def test_a_photo_that_the_service_refuses_fails_and_the_others_do_not(
    album: Album,
) -> None:
    event = await album.event()
    bad = await album.photo(event, b"\xff\xd8\xff no picture")
    good = await album.picture(event, 1)
    await album.settled()
    assert (await album.photo_row(bad)).processing_status == "failed"
    assert (await album.photo_row(good)).processing_status == "done"


async def test_a_selfie_without_a_face_ends_as_failed(album: Album) -> None:
    event, user = await album.event(), await album.user()
    await album.join(user, event)
    await album.selfie(user, picture_of([]))
    await album.settled()
    assert await album.scalar("SELECT status FROM selfie_indexes") == "failed"
