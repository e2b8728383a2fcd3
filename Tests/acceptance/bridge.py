"""A whole deployment for a test: topics, simulator, replicas; and the judge of what they did.

The judge knows nothing of the bridge's own state: it compares the events that were produced, the simulator's journal
of what it really started, and what a read_committed consumer finds on the result topics.
"""

import json
import signal
import subprocess
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

ACCOUNT = "5f0000000000000000000001"
STREAM = "st-0603182c-7ffb-53c3-b307-47ca14b00000"


def read_all(servers: str, topic: str) -> list:
    """Every committed record of a topic, by partition and offset."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "judge", "enable.auto.commit": False,
                         "isolation.level": "read_committed", "enable.partition.eof": True})
    partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    found, ended = [], 0
    while ended < len(partitions):
        message = consumer.poll(20)
        assert message is not None, f"{topic} does not come to its end"
        if message.error():
            ended += 1
        else:
            found.append(message)
    consumer.close()
    return found


def headers(message) -> dict:
    return {name: value for name, value in message.headers() or []}


def event(identity: str, campaign: str, **data) -> dict:
    return {"specversion": "1.0", "id": identity, "source": "/crm", "type": "campaign.start",
            "data": {"streamId": STREAM, "campaignId": campaign, **data}}


@dataclass
class Deployment:
    binary: Path
    servers: str
    name: str
    folder: Path
    partitions: int = 4
    processes: list = field(default_factory=list)
    simulator_url: str = ""
    extra: str = ""
    connection: str = ""

    def topic(self, role: str) -> str:
        return f"{self.name}-{role}"

    @property
    def journal(self) -> Path:
        return self.folder / "journal.jsonl"

    def start_simulator(self, **settings) -> None:
        file = self.folder / "simulator.json"
        file.write_text(json.dumps({"ratePerMinute": 0, **settings}))
        process = subprocess.Popen(
            [self.binary, "simulate", "--listen", "127.0.0.1:0", "--settings", file, "--journal", self.journal],
            stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        self.simulator_url = process.stdout.readline().strip()
        assert self.simulator_url.startswith("http"), "the simulator did not start"

    def config(self, replica: str) -> Path:
        file = self.folder / f"{replica}.yaml"
        file.write_text(f"""
kafka: {{bootstrapServers: ["{self.servers}"]}}
group: {{id: {self.name}, revokeDeadline: 10s, maxPollInterval: 60s}}
replica: {{name: {replica}}}
topics: {{source: {self.topic('source')}, started: {self.topic('started')}, deadLetters: {self.topic('dead')},
  ledger: {self.topic('ledger')}, control: {self.topic('control')}, replicationFactor: 1, minInsyncReplicas: 1,
  partitions: {self.partitions}}}
server: {{listen: "127.0.0.1:0"}}
logging: {{level: debug, format: json}}
retry: {{initialDelay: 100ms, maximumDelay: 2s}}
circuit: {{openFor: 1s}}
{self.extra}
connections:
  main:
    baseUrl: {self.simulator_url or 'http://127.0.0.1:9'}
    streams: ["{STREAM}"]
    accountId: "{ACCOUNT}"
    clientId: cs-00000000-0000-0000-0000-000000000001
    clientSecret: simulator-secret
    requestsPerMinute: 0
    deadline: 2s
    connectTimeout: 1s
    tokenMargin: 2s
    doubtGrace: 1s
    clockLeeway: 1s
    throttlePause: 1s
    {self.connection}
""")
        return file

    def create_topics(self) -> None:
        done = subprocess.run([self.binary, "topics", "-c", self.config("topics"), "--create"], capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def start_replica(self, replica: str):
        log = (self.folder / f"{replica}.log").open("ab")
        process = subprocess.Popen([self.binary, "run", "-c", self.config(replica)], stderr=log, stdout=log)
        self.processes.append(process)
        return process

    def log(self, replica: str) -> list:
        lines = []
        for line in (self.folder / f"{replica}.log").read_text(errors="replace").splitlines():
            if line.startswith("{"):
                lines.append(json.loads(line))
        return lines

    def produce(self, records: list) -> None:
        """Records as dictionaries of key, value, headers, partition."""
        producer = Producer({"bootstrap.servers": self.servers, "message.max.bytes": 5000000})
        failures = []

        def delivered(error, _):
            if error:
                failures.append(error)

        for record in records:
            producer.produce(self.topic("source"), on_delivery=delivered, **record)
            producer.poll(0)
        assert producer.flush(60) == 0 and not failures

    def produce_events(self, events: list) -> None:
        self.produce([{"key": item["data"]["campaignId"], "value": json.dumps(item),
                       "headers": [("content-type", b"application/cloudevents+json")]} for item in events])

    def decisions(self) -> list:
        if not self.journal.exists():
            return []
        lines = [json.loads(line) for line in self.journal.read_text().splitlines() if line.strip()]
        return [line for line in lines if line["kind"] == "decision"]

    def starts(self) -> dict:
        """Campaign -> instance ids of the starts that the platform really made."""
        started = defaultdict(list)
        for line in self.decisions():
            if line["operation"] == "start" and line["decision"] == "started":
                started[line["campaignId"]].append(line["campaignInstanceId"])
        return started

    def started(self) -> list:
        return [json.loads(message.value())["data"] for message in read_all(self.servers, self.topic("started"))]

    def dead(self) -> list:
        return read_all(self.servers, self.topic("dead"))

    def wait_outcomes(self, count: int, seconds: float = 90) -> None:
        """Waits until so many outcomes are committed."""
        end = time.monotonic() + seconds
        while True:
            now = len(self.started()) + len(self.dead())
            if now >= count:
                return
            assert time.monotonic() < end, f"{now} of {count} outcomes after {seconds} s"
            time.sleep(0.5)

    def last_entries(self) -> dict:
        """Ledger key -> its last entry."""
        entries = {}
        for message in read_all(self.servers, self.topic("ledger")):
            entries[message.key()] = json.loads(message.value())
        return entries

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait(20)


def judge(deployment: Deployment, events: list, may_be_unknown: set = frozenset()) -> dict:
    """What is wrong, by kind; every count is 0 where the promises hold. Each event has a campaign of its own."""
    starts = deployment.starts()
    started = Counter(item["campaignId"] for item in deployment.started())
    instances = {item["campaignId"]: item["campaignInstanceId"] for item in deployment.started()}
    dead = Counter()
    unknown, unsafe = set(), set()
    for message in deployment.dead():
        campaign = json.loads(message.value())["data"]["campaignId"]
        dead[campaign] += 1
        if headers(message)["campaign-bridge-reason"] == b"outcome-unknown":
            unknown.add(campaign)
        if headers(message)["campaign-bridge-safe-to-replay"] == b"true" and starts.get(campaign):
            unsafe.add(campaign)
    campaigns = {item["data"]["campaignId"] for item in events}
    return {
        "second calls": sum(1 for campaign in campaigns if len(starts.get(campaign, [])) > 1),
        "lost": sum(1 for campaign in campaigns if started[campaign] + dead[campaign] == 0),
        "double outcomes": sum(1 for campaign in campaigns if started[campaign] + dead[campaign] > 1),
        "wrong instance": sum(1 for campaign, one in instances.items() if one and one not in starts.get(campaign, [])),
        "started without a start": sum(1 for campaign in started if not starts.get(campaign)),
        "unknown without cause": len(unknown - set(may_be_unknown)) if may_be_unknown is not None else 0,
        "replay of a started": len(unsafe),
    }


ZERO = {"second calls": 0, "lost": 0, "double outcomes": 0, "wrong instance": 0, "started without a start": 0,
        "unknown without cause": 0, "replay of a started": 0}
