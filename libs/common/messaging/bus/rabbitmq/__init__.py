"""The RabbitMQ adapter: `RabbitMQBus`, and `declare` for the migration."""

from libs.common.messaging.bus.rabbitmq.bus import RabbitMQBus
from libs.common.messaging.bus.rabbitmq.connection import TopologyMissing
from libs.common.messaging.bus.rabbitmq.declare import IncompatibleTopology, declare

__all__ = ["IncompatibleTopology", "RabbitMQBus", "TopologyMissing", "declare"]
