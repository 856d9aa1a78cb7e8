"""How far the matching of a guest's selfies is, told as one status."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SelfieInEvent:
    """A selfie's state in one joined event; `status` is None before it is claimed."""

    event_id: int
    due_since: datetime
    status: str | None
    finished_at: datetime | None
    matched: int
    error: str | None


def rematch_status(joined: Sequence[SelfieInEvent]) -> dict[str, object]:
    """Return the status as the API answers it; `joined` is empty without selfie or event.

    A selfie that cannot be used is a failure only where no other of the guest's could be.
    """
    if not joined:
        return {"status": "idle"}
    waiting = [one.due_since for one in joined if one.status not in {"done", "failed"}]
    if waiting:
        return {"status": "running", "started_at": min(waiting).timestamp(), "matched": 0}
    finished_at = max(one.finished_at or one.due_since for one in joined).timestamp()
    succeeded = {one.event_id for one in joined if one.status == "done"}
    failed = [one for one in joined if one.event_id not in succeeded]
    if failed:
        error = "; ".join(dict.fromkeys(one.error or "unknown" for one in failed))
        return {"status": "failed", "finished_at": finished_at, "error": error}
    # Each selfie counts the photos of all that were done before it: the last one counts them all.
    matched = sum(
        max(one.matched for one in joined if one.event_id == event_id) for event_id in succeeded
    )
    return {"status": "done", "finished_at": finished_at, "matched": matched}
