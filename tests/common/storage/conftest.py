from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from libs.common.storage.protocol import ObjectStore
from tests.support.stores import KINDS, OpenStore, StoreProbe, opened


@pytest.fixture(params=KINDS)
async def open_store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[OpenStore]:
    async with opened(request.param, request, tmp_path) as both:
        yield both


@pytest.fixture
def store(open_store: OpenStore) -> ObjectStore:
    return open_store.store


@pytest.fixture
def probe(open_store: OpenStore) -> StoreProbe:
    return open_store.probe
