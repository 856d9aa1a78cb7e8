"""The machine has no more disk, memory or descriptors: photos wait, and none is called damaged."""

import asyncio
import random
import resource
from pathlib import Path

import psutil

from tests.faults.clients import Clients
from tests.faults.deployment import SECRET, Deployment, deployed
from tests.faults.oracle import State, differences
from tests.faults.population import add_guests, add_selfie
from tests.faults.processes import Service
from tests.faults.proxy import StoreProxy
from tests.faults.sizes import short_and_long
from tests.faults.truth import Truth, invent_photos
from tests.support.polling import eventually
from tests.support.small_disk import SmallDisk, small_disk
from tests.support.worker_processes import workers_of

#: Photos above one page of a file system, whose first page says that nobody is in them.
PADDING = " " * 10_000

sizes = short_and_long("photos", 8, 60)


@sizes
async def test_a_full_disk_for_local_copies_is_waited_for(
    deployment_on_s3: tuple[Deployment, StoreProxy], rng: random.Random, photos: int
) -> None:
    deployment, _ = deployment_on_s3
    with small_disk(deployment.calls_log.parent / "temporary") as disk:
        deployment.fleet.environment["TMPDIR"] = str(disk.path)
        (replica,) = await deployment.fleet.add_recognition(1)
        disk.fill(but_bytes=4096)
        truth = await come_in(deployment, rng, photos)
        await eventually(lambda: has_said(replica, "no more disk space") >= photos)
        assert blamed(await deployment.state()) == []
        disk.free()
        await all_home(deployment, truth)
        assert copies(disk) == []


@sizes
async def test_workers_that_are_killed_one_after_the_other_blame_no_photo(
    deployment: Deployment, rng: random.Random, photos: int
) -> None:
    deployment.fleet.environment["SCRIPTED_SECONDS"] = "0.3"
    (replica,) = await deployment.fleet.add_recognition(1)
    truth = await come_in(deployment, rng, photos)
    over_photos = 0
    while over_photos < photos:
        await eventually(lambda: in_hand(deployment, replica))
        over_photos += len(in_hand(deployment, replica))
        for worker in workers_of(replica.pid):
            worker.kill()
        await asyncio.sleep(rng.uniform(0.0, 1.0))
    assert blamed(await deployment.state()) == []
    await all_home(deployment, truth)


@short_and_long("times", 1, 10)
async def test_a_full_store_is_waited_for_by_those_who_upload(
    database_url: str, amqp_url: str, tmp_path: Path, rng: random.Random, times: int
) -> None:
    with small_disk(tmp_path / "store") as disk:
        objects = disk.path / "objects"
        # To the disk's last byte.
        async with deployed(
            database_url, amqp_url, tmp_path, PHOTO_STORE_DIR=str(objects), KEPT_FREE_MB="0"
        ) as deployment:
            truth = await uploaded_while_full(deployment, disk, rng, times)
            await all_home(deployment, truth)
        stored = [path for path in objects.rglob("*") if path.is_file()]
        assert len(stored) == len(truth.photos)


async def uploaded_while_full(
    deployment: Deployment, disk: SmallDisk, rng: random.Random, times: int
) -> Truth:
    """Photos that were sent to a full store, so many times over, until they were taken."""
    world, fleet = deployment.world, deployment.fleet
    photographer = await world.user("photographer")
    event = await world.event(photographer)
    truth = Truth(invent_photos(rng, [event], [], 4 * times))
    (replica,) = await fleet.add_recognition(1)
    ingest = await fleet.add("ingest", "services.ingest", RECOGNITION_URL=replica.url)
    await ingest.up()
    async with Clients(ingest.url, SECRET, photographer) as clients:
        for number in range(times):
            disk.fill()
            before = clients.resent
            own = truth.photos[4 * number :][:4]
            uploading = asyncio.gather(*(clients.upload(photo) for photo in own))
            await eventually(lambda: clients.resent >= before + 2 * len(own))  # noqa: B023
            # Those that came before are there; of these nothing is kept.
            assert len((await deployment.state()).photos) == 4 * number
            disk.free()
            await uploading
    assert has_said(ingest, "no space left") + has_said(ingest, "store is full") > 0
    return truth


@short_and_long("times", 1, 8)
async def test_workers_that_are_stopped_over_a_photo_are_killed_and_blame_none(
    deployment: Deployment, rng: random.Random, times: int
) -> None:
    deployment.fleet.environment |= {"SCRIPTED_SECONDS": "0.3", "ANALYZE_TIMEOUT_SECONDS": "5"}
    (replica,) = await deployment.fleet.add_recognition(1)
    truth = await come_in(deployment, rng, 8 * times)
    stopped: list[str] = []
    for _ in range(times):

        async def is_struck() -> bool:
            name, worker = stop_one(deployment, replica, but=stopped)
            if worker is None:
                return False
            stopped.append(name)
            await eventually(lambda: worker not in workers_of(replica.pid))
            return True

        await eventually(is_struck)
    assert blamed(await deployment.state()) == []
    await all_home(deployment, truth)
    # Each was begun once more, by another worker.
    begun = [call.name for call in deployment.calls() if call.name in stopped]
    assert sorted(begun) == sorted(stopped * 2)
    assert replica.starts == 1


@sizes
async def test_a_replica_without_descriptors_blames_no_photo_and_comes_back(
    deployment: Deployment, rng: random.Random, photos: int
) -> None:
    (replica,) = await deployment.fleet.add_recognition(1)
    replica.freeze()
    truth = await come_in(deployment, rng, photos)
    process = psutil.Process(replica.pid)
    before = process.rlimit(resource.RLIMIT_NOFILE)
    process.rlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    for worker in workers_of(replica.pid):
        worker.kill()
    replica.thaw()
    await eventually(lambda: has_said(replica, "open files") >= photos)
    assert blamed(await deployment.state()) == []
    assert "database is away" not in replica.log.read_text()
    process.rlimit(resource.RLIMIT_NOFILE, before)
    await all_home(deployment, truth)
    assert replica.starts == 1


async def come_in(deployment: Deployment, rng: random.Random, photos: int) -> Truth:
    """Large photos of one event, and its guests' selfies."""
    world = deployment.world
    event = await world.event()
    guests = await add_guests(world, rng, [event], 3)
    truth = Truth(invent_photos(rng, [event], guests, photos), guests)
    for guest in guests:
        await add_selfie(world, guest)
    for photo in truth.photos:
        script = photo.script.replace("people", f"people{PADDING}")
        await world.photo(event, script, name=photo.name)
    return truth


async def all_home(deployment: Deployment, truth: Truth) -> None:
    """All come to the end they should have; nothing was given up on the way."""
    state = await deployment.settled(
        photos=len(truth.photos), selfies=len(truth.guests), timeout=240
    )
    assert differences(state, truth) == []
    await deployment.fleet.stop()
    assert await deployment.queues() == {}


def blamed(state: State) -> list[str]:
    return [
        f"{row.original_filename}: {row.processing_error}"
        for row in state.photos
        if row.processing_status == "failed"
    ]


def has_said(replica: Service, words: str) -> int:
    """In how many lines of its log."""
    return sum(words in line for line in replica.log.read_text(errors="replace").splitlines())


def in_hand(deployment: Deployment, replica: Service) -> list[str]:
    """The photos that its living workers have in hand."""
    alive = {worker.pid for worker in workers_of(replica.pid)}
    return [
        call.name
        for call in deployment.calls()
        if call.ended is None and call.worker in alive and call.name
    ]


def stop_one(
    deployment: Deployment, replica: Service, *, but: list[str]
) -> tuple[str, psutil.Process | None]:
    """SIGSTOP a worker over a photo that no other was stopped over; say which, None at first."""
    workers = {worker.pid: worker for worker in workers_of(replica.pid)}
    for call in deployment.calls():
        worker = workers.get(call.worker)
        if call.ended is not None or worker is None or not call.name.startswith("photo-"):
            continue
        if call.name in but:
            continue
        worker.suspend()
        if call in deployment.calls():  # it has not ended meanwhile
            return call.name, worker
        worker.resume()
    return "", None


def copies(disk: SmallDisk) -> list[str]:
    """What the service has left of the objects that it fetched."""
    return [name for name in disk.files() if name.startswith("findme-object-")]
