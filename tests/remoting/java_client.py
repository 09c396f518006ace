"""The official Java client as a program: one JSON request a line on standard input, one JSON answer a line.

    python java_client.py DISTRIBUTION NAMESRV HOME

A process of its own, because a JVM lives as long as the process that started it.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

import jpype


def main() -> None:
    distribution, nameserver, home = sys.argv[1:]
    jpype.startJVM(
        "-Xmx256m",
        "-XX:+IgnoreUnrecognizedVMOptions",
        "--add-opens=java.base/java.nio=ALL-UNNAMED",
        f"-Duser.home={home}",
        classpath=[f"{distribution}/lib/*"],
        convertStrings=True,
    )
    client = jpype.JPackage("org.apache.rocketmq.client")
    producer = client.producer.DefaultMQProducer("java-producer")
    consumer = client.consumer.DefaultMQPullConsumer("java-consumer")
    for each in (producer, consumer):
        each.setNamesrvAddr(nameserver)
        each.start()
    answer("ready")
    for line in sys.stdin:
        request = json.loads(line)
        answer(send(producer, request) if request["do"] == "send" else pull(consumer, request))
    producer.shutdown()
    consumer.shutdown()


def answer(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def queue_of(request: dict[str, Any]) -> Any:
    message_queue = jpype.JClass("org.apache.rocketmq.common.message.MessageQueue")
    return message_queue(request["topic"], request["broker"], request["queue"])


def send(producer: Any, request: dict[str, Any]) -> dict[str, Any]:
    message = jpype.JClass("org.apache.rocketmq.common.message.Message")(
        request["topic"], jpype.JArray(jpype.JByte)(base64.b64decode(request["body"]))
    )
    if request["key"]:
        message.setKeys(request["key"])
    if request["tag"]:
        message.setTags(request["tag"])
    for name, value in request["properties"].items():
        message.putUserProperty(name, value)
    result = producer.send(message, queue_of(request))
    return {
        "status": str(result.getSendStatus()),
        "queue": int(result.getMessageQueue().getQueueId()),
        "offset": int(result.getQueueOffset()),
        "id": str(result.getOffsetMsgId()),
    }


def pull(consumer: Any, request: dict[str, Any]) -> list[dict[str, Any]]:
    result = consumer.pull(queue_of(request), "*", request["offset"], 32, 20_000)
    return [
        {
            "offset": int(each.getQueueOffset()),
            "body": None if each.getBody() is None else base64.b64encode(bytes(each.getBody())).decode(),
            "key": each.getKeys(),
            "tag": each.getTags(),
            "properties": {str(name): str(each.getProperty(name)) for name in each.getProperties().keySet()},
            "id": str(each.getOffsetMsgId()),
            "born": int(each.getBornTimestamp()),
            "stored": int(each.getStoreTimestamp()),
            "born_host": str(each.getBornHostString()),
        }
        for each in (result.getMsgFoundList() or [])
    ]


if __name__ == "__main__":
    main()
