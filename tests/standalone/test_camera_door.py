"""A camera's photo, by FTPS into one process: from the card that the photographer is shown on."""

import asyncio
from pathlib import Path

import pytest

from demo.command import make_place
from demo.server import running_server
from standalone.settings import StandaloneSettings
from tests.ingest.ftp_door import ClosingTls, certificate
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.services import free_port
from tests.support.small_event import PASSWORD, SmallEvent


async def test_a_photo_by_ftps_is_the_guests_a_moment_later(
    data_dir: Path,
    small_event: SmallEvent,
    run: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FTP_PORT", str(free_port()))
    monkeypatch.setenv("FTP_TLS_CERTIFICATE", str(certificate(tmp_path)))
    who = small_event.guests(run)[0]
    theirs = next(path for path in small_event.photos if path.name in (who.truth or ()))
    with running_server(data_dir) as server:
        settings = StandaloneSettings(findme_data_dir=data_dir)
        place = await make_place(settings, server.url, run=run, password=PASSWORD)
        async with place.api() as photographer, place.api() as guest:
            await photographer.login(place.photographer, place.password)
            key = (await photographer.post("/api/api-keys", {"name": "Camera 2"}))["key"]
            card = (
                await photographer.get(f"/api/photographer/events/{place.event_id}/connections")
            )["ftp"]
            assert (card["open"], card["tls"]) == (True, "required")
            await guest.register(who.name, PASSWORD, place.event_code)
            await guest.login(who.name, PASSWORD)
            await guest.upload_selfie(who.selfie)

            def send() -> str:
                with ClosingTls(timeout=PATIENCE_SECONDS) as camera, theirs.open("rb") as photo:
                    camera.connect(card["host"], card["port"])
                    camera.login(card["user"], key)
                    camera.prot_p()
                    return camera.storbinary(f"STOR DCIM/{theirs.name}", photo)

            assert (await asyncio.to_thread(send)).endswith("received.")

            async def they_have_it() -> bool:
                found = await guest.get("/api/my-photos")
                return [photo["original_filename"] for photo in found] == [theirs.name]

            await eventually(they_have_it)
