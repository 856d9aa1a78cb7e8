from libs.common.telemetry import tracing
from libs.common.web.auth import Role
from services.recognition.matching.match import finish_photos
from services.recognition.photos import repository
from services.recognition.photos.repository import PhotoRow
from tests.support.conflicts import DEADLOCK
from tests.support.spans import Spans, span_id, trace_id
from tests.support.stack import Stack


async def traced_photos(stack: Stack, count: int) -> list[PhotoRow]:
    event_id = await stack.world.event(await stack.world.person(Role.PHOTOGRAPHER))
    photos = []
    for _ in range(count):
        with tracing.new_trace("photo"):
            photo_id = await stack.world.insert_photo(event_id, traceparent=tracing.traceparent())
        async with stack.resources.database.read() as connection:
            photos.append(await repository.find_photo(connection, photo_id))
    return [photo for photo in photos if photo]


async def test_photos_that_are_matched_together_keep_a_trace_each(
    stack: Stack, spans: Spans
) -> None:
    photos = await traced_photos(stack, 2)
    with tracing.span("round"):
        async with stack.resources.database.unit_of_work() as unit:
            await finish_photos(photos, unit=unit)
            headers = [message.headers for message in unit.messages]
    roots = [f"{trace_id(span):032x}" for span in spans.named("photo")]
    assert [header["traceparent"].split("-")[1] for header in headers] == roots
    (whole,) = spans.named("round")
    joined = spans.named("match")
    assert [spans.path(span) for span in joined] == [["photo", "match"]] * 2
    assert {link.context.trace_id for span in joined for link in span.links} == {trace_id(whole)}


async def test_what_a_conflict_had_repeated_is_recorded_once(stack: Stack, spans: Spans) -> None:
    photos = await traced_photos(stack, 2)
    tries = 0
    with tracing.span("round"):
        async for attempt in stack.resources.database.attempts():
            async with attempt as unit:
                tries += 1
                await finish_photos(photos, unit=unit)
                headers = [message.headers["traceparent"] for message in unit.messages]
                if tries == 1:
                    await unit.connection.exec_driver_sql(DEADLOCK)
    assert tries == 2
    recorded = spans.named("match")
    # Those that the messages name, which are the second time's.
    assert [f"{span_id(span):016x}" for span in recorded] == [
        header.split("-")[2] for header in headers
    ]
    assert all((span.end_time or 0) >= (span.start_time or 0) for span in recorded)
