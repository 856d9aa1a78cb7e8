import contextlib
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.polling import PATIENCE_SECONDS


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_the_demo_shows_the_job_stays_up_and_takes_its_server_with_it(
    data_dir: Path, ending: signal.Signals
) -> None:
    data_dir = data_dir / "new"
    command = [sys.executable, "-m", "cli", "demo", "--count", "5", "--port", "0"]
    with (
        subprocess.Popen(
            [*command, "--data-dir", str(data_dir)], stdout=subprocess.PIPE, text=True
        ) as demo,
        contextlib.ExitStack() as cleaning,
    ):
        assert demo.stdout is not None
        # What is wrong in between must not wait for it to end by itself.
        cleaning.callback(demo.terminate)
        shown = ""
        for line in demo.stdout:
            shown += line
            if line.strip().startswith("the log"):
                break
        url = shown.partition("stays up at ")[2].partition(";")[0]
        assert httpx.get(f"{url}/readyz", timeout=PATIENCE_SECONDS).status_code == 200
        # What it holds is closed by itself, and the folder to all who have no need to pass.
        assert stat.S_IMODE(data_dir.stat().st_mode) == (0o700 if os.geteuid() else 0o711)
        opened = [
            path.name
            for path in data_dir.iterdir()
            if path.name not in {"demo", "models"} and path.stat().st_mode & 0o077
        ]
        assert opened == []
        server = psutil.Process(demo.pid).children(recursive=True)
        demo.send_signal(ending)
        assert demo.wait(60) == 0
    assert "precision 1.000" in shown
    _, alive = psutil.wait_procs(server, timeout=PATIENCE_SECONDS)
    assert not alive
