import signal
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
    command = [sys.executable, "-m", "cli", "demo", "--count", "5", "--port", "0"]
    with subprocess.Popen(
        [*command, "--data-dir", str(data_dir)], stdout=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        shown = ""
        for line in demo.stdout:
            shown += line
            if line.strip().startswith("the log"):
                break
        url = shown.partition("stays up at ")[2].partition(";")[0]
        assert httpx.get(f"{url}/readyz", timeout=PATIENCE_SECONDS).status_code == 200
        server = psutil.Process(demo.pid).children(recursive=True)
        demo.send_signal(ending)
        assert demo.wait(60) == 0
    assert "precision 1.000" in shown
    _, alive = psutil.wait_procs(server, timeout=PATIENCE_SECONDS)
    assert not alive
