"""An engine of ours that decodes as all of them do, and then finds nobody."""

from dataclasses import dataclass
from pathlib import Path

from services.recognition.engine import thumbhash
from services.recognition.engine.decode import PhotoScales
from services.recognition.engine.face_engine import PhotoAnalysis, Purpose


@dataclass(frozen=True)
class DecodingEngine:
    """Decodes at both sizes."""

    def analyze(self, path: Path, purpose: Purpose = Purpose.SELFIE) -> PhotoAnalysis:
        photo = PhotoScales(path)
        assert photo.fine.any()
        return PhotoAnalysis(
            width=photo.photo.width,
            height=photo.photo.height,
            placeholder=thumbhash.encode(photo.base),
            faces=(),
            note=photo.photo.note,
        )
