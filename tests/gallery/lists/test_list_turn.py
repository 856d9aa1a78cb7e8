"""A list that waits for its turn behind others that do not end."""

import asyncio

import pytest

from libs.common.errors import Unavailable
from services.gallery import gallery as gallery_module
from services.gallery.gallery import Gallery
from tests.gallery.world import World


async def test_a_list_is_not_waited_for_without_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery_module, "LIST_TURN_SECONDS", 0.05)
    gallery: Gallery = world.app.state.gallery
    gallery.list_loads.total_tokens = 1
    has_turn, may_end = asyncio.Event(), asyncio.Event()

    async def read_for_ever() -> None:
        async with gallery.list_turn():
            has_turn.set()
            await may_end.wait()

    reading = asyncio.create_task(read_for_ever())
    await has_turn.wait()
    with pytest.raises(Unavailable, match="Try again"):
        await gallery.list_turn().__aenter__()
    may_end.set()
    await reading
    async with gallery.list_turn():
        pass
