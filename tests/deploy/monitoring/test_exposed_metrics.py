"""What dashboards and rules ask for is what running services and a real broker expose."""

import re
from pathlib import Path

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from libs.common.messaging.bus.rabbitmq import declare
from libs.common.messaging.bus.topology import findme_topology
from tests.support import promql
from tests.support.exposed import registered, series
from tests.support.monitoring import FOREIGN, MONITORING, TARGET_LABELS, Known, expressions
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.rabbitmq import RabbitMQ

USES = [use for expr in expressions().values() for use in promql.uses(expr)]
#: Nothing fails here.
UNSEEN_LABELS = {"status"}


@pytest.fixture(scope="module")
def page(used_findme: str) -> str:
    return httpx.get(f"{used_findme}/metrics", timeout=PATIENCE_SECONDS).raise_for_status().text


def exposed(text: str) -> dict[str, Known]:
    return series(text_string_to_metric_families(text))


def test_the_running_services_expose_every_metric_that_is_asked_for(page: str) -> None:
    there, known = exposed(page), registered()
    asked = {use.metric for use in USES if use.metric in known}
    assert len(asked) > 50
    # A family that has no sample yet still has its name and its type.
    families = dict(re.findall(r"^# TYPE (\w+) (\w+)$", page, re.MULTILINE))
    for name in asked:
        family = re.sub(r"_(bucket|count|sum)$", "", name)
        assert name in there or name in families or family in families, name
        if name in there:
            assert there[name].kind == known[name].kind, name


def test_their_labels_are_those_that_the_code_declares(page: str) -> None:
    known = registered()
    told = {
        name: found
        for name, found in exposed(page).items()
        if found.labels - {"le"} > TARGET_LABELS  # else it has none, or no sample yet
    }
    compared = told.keys() & known.keys()
    assert len(compared) > 20
    assert {name: told[name].labels for name in compared} == {
        name: known[name].labels for name in compared
    }


def test_label_values_that_are_asked_for_occur(page: str) -> None:
    samples = [
        sample
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name.startswith("findme_")
    ]
    asked = 0
    for use in USES:
        own = [sample.labels for sample in samples if sample.name == use.metric]
        for label, operator, value in use.matchers:
            if not own or operator not in ("=", "=~") or label in UNSEEN_LABELS | TARGET_LABELS:
                continue
            pattern = re.escape(value) if operator == "=" else value
            found = {labels[label] for labels in own}
            assert any(re.fullmatch(pattern, one) for one in found), (use, found)
            asked += 1
    assert asked > 20


async def test_the_broker_exposes_every_metric_that_is_asked_of_it(
    rabbitmq_server: RabbitMQ, amqp_url: str
) -> None:
    await declare(amqp_url, findme_topology())
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:

        async def fetched() -> dict[str, Known]:
            found: dict[str, Known] = {}
            for path in broker_paths():
                answer = await client.get(f"{rabbitmq_server.metrics_url}{path}")
                found |= exposed(answer.raise_for_status().text)
            return found

        async def tells_of_queues() -> bool:
            found = await fetched()
            return "queue" in found["rabbitmq_detailed_queue_consumers"].labels

        # New queues show after a collection interval of the plugin.
        await eventually(tells_of_queues, poll_seconds=0.5)
        there = await fetched()
    for name, known in FOREIGN.items():
        if name.startswith("rabbitmq_"):
            assert there[name].kind in (known.kind, "unknown"), name
            assert known.labels <= there[name].labels, name


def broker_paths() -> list[str]:
    """The paths that Prometheus is configured to ask the broker for."""
    config = yaml.safe_load(Path(MONITORING / "prometheus" / "prometheus.yml").read_text())
    paths = []
    for job in config["scrape_configs"]:
        if job["job_name"].startswith("rabbitmq"):
            families = "&".join(
                f"family={family}" for family in job.get("params", {}).get("family", ())
            )
            paths.append(f"{job.get('metrics_path', '/metrics')}?{families}")
    return paths
