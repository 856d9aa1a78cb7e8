import asyncio
import errno
import io
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from PIL import Image
from prometheus_client import REGISTRY
from sqlalchemy import text

from libs.common.messaging.messages import PhotoDeleted
from libs.common.storage import keys
from libs.common.storage.folder import FolderStore
from services.media.app import FETCHES_AT_ONCE
from services.media.renditions import renditions
from services.media.renditions.rendition_pool import AHEAD
from services.media.renditions.renditions import Failure
from services.media.settings import MediaSettings
from tests.media.world import World, jpeg, running_world
from tests.support import tattling
from tests.support.polling import eventually
from tests.support.settings import settings_of


def _size(answer: httpx.Response) -> tuple[int, int]:
    assert answer.status_code == 200, answer.text
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.format == "WEBP"
        return image.size


def _count(name: str, outcome: str) -> float:
    labels = {"name": name, "outcome": outcome}
    return REGISTRY.get_sample_value("findme_renditions_total", labels) or 0


@pytest.mark.parametrize(("name", "size"), [("thumbnail", (400, 300)), ("preview", (1600, 1200))])
async def test_a_rendition_is_made_at_the_first_request_and_kept(
    any_world: World, name: str, size: tuple[int, int]
) -> None:
    photo = await any_world.photo(await any_world.event(), jpeg(2000, 1500))
    link = any_world.link(photo.rendition_key(name))
    made = _count(name, "made")

    first = await any_world.client.get(link)
    second = await any_world.client.get(link)

    assert _size(first) == size
    assert second.content == first.content
    assert first.headers["content-type"] == "image/webp"
    assert first.headers["cache-control"].startswith("private, max-age=")
    assert first.headers["etag"] == second.headers["etag"]
    assert await any_world.store.get(photo.rendition_key(name)) == first.content
    assert _count(name, "made") == made + 1


async def test_a_rendition_is_upright_not_enlarged_and_tells_nothing_of_the_camera(
    world: World,
) -> None:
    turned = await world.photo(await world.event(), jpeg(300, 200, orientation=6))

    answer = await world.client.get(world.link(turned.rendition_key("thumbnail")))

    assert _size(answer) == (200, 300)
    assert b"camera" not in answer.content
    assert b"camera" in turned.data


async def test_many_who_ask_at_once_cause_one_rendition(world: World) -> None:
    photo = await world.photo(await world.event(), jpeg())
    link = world.link(photo.rendition_key("thumbnail"))
    made = _count("thumbnail", "made")

    answers = await asyncio.gather(*(world.client.get(link) for _ in range(8)))

    assert {_size(answer) for answer in answers} == {(400, 300)}
    assert _count("thumbnail", "made") == made + 1


async def test_when_too_many_wait_the_rest_is_asked_to_come_back(
    database_url: str, tmp_path: Path
) -> None:
    may_go_on = asyncio.Event()

    class HeldStore(FolderStore):
        """Holds whoever wants an original."""

        @asynccontextmanager
        async def local_file(self, key: str) -> AsyncIterator[Path]:
            await may_go_on.wait()
            async with super().local_file(key) as path:
                yield path

    settings = settings_of(
        MediaSettings, database_url, rendition_workers=1, rendition_queue_limit=1
    )
    store = await HeldStore.open(tmp_path / "store")
    async with running_world(settings, store) as world:
        event = await world.event()
        photos = [await world.photo(event, jpeg()) for _ in range(3)]
        links = [world.link(photo.rendition_key("preview")) for photo in photos]
        waiting = [asyncio.create_task(world.client.get(link)) for link in links[:2]]
        await eventually(lambda: REGISTRY.get_sample_value("findme_renditions_in_hand") == 2)

        refused = await world.client.get(links[2])
        may_go_on.set()

        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "2"
        for answer in [*await asyncio.gather(*waiting), await world.client.get(links[2])]:
            assert _size(answer) == (1200, 900)


async def test_who_waits_for_a_turn_has_fetched_nothing_and_has_no_connection(
    database_url: str, tmp_path: Path
) -> None:
    may_go_on = asyncio.Event()
    fetched: list[str] = []

    class HeldStore(FolderStore):
        """Holds whoever wants an original."""

        @asynccontextmanager
        async def local_file(self, key: str) -> AsyncIterator[Path]:
            fetched.append(key)
            await may_go_on.wait()
            async with super().local_file(key) as path:
                yield path

    settings = settings_of(
        MediaSettings,
        database_url,
        rendition_workers=1,
        rendition_queue_limit=100,
        db_pool_size=4,
        db_max_overflow=0,
    )
    store = await HeldStore.open(tmp_path / "store")
    async with running_world(settings, store) as world:
        event = await world.event()
        photos = [await world.photo(event, jpeg()) for _ in range(AHEAD + 5)]
        waiting = [
            asyncio.create_task(world.client.get(world.link(photo.rendition_key("preview"))))
            for photo in photos
        ]
        await eventually(lambda: len(fetched) == min(1 + AHEAD, FETCHES_AT_ONCE))
        await eventually(
            lambda: REGISTRY.get_sample_value("findme_renditions_in_hand") == len(photos)
        )
        # Neither those that have a turn nor those that wait for one keep a connection.
        async with world.database.read(), world.database.read(), world.database.read():
            may_go_on.set()
        assert {_size(answer) for answer in await asyncio.gather(*waiting)} == {(1200, 900)}


async def test_no_worker_waits_until_a_rendition_is_kept(database_url: str, tmp_path: Path) -> None:
    may_go_on = asyncio.Event()
    held: list[str] = []

    class SlowStore(FolderStore):
        """Holds the first rendition that is put."""

        async def put(self, key: str, data: bytes, *, content_type: str) -> None:
            if key.endswith(".webp") and not held:
                held.append(key)
                await may_go_on.wait()
            await super().put(key, data, content_type=content_type)

    settings = settings_of(MediaSettings, database_url, rendition_workers=1)
    store = await SlowStore.open(tmp_path / "store")
    async with running_world(settings, store) as world:
        event = await world.event()
        first, other = [await world.photo(event, jpeg()) for _ in range(2)]
        waiting = asyncio.create_task(world.client.get(world.link(first.rendition_key("preview"))))
        await eventually(lambda: held)

        answer = await world.client.get(world.link(other.rendition_key("preview")))
        may_go_on.set()

        assert _size(answer) == _size(await waiting) == (1200, 900)


async def test_no_worker_waits_for_a_slow_store(database_url: str, tmp_path: Path) -> None:
    slow: set[str] = set()
    may_go_on = asyncio.Event()

    class SlowStore(FolderStore):
        """Holds whoever wants certain originals."""

        @asynccontextmanager
        async def local_file(self, key: str) -> AsyncIterator[Path]:
            if key in slow:
                await may_go_on.wait()
            async with super().local_file(key) as path:
                yield path

    settings = settings_of(MediaSettings, database_url, rendition_workers=1)
    store = await SlowStore.open(tmp_path / "store")
    async with running_world(settings, store) as world:
        event = await world.event()
        held, other = [await world.photo(event, jpeg()) for _ in range(2)]
        slow.add(held.key)
        waiting = asyncio.create_task(world.client.get(world.link(held.rendition_key("preview"))))
        await eventually(lambda: REGISTRY.get_sample_value("findme_renditions_in_hand") == 1)

        answer = await world.client.get(world.link(other.rendition_key("preview")))
        may_go_on.set()

        assert _size(answer) == _size(await waiting) == (1200, 900)


async def test_a_photo_that_cannot_be_decoded_has_no_rendition_and_says_why(world: World) -> None:
    event = await world.event()
    for data in (b"no picture at all", jpeg()[:500], b""):
        photo = await world.photo(event, data)

        answer = await world.client.get(world.link(photo.rendition_key("preview")))

        assert answer.status_code == 404
        assert answer.json()["detail"].startswith("This photo cannot be shown: it is damaged")


async def test_a_bomb_is_refused_before_it_is_decoded(
    database_url: str, folder_store: FolderStore
) -> None:
    settings = settings_of(MediaSettings, database_url, max_photo_megapixels=1)
    async with running_world(settings, folder_store) as world:
        photo = await world.photo(await world.event(), jpeg(1200, 900))

        answer = await world.client.get(world.link(photo.rendition_key("thumbnail")))

        assert answer.status_code == 404
        assert "more than 1 megapixels" in answer.json()["detail"]


async def test_there_are_no_renditions_of_unknown_photos_or_names(world: World) -> None:
    photo = await world.photo(await world.event(), jpeg())
    unknown = photo.rendition_key("thumbnail").replace(photo.filename, "unknown.jpg")
    elsewhere = photo.rendition_key("thumbnail").replace("events/", "events/9")

    for key in (unknown, elsewhere, photo.rendition_key("poster")):
        assert (await world.client.get(world.link(key))).status_code == 404


async def test_head_makes_the_rendition_too(world: World) -> None:
    photo = await world.photo(await world.event(), jpeg())
    link = world.link(photo.rendition_key("thumbnail"))

    head = await world.client.head(link)
    get = await world.client.get(link)

    assert head.headers["content-length"] == str(len(get.content))


async def test_a_photo_deleted_while_its_rendition_is_made_leaves_nothing(
    database_url: str, tmp_path: Path
) -> None:
    class StoreWithRace(FolderStore):
        """Deletes the photo as the cleanup would, just before its rendition arrives."""

        async def put(self, key: str, data: bytes, *, content_type: str) -> None:
            if key.endswith(".webp"):
                await world.delete_row(photo)
                await self.delete_prefix(f"events/{photo.event_id}/")
            await super().put(key, data, content_type=content_type)

    store = await StoreWithRace.open(tmp_path / "store")
    async with running_world(settings_of(MediaSettings, database_url), store) as world:
        photo = await world.photo(await world.event(), jpeg())

        answer = await world.client.get(world.link(photo.rendition_key("thumbnail")))

        assert answer.status_code == 404
        assert await world.keys() == set()


async def test_a_photo_that_cannot_be_decoded_is_decoded_once_and_not_at_every_request(
    any_world: World,
) -> None:
    photo = await any_world.photo(await any_world.event(), b"no picture at all")
    link = any_world.link(photo.rendition_key("thumbnail"))
    decoded, known = _count("thumbnail", "undecodable"), _count("thumbnail", "known")

    answers = [await any_world.client.get(link) for _ in range(5)]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.json()["detail"] for answer in answers}) == 1
    assert _count("thumbnail", "undecodable") == decoded + 1
    assert _count("thumbnail", "known") == known + 4


@pytest.mark.parametrize("change", ["other decoders", "an hour later", "not readable"])
async def test_a_photo_that_could_not_be_decoded_is_tried_again_by_other_decoders_or_later(
    world: World, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = await world.photo(await world.event(), jpeg()[:500])
    link = world.link(photo.rendition_key("thumbnail"))
    assert (await world.client.get(link)).status_code == 404
    # As if what is able to decode now could read the same bytes.
    await world.replace(photo, jpeg())
    assert (await world.client.get(link)).status_code == 404

    if change == "other decoders":
        monkeypatch.setattr(renditions, "DECODERS", "the next release")
    elif change == "an hour later":
        monkeypatch.setattr(renditions, "REMEMBERED", timedelta(0))
    else:
        note = keys.failed_rendition_key(photo.event_id, photo.filename, "thumbnail")
        await world.store.put(note, b"{", content_type="application/json")

    assert _size(await world.client.get(link)) == (400, 300)


async def test_a_photo_that_a_busy_machine_gave_up_is_tried_again_after_a_minute_then_two(
    database_url: str, folder_store: FolderStore
) -> None:
    """An hour, for everybody, is for what the decoder itself refuses."""

    async def ask(world: World) -> httpx.Response:
        return await world.client.get(world.link(photo.rendition_key("thumbnail")))

    async def pass_by(seconds: float) -> None:
        note = Failure.model_validate_json(await folder_store.get(key))
        note.noted_at -= timedelta(seconds=seconds)
        earlier = note.model_dump_json().encode()
        await folder_store.put(key, earlier, content_type="application/json")

    busy = settings_of(MediaSettings, database_url, rendition_timeout_seconds=0.001)
    async with running_world(busy, folder_store) as world:
        photo = await world.photo(await world.event(), jpeg(4000, 3000))
        key = keys.failed_rendition_key(photo.event_id, photo.filename, "thumbnail")
        for minutes in (1, 2):
            before = _count("thumbnail", "undecodable")
            assert "too long" in (await ask(world)).json()["detail"]
            assert _count("thumbnail", "undecodable") == before + 1
            await pass_by(minutes * 60 - 30)
            assert (await ask(world)).status_code == 404
            assert _count("thumbnail", "undecodable") == before + 1
            await pass_by(31)

    async with running_world(settings_of(MediaSettings, database_url), folder_store) as world:
        assert _size(await ask(world)) == (400, 300)


async def test_how_long_a_photo_is_not_tried_again_is_not_by_the_stores_clock(
    database_url: str, folder_store: FolderStore, tmp_path: Path
) -> None:
    async with running_world(settings_of(MediaSettings, database_url), folder_store) as world:
        photo = await world.photo(await world.event(), b"no picture at all")
        link = world.link(photo.rendition_key("thumbnail"))
        decoded = _count("thumbnail", "undecodable")
        assert (await world.client.get(link)).status_code == 404
        name = keys.failed_rendition_key(photo.event_id, photo.filename, "thumbnail")
        (note,) = (tmp_path / "store").rglob(name.rpartition("/")[2])
        two_hours_behind = note.stat().st_mtime - 2 * 3600
        os.utime(note, (two_hours_behind, two_hours_behind))

        assert (await world.client.get(link)).status_code == 404

        assert _count("thumbnail", "undecodable") == decoded + 1


@pytest.mark.parametrize("outage", ["store", "database"])
async def test_a_photo_that_cannot_be_decoded_says_so_also_when_that_cannot_be_noted(
    database_url: str, tmp_path: Path, outage: str
) -> None:
    class FullStore(FolderStore):
        """Takes no note, or takes the table away just before it arrives."""

        async def put(self, key: str, data: bytes, *, content_type: str) -> None:
            if content_type == "application/json":
                if outage == "store":
                    raise OSError(errno.ENOSPC, "no space left on device")
                await world.execute(text("ALTER TABLE photos RENAME TO photos_away"))
            await super().put(key, data, content_type=content_type)

    store = await FullStore.open(tmp_path / "store")
    async with running_world(settings_of(MediaSettings, database_url), store) as world:
        photo = await world.photo(await world.event(), b"no picture at all")

        answer = await world.client.get(world.link(photo.rendition_key("thumbnail")))

        assert answer.status_code == 404
        assert "it is damaged" in answer.json()["detail"]
        assert await world.keys() == {photo.key}


async def test_what_is_known_of_a_photo_goes_with_it(world: World) -> None:
    photo = await world.photo(await world.event(), b"no picture at all")
    await world.client.get(world.link(photo.rendition_key("thumbnail")))
    assert len(await world.keys()) == 2

    await world.delete_row(photo)
    message = PhotoDeleted(event_id=photo.event_id, photo_id=photo.id, filename=photo.filename)
    await world.bus.publish(message.outgoing())

    async def is_gone() -> bool:
        return not await world.keys()

    await eventually(is_gone)


async def test_a_rendition_of_which_nobody_can_say_whether_its_photo_is_there_is_not_kept(
    database_url: str, tmp_path: Path
) -> None:
    class StoreWithOutage(FolderStore):
        """Takes the table away, just before the rendition arrives."""

        async def put(self, key: str, data: bytes, *, content_type: str) -> None:
            if key.endswith(".webp"):
                await world.execute(text("ALTER TABLE photos RENAME TO photos_away"))
            await super().put(key, data, content_type=content_type)

    store = await StoreWithOutage.open(tmp_path / "store")
    async with running_world(settings_of(MediaSettings, database_url), store) as world:
        photo = await world.photo(await world.event(), jpeg())

        answer = await world.client.get(world.link(photo.rendition_key("thumbnail")))

        assert answer.status_code == 500
        assert await world.keys() == {photo.key}


class StoreThatCutsShort(FolderStore):
    """Gives the first so many who want an original a part of it, as a full disk did."""

    left = 0

    @asynccontextmanager
    async def local_file(self, key: str) -> AsyncIterator[Path]:
        async with super().local_file(key) as whole:
            if not self.left:
                yield whole
                return
            self.left -= 1
            part = whole.with_suffix(".cut")
            part.write_bytes(whole.read_bytes()[:500])
            yield part
            part.unlink()


async def test_a_photo_that_was_cut_short_on_its_way_is_fetched_again(
    database_url: str, tmp_path: Path
) -> None:
    store = await StoreThatCutsShort.open(tmp_path / "store")
    async with running_world(settings_of(MediaSettings, database_url), store) as world:
        photo = await world.photo(await world.event(), jpeg())
        assert isinstance(store, StoreThatCutsShort)
        store.left = 1

        answer = await world.client.get(world.link(photo.rendition_key("thumbnail")))

        assert _size(answer) == (400, 300)


async def test_a_photo_whose_object_is_not_what_was_uploaded_says_that_and_not_damaged(
    any_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = any_world
    photo = await world.photo(await world.event(), jpeg())
    await world.store.put(photo.key, jpeg()[:500], content_type="image/jpeg")
    link = world.link(photo.rendition_key("thumbnail"))

    answer = await world.client.get(link)

    assert answer.status_code == 404
    assert "its file is not what was uploaded" in answer.json()["detail"]
    # Brought back by an operator, it is shown again.
    await world.store.put(photo.key, jpeg(), content_type="image/jpeg")
    monkeypatch.setattr(renditions, "GIVEN_UP_FOR", timedelta(0))
    assert _size(await world.client.get(link)) == (400, 300)


async def test_no_note_outlives_its_picture_where_the_store_fails_in_between(
    database_url: str, tmp_path: Path
) -> None:
    class FailingStore(FolderStore):
        """Deletes no more than one object; the database goes away before."""

        deleted = 0

        async def put(self, key: str, data: bytes, *, content_type: str) -> None:
            await super().put(key, data, content_type=content_type)
            if key.endswith(".json") and not self.deleted:
                await world.execute(text("ALTER TABLE photos RENAME TO photos_away"))

        async def delete(self, key: str) -> None:
            self.deleted += 1
            if self.deleted > 1:
                raise OSError(errno.EIO, "input/output error")
            await super().delete(key)

    store = await FailingStore.open(tmp_path / "store")
    async with running_world(settings_of(MediaSettings, database_url), store) as world:
        data = tattling.tiff(6, compression="jpeg")
        photo = await world.photo(
            await world.event(strip_metadata=True), data, content_type="image/tiff"
        )
        link = world.link(photo.guest_copy_key)
        assert (await world.client.get(link)).status_code == 500
        await world.execute(text("ALTER TABLE photos_away RENAME TO photos"))

        answer = await world.client.get(link)

        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/jpeg"
