"""A recognition replica whose engine costs a fixed time per photo and no CPU.

python -m benchmarks.scripted_recognition SECONDS
"""

import sys
from functools import partial

from fastapi import FastAPI

from libs.common.http.serve import serve
from services.recognition.app import create_app
from services.recognition.settings import RecognitionSettings
from tests.support.scripted_engine import ScriptedEngine


def main(seconds: float) -> None:
    """Serve until SIGTERM."""

    def create(settings: RecognitionSettings) -> FastAPI:
        return create_app(settings, engine_factory=partial(ScriptedEngine, seconds))

    serve(RecognitionSettings, create)


if __name__ == "__main__":
    main(float(sys.argv[1]))
