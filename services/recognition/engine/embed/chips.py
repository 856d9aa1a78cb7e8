"""What stands between a detector and an embedder: faces cut out upright, as aligned chips."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from services.recognition.engine.analysis import FloatArray
from services.recognition.engine.detect.located_face import LocatedFace, Points


@dataclass(frozen=True, slots=True)
class FaceChip:
    """An aligned square chip, RGB, and how far the head is turned (see quality.py)."""

    pixels: npt.NDArray[np.uint8]
    turn: float


class ChipCutter(Protocol):
    """Cuts faces out as its embedder was trained on them."""

    def cut(self, pixels: npt.NDArray[np.uint8], face: LocatedFace) -> FaceChip:
        """Align a face of an RGB picture."""
        ...


class FaceEmbedder(Protocol):
    """Makes embeddings (n, d) of chips (n, side, side, 3)."""

    def embed(self, chips: npt.NDArray[np.uint8]) -> FloatArray: ...


def fit_similarity(source: Points, target: Points) -> tuple[complex, complex]:
    """The turn, scale and shift that take points (n, 2) onto others best, in least squares.

    They are `turn * (x + iy) + shift`, never a mirror image. Umeyama's problem, which complex
    numbers make linear.
    """
    before, after = (points[:, 0] + 1j * points[:, 1] for points in (source, target))
    centred = before - before.mean()
    turn = np.vdot(centred, after - after.mean()) / np.vdot(centred, centred)
    return complex(turn), complex(after.mean() - turn * before.mean())
