"""The four services in processes of their own, as they are deployed."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from libs.common.database.database import Database
from libs.common.settings import CommonSettings
from libs.common.web.auth import Role
from services.gallery.accounts.rules import NewAccount
from standalone.operators import add_account, add_event
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.services import free_port
from tests.support.small_event import PASSWORD

SERVICES = ("recognition", "ingest", "gallery", "media")


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


@contextmanager
def running_services(
    environment: dict[str, str], logs: Path
) -> Iterator[tuple[dict[str, str], dict[str, subprocess.Popen[bytes]]]]:
    """Start all four on ports of their own; yield their URLs and processes, by name."""
    ports = {name: free_port() for name in SERVICES}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    with ExitStack() as stack:
        processes = {}
        for name in SERVICES:
            own = environment | {
                "PORT": str(ports[name]),
                "RECOGNITION_URL": urls["recognition"],
                "GALLERY_URL": urls["gallery"],
            }
            processes[name] = stack.enter_context(service(name, own, logs / f"{name}.log"))
        yield urls, processes


def migrate(environment: dict[str, str]) -> None:
    subprocess.run(
        [sys.executable, "-m", "cli", "migrate"], env=environment, check=True, timeout=60
    )


async def wait_until_ready(urls: dict[str, str], logs: Path) -> None:
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:

        async def ready() -> bool:
            try:
                answers = [await client.get(f"{url}/readyz") for url in urls.values()]
            except httpx.TransportError:
                return False
            return all(answer.status_code == 200 for answer in answers)

        await eventually(
            ready,
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
