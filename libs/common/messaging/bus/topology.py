"""Exchanges, queues and bindings as values, and which of them an event's messages go by.

The only place that names them. The publisher hashes: the broker's consistent-hash exchange
forgets its mapping when it restarts. CRC-32 spread 4,000 events over 16 buckets as 217 to 293
each.
"""

import zlib
from dataclasses import dataclass, field

from libs.common.messaging.bus.retry import (
    COLLECT_RETRY_DELAYS_SECONDS,
    DEFAULT_RETRY_DELAYS_SECONDS,
    IN_PROCESS_RETRY_DELAYS_SECONDS,
    RetryPolicy,
)

BUCKETS = 16
#: Lanes of the photos that an event has waiting first, and as many of all that wait behind those.
ANALYZE_LANES = 8
#: So many photos of an event wait in the former: more than a small event uploads at once, and few
#: enough for another small one, that shares the lane, to wait behind them.
PHOTOS_AHEAD = 24

EVENTS_EXCHANGE = "findme.events"
RETRY_EXCHANGE = "findme.retry"
REQUEUE_EXCHANGE = "findme.requeue"
DEAD_LETTER_EXCHANGE = "findme.dlx"
DEAD_LETTER_QUEUE = "findme.dlq"

#: Photos that a match partition's owner takes at once, where so many wait.
MATCH_BATCH = 64

#: Crashes of a consumer with the same message in hand before the broker gives it up.
DELIVERY_LIMIT = 6

#: What an analyze lane consumes.
LANE_TOPIC = "photo.uploaded"
#: Selfies that nobody has looked at yet have a queue of their own: they wait for no photos, and
#: replicas of a release that knows no such message do not take them.
SELFIES_QUEUE = "findme.analyze.selfies"
SELFIES_TOPIC = "selfie.unindexed"
#: What a match partition consumes. Notifications (photo.matched, selfie.matched) are not here.
MATCH_TOPICS = ("photo.analyzed", "selfie.uploaded", "selfie.deleted", "rematch.requested")
CLEANUP_TOPICS = ("photo.deleted", "selfie.deleted", "event.deleted", "account.deleted")


def bucket_of(event_id: int) -> int:
    """Return the event's bucket, 0 to 15; the same in every process and release."""
    return zlib.crc32(str(event_id).encode()) % BUCKETS


def bulk_bucket_of(event_id: int) -> int:
    """Return the number, 16 to 31, by which photos go that are not among the event's first."""
    return BUCKETS + bucket_of(event_id)


def lane_of(bucket: int) -> int:
    """Return the analyze lane that serves a bucket: 0 to 7, and 8 to 15 for photos in bulk."""
    return bucket % ANALYZE_LANES + (ANALYZE_LANES if bucket >= BUCKETS else 0)


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable work queue and the routing keys it is bound to."""

    name: str
    bindings: tuple[str, ...]
    single_active: bool = False
    prefetch: int = 1
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    max_length: int = 1_000_000

    @property
    def workers(self) -> int:
        """Handlers of one subscriber that run at a time.

        Of a single-active queue the prefetch is what may be handled together (see `Batches`).
        """
        return 1 if self.single_active else self.prefetch


#: What was given up, on its way to the table that operators look at. It has nowhere else to
#: go, so its consumers never give up.
DEAD_LETTERS = Queue(
    name=DEAD_LETTER_QUEUE,
    bindings=(),
    retry=RetryPolicy(COLLECT_RETRY_DELAYS_SECONDS, keeps_order=True, gives_up=False),
    max_length=100_000,
)


@dataclass(frozen=True, slots=True)
class Topology:
    """All queues of the system that are consumed."""

    #: The lanes, by number, and then the queue of selfies.
    analyze: tuple[Queue, ...]
    match: tuple[Queue, ...]
    cleanup: Queue
    dead_letters: Queue = DEAD_LETTERS

    @property
    def queues(self) -> tuple[Queue, ...]:
        """Every work queue; the retry queues follow from these."""
        return (*self.analyze, *self.match, self.cleanup)


def findme_topology(
    retry_delays_seconds: tuple[float, ...] = DEFAULT_RETRY_DELAYS_SECONDS,
    in_process_delays_seconds: tuple[float, ...] = IN_PROCESS_RETRY_DELAYS_SECONDS,
) -> Topology:
    """Return the topology: 16 analyze lanes and selfies, 16 match partitions, cleanup."""
    lanes = tuple(
        Queue(
            name=f"findme.analyze.{lane:02d}",
            bindings=tuple(
                f"{LANE_TOPIC}.{bucket:02d}"
                for bucket in range(2 * BUCKETS)
                if lane_of(bucket) == lane
            ),
            retry=RetryPolicy(retry_delays_seconds),
        )
        for lane in range(2 * ANALYZE_LANES)
    )
    selfies = Queue(
        name=SELFIES_QUEUE,
        # Named one by one, as whoever counts what waits for an event goes by its routing keys.
        bindings=tuple(f"{SELFIES_TOPIC}.{bucket:02d}" for bucket in range(BUCKETS)),
        retry=RetryPolicy(retry_delays_seconds),
    )
    match = tuple(
        Queue(
            name=f"findme.match.{bucket:02d}",
            bindings=tuple(f"{topic}.{bucket:02d}" for topic in MATCH_TOPICS),
            single_active=True,
            prefetch=MATCH_BATCH,
            retry=RetryPolicy(in_process_delays_seconds, keeps_order=True),
        )
        for bucket in range(BUCKETS)
    )
    cleanup = Queue(
        name="findme.cleanup",
        bindings=tuple(f"{topic}.*" for topic in CLEANUP_TOPICS),
        retry=RetryPolicy(retry_delays_seconds),
    )
    return Topology(analyze=(*lanes, selfies), match=match, cleanup=cleanup)


def matches(pattern: str, routing_key: str) -> bool:
    """Whether a binding pattern covers a routing key: the part of AMQP's topic rules that we use.

    `*` stands for one dot-separated word.
    """
    wanted, words = pattern.split("."), routing_key.split(".")
    return len(wanted) == len(words) and all(
        want in ("*", word) for want, word in zip(wanted, words, strict=True)
    )
