import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from libs.common.resources import Resources
from libs.common.settings import CommonSettings
from libs.common.web.service_app import build_app
from libs.common.web.stopping import GracefulServer
from tests.support.polling import PATIENCE_SECONDS, eventually


class WorkInHand:
    """What a consumer has in hand when the service is told to stop."""

    def __init__(self, error: Exception | None = None) -> None:
        self.is_stopping = asyncio.Event()
        self.may_finish = asyncio.Event()
        self._error = error

    async def stop(self) -> None:
        self.is_stopping.set()
        await self.may_finish.wait()
        if self._error is not None:
            raise self._error


@asynccontextmanager
async def told_to_stop(
    settings: CommonSettings, work: WorkInHand
) -> AsyncIterator[tuple[httpx.AsyncClient, "asyncio.Task[None]"]]:
    """A service with work in hand, at the moment after its signal."""

    @asynccontextmanager
    async def start(app: FastAPI, _: Resources) -> AsyncIterator[None]:
        app.state.stopping.first(work.stop)
        yield

    app = build_app("test", settings=settings, resources=None, routers=[], start=start, needs=())
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None)
    server = GracefulServer(config, [app.state.stopping])
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS
    ) as client:
        assert (await client.get("/readyz")).status_code == 200
        server.should_exit = True  # what its signal handler does
        await asyncio.wait_for(work.is_stopping.wait(), PATIENCE_SECONDS)
        yield client, serving
        work.may_finish.set()
        await asyncio.wait_for(serving, PATIENCE_SECONDS)


async def test_it_answers_that_it_is_stopping_while_the_work_in_hand_is_finished(
    settings: CommonSettings,
) -> None:
    work = WorkInHand()
    async with told_to_stop(settings, work) as (client, serving):
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (503, "stopping")
        assert (await client.get("/livez")).status_code == 200
        assert not serving.done()
        work.may_finish.set()
        await asyncio.wait_for(serving, PATIENCE_SECONDS)
        with pytest.raises(httpx.ConnectError):
            await client.get("/readyz", headers={"Connection": "close"})


async def test_work_that_fails_to_stop_does_not_keep_the_process(settings: CommonSettings) -> None:
    work = WorkInHand(RuntimeError("the broker is gone"))
    async with told_to_stop(settings, work) as (_, serving):
        work.may_finish.set()
        await asyncio.wait_for(serving, PATIENCE_SECONDS)
