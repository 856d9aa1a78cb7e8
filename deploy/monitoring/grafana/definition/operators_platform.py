"""The rows of the operator's view about database, caches and processes."""

from deploy.monitoring.grafana.definition.panels import (
    INTERVAL,
    Limits,
    Panel,
    Query,
    Row,
    per_minute,
    quantile,
    rate,
)

HITS, MISSES = rate("findme_list_cache_hits_total"), rate("findme_list_cache_misses_total")
#: The processes of FindMe in a Prometheus that watches others, too.
OURS = 'job=~".*(findme|ingest|recognition|gallery|media).*"'


def per_process(metric: str, worker_metric: str) -> tuple[Query, ...]:
    """The services' own processes and their workers, by service."""
    return (
        Query(metric, "{{job}}"),
        Query(worker_metric, "{{job}}, workers"),
    )


DATABASE = Row(
    "Database and outbox",
    (
        Panel(
            "Connections in use",
            "percentunit",
            (
                Query(
                    "max by (job, instance) (findme_db_pool_in_use / findme_db_pool_limit)",
                    "{{job}} {{instance}}",
                ),
            ),
            "a few percent.",
            "RUNBOOK.md, database pool exhausted.",
            Limits(0.7, 0.9),
        ),
        Panel(
            "Waiting for a connection",
            "s",
            (
                Query(quantile(0.95, "findme_db_pool_wait_seconds", by="job"), "{{job}} p95"),
                Query(
                    f"sum by (job) (increase(findme_db_pool_timeouts_total[{INTERVAL}]))",
                    "{{job}} in vain",
                ),
            ),
            "milliseconds, nobody in vain.",
            "RUNBOOK.md, database pool exhausted.",
            Limits(0.1, 0.5),
        ),
        Panel(
            "Connections open",
            "short",
            (Query("sum by (job) (findme_db_pool_in_use + findme_db_pool_idle)", "{{job}}"),),
            "their sum, and three more per process, is below PostgreSQL's max_connections.",
            "lower DB_POOL_SIZE and DB_MAX_OVERFLOW, or put a pooler between.",
            stacked=True,
        ),
        Panel(
            "Outbox",
            "short",
            (
                Query("max(findme_outbox_messages)", "waiting"),
                Query("max(findme_outbox_oldest_seconds)", "oldest, seconds"),
            ),
            "0.",
            "RUNBOOK.md, outbox stuck.",
            Limits(1000, 10_000),
        ),
        Panel(
            "Published",
            "ops",
            (
                Query(rate("findme_outbox_published_total"), "published"),
                Query(rate("findme_outbox_refused_total"), "refused"),
            ),
            "several messages per photo and selfie; 4,900 a second are possible.",
            "refused: a queue is full, or `findme migrate` has not run.",
        ),
        Panel(
            "Size of the database",
            "bytes",
            (Query("max(findme_database_bytes)", "bytes"),),
            "grows with photos and faces.",
            "look how much the volume has left: RUNBOOK.md, disk full.",
        ),
    ),
)
CACHES = Row(
    "Lists and renditions",
    (
        Panel(
            "Lists from the cache",
            "percentunit",
            (
                Query(
                    f"{HITS} / ({HITS} + {MISSES})",
                    "hits",
                ),
            ),
            "high while guests look, low while photos come in: each match evicts.",
            "low in quiet hours: LIST_CACHE_MB is too small for the guests there are.",
        ),
        Panel(
            "Size of the cache",
            "bytes",
            (Query("findme_list_cache_bytes", "{{instance}}"),),
            "below LIST_CACHE_MB.",
            "at its limit with few hits: raise it.",
        ),
        Panel(
            "Renditions",
            "opm",
            (Query(per_minute("findme_renditions_total", by="outcome"), "{{outcome}}"),),
            "`made`, once per photo and size, when it is first looked at.",
            "`refused`: too many wait, raise RENDITION_WORKERS or add media replicas.",
        ),
        Panel(
            "A rendition, 95 %",
            "s",
            (Query(quantile(0.95, "findme_rendition_seconds", by="name"), "{{name}}"),),
            "some hundred milliseconds with its waiting.",
            "seconds: too few workers.",
            Limits(2, 5),
        ),
        Panel(
            "Renditions in hand",
            "short",
            (Query("sum(findme_renditions_in_hand)", "renditions"),),
            "0 to a few.",
            "at RENDITION_QUEUE_LIMIT further ones get 503.",
            Limits(50, 200),
        ),
        Panel(
            "Objects removed",
            "opm",
            (Query(per_minute("findme_media_cleaned_total", by="kind"), "{{kind}}"),),
            "as photos and selfies are deleted.",
            "none though something was deleted: is findme.cleanup consumed?",
        ),
    ),
)
PROCESSES = Row(
    "Processes",
    (
        Panel(
            "CPU",
            "cores",
            per_process(
                rate("process_cpu_seconds_total", OURS, by="job"),
                rate("findme_worker_cpu_seconds_total", by="job"),
            ),
            "recognition's workers take a core each while photos wait; the others little.",
            "recognition below its workers: they wait for the object store or the database.",
        ),
        Panel(
            "Memory",
            "bytes",
            per_process(
                f"sum by (job) (process_resident_memory_bytes{{{OURS}}})",
                "sum by (job) (findme_worker_resident_bytes)",
            ),
            "825 MB for all in one process with 2 workers and PostgreSQL, at the peak.",
            "rising over days: a leak; the process can be restarted at any time.",
        ),
        Panel(
            "Open files",
            "percentunit",
            (Query(f"max by (job) (process_open_fds{{{OURS}}} / process_max_fds)", "{{job}}"),),
            "a few percent.",
            "raise the limit of open files: each live stream needs one.",
            Limits(0.7, 0.9),
        ),
        Panel(
            "Requests",
            "ops",
            (Query(rate("findme_http_requests_total", by="service"), "{{service}}"),),
            "what clients do.",
            "far more than there are guests: a client repeats itself.",
        ),
        Panel(
            "Answers by status",
            "ops",
            (Query(rate("findme_http_requests_total", by="status"), "{{status}}"),),
            "200, 206 and 304; some 401 and 404.",
            "5xx: RUNBOOK.md, requests fail.",
        ),
        Panel(
            "Dependencies",
            "bool",
            (
                Query(
                    "min by (service, dependency) (findme_dependency_up)",
                    "{{service}}: {{dependency}}",
                ),
            ),
            "all yes.",
            "RUNBOOK.md, a dependency is down.",
            Limits(red=1, falling=True),
        ),
    ),
)
