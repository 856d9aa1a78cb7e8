from dataclasses import dataclass
from pathlib import Path

import pytest

from libs.common.storage.folder import FolderStore
from libs.common.storage.open import open_store
from libs.common.storage.s3 import S3Store
from tests.support.s3 import S3Bucket
from tests.support.stores import use_credentials


@dataclass(frozen=True)
class Settings:
    photo_store_dir: Path
    photo_bucket_name: str | None = None
    s3_endpoint_url: str | None = None
    s3_public_url: str | None = None
    aws_region: str = "us-east-1"
    s3_pool_size: int = 4
    only_reads_objects: bool = False


@pytest.mark.parametrize("bucket", [None, ""])
async def test_without_a_bucket_objects_go_to_the_folder(
    tmp_path: Path, bucket: str | None
) -> None:
    async with open_store(Settings(tmp_path / "objects", bucket)) as store:
        await store.put("a", b"x", content_type="image/jpeg")

        assert isinstance(store, FolderStore)
        assert (tmp_path / "objects" / "a").read_bytes() == b"x"


async def test_with_a_bucket_objects_go_to_s3(
    tmp_path: Path, s3: S3Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_credentials(s3, monkeypatch)
    settings = Settings(tmp_path / "objects", s3.bucket, s3.endpoint_url)

    async with open_store(settings) as store:
        await store.put("a", b"x", content_type="image/jpeg")

        assert isinstance(store, S3Store)
        assert await store.get("a") == b"x"
    assert not (tmp_path / "objects").exists()
