"""A real Prometheus beside the four services and RabbitMQ, as they are deployed."""

import signal
from pathlib import Path
from urllib.parse import unquote, urlsplit

from demo.scenario import Place, run_scenario
from tests.deployment.services import make_event, migrate, running_services, wait_until_ready
from tests.support import promql
from tests.support.gateway import GatewayTransport
from tests.support.monitoring import panels
from tests.support.polling import eventually
from tests.support.prometheus import Prometheus, running_prometheus
from tests.support.rabbitmq import RabbitMQ
from tests.support.small_event import PASSWORD, SmallEvent
from tests.support.visit import visit

#: Panels of Rekognition, which is not used, and of what did not happen.
MAY_BE_EMPTY = {
    "A call",
    "Calls",
    "Cost per hour",
    "Faults",
    "Objects removed",
    "Waiting to be indexed again",
}
#: What must be noticed when the last recognition goes.
WITHOUT_RECOGNITION = {
    "FindMeTargetDown",
    "FindMePartitionWithoutOwner",
    "FindMeQueueWithoutConsumer",
}


def alerts(prometheus: Prometheus) -> set[str]:
    """The alerts whose condition is met, however short."""
    return {rule["name"] for rule in prometheus.rules() if rule.get("alerts")}


def asked(urls: dict[str, str], broker: RabbitMQ, amqp_url: str) -> dict[str, str]:
    """The jobs of the deployed configuration; of the broker's queues the test's own alone."""
    families = "family=queue_coarse_metrics&family=queue_consumer_count"
    vhost = unquote(urlsplit(amqp_url).path.removeprefix("/"))
    return {name: f"{url}/metrics" for name, url in urls.items()} | {
        "rabbitmq": f"{broker.metrics_url}/metrics",
        "rabbitmq-queues": f"{broker.metrics_url}/metrics/detailed?{families}&vhost={vhost}",
    }


async def test_every_panel_shows_the_work_and_the_end_of_recognition_is_noticed(
    environment: dict[str, str],
    rabbitmq_server: RabbitMQ,
    small_event: SmallEvent,
    run: str,
    tmp_path: Path,
) -> None:
    migrate(environment)
    with running_services(environment, tmp_path) as (urls, processes):
        await wait_until_ready(urls, tmp_path)
        jobs = asked(urls, rabbitmq_server, environment["AMQP_URL"])
        with running_prometheus(tmp_path, jobs) as prometheus:
            place = Place(
                "http://findme.test",
                *await make_event(environment["DATABASE_URL"], run),
                PASSWORD,
                transport=GatewayTransport(urls),
            )
            guests = small_event.guests(run)
            await run_scenario(place, small_event.photos, guests, password=PASSWORD)
            await visit(place, guests[0].name)

            def empty() -> set[str]:
                return {
                    panel["title"]
                    for _, panel in panels()
                    if not any(
                        prometheus.query(promql.filled_in(target["expr"]))
                        for target in panel["targets"]
                    )
                }

            await eventually(
                lambda: empty() <= MAY_BE_EMPTY,
                poll_seconds=1,
                message=lambda: f"empty: {empty() - MAY_BE_EMPTY}",
            )
            await eventually(lambda: alerts(prometheus) == set(), poll_seconds=0.5)
            processes["recognition"].send_signal(signal.SIGTERM)
            await eventually(
                lambda: alerts(prometheus) >= WITHOUT_RECOGNITION,
                poll_seconds=0.5,
                message=lambda: f"noticed: {alerts(prometheus)}",
            )
