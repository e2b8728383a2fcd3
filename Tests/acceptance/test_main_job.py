"""Events in, one call each, started events and dead letters out."""

import json
import random
import struct
import time

from harness import ACCOUNT, STREAM, STRUCTURED, cloud_event, until
from evidence import headers


def test_every_form_of_an_event_is_started(bridge):
    bridge.settings = {"source": {"identityField": "ref"}}
    bridge.prepare()

    def data(number, **more):
        return json.dumps({"streamId": STREAM, "campaignId": f"cd-form-{number}", **more}).encode()

    def structured(number):
        return json.dumps(cloud_event(f"form-{number}", f"cd-form-{number}", accountId=ACCOUNT)).encode()

    def attributes(number):
        return [("ce_specversion", b"1.0"), ("ce_id", f"form-{number}".encode()), ("ce_source", b"/crm"),
                ("ce_type", b"campaign.start")]

    def prefixed(value):
        return b"\x00" + struct.pack(">I", 7) + value

    records = [
        {"value": structured(0), "headers": [("content-type", b"application/CloudEvents+json; charset=utf-8")]},
        {"value": data(1), "headers": [*attributes(1), ("content-type", b"application/json")]},
        {"value": data(2, ref="form-2")},
        {"value": prefixed(structured(3)), "headers": STRUCTURED},
        {"value": prefixed(data(4)), "headers": attributes(4)},
        {"value": prefixed(data(5, ref="form-5"))},
    ]
    for number, record in enumerate(records):
        record["key"] = f"key {number}".encode()
    offsets = bridge.produce(records)
    bridge.start_replica("r1")
    bridge.wait_outcomes(len(records))
    assert bridge.tail("dead").whole() == []
    assert sorted(bridge.starts()) == [f"cd-form-{number}" for number in range(6)]
    instances = {line["campaignId"]: line["campaignInstanceId"] for line in bridge.decisions()}
    places = set()
    for message in bridge.tail("started").whole():
        envelope = json.loads(message.value())
        got = envelope["data"]
        number = int(got["campaignId"].rsplit("-", 1)[1])
        assert headers(message)["content-type"].startswith(b"application/cloudevents+json")
        assert message.key() == f"key {number}".encode()
        assert got["requestId"] == f"form-{number}"
        assert got.get("requestSource") == (None if number in (2, 5) else "/crm")
        assert got["campaignInstanceId"] == instances[got["campaignId"]]
        assert (got["status"], got["message"], got["evidence"]) == ("Active", "Campaign Started", "answer")
        assert (got["streamId"], got["accountId"]) == (STREAM, ACCOUNT)
        places.add((got["sourcePartition"], got["sourceOffset"]))
    assert places == set(offsets)


NOISE = random.Random(1)
LARGE = NOISE.randbytes(1_000_000)
CASES = [
    ("empty-record", {"key": b"null value", "value": None}),
    ("empty-record", {"key": b"", "value": b""}),
    ("empty-record", {"key": None, "value": b"", "headers": [("n", None), ("n", b""), ("n", b"\xff"), ("", b"x")]}),
    ("invalid-json", {"key": b"\x00\xff", "value": b"\xff" + NOISE.randbytes(200)}),
    ("invalid-encoding", {"key": b"prefix alone", "value": b"\x00\x01\x02\x03\x04"}),
    ("invalid-json", {"key": b"twice", "value": b'{"a":1,"\\u0061":2}'}),
    ("invalid-json", {"key": b"deep", "value": b"[" * 100_000}),
    ("invalid-json", {"key": b"utf-8", "value": b'{"streamId":"\xc3\x28"}'}),
    ("invalid-cloudevent", {"key": b"half", "value": b"{}", "headers": [("ce_id", b"1")]}),
    ("invalid-cloudevent", {"key": b"batch", "value": b"[]",
                            "headers": [("content-type", b"application/cloudevents-batch+json")]}),
    ("invalid-cloudevent", {"key": b"0.3", "headers": STRUCTURED,
                            "value": json.dumps({**cloud_event("v", "cd-v"), "specversion": "0.3"}).encode()}),
    ("invalid-data", {"key": b"no campaign", "value": json.dumps({"streamId": STREAM}).encode()}),
    ("invalid-data", {"key": b"path", "value": json.dumps({"streamId": STREAM, "campaignId": "a/../b"}).encode()}),
    ("unknown-stream", {"key": b"stream", "value": json.dumps({"streamId": "st-x", "campaignId": "cd-s"}).encode()}),
    ("account-mismatch", {"key": b"account", "headers": STRUCTURED,
                          "value": json.dumps(cloud_event("y", "cd-y", accountId="other")).encode()}),
    ("expired", {"key": b"expired", "headers": STRUCTURED,
                 "value": json.dumps(cloud_event("x", "cd-x", expiresAt="2020-01-01T00:00:00Z")).encode()}),
    ("invalid-json", {"key": b"headers", "value": b"x" * 1000,
                      "headers": [(f"h{number % 7}", NOISE.randbytes(50)) for number in range(900)]}),
]


def test_a_record_that_cannot_be_called_becomes_a_dead_letter_byte_for_byte(bridge):
    bridge.prepare()
    bridge.produce([{"partition": 0, **record} for _, record in CASES])
    bridge.start_replica("r1")
    bridge.wait_outcomes(len(CASES))
    found = sorted(bridge.tail("dead").whole(), key=lambda one: int(headers(one)["campaign-bridge-source-offset"]))
    assert len(found) == len(CASES)
    for (reason, record), message in zip(CASES, found, strict=True):
        assert headers(message)["campaign-bridge-reason"].decode() == reason, record["key"]
        assert (message.key(), message.value()) == (record["key"], record["value"])
        original = record.get("headers", [])
        assert message.headers()[:len(original)] == original
        assert headers(message)["campaign-bridge-safe-to-replay"] == b"true"
        # Written now, whatever the source record's own time: else the next retention pass would take it.
        assert message.timestamp()[1] > 1_600_000_000_000
    assert [line for line in bridge.decisions() if line["operation"] == "start"] == []


def test_a_record_of_the_largest_size_becomes_a_dead_letter_that_says_what_is_left_out(bridge):
    bridge.prepare()
    bridge.produce([{"partition": 0, "key": b"large", "value": LARGE, "headers": [("h", b"1")]}])
    bridge.send(1, partition=0)
    bridge.start_replica("r1")
    bridge.wait_outcomes(2)
    (message,) = bridge.tail("dead").whole()
    found = headers(message)
    assert (message.key(), found["h"]) == (b"large", b"1")
    if message.value() != LARGE:
        assert message.value() is None
        assert (found["campaign-bridge-omitted"], found["campaign-bridge-value-size"]) == (b"value", b"1000000")
    assert len(bridge.starts()) == 1


def test_random_bytes_end_as_dead_letters_and_stop_nothing(bridge):
    bridge.prepare()
    chance = random.Random(7)
    whole = json.dumps(cloud_event("whole", "cd-whole")).encode()
    records = []
    for _ in range(300):
        value = bytearray(whole[:chance.randrange(len(whole))] if chance.random() < 0.5
                          else chance.randbytes(chance.randrange(1, 300)))
        if value and chance.random() < 0.3:
            value[chance.randrange(len(value))] = chance.randrange(256)
        names = [chance.choice(["ce_id", "ce_source", "content-type", "x", "traceparent"]) for _ in range(3)]
        records.append({"key": chance.choice([None, b"", chance.randbytes(8)]), "value": bytes(value),
                        "headers": [(name, chance.choice([None, b"", chance.randbytes(9)])) for name in names]})
    offsets = bridge.produce(records)
    bridge.send(20)
    replica = bridge.start_replica("r1")
    bridge.wait_outcomes(len(records) + 20)
    found = {(int(headers(one)["campaign-bridge-source-partition"]), int(headers(one)["campaign-bridge-source-offset"]))
             for one in bridge.tail("dead").whole()}
    assert (found, len(bridge.tail("dead").messages)) == (set(offsets), len(records))
    by_value = {message.value() for message in bridge.tail("dead").messages}
    assert by_value == {record["value"] for record in records}
    assert len(bridge.starts()) == 20 and replica.process.poll() is None


def test_duplicates_are_suppressed_and_conflicts_are_told(bridge):
    bridge.prepare(latency={"fixedMilliseconds": 200})
    same, other = cloud_event("same", "cd-same"), cloud_event("same", "cd-other")
    # Another identity, although the parts of both would join to the same text.
    near = cloud_event("e", "cd-near", source="/crm/sam")

    def records(*items):
        return [{"partition": 1, "value": json.dumps(item).encode(), "headers": STRUCTURED} for item in items]

    bridge.produce(records(same, same, other, same, near))
    first = bridge.start_replica("r1")
    bridge.wait_outcomes(3)
    bridge.produce(records(same, cloud_event("last", "cd-last")))
    bridge.wait_outcomes(4)
    # A process that has only the ledger to go by.
    first.process.terminate()
    assert first.exit() == 0
    bridge.start_replica("r2")
    bridge.produce(records(same, near, cloud_event("end", "cd-end")))
    bridge.wait_outcomes(5)
    assert sorted(bridge.starts()) == ["cd-end", "cd-last", "cd-near", "cd-same"]
    assert [headers(one)["campaign-bridge-reason"] for one in bridge.tail("dead").whole()] == [b"identity-conflict"]
    until(lambda: not bridge.lag(), lambda: f"lag: {bridge.lag()}", 20, every=0.3)


def test_an_event_that_is_too_old_or_of_no_time_is_not_called(bridge):
    """The record's own time counts where the topic keeps the producer's."""
    bridge.create_topic("source", 4)
    bridge.prepare()
    now = int(time.time() * 1000)
    times = {"old": now - 2 * 86_400_000, "none": 1000, "ahead": now + 1_800_000, "fine": now - 3_600_000}
    for name, at in times.items():
        value = json.dumps(cloud_event(name, f"cd-{name}")).encode()
        bridge.produce([{"key": name, "value": value, "headers": STRUCTURED, "timestamp": at}])
    bridge.start_replica("r1")
    bridge.wait_outcomes(4)
    reasons = {one.key().decode(): headers(one)["campaign-bridge-reason"] for one in bridge.tail("dead").whole()}
    assert reasons == {"old": b"expired-outside-window", "none": b"unusable-time", "ahead": b"unusable-time"}
    assert bridge.starts() == ["cd-fine"]


LOSSES = ["reset", "close", "stall", "truncated", "html-error", "garbage", "gateway-unavailable", "empty"]


def test_an_answer_that_is_lost_is_unknown_and_never_called_again(bridge):
    bridge.prepare(faults=[{"campaign": f"cd-{kind}-*", "fault": {"kind": kind, "act": True}} for kind in LOSSES])
    for kind in LOSSES:
        bridge.send(2, kind)
        bridge.send(1, "fine")
    bridge.start_replica("r1")
    bridge.wait_outcomes()
    verdict = bridge.verdict()
    assert verdict.problems == {}
    assert verdict.unknown == {event.campaign for event in bridge.events if not event.campaign.startswith("cd-fine")}
    assert all(headers(one)["campaign-bridge-safe-to-replay"] == b"false" for one in bridge.tail("dead").messages)


def test_an_idle_group_has_no_lag_behind_transaction_markers(bridge):
    bridge.prepare()
    bridge.send(20)
    bridge.start_replica("r1")
    bridge.wait_outcomes()
    until(lambda: not bridge.lag(), lambda: f"lag: {bridge.lag()}", 30, every=0.3)
