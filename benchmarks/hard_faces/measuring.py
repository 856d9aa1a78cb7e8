"""What the engine makes of hard faces: found, recognised, taken for somebody else."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.hard_faces import effects, photos
from benchmarks.hard_faces.conditions import Condition
from benchmarks.hard_faces.people import People, Pixels, SourceFace
from benchmarks.hard_faces.photos import PlacedFace
from demo import scenes
from services.recognition.engine.face_engine import MIN_QUALITY, DetectedFace, Engine

# What a find and a face must share of their union, to be one: a find's box is never quite the
# truth's, and where things are worn less so.
_SAME = 0.3


@dataclass(slots=True)
class Tally:
    """Counts of one condition. A pair is a face and a stranger's selfie."""

    faces: int = 0
    found: int = 0
    recognised: int = 0
    #: Pairs that would be matched, and those that are not only because of the face's quality.
    wrong: int = 0
    wrong_but_held_back: int = 0
    qualities: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float | int]:
        """See `docs/develop/figures.md`, Hard faces."""
        return {
            "found": round(self.found / self.faces, 4),
            "recall": round(self.recognised / self.faces, 4),
            "wrong": self.wrong,
            "held_back": self.wrong_but_held_back,
            "quality": round(fmean(self.qualities), 3) if self.qualities else 0.0,
        }


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo of a condition, with the truth."""

    pixels: Pixels
    faces: list[PlacedFace]


def photos_of(condition: Condition, faces: Sequence[SourceFace], *, quick: bool) -> Iterator[Photo]:
    """Each face four times, twice mirrored; in the quick form one of each person, once.

    The same set gives the same photos.
    """
    chances = random.Random(condition.name)
    wanted = _wanted(faces, quick=quick)
    chances.shuffle(wanted)
    count = len(condition.places)
    if condition.is_full:
        wanted = (wanted * count)[:count]
    for number, first in enumerate(range(0, len(wanted), count)):
        tiles = []
        for at, (face, is_mirrored) in enumerate(wanted[first : first + count]):
            # Pixels never fall on the same places.
            width = condition.face_px * chances.uniform(0.97, 1.03)
            tile = effects.tile_of(face, width, is_mirrored=is_mirrored)
            if condition.effect is not None:
                tile = condition.effect(tile, first + at)
            tiles.append((face.person, tile))
        pixels, placed = photos.compose(tiles, condition.places, condition.size, seed=number)
        pixels = photos.taken(
            pixels, brightness=condition.brightness, noise=condition.noise, seed=number
        )
        yield Photo(pixels, placed)


def _wanted(faces: Sequence[SourceFace], *, quick: bool) -> list[tuple[SourceFace, bool]]:
    if not quick:
        return [(face, is_mirrored) for face in faces for is_mirrored in (False, True)] * 2
    firsts = {face.person: face for face in reversed(faces)}
    return [(face, False) for face in firsts.values()]


def measured(
    condition: Condition, people: People, engine: Engine, *, near: float, quick: bool
) -> Tally:
    """Analyse the condition's photos; embeddings not further apart than `near` match."""
    tally = Tally()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "photo.jpg"
        for photo in photos_of(condition, people.faces, quick=quick):
            scenes.write_jpeg(photo.pixels, path, quality=condition.jpeg_quality)
            count(tally, photo.faces, engine.analyze(path).faces, people, near=near)
    return tally


def count(
    tally: Tally,
    truth: Sequence[PlacedFace],
    finds: Sequence[DetectedFace],
    people: People,
    *,
    near: float,
) -> None:
    """Add a photo. What is found where nobody was placed has no selfie: all it matches is wrong."""
    tally.faces += len(truth)
    found, recognised = set(), set()
    for find in finds:
        shared = [_shared(find, face) for face in truth]
        at = int(np.argmax(shared)) if shared else -1
        own = truth[at].person if shared and shared[at] > 0 else None
        matched = {
            name
            for name, selfie in people.selfies.items()
            if float(np.linalg.norm(find.embedding - selfie)) <= near
        }
        is_good = find.quality >= MIN_QUALITY
        strangers = len(matched - {own})
        if is_good:
            tally.wrong += strangers
        else:
            tally.wrong_but_held_back += strangers
        if own is not None and shared[at] >= _SAME:
            if at not in found:
                tally.qualities.append(find.quality)
            found.add(at)
            if is_good and own in matched:
                recognised.add(at)
    tally.found += len(found)
    tally.recognised += len(recognised)


def _shared(find: DetectedFace, face: PlacedFace) -> float:
    """Of the union of both boxes."""
    across = min(find.left + find.width, face.left + face.width) - max(find.left, face.left)
    down = min(find.top + find.height, face.top + face.height) - max(find.top, face.top)
    if across <= 0 or down <= 0:
        return 0.0
    return across * down / (find.width * find.height + face.width * face.height - across * down)
