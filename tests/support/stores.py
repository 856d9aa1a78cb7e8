"""An object store of either kind for a test, and a look behind its protocol."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import aioboto3
import pytest

from libs.common.storage.fetches import Fetches
from libs.common.storage.folder import FolderStore
from libs.common.storage.keys import PARTS_DIRECTORY
from libs.common.storage.protocol import ObjectStore
from libs.common.storage.s3 import open_s3_store
from tests.support.s3 import S3Bucket

KINDS = ("folder", "s3")


class StoreProbe(Protocol):
    """What the protocol hides on purpose."""

    async def unfinished(self) -> int:
        """How many uploads neither finished nor were discarded."""


@dataclass(frozen=True)
class OpenStore:
    """A store and its probe."""

    store: ObjectStore
    probe: StoreProbe


@contextlib.asynccontextmanager
async def opened(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[OpenStore]:
    """Open a store of the kind; the S3 server is started only when it is asked for."""
    if kind == "folder":
        yield OpenStore(await FolderStore.open(tmp_path / "store"), FolderProbe(tmp_path / "store"))
        return
    bucket: S3Bucket = request.getfixturevalue("s3")
    use_credentials(bucket, request.getfixturevalue("monkeypatch"))
    async with open_s3_store(
        bucket.bucket, endpoint_url=bucket.endpoint_url, region=bucket.region
    ) as store:
        yield OpenStore(store, S3Probe(bucket))


def fetches_from(store: ObjectStore) -> Fetches:
    """Fetches that nothing bounds but the test itself."""
    return Fetches(store, at_once=100, max_bytes=2**40)


def use_credentials(bucket: S3Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the bucket's credentials where botocore looks for them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", bucket.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", bucket.secret_key)


@dataclass(frozen=True)
class FolderProbe:
    """Looks into the directory of parts."""

    root: Path

    async def unfinished(self) -> int:
        return len(list((self.root / PARTS_DIRECTORY).iterdir()))


@dataclass(frozen=True)
class S3Probe:
    """Asks for the multipart uploads that are open."""

    bucket: S3Bucket

    async def unfinished(self) -> int:
        session = aioboto3.Session()
        async with session.client(
            "s3", endpoint_url=self.bucket.endpoint_url, region_name=self.bucket.region
        ) as client:
            answer: dict[str, Any] = await client.list_multipart_uploads(Bucket=self.bucket.bucket)
        return len(answer.get("Uploads", ()))
