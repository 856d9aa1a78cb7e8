"""An event's photos drawn into a folder, over several processes, once."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from demo.scenes.jpeg import write_jpeg
from demo.scenes.plan import EventPlan, PlannedPhoto
from demo.scenes.scene import compose

Progress = Callable[[int, int], None]
"""Called with the number of photos there are, and of all."""


def write_event(
    plan: EventPlan,
    directory: Path,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Draw what is missing below `directory` and return all files in the plan's order.

    The files are in a folder named by the plan's fingerprint, so a second run finds them and
    another plan does not mistake them for its own.
    """
    folder = directory / f"event-{plan.seed}-{plan.fingerprint}"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / photo.filename for photo in plan.photos]
    missing = [
        (photo, path) for photo, path in zip(plan.photos, paths, strict=True) if not path.exists()
    ]
    done = len(paths) - len(missing)
    report = progress or (lambda _done, _total: None)
    report(done, len(paths))
    if not missing:
        return paths
    # Spawned, not forked: the caller may have threads, a loop and a database open.
    processes = min(workers or os.cpu_count() or 1, len(missing))
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    try:
        for future in as_completed([pool.submit(write_photo, *each) for each in missing]):
            future.result()
            done += 1
            report(done, len(paths))
    finally:
        pool.shutdown(cancel_futures=True)
    return paths


def write_photo(photo: PlannedPhoto, path: Path) -> None:
    """Draw one photo; the file appears whole or not at all."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    write_jpeg(
        compose(photo.scene),
        unfinished,
        orientation=photo.scene.orientation,
        taken_at=photo.scene.taken_at,
    )
    unfinished.replace(path)
