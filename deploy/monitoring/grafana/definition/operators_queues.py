"""The rows of the operator's view about the broker, its queues, and who consumes them."""

from deploy.monitoring.grafana.definition.panels import (
    INTERVAL,
    Limits,
    Panel,
    Query,
    Row,
    quantile,
    rate,
)

QUEUE = "rabbitmq_detailed_queue_messages"


def queued(metric: str, queues: str) -> str:
    """By queue, over the broker's nodes: each tells of the queues it leads."""
    return f'sum by (queue) ({metric}{{queue=~"findme\\\\.{queues}"}})'


CONSUMERS = queued("rabbitmq_detailed_queue_consumers", "(analyze|match|cleanup|dlq).*")

QUEUES = Row(
    "Queues (RabbitMQ)",
    (
        Panel(
            "Lanes: photos to analyse",
            "short",
            (Query(queued(f"{QUEUE}_ready", "analyze.+"), "{{queue}}"),),
            "a hill for each batch; an event's photos are in one lane.",
            "growing: more recognition replicas. RUNBOOK.md, a queue grows.",
            Limits(1000, 10_000),
            stacked=True,
        ),
        Panel(
            "In hand",
            "short",
            (
                Query(f"sum({queued(f'{QUEUE}_unacked', 'analyze.+')})", "photos"),
                Query(f"sum({queued(f'{QUEUE}_unacked', 'match.+')})", "matches"),
            ),
            "up to PHOTO_QUEUE_WORKERS and one more per lane and replica.",
            "constant though nothing finishes: a consumer hangs.",
        ),
        Panel(
            "Match partitions",
            "short",
            (Query(queued(f"{QUEUE}_ready", "match.+"), "{{queue}}"),),
            "near 0: matching takes milliseconds.",
            "one grows: its owner is stuck or missing, `findme partitions`.",
            Limits(100, 1000),
        ),
        Panel(
            "Retries and dead letters on their way",
            "short",
            (
                Query(queued(f"{QUEUE}_ready", "retry.+"), "{{queue}}"),
                Query(queued(f"{QUEUE}_ready", "(dlq|cleanup)"), "{{queue}}"),
            ),
            "0; retries while a dependency is away.",
            "the log's `message_failed` names the error: RUNBOOK.md, dead letters.",
            Limits(10, 1000),
        ),
        Panel(
            "Messages handled",
            "ops",
            (Query(rate("findme_bus_messages_total", by="outcome"), "{{outcome}}"),),
            "`acked`.",
            "`retried`: something is away or slow. `dead_lettered`: RUNBOOK.md, dead letters.",
        ),
        Panel(
            "Handling, 95 %",
            "s",
            (Query(quantile(0.95, "findme_bus_handling_seconds", by="queue"), "{{queue}}"),),
            "analyze as long as a photo takes, match a few milliseconds.",
            "match slow: the database is.",
            Limits(10, 60),
        ),
        Panel(
            "Consumers",
            "short",
            (
                Query(
                    f"count({CONSUMERS} == 0) or vector(0)",
                    "queues without",
                ),
            ),
            "0.",
            "RUNBOOK.md, a queue has no consumer.",
            Limits(red=1),
        ),
        Panel(
            "Dead letters by queue",
            "short",
            (
                Query("max by (queue) (findme_dead_letters)", "{{queue}} waiting"),
                Query(
                    f"sum by (queue) (increase(findme_dead_letters_collected_total[{INTERVAL}]))",
                    "{{queue}} new",
                ),
                Query(
                    "sum by (settlement)"
                    f" (increase(findme_dead_letters_settled_total[{INTERVAL}]))",
                    "{{settlement}}",
                ),
            ),
            "none.",
            "`findme dlq list`: RUNBOOK.md, dead letters.",
            Limits(1, 20),
        ),
    ),
)
PARTITIONS = Row(
    "Match partitions",
    (
        Panel(
            "Owned, by replica",
            "short",
            (Query("findme_partitions_owned", "{{instance}}"),),
            "16 in all, in equal shares.",
            "the sum is below 16: RUNBOOK.md, partitions without owner.",
            stacked=True,
        ),
        Panel(
            "Moves",
            "short",
            (
                Query(
                    f"sum by (kind) (increase(findme_partition_moves_total[{INTERVAL}]))",
                    "{{kind}}",
                ),
            ),
            "when replicas come (`given_back`, `claimed`) and die (`taken_over`).",
            "`lost` again and again: RUNBOOK.md, partitions flap.",
            Limits(16, 32),
        ),
        Panel(
            "Handover, 95 %",
            "s",
            (Query(quantile(0.95, "findme_partition_handover_seconds"), "p95"),),
            "at most 62 ms were measured; 10 s after a replica was killed.",
            "longer: the database was away, or a message in hand takes long.",
            Limits(1, 15),
        ),
    ),
)
BROKER = Row(
    "RabbitMQ",
    (
        Panel(
            "Memory of the broker",
            "percentunit",
            (
                Query(
                    "rabbitmq_process_resident_memory_bytes / rabbitmq_resident_memory_limit_bytes",
                    "{{instance}}",
                ),
            ),
            "below half of its limit.",
            "at 1 the broker blocks all publishers: RUNBOOK.md, RabbitMQ alarm.",
            Limits(0.8, 1),
        ),
        Panel(
            "Disk left",
            "bytes",
            (Query("rabbitmq_disk_space_available_bytes", "{{instance}}"),),
            "many GB.",
            "at its limit the broker blocks all publishers: RUNBOOK.md, RabbitMQ alarm.",
            Limits(4e9, 2e9, falling=True),
        ),
        Panel(
            "Connections and channels",
            "short",
            (
                Query("sum(rabbitmq_connections)", "connections"),
                Query("sum(rabbitmq_channels)", "channels"),
            ),
            "a connection per process, a channel per queue it consumes.",
            "rising all along: a client reconnects without end.",
        ),
    ),
)
