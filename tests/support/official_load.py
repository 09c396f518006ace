"""A producer and a push consumer of the official Java client on one topic, as a program.

python official_load.py DISTRIBUTION NAMESERVERS HOME TOPIC

It says ``ready`` once a message has been sent, and goes on sending, one every 20 ms and none of them twice, until
a line comes in: then it says what it sent. Every line after that is answered with the bodies received so far. It
looks at the route every 2 s and balances as often, where the client's defaults are 30 s and 20 s.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from typing import Any

import jpype


def main() -> None:
    distribution, nameservers, home, topic = sys.argv[1:]
    jpype.startJVM(
        "-Xmx128m",
        "-XX:+IgnoreUnrecognizedVMOptions",
        "--add-opens=java.base/java.nio=ALL-UNNAMED",
        f"-Duser.home={home}",
        "-Drocketmq.client.rebalance.waitInterval=2000",
        classpath=[f"{distribution}/lib/*"],
        convertStrings=True,
    )
    received: set[str] = set()
    consumer = start_consumer(nameservers, topic, received)
    producer = jpype.JClass("org.apache.rocketmq.client.producer.DefaultMQProducer")("official-producer")
    producer.setNamesrvAddr(nameservers)
    producer.setPollNameServerInterval(2000)
    producer.setRetryTimesWhenSendFailed(0)
    producer.start()
    stopped = threading.Event()
    answers = (json.dumps(answer) for answer in work(producer, topic, stopped, received))
    say(next(answers))

    def wait() -> None:
        sys.stdin.readline()
        stopped.set()

    threading.Thread(target=wait, daemon=True).start()
    say(next(answers))
    for _ in sys.stdin:
        say(next(answers))
    producer.shutdown()
    consumer.shutdown()


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def work(producer: Any, topic: str, stopped: threading.Event, received: set[str]) -> Any:
    message = jpype.JClass("org.apache.rocketmq.common.message.Message")
    sent: Counter[str] = Counter()
    failed: list[str] = []
    number = 0
    while not stopped.wait(0.02):
        try:
            result = producer.send(message(topic, jpype.JArray(jpype.JByte)(b"official %d" % number)))
        except jpype.JException as error:
            failed.append(str(error))
        else:
            if str(result.getSendStatus()) == "SEND_OK":
                sent[str(result.getMessageQueue().getBrokerName())] += 1
            else:
                failed.append(str(result))
        number += 1
        if number == 1:
            yield "ready"
    yield {"number": number, "sent": sent, "failed": failed}
    while True:
        yield sorted(received)


def start_consumer(nameservers: str, topic: str, received: set[str]) -> Any:
    listener = "org.apache.rocketmq.client.consumer.listener"
    taken = jpype.JClass(f"{listener}.ConsumeConcurrentlyStatus").CONSUME_SUCCESS

    @jpype.JImplements(f"{listener}.MessageListenerConcurrently")
    class Listener:
        @jpype.JOverride
        def consumeMessage(self, messages: Any, _context: Any) -> Any:  # noqa: N802 - Java's name
            received.update(bytes(message.getBody()).decode() for message in messages)
            return taken

    where = jpype.JClass("org.apache.rocketmq.common.consumer.ConsumeFromWhere")
    consumer = jpype.JClass("org.apache.rocketmq.client.consumer.DefaultMQPushConsumer")("official-consumers")
    consumer.setNamesrvAddr(nameservers)
    consumer.setPollNameServerInterval(2000)
    consumer.setConsumeFromWhere(where.CONSUME_FROM_LAST_OFFSET)
    consumer.subscribe(topic, "*")
    consumer.registerMessageListener(Listener())
    consumer.start()
    return consumer


if __name__ == "__main__":
    main()
