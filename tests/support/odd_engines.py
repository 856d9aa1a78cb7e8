"""Face engines that see otherwise, die, wait for each other, or cannot be made.

They are not beside their tests: each worker imports the module of its engine, and a test's own
imports all services, which takes longer than most tests do.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from libs.common.errors import PermanentError
from services.recognition.engine.face_engine import PhotoAnalysis
from services.recognition.engine.models.files import ModelUnusable
from tests.support.polling import PATIENCE_SECONDS
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tiny_jpeg import comment_of

EMBEDDED, OPENCV = "embedded", "opencv"


@dataclass(frozen=True)
class OneSided(ScriptedEngine):
    """In `people 1 opencv:2` only that engine sees the second; `opencv:bad` it cannot read."""

    name: str = EMBEDDED

    def perform(self, text: str) -> PhotoAnalysis:
        command, *words = text.partition("\n")[0].split() or ["people"]
        if f"{self.name}:bad" in words:
            raise PermanentError("not for this engine")
        seen = [word.removeprefix(f"{self.name}:") for word in words]
        return super().perform(" ".join([command, *(word for word in seen if ":" not in word)]))


class Overslept(Exception):
    """Something that passes."""


@dataclass(frozen=True)
class FailingEngine:
    """Fails photos, not selfies, as often as the file says; then works."""

    failures: Path

    def analyze(self, path: Path) -> PhotoAnalysis:
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

    def analyze(self, path: Path) -> PhotoAnalysis:
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
