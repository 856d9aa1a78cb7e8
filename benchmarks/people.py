"""Grouping the people without a selfie of a large event, from the database to the list.

A tenth of the faces are of strangers, who are in one photo each.
"""

import asyncio
import contextlib
import resource
import time
from collections import Counter

import asyncpg
import numpy as np
import numpy.typing as npt
import psutil

from benchmarks.drawn_faces import DrawnFaces
from benchmarks.report import Goal, Report, main
from benchmarks.stored_faces import private_database
from libs.common.database.database import Database
from services.recognition.engine.face_engine import EMBEDDED, FloatArray, to_bytes
from services.recognition.people.find_people import MOST_FACES, FoundPeople, PeopleFinder
from tests.support.rows import Rows

GOALS = {
    "cpu_seconds": Goal("<=", 10),
    "megabytes": Goal("<=", 200),
    "loop_blocked_seconds": Goal("<=", 0.5),
    "people_in_one_group": Goal(">=", 0.99),
    "pure_groups": Goal(">=", 0.9),
}
FACES, FACES_QUICK = MOST_FACES, 4000
FACES_PER_PHOTO = 4
FACES_PER_PERSON = 40
STRANGERS = 0.1

Numbers = npt.NDArray[np.int64]


def draw_faces(count: int, seed: int = 1) -> tuple[FloatArray, Numbers]:
    """Embeddings (count, 256), and whose each is; few people are in very many photos."""
    random = np.random.default_rng(seed)
    people, strangers = count // FACES_PER_PERSON, int(count * STRANGERS)
    shares = random.pareto(1.2, people) + 1
    known = random.choice(people, count - strangers, p=shares / shares.sum())
    whose = random.permutation(np.concatenate([known, people + np.arange(strangers)]))
    drawn = DrawnFaces(random)
    return drawn.faces_of(drawn.people(people + strangers)[whose]), whose


def measure(quick: bool) -> Report:  # noqa: FBT001
    """Group an event's faces once."""
    return asyncio.run(_measure(FACES_QUICK if quick else FACES))


async def _measure(count: int) -> Report:
    embeddings, whose = draw_faces(count)
    async with private_database() as database:
        event_id = await Rows(database).event()
        person_of = await _store(database, event_id, embeddings, whose)
        async with PeopleFinder(database, EMBEDDED) as finder:
            cpu_before = _cpu_seconds()
            watch = Watch()
            watching = asyncio.create_task(watch.run())
            began = time.perf_counter()
            found = await finder.find(event_id)
            seconds = time.perf_counter() - began
            watching.cancel()
            cpu_seconds = _cpu_seconds() - cpu_before
            began = time.perf_counter()
            await finder.find(event_id)
            again = time.perf_counter() - began
    figures = {
        "faces": count,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),
        "unchanged_seconds": round(again, 4),
        "megabytes": round(watch.most_bytes / 1e6, 1),
        "loop_blocked_seconds": round(watch.longest_pause, 3),
        **_quality(found, person_of),
    }
    return Report("people", GOALS, figures)


class Watch:
    """How long at most the service could answer nobody else, and how large the worker was."""

    def __init__(self) -> None:
        self.longest_pause = 0.0
        self.most_bytes = 0

    async def run(self) -> None:
        """Look until cancelled."""
        before = set(psutil.Process().children())
        while True:
            last = time.perf_counter()
            await asyncio.sleep(0.005)
            self.longest_pause = max(self.longest_pause, time.perf_counter() - last)
            for worker in set(psutil.Process().children()) - before:
                with contextlib.suppress(psutil.NoSuchProcess):
                    self.most_bytes = max(self.most_bytes, worker.memory_info().rss)


def _cpu_seconds() -> float:
    """Of the workers that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _quality(found: FoundPeople, person_of: dict[tuple[int, float], int]) -> dict[str, float]:
    """How many groups are of one person, and how many people are in one group."""
    listed = found.people.page(min_photos=2, limit=10**9, after=None)
    groups = [{person_of[face.photo_id, face.left] for face in one.faces} for one in listed]
    groups_of = Counter(person for group in groups for person in group)
    often = [person for person, faces in Counter(person_of.values()).items() if faces > 2]
    return {
        "groups": len(groups),
        "pure_groups": round(sum(len(group) == 1 for group in groups) / len(groups), 3),
        "people_in_one_group": round(sum(groups_of[one] == 1 for one in often) / len(often), 3),
    }


async def _store(
    database: Database, event_id: int, embeddings: FloatArray, whose: Numbers
) -> dict[tuple[int, float], int]:
    """Store the faces, a few in each photo; return whose each is by photo and left edge."""
    url = database.engine.url.set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    try:
        rows = await connection.fetch(
            "INSERT INTO photos (event_id, filename, original_filename, content_type, sha256,"
            " crc32, size_bytes, width, height, processing_status)"
            " SELECT $1::bigint, 'p-' || n, 'x.jpg', 'image/jpeg', '', 0, 1, 4000, 3000, 'done'"
            " FROM generate_series(1, $2::int) n RETURNING id",
            event_id,
            -(-len(embeddings) // FACES_PER_PHOTO),
        )
        places = [
            (rows[n // FACES_PER_PHOTO]["id"], n % FACES_PER_PHOTO) for n in range(len(embeddings))
        ]
        await connection.copy_records_to_table(
            "faces",
            records=[
                (photo_id, event_id, position, position / 8, 0.1, 0.1, 0.1, 0.9, EMBEDDED.name,
                 to_bytes(embedding))
                for (photo_id, position), embedding in zip(places, embeddings, strict=True)
            ],
            columns=["photo_id", "event_id", "position", "left", "top", "width", "height",
                     "confidence", "engine", "embedding"],
        )  # fmt: skip
        await connection.execute("VACUUM ANALYZE faces")
    finally:
        await connection.close()
    return {
        (photo_id, position / 8): person
        for (photo_id, position), person in zip(places, whose.tolist(), strict=True)
    }


if __name__ == "__main__":
    main(measure)
