"""What a photographer is told of the ways to send photos to an event."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from libs.common.database.tables import events
from libs.common.storage.protocol import ObjectStore
from libs.common.web.auth import Role
from services.ingest.settings import IngestSettings
from tests.ingest.conftest import Gallery, new_gallery, running_ingest
from tests.support.image_files import image_file

TLS = {"ftp_port": 2121, "ftp_tls_certificate": Path("/door.pem")}


async def card(gallery: Gallery, **headers: str) -> dict[str, Any]:
    answer = await gallery.ingest.client.get(
        f"/api/photographer/events/{gallery.event_id}/connections",
        headers=gallery.headers | headers,
    )
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def card_with(
    settings: IngestSettings, store: ObjectStore, **values: object
) -> tuple[dict[str, Any], str]:
    """The card where the door is set so, and the event's code."""
    async with running_ingest(settings.model_copy(update=values), store) as ingest:
        gallery = await new_gallery(ingest)
        async with ingest.resources.database.read() as connection:
            code = await connection.scalar(
                select(events.c.event_code).where(events.c.id == gallery.event_id)
            )
        return await card(gallery), str(code)


async def test_addresses_are_those_by_which_the_photographer_came(gallery: Gallery) -> None:
    found = await card(gallery, host="photos.example.com")
    origin = "http://photos.example.com"
    assert found["put_url"] == f"{origin}/api/events/{gallery.event_id}/photos/NAME"
    assert found["tus_url"] == f"{origin}/api/uploads"
    words = shlex.split(found["watcher_command"])
    assert words[:2] == ["findme-watch", "FOLDER"]
    options = dict(zip(words[2::2], words[3::2], strict=True))
    assert options == {"--url": origin, "--key": "KEY", "--event": str(gallery.event_id)}


async def test_the_address_takes_a_photo(gallery: Gallery) -> None:
    url = (await card(gallery))["put_url"].replace("NAME", "IMG_1.JPG")
    answer = await gallery.ingest.client.put(url, content=image_file(), headers=gallery.headers)
    assert answer.status_code == 201


async def test_a_door_that_is_not_open_says_so_and_why(
    settings: IngestSettings, store: ObjectStore
) -> None:
    found, _ = await card_with(settings, store)
    assert found["ftp"]["open"] is False
    assert "FTP_PORT" in found["ftp"]["reason"]
    assert {found["ftp"][name] for name in ("host", "port", "user", "tls")} == {None}
    found, _ = await card_with(settings, store, ftp_port=2121)
    assert found["ftp"]["open"] is False
    assert "FTP_TLS_CERTIFICATE" in found["ftp"]["reason"]


async def test_an_open_door_is_told_as_cameras_want_it(
    settings: IngestSettings, store: ObjectStore
) -> None:
    found, code = await card_with(settings, store, **TLS)
    assert found["ftp"] == {
        "open": True,
        "reason": None,
        "host": "test",
        "port": 2121,
        "passive_ports": "50000-50099",
        "tls": "required",
        "user": code,
    }
    public = {"ftp_public_host": "ftp.example.com", "ftp_public_port": 21}
    found, _ = await card_with(settings, store, **TLS, **public)
    assert (found["ftp"]["host"], found["ftp"]["port"]) == ("ftp.example.com", 21)


@pytest.mark.parametrize(("values", "tls"), [(TLS, "offered"), ({"ftp_port": 2121}, "none")])
async def test_whether_cameras_may_go_without_tls_is_told(
    settings: IngestSettings, store: ObjectStore, values: dict[str, object], tls: str
) -> None:
    found, _ = await card_with(settings, store, **values, ftp_plain=True)
    assert found["ftp"]["tls"] == tls


async def test_only_those_who_run_the_event_are_told(gallery: Gallery) -> None:
    ingest = gallery.ingest
    url = f"/api/photographer/events/{gallery.event_id}/connections"
    admin = await ingest.world.user("admin")
    told = await ingest.client.get(url, headers=ingest.headers(admin, Role.ADMIN))
    assert told.status_code == 200
    other = await ingest.world.user("photographer")
    refused = await ingest.client.get(url, headers=ingest.headers(other))
    assert refused.status_code == 403
