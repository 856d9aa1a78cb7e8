from functools import partial
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from libs.common.messaging.dead_letters.settle import Settlement, settle_all
from libs.common.web.auth import Role
from services.recognition.engine.face_engine import EMBEDDED
from services.recognition.recovery.reconcile import Reconciler
from tests.common.telemetry.conftest import StackFactory
from tests.support.odd_engines import FailingEngine
from tests.support.polling import eventually
from tests.support.spans import Spans, said, trace_id
from tests.support.stack import Stack
from tests.support.tiny_jpeg import tiny_jpeg


async def upload(stack: Stack, *people: int) -> list[int]:
    """Photos of these people, one each, in one request; their guests are there already."""
    photographer = await stack.world.person(Role.PHOTOGRAPHER)
    event_id = await stack.world.event(photographer)
    for person in set(people):
        await stack.world.guest(event_id, person)
    answer = await stack.upload(
        photographer,
        event_id,
        *((f"{at}.jpg", tiny_jpeg(f"people {who}\n{at}")) for at, who in enumerate(people)),
    )
    return [job["photo_id"] for job in answer["jobs"]]


async def heard(spans: Spans, *photo_ids: int) -> None:
    """Wait until the gallery knows of the photos' matches."""

    def all_heard() -> bool:
        told = {said(span, "photo_id") for span in spans.named("hear photo.matched")}
        return told >= set(photo_ids)

    await eventually(all_heard, message=lambda: str([s.name for s in spans.all]))


def root_of(spans: Spans, photo_id: int) -> ReadableSpan:
    (root,) = [span for span in spans.named("photo") if said(span, "photo_id") == photo_id]
    return root


def only(spans: list[ReadableSpan], name: str) -> ReadableSpan:
    (span,) = [span for span in spans if span.name == name]
    return span


TO_ANALYSIS = ["photo", "publish photo.uploaded", "process photo.uploaded"]
TO_MATCHING = [*TO_ANALYSIS, "publish photo.analyzed", "process photo.analyzed"]
TO_GALLERY = [*TO_MATCHING, "publish photo.matched", "hear photo.matched"]


async def test_each_photo_of_a_request_has_one_trace_from_its_upload_to_the_gallery(
    stack: Stack, spans: Spans
) -> None:
    photo_ids = await upload(stack, 1, 2)
    await heard(spans, *photo_ids)
    request = only(list(spans.all), "POST /api/photographer/events/{event_id}/upload-photos")
    traces = set()
    for photo_id in photo_ids:
        root = root_of(spans, photo_id)
        traces.add(trace_id(root))
        assert root.parent is None
        assert [link.context.span_id for link in root.links] == [
            request.context.span_id if request.context else None
        ]
        trace = spans.of_trace(root)
        assert spans.path(only(trace, "process photo.uploaded")) == TO_ANALYSIS
        told = spans.path(only(trace, "hear photo.matched"))
        if any(span.name == TO_MATCHING[-1] for span in trace):
            assert told == TO_GALLERY
        else:
            # Both waited, and were matched together: that is in each one's trace.
            assert (told[0], told[-3:]) == ("photo", ["match", *TO_GALLERY[-2:]])
        assert spans.path(only(trace, "detect")) == [*TO_ANALYSIS, "analyze", "detect"]
        # Every span of the photo is in its trace, and all of them hang together.
        about = [span for span in spans.all if said(span, "photo_id") == photo_id]
        assert {trace_id(span) for span in about} == {trace_id(root)}
        assert all(spans.path(span)[0] == "photo" for span in trace)
    assert len(traces) == 2


async def test_the_spans_say_what_was_done_and_begin_in_its_order(
    stack: Stack, spans: Spans
) -> None:
    (photo_id,) = await upload(stack, 1)
    await heard(spans, photo_id)
    trace = spans.of_trace(root_of(spans, photo_id))
    names = [span.name for span in trace]
    order = [
        *("photo", "receive", "store", "publish photo.uploaded", "process photo.uploaded"),
        *("analyze", "detect", "publish photo.analyzed", "process photo.analyzed", "match"),
        *("publish photo.matched", "hear photo.matched"),
    ]
    assert sorted(order, key=names.index) == order
    analysed, matched = only(trace, TO_ANALYSIS[-1]), only(trace, TO_MATCHING[-1])
    assert said(trace[0], "outcome") == "enqueued"
    told = {name: said(analysed, name) for name in ("attempt", "engine", "faces")}
    assert told == {"attempt": 1, "engine": EMBEDDED.name, "faces": 1}
    assert said(matched, "matches") == 1
    assert {said(span, "event_id") for span in (trace[0], analysed, matched)} == {
        said(trace[0], "event_id")
    }
    assert not [span for span in trace if span.status.status_code is StatusCode.ERROR]


async def test_a_retry_is_another_span_of_the_same_trace_and_its_error_is_recorded(
    stack_of: StackFactory, spans: Spans, tmp_path: Path
) -> None:
    failures = tmp_path / "failures"
    failures.write_text("1")
    async with stack_of(partial(FailingEngine, failures)) as stack:
        (photo_id,) = await upload(stack, 1)
        await heard(spans, photo_id)
    trace = spans.of_trace(root_of(spans, photo_id))
    attempts = [span for span in trace if span.name == "process photo.uploaded"]
    assert [said(span, "attempt") for span in attempts] == [1, 2]
    assert attempts[0].status.status_code is StatusCode.ERROR
    (event,) = attempts[0].events
    assert event.name == "exception"
    assert "Overslept" in str((event.attributes or {})["exception.type"])
    assert attempts[1].status.status_code is StatusCode.UNSET
    assert len(spans.named("photo")) == 1
    assert spans.path(only(trace, "hear photo.matched")) == TO_GALLERY


async def test_a_dead_letter_and_its_replay_stay_in_the_photos_trace(
    stack_of: StackFactory, spans: Spans, tmp_path: Path
) -> None:
    failures = tmp_path / "failures"
    failures.write_text("4")
    async with stack_of(partial(FailingEngine, failures)) as stack:
        (photo_id,) = await upload(stack, 1)
        database = stack.resources.database

        async def replayed() -> bool:
            return bool(await settle_all(None, Settlement.REPLAYED, database=database))

        await eventually(replayed)
        await heard(spans, photo_id)
    trace = spans.of_trace(root_of(spans, photo_id))
    replay = only(trace, "replay")
    assert spans.path(replay) == ["photo", "publish photo.uploaded", "replay"]
    assert spans.path(only(trace, "hear photo.matched")) == [
        *spans.path(replay),
        *TO_GALLERY[1:],
    ]
    assert len(spans.named("photo")) == 1
    assert {trace_id(span) for span in spans.named("process photo.uploaded")} == {trace_id(replay)}


async def test_a_photo_that_the_reconciler_brings_back_is_traced_on(
    stack: Stack, spans: Spans
) -> None:
    (photo_id,) = await upload(stack, 1)
    await heard(spans, photo_id)
    await stack.world.scalar(
        "UPDATE photos SET processing_status = 'analyzed' WHERE id = :photo RETURNING id",
        photo=photo_id,
    )
    resources = stack.resources
    reconciler = Reconciler(
        resources.database,
        resources.bus,
        resources.topology,
        leads=lambda: True,
        older_than_seconds=600,
        every_seconds=60,
    )
    await reconciler.republish_all()
    await eventually(lambda: len(spans.named("hear photo.matched")) == 2)
    assert {trace_id(span) for span in spans.named("hear photo.matched")} == {
        trace_id(root_of(spans, photo_id))
    }
    assert spans.path(only(list(spans.all), "republish")) == ["photo", "republish"]


async def test_a_refused_file_has_a_trace_that_says_so_and_is_no_error(
    stack: Stack, spans: Spans
) -> None:
    photographer = await stack.world.person(Role.PHOTOGRAPHER)
    event_id = await stack.world.event(photographer)
    await stack.upload(
        photographer, event_id, ("ok.jpg", tiny_jpeg("people")), ("notes.jpg", b"no image")
    )
    outcomes = {said(span, "outcome"): span for span in spans.named("photo")}
    assert set(outcomes) == {"enqueued", "refused"}
    assert outcomes["refused"].status.status_code is StatusCode.UNSET
