import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.own_process import own_process
from tests.support.polling import PATIENCE_SECONDS
from tests.support.refusing_pooler import refusing_pooler
from tests.support.services import free_port

ROOT = Path(__file__).parents[2]


def findme_migrate(
    *arguments: str, database_url: str, amqp_url: str
) -> AbstractAsyncContextManager[Process]:
    own = {"PYTHONPATH": str(ROOT), "DATABASE_URL": database_url, "AMQP_URL": amqp_url}
    return own_process(
        sys.executable,
        *("-m", "cli", "migrate", *arguments),
        env=os.environ | own | {"COLUMNS": "500"},
        stdout=PIPE,
        stderr=PIPE,
    )


async def test_a_broker_on_its_way_up_is_waited_for(database_url: str, amqp_url: str) -> None:
    broker = urlsplit(amqp_url)
    late = broker._replace(netloc=f"guest:guest@127.0.0.1:{free_port()}")

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_broker = await asyncio.open_connection(broker.hostname, broker.port)
        await asyncio.gather(_pump(reader, to_broker[1]), _pump(to_broker[0], writer))

    asked = findme_migrate("--wait=600", database_url=database_url, amqp_url=late.geturl())
    async with asked as process, asyncio.timeout(2 * PATIENCE_SECONDS):
        assert process.stdout is not None
        assert b"newest schema" in await process.stdout.readline()
        assert b"Waiting: " in await process.stdout.readline()
        server = await asyncio.start_server(pass_on, "127.0.0.1", late.port)
        try:
            out, errors = await process.communicate()
        finally:
            server.close()
        assert (process.returncode, errors) == (0, b"")
        assert b"are declared" in out


async def test_a_database_that_does_not_come_is_told_of_in_one_sentence(amqp_url: str) -> None:
    nowhere = f"postgresql://findme:secret@127.0.0.1:{free_port()}/findme"
    for arguments in ((), ("--wait=1.5",)):
        asked = findme_migrate(*arguments, database_url=nowhere, amqp_url=amqp_url)
        async with asked as process, asyncio.timeout(PATIENCE_SECONDS):
            out, errors = await process.communicate()
        assert process.returncode == 1
        assert errors.startswith(b"The database cannot be reached: ")
        assert errors.count(b"\n") == 1
        assert b"secret" not in out + errors
        assert out.count(b"Waiting: ") == len(arguments)


async def test_a_pooler_that_refuses_our_sessions_is_not_waited_for(amqp_url: str) -> None:
    async with refusing_pooler("idle_session_timeout") as url:
        asked = findme_migrate("--wait=600", database_url=url, amqp_url=amqp_url)
        async with asked as process, asyncio.timeout(PATIENCE_SECONDS):
            out, errors = await process.communicate()
    assert process.returncode == 1
    assert b"idle_session_timeout" in errors
    assert errors.count(b"\n") == 1
    assert b"secret" not in out + errors


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
    writer.close()
