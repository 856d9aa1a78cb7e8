"""The guest's view: whether guests get their photos, and how soon."""

from deploy.monitoring.grafana.definition.panels import (
    Dashboard,
    Limits,
    Panel,
    Query,
    Row,
    per_minute,
    quantile,
    quantiles,
    rate,
)

MATCH = "findme_upload_to_match_seconds"
HTTP = "findme_http_request_seconds"
LISTS = 'route=~"/api/(my-photos|all-photos|user/events/.+/(all-)?photos)"'
MEDIA = 'service="media"'
ERRORS = 'status=~"5.."'


def failing_share(matchers: str) -> str:
    """The share of requests that end with 5xx; 0 while there is none."""
    requests = "findme_http_requests_total"
    failed = rate(requests, f"{matchers}, {ERRORS}")
    return f"({failed} or vector(0)) / {rate(requests, matchers)}"


NOW = Row(
    "Now",
    (
        Panel(
            "Upload to match, 95 %",
            "s",
            (Query(quantile(0.95, MATCH), "p95"),),
            "under 20 s; empty while no photo is uploaded.",
            "recognition is too slow or stands still: RUNBOOK.md, guests wait for photos.",
            Limits(30, 60),
            "stat",
        ),
        Panel(
            "Oldest unfinished photo",
            "s",
            (Query("max(findme_photos_oldest_seconds)", "age"),),
            "0, seconds while photos come in, minutes behind a large batch.",
            "above 15 minutes it has been missed: RUNBOOK.md, guests wait for photos.",
            Limits(300, 900),
            "stat",
        ),
        Panel(
            "Photos unfinished",
            "short",
            (Query("sum(max by (status) (findme_photos_waiting))", "photos"),),
            "0 between batches; a batch of 500 is gone after 90 s on 2 cores.",
            "more than recognition does in 15 minutes: add replicas.",
            Limits(1000, 5000),
            "stat",
        ),
        Panel(
            "Oldest waiting selfie",
            "s",
            (Query("max(findme_selfies_oldest_seconds)", "age"),),
            "0, a few seconds after a guest has come.",
            "RUNBOOK.md, selfies are not matched.",
            Limits(60, 180),
            "stat",
        ),
        Panel(
            "Photos failed, 1 h",
            "short",
            (Query('sum(increase(findme_photos_total{outcome="failed"}[1h]))', "photos"),),
            "0, or the damaged files of a card.",
            "their reasons are in the photographer's list: RUNBOOK.md, photos fail.",
            Limits(1, 20),
            "stat",
        ),
        Panel(
            "Guests watching live",
            "short",
            (Query("sum(findme_live_streams)", "streams"),),
            "as many as guests have the page open.",
            "see the limit below.",
            kind="stat",
        ),
    ),
)
PHOTOS = Row(
    "From upload to match",
    (
        Panel(
            "Upload to match, all",
            "s",
            quantiles(MATCH),
            "on 2 cores, 100 photos at once: median 9 s, worst 15 s; a single photo: 1 s.",
            "compare with the photos that wait: a long line needs replicas, a short one a look"
            " at queues and partitions.",
            Limits(30, 60),
        ),
        Panel(
            "Photos waiting",
            "short",
            (Query("max by (status) (findme_photos_waiting)", "{{status}}"),),
            "a hill for each batch, mostly `queued`.",
            "many `queued`: recognition is slow or down. Many `analyzed`: matching stands still,"
            " look at the partitions.",
            stacked=True,
        ),
        Panel(
            "Age of the oldest",
            "s",
            (
                Query("max by (status) (findme_photos_oldest_seconds)", "photo {{status}}"),
                Query("max(findme_selfies_oldest_seconds)", "selfie"),
            ),
            "returns to 0 after each batch.",
            "a straight line upwards is one that nobody works on: RUNBOOK.md, guests wait for"
            " photos.",
            Limits(300, 900),
        ),
        Panel(
            "Photos per minute",
            "opm",
            (
                Query(per_minute("findme_uploads_total", 'outcome="enqueued"'), "uploaded"),
                Query(per_minute("findme_photos_total", 'outcome="analyzed"'), "analysed"),
                Query(per_minute(f"{MATCH}_count"), "matched"),
            ),
            "the three lines are one, shifted by seconds; 350 a minute on 2 cores.",
            "analysed stays below uploaded: add recognition replicas.",
        ),
        Panel(
            "Matches per minute",
            "opm",
            (Query(per_minute("findme_matches_total"), "matches"),),
            "some per photo, as soon as guests have registered.",
            "none though photos are matched: have guests sent selfies? Is the threshold too high?",
        ),
        Panel(
            "Failures per minute",
            "opm",
            (
                Query(per_minute("findme_uploads_total", 'outcome="failed"'), "uploads"),
                Query(per_minute("findme_uploads_total", 'outcome="refused"'), "files refused"),
                Query(per_minute("findme_photos_total", 'outcome="failed"'), "photos"),
                Query(per_minute("findme_selfies_indexed_total", 'outcome="failed"'), "selfies"),
            ),
            "none; refused files are no photos, or too large.",
            "uploads that fail are our fault: RUNBOOK.md, uploads fail.",
            Limits(1, 10),
        ),
    ),
)
SELFIES = Row(
    "Selfies and live streams",
    (
        Panel(
            "Selfies per minute",
            "opm",
            (
                Query(per_minute("findme_selfies_total", by="outcome"), "{{outcome}}"),
                Query(per_minute("findme_selfies_indexed_total", by="outcome"), "then {{outcome}}"),
            ),
            "stored and indexed; some are refused: no face, several, too small.",
            "`failed` after it was stored: RUNBOOK.md, selfies are not matched.",
        ),
        Panel(
            "Selfies waiting",
            "short",
            (Query("max(findme_selfies_waiting)", "selfies"),),
            "0; a handful as guests arrive.",
            "RUNBOOK.md, selfies are not matched.",
            Limits(50, 500),
        ),
        Panel(
            "Live streams",
            "short",
            (
                Query("sum(findme_live_streams)", "open"),
                Query("sum(findme_live_streams_limit)", "limit"),
                Query(per_minute("findme_live_overflows_total"), "overflows a minute"),
                Query(per_minute("findme_bus_listener_gaps_total"), "gaps a minute"),
            ),
            "well below the limit; overflows are clients that sleep.",
            "near the limit: more gallery replicas. Gaps: the broker was away.",
        ),
    ),
)
PAGES = Row(
    "Lists and pictures",
    (
        Panel(
            "Photo lists",
            "s",
            quantiles(HTTP, LISTS),
            "milliseconds: cached bytes, or two statements on covering indexes.",
            "look at the database pool and the cache: RUNBOOK.md, lists are slow.",
            Limits(0.5, 1),
        ),
        Panel(
            "Pictures",
            "s",
            quantiles(HTTP, 'service="media", route="/api/media/{key:path}"'),
            "until the last byte: the guests' networks show here.",
            "new thumbnails wait for workers: see renditions in the operator's view.",
            Limits(5, 10),
        ),
        Panel(
            "Requests that fail",
            "percentunit",
            (
                Query(failing_share(LISTS), "lists"),
                Query(failing_share(MEDIA), "pictures"),
                Query(failing_share('route=~".+upload-photos"'), "uploads"),
                Query(failing_share('route=~".+-selfie"'), "selfies"),
            ),
            "0.",
            "RUNBOOK.md, requests fail.",
            Limits(0.01, 0.05),
        ),
        Panel(
            "Uploading",
            "s",
            quantiles("findme_upload_seconds"),
            "a photo's way from its first byte to its row: the photographer's network, and 30 ms.",
            "the object store or the database is slow.",
            Limits(10, 30),
        ),
        Panel(
            "Uploads at once",
            "short",
            (Query("sum(findme_open_uploads)", "requests"),),
            "one per photographer.",
            "at MAX_CONCURRENT_UPLOADS others wait, then get 503: more ingest replicas.",
        ),
        Panel(
            "Bytes",
            "Bps",
            (
                Query(rate("findme_upload_bytes_total"), "uploaded"),
                Query(rate("findme_media_sent_bytes_total"), "sent to guests"),
            ),
            "what photographers and guests do.",
            "flat at the network's limit: that is the bottleneck.",
        ),
    ),
)
GUESTS = Dashboard(
    "guests",
    "FindMe: the guest's view",
    "Do guests get their photos, and how soon? What to do is in RUNBOOK.md.",
    (NOW, PHOTOS, SELFIES, PAGES),
)
