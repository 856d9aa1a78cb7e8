"""Where a deployment's data lies: the database and its objects, and standalone's secret."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from libs.common.setting_files import FileOrVariableSettings
from libs.common.settings import HttpUrl
from libs.common.storage.open import open_store
from libs.common.storage.protocol import ObjectStore
from standalone.postgres import database_url
from standalone.settings import StandaloneSettings


class ObjectSettings(FileOrVariableSettings):
    """The services' own names, for their objects."""

    photo_store_dir: Path | None = Field(default=None)
    photo_bucket_name: str | None = Field(default=None)
    s3_endpoint_url: Annotated[str | None, HttpUrl] = Field(default=None)
    s3_pool_size: int = Field(default=64, ge=1)
    aws_region: str = Field(default="us-east-1")

    @field_validator("photo_store_dir", "photo_bucket_name", "s3_endpoint_url", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return value or None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the data lies; `secret_file` is standalone's, the services' is a setting."""

    database_url: str
    photo_store_dir: Path
    photo_bucket_name: str | None
    s3_endpoint_url: str | None
    s3_pool_size: int
    aws_region: str
    secret_file: Path | None
    only_reads_objects: bool = False
    s3_public_url: str | None = None

    @asynccontextmanager
    async def store(self) -> AsyncIterator[ObjectStore]:
        """Open the object store."""
        async with open_store(self) as store:
            yield store

    @property
    def store_name(self) -> str:
        """The store, for people."""
        return (
            f"the bucket {self.photo_bucket_name}"
            if self.photo_bucket_name
            else f"the folder {self.photo_store_dir}"
        )


@contextmanager
def place_of(settings: StandaloneSettings, *, owner: bool) -> Iterator[Place]:
    """Yield the place; `owner`: FindMe must not run on the data folder meanwhile.

    Standalone keeps everything in its folder. With DATABASE_URL the objects are where the
    services' variables say, and in the folder when they say nothing.
    """
    objects = ObjectSettings() if settings.database_url else ObjectSettings.model_construct()
    with database_url(settings, owner=owner) as url:
        yield Place(
            database_url=url,
            photo_store_dir=objects.photo_store_dir or settings.data_dir / "objects",
            photo_bucket_name=objects.photo_bucket_name,
            s3_endpoint_url=objects.s3_endpoint_url,
            s3_pool_size=objects.s3_pool_size,
            aws_region=objects.aws_region,
            secret_file=None if settings.database_url else settings.data_dir / "secret.key",
        )
