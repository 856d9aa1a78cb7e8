"""What stays is looked through once by the collector of garbage, and not again for minutes."""

import gc
import weakref

import pytest

from libs.common.web import long_lived
from libs.common.web.long_lived import LongLived
from tests.support.polling import eventually


class Node:
    """A part of a cycle."""

    def __init__(self) -> None:
        self.itself = self


async def test_what_a_long_collection_left_is_frozen_and_its_garbage_is_found_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(long_lived, "LONG_SECONDS", 0.0)
    monkeypatch.setattr(long_lived, "LOOK_AGAIN_SECONDS", 0.2)
    kept = LongLived()
    before = gc.get_freeze_count()
    nodes = [Node() for _ in range(5_000)]
    gc.collect()
    await eventually(lambda: gc.get_freeze_count() > before + 5_000, poll_seconds=0.01)
    last = weakref.ref(nodes[-1])
    nodes.clear()
    await eventually(lambda: last() is None, poll_seconds=0.01)
    kept.close()


async def test_after_a_short_collection_nothing_more_is_frozen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(long_lived, "LONG_SECONDS", 60.0)
    kept = LongLived()
    before = gc.get_freeze_count()
    node = weakref.ref(Node())
    gc.collect()
    assert node() is None
    assert gc.get_freeze_count() <= before
    kept.close()
