"""What makes a face hard, drawn on a tile: the square around a face, as it will be in a photo.

Everything is in the face's own measures: what is worn by its landmarks, blur by its width.
"""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.hard_faces.people import Pixels, SourceFace
from services.recognition.engine.detect.found_face import Points

_Real = npt.NDArray[np.float32]

_GLASSES = (18, 18, 22)
_MASKS = ((150, 190, 220), (236, 238, 240), (40, 42, 48))
_HATS = ((58, 46, 40), (178, 142, 92), (26, 34, 62))
_STAGE_LIGHTS = ((1.0, 0.12, 0.55), (0.16, 0.3, 1.0), (1.0, 0.2, 0.1), (0.2, 0.9, 0.35))
_STAGE_BRIGHTNESS = 0.55
_SMOOTH = 16  # what is drawn has soft edges: drawn in sixteenths of a pixel


@dataclass(frozen=True, slots=True)
class Tile:
    """A face `width` x `height` in the middle of a square of RGB pixels; `landmarks` (5, 2)."""

    pixels: Pixels
    landmarks: Points
    width: float
    height: float


def tile_of(face: SourceFace, width_px: float, *, is_mirrored: bool) -> Tile:
    """The face as wide as that."""
    scale = width_px / face.width
    side = max(8, round(face.pixels.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    pixels = np.asarray(cv2.resize(face.pixels, (side, side), interpolation=how), np.uint8)
    tile = Tile(pixels, face.landmarks * scale, width_px, face.height * scale)
    return mirrored(tile) if is_mirrored else tile


def mirrored(tile: Tile) -> Tile:
    """Left and right are the person's own, also in the mirror: they change places."""
    marks = tile.landmarks[[1, 0, 2, 4, 3]] * (-1, 1) + (tile.pixels.shape[1] - 1, 0)
    return replace(tile, pixels=np.ascontiguousarray(tile.pixels[:, ::-1]), landmarks=marks)


def sunglasses(tile: Tile, seed: int) -> Tile:
    """Dark lenses over eyes and brows, a bridge and temples."""
    face = _Drawing(tile)
    lenses = [face.ellipse(side * 0.53, 0.08, 0.47, 0.4) for side in (-1, 1)]
    bars = [face.bar((-0.2, -0.04), (0.2, -0.04)), face.bar((-1.15, -0.1), (-0.8, -0.06))]
    bars.append(face.bar((0.8, -0.06), (1.15, -0.1)))
    return face.painted([*lenses, *bars], _GLASSES, opacity=0.96)


def mask(tile: Tile, seed: int) -> Tile:
    """Cloth from the ridge of the nose to below the chin, and its bands to the ears."""
    face = _Drawing(tile)
    down = face.mouth
    cloth = face.polygon(
        [(-0.95, 0.35), (-0.35, 0.3), (0, 0.22), (0.35, 0.3), (0.95, 0.35), (0.85, down + 0.1),
         (0.45, down + 0.75), (0, down + 0.9), (-0.45, down + 0.75), (-0.85, down + 0.1)]
    )  # fmt: skip
    bands = [face.bar((side * 0.93, 0.4), (side * 1.3, 0.15)) for side in (-1, 1)]
    return face.painted([cloth, *bands], _MASKS[seed % len(_MASKS)])


def hat(tile: Tile, seed: int) -> Tile:
    """A crown over the hair and a brim down to the brows."""
    face = _Drawing(tile)
    crown = face.polygon([(-1.15, -0.5), (-1.0, -1.7), (1.0, -1.7), (1.15, -0.5)])
    brim = face.ellipse(0, -0.55, 1.75, 0.24)
    return face.painted([crown, brim], _HATS[seed % len(_HATS)])


def covered(tile: Tile, seed: int) -> Tile:
    """Sunglasses, mask and hat: hardly a face is left."""
    return sunglasses(mask(hat(tile, seed), seed), seed)


def turned_aside(tile: Tile, degrees: float, seed: int) -> Tile:
    """The head turned about its neck, to either side: a warp, no profile that a camera saw.

    The picture is laid on an ellipsoid with a nose, which is turned. What comes to be hidden is
    hidden; what would come into sight is the cheek's rim, stretched.
    """
    face = _Drawing(tile)
    aside = math.radians(degrees) * (1 if seed % 2 else -1)
    rows, columns = tile.pixels.shape[:2]
    grid = np.mgrid[0:rows, 0:columns][::-1].reshape(2, -1).T
    across, down = (axis.reshape(rows, columns) for axis in face.inside(grid).T)
    head = 1 - (across / 1.25) ** 2 - ((down - 0.3) / 1.9) ** 2
    depth = 1.25 * np.sqrt(np.clip(head, 0, None))
    depth += 0.4 * np.exp(-((across / 0.2) ** 2) - ((down - face.nose) / 0.3) ** 2)
    weight = np.clip(2.5 * (head + 0.25), 0, 1)
    to = across * math.cos(aside) + (depth - 0.5) * math.sin(aside)
    moved = across + weight * (to - across)
    # Along a row of the face, which is nearly upright, what is further back is passed over.
    taken = np.empty((rows, columns), np.float32)
    for row in range(rows):
        order = np.maximum.accumulate(moved[row]) + np.arange(columns) * 1e-6
        taken[row] = np.interp(across[row], order, np.arange(columns))
    lines = np.repeat(np.arange(rows, dtype=np.float32)[:, None], columns, axis=1)
    pixels = cv2.remap(tile.pixels, taken, lines, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return replace(tile, pixels=np.asarray(pixels, np.uint8))


def black_and_white(tile: Tile, seed: int) -> Tile:
    grey = cv2.cvtColor(tile.pixels, cv2.COLOR_RGB2GRAY)
    return replace(tile, pixels=np.repeat(np.asarray(grey, np.uint8)[..., None], 3, axis=2))


def stage_light(tile: Tile, seed: int) -> Tile:
    """One of the stage's colours, and little of it."""
    light = np.array(_STAGE_LIGHTS[seed % len(_STAGE_LIGHTS)]) * _STAGE_BRIGHTNESS
    # As light is added up, not as pixels are: their values are roots of it.
    pixels = tile.pixels * light ** (1 / 2.2)
    return replace(tile, pixels=pixels.clip(0, 255).astype(np.uint8))


def moved(tile: Tile, share: float, seed: int) -> Tile:
    """Blurred along a line of this share of the face's width, in one of eight directions."""
    length = max(1.0, share * tile.width)
    side = 2 * math.ceil(length / 2) + 3
    way = math.tau / 16 * (seed % 8)
    half = np.array([math.cos(way), math.sin(way)]) * length / 2
    kernel = np.zeros((side, side), np.uint8)
    ends = [np.rint((side // 2 + sign * half) * _SMOOTH).astype(int) for sign in (-1, 1)]
    cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 255, 1, cv2.LINE_AA, 4)
    return _blurred(tile, kernel.astype(np.float32))


def out_of_focus(tile: Tile, share: float, seed: int) -> Tile:
    """Each point is a disc, of this share of the face's width across."""
    radius = share * tile.width / 2
    side = math.ceil(radius) + 1
    y, x = np.mgrid[-side : side + 1, -side : side + 1]
    disc = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return _blurred(tile, disc.astype(np.float32))


def tilted(tile: Tile, degrees: float, seed: int) -> Tile:
    """Turned in the picture, to either side."""
    side = tile.pixels.shape[0]
    degrees *= 1 if seed % 2 else -1
    middle = (side - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), degrees, 1.0)
    pixels = cv2.warpAffine(
        tile.pixels, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    width, height = tile.width, tile.height
    if abs(math.cos(math.radians(degrees))) < math.sqrt(0.5) - 1e-6:
        width, height = height, width
    return replace(tile, pixels=np.asarray(pixels, np.uint8), width=width, height=height)


def _blurred(tile: Tile, kernel: _Real) -> Tile:
    pixels = cv2.filter2D(tile.pixels, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    return replace(tile, pixels=np.asarray(pixels, np.uint8))


class _Drawing:
    """A tile in the face's measures: from between the eyes to the person's left, and down.

    The unit is the distance of the eyes, or what it would be of a head seen from the front.
    """

    def __init__(self, tile: Tile) -> None:
        self._tile = tile
        right_eye, left_eye, nose, right_mouth, left_mouth = (
            complex(*mark) for mark in tile.landmarks
        )
        self._middle = (right_eye + left_eye) / 2
        across = left_eye - right_eye
        drop = abs((right_mouth + left_mouth) / 2 - self._middle)
        self._unit = across / abs(across) * max(abs(across), drop / 1.1)
        self.nose = ((nose - self._middle) / self._unit).imag
        self.mouth = drop / abs(self._unit)

    def inside(self, points: npt.NDArray[np.int64]) -> Points:
        """Pixels (n, 2) in the face's measures."""
        at = (points[:, 0] + 1j * points[:, 1] - self._middle) / self._unit
        return np.stack([at.real, at.imag], axis=1)

    def polygon(self, points: list[tuple[float, float]]) -> _Real:
        """What it covers, 0..1 of each pixel."""
        at = [complex(*point) * self._unit + self._middle for point in points]
        corners = np.array([[each.real, each.imag] for each in at])
        layer = np.zeros(self._tile.pixels.shape[:2], np.uint8)
        cv2.fillPoly(layer, [np.rint(corners * _SMOOTH).astype(np.int32)], 255, cv2.LINE_AA, 4)
        return np.asarray(layer, np.float32) / np.float32(255)

    def ellipse(self, x: float, y: float, across: float, down: float) -> _Real:
        angles = np.linspace(0, math.tau, 40, endpoint=False)
        return self.polygon(
            [(x + across * math.cos(angle), y + down * math.sin(angle)) for angle in angles]
        )

    def bar(self, start: tuple[float, float], end: tuple[float, float]) -> _Real:
        return self.polygon(
            [(x, y + side * 0.05) for side, ends in ((-1, (start, end)), (1, (end, start)))
             for x, y in ends]
        )  # fmt: skip

    def painted(
        self, layers: list[_Real], colour: tuple[int, int, int], *, opacity: float = 1.0
    ) -> Tile:
        """In a colour, a little lighter on one side as things are."""
        cover = np.max(layers, axis=0)[..., None] * opacity
        shade = np.linspace(0.82, 1.12, cover.shape[1], dtype=np.float32)[None, :, None]
        paint = np.clip(np.array(colour, np.float32) * shade, 0, 255)
        pixels = self._tile.pixels * (1 - cover) + paint * cover
        return replace(self._tile, pixels=pixels.clip(0, 255).astype(np.uint8))
