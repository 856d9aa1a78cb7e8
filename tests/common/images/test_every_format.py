"""Every format that is taken goes all the way, by the real decoders; the others are refused."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from libs.common.web.auth import Role
from tests.support.decoding_engine import DecodingEngine
from tests.support.image_files import image_file
from tests.support.image_formats import raw_files, refused_files, taken_files, with_brands
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
    files = taken_files() | raw_files()
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


def odd_selfies() -> dict[str, bytes]:
    """Pictures that say they are what they are not, broken ones, and ones that are too large."""
    avif, heic = image_file("AVIF", size=(320, 240)), image_file("HEIF", size=(320, 240))
    halves = {
        f"half-{name}": content[: len(content) * 2 // 3] for name, content in taken_files().items()
    }
    return halves | {
        "avif-as-mif1.avif": avif[:8] + b"mif1" + avif[12:],
        "avif-as-mif1-alone.avif": with_brands(avif, b"mif1", b"mif1"),
        "avif-as-heic.heic": with_brands(avif, b"mif1", b"heic"),
        "avif-called-hevc.heic": with_brands(avif, b"mif1", b"mif1").replace(b"av01", b"hvc1"),
        "hevc-called-av1.avif": with_brands(heic, b"avif", b"mif1").replace(b"hvc1", b"av01"),
        "hundred-megapixels.webp": b"RIFF\x1e\0\0\0WEBPVP8L\x11\0\0\0\x2f\x0f\xe7\xc3\x09"
        + bytes(13),
    }


async def test_no_picture_is_more_than_a_refused_selfie(
    stack: Stack, capfd: pytest.CaptureFixture[str]
) -> None:
    with capture_logs() as logs:
        for name, content in odd_selfies().items():
            answer = await stack.client.post("/api/validate-selfie", files={"file": content})

            assert answer.status_code == 400, name
            assert answer.json()["detail"].endswith((".", "light.")), name

    assert [record for record in logs if record["log_level"] in {"error", "critical"}] == []
    written = capfd.readouterr()
    assert len(written.out + written.err) < 10_000


#: Whose decoders show the beginning of a file that is cut off.
SHOWN_IN_PART = ("half-jpeg", "half-png", "half-gif")


async def test_of_half_a_photo_is_shown_what_there_is_or_it_fails(stack: Stack) -> None:
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
    # Of these the header itself is cut off, or says how long the file is.
    assert refused == {
        "half-bitmap.bmp",
        "half-bitmap-palette.bmp",
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
    assert found == {
        name: "done" if name.startswith(SHOWN_IN_PART) else "failed"
        for name in halves.keys() - refused
    }
    for photo in await listed(stack, photographer, event_id):
        is_shown = photo["original_filename"].startswith(SHOWN_IN_PART)
        assert ("damaged" in (photo["processing_note"] or "")) == is_shown
        answers = await asyncio.gather(
            *(stack.client.get(photo[url]) for url in ("thumbnail_url", "preview_url"))
        )
        expected = [200, 200] if is_shown else [404, 404]
        assert [answer.status_code for answer in answers] == expected, photo["original_filename"]
