"""FindMe in one process, with something done on it, as Prometheus sees it."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.command import make_place
from demo.scenario import run_scenario
from demo.server import running_server
from standalone.settings import StandaloneSettings
from tests.support.postgres import run_apart
from tests.support.process_fixtures import new_data_dir
from tests.support.small_event import PASSWORD, SmallEvent
from tests.support.visit import visit


@pytest.fixture(scope="session")
def used_findme(small_event: SmallEvent, model_dir: Path) -> Iterator[str]:
    """The URL of a server on which photos were uploaded, matched and looked at."""
    run = uuid.uuid4().hex[:8]

    async def use(url: str, settings: StandaloneSettings) -> None:
        place = await make_place(settings, url, run=run, password=PASSWORD)
        guests = small_event.guests(run)
        await run_scenario(place, small_event.photos, guests, password=PASSWORD)
        await visit(place, guests[0].name)

    with new_data_dir(model_dir) as data_dir, running_server(data_dir) as server:
        run_apart(use(server.url, StandaloneSettings(findme_data_dir=data_dir)))
        yield server.url
