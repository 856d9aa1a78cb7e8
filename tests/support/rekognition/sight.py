"""What the server sees in an image: scripted people, or real faces by the embedded engine."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.recognition.engine.face_engine import EMBEDDED
from tests.support.rekognition.pictures import MAX_PEOPLE, people_in
from tests.support.scripted_engine import embedding_of

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True)
class SeenFace:
    """A face in fractions of the image, and what it is compared by."""

    left: float
    top: float
    width: float
    height: float
    confidence: float  # 0..1
    vector: Vector


#: Finds the faces of an image.
Sight = Callable[[bytes], list[SeenFace]]
#: Compares one vector (d,) with many (n, d): 0 to 100 each.
Likeness = Callable[[Vector, Vector], npt.NDArray[np.float64]]


def see_people(jpeg: bytes) -> list[SeenFace]:
    """The people that the picture says are in it, with unit vectors of their own."""
    side = 1 / MAX_PEOPLE
    return [
        SeenFace(position * side, 0.1, side, side, 0.99, embedding_of(person))
        for position, person in enumerate(people_in(jpeg))
    ]


def see_angles(jpeg: bytes) -> list[SeenFace]:
    """People whose numbers are angles in degrees: two are alike by the cosine between them."""
    side = 1 / MAX_PEOPLE
    return [
        SeenFace(position * side, 0.1, side, side, 0.99, _direction(angle))
        for position, angle in enumerate(people_in(jpeg))
    ]


def _direction(degrees: int) -> Vector:
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], np.float32)


def cosine_likeness(one: Vector, many: Vector) -> npt.NDArray[np.float64]:
    """Of unit vectors; different people's are about at right angles."""
    return np.asarray(np.clip(many @ one, 0, 1) * 100, np.float64)


def real_sight(model_dir: Path | None = None) -> Sight:
    """Sight by the embedded engine."""
    # The other half of this module is imported by every worker of a scripted engine.
    from services.recognition.engine.engines import EmbeddedEngine

    engine = EmbeddedEngine(model_dir=model_dir)

    def see(jpeg: bytes) -> list[SeenFace]:
        with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
            file.write(jpeg)
            file.flush()
            analysis = engine.analyze(Path(file.name))
        return [
            SeenFace(face.left, face.top, face.width, face.height, face.confidence, face.embedding)
            for face in analysis.faces
        ]

    return see


def real_likeness(one: Vector, many: Vector) -> npt.NDArray[np.float64]:
    """By the embedded engine's calibration."""
    distances = np.linalg.norm(many - one, axis=1)
    return np.array([EMBEDDED.calibration.similarity(float(distance)) for distance in distances])
