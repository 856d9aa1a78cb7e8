"""What became of messages, and how long handlers took; the same in both adapters."""

from enum import StrEnum

from prometheus_client import Counter, Histogram


class Outcome(StrEnum):
    """What became of one attempt at a message."""

    ACKED = "acked"
    RETRIED = "retried"
    DEAD_LETTERED = "dead_lettered"


MESSAGES = Counter(
    "findme_bus_messages_total",
    "Attempts at messages, by what became of them.",
    ["queue", "outcome"],
)
HANDLING_SECONDS = Histogram(
    "findme_bus_handling_seconds",
    "Seconds a handler took for one attempt.",
    ["queue"],
    buckets=(0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120),
)
LISTENER_GAPS = Counter(
    "findme_bus_listener_gaps_total", "Times that a listener may have missed messages."
)


def count(queue: str, outcome: Outcome) -> None:
    """Count one attempt."""
    MESSAGES.labels(queue, outcome.value).inc()
