"""Machines whose clocks are ten minutes apart do their work as if they were not."""

import itertools
import random
import time
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.faults.clients import Clients
from tests.faults.deployment import SECRET, Deployment
from tests.faults.oracle import differences, handled_concurrently, indexed_again
from tests.faults.processes import SCRIPTED_RECOGNITION, Service
from tests.faults.sizes import short_and_long
from tests.faults.truth import Guest, Truth, invent_photos
from tests.services_apart.services import make_event
from tests.support.clocks import clock_ahead
from tests.support.polling import PATIENCE_SECONDS
from tests.support.small_event import PASSWORD

SKEW_SECONDS = 600.0
LATENCY = "findme_upload_to_match_seconds"


@dataclass(frozen=True)
class Size:
    """How far the gallery's clock is ahead, and how much there is to do."""

    gallery_ahead: float
    photos: int
    guests: int
    replicas: int


SHORT = Size(gallery_ahead=SKEW_SECONDS, photos=10, guests=3, replicas=2)
LONG = Size(gallery_ahead=-SKEW_SECONDS, photos=80, guests=8, replicas=4)


@short_and_long("size", SHORT, LONG)
async def test_clocks_that_are_apart_change_nothing(
    deployment: Deployment, rng: random.Random, size: Size
) -> None:
    await a_party(deployment, rng, size, ahead=size.gallery_ahead)


async def a_party(deployment: Deployment, rng: random.Random, size: Size, *, ahead: float) -> None:
    """Guests register and send selfies, photos come in, and everybody looks at theirs."""
    fleet = deployment.fleet
    run = f"{'ahead' if ahead > 0 else 'behind'}"
    same, other = clock_ahead(ahead), clock_ahead(-ahead)
    replicas = [
        await fleet.add(f"recognition-{run}-{number}", SCRIPTED_RECOGNITION, **clock)
        for number, clock in zip(range(size.replicas), itertools.cycle((same, other)))
    ]
    ingest = await fleet.add(
        f"ingest-{run}", "services.ingest", RECOGNITION_URL=replicas[0].url, **other
    )
    gallery = await fleet.add(f"gallery-{run}", "services.gallery", **same)
    media = await fleet.add(f"media-{run}", "services.media", **other)
    event_id, code, photographer = await make_event(fleet.environment["DATABASE_URL"], run)
    await fleet.all_up()

    began = time.monotonic()
    async with (
        httpx.AsyncClient(base_url=gallery.url, timeout=PATIENCE_SECONDS) as at_gallery,
        httpx.AsyncClient(base_url=media.url, timeout=PATIENCE_SECONDS) as at_media,
    ):
        guests = [
            Guest(await register(at_gallery, f"guest-{person}-{run}", code), person, (event_id,))
            for person in range(1, size.guests + 1)
        ]
        truth = Truth(invent_photos(rng, [event_id], guests, size.photos), guests)
        tokens = [await log_in(at_gallery, f"guest-{guest.person}-{run}") for guest in guests]
        me, photographers = await log_in(at_gallery, photographer)
        async with Clients(ingest.url, SECRET, me) as clients:
            # The gallery's tokens, whose clock is another than ingest's.
            clients.headers = dict([*tokens, (me, photographers)])
            for guest in guests:
                await clients.send_selfie(guest)
            for photo in truth.photos:
                await clients.upload(photo)
        state = await deployment.settled(
            photos=len(truth.photos), selfies=len(guests), timeout=PATIENCE_SECONDS
        )
        longest = time.monotonic() - began
        assert differences(state, truth) == []
        await is_told_how_long_photos_are_seen(deployment, at_gallery, tokens[0][1], event_id)
        for user_id, headers in tokens:
            await see_their_photos(at_gallery, at_media, user_id, headers, truth)
    matched = [await latency(replica) for replica in replicas]
    assert sum(count for count, _ in matched) == len(truth.photos)
    assert all(0 <= seconds <= count * longest for count, seconds in matched), matched
    await fleet.stop()
    calls = deployment.calls()
    assert handled_concurrently(calls) == []
    assert indexed_again(calls, truth) == []
    assert await deployment.queues() == {}


async def is_told_how_long_photos_are_seen(
    deployment: Deployment, gallery: httpx.AsyncClient, headers: dict[str, str], event_id: int
) -> None:
    """By the clock of the database."""

    async def seconds_left() -> int:
        query = "SELECT extract(epoch FROM expires_at - now()) FROM events WHERE id = {}"
        return int(await deployment.world.scalar(query.format(event_id)))

    before = await seconds_left()
    answer = await gallery.get("/api/user/event-expiration", headers=headers)
    assert await seconds_left() <= answer.json()["seconds_remaining"] <= before


async def register(gallery: httpx.AsyncClient, name: str, code: str) -> int:
    user = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    answer = await gallery.post(
        "/api/register-with-event-code", json={"user_data": user, "event_code": code}
    )
    assert answer.is_success, answer.text
    return int(answer.json()["id"])


async def log_in(gallery: httpx.AsyncClient, name: str) -> tuple[int, dict[str, str]]:
    """The account's id, and what its requests carry."""
    answer = await gallery.post("/api/login", json={"username": name, "password": PASSWORD})
    gallery.cookies.clear()
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    return int((await gallery.get("/api/me", headers=headers)).json()["id"]), headers


async def see_their_photos(
    gallery: httpx.AsyncClient,
    media: httpx.AsyncClient,
    user_id: int,
    headers: dict[str, str],
    truth: Truth,
) -> None:
    """The list is right, and media takes its links, and the gallery's token for an id."""
    listed = (await gallery.get("/api/my-photos", headers=headers)).json()
    wanted = {name for of, _, name in truth.matches() if of == user_id}
    assert {photo["original_filename"] for photo in listed} == wanted
    for photo in listed:
        for link in (photo["url"], photo["thumbnail_url"]):
            assert (await media.get(link)).status_code == 200
        by_id = await media.get(f"/api/photo/{photo['id']}", headers=headers)
        assert by_id.status_code == 200, by_id.text


async def latency(replica: Service) -> tuple[float, float]:
    """How many photos a replica has matched, and the seconds that they took in all."""
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
        exposed = (await client.get(f"{replica.url}/metrics")).text
    samples = {
        sample.name: sample.value
        for family in text_string_to_metric_families(exposed)
        for sample in family.samples
        if family.name == LATENCY and not sample.labels
    }
    return samples[f"{LATENCY}_count"], samples[f"{LATENCY}_sum"]
