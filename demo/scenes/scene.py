"""One photo: a backdrop, people in front of it in their light, and the noise of a sensor."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from demo.scenes import backdrop, garment
from demo.scenes.backdrop import Backdrop
from demo.scenes.cutout import cutout
from demo.scenes.people import PEOPLE, Person
from demo.scenes.shape import CANVAS, shaped

FULL_SIZE = (4000, 3000)
"""Width and height of a 12-megapixel photo."""

HEAD_TOP, HEAD_CHIN = 24, 335
"""Rows of the canvas between which every head is."""
HEAD_ASPECT = 0.84
"""Width of a head, with its hair, by its height."""

_MID_GREY = 118.0

# Standard deviations of the noise. With them a scene of 12 megapixels is a JPEG of 3 to 4 MB at
# quality 90, like a phone's.
_LUMA_NOISE = 4.8
_CHROMA_NOISE = 1.6
_NOISE_ROWS = 256
_NOISE_SPARE = 509


@dataclass(frozen=True, slots=True)
class Light:
    """How a person is lit; the defaults change nothing."""

    brightness: float = 1.0
    contrast: float = 1.0
    warmth: float = 0.0
    """Red up and blue down by this share (negative: cooler)."""
    side: float = 0.0
    """The right edge brighter, the left darker, by this share."""

    def on(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The lit copy of `rgb`, shape (h, w, 3)."""
        gain = self.brightness * np.array([1 + self.warmth, 1.0, 1 - self.warmth])
        lit = (rgb.astype(np.float32) - _MID_GREY) * self.contrast + _MID_GREY
        lit *= gain.astype(np.float32)
        if self.side:
            ramp = 1 + self.side * np.linspace(-1, 1, rgb.shape[1], dtype=np.float32)
            lit *= ramp[None, :, None]
        return lit.clip(0, 255).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Placement:
    """One person in a photo. Positions are shares of the width and height."""

    person: str
    x: float
    y: float
    """Of the middle of the head."""
    head_height: float
    """As a share of the photo's shorter side."""
    flip: bool = False
    tilt: float = 0.0
    """Degrees, counter-clockwise."""
    light: Light = field(default_factory=Light)
    blur: float = 0.0
    """Out of focus, in pixels of a head 311 pixels high."""


@dataclass(frozen=True, slots=True)
class SceneSpec:
    """Everything a photo is made from: the same spec gives the same pixels."""

    seed: int
    backdrop: Backdrop
    people: tuple[Placement, ...]
    size: tuple[int, int] = FULL_SIZE
    """Width and height as seen; the same geometry at every size."""
    orientation: int = 1
    """The EXIF orientation the photo is stored with."""
    taken_at: datetime | None = None

    @property
    def names(self) -> frozenset[str]:
        """Who is in the photo: its truth."""
        return frozenset(placement.person for placement in self.people)


def compose(spec: SceneSpec) -> NDArray[np.uint8]:
    """RGB pixels, upright, shape (height, width, 3)."""
    image = backdrop.draw(spec.backdrop, spec.size, spec.seed)
    # Whoever's chin is lower stands nearer: nobody's shoulders hide a face.
    for placement in sorted(spec.people, key=lambda each: each.y + each.head_height / 2):
        _paste(image, placement, spec)
    return _noisy(image, spec.seed)


def _paste(image: Image.Image, placement: Placement, spec: SceneSpec) -> None:
    width, height = spec.size
    scale = placement.head_height * min(spec.size) / (HEAD_CHIN - HEAD_TOP)
    top = placement.y * height - (HEAD_TOP + HEAD_CHIN) / 2 * scale
    # The body reaches the lower edge of the photo; nothing is drawn that nobody sees.
    rows = max(int((height - top) / scale) + 2, HEAD_CHIN)
    figure = _figure(PEOPLE[placement.person], placement, rows)
    left = placement.x * width - figure.width / 2 * scale
    enlarged = figure.resize(
        (round(figure.width * scale), round(rows * scale)), Image.Resampling.BICUBIC
    )
    image.paste(enlarged, (round(left), round(top)), enlarged)


def _figure(person: Person, placement: Placement, rows: int) -> Image.Image:
    """RGBA of a whole person at the canvas's scale, lit, flipped and tilted."""
    chin = float(shaped(person.look.head, person.look.shape)[8, 1])
    body = garment.body(person.clothes, chin=chin, seed=person.seed)
    figure = body.crop((0, 0, body.width, max(rows, CANVAS[1])))
    head = Image.fromarray(cutout(person.look))
    neck = (CANVAS[0] / 2, chin + 10)
    head = head.rotate(placement.tilt, Image.Resampling.BICUBIC, center=neck)
    figure.alpha_composite(head, ((garment.WIDTH - CANVAS[0]) // 2, 0))
    collar = garment.collar(person.look.head, person.clothes, chin=chin)
    if collar is not None:
        figure.alpha_composite(collar)
    figure = figure.crop((0, 0, figure.width, rows))
    if placement.flip:
        figure = figure.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if placement.blur:
        figure = figure.filter(ImageFilter.GaussianBlur(placement.blur))
    pixels = np.asarray(figure)
    return Image.fromarray(np.dstack([placement.light.on(pixels[..., :3]), pixels[..., 3]]))


def _noisy(image: Image.Image, seed: int) -> NDArray[np.uint8]:
    """Add noise in strips that fit the processor's cache."""
    pixels = np.array(image)
    noise = _noise(image.width, min(1.0, max(image.size) / max(FULL_SIZE)))
    rng = np.random.default_rng([seed, 2])
    for top in range(0, image.height, _NOISE_ROWS):
        strip = pixels[top : top + _NOISE_ROWS]
        shift = int(rng.integers(_NOISE_SPARE))
        grain = noise[: len(strip), shift : shift + image.width]
        strip[:] = np.clip(strip + grain, 0, 255)
    return pixels


@lru_cache(maxsize=2)
def _noise(width: int, scale: float) -> NDArray[np.int16]:
    """One band of noise, reused at changing offsets; shape (rows, width + spare, 3).

    A photo made smaller by `scale` has that much less noise: its pixels are means of many.
    """
    rng = np.random.default_rng(3)
    shape = (_NOISE_ROWS, width + _NOISE_SPARE)
    luma = rng.normal(0, _LUMA_NOISE * scale, (*shape, 1))
    chroma = rng.normal(0, _CHROMA_NOISE * scale, (*shape, 3))
    return np.rint(luma + chroma).astype(np.int16)
