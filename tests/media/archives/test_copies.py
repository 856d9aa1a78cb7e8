"""Archives of copies for guests, which are made before the first byte is sent."""

import asyncio
import io
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image
from sqlalchemy import update

from libs.common.database.tables import guest_copies
from libs.common.limits.fair_queue import FairQueue
from libs.common.photo_downloads import DOWNLOADS_PATH
from libs.common.web.signed_urls import SignedUrls
from services.media.archives import preparing, sending
from services.media.photos.media_key import GuestCopy
from services.media.renditions.guest_copies import guest_copy
from tests.media.archives.archives import opened, owned
from tests.media.world import World
from tests.support import tattling
from tests.support.people import KEYS
from tests.support.polling import eventually
from tests.support.raw_files import nef
from tests.support.rows import NEXT_MONTH


async def test_guests_get_copies_and_those_who_run_the_event_what_was_uploaded(
    any_world: World,
) -> None:
    contents = [tattling.jpeg(), tattling.heif(), tattling.tiff(6, compression="jpeg"), nef()]
    owner, found = await owned(any_world, *contents, strip_metadata=True)
    guest = await any_world.person(joined=found[0].event_id)
    link = await any_world.download(guest, found)

    whole = await any_world.client.get(link)
    copies = opened(whole)

    for photo, copy in zip(found, copies.values(), strict=True):
        by_id = await any_world.client.get(f"/api/photo/{photo.id}", headers=guest.headers)
        assert copy == by_id.content
        assert [secret for secret in tattling.SECRETS if secret in copy] == []
    for start in range(0, len(whole.content), len(whole.content) // 50):
        part = await any_world.client.get(link, headers={"Range": f"bytes={start}-{start + 99}"})
        assert part.content == whole.content[start : start + 100]
    originals = opened(await any_world.client.get(await any_world.download(owner, found)))
    assert list(originals.values()) == contents
    with Image.open(io.BytesIO(list(copies.values())[-1])) as image:
        assert image.format == "JPEG"


async def test_a_photo_without_a_copy_is_named_in_the_archive(world: World) -> None:
    _, found = await owned(world, b"Ada Owner's bytes", tattling.jpeg(), strip_metadata=True)
    guest = await world.person(joined=found[0].event_id)

    files = opened(await world.client.get(await world.download(guest, found)))

    assert list(files) == ["IMG_1.jpg", "Not included.txt"]
    assert b"IMG_1.jpg: it is damaged" in files["Not included.txt"]


async def test_who_takes_a_few_along_does_not_wait_for_who_takes_many(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, found = await owned(world, *[b"damaged"] * 6, strip_metadata=True)
    many, few = [await world.person(joined=found[0].event_id) for _ in range(2)]
    line = FairQueue(at_once=1, max_waiting=10, refusal="", retry_after_seconds=1)
    monkeypatch.setattr(preparing, "NOTED_AT_ONCE", 1)
    monkeypatch.setattr(world.app.state.archives.preparations, "_line", line)
    made, began, waits = list[str](), asyncio.Event(), asyncio.Event()

    async def noting(wanted: GuestCopy, *others: Any) -> Any:
        made.append(wanted.original.filename)
        began.set()
        await waits.wait()
        return await guest_copy(wanted, *others)

    monkeypatch.setattr(preparing, "guest_copy", noting)
    get = world.client.get
    async with asyncio.TaskGroup() as group:
        group.create_task(get(await world.download(many, found[:5])))
        await began.wait()
        group.create_task(get(await world.download(few, found[5:])))
        await eventually(lambda: line.waiting)
        waits.set()
    assert made.index(found[5].filename) <= 2


async def test_what_is_known_of_a_copy_that_is_another_one_now_is_forgotten(world: World) -> None:
    _, found = await owned(world, tattling.jpeg(), strip_metadata=True)
    guest = await world.person(joined=found[0].event_id)
    link = await world.download(guest, found)
    before = opened(await world.client.get(link))
    await world.execute(update(guest_copies).values(crc32=1))

    broken_off = await world.client.get(link)

    assert (broken_off.status_code, "retry-after" in broken_off.headers) == (503, True)
    assert opened(await world.client.get(link)) == before


async def test_copies_are_prepared_while_a_client_asks_how_far_they_are(world: World) -> None:
    _, found = await owned(world, tattling.jpeg(), b"damaged", strip_metadata=True)
    guest = await world.person(joined=found[0].event_id)
    link = await world.download(guest, found)
    download_key = urlsplit(link).path.removeprefix(DOWNLOADS_PATH).removesuffix("/photos.zip")
    state_link = SignedUrls(KEYS).sign(download_key, NEXT_MONTH, under=DOWNLOADS_PATH)

    async def state() -> dict[str, object]:
        answer = await world.client.get(state_link)
        assert answer.status_code == 200, answer.text
        found: dict[str, object] = answer.json()
        return found

    async def is_ready() -> bool:
        return bool((await state())["is_ready"])

    await eventually(is_ready)
    assert await state() == {"photos": 2, "prepared": 2, "failed": 1, "is_ready": True}
    # What the link is for, and no other.
    assert (await world.client.get(state_link.replace("?", "/photos.zip?"))).status_code == 403
    assert await world.scalar("SELECT count(*) FROM guest_copies") == 2


async def test_an_archive_is_not_sent_before_its_copies_are_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, found = await owned(world, tattling.jpeg(), strip_metadata=True)
    guest = await world.person(joined=found[0].event_id)
    link = await world.download(guest, found)
    monkeypatch.setattr(sending, "WAIT_SECONDS", 0)

    first = await world.client.get(link)

    async def is_sent() -> bool:
        return (await world.client.get(link)).status_code == 200

    assert (first.status_code, first.headers["retry-after"]) == (503, "5")
    await eventually(is_sent)


async def test_copies_by_other_rules_are_made_anew(world: World) -> None:
    _, found = await owned(world, tattling.jpeg(), strip_metadata=True)
    guest = await world.person(joined=found[0].event_id)
    link = await world.download(guest, found)
    before = opened(await world.client.get(link))
    old = {"rules": 1, "size_bytes": 1, "crc32": 1}
    await world.execute(update(guest_copies).values(old))

    assert opened(await world.client.get(link)) == before
