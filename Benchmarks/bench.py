#!/usr/bin/env python3
"""First figures of the whole service: one bridge, one broker, the simulator as a process of its own.

A source of 8 partitions holds EVENTS CloudEvents of about 450 bytes, each for a campaign of its own, before the bridge
starts. Rate limits are lifted, connections are reused, the simulator keeps no journal. For each latency one line:
events a second from the first to the last call, CPU microseconds of the bridge for an event, its peak memory.

  scripts/bench [--events 100000] [--latency 0 --latency 20]
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

from confluent_kafka import Producer

ROOT = Path(__file__).resolve().parent.parent
BINARY = ROOT / ".build/release/campaign-bridge"
ACCOUNT = "5f0000000000000000000001"


def produce(servers: str, topic: str, count: int) -> int:
    producer = Producer({"bootstrap.servers": servers, "queue.buffering.max.messages": 200000, "linger.ms": 20})
    size = 0
    for number in range(count):
        event = {
            "specversion": "1.0", "id": f"bench-{number:07d}", "source": "/crm/bench", "type": "campaign.start",
            "time": "2026-01-01T00:00:00Z", "datacontenttype": "application/json",
            "data": {"streamId": "st-0603182c-7ffb-53c3-b307-47ca14b00000", "campaignId": f"cd-{number:07d}-0000",
                     "correlationId": f"c-{number}", "requestedBy": "bench", "metadata": {"note": ""}},
        }
        text = json.dumps(event)
        event["data"]["metadata"]["note"] = "x" * max(0, 450 - len(text))
        value = json.dumps(event)
        size = len(value)
        producer.produce(topic, key=f"{number}", value=value,
                         headers=[("content-type", "application/cloudevents+json")])
        if number % 10000 == 0:
            producer.poll(0)
    producer.flush()
    return size


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_kib(pid: int) -> int:
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()).group(1))


def counts(base: str) -> int:
    with urllib.request.urlopen(base + "/simulator/counts", timeout=10) as answer:
        return int(json.load(answer)["decisions"].get("started", 0))


def one(work: Path, servers: str, events: int, latency: int) -> dict:
    name = f"bench-{os.getpid()}-{latency}"
    settings = work / f"simulator-{latency}.json"
    settings.write_text(json.dumps({
        "ratePerMinute": 0, "runSeconds": 1, "latency": {"fixedMilliseconds": latency} if latency else "none",
        "journalLimit": 1}))
    simulator = subprocess.Popen(
        [BINARY, "simulate", "--listen", "127.0.0.1:0", "--settings", settings], stdout=subprocess.PIPE, text=True)
    base = simulator.stdout.readline().strip()
    config = work / f"bridge-{latency}.yaml"
    config.write_text(f"""
kafka:
  bootstrapServers: ["{servers}"]
group: {{id: {name}}}
replica: {{name: bench}}
topics: {{source: {name}-source, started: {name}-started, deadLetters: {name}-dead, ledger: {name}-ledger,
  control: {name}-control, replicationFactor: 1, minInsyncReplicas: 1}}
server: {{listen: "127.0.0.1:0"}}
logging: {{level: error}}
calls: {{maximumInFlight: 256, maximumReady: 4000}}
connections:
  main:
    baseUrl: {base}
    streams: ["*"]
    accountId: "{ACCOUNT}"
    clientId: cs-00000000-0000-0000-0000-000000000001
    clientSecret: simulator-secret
    requestsPerMinute: 0
    maximumInFlight: 256
    reuseConnections: true
    reuseMaximumAge: 60s
""")
    bridge = None
    try:
        subprocess.run([BINARY, "topics", "-c", config, "--create"], check=True, stdout=subprocess.DEVNULL)
        size = produce(servers, f"{name}-source", events)
        bridge = subprocess.Popen([BINARY, "run", "-c", config], stderr=sys.stderr)
        first = None
        done = 0
        before = 0.0
        stalled = time.monotonic()
        while done < events:
            time.sleep(0.05)
            now_done = counts(base)
            if now_done > 0 and first is None:
                first = time.monotonic()
                before = cpu_seconds(bridge.pid)
                skipped = now_done
            if now_done != done:
                stalled = time.monotonic()
            done = now_done
            if time.monotonic() - stalled > 60 or bridge.poll() is not None:
                raise SystemExit(f"bench: stands at {done} of {events} calls")
        seconds = time.monotonic() - first
        cpu = cpu_seconds(bridge.pid) - before
        return {"latency": latency, "size": size, "rate": (events - skipped) / seconds,
                "cpu": cpu * 1e6 / (events - skipped), "peak": peak_kib(bridge.pid) / 1024}
    finally:
        for process in (bridge, simulator):
            if process and process.poll() is None:
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100000)
    parser.add_argument("--latency", type=int, action="append", help="milliseconds; may be given several times")
    options = parser.parse_args()
    servers = os.environ["KAFKA_BOOTSTRAP_SERVERS"]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    processor = model.group(1) if model else platform.machine()
    print(f"machine: {os.cpu_count()} cores, {processor}; commit {commit.strip()}")
    print(f"{'latency':>8} {'events':>8} {'bytes':>6} {'events/s':>9} {'CPU us/event':>13} {'peak MiB':>9}")
    with tempfile.TemporaryDirectory() as work:
        for latency in options.latency or [0, 20]:
            row = one(Path(work), servers, options.events, latency)
            print(f"{latency:>5} ms {options.events:>8} {row['size']:>6} {row['rate']:>9.0f} {row['cpu']:>13.0f}"
                  f" {row['peak']:>9.0f}", flush=True)


main()
