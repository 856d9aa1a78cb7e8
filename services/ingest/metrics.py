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
