"""Every format that is taken goes all the way, by the real decoders; the others are refused."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from libs.common.web.auth import Role
from tests.support.decoding_engine import DecodingEngine
from tests.support.image_formats import refused_files, taken_files
from tests.support.people import Person
from tests.support.polling import eventually
from tests.support.stack import Stack, running_stack

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
async def stack(database_url: str, tmp_path: Path) -> AsyncIterator[Stack]:
    async with running_stack(
        database_url,
        engine=DecodingEngine,
        photo_store_dir=tmp_path / "objects",
        # What an analysis cannot do, it need not try again.
        retry_delays_seconds=(0.1,),
    ) as stack:
        yield stack


async def statuses(stack: Stack, photographer: Person, event_id: int) -> Mapping[str, str]:
    """How the analysis of each photo stands, by the name it was sent with."""
    photos = await listed(stack, photographer, event_id)
    return {photo["original_filename"]: str(photo["processing_status"]) for photo in photos}


async def listed(stack: Stack, photographer: Person, event_id: int) -> list[dict[str, str]]:
    answer = await stack.client.get(
        f"/api/photographer/events/{event_id}/photos", headers=photographer.headers
    )
    answer.raise_for_status()
    found: list[dict[str, str]] = answer.json()
    return found


async def test_what_is_taken_is_analysed_and_has_its_thumbnail_and_preview(stack: Stack) -> None:
    files = taken_files()
    photographer = await stack.world.person(Role.PHOTOGRAPHER)
    event_id = await stack.world.event(photographer)

    answer = await stack.upload(photographer, event_id, *files.items())

    assert answer.get("failed_uploads") is None
    found: Mapping[str, str] = {}

    async def is_analysed() -> bool:
        nonlocal found
        found = await statuses(stack, photographer, event_id)
        return not {"queued", "analyzed"} & set(found.values())

    await eventually(is_analysed)
    assert found == dict.fromkeys(files, "done")

    shown = {}
    for photo in await listed(stack, photographer, event_id):
        answers = await asyncio.gather(
            *(stack.client.get(photo[url]) for url in ("thumbnail_url", "preview_url", "url"))
        )
        shown[photo["original_filename"]] = tuple(answer.status_code for answer in answers)
    assert shown == dict.fromkeys(files, (200, 200, 200))


async def test_what_is_not_taken_is_refused_by_its_name_with_what_to_send(stack: Stack) -> None:
    files = refused_files()
    photographer = await stack.world.person(Role.PHOTOGRAPHER)
    event_id = await stack.world.event(photographer)

    answer = await stack.upload(
        photographer,
        event_id,
        ("good.png", taken_files()["png.png"]),
        *((name, content) for name, (content, _) in files.items()),
    )

    errors = {failed["filename"]: failed["error"] for failed in answer["failed_uploads"]}
    assert errors.keys() == files.keys()
    for name, (_, title) in files.items():
        assert title in errors[name]
        assert "Export " in errors[name] or "Send " in errors[name]


async def test_a_photo_that_no_decoder_can_read_fails_and_nothing_else(stack: Stack) -> None:
    photographer = await stack.world.person(Role.PHOTOGRAPHER)
    event_id = await stack.world.event(photographer)
    # The headers of most are whole, what follows is not.
    halves = {
        f"half-{name}": content[: len(content) * 2 // 3] for name, content in taken_files().items()
    }

    answer = await stack.client.post(
        f"/api/photographer/events/{event_id}/upload-photos",
        headers=photographer.headers,
        files=[("files", item) for item in halves.items()],
    )

    assert answer.status_code == 200
    refused = {failed["filename"] for failed in answer.json()["failed_uploads"]}
    # Of these the header itself is cut off.
    assert refused == {
        "half-bigtiff-packed.tif",
        "half-heic-10-bits.heic",
        "half-heic-of-two.heic",
    }
    found: Mapping[str, str] = {}

    async def is_analysed() -> bool:
        nonlocal found
        found = await statuses(stack, photographer, event_id)
        return not {"queued", "analyzed"} & set(found.values())

    await eventually(is_analysed)
    assert found == dict.fromkeys(halves.keys() - refused, "failed")
    for photo in await listed(stack, photographer, event_id):
        answers = await asyncio.gather(
            *(stack.client.get(photo[url]) for url in ("thumbnail_url", "preview_url"))
        )
        assert [answer.status_code for answer in answers] == [404, 404], photo["original_filename"]
