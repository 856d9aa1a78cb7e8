"""Selfies that the engine cannot cope with, sent as a guest sends them."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.recognition.engine.detect.selfie_check import NOT_UPRIGHT
from tests.support.stack import Stack, running_stack
from tests.support.tiny_jpeg import tiny_jpeg


@pytest.fixture
async def stack(database_url: str, tmp_path: Path) -> AsyncIterator[Stack]:
    async with running_stack(database_url, photo_store_dir=tmp_path / "objects") as stack:
        yield stack


async def sent(stack: Stack, script: str) -> httpx.Response:
    guest = await stack.world.person()
    return await stack.client.post(
        "/api/upload-selfie", headers=guest.headers, files={"file": ("me.jpg", tiny_jpeg(script))}
    )


async def test_a_selfie_that_kills_its_worker_every_time_is_refused(stack: Stack) -> None:
    answer = await sent(stack, "crash")

    assert answer.status_code == 400
    assert answer.json()["detail"] == "This picture cannot be read. Send another one."
    assert (await sent(stack, "people 1")).status_code == 200


async def test_a_selfie_that_cannot_be_decoded_is_refused_with_the_reason(stack: Stack) -> None:
    answer = await sent(stack, "bad no picture")

    assert (answer.status_code, answer.json()["detail"]) == (400, "no picture")


async def test_a_selfie_of_which_the_way_up_is_in_doubt_is_refused_with_what_to_do(
    stack: Stack,
) -> None:
    answer = await sent(stack, "sideways 1")

    assert (answer.status_code, answer.json()["detail"]) == (400, NOT_UPRIGHT)


async def test_an_engine_that_fails_otherwise_asks_the_guest_to_come_back(stack: Stack) -> None:
    answer = await sent(stack, "people nobody-that-is-a-number")

    assert answer.status_code == 503
    assert answer.headers["retry-after"]
