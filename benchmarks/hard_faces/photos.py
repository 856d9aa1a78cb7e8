"""Photos made of tiles: faces in known places before the demo's backdrops."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.hard_faces.effects import Tile
from benchmarks.hard_faces.people import Pixels
from demo.scenes import Backdrop, backdrop

# How much of a tile, from its rim, fades into what is behind it.
_FADING = 0.08
_BACKDROPS = (Backdrop.GARDEN, Backdrop.HALL, Backdrop.TERRACE)
_NOISE_ROWS = 256


@dataclass(frozen=True, slots=True)
class Place:
    """The middle of a face, in shares of the photo; or at which side how much of it is missing."""

    x: float
    y: float
    side: tuple[int, int] = (0, 0)
    missing: float = 0.0


@dataclass(frozen=True, slots=True)
class PlacedFace:
    """The truth: who is where; left, top, width and height of what is seen, in shares."""

    person: str
    left: float
    top: float
    width: float
    height: float


def grid(columns: int, rows: int) -> tuple[Place, ...]:
    return tuple(
        Place((column + 0.5) / columns, (row + 0.5) / rows)
        for row, column in itertools.product(range(rows), range(columns))
    )


def cut_off(missing: float) -> tuple[Place, ...]:
    """Three faces at each side of the photo, in turns."""
    sides = ((-1, 0), (1, 0), (0, -1), (0, 1))
    return tuple(
        Place((1 + x) / 2 if x else along, (1 + y) / 2 if y else along, (x, y), missing)
        for along in (0.25, 0.5, 0.75)
        for x, y in sides
    )


def compose(
    tiles: Sequence[tuple[str, Tile]], places: Sequence[Place], size: tuple[int, int], seed: int
) -> tuple[Pixels, list[PlacedFace]]:
    """RGB pixels (height, width, 3), and where the people are in them."""
    pixels = np.array(_backdrop(size, seed % len(_BACKDROPS)))
    placed = []
    for (person, tile), place in zip(tiles, places, strict=False):
        x, y = (
            _middle(share, extent, toward, face, place.missing)
            for share, extent, toward, face in zip(
                (place.x, place.y), size, place.side, (tile.width, tile.height), strict=True
            )
        )
        side = tile.pixels.shape[0]
        _paste(pixels, tile.pixels, round(x - side / 2), round(y - side / 2))
        left, top = max(0.0, x - tile.width / 2), max(0.0, y - tile.height / 2)
        right, bottom = min(size[0], x + tile.width / 2), min(size[1], y + tile.height / 2)
        shares = left / size[0], top / size[1], (right - left) / size[0], (bottom - top) / size[1]
        placed.append(PlacedFace(person, *shares))
    return pixels, placed


@lru_cache(maxsize=len(_BACKDROPS))
def _backdrop(size: tuple[int, int], number: int) -> Image.Image:
    return backdrop.draw(_BACKDROPS[number], size, seed=number)


def taken(pixels: Pixels, *, brightness: float, noise: float, seed: int) -> Pixels:
    """The photo in little light; `noise` is each pixel's deviation, in grey levels."""
    if brightness == 1 and not noise:
        return pixels
    random = np.random.default_rng(seed)
    dark = np.empty_like(pixels)
    for top in range(0, len(pixels), _NOISE_ROWS):
        strip = pixels[top : top + _NOISE_ROWS].astype(np.float32) * np.float32(brightness)
        strip += random.standard_normal(strip.shape, np.float32) * np.float32(noise)
        dark[top : top + _NOISE_ROWS] = strip.clip(0, 255)
    return dark


def _middle(share: float, extent: int, toward: int, face: float, missing: float) -> float:
    """Where along one axis a face's middle is: so much of it lies beyond the side it is at."""
    return share * extent + toward * (missing - 0.5) * face


def _paste(pixels: Pixels, tile: Pixels, left: int, top: int) -> None:
    side = len(tile)
    up, down = max(0, -top), min(side, len(pixels) - top)
    near, far = max(0, -left), min(side, pixels.shape[1] - left)
    here = pixels[top + up : top + down, left + near : left + far]
    opacity = _fading(side)[up:down, near:far, None]
    here[:] = np.rint(here * (1 - opacity) + tile[up:down, near:far] * opacity)


def _fading(side: int) -> npt.NDArray[np.float32]:
    """1 in the middle of a square, less and less towards its rim."""
    distance = np.minimum(np.arange(side) + 1, np.arange(side, 0, -1)) / (side * _FADING)
    ramp = np.clip(distance, 0, 1).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(np.outer(ramp, ramp), (0, 0), 1.0), np.float32)
