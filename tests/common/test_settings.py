from typing import Any

import pytest

from libs.common.setting_files import WrongSettings
from libs.common.settings import CommonSettings, sqlalchemy_url
from services.gallery.settings import GallerySettings
from services.ingest.settings import IngestSettings
from services.media.settings import MediaSettings
from services.recognition.settings import RecognitionSettings

SECRET = "a secret that is used by the tests only"
REQUIRED: dict[str, Any] = {"database_url": "postgresql://db/findme", "secret_key": SECRET}


def settings(**values: Any) -> CommonSettings:
    return CommonSettings(**REQUIRED | values)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_every_customary_form_of_the_database_url_is_taken(scheme: str) -> None:
    assert sqlalchemy_url(f"{scheme}://u:p@h/d") == "postgresql+asyncpg://u:p@h/d"


def test_another_database_is_refused() -> None:
    with pytest.raises(ValueError, match="postgresql://"):
        sqlalchemy_url("mysql://h/d")


def test_a_short_secret_is_refused_with_the_command_that_makes_one() -> None:
    with pytest.raises(WrongSettings, match="openssl rand"):
        settings(secret_key="short")


def test_the_secret_does_not_show_in_logs() -> None:
    assert SECRET not in repr(settings())


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMQP_URL", "")
    monkeypatch.setenv("PHOTO_BUCKET_NAME", "")
    assert (settings().amqp_url, settings().photo_bucket_name) == (None, None)


def test_retry_delays_are_written_as_numbers_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings().retry_delays_seconds == (5, 60, 600)
    monkeypatch.setenv("RETRY_DELAYS_SECONDS", "0.5, 2")
    assert settings().retry_delays_seconds == (0.5, 2)


@pytest.mark.parametrize("delays", ["", "soon", "5,0", "-1"])
def test_retry_delays_that_cannot_be_waited_for_are_refused(
    delays: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRY_DELAYS_SECONDS", delays)
    with pytest.raises(WrongSettings, match="RETRY_DELAYS_SECONDS"):
        settings()


@pytest.mark.parametrize(("size", "overflow"), [(1, 0), (2, 1), (3, 0)])
def test_too_few_connections_are_refused_with_who_keeps_some(size: int, overflow: int) -> None:
    with pytest.raises(WrongSettings, match=r"allow 4 connections or more: the outbox relay"):
        settings(db_pool_size=size, db_max_overflow=overflow)
    assert settings(db_pool_size=2, db_max_overflow=2).db_scans_at_once == 1


@pytest.mark.parametrize("proxies", ["*", "10.1.2.3", "127.0.0.1, ::1,10.0.0.0/8,fd00::/8"])
def test_proxies_are_everybody_or_addresses_and_networks(proxies: str) -> None:
    assert settings(forwarded_allow_ips=proxies).forwarded_allow_ips == proxies


@pytest.mark.parametrize("proxies", ["gateway", "10.0.0.0/33", "10.0.0.1/8", "127.0.0.1,*", ""])
def test_proxies_that_no_address_could_be_are_refused(proxies: str) -> None:
    with pytest.raises(WrongSettings, match=r"must be \* or addresses and networks"):
        settings(forwarded_allow_ips=proxies)


def test_a_megabyte_is_the_same_in_every_setting() -> None:
    ingest = IngestSettings(**REQUIRED, max_photo_mb=3, max_request_mb=3, max_selfie_mb=3)
    gallery = GallerySettings(**REQUIRED, list_cache_mb=3)

    assert {
        ingest.max_photo_bytes,
        ingest.max_request_bytes,
        ingest.max_selfie_bytes,
        gallery.list_cache_bytes,
    } == {3 * 1024 * 1024}


@pytest.mark.parametrize("service", [IngestSettings, RecognitionSettings, MediaSettings])
def test_half_a_megapixel_more_is_understood_by_all_who_look_at_photos(
    service: type[CommonSettings],
) -> None:
    assert (
        service(**REQUIRED, max_photo_megapixels=12.5).model_dump()["max_photo_megapixels"] == 12.5
    )
