"""Photos know their camera, and have its clock put right as they come."""

import asyncio
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.ExifTags import IFD, Base
from sqlalchemy import select, text

from libs.common.database.database import Database
from libs.common.database.tables import cameras, photos
from services.ingest.images.camera import Camera, camera_of
from services.ingest.settings import IngestSettings
from tests.ingest.conftest import Gallery
from tests.support.locks import someone_waits
from tests.support.polling import eventually

R6 = Camera("Canon", "Canon EOS R6", "032021000123")


def photo_of(camera: Camera | None, number: int = 0, *, offset: str | None = None) -> bytes:
    exif = Image.Exif()
    if camera is not None:
        exif[Base.Make], exif[Base.Model] = camera.make, camera.model
        exif.get_ifd(IFD.Exif)[Base.BodySerialNumber] = camera.serial
    exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = "2026:06:13 15:04:05"
    if offset is not None:
        exif.get_ifd(IFD.Exif)[Base.OffsetTimeOriginal] = offset
    file = io.BytesIO()
    Image.new("RGB", (64, 48), (9 * number, 0, 0)).save(file, "JPEG", exif=exif)
    return file.getvalue()


async def rows(gallery: Gallery, statement: Any) -> list[Any]:
    async with gallery.ingest.resources.database.read() as connection:
        return list((await connection.execute(statement)).all())


async def test_photos_of_one_camera_share_its_row(gallery: Gallery) -> None:
    others = [Camera("Canon", "Canon EOS R6", ""), Camera("", "SM-G991B", ""), None]
    for number, camera in enumerate([R6, *others, R6]):
        answer = await gallery.upload(("a.jpg", photo_of(camera, number)))
        assert answer.status_code == 200, answer.text

    found = await rows(gallery, select(cameras).order_by(cameras.c.id))
    assert [Camera(one.make, one.model, one.serial) for one in found] == [R6, *others[:2]]
    assert {one.event_id for one in found} == {gallery.event_id}
    [first, second, third] = [one.id for one in found]
    taken_by = await rows(gallery, select(photos.c.camera_id).order_by(photos.c.id))
    assert [row.camera_id for row in taken_by] == [first, second, third, None, first]


async def test_the_first_photos_of_a_camera_may_come_at_the_same_moment(gallery: Gallery) -> None:
    sent = [gallery.upload(("a.jpg", photo_of(R6, number))) for number in range(6)]

    answers = await asyncio.gather(*sent)

    assert [answer.status_code for answer in answers] == [200] * 6
    [camera] = await rows(gallery, select(cameras.c.id))
    found = await rows(gallery, select(photos.c.camera_id))
    assert [row.camera_id for row in found] == [camera.id] * 6


async def test_a_photo_that_comes_later_has_its_clock_put_right(
    gallery: Gallery, settings: IngestSettings
) -> None:
    await gallery.upload(("a.jpg", photo_of(R6)))
    async with Database.open(settings) as database, database.unit_of_work() as unit:
        await unit.connection.execute(text("UPDATE cameras SET shift_seconds = 3780"))
    await gallery.upload(("b.jpg", photo_of(R6, 1)))

    query = select(photos.c.taken_at, photos.c.clock_shift).order_by(photos.c.id)
    assert [(row.taken_at.isoformat(), row.clock_shift) for row in await rows(gallery, query)] == [
        ("2026-06-13T15:04:05", 0),
        ("2026-06-13T16:07:05", 3780),
    ]


async def test_a_photo_that_comes_while_a_clock_is_put_right_waits_for_that(
    gallery: Gallery, settings: IngestSettings
) -> None:
    await gallery.upload(("a.jpg", photo_of(R6)))
    async with Database.open(settings) as database:
        async with database.unit_of_work() as unit:
            await unit.connection.execute(text("UPDATE cameras SET shift_seconds = 60"))
            coming = asyncio.create_task(gallery.upload(("b.jpg", photo_of(R6, 1))))
            try:
                await eventually(lambda: someone_waits(database))
            except BaseException:
                coming.cancel()
                raise
        assert (await coming).status_code == 200

    shifts = await rows(gallery, select(photos.c.clock_shift).order_by(photos.c.id))
    assert [row.clock_shift for row in shifts] == [0, 60]


async def test_photos_are_taken_in_the_events_time_zone_where_their_files_say_none(
    gallery: Gallery, settings: IngestSettings
) -> None:
    await gallery.upload(("a.jpg", photo_of(R6)))
    async with Database.open(settings) as database:
        async with database.unit_of_work() as unit:
            # Whoever changes it sees the photos that are there, and has others wait.
            await unit.connection.execute(text("UPDATE events SET time_zone = 'Europe/Paris'"))
            coming = asyncio.create_task(gallery.upload(("b.jpg", photo_of(R6, 1))))
            try:
                await eventually(lambda: someone_waits(database))
            except BaseException:
                coming.cancel()
                raise
        assert (await coming).status_code == 200
    with_offset = photo_of(R6, 2, offset="+00:00")
    assert (await gallery.upload(("c.jpg", with_offset))).status_code == 200

    query = select(photos.c.taken_instant, photos.c.taken_at_offset).order_by(photos.c.id)
    found = [
        (row.taken_instant and row.taken_instant.isoformat(), row.taken_at_offset)
        for row in await rows(gallery, query)
    ]
    assert found == [
        (None, None),
        ("2026-06-13T13:04:05+00:00", None),
        ("2026-06-13T15:04:05+00:00", 0),
    ]


@pytest.mark.parametrize(
    ("make", "model", "serial", "expected"),
    [
        ("Canon\0\0", " Canon  EOS R6 ", "1\0", Camera("Canon", "Canon EOS R6", "1")),
        ("", "", "1", None),
        ("a" * 1000, "", "", Camera("a" * 64, "", "")),
        ("\x1b[31mred", "", "", Camera("[31mred", "", "")),
    ],
)
def test_what_cameras_write_of_themselves_is_made_tidy(
    make: str, model: str, serial: str, expected: Camera | None
) -> None:
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Model] = make, model
    exif.get_ifd(IFD.Exif)[Base.BodySerialNumber] = serial

    assert camera_of(exif) == expected


@given(st.dictionaries(st.sampled_from([Base.Make, Base.Model]), st.integers() | st.text()))
def test_whatever_is_written_is_a_camera_or_none(said: dict[int, Any]) -> None:
    exif = Image.Exif()
    for tag, value in said.items():
        exif[tag] = value

    found = camera_of(exif)

    assert found is None or found.make or found.model
