"""Face engines that see otherwise, die, wait for each other, or cannot be made.

They are not beside their tests: each worker imports the module of its engine, and a test's own
imports all services, which takes longer than most tests do.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from libs.common.errors import PermanentError
from services.recognition.engine.face_engine import PROFILES, FloatArray, PhotoAnalysis, Purpose
from services.recognition.engine.models.files import ModelUnusable
from tests.support.polling import PATIENCE_SECONDS
from tests.support.scripted_engine import ScriptedEngine, unit
from tests.support.tiny_jpeg import comment_of

#: The names that are stored with faces, and by them what an operator chooses.
EMBEDDED, OPENCV = PROFILES["embedded"].name, PROFILES["opencv"].name
PROVIDERS = {profile.name: provider for provider, profile in PROFILES.items()}


def as_of(provider: str, embedding: FloatArray) -> FloatArray:
    """A scripted embedding, as long as this provider's are."""
    size = PROFILES[provider].embedding_size
    return embedding if len(embedding) == size else unit(embedding[:size])


@dataclass(frozen=True)
class OneSided(ScriptedEngine):
    """In `people 1 opencv:2` only that one sees the second; `opencv:bad` it cannot read."""

    provider: str = "embedded"

    def perform(self, text: str) -> PhotoAnalysis:
        command, *words = text.partition("\n")[0].split() or ["people"]
        if f"{self.provider}:bad" in words:
            raise PermanentError("not for this engine")
        seen = [word.removeprefix(f"{self.provider}:") for word in words]
        analysis = super().perform(" ".join([command, *(word for word in seen if ":" not in word)]))
        faces = (
            replace(one, embedding=as_of(self.provider, one.embedding)) for one in analysis.faces
        )
        return replace(analysis, faces=tuple(faces))


class Overslept(Exception):
    """Something that passes."""


@dataclass(frozen=True)
class FailingEngine:
    """Fails photos, not selfies, as often as the file says; then works."""

    failures: Path

    def analyze(self, path: Path, purpose: Purpose = Purpose.SELFIE) -> PhotoAnalysis:
        left = int(self.failures.read_text())
        if left and "\n" in comment_of(path.read_bytes()):
            self.failures.write_text(str(left - 1))
            raise Overslept("a bug that passes")
        return ScriptedEngine().analyze(path)


@dataclass(frozen=True)
class MeetingEngine:
    """Answers a photo once as many photos are being analysed at the same time."""

    folder: Path
    together: int

    def analyze(self, path: Path, purpose: Purpose = Purpose.SELFIE) -> PhotoAnalysis:
        (self.folder / path.name).touch()
        deadline = time.monotonic() + 2 * PATIENCE_SECONDS
        while len(list(self.folder.iterdir())) < self.together:
            if time.monotonic() > deadline:
                raise TimeoutError("the other photos never came")
            time.sleep(0.01)
        return ScriptedEngine().analyze(path)


def refuse() -> ScriptedEngine:
    """An engine whose model is not there."""
    raise ModelUnusable("the face model is missing")
