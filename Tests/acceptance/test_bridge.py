"""The main job and its faults, with the built program on a real broker."""

import json
import os
import random
import signal
import struct
import threading
import time

import pytest
from bridge import STREAM, ZERO, Deployment, event, headers, judge, read_all


@pytest.fixture
def bridge(binary, brokers, unique, tmp_path):
    one = Deployment(binary, brokers, unique, tmp_path)
    yield one
    one.stop()


def ready(bridge, latency=0, **settings):
    if latency:
        settings["latency"] = {"fixedMilliseconds": latency}
    bridge.start_simulator(**settings)
    bridge.create_topics()


def test_every_form_of_an_event_is_started(bridge):
    ready(bridge)
    bridge.extra = "source: {identityField: ref}"

    def data(number):
        return {"streamId": STREAM, "campaignId": f"cd-form-{number}"}

    def prefixed(value):
        return b"\x00" + struct.pack(">I", 7) + value

    structured = json.dumps(event("form-0", "cd-form-0")).encode()
    binary = [("ce_specversion", b"1.0"), ("ce_id", b"form-1"), ("ce_source", b"/crm"), ("ce_type", b"t"),
              ("content-type", b"application/json")]
    records = [
        {"value": structured, "headers": [("content-type", b"application/cloudevents+json; charset=utf-8")]},
        {"value": json.dumps(data(1)), "headers": binary},
        {"value": json.dumps({**data(2), "ref": "form-2"})},
        {"value": prefixed(json.dumps(event("form-3", "cd-form-3")).encode()),
         "headers": [("content-type", b"application/cloudevents+json")]},
        {"value": prefixed(json.dumps(data(4)).encode()),
         "headers": [("ce_specversion", b"1.0"), ("ce_id", b"form-4"), ("ce_source", b"/crm"), ("ce_type", b"t")]},
        {"value": prefixed(json.dumps({**data(5), "ref": "form-5"}).encode())},
    ]
    bridge.produce(records)
    bridge.start_replica("r1")
    bridge.wait_outcomes(6)
    assert sorted(item["campaignId"] for item in bridge.started()) == [f"cd-form-{number}" for number in range(6)]
    assert bridge.dead() == []
    assert judge(bridge, [event("", f"cd-form-{number}") for number in range(6)]) == ZERO


def test_a_record_that_cannot_be_called_becomes_a_dead_letter_with_its_bytes(bridge):
    ready(bridge)
    noise = random.Random(1)
    structured = [("content-type", b"application/cloudevents+json")]
    cases = [
        ("empty-record", {"key": b"k1", "value": None}),
        ("empty-record", {"key": b"", "value": b"", "headers": [("n", None), ("n", b""), ("n", b"\xff")]}),
        ("invalid-json", {"key": b"\x00\xff", "value": bytes([255]) + noise.randbytes(200)}),
        ("invalid-encoding", {"key": b"k4", "value": b"\x00\x01"}),
        ("invalid-json", {"key": b"k5", "value": b'{"a":1,"a":2}'}),
        ("invalid-cloudevent", {"key": b"k6", "value": b"{}", "headers": [("ce_id", b"1")]}),
        ("invalid-cloudevent",
         {"key": b"k7", "value": b"[]", "headers": [("content-type", b"application/cloudevents-batch+json")]}),
        ("invalid-data", {"key": b"k8", "value": json.dumps({"streamId": STREAM}).encode()}),
        ("unknown-stream", {"key": b"k9", "value": json.dumps({"streamId": "st-other", "campaignId": "c"}).encode()}),
        ("invalid-data", {"key": b"k10", "value": json.dumps({"streamId": STREAM, "campaignId": "a/../b"}).encode()}),
        ("expired", {"key": b"k11", "value": json.dumps(event("x", "cd-x", expiresAt="2020-01-01T00:00:00Z")).encode(),
                     "headers": structured}),
        ("invalid-json", {"key": b"k12", "value": b"x" * 900000, "headers": [(f"h{n}", b"v") for n in range(500)]}),
        ("account-mismatch", {"key": b"k13", "value": json.dumps(event("y", "cd-y", accountId="other")).encode(),
                              "headers": structured}),
    ]
    bridge.produce([{"partition": 0, **record} for _, record in cases])
    bridge.start_replica("r1")
    bridge.wait_outcomes(len(cases))
    found = sorted(bridge.dead(), key=lambda message: int(headers(message)["campaign-bridge-source-offset"]))
    assert len(found) == len(cases)
    for (reason, record), message in zip(cases, found, strict=True):
        got = headers(message)
        assert got["campaign-bridge-reason"].decode() == reason, record
        if "campaign-bridge-omitted" not in got:
            assert message.value() == record["value"], reason
        assert message.key() == record["key"]
        original = record.get("headers", [])
        assert (message.headers() or [])[:len(original)] == [(name, value) for name, value in original]
    assert bridge.starts() == {}


def test_duplicates_are_suppressed_and_conflicts_are_told(bridge):
    ready(bridge)
    same = event("same", "cd-same")
    other = event("same", "cd-other")
    record = {"partition": 1, "headers": [("content-type", b"application/cloudevents+json")]}
    bridge.produce([{**record, "value": json.dumps(item)} for item in (same, same, other, same)])
    bridge.start_replica("r1")
    bridge.wait_outcomes(2)
    bridge.produce([{**record, "value": json.dumps(same)}, {**record, "value": json.dumps(event("last", "cd-last"))}])
    bridge.wait_outcomes(3)
    assert {campaign: len(ids) for campaign, ids in bridge.starts().items()} == {"cd-same": 1, "cd-last": 1}
    assert [headers(message)["campaign-bridge-reason"] for message in bridge.dead()] == [b"identity-conflict"]


def test_an_outage_makes_no_dead_letter(bridge):
    bridge.create_topics()
    events = [event(f"o{number}", f"cd-o-{number}") for number in range(20)]
    bridge.produce_events(events)
    bridge.start_simulator(faults=[
        {"campaign": "cd-o-1", "count": 2, "fault": {"kind": "rate-limited"}},
        {"campaign": "cd-o-2", "count": 2, "fault": {"kind": "unavailable"}},
    ])
    bridge.start_replica("r1")
    bridge.wait_outcomes(20)
    assert bridge.dead() == []
    assert judge(bridge, events) == ZERO


def test_an_answer_that_is_lost_is_unknown_and_never_called_again(bridge):
    ready(bridge, faults=[{"campaign": "cd-u-1", "fault": {"kind": "reset", "act": True}},
                          {"campaign": "cd-u-2", "fault": {"kind": "stall", "act": True}}])
    events = [event(f"u{number}", f"cd-u-{number}") for number in range(4)]
    bridge.produce_events(events)
    bridge.start_replica("r1")
    bridge.wait_outcomes(4)
    assert judge(bridge, events, {"cd-u-1", "cd-u-2"}) == ZERO
    campaigns = sorted(json.loads(message.value())["data"]["campaignId"] for message in bridge.dead())
    assert campaigns == ["cd-u-1", "cd-u-2"]
    assert all(headers(message)["campaign-bridge-safe-to-replay"] == b"false" for message in bridge.dead())


def test_sigterm_drains_and_leaves_no_doubt(bridge):
    ready(bridge, latency=300)
    events = [event(f"d{number}", f"cd-d-{number}") for number in range(400)]
    bridge.produce_events(events)
    first = bridge.start_replica("r1")
    bridge.wait_outcomes(20)
    first.terminate()
    assert first.wait(60) == 0
    assert "attempting" not in {entry["k"] for entry in bridge.last_entries().values()}
    bridge.start_replica("r1")
    bridge.wait_outcomes(400)
    assert judge(bridge, events) == ZERO


def test_a_stopped_process_that_goes_on_calls_nothing_again(bridge):
    ready(bridge, latency=50)
    events = [event(f"z{number}", f"cd-z-{number}") for number in range(600)]
    first = bridge.start_replica("r1")
    bridge.start_replica("r2")
    bridge.produce_events(events[:300])
    bridge.wait_outcomes(30)
    first.send_signal(signal.SIGSTOP)
    bridge.produce_events(events[300:])
    time.sleep(25)
    first.send_signal(signal.SIGCONT)
    bridge.wait_outcomes(600, 120)
    ambiguous = {item["data"]["campaignId"] for item in events}
    assert judge(bridge, events, ambiguous) == ZERO


def test_two_processes_of_one_name_do_not_fight(bridge):
    ready(bridge)
    bridge.extra = ""
    first = bridge.start_replica("twin")
    bridge.produce_events([event("t0", "cd-t-0")])
    bridge.wait_outcomes(1)
    second = bridge.start_replica("twin")
    end = time.monotonic() + 60
    while first.poll() is None and second.poll() is None:
        assert time.monotonic() < end, "both still run"
        time.sleep(0.2)
    ended = first if first.poll() is not None else second
    assert ended.returncode == 5
    assert any("name" in line["message"] for line in bridge.log("twin"))
    bridge.produce_events([event("t1", "cd-t-1")])
    bridge.wait_outcomes(2)
    assert judge(bridge, [event("t0", "cd-t-0"), event("t1", "cd-t-1")]) == ZERO


def test_without_a_ledger_nothing_is_called(bridge):
    bridge.start_simulator()
    bridge.create_topics()
    whole = bridge.topic
    bridge.topic = lambda role: whole("no-such-ledger" if role == "ledger" else role)
    bridge.produce_events([event("n0", "cd-n-0")])
    replica = bridge.start_replica("r1")
    end = time.monotonic() + 60
    while not any(line["message"] == "partition blocked" for line in bridge.log("r1")):
        assert time.monotonic() < end and replica.poll() is None
        time.sleep(0.3)
    assert bridge.starts() == {}


def test_kills_at_any_moment(bridge):
    """Two replicas, at least twenty kills; prints how long take-over and restart took."""
    kills = int(os.environ.get("KILLS", "20"))
    seed = int(os.environ.get("SEED", "1"))
    chance = random.Random(seed)
    bridge.partitions = 8
    ready(bridge, latency=40)
    events = []
    flowing = threading.Event()
    flowing.set()

    def flow():
        while flowing.is_set():
            batch = [event(f"k{len(events) + number}", f"cd-k-{len(events) + number}") for number in range(20)]
            bridge.produce_events(batch)
            events.extend(batch)
            time.sleep(0.2)

    replicas = {name: bridge.start_replica(name) for name in ("r1", "r2")}
    source = threading.Thread(target=flow)
    source.start()
    restarts = []
    try:
        bridge.wait_outcomes(20)
        for _ in range(kills):
            time.sleep(chance.uniform(0.5, 3))
            name = chance.choice(sorted(replicas))
            before = len(bridge.log(name))
            replicas[name].kill()
            replicas[name].wait(20)
            began = time.monotonic()
            replicas[name] = bridge.start_replica(name)
            if chance.random() < 0.5:
                end = time.monotonic() + 40
                while not any(line["message"] == "campaign started" for line in bridge.log(name)[before:]):
                    assert time.monotonic() < end, "no call after a restart"
                    time.sleep(0.05)
                restarts.append(time.monotonic() - began)
        # A take-over: one replica stays away, the other one gets its partitions.
        before = len(bridge.log("r2"))
        replicas["r1"].kill()
        replicas["r1"].wait(20)
        began = time.monotonic()
        end = began + 60
        all_of_them = ",".join(str(number) for number in range(bridge.partitions))
        while not any(line.get("partitions") == all_of_them for line in bridge.log("r2")[before:]):
            assert time.monotonic() < end, "nothing was taken over"
            time.sleep(0.05)
        assigned = len(bridge.log("r2"))
        theirs = {line["partition"] for line in bridge.log("r1") if line["message"] == "campaign started"}
        while not any(line["message"] == "campaign started" and line["partition"] in theirs
                      for line in bridge.log("r2")[assigned:]):
            assert time.monotonic() < end, "no call after the take-over"
            time.sleep(0.05)
        take_over = time.monotonic() - began
    finally:
        flowing.clear()
        source.join()
    bridge.wait_outcomes(len(events), 180)
    found = judge(bridge, events, {item["data"]["campaignId"] for item in events})
    unknown = sum(headers(message)["campaign-bridge-reason"] == b"outcome-unknown" for message in bridge.dead())
    print(f"\nseed {seed}: {kills + 1} kills, {len(events)} events, {unknown} unknown; {found}")
    print(f"take-over after a kill: {take_over:.1f} s; the same replica restarted to its first start: median"
          f" {sorted(restarts)[len(restarts) // 2]:.1f} s, longest {max(restarts):.1f} s")
    assert found == ZERO


def test_an_idle_group_has_no_lag(bridge):
    ready(bridge)
    bridge.produce_events([event(f"l{number}", f"cd-l-{number}") for number in range(10)])
    bridge.start_replica("r1")
    bridge.wait_outcomes(10)
    assert len(read_all(bridge.servers, bridge.topic("source"))) == 10
