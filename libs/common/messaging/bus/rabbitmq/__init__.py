"""The RabbitMQ adapter: `RabbitMQBus`, and `declare` for the migration."""

from libs.common.messaging.bus.rabbitmq.bus import RabbitMQBus
from libs.common.messaging.bus.rabbitmq.declare import (
    IncompatibleTopology,
    TopologyMissing,
    declare,
)

__all__ = ["IncompatibleTopology", "RabbitMQBus", "TopologyMissing", "declare"]
