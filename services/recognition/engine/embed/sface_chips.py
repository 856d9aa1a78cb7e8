"""Faces cut out as SFace was trained on them: five landmarks onto fixed places, 112 pixels."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from services.recognition.engine.detect.located_face import LocatedFace
from services.recognition.engine.detect.quality import head_turn
from services.recognition.engine.embed.similarity_transform import fit_similarity

CHIP_SIZE = 112

# The places of OpenCV's FaceRecognizerSF: right eye, left eye, nose, corners of the mouth.
_PLACES = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
     [70.7299, 92.2041]]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SFaceChip:
    """An aligned chip (112, 112, 3), RGB, and how far the head is turned, see quality.py."""

    pixels: npt.NDArray[np.uint8]
    turn: float


class SFaceChipCutter:
    """Aligns by the detector's own landmarks, as FaceRecognizerSF.alignCrop does."""

    def cut(self, pixels: npt.NDArray[np.uint8], face: LocatedFace) -> SFaceChip:
        """Align a face of an RGB picture; raises ValueError for one without landmarks."""
        if face.landmarks is None:
            raise ValueError("SFace needs a detector that finds landmarks")
        turn, shift = fit_similarity(face.landmarks, _PLACES)
        matrix = np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
        chip = cv2.warpAffine(pixels, matrix, (CHIP_SIZE, CHIP_SIZE), flags=cv2.INTER_LINEAR)
        right_eye, left_eye, nose = face.landmarks[:3]
        return SFaceChip(np.asarray(chip, np.uint8), head_turn(right_eye, left_eye, nose))
