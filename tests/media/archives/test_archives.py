"""Archives of photos as they are sent: whole, and in parts."""

import asyncio
import io
import shutil
import subprocess
import zipfile
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from libs.common.database.tables import events
from libs.common.web.auth import Role
from tests.media.archives.archives import LARGE, opened, owned
from tests.media.world import World
from tests.support.slow_clients import clients_of


async def test_photos_come_as_they_were_uploaded_from_every_store(any_world: World) -> None:
    owner, found = await owned(any_world, b"one", LARGE, b"three")
    link = await any_world.download(owner, found)

    answer = await any_world.client.get(link)

    assert opened(answer) == {
        "IMG_1.jpg": b"one",
        "IMG_1 (2).jpg": LARGE,
        "IMG_1 (3).jpg": b"three",
    }
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    assert answer.headers["accept-ranges"] == "bytes"
    head = await any_world.client.head(link)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "etag"):
        assert head.headers[name] == answer.headers[name]


async def test_every_range_is_that_part_of_the_whole(any_world: World) -> None:
    owner, found = await owned(any_world, b"one", LARGE, b"three", b"")
    link = await any_world.download(owner, found)
    whole = (await any_world.client.get(link)).content
    sizes = {0, 1, 29, 30, 39, 42, 43, len(LARGE), len(whole) - 1}
    edges = {at + step for at in sizes | {len(whole) - 22, len(whole) - 300} for step in (0, 1)}
    starts = sorted(at for at in edges if 0 <= at < len(whole))
    for start in starts:
        for length in (1, 45, 70_000, len(whole)):
            end = min(start + length, len(whole))
            asked = {"Range": f"bytes={start}-{end - 1}"}
            part = await any_world.client.get(link, headers=asked)
            assert (part.status_code, part.content) == (206, whole[start:end])
            assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{len(whole)}"
    last = await any_world.client.get(link, headers={"Range": "bytes=-22"})
    assert last.content == whole[-22:]
    beyond = await any_world.client.get(link, headers={"Range": f"bytes={len(whole)}-"})
    assert beyond.status_code == 416


async def test_a_download_that_broke_off_goes_on(world: World) -> None:
    owner, found = await owned(world, *[LARGE] * 4)
    link = await world.download(owner, found)
    whole = await world.client.get(link)
    async with clients_of(str(world.client.base_url), 1) as (client,):
        await client.get(link)
        received = b""
        while len(received) < 2_000_000:
            received += await client.read(65_536)
    received = received.partition(b"\r\n\r\n")[2]

    rest = await world.client.get(
        link,
        headers={"Range": f"bytes={len(received)}-", "If-Range": whole.headers["etag"]},
    )

    assert rest.status_code == 206
    assert received + rest.content == whole.content


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_curl_goes_on_where_it_stopped(world: World, tmp_path: Path) -> None:
    owner, found = await owned(world, LARGE, b"two")
    link = await world.download(owner, found)
    whole = (await world.client.get(link)).content
    path = tmp_path / "photos.zip"
    path.write_bytes(whole[:1_000_000])

    done = await asyncio.to_thread(
        subprocess.run,
        ["curl", "-sS", "-C", "-", "-o", str(path), f"{world.client.base_url}{link}"],
        check=False,
    )

    assert done.returncode == 0
    assert path.read_bytes() == whole


async def test_an_archive_of_other_photos_is_not_mixed_with_what_a_client_has(
    world: World,
) -> None:
    owner, found = await owned(world, b"one", LARGE, b"three")
    link = await world.download(owner, found)
    old = await world.client.get(link)
    await world.delete_row(found[0])

    asked = {"Range": "bytes=100-", "If-Range": old.headers["etag"]}
    whole = await world.client.get(link, headers=asked)
    # A client that does not say which archive it has had the first one.
    unsaid = await world.client.get(link, headers={"Range": "bytes=100-"})
    known = await world.client.get(link, headers={"If-None-Match": old.headers["etag"]})

    for answer in (whole, unsaid, known):
        assert list(opened(answer).values()) == [LARGE, b"three"]
        assert answer.headers["etag"] != old.headers["etag"]
    part = await world.client.get(
        link, headers={"Range": "bytes=100-", "If-Range": whole.headers["etag"]}
    )
    assert (part.status_code, part.content) == (206, whole.content[100:])
    # What it has by another link may be of other photos; so it may after it was refused once.
    again = await world.download(owner, found[1:])
    await world.client.head(again)
    for asked in ({"Range": "bytes=100-"}, {"Range": "bytes=100-"}, {"Range": "bytes=-5"}):
        answer = await world.client.get(again, headers=asked)
        assert list(opened(answer).values()) == [LARGE, b"three"]
    first = await world.client.get(again, headers={"Range": "bytes=0-99"})
    rest = await world.client.get(again, headers={"Range": "bytes=100-"})
    assert (first.status_code, rest.status_code) == (206, 206)
    assert first.content + rest.content == whole.content


async def test_photos_are_in_folders_by_day_or_by_photographer(world: World) -> None:
    owner = await world.person(Role.PHOTOGRAPHER)
    helper = await world.person(Role.PHOTOGRAPHER)
    event = await world.event(owner)
    found = [
        await world.photo(
            event,
            name.encode(),
            original_filename=name,
            photographer_id=photographer,
            taken_at=taken,
            uploaded_at=datetime(2026, 6, 21, 23, 59, tzinfo=UTC),
        )
        for name, photographer, taken in (
            ("a.jpg", owner.id, datetime(2026, 6, 20, 23, 0)),  # noqa: DTZ001 - a camera's
            ("A.JPG", helper.id, datetime(2026, 6, 20, 1, 0)),  # noqa: DTZ001
            ("b.jpg", None, None),
        )
    ]

    by_day = await world.client.get(await world.download(owner, found, folders="day"))
    names = {owner.id: "Ada ../Owner", helper.id: "Eve"}
    by_photographer = await world.client.get(
        await world.download(owner, found, folders="photographer", photographers=names)
    )

    assert list(opened(by_day)) == ["2026-06-20/a.jpg", "2026-06-20/A (2).JPG", "2026-06-21/b.jpg"]
    assert list(opened(by_photographer)) == [
        "Ada .._Owner/a.jpg",
        "Eve/A.JPG",
        "Other photos/b.jpg",
    ]
    with zipfile.ZipFile(io.BytesIO(by_day.content)) as archive:
        assert archive.infolist()[0].date_time == (2026, 6, 20, 23, 0, 0)


async def test_a_folders_day_is_the_one_that_it_was_at_the_event(world: World) -> None:
    owner = await world.person(Role.PHOTOGRAPHER)
    event = await world.event(owner)
    await world.execute(update(events).values(time_zone="Europe/Paris"))
    found = [
        await world.photo(
            event,
            name.encode(),
            original_filename=name,
            taken_at=taken,
            taken_at_offset=0 if taken else None,
            uploaded_at=datetime(2026, 6, 21, 22, 30, tzinfo=UTC),
        )
        for name, taken in (
            ("dinner.jpg", datetime(2026, 6, 20, 21, 59)),  # noqa: DTZ001 - a camera's, set to UTC
            ("dance.jpg", datetime(2026, 6, 20, 22, 15)),  # noqa: DTZ001
            ("scan.jpg", None),
        )
    ]

    by_day = await world.client.get(await world.download(owner, found, folders="day"))

    names = ["2026-06-20/dinner.jpg", "2026-06-21/dance.jpg", "2026-06-22/scan.jpg"]
    assert list(opened(by_day)) == names
    with zipfile.ZipFile(io.BytesIO(by_day.content)) as archive:
        assert archive.infolist()[1].date_time == (2026, 6, 21, 0, 15, 0)


async def test_the_crc_of_a_photo_is_the_one_of_its_upload(world: World) -> None:
    owner, (photo,) = await owned(world, b"one")
    answer = await world.client.get(await world.download(owner, [photo]))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert zlib.crc32(photo.data) == archive.infolist()[0].CRC
