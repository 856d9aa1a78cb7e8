"""Ingest's own metrics."""

from prometheus_client import Counter, Gauge, Histogram

UPLOADS = Counter(
    "findme_uploads_total",
    "Files taken in or refused, by outcome: enqueued, duplicate, refused, failed.",
    ["outcome"],
)
UPLOAD_BYTES = Counter("findme_upload_bytes_total", "Bytes of photos that were read.")
UPLOAD_SECONDS = Histogram(
    "findme_upload_seconds",
    "Seconds from a photo's first byte to its outcome.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120),
)
OPEN_UPLOADS = Gauge("findme_open_uploads", "Upload requests that are being read.")
SELFIES = Counter("findme_selfies_total", "Selfies, by outcome: stored, refused.", ["outcome"])

# There from the start: of a counter that appears with its first failure, no rate shows it.
for _outcome in ("enqueued", "duplicate", "refused", "failed"):
    UPLOADS.labels(_outcome)
for _outcome in ("stored", "refused"):
    SELFIES.labels(_outcome)
