"""The message bus: a protocol and its two adapters, RabbitMQ and in process."""
