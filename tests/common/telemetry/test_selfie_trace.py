from libs.common.web.auth import Role
from tests.support.polling import eventually
from tests.support.spans import Spans, trace_id
from tests.support.stack import Stack
from tests.support.tiny_jpeg import tiny_jpeg


async def test_a_selfies_way_through_the_services_is_the_requests_trace(
    stack: Stack, spans: Spans
) -> None:
    event_id = await stack.world.event(await stack.world.person(Role.PHOTOGRAPHER))
    guest = await stack.world.person(joined=event_id)
    selfie = ("me.jpg", tiny_jpeg("people 1"), "image/jpeg")
    answer = await stack.client.post(
        "/api/upload-selfie", headers=guest.headers, files={"file": selfie}
    )
    answer.raise_for_status()
    await eventually(lambda: spans.named("hear selfie.matched"))
    (request,) = spans.named("POST /api/upload-selfie")
    (judged,) = spans.named("POST /internal/face-check")
    (heard,) = spans.named("hear selfie.matched")
    assert spans.path(judged) == [request.name, "check face", judged.name]
    assert spans.path(heard) == [
        *(request.name, "publish selfie.uploaded", "process selfie.uploaded"),
        *("publish selfie.matched", heard.name),
    ]
    assert {trace_id(request)} == {trace_id(judged), trace_id(heard)}
