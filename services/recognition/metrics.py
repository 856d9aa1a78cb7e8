"""Metrics of the recognition service."""

from prometheus_client import Counter, Gauge, Histogram

PHOTOS = Counter("findme_photos_total", "Photos by the end of their analysis.", ["outcome"])
ANALYZE_SECONDS = Histogram(
    "findme_analyze_seconds",
    "Seconds a photo spent in a worker: decode, detect, embed.",
    buckets=(0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30, 120),
)
WORKERS = Gauge("findme_workers", "Worker processes that analyse photos.")
WORKERS_BUSY = Gauge("findme_workers_busy", "Worker processes with a photo in hand.")
WORKERS_WAITING = Gauge(
    "findme_workers_waiting",
    "Pictures that wait for a worker, by share: photos, selfies, visitors.",
    ["share"],
)
WORKERS_WAITED = Histogram(
    "findme_workers_waited_seconds",
    "Seconds a picture waited for a worker, by share: photos, selfies, visitors.",
    ["share"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60),
)
WORKERS_WAIT_ESTIMATE = Gauge(
    "findme_workers_wait_estimate_seconds",
    "Seconds that one more picture would wait for a worker, by share: photos, selfies, visitors.",
    ["share"],
)
THUMBNAILS = Counter(
    "findme_thumbnails_total",
    "Thumbnails made while photos were analysed, by outcome: kept, left (to media), failed.",
    ["outcome"],
)
FACES_PER_PHOTO = Histogram(
    "findme_faces_per_photo", "Faces found in a photo.", buckets=(0, 1, 2, 3, 5, 8, 13, 21, 50)
)
MATCH_LATENCY = Histogram(
    "findme_upload_to_match_seconds",
    "Seconds from a photo's upload to its matches being visible.",
    buckets=(0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 600, 1800),
)
SELFIES_INDEXED = Counter("findme_selfies_indexed_total", "Selfies by outcome.", ["outcome"])
MATCHES = Counter("findme_matches_total", "Matches written.")
REPUBLISHED = Counter(
    "findme_reconciled_total", "Unfinished work published again, by kind.", ["kind"]
)
REINDEX_WAITING = Gauge(
    "findme_reindex_waiting",
    "Photos and selfies of another engine that wait to be indexed again, by kind; 0 in all"
    " replicas but the one that sends them.",
    ["kind"],
)
ENGINE_CALLS = Counter(
    "findme_engine_calls_total", "Images given to the face engine, by operation.", ["operation"]
)
CHECKS_REUSED = Counter(
    "findme_selfie_checks_reused_total",
    "Checks of selfies that were answered by an earlier one of the same picture.",
)
PEOPLE_SECONDS = Histogram(
    "findme_people_seconds",
    "Seconds it took to group the faces of an event's people without a selfie.",
    buckets=(0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120),
)
PARTITIONS_OWNED = Gauge("findme_partitions_owned", "Match partitions consumed by this process.")
PARTITION_MOVES = Counter(
    "findme_partition_moves_total",
    "Changes of a match partition's owner, by kind: claimed, taken_over, given_back, lost.",
    ["kind"],
)
HANDOVER_SECONDS = Histogram(
    "findme_partition_handover_seconds",
    "Seconds a match partition was without a consumer between two owners.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120),
)
AWS_CALLS = Counter(
    "findme_aws_calls_total",
    "Calls of Rekognition that were answered, or may have been carried out, by operation.",
    ["operation"],
)
AWS_COST = Counter(
    "findme_aws_cost_dollars_total",
    "What the calls of Rekognition cost, by operation, at AWS_PRICE_PER_CALL.",
    ["operation"],
)
AWS_FAULTS = Counter(
    "findme_aws_faults_total",
    "Failed attempts at calls of Rekognition: throttled, not_sent, unknown, refused.",
    ["operation", "fault"],
)
AWS_SECONDS = Histogram(
    "findme_aws_call_seconds",
    "Seconds an attempt at a call of Rekognition took.",
    ["operation"],
    buckets=(0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30),
)
AWS_PLANNED = Counter("findme_aws_planned_searches_total", "Searches planned to match faces.")
MATCH_ROUND_PHOTOS = Histogram(
    "findme_match_round_photos",
    "Photos matched together to save searches.",
    buckets=(0, 1, 2, 5, 10, 20, 50, 100, 200),
)
ERASED = Counter(
    "findme_aws_erased_total", "Faces and events deleted at Rekognition, by kind.", ["kind"]
)

# There from the start: of a counter that appears with its first failure, no rate shows it.
for _outcome in ("analyzed", "failed"):
    PHOTOS.labels(_outcome)
for _outcome in ("kept", "left", "failed"):
    THUMBNAILS.labels(_outcome)
for _outcome in ("indexed", "failed", "skipped"):
    SELFIES_INDEXED.labels(_outcome)
for _kind in ("claimed", "taken_over", "given_back", "lost"):
    PARTITION_MOVES.labels(_kind)
