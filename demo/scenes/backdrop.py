"""Backgrounds out of focus: drawn small and enlarged, as blur makes them cheap."""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

# Pixels of the drawing's longer side: five times smaller than a 12-megapixel photo.
_DRAWN_SIDE = 800

RGB = tuple[int, int, int]


class Backdrop(StrEnum):
    """Where a photo was taken."""

    PARTY = "party"
    GARDEN = "garden"
    HALL = "hall"
    STAGE = "stage"
    TERRACE = "terrace"


_SKY_TO_GROUND: dict[Backdrop, tuple[RGB, RGB, RGB]] = {
    Backdrop.PARTY: ((38, 26, 48), (74, 44, 52), (30, 22, 30)),
    Backdrop.GARDEN: ((196, 214, 226), (122, 152, 92), (74, 104, 52)),
    Backdrop.HALL: ((206, 188, 160), (182, 158, 126), (112, 86, 66)),
    Backdrop.STAGE: ((24, 30, 70), (82, 46, 116), (20, 18, 36)),
    Backdrop.TERRACE: ((236, 178, 122), (212, 140, 118), (92, 80, 92)),
}

_LIGHTS: dict[Backdrop, tuple[RGB, ...]] = {
    Backdrop.PARTY: ((255, 190, 110), (255, 120, 90), (190, 140, 255), (255, 226, 170)),
    Backdrop.GARDEN: ((150, 190, 90), (214, 230, 150), (110, 160, 80), (250, 250, 220)),
    Backdrop.HALL: ((255, 236, 190), (255, 220, 160)),
    Backdrop.STAGE: ((90, 140, 255), (255, 80, 190), (120, 250, 230)),
    Backdrop.TERRACE: ((255, 214, 140), (255, 240, 200), (250, 160, 120)),
}

_LIGHT_COUNT = {
    Backdrop.PARTY: 46,
    Backdrop.GARDEN: 70,
    Backdrop.HALL: 14,
    Backdrop.STAGE: 26,
    Backdrop.TERRACE: 34,
}


def draw(kind: Backdrop, size: tuple[int, int], seed: int) -> Image.Image:
    """RGB picture of `size` (width, height)."""
    rng = np.random.default_rng([seed, 1])
    scale = _DRAWN_SIDE / max(size)
    small = (round(size[0] * scale), round(size[1] * scale))
    image = Image.fromarray(_gradient(kind, small, rng))
    _shapes(image, kind, rng)
    image = image.filter(ImageFilter.GaussianBlur(7))
    image = ImageChops.screen(image, _bokeh(kind, small, rng))
    # Nothing here is sharp: bilinear looks the same as bicubic and costs half.
    return image.resize(size, Image.Resampling.BILINEAR)


def _gradient(kind: Backdrop, size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Three colours from top to bottom, light falling off to the corners, slow stains."""
    width, height = size
    stops = np.array(_SKY_TO_GROUND[kind], dtype=np.float32) * rng.uniform(0.85, 1.1, (3, 1))
    rows = np.linspace(0, 1, height)
    horizon = rng.uniform(0.45, 0.7)
    colours = np.column_stack(
        [np.interp(rows, (0, horizon, 1), stops[:, band]) for band in range(3)]
    ).astype(np.float32)
    x, y = np.linspace(-1, 1, width), np.linspace(-1, 1, height)
    falloff = 1 - 0.28 * (x[None, :] ** 2 + y[:, None] ** 2) / 2
    stains = Image.fromarray(rng.integers(0, 256, (9, 12), dtype=np.uint8))
    stained = np.asarray(stains.resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
    light = falloff * (0.86 + stained / 255 * 0.28)
    return (colours[:, None, :] * light[..., None]).clip(0, 255).astype(np.uint8)


def _shapes(image: Image.Image, kind: Backdrop, rng: np.random.Generator) -> None:
    """What stands in the background: windows, trunks, beams or people far away."""
    draw = ImageDraw.Draw(image, "RGBA")
    width, height = image.size
    if kind is Backdrop.HALL:
        panes = int(rng.integers(3, 6))
        for pane in range(panes):
            left = (pane + rng.uniform(0.15, 0.25)) * width / panes
            right = left + 0.5 * width / panes
            draw.rectangle((left, 0.05 * height, right, 0.6 * height), fill=(255, 250, 236, 190))
    elif kind is Backdrop.STAGE:
        for _ in range(5):
            top, bottom = rng.uniform(0, width, 2)
            colour = _LIGHTS[kind][int(rng.integers(len(_LIGHTS[kind])))]
            beam = [(top, 0), (top + 14, 0), (bottom + 120, height), (bottom - 120, height)]
            draw.polygon(beam, fill=(*colour, 46))
    else:
        dark = tuple(int(c * 0.55) for c in _SKY_TO_GROUND[kind][1])
        for _ in range(int(rng.integers(6, 12))):
            x, thickness = rng.uniform(0, width), rng.uniform(12, 50)
            top = rng.uniform(0.2, 0.55) * height
            draw.ellipse((x - thickness, top, x + thickness, height * 1.2), fill=(*dark, 120))


def _bokeh(kind: Backdrop, size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Lights out of focus: discs, a little brighter at the rim."""
    layer = Image.new("RGB", size)
    draw = ImageDraw.Draw(layer, "RGBA")
    palette = _LIGHTS[kind]
    for _ in range(_LIGHT_COUNT[kind]):
        x, y = rng.uniform(0, size[0]), rng.triangular(-20, size[1] * 0.25, size[1] * 0.85)
        radius = rng.uniform(6, 28)
        colour = palette[int(rng.integers(len(palette)))]
        strength = int(rng.uniform(35, 120))
        box = (x - radius, y - radius, x + radius, y + radius)
        draw.ellipse(box, fill=(*colour, strength), outline=(*colour, min(255, strength * 2)))
    return layer.filter(ImageFilter.GaussianBlur(1.8))
