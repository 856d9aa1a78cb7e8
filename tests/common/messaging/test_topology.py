from collections import Counter

from libs.common.messaging.bus.topology import (
    ANALYZE_LANES,
    BUCKETS,
    bucket_of,
    bulk_bucket_of,
    findme_topology,
    lane_of,
)


def test_an_events_bucket_is_the_same_in_every_release() -> None:
    # Changing these moves events between partitions that are in use: it needs a drain.
    assert [bucket_of(event) for event in (1, 2, 3, 1000)] == [7, 13, 11, 7]


def test_events_spread_evenly_over_buckets_and_lanes() -> None:
    counts = Counter(bucket_of(event) for event in range(4000))
    assert len(counts) == BUCKETS
    assert max(counts.values()) < 1.3 * min(counts.values())
    assert {lane_of(bucket) for bucket in range(BUCKETS)} == set(range(ANALYZE_LANES))


def test_photos_in_bulk_have_lanes_of_their_own() -> None:
    first, bulk = (
        {lane_of(bucket_for(event)) for event in range(4000)}
        for bucket_for in (bucket_of, bulk_bucket_of)
    )
    assert len(first) == len(bulk) == ANALYZE_LANES
    assert not first & bulk


def test_every_bucket_is_served_by_exactly_one_lane_and_one_partition() -> None:
    topology = findme_topology()
    for queues, topic, buckets in (
        (topology.analyze, "photo.uploaded", 2 * BUCKETS),
        (topology.analyze, "selfie.unindexed", BUCKETS),
        (topology.match, "photo.analyzed", BUCKETS),
    ):
        bound = Counter(binding for queue in queues for binding in queue.bindings)
        for bucket in range(buckets):
            assert bound[f"{topic}.{bucket:02d}"] == 1


def test_lanes_that_older_replicas_consume_bring_nothing_but_photos() -> None:
    # They give up a message that they do not know at its first coming.
    for lane in findme_topology().analyze[: 2 * ANALYZE_LANES]:
        assert {binding.rpartition(".")[0] for binding in lane.bindings} == {"photo.uploaded"}
