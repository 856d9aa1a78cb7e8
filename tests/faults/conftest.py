import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.deployment import Deployment, deployed
from tests.faults.proxy import StoreProxy
from tests.faults.together import Shared
from tests.support.postgres import Postgres
from tests.support.postgres_gate import PostgresGate
from tests.support.rabbitmq import RabbitMQ
from tests.support.s3 import S3Bucket
from tests.support.stores import use_credentials

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


@pytest.fixture
async def deployment_on_s3(
    database_url: str,
    amqp_url: str,
    s3: S3Bucket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[tuple[Deployment, StoreProxy]]:
    """The same with objects in S3, behind a proxy that can be made to fail."""
    use_credentials(s3, monkeypatch)
    store = StoreProxy(s3.endpoint_url)
    async with (
        store.running(),
        deployed(
            database_url,
            amqp_url,
            tmp_path,
            PHOTO_BUCKET_NAME=s3.bucket,
            S3_ENDPOINT_URL=store.url,
        ) as deployment,
    ):
        yield deployment, store


@pytest.fixture
async def broker_proxy(amqp_url: str) -> AsyncIterator[StoreProxy]:
    """A way to the broker that can be cut: nothing passes, and nobody is told."""
    proxy = StoreProxy(amqp_url)
    async with proxy.running():
        yield proxy


@pytest.fixture
async def shared(
    database_url: str,
    postgres_faults: Postgres,
    rabbitmq_faults: RabbitMQ,
    broker_proxy: StoreProxy,
) -> AsyncIterator[Shared]:
    """What all services share, behind ways that can be closed."""
    gate = PostgresGate(database_url)
    async with gate.running():
        yield Shared(broker_proxy, gate, rabbitmq_faults, postgres_faults, database_url)
