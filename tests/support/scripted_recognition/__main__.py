"""`python -m tests.support.scripted_recognition`: the real service with a scripted engine.

SCRIPTED_SECONDS is what a photo costs, SCRIPTED_LOG the file that calls are appended to.
"""

import os
from functools import partial
from pathlib import Path

from fastapi import FastAPI

from libs.common.web.serve import serve
from services.recognition.app import create_app
from services.recognition.settings import RecognitionSettings
from tests.support.scripted_engine import ScriptedEngine


def _create_app(settings: RecognitionSettings) -> FastAPI:
    log = os.environ.get("SCRIPTED_LOG")
    return create_app(
        settings,
        engine_factory=partial(
            ScriptedEngine,
            seconds=float(os.environ.get("SCRIPTED_SECONDS", "0")),
            log=Path(log) if log else None,
        ),
    )


if __name__ == "__main__":
    serve(RecognitionSettings, _create_app)
