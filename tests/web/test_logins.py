"""Ways into the studio in a browser: by an organisation's login, by a mailed link, by passwords."""

import asyncio
import email.policy
from pathlib import Path

import pytest

from demo.command import make_place
from demo.server import running_server
from standalone.settings import StandaloneSettings
from tests.support.mailbox import text_of
from tests.support.node import run_spec
from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, running_provider
from tests.support.services import free_port
from tests.support.small_event import PASSWORD
from tests.web.findme import FEW_PHOTOS, answered_on_demand

TIMEOUT_SECONDS = 500
pytestmark = pytest.mark.timeout(900)


async def test_photographers_get_in_by_every_way(
    chromium: str, data_dir: Path, run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    async with running_provider() as provider:
        for name, value in {
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "OIDC_ISSUER": provider.issuer,
            "OIDC_CLIENT_ID": CLIENT_ID,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
            **FEW_PHOTOS,
        }.items():
            monkeypatch.setenv(name, value)
        settings = StandaloneSettings(findme_data_dir=data_dir)
        with (
            running_server(data_dir, port=port) as server,
            answered_on_demand(lambda: link_in_mail(data_dir / "mail")) as link,
        ):
            place = await make_place(
                settings, server.url, run=run, password=PASSWORD, name="Spring Fair"
            )
            address = f"{place.photographer}@example.com"
            provider.claims = {"sub": "one", "email": address, "email_verified": True}
            scene = {
                "url": server.url,
                "event": {"id": place.event_id, "name": "Spring Fair"},
                "photographer": {"username": place.photographer, "password": PASSWORD},
                "address": address,
                "mailedLink": link,
                "provider": provider.issuer,
                "camera": str(tmp_path / "none.mjpeg"),
                "chromium": chromium,
            }
            # The provider answers meanwhile.
            await asyncio.to_thread(run_spec, "logins", scene, timeout_seconds=TIMEOUT_SECONDS)


def link_in_mail(folder: Path) -> str:
    """The link to choose a password by, of the one mail that has one; empty while there is none."""
    for path in folder.glob("*.eml"):
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        found = [word for word in text_of(message).split() if "/password-reset#token=" in word]
        if found:
            return found[0]
    return ""
