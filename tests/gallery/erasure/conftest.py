import asyncio

import pytest

from services.gallery.erasure.erase_events import EventEraser


@pytest.fixture(autouse=True)
def only_the_tests_eraser(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's own would lead at moments of its own, and a test's then has nothing to do."""

    async def rest(_: EventEraser) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(EventEraser, "run", rest)
