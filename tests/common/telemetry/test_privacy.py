"""Nothing of people, no capability and no secret may be in what leaves for a collector."""

import pytest
from sqlalchemy.exc import DBAPIError

from libs.common.telemetry import tracing
from libs.common.web.auth import Role
from tests.support.polling import eventually
from tests.support.spans import Spans, said
from tests.support.stack import Stack
from tests.support.tiny_jpeg import tiny_jpeg


async def test_spans_hold_no_names_addresses_tokens_filenames_or_signatures(
    stack: Stack, spans: Spans
) -> None:
    world, client = stack.world, stack.client
    photographer = await world.person(Role.PHOTOGRAPHER)
    event_id = await world.event(photographer, code="SECRETGALA")
    guest = await world.person(joined=event_id)
    selfie = ("anna-selfie.jpg", tiny_jpeg("people 1"), "image/jpeg")
    await client.post("/api/upload-selfie", headers=guest.headers, files={"file": selfie})
    await client.post("/api/login", json={"username": guest.name, "password": "Wrong-pass-1"})
    await client.post("/api/check-event-code", json={"event_code": "SECRETGALA"})
    photos = (("anna-kissing.jpg", tiny_jpeg("people 1\nx")), ("broken-anna.jpg", b"no image"))
    await stack.upload(photographer, event_id, *photos)

    async def found() -> list[dict[str, str]]:
        answer = await client.get("/api/my-photos", headers=guest.headers)
        return list(answer.json()) if answer.is_success else []

    await eventually(found)
    (photo,) = await found()
    for url in (photo["url"], photo["url"] + "x", f"/api/image/{photo['filename']}"):
        await client.get(url, headers=guest.headers)
    await eventually(lambda: spans.named("hear photo.matched"))
    assert spans.named("GET /api/media/{key:path}")

    told = "\n".join(span.to_json() for span in spans.all)
    signature = photo["url"].rpartition("s=")[2]
    secrets = [
        *(guest.name, f"{guest.name}@example.org", guest.token, photographer.token),
        *("anna", "SECRETGALA", "Wrong-pass-1", signature, photo["filename"], "findme.test"),
    ]
    assert [secret for secret in secrets if secret in told] == []
    assert str(said(spans.named("photo")[0], "event_id")) in told


async def test_an_error_is_told_by_its_kind_and_place_without_the_values_in_its_message(
    stack: Stack, spans: Spans
) -> None:
    person = await stack.world.person()
    with pytest.raises(DBAPIError, match=person.name), tracing.span("account"):
        await stack.world.scalar(f"SELECT '{person.name}'::int")
    (span,) = spans.named("account")
    (event,) = span.events
    told = span.to_json()
    assert person.name not in told
    assert "DBAPIError" in str((event.attributes or {})["exception.type"])
    assert "rows.py" in str((event.attributes or {})["exception.stacktrace"])
