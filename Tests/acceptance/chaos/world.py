"""Everything that runs in a chaos run, and the record of what was done to it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import yaml
from confluent_kafka.admin import NewPartitions
from harness import Deployment, Replica
from evidence import AMBIGUOUS, Evidence, Interruption
from judge import Verdict, judge

from chaos.mix import read
from chaos.network import ROOT, Network, free_port

STREAMS = {"main": ["st-one", "st-two"], "second": ["st-three"]}
DEADLINE, MARGIN = 3, 3
LATENCY = {"percentileMilliseconds": {"0": 5, "50": 40, "95": 300, "100": 900}}
# A process that is not told to end may end so: a twin was seen (5), going on would help nothing (6).
ENDS = (5, 6)


class World(Deployment):
    """Brokers, simulator, replicas, producer. Every change goes through here, so that the judge knows of it."""

    def __init__(self, binary: Path, folder: Path, options):
        super().__init__(binary, "", f"chaos{options.seed}", folder)
        self.options, self.partitions = options, 6
        self.names = tuple(f"r{number + 1}" for number in range(options.replicas))
        self.running: dict[str, Replica] = {}
        # Replicas that are down on purpose, and ends that nobody asked for.
        self.held: set = set()
        self.ends: list = []
        self.complaints: list = []
        self.notes: list = []
        self.lock = threading.RLock()
        self.started_at = time.time()
        # Nonces of dead letters that were replayed; nonces with false findings; holds that were in force.
        self.replayed: set = set()
        self.mistakes: set = set()
        self.holds: list = []
        # Begin and end of each trouble of a broker.
        self.outages: list = []
        self.streams = STREAMS
        # Those that may get more partitions; they have the same number.
        self.growing = ("source",) if options.rekey else ("source", "ledger")
        self.network = None
        self.api_ways: dict = {}
        self.env: dict = {}
        self.generation, self.producer_process = 0, None
        self.watcher, self.over = threading.Thread(target=self.watch), threading.Event()

    # Begin

    def kafka(self, verb: str, *arguments) -> str:
        done = subprocess.run([ROOT / "scripts/kafka", verb, self.folder / "kafka", *map(str, arguments)],
                              capture_output=True, text=True, timeout=240, check=False)
        if done.returncode:
            raise RuntimeError(f"scripts/kafka {verb}: {done.stderr}")
        return done.stdout

    def up(self, proxy: str | None) -> None:
        ways = ["--proxied", len(self.names)] if proxy else []
        lines = self.kafka("up", "--nodes", self.options.nodes, *ways).splitlines()
        self.env = dict(line.split("=", 1) for line in lines)
        self.servers = self.env["KAFKA_BOOTSTRAP_SERVERS"]
        copies = min(3, self.options.nodes)
        self.settings = {
            "logging": {"format": "json", "level": "debug"},
            "topics": {"started": self.topic("started"), "replicationFactor": copies,
                       "minInsyncReplicas": 2 if copies == 3 else 1},
            "kafka": {"properties": {"topic.metadata.refresh.interval.ms": "5000"}},
            "source": {"rekey": self.options.rekey},
        }
        self.connection = {"deadline": f"{DEADLINE}s", "tokenMargin": f"{MARGIN}s", "retryAfterMaximum": "5s"}
        # Chosen by us: while it is away, no outgoing connection may be given its port.
        self.simulator_url = f"http://127.0.0.1:{free_port()}"
        if proxy:
            self.network = Network(proxy, self.folder)
            for index, name in enumerate(self.names):
                for node in range(1, self.options.nodes + 1):
                    pair = self.env[self.variable(index, f"KAFKA_PROXY_{{}}{node}")]
                    host, port, upstream = pair.split(":", 2)
                    self.network.add(f"{name}/broker-{node}", f"{host}:{port}", upstream)
                self.api_ways[name] = f"127.0.0.1:{free_port()}"
                self.network.add(f"{name}/api", self.api_ways[name], self.simulator_url.removeprefix("http://"))
        self.start_api()
        self.create_topics()
        for name in self.names:
            self.start(name)
        self.start_producer()
        self.watcher.start()

    @staticmethod
    def variable(index: int, form: str) -> str:
        """The first way's names have no number."""
        return form.format(f"{index + 1}_" if index else "")

    def config(self, replica: str) -> Path:
        file = super().config(replica)
        settings = yaml.safe_load(file.read_text())
        main = settings["connections"]["main"]
        if replica in self.api_ways:
            main["baseUrl"] = f"http://{self.api_ways[replica]}"
            servers = self.env[self.variable(self.names.index(replica), "KAFKA_PROXIED_{}BOOTSTRAP_SERVERS")]
            settings["kafka"]["bootstrapServers"] = servers.split(",")
        settings["connections"] = {name: {**main, "streams": streams, "accountId": f"5f000000000000000000000{number}"}
                                   for number, (name, streams) in enumerate(STREAMS.items())}
        file.write_text(yaml.safe_dump(settings))
        return file

    # What runs

    def note(self, kind: str, target: str, **fields) -> float:
        """A line of the run's own record."""
        now = time.time()
        with self.lock:
            self.notes.append({"at": round(now, 3), "run": round(now - self.started_at, 2), "kind": kind,
                               "target": target, **fields})
            with (self.folder / "chaos.jsonl").open("a") as file:
                file.write(json.dumps(self.notes[-1]) + "\n")
        return now

    def interrupt(self, replica: str, begin: float, end: float) -> None:
        with self.lock:
            self.interruptions.append(Interruption(replica, begin, end))

    def start(self, name: str, after: str = "nothing") -> None:
        fault = self.options.fault
        with self.lock:
            if self.over.is_set():
                return
            self.running[name] = self.start_replica(name, **({"DELIBERATE_FAULT": fault} if fault else {}))
            self.held.discard(name)
            self.note("starts", name, pid=self.running[name].process.pid, after=after)

    def hold(self, name: str) -> Replica:
        """From now on this replica's end is no surprise."""
        with self.lock:
            self.held.add(name)
            return self.running[name]

    def watch(self) -> None:
        """What an orchestrator does: a process that ended is started again."""
        while not self.over.wait(0.2):
            with self.lock:
                gone = [(name, one) for name, one in self.running.items()
                        if name not in self.held and one.process.poll() is not None]
                for name, one in gone:
                    self.note("ended by itself", name, code=one.process.returncode)
                    self.ends.append((name, one.process.returncode))
                    if one.process.returncode not in ENDS:
                        self.complaints.append(f"{name} ended with {one.process.returncode}")
                    self.start(name, f"exit {one.process.returncode}")

    def start_api(self) -> None:
        self.start_simulator(latency=LATENCY, ratePerMinute=0)
        self.note("starts", "api", pid=self.simulator.pid)

    def start_producer(self) -> None:
        self.generation += 1
        file = self.folder / f"producer-{self.generation}.json"
        file.write_text(json.dumps({
            "servers": self.servers, "topics": [self.topic(role) for role in self.growing],
            "folder": str(self.folder), "keys": not self.options.rekey, "seed": self.options.seed,
            "generation": self.generation, "rate": self.options.rate,
            "partitions": self.partitions, "streams": sum(STREAMS.values(), [])}))
        with (self.folder / "producer.log").open("ab") as log:
            self.producer_process = subprocess.Popen(
                [sys.executable, "-m", "chaos.producer", file], stdout=log, stderr=log,
                env={**os.environ, "PYTHONPATH": str(ROOT / "Tests/acceptance"), "PYTHONDONTWRITEBYTECODE": "1"})
        self.note("starts", "producer", pid=self.producer_process.pid)

    def add_partitions(self, more: int, first: str, between: float) -> None:
        admin = self.admin()
        for role in sorted(self.growing, key=lambda role: role != first):
            topic = self.topic(role)
            try:
                admin.create_partitions([NewPartitions(topic, self.partitions + more)])[topic].result(30)
            except Exception as error:  # noqa: BLE001 - a broker is away: it may have been done all the same
                self.note("not done", topic, error=str(error))
            if role == first:
                self.over.wait(between)

    # Afterwards

    def events_sent(self) -> tuple[list, set]:
        """Each event that a producer may have sent, once; and the places that the broker confirmed."""
        events, confirmed = {}, set()
        for file in sorted(self.folder.glob("producer-*.jsonl")):
            for text in file.read_bytes().splitlines():
                try:
                    line = json.loads(text)
                except ValueError:
                    continue  # the last line of a producer that was killed
                if "acknowledged" in line:
                    confirmed.add(tuple(line["acknowledged"]))
                elif "id" in line:
                    event, _ = read(line)
                    events[event.trace] = event
        return list(events.values()), confirmed

    def finish_partitions(self) -> None:
        """As large as the larger of them: a broker may have been away in between."""
        topics = self.admin().list_topics(timeout=30).topics
        counts = {role: len(topics[self.topic(role)].partitions) for role in self.growing}
        self.partitions = max(counts.values())
        for role, count in counts.items():
            if count < self.partitions:
                topic = self.topic(role)
                self.admin().create_partitions([NewPartitions(topic, self.partitions)])[topic].result(30)

    def evidence(self) -> Evidence:
        events, confirmed = self.events_sent()
        return Evidence(
            events, self.decisions(), self.tail("started").whole(90), self.tail("dead").whole(90),
            self.tail("ledger").whole(90), list(self.interruptions),
            # From the intent until the token ends, and then the call's own time.
            call_seconds=DEADLINE + MARGIN + DEADLINE + 1, outages=self.outages, records=self.tail("source").whole(90),
            acknowledged=confirmed, ambiguous=AMBIGUOUS | {"slow", "delay"}, holds=self.holds, mistakes=self.mistakes,
            moved=self.tail("intake").whole(90) if self.options.rekey else None)

    def verdict(self, interruptions=()) -> Verdict:
        return judge(self.evidence())

    def stop(self) -> None:
        self.over.set()
        if self.watcher.is_alive():
            self.watcher.join(20)
        # Who is about to start a replica has done so, or does not any more.
        with self.lock:
            super().stop()
        if self.producer_process is not None and self.producer_process.poll() is None:
            self.producer_process.send_signal(signal.SIGCONT)
            self.producer_process.kill()
            self.producer_process.wait(20)
        if self.network is not None:
            self.network.close()
        if (self.folder / "kafka").exists():
            for log in self.folder.glob("kafka/node-*/broker.log"):
                shutil.copy(log, self.folder / f"broker-{log.parent.name}.log")
            self.kafka("wipe")
