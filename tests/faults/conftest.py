import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.deployment import Deployment, deployed

SEED_VARIABLE = "FINDME_FAULTS_SEED"


@pytest.fixture
def rng() -> random.Random:
    """Decides what happens; a failed test shows the seed that repeats it."""
    seed = int(os.environ.get(SEED_VARIABLE, "1"))
    print(f"{SEED_VARIABLE}={seed}")  # noqa: T201 - pytest shows it when the test fails
    return random.Random(seed)


@pytest.fixture
async def deployment(database_url: str, amqp_url: str, tmp_path: Path) -> AsyncIterator[Deployment]:
    """Queues and an empty fleet, with objects in a folder."""
    async with deployed(database_url, amqp_url, tmp_path) as deployment:
        yield deployment
