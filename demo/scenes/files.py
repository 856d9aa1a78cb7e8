"""What is drawn as files, JPEGs as cameras write them: an event's photos, and selfies."""

import os
import random
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import datetime
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from demo.scenes.backdrop import Backdrop
from demo.scenes.plan import EventPlan, PlannedPhoto
from demo.scenes.scene import Light, Placement, SceneSpec, compose

QUALITY = 90
SELFIE_SIZE = (960, 1280)

# What turns upright pixels into the stored ones, by EXIF orientation.
_STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}

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


def selfie(person: str, seed: int) -> bytes:
    """A JPEG of 960 x 1280 pixels; the same person and seed give the same bytes."""
    rng = random.Random(f"selfie {person} {seed}")  # noqa: S311 - scenery, no secret
    light = Light(
        brightness=rng.uniform(0.82, 1.08),
        contrast=rng.uniform(0.9, 1.08),
        warmth=rng.uniform(-0.1, 0.03),
        side=rng.choice((-1, 1)) * rng.uniform(0.14, 0.22),
    )
    placement = Placement(
        person=person,
        x=rng.uniform(0.47, 0.53),
        y=rng.uniform(0.42, 0.47),
        head_height=rng.uniform(0.68, 0.78),
        flip=rng.random() < 0.5,
        tilt=rng.uniform(-6, 6),
        light=light,
        blur=rng.uniform(0, 0.4),
    )
    backdrop = rng.choice((Backdrop.HALL, Backdrop.GARDEN, Backdrop.TERRACE))
    spec = SceneSpec(rng.getrandbits(31), backdrop, (placement,), size=SELFIE_SIZE)
    return jpeg_bytes(compose(spec))


def portrait(person: str, size: int = 480) -> NDArray[np.uint8]:
    """A person as they are, evenly lit; RGB, shape (size, size, 3)."""
    placement = Placement(person=person, x=0.5, y=0.47, head_height=0.62)
    return compose(SceneSpec(0, Backdrop.HALL, (placement,), size=(size, size)))


def write_jpeg(
    pixels: NDArray[np.uint8],
    target: Path | BinaryIO,
    *,
    orientation: int = 1,
    taken_at: datetime | None = None,
    quality: int = QUALITY,
) -> None:
    """Write upright RGB pixels; a viewer that respects the orientation shows them upright."""
    image = Image.fromarray(pixels)
    if orientation in _STORED:
        image = image.transpose(_STORED[orientation])
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    if taken_at is not None:
        stamp = taken_at.strftime("%Y:%m:%d %H:%M:%S")
        exif[ExifTags.Base.DateTime] = stamp
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = stamp
    image.save(target, format="JPEG", quality=quality, exif=exif)


def jpeg_bytes(pixels: NDArray[np.uint8], *, quality: int = QUALITY) -> bytes:
    """The JPEG of upright RGB pixels, without a date."""
    buffer = BytesIO()
    write_jpeg(pixels, buffer, quality=quality)
    return buffer.getvalue()
