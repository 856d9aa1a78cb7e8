"""What calls of the paid face service cost."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from libs.common.telemetry.metrics import CHARGED


@dataclass(frozen=True, slots=True)
class PaidCalls:
    """How often an operation was called for an event."""

    event_id: int
    operation: str
    calls: int


def bill(rows: Iterable[PaidCalls], *, price_per_call: float) -> dict[str, object]:
    """Return calls and cost per operation, per event, and in all."""
    by_operation: Counter[str] = Counter()
    by_event: dict[int, Counter[str]] = {}
    for row in rows:
        by_operation[row.operation] += row.calls
        by_event.setdefault(row.event_id, Counter())[row.operation] += row.calls
    return {
        **_sum(by_operation, price_per_call),
        "currency": "USD",
        "price_per_call": price_per_call,
        "operations": {
            operation: _sum(Counter({operation: calls}), price_per_call)
            for operation, calls in by_operation.items()
        },
        "events": [
            {"event_id": event_id, **_sum(calls, price_per_call), "operations": dict(calls)}
            for event_id, calls in by_event.items()
        ],
    }


def _sum(calls: Counter[str], price_per_call: float) -> dict[str, object]:
    charged = sum(count for operation, count in calls.items() if operation in CHARGED)
    return {"calls": calls.total(), "cost": round(charged * price_per_call, 6)}
