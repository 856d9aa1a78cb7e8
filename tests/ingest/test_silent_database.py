"""A database that answers nobody any more while photos come in; it does not come back by itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from libs.common.database import connections
from libs.common.database.database import Database
from libs.common.storage.protocol import ObjectStore
from libs.common.web.auth import Role
from services.ingest.settings import IngestSettings
from tests.ingest.conftest import Gallery, Ingest, new_gallery, running_ingest
from tests.support.image_files import image_file
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.silent_postgres import SilentPostgres

PHOTO = image_file(seed=1)


@pytest.fixture
async def postgres(database_url: str) -> AsyncIterator[SilentPostgres]:
    async with SilentPostgres(database_url).running() as postgres:
        yield postgres


@pytest.fixture
async def behind(
    settings: IngestSettings, store: ObjectStore, postgres: SilentPostgres
) -> AsyncIterator[Ingest]:
    through = settings.model_copy(
        update={
            "database_url": postgres.url,
            "db_connect_timeout": 1,
            "db_command_timeout": 1,
            "db_pool_timeout": 1,
        }
    )
    async with running_ingest(through, store) as ingest:
        yield ingest


async def upload(gallery: Gallery, *names: str) -> int:
    """The answer's status, which must come while nobody answers."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        photos = [(name, image_file(seed=seed)) for seed, name in enumerate(names)]
        return (await gallery.upload(*photos)).status_code


async def test_an_upload_is_answered_although_the_database_says_nothing(
    behind: Ingest, postgres: SilentPostgres
) -> None:
    gallery = await new_gallery(behind)
    postgres.lose_replies()
    assert await upload(gallery, "a.jpg") == 503
    postgres.heal()
    assert (await behind.photos(), await behind.objects(), await behind.messages()) == ([], {}, [])
    assert await upload(gallery, "a.jpg") == 200


async def test_a_photo_of_a_commit_without_an_answer_is_there_once_and_whole(
    behind: Ingest, postgres: SilentPostgres
) -> None:
    gallery = await new_gallery(behind)
    postgres.lose_replies_from(b"COMMIT;")
    assert await upload(gallery, "a.jpg") == 503
    postgres.heal()
    # Nobody knows; its bytes are kept, and it is a duplicate when it is sent again.
    assert await upload(gallery, "a.jpg") == 200
    [photo] = await behind.photos()
    [key] = await behind.objects()
    assert key.endswith(photo.filename)
    assert len(await behind.messages()) == 1


async def test_a_photo_of_a_lost_commit_waits_for_no_further_connection_of_the_pool(
    settings: IngestSettings, store: ObjectStore, postgres: SilentPostgres
) -> None:
    # Waiting for the pool again would go on for longer than the test may.
    few = settings.model_copy(
        update={
            "database_url": postgres.url,
            "db_connect_timeout": 1,
            "db_command_timeout": 1,
            "db_pool_timeout": 600,
            "db_pool_size": 4,
            "db_max_overflow": 0,
        }
    )
    async with running_ingest(few, store) as ingest, AsyncExitStack() as held:
        gallery = await new_gallery(ingest)
        database: Database = ingest.app.state.resources.database
        for _ in range(few.db_connections - 1):
            await held.enter_async_context(database.read())
        postgres.lose_replies_from(b"COMMIT;")
        uploading = asyncio.create_task(upload(gallery, "a.jpg"))
        await eventually(lambda: postgres.loses_replies)
        # The upload has the last one; whoever waits next gets the one that takes its place.
        next_one = asyncio.create_task(held.enter_async_context(database.read()))
        assert postgres.silence()
        postgres.heal()
        assert await uploading == 503
        await next_one
        await held.aclose()
        [photo] = await ingest.photos()
        assert [key.rpartition("/")[2] for key in await ingest.objects()] == [photo.filename]


async def test_a_photo_is_taken_when_only_the_old_connections_are_silent(
    behind: Ingest, postgres: SilentPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if they had waited for longer than one is trusted.
    monkeypatch.setattr(connections, "TRUSTED_SECONDS", 0)
    gallery = await new_gallery(behind)
    assert await upload(gallery, "a.jpg") == 200
    assert postgres.silence()
    assert await upload(gallery, "b.jpg", "c.jpg") == 200  # b has the bytes of a
    assert len(await behind.photos()) == len(await behind.objects()) == 2


async def test_the_photos_behind_one_that_waited_in_vain_do_not_wait_too(
    behind: Ingest, postgres: SilentPostgres, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = await new_gallery(behind)
    begun: list[str] = []
    create = store.create

    def counted(key: str, *, content_type: str) -> object:
        if not begun:
            postgres.lose_replies()
        begun.append(key)
        return create(key, content_type=content_type)

    monkeypatch.setattr(store, "create", counted)
    assert await upload(gallery, "a.jpg", "b.jpg", "c.jpg", "d.jpg") == 503
    assert len(begun) == 1
    postgres.heal()
    assert (await behind.photos(), await behind.objects()) == ([], {})


async def test_a_selfie_is_answered_although_the_database_says_nothing(
    behind: Ingest, postgres: SilentPostgres
) -> None:
    user_id = await behind.world.user()
    postgres.lose_replies_from(b"COMMIT;")
    async with asyncio.timeout(PATIENCE_SECONDS):
        answer = await behind.client.post(
            "/api/upload-selfie",
            headers=behind.headers(user_id, Role.PARTICIPANT),
            files={"file": ("me.jpg", PHOTO)},
        )
    assert answer.status_code == 503
    postgres.heal()
    # Whether it is recorded cannot be asked: its object stays.
    assert len(await behind.objects()) == 1
