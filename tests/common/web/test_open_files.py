"""Files and connections that a service may have, and what becomes of it when there are no more."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.services import GuardedProcess, free_port
from tests.support.slow_clients import clients_of

LIMIT = """
import resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
"""
RAISED = (
    LIMIT.format(soft=64, hard="hard")
    + """
from libs.common.web.serve import open_many_files
open_many_files()
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], hard)
"""
)
SERVICE = (
    LIMIT.format(soft=48, hard=48)
    + """
import sys
from pathlib import Path
from fastapi import FastAPI, Response
from libs.common.settings import CommonSettings
from libs.common.storage.folder import FolderStore
from libs.common.web import errors, health
from libs.common.web.serve import server_config
from libs.common.web.stopping import GracefulServer, Stopping

store = FolderStore(Path(sys.argv[2]))
app = FastAPI()
errors.install(app)
app.include_router(health.router)

@app.get("/object")
async def read() -> Response:
    return Response(await store.get("object"))

settings = CommonSettings(
    database_url="postgresql://nobody@127.0.0.1/nothing", secret_key="x" * 32, port=int(sys.argv[1])
)
GracefulServer(server_config(app, settings), [Stopping()]).run()
"""
)


def test_a_service_takes_the_files_that_it_may_have() -> None:
    run = subprocess.run([sys.executable, "-c", RAISED], check=True, capture_output=True, text=True)
    soft, hard = map(int, run.stdout.split())
    assert soft == (min(hard, 65_536) if hard > 0 else 65_536)


@pytest.fixture
def short_of_files(tmp_path: Path) -> Iterator[str]:
    """A service that may have 48 files and connections."""
    (tmp_path / "object").write_bytes(b"content")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = GuardedProcess(
        [sys.executable, "-c", SERVICE, str(port), str(tmp_path)], log=tmp_path / "service.log"
    )
    try:
        process.wait_until(lambda: _answers(url), what="the service")
        yield url
    finally:
        process.stop()


async def test_a_service_without_a_file_left_goes_on_once_clients_have_gone(
    short_of_files: str,
) -> None:
    async with httpx.AsyncClient(base_url=short_of_files, timeout=PATIENCE_SECONDS) as client:
        assert (await client.get("/object")).content == b"content"
        async with clients_of(short_of_files, 200) as others:
            for other in others:
                await other.send(b"GET /livez HTTP/1.1\r\n")

            async def is_refused() -> bool:
                answer = await client.get("/object")
                return answer.status_code == 503

            # The connection that it has goes on, and it opens no object.
            await eventually(is_refused)
        await asyncio.to_thread(httpx.get, f"{short_of_files}/livez", timeout=PATIENCE_SECONDS)
        assert (await client.get("/object")).content == b"content"


async def test_one_address_does_not_take_all_connections_where_there_are_few_files(
    short_of_files: str,
) -> None:
    neighbour = httpx.AsyncHTTPTransport(local_address="127.0.0.3")
    async with (
        clients_of(short_of_files, 200, source="127.0.0.2") as others,
        httpx.AsyncClient(transport=neighbour, base_url=short_of_files) as client,
    ):
        # One of them is told, as its place is another one's: all have been counted.
        assert b" 503 " in await others[-1].read(100)

        async def is_served() -> bool:
            try:
                return (await client.get("/object")).is_success
            except httpx.TransportError:
                return False

        await eventually(is_served)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez", timeout=5).is_success
    except httpx.TransportError:
        return False
