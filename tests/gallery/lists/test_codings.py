"""In which coding a list is sent, with which tag, and what is read for a 304."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.database.tables import events, photos
from services.gallery.lists.codings import Coding, coding_for, decoded, encoded
from tests.gallery.world import World
from tests.support.statements import statements


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("", Coding.IDENTITY),
        ("gzip, deflate, br, zstd", Coding.ZSTD),
        ("gzip, deflate, br", Coding.GZIP),
        ("GZIP", Coding.GZIP),
        ("zstd;q=0.5, gzip", Coding.GZIP),
        ("zstd;q=0, gzip;q=0", Coding.IDENTITY),
        ("gzip;q=0.5, identity", Coding.IDENTITY),
        ("*", Coding.ZSTD),
        ("*;q=0, gzip", Coding.GZIP),
        ("zstd;q=0, *", Coding.GZIP),
        ("identity;q=0", Coding.IDENTITY),
        ("gzip;q=wrong", Coding.IDENTITY),
        ("br", Coding.IDENTITY),
        ("x" * 5000 + ", gzip", Coding.GZIP),
    ],
)
def test_the_client_gets_what_it_likes_best(accepted: str, coding: Coding) -> None:
    assert coding_for(accepted) is coding


@given(st.binary(), st.sampled_from(Coding))
def test_what_is_encoded_is_decoded_to_the_same(body: bytes, coding: Coding) -> None:
    assert decoded(encoded(body, coding), coding) == body
    if coding is Coding.GZIP:
        assert gzip.decompress(encoded(body, coding)) == body


async def guests_list(world: World, count: int) -> tuple[str, dict[str, str]]:
    event_id = await world.event()
    for _ in range(count):
        await world.photo(event_id)
    guest = await world.person(joined=event_id)
    return "/api/all-photos?limit=20", guest.headers


async def test_each_coding_has_a_tag_of_its_own(world: World) -> None:
    path, headers = await guests_list(world, 5)
    plain = await world.client.get(path, headers=headers | {"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    tags = {plain.headers["etag"]}
    for name in ("zstd", "gzip"):
        asking = headers | {"Accept-Encoding": name}
        answer = await world.client.get(path, headers=asking)
        assert answer.headers["content-encoding"] == name
        assert "accept-encoding" in answer.headers["vary"].lower()
        assert int(answer.headers["content-length"]) < len(plain.content) / 2
        assert answer.json() == plain.json()
        tag = answer.headers["etag"]
        again = await world.client.get(path, headers=asking | {"If-None-Match": tag})
        assert (again.status_code, again.headers["etag"]) == (304, tag)
        assert "content-encoding" not in again.headers
        as_it_is = headers | {"If-None-Match": tag, "Accept-Encoding": "identity"}
        other = await world.client.get(path, headers=as_it_is)
        assert other.status_code == 200
        tags.add(tag)
    assert len(tags) == 3


async def test_a_small_list_is_sent_as_it_is(world: World) -> None:
    path, headers = await guests_list(world, 1)
    answer = await world.client.get(path, headers=headers | {"Accept-Encoding": "zstd, gzip"})
    assert "content-encoding" not in answer.headers
    assert "accept-encoding" in answer.headers["vary"].lower()


async def test_for_a_list_that_is_known_no_photo_is_read(world: World) -> None:
    path, headers = await guests_list(world, 5)
    first = await world.client.get(path, headers=headers)
    known = headers | {"If-None-Match": first.headers["etag"]}
    gallery = world.app.state.gallery
    gallery.cache.clear()
    with statements(world.services_database) as seen:
        answer = await world.client.get(path, headers=known)
    assert answer.status_code == 304
    # Which photos, by id and version; of none of them is anything else read.
    assert not [one for one, _ in seen if one.startswith("SELECT photos.")]
    assert len([one for one, _ in seen if "hash_record_extended" in one]) == 1


async def test_of_a_photo_that_changed_its_part_is_made_anew_without_any_message(
    world: World,
) -> None:
    event_id = await world.event()
    photo_id = await world.photo(event_id, status="queued")
    await world.photo(event_id)
    guest = await world.person(joined=event_id)
    before = await world.client.get("/api/all-photos", headers=guest.headers)
    await world.change(photos, photo_id, processing_status="done", placeholder="abc")
    world.app.state.gallery.cache.clear()
    after = await world.client.get("/api/all-photos", headers=guest.headers)
    assert after.json()[0] == before.json()[0]
    assert after.json()[1] == before.json()[1] | {"processing_status": "done", "placeholder": "abc"}
    assert after.headers["etag"] != before.headers["etag"]
    await world.change(events, event_id, name="Another name")
    world.app.state.gallery.cache.clear()
    named = await world.client.get("/api/all-photos", headers=guest.headers)
    assert {photo["event_name"] for photo in named.json()} == {"Another name"}


async def test_two_replicas_give_a_list_the_same_tag(world: World) -> None:
    path, headers = await guests_list(world, 3)
    first = await world.client.get(path, headers=headers)
    gallery = world.app.state.gallery
    gallery.cache.clear()
    gallery.parts._parts.clear()
    assert (await world.client.get(path, headers=headers)).headers["etag"] == first.headers["etag"]
