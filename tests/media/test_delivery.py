"""Answers that lead to S3, and the setting that says who sends."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from libs.common.setting_files import WrongSettings
from libs.common.storage.s3 import open_s3_store
from services.media.responses.delivery import MARGIN_SECONDS, SIGNED_SECONDS, DeliveryMode
from services.media.settings import MediaSettings
from tests.media.world import World, jpeg, running_world
from tests.support.polling import PATIENCE_SECONDS
from tests.support.s3 import S3Bucket
from tests.support.settings import settings_of
from tests.support.stores import use_credentials


@pytest.fixture
async def redirecting(
    database_url: str, s3: S3Bucket, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    use_credentials(s3, monkeypatch)
    settings = settings_of(
        MediaSettings, database_url, media_delivery="redirect", photo_bucket_name=s3.bucket
    )
    async with (
        open_s3_store(s3.bucket, endpoint_url=s3.endpoint_url, region=s3.region) as store,
        running_world(settings, store) as world,
    ):
        yield world


async def test_a_link_leads_to_the_object_in_s3(redirecting: World) -> None:
    world = redirecting
    photo = await world.photo(await world.event(), jpeg(), original_filename="zwei Köche.jpg")
    for key in (photo.key, photo.rendition_key("thumbnail")):
        answer = await world.client.get(world.link(key))
        assert answer.status_code == 302
        kept = SIGNED_SECONDS - MARGIN_SECONDS
        assert answer.headers["cache-control"] == f"private, max-age={kept}"
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as stranger:
            found = await stranger.get(answer.headers["location"])
        assert found.status_code == 200
        assert found.headers["content-type"].startswith("image/")
        assert "immutable" in found.headers["cache-control"]
    assert (
        "filename*=UTF-8''zwei%20K%C3%B6che.jpg"
        in (await world.client.head(world.link(photo.key))).headers["content-disposition"]
    )


async def test_the_address_in_s3_ends_with_the_link(redirecting: World) -> None:
    world = redirecting
    photo = await world.photo(await world.event(), jpeg())
    soon = datetime.now(UTC) + timedelta(seconds=30)
    answer = await world.client.get(world.signed_urls.sign(photo.key, soon))
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert 0 < int(query["X-Amz-Expires"][0]) <= 30
    assert answer.headers["cache-control"] == "private, max-age=0"


async def test_what_the_client_has_already_is_said_by_media(redirecting: World) -> None:
    world = redirecting
    photo = await world.photo(await world.event(), jpeg())
    head = await world.client.head(world.link(photo.key))
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(photo.data)))
    etag = {"If-None-Match": head.headers["etag"]}
    assert (await world.client.get(world.link(photo.key), headers=etag)).status_code == 304


async def test_a_guest_is_never_led_to_an_original_that_tells_the_place(redirecting: World) -> None:
    world = redirecting
    event = await world.event(strip_metadata=True)
    guest = await world.person(joined=event)
    photo = await world.photo(event, jpeg())
    for method, path in (
        ("GET", f"/api/photo/{photo.id}"),
        ("GET", f"/api/image/{photo.filename}"),
    ):
        answer = await world.client.request(method, path, headers=guest.headers)
        assert answer.status_code == 200
        assert b"a camera's maker" not in answer.content


async def test_a_selfie_is_led_to_each_time_anew(redirecting: World) -> None:
    world = redirecting
    guest = await world.person()
    await world.selfie(guest)
    answer = await world.client.get(f"/api/selfie/{guest.id}", headers=guest.headers)
    assert answer.status_code == 302
    assert answer.headers["cache-control"] == "private, max-age=0"


def test_a_folder_has_no_addresses_to_lead_to() -> None:
    with pytest.raises(WrongSettings, match="PHOTO_BUCKET_NAME"):
        settings_of(MediaSettings, "postgresql://x/y", media_delivery=DeliveryMode.REDIRECT)
