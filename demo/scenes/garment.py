"""Shoulders and clothes: drawn, because the portraits end at the chest."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from demo.scenes.portraits import Head

RGB = tuple[int, int, int]

WIDTH = 620
"""Width of the drawn body in canvas pixels; the neck is in the middle."""
HEIGHT = 2600
"""Enough for the smallest head high up in an upright photo."""

_MIDDLE = WIDTH / 2
_TROUSERS: RGB = (40, 42, 52)
# Half of the body, from the neck over shoulder, sleeve and hip: (half width, below the chin).
_CONTOUR = (
    (52, 6), (66, 26), (104, 56), (160, 82), (200, 106), (222, 142), (236, 210), (250, 330),
    (254, 480), (240, 640), (236, 700),
)  # fmt: skip
_HEM = 690
_LEGS = ((186, _HEM - 20), (190, 760), (170, 1000), (140, 1500), (130, HEIGHT))
_LEG_GAP = 860


@lru_cache(maxsize=16)
def body(colour: RGB, *, chin: float, seed: int) -> Image.Image:
    """RGBA, `WIDTH` x `HEIGHT`: a body whose neck starts at the row `chin`.

    The image is shared: crop or copy it before drawing on it.
    """
    alpha = Image.new("L", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(alpha)
    for contour in (_CONTOUR, _LEGS):
        right = [(_MIDDLE + x, chin + y) for x, y in contour]
        left = [(2 * _MIDDLE - x, y) for x, y in reversed(right)]
        draw.polygon(right + left, fill=255)
    gap = [(_MIDDLE - 40, chin + HEIGHT), (_MIDDLE, chin + _LEG_GAP), (_MIDDLE + 40, chin + HEIGHT)]
    draw.polygon(gap, fill=0)
    image = Image.fromarray(_cloth(colour, chin, seed))
    image.putalpha(alpha.filter(ImageFilter.GaussianBlur(1.5)))
    return image


def collar(head: Head, colour: RGB, *, chin: float) -> Image.Image | None:
    """RGBA of what lies over the neck: a roll neck; the admiral wears a shirt of her own."""
    if head is Head.ADMIRAL:
        return None
    image = Image.new("RGBA", (WIDTH, round(chin) + 60), (*colour, 0))
    draw = ImageDraw.Draw(image)
    steps = np.linspace(-1, 1, 21)
    for lower, shade in ((44, 0.78), (34, 0.95), (17, 0.86), (10, 1.0)):
        top = [(_MIDDLE + 67 * x, chin + 9 - 15 * x * x) for x in steps]
        bottom = [(_MIDDLE + 70 * x, chin + lower - 12 * x * x) for x in steps[::-1]]
        draw.polygon(top + bottom, fill=(*(int(c * shade) for c in colour), 255))
    return image.filter(ImageFilter.GaussianBlur(1.6))


def _cloth(colour: RGB, chin: float, seed: int) -> NDArray[np.uint8]:
    """Folds, the roundness of the body, sleeves apart from the chest, and dark trousers."""
    rng = np.random.default_rng(seed)
    grain = Image.fromarray(rng.integers(0, 256, (HEIGHT // 110, 17), dtype=np.uint8))
    folds = np.asarray(grain.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), dtype=np.float32)
    across = np.abs(np.arange(WIDTH, dtype=np.float32) - _MIDDLE) / 250
    below = np.arange(HEIGHT, dtype=np.float32)[:, None] - chin
    down = below.clip(0, _HEM) / _HEM
    shade = 1.08 - 0.45 * across[None, :] ** 3 - 0.2 * down + (folds - 128) / 128 * 0.07
    # The arm hangs apart from the chest from the armpit on.
    seam = np.exp(-(((across - 0.67 + 0.05 * down) / 0.022) ** 2))
    shade -= 0.34 * seam * ((down - 0.2) / 0.12).clip(0, 1)
    trousers = (below > _HEM - 6 * np.cos(across[None, :] * 1.5))[..., None]
    tint = np.where(trousers, np.array(_TROUSERS), np.array(colour)).astype(np.float32)
    result: NDArray[np.uint8] = (shade[..., None] * tint).clip(0, 255).astype(np.uint8)
    return result
