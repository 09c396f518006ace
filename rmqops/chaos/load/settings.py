"""What a drill says of its load: who sends and receives, how much, and from where. PURE."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from rmqops.chaos.load.clients.settings import Choice
from rmqops.model.strict import StrictModel

DriverName = Literal["native", "java"]
Whereabouts = Literal["controller", "clients"]


class JavaClient(StrictModel):
    """Settings of the official Java client by its own names; the defaults are its own."""

    poll: int = Field(
        default=30_000, ge=100, le=3_600_000, alias="pollNameServerInterval",
        description="Milliseconds between two looks at the route.",
    )  # fmt: skip
    heartbeat: int = Field(
        default=30_000, ge=100, le=3_600_000, alias="heartbeatBrokerInterval",
        description="Milliseconds between two heartbeats to the brokers.",
    )  # fmt: skip
    timeout: int = Field(
        default=3000, ge=10, le=20_000, alias="sendMsgTimeout",
        description="Milliseconds for a send, all its attempts together.",
    )  # fmt: skip
    retries: int = Field(
        default=2, ge=0, le=100, alias="retryTimesWhenSendFailed",
        description="How often the client sends again by itself.",
    )  # fmt: skip


class Load(StrictModel):
    """What sends and receives while the drill runs."""

    driver: DriverName = Field(
        default="native", description="Our own client, or the release's official Java client."
    )
    client: JavaClient = Field(default=JavaClient(), description="Settings of the driver java.")
    where: Whereabouts = Field(
        default="controller",
        description="Where its processes run: on this machine, or by turns on the hosts of the group clients.",
    )
    choice: Choice = Field(default="round-robin", description="Which queue a message goes to.")
    keys: int = Field(
        default=0, ge=0, le=1_000_000,
        description="Keys that messages have by turns, for choice by-key; 0 gives each message one of its own.",
    )  # fmt: skip
    producers: int = Field(default=2, ge=1, le=1000, description="Processes that send.")
    consumers: int = Field(
        default=1, ge=1, le=1000,
        description="Processes that receive: each native one reads every queue, java ones share them as a group.",
    )  # fmt: skip
    from_slaves: int = Field(
        default=0, ge=0, le=1000, description="So many of the consumers, the last ones, read from slaves; native."
    )
    rate: float = Field(
        default=100, ge=0, le=100_000, description="Messages per second and producer; 0 for as fast as it can."
    )
    in_flight: int = Field(
        default=16, ge=1, le=1000, description="Sends of a producer that are under way at once, at rate 0."
    )
    size: int = Field(default=128, ge=32, le=4_000_000, description="Bytes of a body, which begins with its key.")
    topics: int = Field(default=1, ge=1, le=64, description="Topics; the processes are spread over them by turns.")
    groups: int = Field(
        default=1, ge=1, le=64, description="Consumer groups on each topic, each of which reads all of it; java."
    )
    queues: int = Field(default=4, ge=1, le=1024, description="Queues of each topic on each broker group.")

    @model_validator(mode="after")
    def _client_is_javas(self) -> Self:
        if self.driver != "java" and self.client != JavaClient():
            raise ValueError("client has settings of the driver java, so say driver: java")
        return self

    @model_validator(mode="after")
    def _keys_choose(self) -> Self:
        if self.keys and self.choice != "by-key":
            raise ValueError("keys say which queue a message goes to, so say choice: by-key")
        return self

    @model_validator(mode="after")
    def _slaves_are_read_by_our_own(self) -> Self:
        if self.from_slaves and self.driver == "java":
            raise ValueError("from_slaves are of the driver native; the official client reads whom a broker names")
        if self.from_slaves > self.consumers:
            raise ValueError(f"from_slaves: {self.from_slaves} are more than consumers: {self.consumers}")
        return self

    @model_validator(mode="after")
    def _nobody_is_left_out(self) -> Self:
        if self.groups > 1 and self.driver != "java":
            raise ValueError("groups are of the driver java; each native consumer reads everything anyway")
        if self.producers < self.topics:
            raise ValueError(f"producers: {self.producers} are too few for topics: {self.topics}; each needs one")
        if self.consumers < self.topics * self.groups:
            what = f"topics: {self.topics} with groups: {self.groups} each"
            raise ValueError(f"consumers: {self.consumers} are too few for {what}; each group needs one")
        return self
