from dataclasses import replace

from libs.common.messaging.bus.rabbitmq.layout import layout, retry_queue_name, retry_routing_key
from libs.common.messaging.bus.topology import (
    DEAD_LETTER_EXCHANGE,
    EVENTS_EXCHANGE,
    REQUEUE_EXCHANGE,
    RETRY_EXCHANGE,
    findme_topology,
    matches,
)

TOPOLOGY = findme_topology()
LAYOUT = layout(TOPOLOGY)


def test_every_queue_is_replicated_and_bounded_and_drops_nothing() -> None:
    for queue in LAYOUT.queues:
        assert queue.arguments["x-queue-type"] == "quorum"
        assert queue.arguments["x-overflow"] == "reject-publish"
        assert queue.arguments["x-max-length"]


def test_only_match_partitions_have_a_single_active_consumer() -> None:
    single = {q.name for q in LAYOUT.queues if "x-single-active-consumer" in q.arguments}
    assert single == {queue.name for queue in TOPOLOGY.match}


def test_there_is_one_retry_queue_per_delay() -> None:
    delays = {
        queue.name: queue.arguments["x-message-ttl"]
        for queue in LAYOUT.queues
        if "x-message-ttl" in queue.arguments
    }
    assert delays == {
        "findme.retry.5s": 5_000,
        "findme.retry.60s": 60_000,
        "findme.retry.600s": 600_000,
    }


def test_a_message_that_waited_comes_back_to_its_own_queue_alone() -> None:
    for queue in (*TOPOLOGY.analyze, TOPOLOGY.cleanup):
        for delay in queue.retry.delays_seconds:
            key = retry_routing_key(queue, delay)
            waits_in = [
                binding.queue
                for binding in LAYOUT.bindings
                if binding.exchange == RETRY_EXCHANGE and binding.routing_key == key
            ]
            comes_back_to = [
                binding.queue
                for binding in LAYOUT.bindings
                if binding.exchange == REQUEUE_EXCHANGE and matches(binding.routing_key, key)
            ]
            assert waits_in == [retry_queue_name(delay)]
            assert comes_back_to == [queue.name]


def test_a_delay_below_a_second_does_not_split_the_routing_key() -> None:
    assert retry_routing_key(TOPOLOGY.analyze[3], 0.2) == "200ms.analyze-03"


def test_every_upload_bucket_has_one_lane_and_every_analysis_one_partition() -> None:
    for topic in ("photo.uploaded", "photo.analyzed"):
        for bucket in range(16):
            owners = [
                binding.queue
                for binding in LAYOUT.bindings
                if binding.exchange == EVENTS_EXCHANGE
                and matches(binding.routing_key, f"{topic}.{bucket:02d}")
            ]
            assert len(owners) == 1


def test_the_marker_changes_with_the_bindings_only() -> None:
    longer = replace(TOPOLOGY, cleanup=replace(TOPOLOGY.cleanup, max_length=5))
    rebound = replace(TOPOLOGY, cleanup=replace(TOPOLOGY.cleanup, bindings=("photo.deleted.*",)))
    assert layout(longer).marker == LAYOUT.marker
    assert layout(rebound).marker != LAYOUT.marker


def test_dead_letters_have_a_queue_that_they_cannot_fall_out_of() -> None:
    (queue,) = [queue for queue in LAYOUT.queues if queue.name == TOPOLOGY.dead_letters.name]
    # Below RabbitMQ 4's own limit of 20 deliveries they would be dropped: nothing is behind it.
    limit = queue.arguments["x-delivery-limit"]
    assert isinstance(limit, int)
    assert limit >= 1_000_000
    assert "x-dead-letter-exchange" not in queue.arguments
    assert not TOPOLOGY.dead_letters.retry.gives_up
    sources = {(b.exchange, b.routing_key) for b in LAYOUT.bindings if b.queue == queue.name}
    assert sources == {(DEAD_LETTER_EXCHANGE, "#")}
