"""Clients that ask for one address as fast as they are answered: wrk, or our own without it."""

import asyncio
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import quantiles
from urllib.parse import urlsplit

_SCRIPT = """
local tokens, number = {}, 0
for line in io.lines(TOKENS) do tokens[#tokens + 1] = line end
request = function()
    number = number + 1
    local token = tokens[number % #tokens + 1]
    return wrk.format("GET", PATH, {["Authorization"] = "Bearer " .. token})
end
done = function(summary, latency)
    local failed = summary.errors.connect + summary.errors.read + summary.errors.write
        + summary.errors.status + summary.errors.timeout
    print(string.format('{"asked": %d, "bytes": %d, "seconds": %f, "p50": %f, "p99": %f,'
        .. ' "failed": %d}', summary.requests, summary.bytes, summary.duration / 1e6,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, failed))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What came of some seconds of asking."""

    per_s: float
    p50_ms: float
    p99_ms: float
    answer_bytes: float


class Refused(Exception):
    """Some were not answered as they should be: there is nothing to measure."""


async def ask(
    url: str, path: str, tokens: Sequence[str], *, connections: int, seconds: float
) -> Load:
    """Ask with the tokens in turn. Raises Refused."""
    with tempfile.TemporaryDirectory(prefix="findme-bench-") as folder:
        if shutil.which("wrk") is None:
            return await _ask_alone(url, path, tokens, connections=connections, seconds=seconds)
        return await asyncio.to_thread(
            _ask_by_wrk, Path(folder), url, path, tokens, connections=connections, seconds=seconds
        )


def _ask_by_wrk(
    folder: Path, url: str, path: str, tokens: Sequence[str], *, connections: int, seconds: float
) -> Load:
    (folder / "tokens").write_text("\n".join(tokens) + "\n")
    script = folder / "ask.lua"
    names = f"local TOKENS, PATH = {json.dumps(str(folder / 'tokens'))}, {json.dumps(path)}\n"
    script.write_text(names + _SCRIPT)
    told = subprocess.run(
        [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{seconds:.0f}s",
            "--timeout",
            "30",
            "-s",
            script,
            url,
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found = json.loads(told.splitlines()[-1])
    if found["failed"] or not found["asked"]:
        raise Refused(told)
    return Load(
        per_s=found["asked"] / found["seconds"],
        p50_ms=found["p50"],
        p99_ms=found["p99"],
        answer_bytes=found["bytes"] / found["asked"],
    )


async def _ask_alone(
    url: str, path: str, tokens: Sequence[str], *, connections: int, seconds: float
) -> Load:
    turns = cycle(tokens)
    taken: list[float] = []
    sizes: list[int] = []
    address = urlsplit(url)
    until = time.perf_counter() + seconds

    async def keep_asking() -> None:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        while time.perf_counter() < until:
            started = time.perf_counter()
            writer.write(
                f"GET {path} HTTP/1.1\r\nHost: bench\r\n"
                f"Authorization: Bearer {next(turns)}\r\n\r\n".encode()
            )
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if not head.startswith(b"http/1.1 200"):
                raise Refused(head.decode())
            size = int(head.partition(b"content-length:")[2].partition(b"\r")[0])
            await reader.readexactly(size)
            taken.append(time.perf_counter() - started)
            sizes.append(len(head) + size)
        writer.close()

    await asyncio.gather(*(keep_asking() for _ in range(connections)))
    parts = quantiles(taken, n=100)
    return Load(len(taken) / seconds, parts[49] * 1e3, parts[98] * 1e3, sum(sizes) / len(sizes))
