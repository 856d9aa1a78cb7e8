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
EVENTS_TO_ERASE = Gauge(
    "findme_events_to_erase", "Events after their grace period that are not erased yet."
)
EVENTS_TO_ERASE_OLDEST = Gauge(
    "findme_events_to_erase_oldest_seconds", "How long the oldest of them should have been erased."
)
EVENTS_ERASED = Counter("findme_events_erased_total", "Events erased after their grace period.")
EVENT_PHOTOS_ERASED = Counter(
    "findme_event_photos_erased_total", "Photos erased with events after their grace period."
)
DATABASE_BYTES = Gauge("findme_database_bytes", "Size of the database on its disk.")
MAILS = Counter(
    "findme_mails_total",
    "Mails by what became of them: sent, put_off, refused, too_late, dropped.",
    ["outcome"],
)
MAIL_SERVER_FAILURES = Counter(
    "findme_mail_server_failures_total", "Times that the mail server could not be used."
)
MAILS_WAITING = Gauge("findme_mails_waiting", "Mails that wait to be sent.")
MAILS_OLDEST = Gauge("findme_mails_oldest_seconds", "Age of the oldest waiting mail.")
MAILS_DEAD = Gauge("findme_mails_dead", "Mails that were given up and are kept for operators.")
# There from the start: of a counter that appears with its first event, no rate shows it.
for _outcome in ("sent", "put_off", "refused", "too_late", "dropped"):
    MAILS.labels(_outcome)
