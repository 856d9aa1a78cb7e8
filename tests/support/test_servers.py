import asyncio
import subprocess
import sys
from pathlib import Path

import aio_pika
import boto3  # type: ignore[import-untyped]
import psutil
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.support.databases import Databases
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.postgres import Postgres, accepts_connections
from tests.support.rabbitmq import RabbitMQ, is_up
from tests.support.s3 import S3Bucket
from tests.support.services import free_port, reserve

GUARD = Path(__file__).with_name("guard.py")
ROOT = Path(__file__).parents[2]


async def _tables(url: str) -> int:
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            count = await connection.scalar(
                text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            )
            assert isinstance(count, int)
            return count
    finally:
        await engine.dispose()


async def test_a_fresh_database_has_the_migrations_and_nothing_of_another_test(
    databases: Databases,
) -> None:
    async with databases.fresh() as one, databases.fresh() as other:
        assert await _tables(one) > 0
        engine = create_async_engine(one)
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE mine (id int)"))
        await engine.dispose()
        assert await _tables(other) == await _tables(one) - 1


async def test_a_killed_postgres_comes_back_with_its_data(
    database_url: str, postgres_faults: Postgres
) -> None:
    before = await _tables(database_url)
    postgres_faults.kill()
    assert not accepts_connections(postgres_faults.url)
    postgres_faults.start()
    assert await _tables(database_url) == before


async def test_a_killed_broker_comes_back(amqp_url: str, rabbitmq_faults: RabbitMQ) -> None:
    rabbitmq_faults.kill()
    assert not is_up(rabbitmq_faults)
    rabbitmq_faults.start()
    async with await aio_pika.connect(amqp_url, timeout=PATIENCE_SECONDS) as connection:
        assert not connection.is_closed


def test_a_fresh_bucket_takes_objects(s3: S3Bucket) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=s3.endpoint_url,
        aws_access_key_id=s3.access_key,
        aws_secret_access_key=s3.secret_key,
        region_name=s3.region,
    )
    client.put_object(Bucket=s3.bucket, Key="a/b", Body=b"bytes")
    assert client.get_object(Bucket=s3.bucket, Key="a/b")["Body"].read() == b"bytes"


def test_a_port_is_given_to_one_process_alone() -> None:
    port = free_port()
    assert not reserve(port)
    program = f"from tests.support.services import reserve; print(reserve({port}))"
    other = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == "False"


async def test_a_server_and_its_files_go_with_the_process_that_started_it(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    parent_program = (
        "import subprocess, sys, time\n"
        f"guard = [sys.executable, '-I', {str(GUARD)!r}, '15', '', {str(folder)!r}]\n"
        "subprocess.Popen("
        "[*guard, 'sleep', '60'], stdin=subprocess.PIPE, start_new_session=True)\n"
        "time.sleep(60)\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", parent_program)
    try:

        def descendants() -> list[psutil.Process]:
            return list(psutil.Process(parent.pid).children(recursive=True))

        await eventually(lambda: any(p.name() == "sleep" for p in descendants()))
        left = descendants()
    finally:
        parent.kill()
        await parent.wait()
    await eventually(lambda: not any(p.is_running() for p in left), message="orphans are left")
    assert not folder.exists()
