"""Two places: one with an event in it, and an empty one."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from backup.place import Place
from libs.common.database.database import Database
from libs.common.settings import CommonSettings
from libs.common.storage.protocol import ObjectStore
from tests.support.databases import Databases
from tests.support.s3 import S3Bucket, S3Server
from tests.support.settings import settings_of
from tests.support.stores import KINDS, use_credentials
from tests.support.world import World


class Cut(Exception):
    """The end of a process, in the middle of its work."""


@dataclass
class Quiet:
    """Shows nothing; may end the work after so many objects of a step."""

    step: str = ""
    objects: int = 0
    begun: list[str] = field(default_factory=list)

    def begin(self, what: str, total_bytes: int | None = None) -> None:
        del total_bytes
        self.begun.append(what)

    def advance(self, size: int) -> None:
        del size
        if self.step and self.begun[-1] == self.step:
            self.objects -= 1
            if self.objects < 0:
                raise Cut


def place(database_url: str, objects: Path | S3Bucket) -> Place:
    folder, bucket = (None, objects) if isinstance(objects, S3Bucket) else (objects, None)
    return Place(
        database_url=database_url,
        photo_store_dir=folder or Path("nowhere"),
        photo_bucket_name=bucket.bucket if bucket else None,
        s3_endpoint_url=bucket.endpoint_url if bucket else None,
        s3_pool_size=16,
        aws_region=bucket.region if bucket else "us-east-1",
        secret_file=None,
    )


def settings_for(place: Place) -> dict[str, Any]:
    """The services' settings for their objects."""
    return {
        "photo_store_dir": place.photo_store_dir,
        "photo_bucket_name": place.photo_bucket_name,
        "s3_endpoint_url": place.s3_endpoint_url,
        "aws_region": place.aws_region,
    }


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
async def here(
    kind: str,
    database_url: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Place:
    """A place with a migrated database."""
    if kind == "folder":
        return place(database_url, tmp_path / "here")
    bucket: S3Bucket = request.getfixturevalue("s3")
    use_credentials(bucket, monkeypatch)
    return place(database_url, bucket)


@pytest.fixture
async def there(
    kind: str, databases: Databases, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Place]:
    """An empty place of the same kind."""
    async with databases.empty() as url:
        if kind == "folder":
            yield place(url, tmp_path / "there")
            return
        server: S3Server = request.getfixturevalue("s3_server")
        with server.fresh_bucket() as bucket:
            yield place(url, bucket)


@pytest.fixture
async def store(here: Place) -> AsyncIterator[ObjectStore]:
    async with here.store() as store:
        yield store


@pytest.fixture
async def database(here: Place) -> AsyncIterator[Database]:
    settings = settings_of(CommonSettings, here.database_url)
    async with Database.open(settings) as database:
        yield database


@pytest.fixture
async def world(database: Database, store: ObjectStore) -> World:
    return World(database, store)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backup"
