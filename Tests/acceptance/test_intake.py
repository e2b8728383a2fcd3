"""Records moved by identity (source.rekey): one event in several partitions of the source is started once."""

import json
import random
import subprocess
import time

import pytest
from commands import run, set_offsets
from confluent_kafka import TopicPartition
from evidence import Event, headers
from harness import STRUCTURED, cloud_event, until
from test_kills import FAULTS, LATENCY, SEED, Flow


@pytest.fixture
def moved(bridge):
    """A deployment with the intake on."""
    bridge.settings = {"source": {"rekey": True}}
    return bridge


def without_keys(bridge, count: int, copies: int = 2) -> list:
    """Events without a key, each sent to several partitions: what a producer does that repeats itself."""
    first = len(bridge.events)
    made, records = [], []
    for number in range(first, first + count):
        value = json.dumps(cloud_event(f"n{number}", f"cd-n-{number}")).encode()
        made.append(Event(f"n{number}", f"cd-n-{number}", value))
        records += [{"key": None, "value": value, "headers": STRUCTURED,
                     "partition": (number + copy) % bridge.partitions} for copy in range(copies)]
    bridge.produce(records)
    bridge.events += made
    return made


def origin(message) -> tuple:
    found = headers(message)
    return int(found["campaign-bridge-intake-partition"]), int(found["campaign-bridge-intake-offset"])


def whole_intake(bridge) -> list:
    """What was moved, without the marks that new producers leave."""
    return [one for one in bridge.tail("intake").whole() if "campaign-bridge-intake-mark" not in headers(one)]


def wait_for_lag(bridge):
    until(lambda: not bridge.lag("source", bridge.name + "-intake") and not bridge.lag("intake"),
          lambda: f"lag: {bridge.lag('source', bridge.name + '-intake')} {bridge.lag('intake')}", 30, every=0.3)


def metric(replica, name: str) -> float:
    return sum(float(line.rsplit(" ", 1)[1]) for line in replica.get("/metrics")[1].splitlines()
               if line.split("{")[0].split(" ")[0] == name)


@pytest.mark.parametrize("rekey", [False, True])
def test_the_lag_is_told(bridge, rekey):
    bridge.settings = {"source": {"rekey": rekey}, "kafka": {"statisticsInterval": "1s"}}
    bridge.prepare()
    replica = bridge.start_replica("r1")
    until(replica.ready, "not ready")
    run(bridge, "hold", "all", "--because", "looks at the lag")
    bridge.send(10)
    # The intake topic's end lies behind the markers of its transactions.
    until(lambda: metric(replica, "campaign_bridge_lag") == 10 or rekey and metric(replica, "campaign_bridge_lag") > 10,
          lambda: f"lag {metric(replica, 'campaign_bridge_lag')}", 30)
    assert ("campaign_bridge_intake_lag{" in replica.get("/metrics")[1]) == rekey
    run(bridge, "resume", "all", "--because", "has looked")
    bridge.wait_outcomes()
    for name in ("campaign_bridge_lag", "campaign_bridge_intake_lag"):
        until(lambda: metric(replica, name) == 0, f"{name} stays", 30)  # noqa: B023
    assert "campaign_bridge_lag{" in replica.get("/metrics")[1]


def test_one_event_in_two_partitions_is_started_once(moved):
    moved.prepare()
    without_keys(moved, 40)
    replica = moved.start_replica("r1")
    moved.wait_outcomes()
    wait_for_lag(moved)
    verdict = moved.verdict()
    assert verdict.problems == {} and not verdict.unknown
    assert verdict.counts["starts"] == 40
    assert len(replica.log("duplicate suppressed")) == 40
    assert metric(replica, "campaign_bridge_intake_moved_total") == 80
    assert metric(replica, "campaign_bridge_records_unkeyed_total") == 0
    # All records of one event meet in one partition.
    places: dict = {}
    for message in whole_intake(moved):
        places.setdefault(message.value(), set()).add(message.partition())
    assert all(len(found) == 1 for found in places.values())
    assert len({next(iter(found)) for found in places.values()}) == moved.partitions


def test_without_intake_the_danger_is_counted_and_said(bridge):
    """What the intake is there for: the same records, without it."""
    bridge.prepare()
    without_keys(bridge, 20)
    replica = bridge.start_replica("r1")
    until(lambda: len(bridge.starts()) == 40, lambda: f"{len(bridge.starts())} starts")
    assert metric(replica, "campaign_bridge_records_unkeyed_total") == 40
    done = subprocess.run([bridge.binary, "check", "-c", bridge.config("check")], capture_output=True, text=True,
                          timeout=60, check=False)
    assert "40 of the last 40 have no key" in done.stdout and "source.rekey" in done.stdout


def test_results_name_the_original_place_and_nothing_of_the_intake(moved):
    # The records keep their producers' times here.
    moved.create_topic("source", 4, **{"message.timestamp.type": "CreateTime", "max.message.bytes": "4000000"})
    moved.prepare()
    old = int((time.time() - 24.5 * 3600) * 1000)
    forged = [("campaign-bridge-intake-partition", b"7"), ("campaign-bridge-intake-offset", b"12345"),
              ("campaign-bridge-intake-topic", b"elsewhere"), ("campaign-bridge-intake-omitted", b"1"),
              ("campaign-bridge-intake-header-count", b"1"), ("other", b"\x00\xff"), ("none", None)]
    broken = b"{no json"
    late = json.dumps(cloud_event("late", "cd-late")).encode()
    large = b"x" * 3_000_000
    moved.produce([
        {"key": b"\x00k", "value": broken, "headers": forged, "partition": 2},
        {"key": b"late", "value": late, "headers": STRUCTURED, "partition": 3, "timestamp": old},
        {"key": None, "value": None, "partition": 1},
        {"key": b"large", "value": large, "headers": forged[5:], "partition": 0}])
    moved.start_replica("r1")
    moved.wait_outcomes(4)
    wait_for_lag(moved)
    letters = {int(headers(one)["campaign-bridge-source-partition"]): one for one in moved.tail("dead").whole()}
    for number, reason in ((0, b"invalid-json"), (1, b"empty-record"), (2, b"invalid-json"), (3, b"expired")):
        found = headers(letters[number])
        assert found["campaign-bridge-reason"] == reason, found
        assert found["campaign-bridge-source-topic"] == moved.topic("source").encode()
        assert found["campaign-bridge-source-offset"] == b"0"
        assert found["__connect.errors.partition"] == str(number).encode()
        assert not [name for name in found if name.startswith("campaign-bridge-intake")]
    assert (letters[2].key(), letters[2].value()) == (b"\x00k", broken)
    assert letters[2].headers()[:2] == [("other", b"\x00\xff"), ("none", None)]
    assert headers(letters[2])["campaign-bridge-event-id"] == f"{moved.topic('source')}/2/0".encode()
    assert headers(letters[3])["campaign-bridge-source-timestamp"] == str(old).encode()
    whole = headers(letters[0])
    assert (whole["campaign-bridge-omitted"], whole["campaign-bridge-value-size"]) == (b"key,value,headers", b"3000000")
    assert whole["campaign-bridge-header-count"] == b"2" and letters[0].value() is None
    assert moved.starts() == []


def test_each_record_is_moved_once_whatever_dies(moved, told):
    chance = random.Random(SEED)
    moved.partitions = 8
    moved.prepare(latency=LATENCY, faults=FAULTS, seed=SEED)
    replicas = {name: moved.start_replica(name) for name in ("r1", "r2")}
    kills = 0
    with Flow(moved, batch=40, pause=0.05, limit=8000):
        moved.wait_outcomes(30)
        while kills < 16:
            time.sleep(chance.choice([0.05, 0.3, 1, 3]) * chance.uniform(0.3, 1))
            for name in ["r1", "r2"] if chance.random() < 0.2 else [chance.choice(["r1", "r2"])]:
                moved.kill(replicas[name])
                replicas[name] = moved.start_replica(name)
                kills += 1
            # Repeats, each in another partition than its event.
            moved.produce([{"key": None, "value": event.value, "headers": STRUCTURED,
                            "partition": chance.randrange(8)} for event in chance.sample(moved.events, 20)])
    moved.wait_outcomes(seconds=180)
    wait_for_lag(moved)
    verdict = moved.verdict()
    told(f"seed {SEED}: {kills} kills; {verdict}")
    assert verdict.problems == {}
    source = {(one.partition(), one.offset()): one for one in moved.tail("source").whole()}
    intake = whole_intake(moved)
    assert sorted(map(origin, intake)) == sorted(source)
    last: dict = {}
    for message in intake:
        record = source[origin(message)]
        assert (message.key(), message.value()) == (record.key(), record.value())
        assert message.headers()[:-4] == record.headers()
        # Of one source partition in order.
        way = (origin(message)[0], message.partition())
        assert last.get(way, -1) < origin(message)[1]
        last[way] = origin(message)[1]


def test_intake_and_ledger_must_have_as_many_partitions(moved):
    moved.create_topic("intake", 3)
    moved.prepare()
    moved.delete_topic("ledger")
    moved.create_topic("ledger", 5)
    without_keys(moved, 1)
    replica = moved.start_replica("r1")
    until(lambda: "3 partitions" in replica.get("/health/ready")[1], lambda: replica.get("/health/ready")[1])
    done = subprocess.run([moved.binary, "check", "-c", moved.config("check")], capture_output=True, text=True,
                          timeout=60, check=False)
    assert "5 partitions, and the intake topic has 3" in done.stdout
    moved.delete_topic("ledger")
    moved.create_topic("ledger", 3)
    # Nothing was moved or called meanwhile, and now it goes on by itself.
    assert moved.starts() == []
    moved.wait_outcomes()
    assert moved.verdict().problems == {}


def set_offsets_to_the_end(bridge, group: str) -> None:
    """What kafka-consumer-groups --reset-offsets --to-latest does for a group without members."""
    tail = bridge.tail("source")
    parts = [TopicPartition(bridge.topic("source"), number,
                            tail.consumer.get_watermark_offsets(TopicPartition(bridge.topic("source"), number))[1])
             for number in range(bridge.partitions)]
    set_offsets(bridge, group, parts)


def end(replica) -> None:
    replica.process.terminate()
    assert replica.exit() == 0


def test_the_way_is_changed_by_a_person_only(bridge):
    """Without intake, with it, and without it again: no record is read both ways."""
    bridge.prepare()
    bridge.send(12)
    one = bridge.start_replica("r1")
    bridge.wait_outcomes()
    until(lambda: not bridge.lag(), "lag", 30)
    end(one)
    bridge.settings = {"source": {"rekey": True}}
    bridge.create_topics()
    two = bridge.start_replica("r1")
    text = until(lambda: two.log("source partition cannot be moved"), "it is moved", 30)[0]["detail"]
    assert "docs/intake.md" in text and "not moved" in two.get("/health/ready")[1]
    end(two)
    set_offsets_to_the_end(bridge, bridge.name + "-intake")
    two = bridge.start_replica("r1")
    bridge.send(12)
    bridge.wait_outcomes()
    wait_for_lag(bridge)
    end(two)
    bridge.settings = {"source": {"rekey": False}}
    three = bridge.start_replica("r1")
    text = until(lambda: three.log("partition blocked"), "it reads on", 30)[0]["detail"]
    assert "docs/intake.md" in text and "blocked" in three.get("/health/ready")[1]
    end(three)
    set_offsets_to_the_end(bridge, bridge.name)
    bridge.start_replica("r1")
    bridge.send(12)
    bridge.wait_outcomes()
    verdict = bridge.verdict()
    assert verdict.problems == {} and verdict.counts["starts"] == 36
