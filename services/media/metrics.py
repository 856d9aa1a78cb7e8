"""Metrics of the media service."""

from prometheus_client import Counter, Gauge, Histogram

BYTES_SENT = Counter("findme_media_sent_bytes_total", "Bytes of objects sent.")
RENDITIONS = Counter(
    "findme_renditions_total", "Renditions asked for and not there yet.", ["name", "outcome"]
)
RENDITION_SECONDS = Histogram(
    "findme_rendition_seconds",
    "Seconds a rendition took a worker, its waiting for the worker included.",
    ["name"],
    buckets=(0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30),
)
RENDITIONS_IN_HAND = Gauge(
    "findme_renditions_in_hand", "Renditions being made or waiting for a worker."
)
WORKERS = Gauge("findme_rendition_workers", "Most worker processes that make renditions.")
WORKERS_BUSY = Gauge("findme_rendition_workers_busy", "Worker processes with a rendition in hand.")
OBJECTS_CLEANED = Counter(
    "findme_media_cleaned_total",
    "Deleted photos, selfies, events and accounts whose objects were removed.",
    ["kind"],
)
ARCHIVES_SENDING = Gauge("findme_archives_sending", "Archives of photos that are being sent.")
ARCHIVES_BROKEN = Counter(
    "findme_archives_broken_total",
    "Archives that broke off, as a photo of theirs could not be read.",
)
ARCHIVE_RETRIES = Counter(
    "findme_archive_retries_total", "Photos of archives that had to be read again."
)
