"""Archives that are laid out once for all their parts, and sent so many at once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import photos
from libs.common.storage.folder import FolderStore
from libs.common.telemetry.metrics import REFUSED_BY_LIMIT
from libs.common.web.auth import Role
from services.media.archives import layouts, places
from services.media.archives.archive import lay_out
from services.media.archives.content import Content
from services.media.archives.layout import Layout
from services.media.archives.lost import StoredPhotos
from services.media.archives.repository import Download
from services.media.settings import MediaSettings
from tests.media.archives.archives import LARGE, opened, owned
from tests.media.world import World, running_world
from tests.support import tattling
from tests.support.polling import eventually
from tests.support.settings import settings_of
from tests.support.slow_clients import clients_of


async def test_parts_of_an_archive_share_what_was_laid_out_of_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    laid_out = list[int]()

    async def counting(
        download: Download, connection: AsyncConnection, stored: StoredPhotos
    ) -> Layout[Content]:
        layout = await lay_out(download, connection, stored)
        laid_out.append(len(layout))
        return layout

    monkeypatch.setattr(layouts, "lay_out", counting)
    owner, found = await owned(world, b"one", b"two", b"three")
    link = await world.download(owner, found)

    async def part(size: int) -> int:
        asked = {"Range": f"bytes=0-{size}"}
        return (await world.client.get(link, headers=asked)).status_code

    assert set(await asyncio.gather(*map(part, range(3)))) == {206}
    await world.client.head(link)
    assert laid_out == [3]
    # Whatever makes another archive is seen at once.
    await world.execute(update(photos).values(original_filename="other.jpg"))
    assert "other.jpg" in opened(await world.client.get(link))
    await world.delete_row(found[0])
    assert len(opened(await world.client.get(link))) == 2
    assert laid_out == [3, 3, 2]


async def test_an_archive_above_what_is_kept_is_laid_out_each_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layouts, "MAX_FILES", 1)
    owner, found = await owned(world, b"one", b"two")
    link = await world.download(owner, found)
    for _ in range(2):
        assert list(opened(await world.client.get(link)).values()) == [b"one", b"two"]


async def test_an_account_without_a_place_has_nothing_prepared_or_laid_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "PER_ACCOUNT", 0)
    _, found = await owned(world, tattling.jpeg(), strip_metadata=True)
    guest = await world.person(joined=found[0].event_id)
    refused = await world.client.get(await world.download(guest, found))
    assert refused.status_code == 429
    assert await world.scalar("SELECT count(*) FROM guest_copies") == 0
    assert await world.scalar("SELECT count(*) FROM downloads WHERE etag IS NOT NULL") == 0


@contextlib.asynccontextmanager
async def downloading(world: World, links: list[str]) -> AsyncIterator[None]:
    """Clients that take the first piece of each, and no more."""
    async with clients_of(str(world.client.base_url), len(links)) as clients:
        for client, link in zip(clients, links, strict=True):
            await client.get(link)
            await client.read(100)
        yield


async def test_an_account_has_so_many_archives_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "PER_ACCOUNT", 2)
    owner, found = await owned(world, *[LARGE] * 4)
    link = await world.download(owner, found)
    admin = await world.person(Role.ADMIN)
    counted = REFUSED_BY_LIMIT.labels("archives")._value
    before = counted.get()
    async with downloading(world, [link, link]):
        refused = await world.client.get(link)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
        assert counted.get() == before + 1
        assert (await world.client.head(link)).status_code == 200
        assert (await world.client.get(await world.download(admin, found))).status_code == 200

    async def is_free() -> bool:
        return (await world.client.get(link)).status_code == 200

    await eventually(is_free)


async def test_a_process_sends_so_many_archives_at_once(
    database_url: str, folder_store: FolderStore
) -> None:
    few = settings_of(MediaSettings, database_url, archives_at_once=1)
    async with running_world(few, folder_store) as world:
        owner, found = await owned(world, *[LARGE] * 4)
        other = await world.download(await world.person(Role.ADMIN), found)
        async with downloading(world, [await world.download(owner, found)]):
            refused = await world.client.get(other)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
