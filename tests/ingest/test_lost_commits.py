"""A commit whose answer never arrives: no row without its object, no object without its row."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import outbox as outbox_rows
from libs.common.database.database import ATTEMPTS
from libs.common.database.tables import outbox, photos, selfies
from libs.common.storage.protocol import ObjectStore
from libs.common.web.auth import Role
from services.ingest.settings import IngestSettings
from tests.ingest.conftest import Ingest, new_gallery, running_ingest
from tests.support.conflicts import OneDeadlock
from tests.support.image_files import image_file
from tests.support.locks import someone_waits
from tests.support.lossy_postgres import Loss, LossyPostgres
from tests.support.polling import eventually

PHOTO = image_file(seed=1)


@pytest.fixture
async def postgres(database_url: str) -> AsyncIterator[LossyPostgres]:
    # Not in tmp_path: a socket's name may have 107 letters.
    with tempfile.TemporaryDirectory(prefix="findme-") as folder:
        async with LossyPostgres(database_url, Path(folder)).running() as postgres:
            yield postgres


@pytest.fixture
async def lossy(
    settings: IngestSettings, store: ObjectStore, postgres: LossyPostgres
) -> AsyncIterator[Ingest]:
    through = settings.model_copy(update={"database_url": postgres.url, "db_pool_timeout": 1})
    async with running_ingest(through, store) as ingest:
        yield ingest


async def send_selfie(ingest: Ingest, user_id: int, *, add: bool = False) -> int:
    answer = await ingest.client.post(
        "/api/upload-selfie",
        params={"add": "true"} if add else {},
        headers=ingest.headers(user_id, Role.PARTICIPANT),
        files={"file": ("me.jpg", PHOTO)},
    )
    return answer.status_code


async def rows(ingest: Ingest) -> tuple[set[str], int]:
    """Names of the objects that rows refer to, and how many messages wait."""
    async with ingest.resources.database.read() as connection:
        names = {
            *(await connection.scalars(select(photos.c.filename))),
            *(await connection.scalars(select(selfies.c.filename))),
        }
        return names, await connection.scalar(select(func.count()).select_from(outbox)) or 0


async def stored(ingest: Ingest) -> set[str]:
    return {key.rpartition("/")[2] for key in await ingest.objects()}


@pytest.mark.parametrize("loss", [Loss.MADE, Loss.UNHEARD])
async def test_a_photo_whose_commit_is_lost_is_there_once_and_whole(
    lossy: Ingest, postgres: LossyPostgres, loss: Loss
) -> None:
    gallery = await new_gallery(lossy)
    postgres.lose(loss)

    answer = await gallery.upload(("a.jpg", PHOTO))

    assert (answer.status_code, answer.json()["enqueued"]) == (200, 1)
    [photo] = await lossy.photos()
    assert answer.json()["jobs"][0]["photo_id"] == photo.id
    assert await stored(lossy) == {photo.filename}
    assert await rows(lossy) == ({photo.filename}, 1)
    assert postgres.lost == 1


async def test_a_photo_whose_commit_comes_late_is_waited_for(
    lossy: Ingest, postgres: LossyPostgres
) -> None:
    gallery = await new_gallery(lossy)
    postgres.lose(Loss.LATER)

    upload = asyncio.create_task(gallery.upload(("a.jpg", PHOTO)))
    await eventually(lambda: postgres.lost == 1)
    await eventually(lambda: someone_waits(lossy.world.database))
    postgres.release()
    answer = await upload

    assert (answer.status_code, answer.json()["enqueued"]) == (200, 1)
    assert await rows(lossy) == (await stored(lossy), 1)


async def test_a_photo_whose_second_commit_would_be_lost_too_is_found_before_it(
    lossy: Ingest, postgres: LossyPostgres
) -> None:
    gallery = await new_gallery(lossy)
    postgres.lose(Loss.MADE, Loss.UNHEARD)

    answer = await gallery.upload(("a.jpg", PHOTO))

    recorded, _ = await rows(lossy)
    assert (answer.status_code, len(recorded)) == (200, 1)
    assert recorded == await stored(lossy)


async def test_a_photo_two_of_whose_commits_are_lost_keeps_its_bytes(
    lossy: Ingest, postgres: LossyPostgres
) -> None:
    gallery = await new_gallery(lossy)
    postgres.lose(Loss.UNHEARD, Loss.UNHEARD)

    answer = await gallery.upload(("a.jpg", PHOTO))

    assert (answer.status_code, postgres.lost) == (503, 2)
    assert await rows(lossy) == (set(), 0)
    assert len(await stored(lossy)) == 1


async def test_a_photo_of_which_nobody_can_say_whether_it_is_recorded_keeps_its_bytes(
    lossy: Ingest, postgres: LossyPostgres
) -> None:
    gallery = await new_gallery(lossy)
    postgres.goes_away = True
    postgres.lose(Loss.LATER)

    answer = await gallery.upload(("a.jpg", PHOTO))

    assert answer.status_code == 503
    postgres.is_away = False
    postgres.release()
    await eventually(lambda: is_recorded(lossy))
    assert (await rows(lossy))[0] == await stored(lossy)


async def test_a_photo_whose_transaction_is_given_up_each_time_leaves_no_object(
    lossy: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = await new_gallery(lossy)
    tries = 0

    async def in_a_deadlock(connection: AsyncConnection, *_: object) -> None:
        nonlocal tries
        tries += 1
        await OneDeadlock(select_nothing)(connection)

    monkeypatch.setattr(outbox_rows, "append", in_a_deadlock)
    answer = await gallery.upload(("a.jpg", PHOTO))
    assert (answer.status_code, tries) == (503, ATTEMPTS)
    assert await stored(lossy) == set()


async def select_nothing(_: AsyncConnection) -> None:
    """Work that asks nothing of the database."""


@pytest.mark.parametrize("loss", [Loss.MADE, Loss.LATER])
async def test_a_selfie_whose_commit_was_made_keeps_its_object(
    lossy: Ingest, postgres: LossyPostgres, loss: Loss
) -> None:
    user_id = await lossy.world.user()
    assert await send_selfie(lossy, user_id) == 200
    postgres.lose(loss)

    sending = asyncio.create_task(send_selfie(lossy, user_id, add=True))
    await eventually(lambda: postgres.lost == 1)
    if loss is Loss.LATER:
        await eventually(lambda: someone_waits(lossy.world.database))
    postgres.release()

    assert await sending == 200
    recorded, _ = await rows(lossy)
    assert len(recorded) == 2
    assert recorded == await stored(lossy)


async def test_a_selfie_whose_commit_was_not_made_leaves_nothing(
    lossy: Ingest, postgres: LossyPostgres
) -> None:
    user_id = await lossy.world.user()
    postgres.lose(Loss.UNHEARD)

    assert await send_selfie(lossy, user_id) == 503

    assert await rows(lossy) == (set(), 0)
    assert await stored(lossy) == set()


async def test_a_selfie_of_which_nobody_can_say_whether_it_is_recorded_keeps_its_object(
    lossy: Ingest, postgres: LossyPostgres
) -> None:
    user_id = await lossy.world.user()
    postgres.goes_away = True
    postgres.lose(Loss.LATER)

    assert await send_selfie(lossy, user_id) == 503
    postgres.is_away = False
    postgres.release()

    await eventually(lambda: is_recorded(lossy))
    assert (await rows(lossy))[0] == await stored(lossy)


async def is_recorded(ingest: Ingest) -> bool:
    return bool((await rows(ingest))[0])
