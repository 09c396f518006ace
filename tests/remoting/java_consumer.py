"""One member of a consumer group: the official Java push consumer as a program. It says ``ready`` and consumes.

python java_consumer.py DISTRIBUTION NAMESRV HOME GROUP TOPIC INSTANCE
"""

from __future__ import annotations

import sys
from typing import Any

import jpype


def main() -> None:
    distribution, nameserver, home, group, topic, instance = sys.argv[1:]
    jpype.startJVM(
        "-Xmx128m",
        "-XX:+IgnoreUnrecognizedVMOptions",
        "--add-opens=java.base/java.nio=ALL-UNNAMED",
        f"-Duser.home={home}",
        classpath=[f"{distribution}/lib/*"],
        convertStrings=True,
    )
    listener = "org.apache.rocketmq.client.consumer.listener"
    taken = jpype.JClass(f"{listener}.ConsumeConcurrentlyStatus").CONSUME_SUCCESS

    @jpype.JImplements(f"{listener}.MessageListenerConcurrently")
    class Listener:
        @jpype.JOverride
        def consumeMessage(self, _messages: Any, _context: Any) -> Any:  # noqa: N802 - Java's name
            return taken

    where = jpype.JClass("org.apache.rocketmq.common.consumer.ConsumeFromWhere")
    consumer = jpype.JClass("org.apache.rocketmq.client.consumer.DefaultMQPushConsumer")(group)
    consumer.setNamesrvAddr(nameserver)
    consumer.setInstanceName(instance)
    consumer.setConsumeFromWhere(where.CONSUME_FROM_FIRST_OFFSET)
    consumer.subscribe(topic, "*")
    consumer.registerMessageListener(Listener())
    consumer.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    consumer.shutdown()


if __name__ == "__main__":
    main()
