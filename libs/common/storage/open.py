"""Open the object store that the settings name: S3 when there is a bucket, else a folder."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from libs.common.storage.folder import FolderStore
from libs.common.storage.protocol import ObjectStore


class StorageSettings(Protocol):
    """The part of the settings that says where objects lie."""

    @property
    def photo_bucket_name(self) -> str | None: ...

    @property
    def s3_endpoint_url(self) -> str | None: ...

    @property
    def s3_public_url(self) -> str | None: ...

    @property
    def aws_region(self) -> str: ...

    @property
    def s3_pool_size(self) -> int: ...

    @property
    def photo_store_dir(self) -> Path: ...

    @property
    def only_reads_objects(self) -> bool: ...


@asynccontextmanager
async def open_store(settings: StorageSettings) -> AsyncIterator[ObjectStore]:
    """Yield the store; raises StoreUnavailable when the folder cannot be used."""
    # An empty variable means the same as none: that is how compose files pass "not set".
    if not settings.photo_bucket_name:
        yield await FolderStore.open(
            settings.photo_store_dir, is_read_only=settings.only_reads_objects
        )
        return
    # Amazon's libraries take 0.4 s of processor time to import, which a folder does not need.
    from libs.common.storage.s3 import open_s3_store

    async with open_s3_store(
        settings.photo_bucket_name,
        endpoint_url=settings.s3_endpoint_url or None,
        public_url=settings.s3_public_url or None,
        region=settings.aws_region,
        pool_size=settings.s3_pool_size,
    ) as store:
        yield store
