"""Clients that ask for some addresses in turn, as fast as they are answered: wrk."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.services import ServiceMissing

_SCRIPT = """
local paths, number = {}, 0
for line in io.lines(PATHS) do paths[#paths + 1] = line end
request = function()
    number = number + 1
    return wrk.format("GET", paths[number % #paths + 1])
end
done = function(summary, latency)
    local failed = summary.errors.connect + summary.errors.read + summary.errors.write
        + summary.errors.status + summary.errors.timeout
    print(string.format('{"asked": %d, "bytes": %d, "seconds": %f, "p99": %f, "failed": %d}',
        summary.requests, summary.bytes, summary.duration / 1e6, latency:percentile(99) / 1e3,
        failed))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What came of some seconds of asking."""

    per_s: float
    p99_ms: float


class Refused(Exception):
    """Some were not answered as they should be: there is nothing to measure."""


def ask(
    url: str, paths: Sequence[str], *, answer_bytes: int, connections: int, seconds: float
) -> Load:
    """Ask for the paths. Raises Refused, and ServiceMissing without wrk."""
    if shutil.which("wrk") is None:
        raise ServiceMissing("wrk is not installed: apt-get install wrk")
    with tempfile.TemporaryDirectory(prefix="findme-bench-") as name:
        listed, script = Path(name) / "paths", Path(name) / "ask.lua"
        listed.write_text("\n".join(paths) + "\n")
        script.write_text(f"local PATHS = {json.dumps(str(listed))}\n{_SCRIPT}")
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "30"]
        told = subprocess.run(
            [*command, "-s", script, url], check=True, capture_output=True, text=True
        ).stdout
    found = json.loads(told.splitlines()[-1])
    if found["failed"] or not found["asked"] or found["bytes"] < found["asked"] * answer_bytes:
        raise Refused(told)
    return Load(found["asked"] / found["seconds"], found["p99"])
