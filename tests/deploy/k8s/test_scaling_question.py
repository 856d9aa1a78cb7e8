"""What KEDA asks the broker is answered with all messages of all queues."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from libs.common.messaging.bus.open import open_bus
from libs.common.messaging.bus.protocol import Delivery, OutgoingMessage
from libs.common.messaging.bus.rabbitmq import declare
from libs.common.messaging.bus.topology import findme_topology
from tests.support.k8s.render import rendered
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.rabbitmq import RabbitMQ

TOPICS = {"analyze": "photo.uploaded", "match": "photo.analyzed"}


def asked(broker: RabbitMQ, vhost: str, trigger: Mapping[str, Any]) -> int:
    """The sum that KEDA's scaler makes, by the request that it sends (its documentation, 2.17)."""
    answer = httpx.get(
        f"{broker.management_url}/api/queues/{vhost}",
        params={
            "page": "1",
            "use_regex": trigger["useRegex"],
            "pagination": "false",
            "name": trigger["queueName"],
            "page_size": trigger["pageSize"],
        },
        timeout=PATIENCE_SECONDS,
    )
    return sum(queue.get("messages", 0) for queue in answer.raise_for_status().json()["items"])


@pytest.mark.parametrize("name", TOPICS)
async def test_all_queues_are_added_up_with_what_is_in_hand(
    rabbitmq_server: RabbitMQ, amqp_url: str, name: str
) -> None:
    triggers = rendered("production").get("ScaledObject", "recognition")["spec"]["triggers"]
    (trigger,) = [each["metadata"] for each in triggers if each["name"] == name]
    topology = findme_topology()
    await declare(amqp_url, topology)
    vhost = urlsplit(amqp_url).path.removeprefix("/")

    async def hold(_: Delivery) -> None:
        await eventually(lambda: released)

    released: list[bool] = []
    async with open_bus(amqp_url, topology) as bus:
        for number in range(12):
            await bus.publish(OutgoingMessage(f"{TOPICS[name]}.{number:02d}", b"{}", f"m{number}"))
        queues = topology.analyze if name == "analyze" else topology.match
        subscription = await bus.subscribe(queues[3], hold)
        await eventually(
            lambda: asked(rabbitmq_server, vhost, trigger) == 12,
            poll_seconds=0.5,
            message=lambda: f"asked: {asked(rabbitmq_server, vhost, trigger)}",
        )
        released.append(True)
        await subscription.stop()
