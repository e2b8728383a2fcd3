"""The operator's commands against a deployment: arguments in, exit code and result out."""

import json
import os
import pty
import select
import subprocess
import time
from types import SimpleNamespace

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer
from harness import until


def run(bridge, *arguments, seconds: float = 60, check: int | None = 0) -> SimpleNamespace:
    """A command with JSON output. `check` is the exit code that it must have."""
    command = [str(bridge.binary), *arguments, "-c", str(bridge.config("operator")), "-o", "json"]
    done = subprocess.run(command, capture_output=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL)
    text = done.stdout.decode()
    if check is not None:
        assert done.returncode == check, (arguments, done.returncode, text, done.stderr.decode())
    return SimpleNamespace(code=done.returncode, text=text, result=json.loads(text) if text else None,
                           notes=done.stderr.decode())


def shown(bridge, *arguments, seconds: float = 60) -> str:
    """A command as a person sees it off a terminal."""
    command = [str(bridge.binary), *arguments, "-c", str(bridge.config("operator"))]
    done = subprocess.run(command, capture_output=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, (arguments, done.returncode, done.stderr.decode())
    return done.stdout.decode()


def letters(bridge, *arguments) -> list:
    return run(bridge, "dead-letters", "list", *arguments).result["deadLetters"]


def story(bridge, *arguments) -> dict:
    (one,) = run(bridge, "inspect", *arguments).result["stories"]
    return one


def replica_record(bridge, owner: str, lease: float | None, seen: int = 0) -> None:
    """What a replica says of itself in the control topic; without a lease, its farewell."""
    producer = Producer({"bootstrap.servers": bridge.servers, "log_level": 0})
    now = int(time.time() * 1000)
    value = None if lease is None else json.dumps({"until": now + int(lease * 1000), "seen": seen, "at": now})
    producer.produce(bridge.topic("control"), key=json.dumps(["replica", owner], separators=(",", ":")), value=value)
    assert producer.flush(30) == 0


def on_a_terminal(bridge, *arguments, answer: str, seconds: float = 60) -> tuple[int, str]:
    """A command on a terminal of its own, whose first question is answered; its exit code and all that it showed."""
    command = [str(bridge.binary), *arguments, "-c", str(bridge.config("operator"))]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True,
                               env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    shown, asked, end = b"", False, time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            if not select.select([ours], [], [], 1)[0]:
                continue
            try:
                data = os.read(ours, 65536)
            except OSError:  # How Linux says that the other side is closed.
                break
            shown += data
            if not asked and b"to go on:" in shown:
                asked = True
                os.write(ours, answer.encode() + b"\n")
        return process.wait(10), shown.decode(errors="replace")
    finally:
        os.close(ours)
        if process.poll() is None:
            process.kill()
            process.wait(20)


def set_offsets(bridge, group: str, places: list) -> None:
    """What kafka-consumer-groups --reset-offsets does for a group without members."""
    admin = bridge.admin()

    def done():
        future = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, places)])[group]
        try:
            errors = {part.error.code() for part in future.result(30).topic_partitions if part.error}
        except KafkaException as error:
            errors = {error.args[0].code()}
        # A static member is there until its session ends.
        assert errors <= {KafkaError.UNKNOWN_MEMBER_ID, KafkaError.NON_EMPTY_GROUP}, errors
        return not errors

    until(done, f"the offsets of {group} cannot be set", 60, every=0.5)
