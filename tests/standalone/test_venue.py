"""A venue's Wi-Fi is one address: with the limits of the defaults all its guests get in."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
from pwdlib.hashers.argon2 import Argon2Hasher

from libs.common.database.database import Database
from libs.common.messaging.bus.in_process import InProcessBus
from libs.common.messaging.bus.topology import findme_topology
from libs.common.resources import Resources
from libs.common.storage.folder import FolderStore
from services.gallery.accounts.passwords import Passwords
from services.gallery.app import create_app as create_gallery
from services.gallery.settings import GallerySettings
from services.ingest.app import create_app as create_ingest
from services.ingest.settings import IngestSettings
from standalone.gateway_routes import service_for
from tests.ingest.conftest import ScriptedRecognition
from tests.support.people import bearer
from tests.support.rows import Rows
from tests.support.settings import settings_of
from tests.support.tiny_jpeg import tiny_jpeg

GUESTS = 300
#: As a crowd does: so many are in the middle of it at a time.
AT_ONCE = 40
CODE = "AB12CD34"
PASSWORD = "Quiet-Lake-12"


async def test_three_hundred_guests_of_one_address_get_in(
    database_url: str, tmp_path: Path
) -> None:
    settings = settings_of(GallerySettings, database_url)
    topology = findme_topology()
    bus = InProcessBus(topology)
    async with AsyncExitStack() as running:
        running.push_async_callback(bus.close)
        database = await running.enter_async_context(Database.open(settings))
        resources = Resources(database, bus, await FolderStore.open(tmp_path), topology)
        apps = {
            "gallery": create_gallery(settings, resources),
            "ingest": create_ingest(
                settings_of(IngestSettings, database_url),
                resources,
                recognition_transport=ScriptedRecognition(),
            ),
        }
        clients: dict[str | None, httpx.AsyncClient] = {}
        for name, app in apps.items():
            await running.enter_async_context(app.router.lifespan_context(app))
            clients[name] = await running.enter_async_context(
                httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")
            )
        # Hashing 600 passwords is not what this is about; all limits are the default ones.
        hasher = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1)
        object.__setattr__(
            apps["gallery"].state.gallery, "passwords", Passwords(at_once=2, hasher=hasher)
        )
        event_id = await Rows(database).event(code=CODE)
        await Rows(database).insert_photo(event_id)
        places = asyncio.Semaphore(AT_ONCE)

        async def guest(number: int) -> list[int]:
            name = f"guest-{number}"
            account = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
            statuses: list[int] = []
            headers: dict[str, str] = {}

            async def ask(method: str, path: str, **sent: object) -> httpx.Response:
                client = clients[service_for(path)]
                answer = await client.request(method, path, headers=headers, **sent)  # type: ignore[arg-type]
                statuses.append(answer.status_code)
                return answer

            selfie = {"file": ("me.jpg", tiny_jpeg("people 1"), "image/jpeg")}
            async with places:
                if number % 10 == 0:
                    await ask("POST", "/api/check-event-code", json={"event_code": "MISTYPED"})
                await ask("POST", "/api/check-event-code", json={"event_code": CODE})
                probe = account | {"event_code": CODE}
                await ask("POST", "/api/check-user-availability", json=probe)
                await ask("POST", "/api/validate-selfie", files=selfie)
                asked = {"user_data": account, "event_code": CODE}
                await ask("POST", "/api/register-with-event-code", json=asked)
                if number % 5 == 0:
                    wrong = {"username": name, "password": "Mistyped-1"}
                    assert (await ask("POST", "/api/login", json=wrong)).status_code == 401
                    statuses.pop()
                login = await ask("POST", "/api/login", json=account)
                headers |= bearer(login.json()["access_token"])
                await ask("POST", "/api/upload-selfie", files=selfie)
                await ask("GET", "/api/all-photos")
            return statuses

        answered = await asyncio.gather(*(guest(number) for number in range(GUESTS)))
    assert {status for statuses in answered for status in statuses} == {200}
