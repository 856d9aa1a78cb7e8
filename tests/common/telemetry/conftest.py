"""All four services in one process, on either bus, with spans kept in memory."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest

from libs.common.messaging.bus.rabbitmq.declare import declare
from libs.common.messaging.bus.topology import findme_topology
from services.recognition.engine.face_engine import EngineFactory
from tests.support.scripted_engine import ScriptedEngine
from tests.support.spans import Spans, recording_spans
from tests.support.stack import Stack, running_stack

RETRY_DELAYS = (0.1, 0.2)

StackFactory = Callable[[EngineFactory], AbstractAsyncContextManager[Stack]]


@pytest.fixture
def spans() -> Iterator[Spans]:
    with recording_spans() as spans:
        yield spans


@pytest.fixture(params=["in_process", "rabbitmq"])
def amqp(request: pytest.FixtureRequest) -> str | None:
    return request.getfixturevalue("amqp_url") if request.param == "rabbitmq" else None


@pytest.fixture
async def stack_of(
    database_url: str, tmp_path: Path, amqp: str | None, spans: Spans
) -> StackFactory:
    """Starts the services with an engine; `spans` records them all."""
    del spans
    if amqp is not None:
        await declare(amqp, findme_topology(RETRY_DELAYS))
    running = partial(
        running_stack,
        database_url,
        photo_store_dir=tmp_path / "objects",
        amqp_url=amqp,
        retry_delays_seconds=RETRY_DELAYS,
    )
    return lambda engine: running(engine=engine)


@pytest.fixture
async def stack(stack_of: StackFactory) -> AsyncIterator[Stack]:
    async with stack_of(ScriptedEngine) as stack:
        yield stack
