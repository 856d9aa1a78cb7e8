"""The libraries of the face engine tell nobody of the machine that they run on."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.polling import PATIENCE_SECONDS


def test_the_engine_writes_nothing_down_for_its_makers(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": "", "ORT_DISABLE_TELEMETRY": "0"}
    subprocess.run(
        [sys.executable, "-c", "import services.recognition.engine.photo_engine"],
        env=os.environ | home,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    assert list(tmp_path.rglob("*")) == []
