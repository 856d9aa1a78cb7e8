"""What engines in many processes were asked for and when, from one log that outlives them."""

import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

#: Ingest has a selfie judged before it is stored: recognition then looks at a copy of that name.
_CHECK_PREFIX = "findme-selfie-"


@dataclass(frozen=True)
class EngineCall:
    """One call; `ended` is None when its process died over it. Seconds of one clock for all."""

    name: str
    worker: int
    is_check: bool
    began: float
    ended: float | None

    def overlaps(self, other: "EngineCall") -> bool:
        """Whether both were at work at some moment; one that died did so at once."""
        first, second = sorted((self, other), key=lambda call: call.began)
        return second.began < (first.began if first.ended is None else first.ended)


@contextmanager
def logged_call(log: Path, name: str, path: Path) -> Iterator[None]:
    """Log the beginning and the end of the call that the block makes, whatever it raises."""
    call = {"call": uuid.uuid4().hex, "name": name, "worker": os.getpid()}
    _append(log, call | {"is_check": path.name.startswith(_CHECK_PREFIX), "at": time.monotonic()})
    try:
        yield
    finally:
        _append(log, call | {"at": time.monotonic()})


def read_calls(log: Path) -> list[EngineCall]:
    """Return all calls so far in the order of their beginnings."""
    if not log.exists():
        return []
    records = [json.loads(line) for line in log.read_text().splitlines()]
    ends = {record["call"]: record["at"] for record in records if "is_check" not in record}
    return [
        EngineCall(
            name=record["name"],
            worker=record["worker"],
            is_check=record["is_check"],
            began=record["at"],
            ended=ends.get(record["call"]),
        )
        for record in records
        if "is_check" in record
    ]


def _append(log: Path, record: dict[str, object]) -> None:
    # One write of one line: appends of several processes do not mix.
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, json.dumps(record).encode() + b"\n")
    finally:
        os.close(descriptor)
