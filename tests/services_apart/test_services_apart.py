import subprocess
import sys
from pathlib import Path

from demo.scenario import Place, run_scenario
from tests.services_apart.services import make_event, migrate, running_services, wait_until_ready
from tests.support.gateway import GatewayTransport
from tests.support.polling import PATIENCE_SECONDS
from tests.support.services import free_port
from tests.support.small_event import PASSWORD, SmallEvent


async def test_the_four_services_apart_do_the_same_job_as_standalone(
    environment: dict[str, str], small_event: SmallEvent, run: str, tmp_path: Path
) -> None:
    migrate(environment)
    with running_services(environment, tmp_path) as (urls, _):
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
        timeout=PATIENCE_SECONDS,
    )
    assert started.returncode != 0
    assert "findme migrate" in started.stderr
