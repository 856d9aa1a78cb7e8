"""A face engine that does what the photo's text says, for tests that CPU would only blur.

A photo's script is a line such as `people 1 7` (those people are in it), `people 3?` (somebody
who is 80 of 100 like the third), `people` (nobody), `sideways 1` (nobody can tell which way up),
`bad no picture` (permanently undecodable), `crash` (kills the worker process), `spin` (never ends,
and keeps a core busy) or `kill` (kills the whole service). A second line may
name the photo, for the log of calls.
The text is the file itself or, where the file must pass for an image, a JPEG's comment.
"""

import os
import signal
import time
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path

import numpy as np
import numpy.typing as npt

from libs.common.errors import PermanentError
from libs.common.workers.stages import stage
from services.recognition.engine.face_engine import EMBEDDED, DetectedFace, PhotoAnalysis, Purpose
from tests.common.workers.obedient import spin
from tests.support.engine_calls import logged_call
from tests.support.tiny_jpeg import comment_of

UNCERTAIN_SIMILARITY = 80.0


@dataclass(frozen=True)
class ScriptedEngine:
    """`seconds` is what every photo costs, without CPU; calls are appended to `log`."""

    seconds: float = 0.0
    log: Path | None = None

    def analyze(self, path: Path, purpose: Purpose = Purpose.SELFIE) -> PhotoAnalysis:
        text = comment_of(path.read_bytes())
        if self.log is None:
            with stage("detect"):
                return self.perform(text)
        with logged_call(self.log, name=text.partition("\n")[2], path=path):
            return self.perform(text)

    def perform(self, text: str) -> PhotoAnalysis:
        """Do what the first line says."""
        command, *words = text.partition("\n")[0].split() or ["people"]
        time.sleep(self.seconds)
        if command == "crash":
            os.abort()
        if command == "spin":
            spin()
        if command == "kill":
            service = parent_process()
            assert service is not None
            assert service.pid is not None
            os.kill(service.pid, signal.SIGKILL)
        if command == "bad":
            raise PermanentError(" ".join(words))
        return PhotoAnalysis(
            width=4000,
            height=3000,
            placeholder="AA==",
            faces=tuple(
                DetectedFace(
                    left=0.1 * position,
                    top=0.1,
                    width=0.2,
                    height=0.3,
                    confidence=0.9,
                    embedding=embedding_of(int(word)) if word.isdecimal() else like(word),
                    quality=0.0 if command == "sideways" else 1.0,
                    is_aligned=command != "sideways",
                )
                for position, word in enumerate(words)
            ),
        )


def embedding_of(person: int) -> npt.NDArray[np.float32]:
    """A unit vector of the person's own; any two people's are about 1.4 apart."""
    vector = np.random.default_rng(person).standard_normal(EMBEDDED.embedding_size)
    return unit(vector)


def unit(
    vector: npt.NDArray[np.float64] | npt.NDArray[np.float32],
) -> npt.NDArray[np.float32]:
    """The same direction, of length 1."""
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def like(word: str) -> npt.NDArray[np.float32]:
    """A face that may be the person's, for `3?`: nearer than anybody else, but not near."""
    person = int(word.removesuffix("?"))
    away = EMBEDDED.calibration.distance_of(UNCERTAIN_SIMILARITY)
    return embedding_of(person) + np.float32(away) * embedding_of(-1 - person & 0xFFFF)
