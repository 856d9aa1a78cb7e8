from libs.common.telemetry import tracing
from libs.common.web.auth import Role
from services.recognition.matching.match import finish_photos
from services.recognition.photos import repository
from tests.support.spans import Spans, trace_id
from tests.support.stack import Stack


async def test_photos_that_are_matched_together_keep_a_trace_each(
    stack: Stack, spans: Spans
) -> None:
    world, database = stack.world, stack.resources.database
    event_id = await world.event(await world.person(Role.PHOTOGRAPHER))
    photos = []
    for _ in range(2):
        with tracing.new_trace("photo"):
            photo_id = await world.insert_photo(event_id, traceparent=tracing.traceparent())
        async with database.read() as connection:
            photos.append(await repository.find_photo(connection, photo_id))
    with tracing.span("round"):
        async with database.unit_of_work() as unit:
            await finish_photos([photo for photo in photos if photo], unit=unit)
            headers = [message.headers for message in unit.messages]
    roots = [f"{trace_id(span):032x}" for span in spans.named("photo")]
    assert [header["traceparent"].split("-")[1] for header in headers] == roots
    (whole,) = spans.named("round")
    joined = spans.named("match")
    assert [spans.path(span) for span in joined] == [["photo", "match"]] * 2
    assert {link.context.trace_id for span in joined for link in span.links} == {trace_id(whole)}
