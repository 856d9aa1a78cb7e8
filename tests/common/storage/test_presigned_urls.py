"""Addresses at which the S3 server gives an object to whoever has them."""

from pathlib import Path

import httpx
import pytest

from libs.common.storage.folder import FolderStore
from libs.common.storage.keys import InvalidKey
from libs.common.storage.protocol import AnswerHeaders
from libs.common.storage.s3 import open_s3_store
from tests.support.polling import PATIENCE_SECONDS
from tests.support.s3 import S3Bucket
from tests.support.stores import use_credentials

KEY = "events/1/photos/Grüße 100%+#?.jpg"
HEADERS = AnswerHeaders(
    content_type="image/jpeg",
    content_disposition="inline; filename=\"a.jpg\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.jpg",
    cache_control="private, max-age=60, immutable",
)


async def test_whoever_has_the_address_gets_the_object_with_these_headers(
    s3: S3Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_credentials(s3, monkeypatch)
    async with open_s3_store(s3.bucket, endpoint_url=s3.endpoint_url, region=s3.region) as store:
        await store.put(KEY, b"0123456789", content_type="application/octet-stream")
        url = await store.presigned_url(KEY, valid_seconds=60, headers=HEADERS)
    assert url is not None
    parameters = httpx.URL(url).params
    assert (parameters["X-Amz-Algorithm"], parameters["X-Amz-Expires"]) == (
        "AWS4-HMAC-SHA256",
        "60",
    )
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
        answer = await client.get(url)
        part = await client.get(url, headers={"Range": "bytes=3-5"})
    assert (answer.status_code, answer.content) == (200, b"0123456789")
    assert (part.status_code, part.content) == (206, b"345")
    assert [
        answer.headers[name] for name in ("content-type", "content-disposition", "cache-control")
    ] == [HEADERS.content_type, HEADERS.content_disposition, HEADERS.cache_control]


async def test_it_is_the_address_that_guests_reach(
    s3: S3Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_credentials(s3, monkeypatch)
    async with open_s3_store(
        s3.bucket, endpoint_url=s3.endpoint_url, public_url="https://photos.example.org"
    ) as store:
        await store.put(KEY, b"x", content_type="image/jpeg")
        url = await store.presigned_url(KEY, valid_seconds=60, headers=HEADERS)
        with pytest.raises(InvalidKey):
            await store.presigned_url("../secret", valid_seconds=60, headers=HEADERS)
    assert url is not None
    assert url.startswith(f"https://photos.example.org/{s3.bucket}/events/1/photos/")


async def test_a_folder_has_no_addresses(tmp_path: Path) -> None:
    store = await FolderStore.open(tmp_path)
    await store.put(KEY, b"x", content_type="image/jpeg")

    assert await store.presigned_url(KEY, valid_seconds=60, headers=HEADERS) is None
    with pytest.raises(InvalidKey):
        await store.presigned_url("../secret", valid_seconds=60, headers=HEADERS)
