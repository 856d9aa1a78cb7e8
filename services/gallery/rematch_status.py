"""How far matching of a participant's selfie is, told from its index in each joined event."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SelfieInEvent:
    """The live selfie's state in one joined event; `status` is None before it is claimed."""

    due_since: datetime
    status: str | None
    finished_at: datetime | None
    matched: int
    error: str | None


def rematch_status(joined: Sequence[SelfieInEvent]) -> dict[str, object]:
    """Return the status as the API answers it; `joined` is empty without selfie or event."""
    if not joined:
        return {"status": "idle"}
    waiting = [one.due_since for one in joined if one.status not in {"done", "failed"}]
    if waiting:
        return {"status": "running", "started_at": min(waiting).timestamp(), "matched": 0}
    finished_at = max(one.finished_at or one.due_since for one in joined).timestamp()
    errors = [one.error or "unknown" for one in joined if one.status == "failed"]
    if errors:
        return {"status": "failed", "finished_at": finished_at, "error": "; ".join(errors)}
    matched = sum(one.matched for one in joined)
    return {"status": "done", "finished_at": finished_at, "matched": matched}
