"""Holds, by a person with nothing but a Kafka client."""

import json
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from evidence import Hold
from harness import until

from chaos.plan import Step

# A replica's lease may be passed by this much before nobody waits for it any more.
LEASE_MARGIN = 1.0
IN_FORCE_SECONDS = 90


def send(world, topic: str, records: list) -> list:
    """Sends and gives the places; waits until all are confirmed."""
    producer = Producer({"bootstrap.servers": world.servers, "enable.idempotence": True, "log_level": 0})
    places, failures = [], []

    def delivered(error, message):
        if error:
            failures.append(str(error))
        else:
            places.append((message.partition(), message.offset()))

    for record in records:
        producer.produce(topic, on_delivery=delivered, **record)
    if producer.flush(90) or failures:
        raise RuntimeError(f"not sent to {topic}: {failures}")
    return places


def hold(world, step: Step) -> None:
    key = json.dumps(["hold", *step.detail["scope"]], separators=(",", ":")).encode()
    value = json.dumps({"who": "chaos", "why": "chaos run", "at": int(time.time() * 1000)}).encode()
    ((_, offset),) = send(world, world.topic("control"), [{"key": key, "value": value, "partition": 0}])
    try:
        begin = until(lambda: in_force(world, offset), "a hold does not come into force", IN_FORCE_SECONDS, every=0.2)
        world.note("in force", "holds")
        world.over.wait(step.seconds)
        kind, *names = step.detail["scope"]
        streams = {"account": lambda: world.streams[names[0]], "all": lambda: ()}.get(kind, lambda: names[:1])()
        world.holds.append(Hold(begin, time.time(), tuple(streams), names[1] if kind == "campaign" else ""))
    finally:
        # By two people at once, now and then.
        send(world, world.topic("control"), [{"key": key, "value": None, "partition": 0}] * step.detail["resumed"])


def in_force(world, offset: int) -> float | None:
    """Since when every replica that lives has confirmed what stands at this offset; None: not yet."""
    consumer = Consumer({"bootstrap.servers": world.servers, "group.id": "operator", "enable.auto.commit": False,
                         "log_level": 0})
    try:
        topic, replicas = world.topic("control"), {}
        end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=20)[1]
        consumer.assign([TopicPartition(topic, 0, 0)])
        while True:
            message = consumer.poll(20)
            if message is None:
                return None
            if message.error() is None:
                key = json.loads(message.key())
                if key[0] == "replica":
                    replicas[key[1]] = json.loads(message.value()) if message.value() else None
                if message.offset() >= end - 1:
                    break
        now = time.time()
        waiting = [one for one in replicas.values()
                   if one and one["until"] / 1000 + LEASE_MARGIN > now and one["seen"] <= offset]
        return None if waiting else now
    except KafkaException:
        # A broker went away while it was asked: it is asked again.
        return None
    finally:
        consumer.close()
