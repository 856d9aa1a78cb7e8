"""Ingest's own metrics."""

from prometheus_client import Counter, Gauge, Histogram

from libs.common.limits.fair_queue import QueueMetrics
from services.ingest.photos.rules import Way

UPLOADS = Counter(
    "findme_uploads_total",
    "Files taken in or refused, by outcome (enqueued, duplicate, refused, failed) and way.",
    ["outcome", "way"],
)
UPLOAD_BYTES = Counter("findme_upload_bytes_total", "Bytes of photos that were read.", ["way"])
UPLOAD_SECONDS = Histogram(
    "findme_upload_seconds",
    "Seconds from a photo's first byte to its outcome.",
    ["way"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120),
)
REQUEST_LINES = QueueMetrics(
    Gauge("findme_requests_waiting", "Requests that wait for their turn, by line.", ["line"]),
    Histogram(
        "findme_request_waited_seconds",
        "Seconds a request waited for its turn, by line.",
        ["line"],
        buckets=(0.01, 0.1, 0.5, 1, 2.5, 5, 10, 20, 30, 60),
    ),
    Gauge(
        "findme_request_wait_estimate_seconds",
        "Seconds that one more request would wait for its turn, by line.",
        ["line"],
    ),
)
OPEN_UPLOADS = Gauge("findme_open_uploads", "Upload requests that are being read.")
RESUMABLE_REQUESTS = Counter(
    "findme_resumable_requests_total",
    "Requests that brought bytes of a resumable upload, by how they ended: complete, broken.",
    ["end"],
)
EXPIRED_UPLOADS = Counter(
    "findme_resumable_uploads_expired_total",
    "Resumable uploads that were forgotten before they were whole.",
)
SELFIES = Counter("findme_selfies_total", "Selfies, by outcome: stored, refused.", ["outcome"])

FTP_CONNECTIONS = Gauge("findme_ftp_connections", "Cameras that are connected by FTP.")
FTP_LOGINS = Counter(
    "findme_ftp_logins_total", "Logins by FTP, by outcome: accepted, refused.", ["outcome"]
)

# There from the start: of a counter that appears with its first failure, no rate shows it.
for _way in Way:
    UPLOAD_BYTES.labels(_way)
    UPLOAD_SECONDS.labels(_way)
    for _outcome in ("enqueued", "duplicate", "refused", "failed"):
        UPLOADS.labels(_outcome, _way)
for _outcome in ("stored", "refused"):
    SELFIES.labels(_outcome)
for _end in ("complete", "broken"):
    RESUMABLE_REQUESTS.labels(_end)
for _outcome in ("accepted", "refused"):
    FTP_LOGINS.labels(_outcome)
