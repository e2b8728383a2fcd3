#!/usr/bin/env python3
"""First figures of the whole service: one bridge, one broker, the simulator as a process of its own.

A source of 8 partitions holds EVENTS CloudEvents of about 450 bytes, each for a campaign of its own, before the bridge
starts. Rate limits are lifted, connections are reused, the simulator keeps no journal. For each latency and way of
reading (source.rekey) one line: events a second from the first to the last call, CPU microseconds of the bridge and of
the broker for an event, the bridge's peak memory.

With --single N instead: N events one after another, and the time of each from the producer's call to its started event
at a read_committed consumer.

  scripts/bench [--events 100000] [--latency 0 --latency 20] [--rekey off --rekey on] [--single 300]
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

ROOT = Path(__file__).resolve().parent.parent
BINARY = ROOT / ".build/release/campaign-bridge"
ACCOUNT = "5f0000000000000000000001"


HEADERS = [("content-type", "application/cloudevents+json")]


def event_value(number: int) -> str:
    event = {
        "specversion": "1.0", "id": f"bench-{number:07d}", "source": "/crm/bench", "type": "campaign.start",
        "time": "2026-01-01T00:00:00Z", "datacontenttype": "application/json",
        "data": {"streamId": "st-0603182c-7ffb-53c3-b307-47ca14b00000", "campaignId": f"cd-{number:07d}-0000",
                 "correlationId": f"c-{number}", "requestedBy": "bench", "metadata": {"note": ""}},
    }
    text = json.dumps(event)
    event["data"]["metadata"]["note"] = "x" * max(0, 450 - len(text))
    return json.dumps(event)


def produce(servers: str, topic: str, count: int) -> int:
    producer = Producer({"bootstrap.servers": servers, "queue.buffering.max.messages": 200000, "linger.ms": 20})
    size = 0
    for number in range(count):
        value = event_value(number)
        size = len(value)
        producer.produce(topic, key=f"{number}", value=value, headers=HEADERS)
        if number % 10000 == 0:
            producer.poll(0)
    producer.flush()
    return size


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def listeners(servers: str) -> list[int]:
    """Processes of this machine that listen on the brokers' ports."""
    ports = {f"{int(server.rsplit(':', 1)[1]):04X}" for server in servers.split(",")}
    inodes = set()
    for file in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(file).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[1].rsplit(":", 1)[1] in ports:
                inodes.add(f"socket:[{fields[9]}]")
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(file) in inodes for file in (process / "fd").iterdir()):
                found.append(int(process.name))
        except OSError:
            continue
    return found


def peak_kib(pid: int) -> int:
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()).group(1))


def counts(base: str) -> int:
    with urllib.request.urlopen(base + "/simulator/counts", timeout=10) as answer:
        return int(json.load(answer)["decisions"].get("started", 0))


class Rig:
    """Topics, simulator and bridge of one line of the table."""

    made = 0

    def __init__(self, work: Path, servers: str, kind: str, latency: int, rekey: str):
        Rig.made += 1
        name = f"{kind}-{os.getpid()}-{Rig.made}"
        self.servers, self.name, self.work = servers, name, work
        settings = work / f"{name}-simulator.json"
        settings.write_text(json.dumps({
            "ratePerMinute": 0, "runSeconds": 1, "latency": {"fixedMilliseconds": latency} if latency else "none",
            "journalLimit": 1}))
        self.simulator = subprocess.Popen(
            [BINARY, "simulate", "--listen", "127.0.0.1:0", "--settings", settings], stdout=subprocess.PIPE, text=True)
        self.base = self.simulator.stdout.readline().strip()
        self.config = work / f"{name}.yaml"
        self.config.write_text(f"""
kafka:
  bootstrapServers: ["{servers}"]
group: {{id: {name}}}
replica: {{name: bench}}
topics: {{source: {name}-source, started: {name}-started, deadLetters: {name}-dead, ledger: {name}-ledger,
  control: {name}-control, intake: {name}-intake, replicationFactor: 1, minInsyncReplicas: 1}}
source: {{rekey: {"true" if rekey == "on" else "false"}}}
server: {{listen: "127.0.0.1:0"}}
logging: {{level: error}}
calls: {{maximumInFlight: 256, maximumReady: 4000}}
connections:
  main:
    baseUrl: {self.base}
    streams: ["*"]
    accountId: "{ACCOUNT}"
    clientId: cs-00000000-0000-0000-0000-000000000001
    clientSecret: simulator-secret
    requestsPerMinute: 0
    maximumInFlight: 256
    reuseConnections: true
    reuseMaximumAge: 60s
""")
        self.bridge = None
        subprocess.run([BINARY, "topics", "-c", self.config, "--create"], check=True, stdout=subprocess.DEVNULL)

    def start(self) -> subprocess.Popen:
        self.bridge = subprocess.Popen([BINARY, "run", "-c", self.config], stderr=sys.stderr)
        return self.bridge

    def stop(self) -> None:
        for process in (self.bridge, self.simulator):
            if process and process.poll() is None:
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()


def one(work: Path, servers: str, events: int, latency: int, rekey: str) -> dict:
    rig = Rig(work, servers, "bench", latency, rekey)
    brokers = listeners(servers)
    try:
        size = produce(servers, f"{rig.name}-source", events)
        bridge = rig.start()
        first = None
        done = 0
        before = broker_before = 0.0
        stalled = time.monotonic()
        while done < events:
            time.sleep(0.05)
            now_done = counts(rig.base)
            if now_done > 0 and first is None:
                first = time.monotonic()
                before = cpu_seconds(bridge.pid)
                broker_before = sum(map(cpu_seconds, brokers))
                skipped = now_done
            if now_done != done:
                stalled = time.monotonic()
            done = now_done
            if time.monotonic() - stalled > 60 or bridge.poll() is not None:
                raise SystemExit(f"bench: stands at {done} of {events} calls")
        seconds = time.monotonic() - first
        cpu = cpu_seconds(bridge.pid) - before
        broker = sum(map(cpu_seconds, brokers)) - broker_before
        return {"latency": latency, "size": size, "rate": (events - skipped) / seconds,
                "cpu": cpu * 1e6 / (events - skipped), "broker": broker * 1e6 / (events - skipped),
                "peak": peak_kib(bridge.pid) / 1024}
    finally:
        rig.stop()


def single(work: Path, servers: str, count: int, latency: int, rekey: str) -> list[float]:
    """Milliseconds of each of `count` events that come one after another, after some that do not count."""
    rig = Rig(work, servers, "single", latency, rekey)
    consumer = Consumer({"bootstrap.servers": servers, "group.id": rig.name + "-bench", "enable.auto.commit": False,
                         "isolation.level": "read_committed", "fetch.wait.max.ms": 10})
    try:
        topic = f"{rig.name}-started"
        # A broker may not know of a topic at once that was made just now.
        while not (partitions := consumer.list_topics(topic, timeout=20).topics[topic].partitions):
            time.sleep(0.05)
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        producer = Producer({"bootstrap.servers": servers, "linger.ms": 0})
        bridge = rig.start()
        times = []
        for number in range(count + WARM_UP):
            began = time.monotonic()
            producer.produce(f"{rig.name}-source", key=f"{number}", value=event_value(number), headers=HEADERS)
            producer.poll(0)
            while True:
                message = consumer.poll(0.01)
                producer.poll(0)
                if message and not message.error():
                    break
                if time.monotonic() - began > 60 or bridge.poll() is not None:
                    raise SystemExit(f"bench: no started event of {number}")
            times.append((time.monotonic() - began) * 1000)
            # Not in step with any timer of the bridge.
            time.sleep(0.02 + (number * 7919 % 31) / 1000)
        return times[WARM_UP:]
    finally:
        consumer.close()
        rig.stop()


WARM_UP = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100000)
    parser.add_argument("--latency", type=int, action="append", help="milliseconds; may be given several times")
    parser.add_argument("--rekey", choices=["off", "on"], action="append", help="may be given several times")
    parser.add_argument("--single", type=int, metavar="N", help="the time of N single events instead")
    options = parser.parse_args()
    servers = os.environ["KAFKA_BOOTSTRAP_SERVERS"]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    processor = model.group(1) if model else platform.machine()
    print(f"machine: {os.cpu_count()} cores, {processor}; load {os.getloadavg()[0]:.1f}; commit {commit.strip()}")
    ways = [(latency, rekey) for latency in options.latency or [0, 20] for rekey in options.rekey or ["off"]]
    with tempfile.TemporaryDirectory() as work:
        if options.single:
            print(f"{'latency':>8} {'rekey':>6} {'events':>8} {'median ms':>10} {'p99 ms':>8}")
            for latency, rekey in ways:
                times = sorted(single(Path(work), servers, options.single, latency, rekey))
                print(f"{latency:>5} ms {rekey:>6} {len(times):>8} {times[len(times) // 2]:>10.1f}"
                      f" {times[len(times) * 99 // 100]:>8.1f}", flush=True)
            return
        print(f"{'latency':>8} {'rekey':>6} {'events':>8} {'bytes':>6} {'events/s':>9} {'CPU us/event':>13}"
              f" {'broker us/event':>16} {'peak MiB':>9}")
        for latency, rekey in ways:
            row = one(Path(work), servers, options.events, latency, rekey)
            print(f"{latency:>5} ms {rekey:>6} {options.events:>8} {row['size']:>6} {row['rate']:>9.0f}"
                  f" {row['cpu']:>13.0f} {row['broker']:>16.0f} {row['peak']:>9.0f}", flush=True)


main()
