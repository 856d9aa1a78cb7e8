from collections.abc import Iterator
from pathlib import Path

import pytest

from services.gallery.browser_app.files import BUILT
from tests.support.browser import require_chromium
from tests.support.node import require_node
from tests.support.process_fixtures import new_data_dir
from tests.web.findme import FindMe


@pytest.fixture(scope="session")
def chromium() -> str:
    require_node()
    if not (BUILT / "index.html").exists():
        pytest.fail("run `make web`, or `make test`, which does", pytrace=False)
    return require_chromium()


@pytest.fixture(scope="session")
def findme(chromium: str, model_dir: Path) -> Iterator[FindMe]:
    """The FindMe of all tests in a browser; each has an event of its own there."""
    with new_data_dir(model_dir) as data_dir:
        running = FindMe(data_dir)
        yield running
        running.stop()
