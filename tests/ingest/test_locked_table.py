"""Uploads that wait for a table that somebody has locked leave a connection to the readiness."""

import asyncio
from contextlib import AsyncExitStack

from sqlalchemy import text

from libs.common.storage.protocol import ObjectStore
from services.ingest.settings import IngestSettings
from tests.ingest.conftest import new_gallery, running_ingest
from tests.support.image_files import image_file
from tests.support.polling import eventually

WAITING = text(
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'photos'::regclass"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


async def test_ingest_is_ready_while_all_that_uploads_may_have_is_waiting(
    settings: IngestSettings, store: ObjectStore
) -> None:
    # For longer than the test may take.
    patient = settings.model_copy(
        update={
            "db_pool_size": 2,
            "db_max_overflow": 3,
            "db_pool_timeout": 600,
            "db_command_timeout": 600,
            "db_lock_timeout": 600,
        }
    )
    async with running_ingest(patient, store) as ingest, AsyncExitStack() as stack:
        gallery = await new_gallery(ingest)
        # A connection beside the pool's.
        other = await stack.enter_async_context(running_ingest(settings, store))
        session = await stack.enter_async_context(other.resources.database.read())
        lock = await stack.enter_async_context(other.resources.database.unit_of_work())
        await lock.connection.execute(text("LOCK TABLE photos IN ACCESS EXCLUSIVE MODE"))
        uploads = [
            asyncio.create_task(gallery.upload((f"{n}.jpg", image_file(seed=n))))
            for n in range(patient.db_connections)
        ]

        async def all_wait() -> bool:
            waiting = await session.scalar(WAITING)
            return bool(waiting >= patient.db_connections - 1)

        async def is_ready() -> bool:
            return (await ingest.client.get("/readyz")).status_code == 200

        await eventually(all_wait)
        await eventually(is_ready, timeout=60)
        await stack.aclose()
        assert [(await upload).status_code for upload in uploads] == [200] * len(uploads)
