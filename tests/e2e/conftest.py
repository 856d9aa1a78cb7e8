import uuid
from pathlib import Path

import pytest

from tests.support.small_event import SmallEvent, draw


@pytest.fixture(scope="session")
def small_event(tmp_path_factory: pytest.TempPathFactory) -> SmallEvent:
    return draw(tmp_path_factory.mktemp("small-event"))


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Converted models, shared by the servers of the session."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def run() -> str:
    return uuid.uuid4().hex[:8]
