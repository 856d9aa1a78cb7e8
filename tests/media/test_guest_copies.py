"""Guests get photos without place, names and serial numbers; nobody gets less than that else."""

import io
from collections.abc import Callable
from functools import partial

import httpx
import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import IFD

from libs.common.database.tables import events
from libs.common.storage import keys
from libs.common.web.auth import Role
from services.media.photos.media_key import GuestCopy, Original
from tests.media.world import Photo, World
from tests.support import tattling
from tests.support.people import Person
from tests.support.polling import eventually
from tests.support.raw_files import RED, nef

LARGE = tattling.jpeg() + bytes(3_000_000)


async def guest_and_photo(
    world: World, data: bytes, content_type: str = "image/jpeg"
) -> tuple[Person, Photo]:
    event = await world.event(strip_metadata=True)
    photo = await world.photo(event, data, content_type=content_type)
    return await world.person(joined=event), photo


def link(world: World, photo: Photo) -> str:
    return world.link(keys.guest_copy_key(photo.event_id, photo.filename))


async def answers(world: World, guest: Person, photo: Photo) -> list[httpx.Response]:
    """The photo by all the ways that a guest has."""
    paths = [f"/api/photo/{photo.id}", f"/api/image/{photo.filename}"]
    found = [await world.client.get(path, headers=guest.headers) for path in paths]
    return [*found, await world.client.get(link(world, photo))]


def secrets_in(data: bytes) -> list[bytes]:
    return [secret for secret in tattling.SECRETS if secret in data]


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(
    ("made", "content_type"),
    [
        (tattling.jpeg, "image/jpeg"),
        (tattling.png, "image/png"),
        (tattling.webp, "image/webp"),
        (tattling.gif, "image/gif"),
        (tattling.tiff, "image/tiff"),
        (tattling.heif, "image/heic"),
        (partial(tattling.heif, "AVIF"), "image/avif"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_guest_s_photo_has_its_pixels_and_nothing_else(
    world: World, made: Callable[[], bytes], content_type: str
) -> None:
    data = made()
    guest, photo = await guest_and_photo(world, data, content_type)

    for answer in await answers(world, guest, photo):
        assert answer.status_code == 200
        assert answer.headers["content-type"] == content_type
        assert answer.headers["content-length"] == str(len(answer.content))
        assert secrets_in(answer.content) == []
        with Image.open(io.BytesIO(answer.content)) as image:
            assert dict(image.getexif().get_ifd(IFD.GPSInfo)) == {}
        np.testing.assert_array_equal(pixels(answer.content), pixels(data))


async def test_of_a_raw_file_guests_get_its_jpeg_and_photographers_all(world: World) -> None:
    photographer = await world.person(Role.PHOTOGRAPHER)
    event = await world.event(photographer, strip_metadata=True)
    photo = await world.photo(
        event, nef(), original_filename="DSC_1.NEF", content_type="image/x-nikon-nef"
    )
    guest = await world.person(joined=event)

    for answer in await answers(world, guest, photo):
        assert answer.headers["content-type"] == "image/jpeg"
        assert "DSC_1.jpg" in answer.headers["content-disposition"]
        assert answer.headers["content-length"] == str(len(answer.content))
        np.testing.assert_allclose(pixels(answer.content)[9, 9], RED, atol=4)
    whole = await world.client.get(f"/api/photo/{photo.id}", headers=photographer.headers)
    assert whole.content == photo.data
    assert whole.headers["content-type"] == "image/x-nikon-nef"
    assert "DSC_1.NEF" in whole.headers["content-disposition"]


async def test_copies_are_served_from_every_store_and_are_no_second_picture(
    any_world: World,
) -> None:
    guest, photo = await guest_and_photo(any_world, LARGE)

    found = await answers(any_world, guest, photo)

    assert {answer.status_code for answer in found} == {200}
    assert len({answer.content for answer in found}) == 1
    assert secrets_in(found[0].content) == []
    stored = {info.key: info.size_bytes async for info in any_world.store.list("")}
    assert stored.pop(photo.key) == len(LARGE)
    assert [size for size in stored.values() if size > 1000] == []


async def test_the_photographer_and_admins_get_what_was_uploaded(world: World) -> None:
    photographer, admin = [await world.person(role) for role in (Role.PHOTOGRAPHER, Role.ADMIN)]
    event = await world.event(photographer, strip_metadata=True)
    photo = await world.photo(event, tattling.jpeg())

    for person in (photographer, admin):
        answer = await world.client.get(f"/api/photo/{photo.id}", headers=person.headers)
        assert answer.content == photo.data
    assert (await world.client.get(world.link(photo.key))).content == photo.data


async def test_an_event_may_let_guests_have_what_was_uploaded(world: World) -> None:
    guest, photo = await guest_and_photo(world, tattling.jpeg())
    await world.execute(events.update().values(strip_metadata=False))

    for answer in await answers(world, guest, photo):
        assert answer.content == photo.data


async def test_ranges_tags_and_heads_are_those_of_the_copy(world: World) -> None:
    _, photo = await guest_and_photo(world, tattling.jpeg())
    whole = await world.client.get(link(world, photo))
    size = len(whole.content)
    assert size < len(photo.data)

    for start, end in ((0, 1), (1, 700), (size // 2, size), (size - 1, size)):
        asked = {"Range": f"bytes={start}-{end - 1}"}
        part = await world.client.get(link(world, photo), headers=asked)
        assert (part.status_code, part.content) == (206, whole.content[start:end])
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
    beyond = {"Range": f"bytes={size}-"}
    assert (await world.client.get(link(world, photo), headers=beyond)).status_code == 416
    head = await world.client.head(link(world, photo))
    assert head.headers["content-length"] == str(size)
    assert head.headers["etag"] == whole.headers["etag"]
    assert whole.headers["etag"] != (await world.store.stat(photo.key)).etag
    known = {"If-None-Match": whole.headers["etag"]}
    assert (await world.client.get(link(world, photo), headers=known)).status_code == 304


async def test_what_cannot_be_taken_to_pieces_is_a_jpeg_for_guests(world: World) -> None:
    data = tattling.tiff(6, compression="jpeg")
    guest, photo = await guest_and_photo(world, data, "image/tiff")

    for answer in await answers(world, guest, photo):
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/jpeg"
        assert secrets_in(answer.content) == []
        with Image.open(io.BytesIO(answer.content)) as image:
            assert image.size == (240, 320)  # upright
            assert dict(image.getexif()) == {}


async def test_what_cannot_be_read_at_all_is_never_sent_as_it_is(world: World) -> None:
    guest, photo = await guest_and_photo(world, b"Ada Owner's bytes")

    for answer in await answers(world, guest, photo):
        assert answer.status_code == 404
        assert answer.json()["detail"].startswith("This photo cannot be shown: ")


async def test_a_copy_s_picture_that_is_lost_is_made_anew(world: World) -> None:
    guest, photo = await guest_and_photo(world, tattling.tiff(6, compression="jpeg"), "image/tiff")
    before = await answers(world, guest, photo)
    copied = GuestCopy(Original(photo.event_id, photo.filename))
    await world.store.delete(copied.picture_key)
    for answer, as_it_was in zip(await answers(world, guest, photo), before, strict=True):
        assert (answer.status_code, answer.content) == (200, as_it_was.content)


@pytest.mark.parametrize("is_copy_known", [False, True])
async def test_of_a_photo_whose_file_is_lost_everybody_is_told_so(
    world: World, is_copy_known: bool
) -> None:
    guest, photo = await guest_and_photo(world, tattling.jpeg())
    if is_copy_known:
        await answers(world, guest, photo)
    await world.store.delete(photo.key)
    admin = await world.person(Role.ADMIN)
    for person in (guest, admin):
        for answer in await answers(world, person, photo):
            assert answer.status_code == 410
            assert answer.json()["detail"].startswith("This photo's file is lost.")


@pytest.mark.parametrize("name", ["thumbnail", "preview"])
@pytest.mark.parametrize("made", [partial(tattling.jpeg, 6), tattling.heif, tattling.png])
async def test_thumbnails_and_previews_have_no_metadata_at_all(
    world: World, name: str, made: Callable[[], bytes]
) -> None:
    _, photo = await guest_and_photo(world, made())

    answer = await world.client.get(world.link(photo.rendition_key(name)))

    assert secrets_in(answer.content) == []
    with Image.open(io.BytesIO(answer.content)) as image:
        assert dict(image.getexif()) == {}
        assert {"exif", "xmp", "icc_profile"}.isdisjoint(image.info)


async def test_what_goes_with_a_photo_is_gone_with_it(world: World) -> None:
    guest, photo = await guest_and_photo(world, tattling.jpeg())
    await answers(world, guest, photo)
    await world.delete_row(photo)

    async def is_gone() -> bool:
        return (await world.client.get(link(world, photo))).status_code == 404

    # What is known of a photo counts for a second.
    await eventually(is_gone)
