"""What every engine makes of a photo, and what an engine is to a worker process."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class DetectedFace:
    """A face: its box in fractions (0..1) of the upright photo, and its embedding."""

    left: float
    top: float
    width: float
    height: float
    confidence: float  # 0..1
    embedding: FloatArray  # (d,), d is the engine's
    #: 0..1, see `found_face.quality`: below MIN_QUALITY a face says too little about who it is.
    quality: float = 1.0


@dataclass(frozen=True, slots=True)
class PhotoAnalysis:
    """What is found in a photo: its upright size in pixels, a placeholder, and the faces."""

    width: int
    height: int
    placeholder: str  # ThumbHash, base64
    faces: tuple[DetectedFace, ...]


class Engine(Protocol):
    """What runs inside a worker."""

    def analyze(self, path: Path) -> PhotoAnalysis:
        """Analyze one photo; raises PermanentError for a file that is none."""
        ...
