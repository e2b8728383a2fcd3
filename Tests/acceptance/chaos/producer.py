"""A CRM's producer as a process of its own: `python -m chaos.producer SETTINGS.json`.

It writes each event into its file before it sends it, and what the broker confirmed after. SIGTERM: it sends what it
has, waits for it, and ends.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException, Producer

from chaos.mix import Mix, read

PURGED = (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT)
# Longer than any trouble of a broker; five times as long is less than the run waits for the end.
STUCK_SECONDS = 40


def client(settings: dict) -> Producer:
    # Without idempotence, as many producers are: what it repeats after a fault is the same event.
    return Producer({"bootstrap.servers": settings["servers"], "linger.ms": 5, "socket.timeout.ms": 5000,
                     "reconnect.backoff.max.ms": 1000, "message.timeout.ms": 300000,
                     "topic.metadata.refresh.interval.ms": 3000, "log_level": 0})


def lines(folder: Path, generation: int) -> list:
    """What earlier producers wrote down; a last line may be torn."""
    found = []
    for number in range(1, generation):
        file = folder / f"producer-{number}.jsonl"
        for text in file.read_bytes().splitlines() if file.exists() else []:
            try:
                line = json.loads(text)
            except ValueError:
                continue
            found.append(line)
    return found


def partitions(client: Producer, topics: list, known: int) -> int:
    """Of the topic that has fewer; what was known, where the broker does not answer."""
    try:
        return min(len(client.list_topics(topic, timeout=2).topics[topic].partitions) for topic in topics) or known
    except KafkaException:
        return known


def main() -> None:
    settings = json.loads(Path(sys.argv[1]).read_text())
    folder, generation = Path(settings["folder"]), settings["generation"]
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    before = [line for line in lines(folder, generation) if line.get("kind") not in (None, "invalid")]
    mix = Mix(settings["seed"], generation, settings["streams"], before, settings["keys"])
    producer, again, heard = client(settings), [], time.monotonic()
    file = os.open(folder / f"producer-{generation}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(line: dict) -> None:
        os.write(file, json.dumps(line).encode() + b"\n")

    def send(line: dict) -> None:
        def delivered(error, message) -> None:
            nonlocal heard
            if error and error.code() in PURGED:
                again.append(line)
                return
            heard = time.monotonic()
            # Not delivered as far as the client knows: it may stand there all the same.
            write({"failed": str(error)} if error else {"acknowledged": [message.partition(), message.offset()]})

        try:
            producer.produce(settings["topics"][0], on_delivery=delivered, **read(line)[1])
        except KafkaException as error:
            # A new partition that this client does not know yet.
            write({"failed": str(error)})

    def renew() -> None:
        """A client that stood still while a broker was killed may never send again: another sends what it has left."""
        nonlocal producer, heard
        producer.purge()
        producer.flush(5)
        producer, heard = client(settings), time.monotonic()
        lines_left = again[:]
        again.clear()
        for line in lines_left:
            send(line)

    count, asked, due = settings["partitions"], 0.0, time.monotonic()
    while not ended:
        if time.monotonic() - asked > 2:
            # New partitions get events as soon as source and ledger have them.
            count, asked = partitions(producer, settings["topics"], count), time.monotonic()
        # After it stood still it does not make up for what it missed.
        due = max(due + 1 / settings["rate"], time.monotonic() - 1)
        while (left := due - time.monotonic()) > 0 and not ended:
            # It comes back early whenever a record was confirmed.
            producer.poll(left)
        producer.poll(0)
        if len(producer) == 0:
            heard = time.monotonic()
        elif time.monotonic() - heard > STUCK_SECONDS:
            renew()
        if len(producer) > 5000:
            continue
        line = mix.next(time.time(), count)
        write(line)
        send(line)
    for _ in range(5):
        if producer.flush(STUCK_SECONDS) == 0:
            return
        renew()
    sys.exit(1)


if __name__ == "__main__":
    main()
