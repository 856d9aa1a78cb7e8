"""Uploads that nobody goes on with, or asks after, are forgotten with what came of them."""

import asyncio
import random
from typing import NoReturn

import structlog

from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.database import Database
from libs.common.errors import FindMeError
from libs.common.storage.protocol import ObjectStore
from services.ingest.metrics import EXPIRED_UPLOADS
from services.ingest.resumable import repository

SWEEP_EVERY_SECONDS = 600.0
SWEPT_AT_ONCE = 100

log = structlog.get_logger(__name__)


async def sweep(database: Database, store: ObjectStore) -> int:
    """Forget those that have expired; return how many. Raises Unavailable where the store is away.

    The parts go first: of an upload whose row is gone, nobody would find them.
    """
    swept = 0
    while True:
        async with database.read() as connection:
            expired = await repository.find_expired(connection, limit=SWEPT_AT_ONCE)
        for upload in expired:
            await store.delete_prefix(upload.prefix)
            async with database.single_statements() as connection:
                await repository.remove(connection, upload.id)
            if upload.status is None:
                EXPIRED_UPLOADS.inc()
        swept += len(expired)
        if len(expired) < SWEPT_AT_ONCE:
            return swept


async def sweeping(database: Database, store: ObjectStore) -> NoReturn:
    """Sweep every ten minutes until cancelled; of several replicas each may."""
    while True:
        await asyncio.sleep(random.uniform(0.5, 1.5) * SWEEP_EVERY_SECONDS)  # noqa: S311 - no secret
        try:
            if swept := await sweep(database, store):
                log.info("resumable_uploads_swept", uploads=swept)
        except (*DATABASE_ERRORS, FindMeError) as error:
            log.warning("resumable_uploads_not_swept", kind=type(error).__name__)
