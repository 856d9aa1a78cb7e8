"""An engine of ours that sees the same people in pictures as the Rekognition server."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.recognition.engine.face_engine import DetectedFace, PhotoAnalysis, Purpose
from tests.support.rekognition.sight import Vector, see_people
from tests.support.scripted_engine import embedding_of

#: How a face alone in its picture, a selfie, differs from the same face in a group.
_ALONE = 1e-3 * embedding_of(0xFFFF)


@dataclass(frozen=True)
class PictureEngine:
    """Reads who is in a picture of `pictures.py`; somebody alone fills it."""

    def analyze(self, path: Path, purpose: Purpose = Purpose.SELFIE) -> PhotoAnalysis:
        faces = see_people(path.read_bytes())
        is_alone = len(faces) == 1
        return PhotoAnalysis(
            width=1600,
            height=900,
            placeholder="AA==",
            faces=tuple(
                DetectedFace(
                    left=face.left,
                    top=face.top,
                    width=0.5 if is_alone else face.width,
                    height=0.8 if is_alone else face.height,
                    confidence=face.confidence,
                    embedding=alone(face.vector) if is_alone else face.vector,
                )
                for face in faces
            ),
        )


def alone(vector: Vector) -> Vector:
    """The embedding of a face that is alone in its picture."""
    return (vector + _ALONE).astype(np.float32)
