import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from libs.common.database import Database
from libs.common.settings import CommonSettings
from libs.common.tokens import Role
from services.gallery.account_rules import NewAccount
from standalone.demo.scenario import Place, run_scenario
from standalone.operator_commands import add_account, add_event
from tests.support.gateway import GatewayTransport
from tests.support.polling import eventually
from tests.support.s3 import S3Bucket
from tests.support.services import free_port
from tests.support.small_event import PASSWORD, SmallEvent

SERVICES = ("recognition", "ingest", "gallery", "media")

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def environment(database_url: str, amqp_url: str, s3: S3Bucket, model_dir: Path) -> dict[str, str]:
    return os.environ | {
        "DATABASE_URL": database_url,
        "DB_POOL_SIZE": "5",
        "DB_MAX_OVERFLOW": "10",
        "AMQP_URL": amqp_url,
        "PHOTO_BUCKET_NAME": s3.bucket,
        "S3_ENDPOINT_URL": s3.endpoint_url,
        "AWS_REGION": s3.region,
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key,
        "SECRET_KEY": "one secret for all four of the services",
        "FINDME_MODEL_DIR": str(model_dir),
        "PHOTO_QUEUE_WORKERS": "2",
    }


@contextmanager
def service(name: str, environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", f"services.{name}"],
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            code = process.wait(40)
            assert code == 0, f"{name} ended with {code}:\n{log.read_text()}"
        finally:
            process.kill()
            process.wait()


async def test_the_four_services_apart_do_the_same_job_as_standalone(
    environment: dict[str, str], small_event: SmallEvent, run: str, tmp_path: Path
) -> None:
    migrate(environment)
    ports = {name: free_port() for name in SERVICES}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    with ExitStack() as stack:
        for name in SERVICES:
            own = environment | {"PORT": str(ports[name]), "RECOGNITION_URL": urls["recognition"]}
            stack.enter_context(service(name, own, tmp_path / f"{name}.log"))
        await wait_until_ready(urls, tmp_path)
        place = Place(
            "http://findme.test",
            *await make_event(environment["DATABASE_URL"], run),
            PASSWORD,
            transport=GatewayTransport(urls),
        )
        result = await run_scenario(
            place, small_event.photos, small_event.guests(run), password=PASSWORD
        )
    assert result.precision == 1.0
    assert result.recall >= 0.95
    assert result.match_latencies


def test_a_service_without_its_queues_refuses_to_start_and_names_the_command(
    environment: dict[str, str], tmp_path: Path
) -> None:
    started = subprocess.run(
        [sys.executable, "-m", "services.recognition"],
        env=environment | {"PORT": str(free_port())},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert started.returncode != 0
    assert "findme migrate" in started.stderr


def migrate(environment: dict[str, str]) -> None:
    subprocess.run(
        [sys.executable, "-m", "standalone", "migrate"], env=environment, check=True, timeout=60
    )


async def wait_until_ready(urls: dict[str, str], logs: Path) -> None:
    async with httpx.AsyncClient() as client:

        async def ready() -> bool:
            try:
                answers = [await client.get(f"{url}/readyz") for url in urls.values()]
            except httpx.TransportError:
                return False
            return all(answer.status_code == 200 for answer in answers)

        await eventually(
            ready,
            timeout=60,
            message=lambda: "\n".join(log.read_text()[-2000:] for log in logs.glob("*.log")),
        )


async def make_event(database_url: str, run: str) -> tuple[int, str, str]:
    settings = CommonSettings(database_url=database_url, secret_key="x" * 32, db_pool_size=2)
    async with Database.open(settings) as database:
        name = f"photographer-{run}"
        account = NewAccount(name, f"{name}@example.com", PASSWORD)
        await add_account(database, account, Role.PHOTOGRAPHER)
        made = await add_event(database, name="Party", photographer=name, code=None, days=60)
    return made.event_id, made.event_code, name
