"""rmqops: builds, deploys, runs and chaos-tests Apache RocketMQ 4.4 and 4.5 clusters."""

__version__ = "0.1.0"
