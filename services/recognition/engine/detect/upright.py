"""Which way up a face is, asked of the detector itself.

YuNet was trained on upright faces. It finds others, too, but puts their eyes and mouth where an
upright face has them, and is nearly as sure of it: chips that are cut by such landmarks look alike
whoever it is. So each face is shown to it again, small, in eight turns: it is surest of the true
one. On 18 labelled photos turned by all multiples of 30 degrees (200 finds) its confidence in the
true turn was 0.82 or more, and higher by 0.047 or more than in any turn that is a quarter or more
away. It was surest of a wrong turn elsewhere: where faces were darkened or of 24 pixels, with 0.72
at most, and where hair around a face looked like a face, with more, but as large as the tile.

An exception are finds of 0.9 or more, some of which are hardly faces in a tile: composed ones had
0.32 in the true turn, or less than in the surest wrong one. Such a find is upright as it is where
no turn that is a quarter or more away is surer by 0.02, and most of them are less sure by 0.03. Of
92 such finds in 23 real photos and 34 composed pictures, all upright, that loses none, and 5 are
known by it alone; of 330 in 36 pictures turned by eight angles, none was taken for upright that was
not.
"""

import cmath
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from services.recognition.engine.detect.found_face import LocatedFace

_Pixels = npt.NDArray[np.uint8]

#: Finds faces in RGB pixels that have at least this confidence.
Find = Callable[[_Pixels, float], list[LocatedFace]]

_ANGLES = tuple(eighth * math.tau / 8 for eighth in range(8))
# A face is a little more than half of its tile: 34 pixels of 64.
_TILE_PX = 64
_TILE_SHARE = 1.9
_FACES_AT_ONCE = 8
# Where a face is not upright, its landmarks are looked for once more, on finer pixels; and where it
# stays in doubt, its turns.
_FINE_TILE_PX = 128

# From this tilt on, landmarks are found once more where the face is turned level: YuNet's lean
# towards those of an upright face, which SFace minds. A portrait that was turned by 30 degrees was
# 0.27 from itself by both networks joined, and is 0.13 so.
_LEVEL = math.radians(10)

_LEAST_CONFIDENCE = 0.3
_SURE = 0.75
_SURER_BY = 0.03
# A find as sure as this was in a wrong turn only where the true one was surer by more.
_SURE_AS_FOUND = 0.9
_NO_SURER_BY = 0.02

# How far from the middle of its tile a face may be found, how small and how large, in shares of the
# tile. A find as large as the tile is another: hair around a face looked like a face on its side.
_OFF_CENTRE = 0.25
_SMALLEST = 0.25
_LARGEST = 0.8
_GREY = (114, 114, 114)


def stood_upright(pixels: _Pixels, faces: Sequence[LocatedFace], find: Find) -> list[LocatedFace]:
    """The faces with landmarks by which they can be cut out upright.

    Where that stays in doubt, a face is not `is_aligned`.
    """
    stood = _stood_by(_TILE_PX, pixels, faces, find)
    finer = [
        number
        for number, face in enumerate(stood)
        if not face.is_aligned and max(face.width, face.height) * _TILE_SHARE > _FINE_TILE_PX
    ]
    again = _stood_by(_FINE_TILE_PX, pixels, [faces[number] for number in finer], find)
    for number, face in zip(finer, again, strict=True):
        stood[number] = face
    return stood


def _stood_by(
    tile_px: int, pixels: _Pixels, faces: Sequence[LocatedFace], find: Find
) -> list[LocatedFace]:
    stood = []
    for at in range(0, len(faces), _FACES_AT_ONCE):
        tiles = [_Tiles(pixels, face, tile_px) for face in faces[at : at + _FACES_AT_ONCE]]
        mosaic = np.vstack([np.hstack([one.turned(angle) for angle in _ANGLES]) for one in tiles])
        found = _by_tile(find(mosaic, _LEAST_CONFIDENCE), tile_px)
        for row, one in enumerate(tiles):
            turns = [one.find(found[row, column], row, column) for column in range(len(_ANGLES))]
            stood.append(_stood(pixels, one.face, turns, find))
    return stood


def _by_tile(
    found: Sequence[LocatedFace], tile_px: int
) -> Mapping[tuple[int, int], list[LocatedFace]]:
    """The finds by the row and column of the tile that their middle is in.

    A mosaic may have hundreds: to move all of them into each of its tiles took a fifth of a run
    over photos of many faces.
    """
    finds: defaultdict[tuple[int, int], list[LocatedFace]] = defaultdict(list)
    for face in found:
        finds[int(face.centre.imag // tile_px), int(face.centre.real // tile_px)].append(face)
    return finds


def _stood(
    pixels: _Pixels, face: LocatedFace, turns: Sequence[LocatedFace | None], find: Find
) -> LocatedFace:
    sure = [0.0 if found is None else found.confidence for found in turns]
    others = _others(sure, 0)
    if (
        face.confidence >= _SURE_AS_FOUND
        and sure[0] > max(others) - _NO_SURER_BY
        and sure[0] > statistics.median(others) + _SURER_BY
    ):
        return _levelled(pixels, face, find)
    best = int(np.argmax(sure))
    found = turns[best]
    if found is None or sure[best] < _SURE or sure[best] < max(_others(sure, best)) + _SURER_BY:
        return replace(face, is_aligned=False)
    if best == 0:
        return _levelled(pixels, face, find)
    angle = _ANGLES[best] + found.tilt
    tiles = _Tiles(pixels, face, _FINE_TILE_PX)
    fine = tiles.find(find(tiles.turned(angle), _SURE), 0, 0)
    return replace(face, is_aligned=False) if fine is None else tiles.back(fine, angle)


def _levelled(pixels: _Pixels, face: LocatedFace, find: Find) -> LocatedFace:
    """The same face, its landmarks as they are found where it is turned level."""
    if abs(face.tilt) < _LEVEL:
        return face
    tiles = _Tiles(pixels, face, _FINE_TILE_PX)
    level = tiles.find(find(tiles.turned(face.tilt), _SURE), 0, 0)
    if level is None:
        return face
    return replace(face, landmarks=tiles.back(level, face.tilt).landmarks)


def _others(sure: Sequence[float], turn: int) -> list[float]:
    """Of the turns that are a quarter or more away from this one."""
    eighths = len(sure)
    return [sure[(turn + away) % eighths] for away in range(eighths // 4, eighths * 3 // 4 + 1)]


class _Tiles:
    """Square cut-outs with a face in the middle, turned."""

    def __init__(self, pixels: _Pixels, face: LocatedFace, side_px: int) -> None:
        self.face = face
        self._side_px = side_px
        # As much as any turn needs, shrunk first: turning takes single pixels, no averages.
        around_px = math.ceil(side_px * math.sqrt(2))
        self._scale = _TILE_SHARE * max(face.width, face.height) / side_px
        self._around = _square(pixels, face.centre, self._scale * around_px, around_px)

    def turned(self, angle: float) -> _Pixels:
        """The tile in which is upright what is at the angle (clockwise) in the picture."""
        turn = cmath.rect(1, angle)
        shift = self._around.shape[0] / 2 * (1 + 1j) - turn * self._middle
        # What is in the tile comes from there in the cut-out.
        matrix = np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        tile = cv2.warpAffine(self._around, matrix, (self._side_px, self._side_px), flags=flags)
        return np.asarray(tile, np.uint8)

    def find(self, found: Sequence[LocatedFace], row: int, column: int) -> LocatedFace | None:
        """The surest find in the middle of the tile at this place of a mosaic, in its pixels."""
        corner = self._side_px * complex(column, row)
        here = [face.moved(1, -corner) for face in found]
        return max(filter(self._is_central, here), key=lambda face: face.confidence, default=None)

    def back(self, found: LocatedFace, angle: float) -> LocatedFace:
        """What was found in the tile that was turned by the angle, in the picture."""
        turn = self._scale * cmath.rect(1, angle)
        return found.moved(turn, self.face.centre - turn * self._middle)

    @property
    def _middle(self) -> complex:
        return self._side_px / 2 * (1 + 1j)

    def _is_central(self, face: LocatedFace) -> bool:
        off = face.centre - self._middle
        return (
            max(abs(off.real), abs(off.imag)) < _OFF_CENTRE * self._side_px
            and face.width > _SMALLEST * self._side_px
            and max(face.width, face.height) < _LARGEST * self._side_px
        )


def _square(pixels: _Pixels, centre: complex, side: float, side_px: int) -> _Pixels:
    """The square around a point, made so many pixels wide; grey where the picture ends."""
    left, top = round(centre.real - side / 2), round(centre.imag - side / 2)
    side = max(1, round(side))
    height, width = pixels.shape[:2]
    part = pixels[max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)]
    whole = cv2.copyMakeBorder(
        part,
        max(0, -top),
        max(0, top + side - height),
        max(0, -left),
        max(0, left + side - width),
        cv2.BORDER_CONSTANT,
        value=_GREY,
    )
    size = cv2.resize(whole, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return np.asarray(size, np.uint8)
