"""The operator's view: whether every part is at work, and which one is the bottleneck."""

from deploy.monitoring.grafana.definition import (
    operators_engine,
    operators_platform,
    operators_queues,
)
from deploy.monitoring.grafana.definition.panels import Dashboard, Limits, Panel, Query, Row

NOW = Row(
    "Now",
    (
        Panel(
            "Alerts firing",
            "short",
            (
                Query(
                    'count(ALERTS{alertname=~"FindMe.+", alertstate="firing"}) or vector(0)',
                    "alerts",
                ),
            ),
            "0.",
            "each names its section of RUNBOOK.md.",
            Limits(1, 2),
            "stat",
        ),
        Panel(
            "Not reached",
            "short",
            (Query("count(findme_dependency_up == 0) or vector(0)", "dependencies"),),
            "0: every service reaches database, store and bus.",
            "`/readyz` of the service says why: RUNBOOK.md, a dependency is down.",
            Limits(red=1),
            "stat",
        ),
        Panel(
            "Dead letters",
            "short",
            (Query("sum(max by (queue) (findme_dead_letters)) or vector(0)", "letters"),),
            "0.",
            "`findme dlq list`: RUNBOOK.md, dead letters.",
            Limits(1, 20),
            "stat",
        ),
        Panel(
            "Outbox, oldest",
            "s",
            (Query("max(findme_outbox_oldest_seconds)", "age"),),
            "0.",
            "nothing is published: RUNBOOK.md, outbox stuck.",
            Limits(10, 60),
            "stat",
        ),
        Panel(
            "Partitions owned",
            "short",
            (Query("sum(findme_partitions_owned) or vector(0)", "of 16"),),
            "16.",
            "below for longer than a minute: RUNBOOK.md, partitions without owner.",
            Limits(red=16, falling=True),
            "stat",
        ),
        Panel(
            "Relays leading",
            "short",
            (Query("sum(findme_outbox_leading) or vector(0)", "of 1"),),
            "1.",
            "0: nothing is published. RUNBOOK.md, outbox stuck.",
            Limits(red=1, falling=True),
            "stat",
        ),
    ),
)
OPERATORS = Dashboard(
    "operators",
    "FindMe: the operator's view",
    "Queues, partitions, database, engine and processes. What to do is in RUNBOOK.md."
    " The panels of RabbitMQ stay empty where the bus is in process.",
    (
        NOW,
        operators_queues.QUEUES,
        operators_queues.PARTITIONS,
        operators_platform.DATABASE,
        operators_engine.RECOGNITION,
        operators_engine.REKOGNITION,
        operators_platform.CACHES,
        operators_platform.PROCESSES,
        operators_queues.BROKER,
    ),
)
