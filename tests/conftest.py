"""Fixtures of all suites: private servers, started only when a test asks for one."""

import contextlib
import gc
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import TypeVar

import hypothesis
import pytest
import structlog

from libs.common.limits import storage
from libs.common.telemetry import logs
from tests.support.databases import Databases, migrated_databases
from tests.support.postgres import ForeignPostgres, Postgres, accepts_connections, running_postgres
from tests.support.rabbitmq import ForeignRabbitMQ, RabbitMQ, fresh_vhost, is_up, running_rabbitmq
from tests.support.s3 import S3Bucket, S3Server, running_s3
from tests.support.services import ServiceMissing

T = TypeVar("T")

pytest_plugins = ["tests.support.process_fixtures", "tests.support.timed_out"]

# Its own limits are times: 200 ms for an example, which a busy machine takes for nothing at all.
# In CI the examples are the same each time, as by its own profile for that: a new one would fail a
# change that it has nothing to do with. Everywhere else new ones are looked for.
hypothesis.settings.register_profile(
    "untimed",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the browser app's: they are the longest, and were waited for at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/web/"))


def pytest_collection_finish() -> None:
    """Look for garbage in what tests make, not in all that was imported, and less often.

    That took a twelfth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@contextlib.contextmanager
def _provided(service: AbstractContextManager[T]) -> Iterator[T]:
    """Enter a service; where it cannot be had the test fails with the one sentence that helps."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(service)
        except ServiceMissing as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None
        yield server


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> Iterator[None]:
    """Logs of one line: structlog's own pretty tracebacks take 0.2 to 0.9 s each, not 0.5 ms.

    No logger is kept with the configuration of its first use: what a test captures after another
    has configured logs would not come by it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", partial(_configure_unkept, structlog.configure))
        logs.configure("warning", "json")
        yield


def _configure_unkept(configure: Callable[..., None], **given: object) -> None:
    configure(**given | {"cache_logger_on_first_use": False})


@pytest.fixture(autouse=True)
def whole_windows() -> Iterator[None]:
    """Limits count in windows of time: none ends in the middle of a test."""
    # By a patch of its own: the test's is undone before the fixtures that it patches for are ended.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "WINDOWS_BEGAN", time.time() - 1)
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """The PostgreSQL server of the session."""
    with _provided(running_postgres()) as server:
        yield server


@pytest.fixture(scope="session")
def databases(postgres_server: Postgres) -> Iterator[Databases]:
    """Makes migrated databases, for tests that need several."""
    with migrated_databases(postgres_server) as databases:
        yield databases


@pytest.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """A migrated, empty database of the test's own (`postgresql+asyncpg://...`)."""
    async with databases.fresh() as url:
        yield url


@pytest.fixture
def postgres_faults(postgres_server: Postgres) -> Iterator[Postgres]:
    """The server to stop, kill and start; it runs again after the test."""
    if isinstance(postgres_server, ForeignPostgres):
        pytest.skip("the PostgreSQL server is not ours to stop")
    yield postgres_server
    if not accepts_connections(postgres_server.url):
        postgres_server.start()


@pytest.fixture(scope="session")
def rabbitmq_server(pytestconfig: pytest.Config) -> Iterator[RabbitMQ]:
    """The RabbitMQ broker of the session."""

    def say(text: str) -> None:
        with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print(f"\n{text}", flush=True)  # noqa: T201 - an installation must not be silent

    with _provided(running_rabbitmq(say)) as broker:
        yield broker


@pytest.fixture
def amqp_url(rabbitmq_server: RabbitMQ) -> Iterator[str]:
    """An empty vhost of the test's own."""
    with fresh_vhost(rabbitmq_server) as url:
        yield url


@pytest.fixture
def rabbitmq_faults(rabbitmq_server: RabbitMQ, amqp_url: str) -> Iterator[RabbitMQ]:
    """The broker to stop, kill and start; it runs again after the test."""
    if isinstance(rabbitmq_server, ForeignRabbitMQ):
        pytest.skip("the RabbitMQ broker is not ours to stop")
    yield rabbitmq_server
    if not is_up(rabbitmq_server):
        rabbitmq_server.start()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """The S3 server of the session."""
    with running_s3() as server:
        yield server


@pytest.fixture
def s3(s3_server: S3Server) -> Iterator[S3Bucket]:
    """An empty bucket of the test's own."""
    with s3_server.fresh_bucket() as bucket:
        yield bucket
