"""A whole deployment for a test: topics, the API's simulator, replicas with settings of their own, events.

Nothing here sleeps to wait for something: `until` looks again and again, and says what did not come.
"""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path

import yaml
from chaos.producer import PURGED, STUCK_SECONDS
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from evidence import Event, Evidence, Interruption
from judge import Verdict, judge

ACCOUNT = "5f0000000000000000000001"
STREAM = "st-0603182c-7ffb-53c3-b307-47ca14b00000"
STRUCTURED = [("content-type", b"application/cloudevents+json")]
ROLES = {"source": "source", "started": "started", "dead": "deadLetters", "ledger": "ledger", "control": "control",
         "intake": "intake"}


def until(condition, what: str, seconds: float = 60, every: float = 0.05):
    """The condition's first true value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"after {seconds} s: {what() if callable(what) else what}"
        time.sleep(every)


def cloud_event(identity: str, campaign: str, source: str = "/crm", **data) -> dict:
    return {"specversion": "1.0", "id": identity, "source": source, "type": "campaign.start",
            "data": {"streamId": STREAM, "campaignId": campaign, **data}}


class Tail:
    """Everything committed of a topic, in each partition's order, as far as it was read."""

    def __init__(self, servers: str, topic: str):
        self.servers, self.topic = servers, topic
        self.begin()

    def begin(self) -> None:
        self.consumer = Consumer({"bootstrap.servers": self.servers, "group.id": "judge", "enable.auto.commit": False,
                                  "isolation.level": "read_committed", "enable.partition.eof": True,
                                  "fetch.wait.max.ms": 50, "reconnect.backoff.max.ms": 500, "log_level": 0})
        # A topic that was made just now is not known to every broker at once.
        self.count = until(lambda: len(self.consumer.list_topics(self.topic, timeout=20).topics[self.topic].partitions),
                           f"{self.topic} is not there")
        self.consumer.assign([TopicPartition(self.topic, number, 0) for number in range(self.count)])
        self.messages, self.ended = [], set()

    def read(self, seconds: float = 0) -> list:
        """What is there now; never waits longer than `seconds` for more."""
        while batch := self.consumer.consume(500, seconds):
            for message in batch:
                if message.error() is None:
                    # What a bridge writes to end what a broker left open is no result.
                    if not any(name == "campaign-bridge-mark" for name, _ in message.headers() or []):
                        self.messages.append(message)
                    self.ended.discard(message.partition())
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    self.ended.add(message.partition())
        return self.messages

    def whole(self, seconds: float = 30) -> list:
        """Everything up to the ends as they are now, read anew."""
        self.renew()
        until(lambda: self.read(0.1) is not None and len(self.ended) == self.count, f"{self.topic} has no end", seconds)
        return self.messages

    def renew(self) -> None:
        """Begins again with a new client: one that has seen a broker stand still may get nothing any more."""
        self.close()
        self.begin()

    def close(self) -> None:
        self.consumer.close()


class Replica:
    """One process of the bridge, and its log."""

    def __init__(self, name: str, process: subprocess.Popen, file: Path, offset: int):
        self.name, self.process, self.file, self.offset = name, process, file, offset
        self.started_at = time.time()
        self.lines: list = []

    def log(self, message: str | None = None, **fields) -> list:
        """The log lines so far that have this message and these fields."""
        with self.file.open("rb") as file:
            file.seek(self.offset)
            text = file.read()
        end = text.rfind(b"\n") + 1
        self.offset += end
        for line in text[:end].splitlines():
            self.lines.append(json.loads(line) if line.startswith(b"{") else {"message": line.decode(errors="replace")})
        return [line for line in self.lines if (message is None or line["message"] == message)
                and all(line.get(name) == value for name, value in fields.items())]

    def port(self) -> int:
        lines = until(lambda: self.log("listening") or self.process.poll() is not None, f"{self.name} does not listen")
        assert lines is not True, f"{self.name} ended with {self.process.returncode}: {self.log()[-3:]}"
        return lines[0]["port"]

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port()}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def ready(self) -> bool:
        return self.get("/health/ready")[0] == 200

    def exit(self, seconds: float = 60) -> int:
        return self.process.wait(seconds)


class Deployment:
    """Topics and group of one name on a broker, with one simulator and any number of replicas."""

    def __init__(self, binary: Path, servers: str, name: str, folder: Path):
        self.binary, self.servers, self.name, self.folder = binary, servers, name, folder
        self.partitions = 4
        # Over the settings of `config`, by section.
        self.settings: dict = {}
        self.connection: dict = {}
        self.events: list[Event] = []
        # Where the records of each value stand in the source: partition and offset.
        self.places: dict[bytes, set] = {}
        self.replicas: list[Replica] = []
        self.interruptions: list[Interruption] = []
        self.stopped_at: dict = {}
        self.simulator = None
        self.simulator_url = ""
        self.simulators = 0
        self.tails: dict = {}
        self.decided: list = []
        self.journal_offset = 0
        self.producer = None

    # Parts

    def topic(self, role: str) -> str:
        return f"{self.name}-{role}"

    def start_simulator(self, **settings) -> None:
        port = self.simulator_url.rsplit(":", 1)[1] if self.simulator_url else "0"
        file = self.folder / "simulator.json"
        self.simulators += 1
        # A seed of its own: a second process would give the first one's instance ids to other campaigns.
        file.write_text(json.dumps(
            {"ratePerMinute": 0, "onActive": "startAnother", "seed": self.simulators, **settings}))
        self.simulator = subprocess.Popen(
            [self.binary, "simulate", "--listen", f"127.0.0.1:{port}", "--settings", file, "--journal",
             self.folder / "journal.jsonl"], stdout=subprocess.PIPE, text=True)
        line = self.simulator.stdout.readline().strip()
        assert line.startswith("http"), "the simulator did not start"
        self.simulator_url = line

    def set_faults(self, *rules) -> None:
        body = json.dumps(list(rules)).encode()
        request = urllib.request.Request(f"{self.simulator_url}/simulator/faults", body, method="PUT")
        urllib.request.urlopen(request, timeout=10).close()

    def kill_simulator(self) -> None:
        self.simulator.kill()
        self.simulator.wait(20)

    def config(self, replica: str) -> Path:
        """The settings of a replica: short tokens, so that doubts are decided soon."""
        settings = {
            "kafka": {"bootstrapServers": self.servers.split(",")},
            "group": {"id": self.name, "revokeDeadline": "10s", "maxPollInterval": "60s"},
            "replica": {"name": replica, "twinExitDelay": "1s"},
            "topics": {**{setting: self.topic(role) for role, setting in ROLES.items()}, "replicationFactor": 1,
                       "minInsyncReplicas": 1, "partitions": self.partitions},
            # Tests of the intake turn it on; all others read the source itself, whatever the default.
            "source": {"rekey": False},
            "server": {"listen": "127.0.0.1:0"},
            "logging": {"format": "json"},
            "retry": {"initialDelay": "100ms", "maximumDelay": "2s"},
            "circuit": {"openFor": "1s"},
        }
        for section, values in self.settings.items():
            settings[section] = {**settings.get(section, {}), **values}
        settings["connections"] = {"main": {
            "baseUrl": self.simulator_url or "http://127.0.0.1:9", "streams": [STREAM], "accountId": ACCOUNT,
            "clientId": "cs-00000000-0000-0000-0000-000000000001", "clientSecret": "simulator-secret",
            "requestsPerMinute": 0, "deadline": "2s", "connectTimeout": "1s", "tokenMargin": "2s", "doubtGrace": "1s",
            "clockLeeway": "1s", "throttlePause": "1s", **self.connection}}
        file = self.folder / f"{replica}.yaml"
        file.write_text(yaml.safe_dump(settings))
        return file

    def create_topics(self) -> None:
        done = subprocess.run([self.binary, "topics", "-c", self.config("topics"), "--create"], capture_output=True,
                              text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def prepare(self, **simulator) -> None:
        self.start_simulator(**simulator)
        self.create_topics()

    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.servers, "log_level": 0})

    def delete_topic(self, role: str) -> None:
        admin = self.admin()
        for future in admin.delete_topics([self.topic(role)], operation_timeout=20).values():
            future.result(30)
        # The answer comes before the brokers' own view has changed.
        until(lambda: self.topic(role) not in admin.list_topics(timeout=20).topics, "the topic does not go away")

    def create_topic(self, role: str, partitions: int, **config) -> None:
        """Again and again: a name that was deleted just now is not free at once."""
        admin = self.admin()

        def made():
            try:
                topic = NewTopic(self.topic(role), partitions, 1, config=config)
                admin.create_topics([topic])[self.topic(role)].result(30)
                return True
            except KafkaException as error:
                assert error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS, error
                return False

        until(made, f"{self.topic(role)} cannot be made", every=0.3)

    # Replicas

    def start_replica(self, name: str, **variables) -> Replica:
        file = self.folder / f"{name}.log"
        offset = file.stat().st_size if file.exists() else 0
        with file.open("ab") as log:
            process = subprocess.Popen([self.binary, "run", "-c", self.config(name)], stderr=log, stdout=log,
                                       env={**os.environ, **variables})
        replica = Replica(name, process, file, offset)
        self.replicas.append(replica)
        return replica

    def kill(self, replica: Replica) -> float:
        replica.process.kill()
        now = time.time()
        replica.process.wait(20)
        self.interruptions.append(Interruption(replica.name, now, now))
        return now

    def pause(self, replica: Replica) -> None:
        self.stopped_at[replica.name] = time.time()
        replica.process.send_signal(signal.SIGSTOP)

    def go_on(self, replica: Replica) -> None:
        replica.process.send_signal(signal.SIGCONT)
        self.interruptions.append(Interruption(replica.name, self.stopped_at.pop(replica.name), time.time()))

    # Events

    def produce(self, records: list) -> list:
        """Records as dictionaries of key, value, headers, partition; gives their offsets."""
        offsets, failures, left = [], [], list(records)
        for _ in range(3):
            if self.producer is None:
                # Without idempotence, as many producers are: what it repeats after a fault is the same event.
                self.producer = Producer({
                    "bootstrap.servers": self.servers, "message.max.bytes": 5000000, "linger.ms": 1,
                    "socket.timeout.ms": 5000, "reconnect.backoff.max.ms": 1000, "log_level": 0})
            again = []

            def delivered(error, message, record, again=again):
                if error and error.code() in PURGED:
                    again.append(record)
                elif error:
                    failures.append(error)
                else:
                    offsets.append((message.partition(), message.offset()))
                    self.places.setdefault(message.value(), set()).add(offsets[-1])

            for record in left:
                self.producer.produce(self.topic("source"), on_delivery=partial(delivered, record=record), **record)
            if self.producer.flush(STUCK_SECONDS):
                # A client that met a broker standing still may never send again: another sends what it has left.
                self.producer.purge()
                self.producer.flush(5)
                self.producer = None
            left = again
            if not left:
                break
        assert not left and not failures, failures or f"{len(left)} records were not taken"
        return offsets

    def send(self, count: int, label: str = "e", partition: int | None = None, **data) -> list[Event]:
        """New events, each with a campaign of its own, as structured CloudEvents keyed by campaign."""
        first = len(self.events)
        made, records = [], []
        for number in range(first, first + count):
            campaign = f"cd-{label}-{number}"
            value = json.dumps(cloud_event(f"{label}{number}", campaign, **data)).encode()
            made.append(Event(f"{label}{number}", campaign, value))
            place = {} if partition is None else {"partition": partition}
            records.append({"key": campaign, "value": value, "headers": STRUCTURED, **place})
        self.produce(records)
        self.events += made
        return made

    # What came of them

    def tail(self, role: str) -> Tail:
        if role not in self.tails:
            self.tails[role] = Tail(self.servers, self.topic(role))
        return self.tails[role]

    def decisions(self) -> list:
        """The journal so far."""
        file = self.folder / "journal.jsonl"
        if file.exists():
            with file.open("rb") as journal:
                journal.seek(self.journal_offset)
                text = journal.read()
            end = text.rfind(b"\n") + 1
            self.journal_offset += end
            self.decided += [line for line in map(json.loads, text[:end].splitlines()) if line["kind"] == "decision"]
        return self.decided

    def starts(self) -> list:
        """Campaigns in the order in which the platform really started them."""
        return [line["campaignId"] for line in self.decisions()
                if line["operation"] == "start" and line["decision"] == "started"]

    def outcomes(self) -> int:
        return len(self.tail("started").read()) + len(self.tail("dead").read())

    def wait_outcomes(self, count: int | None = None, seconds: float = 90) -> None:
        wanted = len(self.events) if count is None else count
        known, since = -1, 0.0

        def are_enough() -> bool:
            nonlocal known, since
            now = self.outcomes()
            if now != known:
                known, since = now, time.monotonic()
            elif time.monotonic() - since > 20:
                self.tail("started").renew()
                self.tail("dead").renew()
                since = time.monotonic()
            return now >= wanted

        until(are_enough,
              lambda: f"{self.outcomes()} of {wanted} outcomes; {self.last_words()}", seconds, every=0.1)

    def last_words(self) -> dict:
        return {replica.name: [line["message"] + str(line.get("detail", line.get("error", "")))
                               for line in replica.log() if line.get("level") in ("error", "warning")][-4:]
                for replica in self.replicas[-3:]}

    def places_of_values(self) -> dict:
        """Those that the producer was told of, and those that stand there without its knowing."""
        places = {value: set(known) for value, known in self.places.items()}
        for message in self.tail("source").whole():
            places.setdefault(message.value(), set()).add((message.partition(), message.offset()))
        return places

    def verdict(self, interruptions=()) -> Verdict:
        return judge(Evidence(
            self.events, self.decisions(), self.tail("started").whole(), self.tail("dead").whole(),
            self.tail("ledger").whole(), [*self.interruptions, *interruptions], places=self.places_of_values()))

    def last_entries(self) -> dict:
        """Ledger key -> its last entry."""
        return {message.key(): json.loads(message.value()) for message in self.tail("ledger").whole()}

    def lag(self, role: str = "source", group: str | None = None) -> dict:
        """Records behind a group's committed offset, by partition, where there are any."""
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": group or self.name, "log_level": 0})
        try:
            topic = self.topic(role)
            count = len(consumer.list_topics(topic, timeout=20).topics[topic].partitions)
            parts = consumer.committed([TopicPartition(topic, number) for number in range(count)], timeout=20)
            ends = {part.partition: consumer.get_watermark_offsets(part, timeout=20)[1] for part in parts}
            return {part.partition: ends[part.partition] - max(part.offset, 0) for part in parts
                    if ends[part.partition] > max(part.offset, 0)}
        finally:
            consumer.close()

    def stop(self) -> None:
        for process in [replica.process for replica in self.replicas] + [self.simulator]:
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait(20)
        for tail in self.tails.values():
            tail.close()
