"""What an event costs with Rekognition, in calls and seconds, on a server of its protocol.

100 uploads of 12 megapixels, of which 10 are duplicates, 50 guests with selfies, 4 faces in a
photo on average; every call takes 300 ms. Photos go through ingest's own route. Four runs: the
guests register first, the photos come first, all at once, and guests one by one while photos
stream in. Each ends with a comparison of the matches with the truth.

python -m benchmarks.rekognition [--quick] [--json FILE]
"""

import asyncio
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx

from benchmarks.report import Goal, Report, main
from libs.common.resources import Resources, open_resources
from libs.common.settings import CommonSettings
from libs.common.web.auth import Role
from services.ingest.app import create_app as create_ingest
from services.ingest.settings import IngestSettings
from services.recognition.app import create_app as create_recognition
from services.recognition.settings import RecognitionSettings
from tests.support.databases import migrated_databases
from tests.support.people import SECRET, bearer, issue_token
from tests.support.polling import eventually
from tests.support.postgres import running_postgres
from tests.support.rekognition.album import Album
from tests.support.rekognition.pictures import picture_of
from tests.support.rekognition_server import RekognitionServer, running_rekognition
from tests.support.scripted_engine import ScriptedEngine

SECONDS_PER_CALL = 0.3
GUESTS = 50
STRANGERS = 70
PHOTOS = 90
DUPLICATES = 10
FACES = (1, 7)  # the fewest and the most in a photo; 4 on average
PHOTO_SIZE = (4000, 3000)
FILES_PER_REQUEST = 5
REQUESTS_AT_ONCE = 4
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Order:
    """In which order guests and photos come; with `pause`, one guest and two photos each."""

    name: str
    first: Literal["guests", "photos"] | None = None
    pause: float = 0.0

    @property
    def prefix(self) -> str:
        """Of its figures."""
        return f"{self.name}_" if self.name else ""


ORDERS = (
    Order("", first="guests"),
    Order("photos_first", first="photos"),
    Order("at_once"),
    Order("trickling", pause=0.3),
)
GOALS = {
    f"{order.prefix}{figure}": goal
    for order in ORDERS
    for figure, goal in {
        "calls_total": Goal("<=", 250),
        "index_faces_per_selfie": Goal("<=", 1),
        "seconds_total": Goal("<=", 60),
        "first_visible_s": Goal("<=", 5),
    }.items()
}


@dataclass(frozen=True, slots=True)
class Case:
    """The people of each photo; the guests are the first numbers."""

    guests: int
    photos: Sequence[Sequence[int]]
    duplicates: int

    @classmethod
    def drawn(cls, *, guests: int, photos: int, duplicates: int) -> "Case":
        """Draw who is in which photo, the same each time."""
        chosen = random.Random(4)
        everybody = range(1, guests + STRANGERS + 1)
        return cls(
            guests,
            [chosen.sample(everybody, chosen.randint(*FACES)) for _ in range(photos)],
            duplicates,
        )

    def files(self) -> list[tuple[str, bytes]]:
        """The uploads, duplicates at the end."""
        files = [
            (f"{number}.jpg", picture_of(people, size=PHOTO_SIZE, mark=number))
            for number, people in enumerate(self.photos)
        ]
        return files + files[: self.duplicates]


@dataclass(frozen=True, slots=True)
class Measured:
    """One run; seconds count to visible matches since there could be any, and over all."""

    calls: Counter[str]
    calls_total: int
    selfie_calls: int
    first_visible: float
    seconds: float


def measure(quick: bool) -> Report:  # noqa: FBT001 - the form of all benchmarks
    """Run the case in each order."""
    case = (
        Case.drawn(guests=10, photos=18, duplicates=2)
        if quick
        else Case.drawn(guests=GUESTS, photos=PHOTOS, duplicates=DUPLICATES)
    )
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "benchmark")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "benchmark")
    return asyncio.run(_measure(case))


async def _measure(case: Case) -> Report:
    report = Report("rekognition", GOALS)
    files = case.files()
    with (
        tempfile.TemporaryDirectory(prefix="findme-bench-") as folder,
        running_postgres(durable=True) as postgres,
        migrated_databases(postgres) as databases,
    ):
        for order in ORDERS:
            async with (
                running_rekognition(seconds=SECONDS_PER_CALL) as server,
                databases.fresh() as database_url,
                _services(database_url, Path(folder), server) as services,
            ):
                measured = await services.run(case, files, order)
            for operation, calls in sorted(measured.calls.items()):
                report.figures[f"{order.prefix}{operation}"] = calls
            report.figures |= {
                f"{order.prefix}calls_total": measured.calls_total,
                f"{order.prefix}index_faces_per_selfie": measured.selfie_calls / case.guests,
                f"{order.prefix}seconds_total": round(measured.seconds, 2),
                f"{order.prefix}first_visible_s": round(measured.first_visible, 2),
            }
    return report


@asynccontextmanager
async def _services(
    database_url: str, folder: Path, server: RekognitionServer
) -> AsyncIterator["Services"]:
    common: dict[str, Any] = {
        "database_url": database_url,
        "db_pool_size": 10,
        "db_max_overflow": 20,
        "secret_key": SECRET,
        "photo_store_dir": folder / database_url.rpartition("/")[2],
    }
    async with open_resources(CommonSettings(**common), name="benchmark") as resources:
        recognition = create_recognition(
            RecognitionSettings(
                **common,
                face_recognizer_provider="rekognition",
                rekognition_endpoint_url=server.url,
                photo_queue_workers=2,
            ),
            resources,
            engine_factory=ScriptedEngine,
        )
        ingest = create_ingest(IngestSettings(**common), resources)
        async with (
            recognition.router.lifespan_context(recognition),
            ingest.router.lifespan_context(ingest),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(ingest), base_url="http://ingest", timeout=60
            ) as client,
        ):
            yield Services(server, resources, client)


@dataclass(frozen=True, slots=True)
class Services:
    """Ingest and recognition, and the Rekognition server they use."""

    server: RekognitionServer
    resources: Resources
    client: httpx.AsyncClient

    async def run(self, case: Case, files: Sequence[tuple[str, bytes]], order: Order) -> Measured:
        """Register the guests, upload the photos, wait for the end, compare with the truth."""
        album = Album(self.resources.database, self.resources.store)
        photographer = await album.user("photographer")
        event = await album.event(photographer)
        started = time.perf_counter()

        async def somebody_sees_a_photo() -> bool:
            return bool(await album.scalar("SELECT 1 FROM matches LIMIT 1"))

        registration = self._register(album, event, case, order)
        upload = self._upload(event, photographer, files, order)
        async with asyncio.TaskGroup() as tasks:
            if order.first == "photos":
                await upload
                await album.settled()
            registering = tasks.create_task(registration)
            if order.first == "guests":
                await registering
                await album.settled()
            both_since = time.perf_counter()
            if order.first != "photos":
                tasks.create_task(upload)
            await eventually(somebody_sees_a_photo, timeout=PATIENCE_SECONDS)
            first_visible = time.perf_counter() - both_since
        guests = registering.result()
        await album.settled()
        seconds = time.perf_counter() - started
        await self._compare(album, event, case, guests)
        calls = list(self.server.calls)
        return Measured(
            calls=self.server.count(),
            calls_total=len(calls),
            selfie_calls=sum(
                str(call.parameters.get("ExternalImageId", "")).startswith("user:")
                for call in calls
            ),
            first_visible=first_visible,
            seconds=seconds,
        )

    async def _register(self, album: Album, event: int, case: Case, order: Order) -> dict[int, int]:
        guests = {}
        for person in range(1, case.guests + 1):
            guests[person] = await album.guest(event, person)
            await asyncio.sleep(order.pause)
        return guests

    async def _upload(
        self, event: int, photographer: int, files: Sequence[tuple[str, bytes]], order: Order
    ) -> None:
        headers = bearer(issue_token(photographer, Role.PHOTOGRAPHER))
        at_once = asyncio.Semaphore(REQUESTS_AT_ONCE)

        async def send(some: Sequence[tuple[str, bytes]]) -> None:
            async with at_once:
                answer = await self.client.post(
                    f"/api/photographer/events/{event}/upload-photos",
                    headers=headers,
                    files=[("files", (name, content, "image/jpeg")) for name, content in some],
                )
                answer.raise_for_status()

        size = 1 if order.pause else FILES_PER_REQUEST
        async with asyncio.TaskGroup() as tasks:
            for first in range(0, len(files), size):
                tasks.create_task(send(files[first : first + size]))
                await asyncio.sleep(order.pause / 2)

    async def _compare(self, album: Album, event: int, case: Case, guests: dict[int, int]) -> None:
        """Raise RuntimeError when a match is missing or made up."""
        matched = await album.matches(event)
        expected = sum(person in guests for people in case.photos for person in people)
        photos = await album.scalar("SELECT count(*) FROM photos")
        by_guest = Counter(user for user, _ in matched)
        true = {
            user: sum(person in people for people in case.photos) for person, user in guests.items()
        }
        if photos != len(case.photos) or len(matched) != expected or by_guest != Counter(true):
            msg = f"{len(matched)} matches on {photos} photos instead of {expected}"
            raise RuntimeError(msg)


if __name__ == "__main__":
    main(measure)
