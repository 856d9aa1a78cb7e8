"""The rows of the operator's view about finding faces."""

from deploy.monitoring.grafana.definition.panels import (
    Limits,
    Panel,
    Query,
    Row,
    per_minute,
    quantile,
    quantiles,
    rate,
)

RECOGNITION = Row(
    "Recognition",
    (
        Panel(
            "Workers",
            "short",
            (
                Query("sum(findme_workers_busy)", "busy"),
                Query("sum(findme_workers)", "there"),
            ),
            "all busy while photos wait, none else.",
            "idle though photos wait: look at the lanes' consumers. All busy for long: add"
            " replicas.",
        ),
        Panel(
            "Analysing a photo",
            "s",
            quantiles("findme_analyze_seconds"),
            "0.2 to 0.5 s for 12 megapixels on one core.",
            "slower than before: too many workers for the cores, or a slow object store.",
            Limits(2, 10),
        ),
        Panel(
            "Images given to the engine",
            "opm",
            (Query(per_minute("findme_engine_calls_total", by="operation"), "{{operation}}"),),
            "one per photo and one or two per selfie.",
            "more than photos come in: work is repeated, see what is published again.",
        ),
        Panel(
            "Faces per photo",
            "short",
            (
                Query(
                    f"{rate('findme_faces_per_photo_sum')}"
                    f" / {rate('findme_faces_per_photo_count')}",
                    "mean",
                ),
            ),
            "what the event is: portraits 1, groups 5.",
            "near 0 for people: the detector misses them, is YuNet's model there?",
        ),
        Panel(
            "Lost workers",
            "opm",
            (Query(per_minute("findme_workers_lost_total", by="cause"), "{{cause}}"),),
            "none; a damaged photo costs two.",
            "RUNBOOK.md, workers die.",
            Limits(0.2, 1),
        ),
        Panel(
            "Published again",
            "opm",
            (Query(per_minute("findme_reconciled_total", by="kind"), "{{kind}}"),),
            "none; once after an unclean start.",
            "work is unfinished after 10 minutes: RUNBOOK.md, guests wait for photos.",
            Limits(1, 10),
        ),
        Panel(
            "Waiting to be indexed again",
            "short",
            (Query("sum by (kind) (findme_reindex_waiting)", "{{kind}}"),),
            "0; after a change of the engine all photos and selfies of open events, falling.",
            "not falling: new photos go first, so it waits for quieter hours or more replicas.",
        ),
        Panel(
            "Grouping people without a selfie",
            "s",
            (Query(quantile(0.95, "findme_people_seconds"), "p95"),),
            "seconds, when a photographer asks for an event's people.",
            "half a minute and more: an event of very many faces.",
            Limits(30, 60),
        ),
    ),
)
REKOGNITION = Row(
    "Amazon Rekognition (empty with other engines)",
    (
        Panel(
            "Cost per hour",
            "currencyUSD",
            (
                Query(
                    f"3600 * {rate('findme_aws_cost_dollars_total', by='operation')}",
                    "{{operation}}",
                ),
            ),
            "$0.24 for 100 photos with 50 guests, while photos come in.",
            "RUNBOOK.md, Rekognition costs much; the bill is at /api/admin/aws-usage.",
            Limits(10, 20),
            stacked=True,
        ),
        Panel(
            "Calls",
            "opm",
            (
                Query(per_minute("findme_aws_calls_total", by="operation"), "{{operation}}"),
                Query(per_minute("findme_aws_planned_searches_total"), "planned searches"),
            ),
            "one IndexFaces per photo and selfie; searches of the smaller side.",
            "more searches than planned are repeated ones: see the faults.",
        ),
        Panel(
            "Faults",
            "opm",
            (Query(per_minute("findme_aws_faults_total", by="fault"), "{{fault}}"),),
            "none, some `throttled` in a burst.",
            "RUNBOOK.md, Rekognition throttles or fails.",
            Limits(5, 50),
        ),
        Panel(
            "A call",
            "s",
            (
                Query(
                    quantile(0.95, "findme_aws_call_seconds", by="operation"),
                    "{{operation}} p95",
                ),
            ),
            "half a second for IndexFaces, less for searches.",
            "the region is far, or the service is slow.",
            Limits(2, 5),
        ),
        Panel(
            "Photos matched together",
            "short",
            (Query(quantile(0.5, "findme_match_round_photos"), "median"),),
            "tens in a burst, one in quiet hours.",
            "one in a burst: each photo pays its own searches, see REKOGNITION_BATCH_SECONDS.",
        ),
        Panel(
            "Waiting to be erased",
            "short",
            (
                Query("max by (kind) (findme_aws_erasures_waiting)", "{{kind}}"),
                Query(per_minute("findme_aws_erased_total", by="kind"), "{{kind}} a minute"),
                Query("max(findme_aws_erasure_oldest_seconds)", "oldest, seconds"),
            ),
            "0: deleted faces are erased within seconds.",
            "RUNBOOK.md, deleted faces are not erased.",
            Limits(red=900),
        ),
    ),
)
