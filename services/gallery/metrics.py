"""Metrics of the gallery service."""

from prometheus_client import Counter, Gauge

LIST_CACHE_HITS = Counter("findme_list_cache_hits_total", "Lists answered from the cache.")
LIST_CACHE_MISSES = Counter("findme_list_cache_misses_total", "Lists read from the database.")
LIST_CACHE_BYTES = Gauge("findme_list_cache_bytes", "Bytes of cached lists.")
LIVE_STREAMS = Gauge("findme_live_streams", "Open live streams.")
LIVE_OVERFLOWS = Counter(
    "findme_live_overflows_total", "Times a slow client's events were replaced by a gap."
)
LIVE_STREAMS_LIMIT = Gauge("findme_live_streams_limit", "Most live streams the process takes.")
PHOTOS_WAITING = Gauge(
    "findme_photos_waiting", "Unfinished photos, by status: queued, analyzed.", ["status"]
)
PHOTOS_OLDEST = Gauge(
    "findme_photos_oldest_seconds", "Age of the oldest unfinished photo, by status.", ["status"]
)
SELFIES_WAITING = Gauge("findme_selfies_waiting", "Selfies that wait for their matches.")
SELFIES_OLDEST = Gauge("findme_selfies_oldest_seconds", "Age of the oldest waiting selfie.")
ERASURES_WAITING = Gauge(
    "findme_aws_erasures_waiting",
    "Faces and events that wait to be deleted at Rekognition, by kind.",
    ["kind"],
)
ERASURE_OLDEST = Gauge(
    "findme_aws_erasure_oldest_seconds", "Age of the oldest face that waits to be deleted there."
)
DATABASE_BYTES = Gauge("findme_database_bytes", "Size of the database on its disk.")
