"""The services and the migration run with the environment that the manifests give them."""

import asyncio
import base64
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import httpx
import pytest

from libs.common.messaging.bus.rabbitmq import declare
from libs.common.messaging.bus.topology import findme_topology
from tests.support.databases import as_service
from tests.support.k8s.manifests import SERVICES, Manifests, Workload
from tests.support.k8s.render import rendered
from tests.support.own_process import own_process
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.services import free_port

FINDME = Path(sys.executable).with_name("findme")


def environment(
    manifests: Manifests,
    workload: Workload,
    folder: Path,
    *,
    database_url: str,
    amqp_url: str,
    model_dir: Path,
) -> dict[str, str]:
    """The pod's variables and files, with the addresses of the test's own servers."""
    files = folder / "secrets"
    files.mkdir()
    (secret,) = [each for each in manifests.of("Secret") if "SECRET_KEY" in each["data"]]
    contents = {
        "database-url": database_url,
        **{f"{name}-database-url": as_service(database_url, name) for name in SERVICES},
        "secret-key": base64.b64decode(secret["data"]["SECRET_KEY"]).decode(),
    }
    if workload.owner["metadata"]["name"] in SERVICES:
        contents["database-url"] = as_service(database_url, workload.owner["metadata"]["name"])
    for name, content in contents.items():
        (files / name).write_text(content)
    given = {name: value for name, value in manifests.settings(workload).items() if value}
    for name, value in given.items():
        if name.endswith("_FILE"):
            given[name] = str(files / Path(value).name)
    return {
        "PATH": os.environ["PATH"],
        **given,
        "AMQP_URL": amqp_url,
        "PORT": str(free_port()),
        "PHOTO_STORE_DIR": str(folder / "objects"),
        "FINDME_MODEL_DIR": str(model_dir),
    }


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_answers_its_probes_and_ends_in_time(
    name: str, tmp_path: Path, database_url: str, amqp_url: str, model_dir: Path
) -> None:
    manifests = rendered("dev")
    workload = manifests.workload("Deployment", name)
    (container,) = workload.spec["containers"]
    await declare(amqp_url, findme_topology())
    variables = environment(
        manifests,
        workload,
        tmp_path,
        database_url=database_url,
        amqp_url=amqp_url,
        model_dir=model_dir,
    )
    address = f"http://127.0.0.1:{variables['PORT']}"

    async def answers(path: str) -> bool:
        try:
            async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
                return (await client.get(f"{address}{path}")).is_success
        except httpx.TransportError:
            return False

    async with own_process(sys.executable, "-m", f"services.{name}", env=variables) as process:
        for probe in ("startup", "liveness", "readiness"):
            path = container[f"{probe}Probe"]["httpGet"]["path"]
            await eventually(partial(answers, path), poll_seconds=0.1)
        assert await answers("/metrics")
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(workload.spec["terminationGracePeriodSeconds"]):
            assert await process.wait() == 0


def migrate(workload: Workload, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [FINDME, *workload.spec["containers"][0]["args"]],
        env=variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


async def test_the_migration_may_run_twice(
    tmp_path: Path, database_url: str, amqp_url: str, model_dir: Path
) -> None:
    manifests = rendered("dev")
    workload = manifests.workload("Job", "findme-migrate")
    variables = environment(
        manifests,
        workload,
        tmp_path,
        database_url=database_url,
        amqp_url=amqp_url,
        model_dir=model_dir,
    )
    for _ in range(2):
        done = migrate(workload, variables)
        assert (done.returncode, "declared" in done.stdout) == (0, True), done.stderr
