"""Metrics of the gallery service."""

from prometheus_client import Counter, Gauge

LIST_CACHE_HITS = Counter("findme_list_cache_hits_total", "Lists answered from the cache.")
LIST_CACHE_MISSES = Counter("findme_list_cache_misses_total", "Lists read from the database.")
LIST_CACHE_BYTES = Gauge("findme_list_cache_bytes", "Bytes of cached lists.")
LIVE_STREAMS = Gauge("findme_live_streams", "Open live streams.")
LIVE_OVERFLOWS = Counter(
    "findme_live_overflows_total", "Times a slow client's events were replaced by a gap."
)
