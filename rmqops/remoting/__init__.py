"""The RocketMQ 4.x wire protocol: codec (pure), connection, admin, producer, consumer."""
