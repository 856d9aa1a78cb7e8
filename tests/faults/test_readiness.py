"""What all services share is slow or away: those stay ready whose requests do without it."""

import asyncio
import time

import httpx

from libs.common.face_check import FACE_CHECK_PATH
from libs.common.signing_keys import SigningKeys
from libs.common.web.internal import INTERNAL_TOKEN_HEADER, internal_token
from tests.faults.clients import Clients
from tests.faults.deployment import SECRET, Deployment
from tests.faults.oracle import differences
from tests.faults.processes import SCRIPTED_RECOGNITION, Service
from tests.faults.proxy import StoreProxy, behind
from tests.faults.sizes import short_and_long
from tests.faults.truth import Photo, Truth
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.tiny_jpeg import tiny_jpeg

LOOK_EVERY_SECONDS = 2.0


@short_and_long("seconds", 0, 60)
async def test_a_slow_store_and_a_broker_that_is_away_take_only_those_out_who_need_them(
    deployment_on_s3: tuple[Deployment, StoreProxy], broker_proxy: StoreProxy, seconds: float
) -> None:
    deployment, store = deployment_on_s3
    fleet, world = deployment.fleet, deployment.world
    photographer = await world.user("photographer")
    photo = Photo("a.jpg", await world.event(photographer), people=(1,))
    fleet.environment["AMQP_URL"] = behind(broker_proxy, deployment.amqp_url)
    recognition = await fleet.add("recognition", SCRIPTED_RECOGNITION)
    for name in ("ingest", "gallery", "media"):
        await fleet.add(name, f"services.{name}", RECOGNITION_URL=recognition.url)
    await fleet.all_up()

    broker_proxy.hang()
    # Heartbeats find it out after some seconds: consumers take nothing then.
    await eventually(lambda: told(fleet.services, "bus", ok=False))
    await stay_ready(fleet.services, {"recognition", "ingest", "gallery", "media"}, seconds)
    async with Clients(fleet.services[1].url, SECRET, photographer) as clients:
        await clients.upload(photo)
        assert clients.resent == 0
    store.hang()
    await eventually(lambda: told([recognition], "store", ok=False))
    await eventually(lambda: are_ready(fleet.services, {"recognition", "gallery"}))
    await stay_ready(fleet.services, {"recognition", "gallery"}, seconds)
    assert await checks_a_face(recognition)

    store.heal()
    broker_proxy.heal()
    await eventually(lambda: told(fleet.services, "bus", ok=True))
    await fleet.all_up()
    state = await deployment.settled(photos=1, timeout=PATIENCE_SECONDS)
    assert differences(state, Truth([photo])) == []


async def ready(services: list[Service]) -> set[str]:
    return {service.name for service in services if await service.is_up()}


async def are_ready(services: list[Service], names: set[str]) -> bool:
    return await ready(services) == names


async def stay_ready(services: list[Service], names: set[str], seconds: float) -> None:
    """See that these are ready, and no others, once or for so long."""
    end = time.monotonic() + seconds
    while True:
        assert await ready(services) == names
        if time.monotonic() >= end:
            return
        await asyncio.sleep(LOOK_EVERY_SECONDS)


async def told(services: list[Service], dependency: str, *, ok: bool) -> bool:
    """Whether all of them say so of a dependency."""
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
        answers = [(await client.get(f"{service.url}/readyz")).json() for service in services]
    return all((answer["checks"][dependency] == "ok") is ok for answer in answers)


async def checks_a_face(recognition: Service) -> bool:
    headers = {INTERNAL_TOKEN_HEADER: internal_token(SigningKeys(SECRET))}
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
        answer = await client.post(
            f"{recognition.url}{FACE_CHECK_PATH}",
            content=tiny_jpeg("people 1\nme"),
            headers=headers,
        )
    assert answer.status_code == 200, answer.text
    return bool(answer.json()["valid"])
