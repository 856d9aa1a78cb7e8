"""Metrics that every process exposes; a service's own are in its metrics.py."""

from prometheus_client import Counter, Gauge, Histogram

OUTBOX_DEPTH = Gauge("findme_outbox_messages", "Messages that wait to be published.")
OUTBOX_AGE = Gauge("findme_outbox_oldest_seconds", "Age of the oldest waiting message.")
OUTBOX_PUBLISHED = Counter("findme_outbox_published_total", "Messages the bus has confirmed.")
OUTBOX_REFUSED = Counter(
    "findme_outbox_refused_total",
    "Publishes that failed for the message's own sake, or found a queue full.",
)
OUTBOX_LEADING = Gauge(
    "findme_outbox_leading", "1 in the one process that publishes the outbox, else 0."
)
GAUGES_CURRENT = Gauge(
    "findme_gauges_current",
    "1 while the gauges that this question is asked for are current, 0 while nobody answers it.",
    ["question"],
)
POOL_IN_USE = Gauge("findme_db_pool_in_use", "Database connections in use.")
POOL_IDLE = Gauge("findme_db_pool_idle", "Database connections kept open for the next use.")
POOL_LIMIT = Gauge("findme_db_pool_limit", "Most database connections the process may have.")
POOL_WAIT_SECONDS = Histogram(
    "findme_db_pool_wait_seconds",
    "Seconds until the pool gave a database connection.",
    buckets=(0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 10, 30, 120),
)
POOL_TIMEOUTS = Counter(
    "findme_db_pool_timeouts_total", "Times that no database connection became free in time."
)
TRANSACTION_CONFLICTS = Counter(
    "findme_db_conflicts_total",
    "Transactions that PostgreSQL gave up for another one's sake, repeated ones included.",
)
DEPENDENCY_UP = Gauge(
    "findme_dependency_up",
    "1 while the service reaches its database, store or bus, and its own tasks run, else 0.",
    ["service", "dependency"],
)
BACKGROUND_FAILURES = Counter(
    "findme_background_failures_total",
    "Times that a task which should always run ended and was begun again.",
    ["task"],
)
DEAD_LETTERS = Gauge(
    "findme_dead_letters", "Messages given up that wait for an operator.", ["queue"]
)
DEAD_LETTERS_COLLECTED = Counter(
    "findme_dead_letters_collected_total", "Messages given up and kept for operators.", ["queue"]
)
DEAD_LETTERS_SETTLED = Counter(
    "findme_dead_letters_settled_total",
    "Dead letters by what operators did: replayed, dropped.",
    ["queue", "settlement"],
)
HTTP_REQUESTS = Counter(
    "findme_http_requests_total",
    "Answered requests.",
    ["service", "method", "route", "status"],
)
HTTP_SECONDS = Histogram(
    "findme_http_request_seconds",
    "Seconds from the request's head to the answer's last byte.",
    ["service", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120),
)
ACCOUNT_STATUS_HITS = Counter(
    "findme_account_status_hits_total", "Callers whose login was known to stand."
)
ACCOUNT_STATUS_MISSES = Counter(
    "findme_account_status_misses_total", "Callers whose login was asked of the database."
)
NOT_AS_UPLOADED = Counter(
    "findme_objects_not_as_uploaded_total",
    "Fetches of an object that gave other bytes than were uploaded.",
)
CLIENTS_CUT_OFF = Counter(
    "findme_clients_cut_off_total",
    "Connections ended for what the client did: took_nothing of an answer, sent_nothing of a"
    " request that it had begun, sent_no_head in time, or sent_too_much of one.",
    ["client"],
)
CONNECTIONS_REFUSED = Counter(
    "findme_connections_refused_total",
    "Connections that were one too many: in_all, or of_an_address.",
    ["bound"],
)
WORKERS_LOST = Counter(
    "findme_workers_lost_total",
    "Worker processes that died with a photo in hand, by cause: crashed, timed_out.",
    ["cause"],
)
# There from the start: of a counter that appears with its first event, no rate shows it.
for _cause in ("crashed", "timed_out"):
    WORKERS_LOST.labels(_cause)
for _how in ("took_nothing", "sent_nothing", "sent_no_head", "sent_too_much"):
    CLIENTS_CUT_OFF.labels(_how)
for _bound in ("in_all", "of_an_address"):
    CONNECTIONS_REFUSED.labels(_bound)

REFUSED_BY_LIMIT = Counter(
    "findme_refused_by_limit_total",
    "Requests answered 429, by the budget that was used up (libs/common/limits/budgets.py).",
    ["budget"],
)
LIMITS_UNSHARED = Counter(
    "findme_limits_unshared_total",
    "Times that the database did not count in time, and the process counted by itself.",
)
LOG_RECORDS_DROPPED = Counter(
    "findme_log_records_dropped_total", "Records of the log that came faster than they are written."
)

#: Operations of the paid face service that are charged for, those that analyse or search images;
#: managing collections is free. The rule of the bill and of its metric.
CHARGED = frozenset({"DetectFaces", "IndexFaces", "SearchFaces", "SearchFacesByImage"})
