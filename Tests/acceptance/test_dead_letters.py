"""Dead letters listed, shown, replayed and resolved by commands, on a real broker with the real bridge."""

import json
import subprocess

import pytest
from commands import letters, on_a_terminal, run, shown
from evidence import headers
from harness import STREAM, STRUCTURED, cloud_event, until

SECRET = "a-payload-that-nobody-lists"


def failing(bridge, count: int, label: str = "bad", **fault) -> list:
    """Events whose campaign the platform does not know, as dead letters."""
    bridge.set_faults({"campaign": f"cd-{label}-*", "fault": {"kind": "status", "status": 404, **fault}})
    return bridge.send(count, label, requestedBy=SECRET)


def test_a_list_has_every_dead_letter_once_in_order_of_time_and_no_value(bridge):
    bridge.prepare()
    bridge.produce([{"key": str(n), "value": f"{n}: {SECRET}".encode(), "partition": n % 4} for n in range(40)])
    bridge.start_replica("r1")
    bridge.wait_outcomes(40)
    found = letters(bridge)
    committed = {f"{one.partition()}:{one.offset()}": one for one in bridge.tail("dead").whole()}
    assert sorted(one["place"] for one in found) == sorted(committed)
    assert [one["time"] for one in found] == sorted(one["time"] for one in found)
    for one in found:
        written = headers(committed[one["place"]])
        assert one["requestId"] == written["campaign-bridge-request-id"].decode()
        assert one["reason"] == "invalid-json" and one["safeToReplay"] is True
    newest = letters(bridge, "--limit", "7")
    assert newest == found[-7:]
    assert letters(bridge, "--reason", "expired") == [] and letters(bridge, "--class", "unknown") == []
    assert letters(bridge, "--id", found[3]["requestId"]) == [found[3]]
    assert letters(bridge, "--since", "2030-01-01T00:00:00Z") == []
    assert letters(bridge, "--until", found[5]["time"]) == [one for one in found if one["time"] < found[5]["time"]]
    assert letters(bridge, "--since", found[5]["time"]) == [one for one in found if one["time"] >= found[5]["time"]]
    text = shown(bridge, "dead-letters", "list")
    assert len(text.splitlines()) == 41 and SECRET not in text and "\x1b" not in text
    one = run(bridge, "dead-letters", "show", found[0]["place"])
    assert SECRET not in one.text and "value" not in one.result
    assert SECRET in run(bridge, "dead-letters", "show", found[0]["place"], "--value").result["value"]
    run(bridge, "dead-letters", "show", "0:999999", check=1)
    run(bridge, "dead-letters", "show", "77:0", check=1)
    run(bridge, "dead-letters", "show", "nonsense", check=2)


def test_a_replay_is_started_once_however_often_it_is_sent(bridge):
    bridge.prepare()
    events = failing(bridge, 3)
    bridge.start_replica("r1")
    bridge.wait_outcomes()
    assert bridge.starts() == []
    bridge.set_faults()
    because = ("--because", "the campaigns are there now", "--operator", "ann", "--yes", "--rate", "1000")
    places = [one["place"] for one in letters(bridge)]
    assert letters(bridge, "--open") == letters(bridge)
    for _ in range(2):
        done = run(bridge, "dead-letters", "replay", *places, *because)
        assert (done.result["delivered"], done.result["failed"]) == (3, 0)
    bridge.wait_outcomes(6)
    # What comes behind the replays in each partition is done: so are they.
    last = [bridge.send(1, f"last{number}", partition=number) for number in range(4)]
    bridge.wait_outcomes(10)
    assert sorted(bridge.starts()) == sorted(event.campaign for event in events + [one[0] for one in last])
    replayed = [json.loads(one.value()) for one in bridge.tail("started").whole()]
    assert sorted(one["data"]["generation"] for one in replayed) == [0, 0, 0, 0, 1, 1, 1]
    assert len(letters(bridge)) == 3
    assert letters(bridge, "--open") == []
    run(bridge, "dead-letters", "replay", "--open", *because, check=1)


def test_a_replay_by_filter_passes_over_what_it_must_not_send(bridge):
    bridge.prepare()
    bridge.set_faults({"campaign": "cd-lost-*", "fault": {"kind": "reset", "act": True}},
                      {"campaign": "cd-bad-*", "fault": {"kind": "status", "status": 404}})
    bridge.send(2, "lost")
    bridge.send(2, "bad")
    bridge.send(1, "old", expiresAt="2020-01-01T00:00:00Z")
    bridge.start_replica("r1")
    bridge.wait_outcomes()
    bridge.set_faults()
    because = ("--because", "x", "--yes")
    planned = run(bridge, "dead-letters", "replay", "--all", "--because", "x", "--dry-run")
    assert (planned.result["chosen"], planned.result["delivered"]) == (2, 0)
    assert planned.result["skipped"] == {"needs-finding": 2, "own-expiry-passed": 1}
    done = run(bridge, "dead-letters", "replay", "--class", "unknown", *because, check=1)
    assert (done.result["chosen"], done.result["skipped"]) == (0, {"needs-finding": 2})
    done = run(bridge, "dead-letters", "replay", "--all", *because)
    assert done.result["delivered"] == 2
    bridge.wait_outcomes(7)
    assert sorted(bridge.starts()) == ["cd-bad-2", "cd-bad-3", "cd-lost-0", "cd-lost-1"]
    run(bridge, "dead-letters", "replay", *because, check=2)
    run(bridge, "dead-letters", "replay", "--all", "0:1", *because, check=2)
    # Off a terminal nobody can be asked.
    run(bridge, "dead-letters", "replay", "--all", "--because", "x", check=2)
    assert len(bridge.tail("source").whole()) == 7


def test_a_finding_decides_an_unknown_outcome(bridge):
    bridge.prepare()
    bridge.set_faults({"campaign": "cd-lost-0", "fault": {"kind": "reset", "act": True}},
                      {"campaign": "cd-lost-1", "fault": {"kind": "reset", "act": False}})
    bridge.send(2, "lost")
    bridge.start_replica("r1")
    bridge.wait_outcomes()
    bridge.set_faults()
    place = {one["eventId"]: one["place"] for one in letters(bridge, "--reason", "outcome-unknown")}
    run(bridge, "dead-letters", "resolve", place["lost0"], "--finding", "started", "--instance-id", "ci-seen",
        "--because", "it runs", "--yes")
    run(bridge, "dead-letters", "resolve", place["lost1"], "--finding", "not-started", "--because", "idle", "--yes")
    bridge.wait_outcomes(4)
    assert sorted(bridge.starts()) == ["cd-lost-0", "cd-lost-1"]
    found = {one["data"]["campaignId"]: one["data"] for one in
             (json.loads(message.value()) for message in bridge.tail("started").whole())}
    assert (found["cd-lost-0"]["evidence"], found["cd-lost-0"]["campaignInstanceId"]) == ("operator", "ci-seen")
    assert found["cd-lost-1"]["evidence"] == "answer"


def test_a_replay_without_its_finding_is_refused_and_told(bridge):
    """Somebody who writes to the source topic by hand, without the command."""
    bridge.prepare()
    bridge.set_faults({"campaign": "cd-lost-*", "fault": {"kind": "reset", "act": True}})
    bridge.send(1, "lost", partition=2)
    bridge.start_replica("r1")
    bridge.wait_outcomes()
    bridge.set_faults()
    (letter,) = bridge.tail("dead").whole()
    known = headers(letter)
    replay = [*STRUCTURED, ("campaign-bridge-replay-generation", b"1"),
              ("campaign-bridge-replay-nonce", known["campaign-bridge-nonce"]),
              ("campaign-bridge-replay-identity", known["campaign-bridge-identity-key"])]
    bridge.produce([{"partition": 2, "key": letter.key(), "value": letter.value(), "headers": replay}])
    bridge.wait_outcomes(2)
    assert [one["reason"] for one in letters(bridge)] == ["outcome-unknown", "replay-refused"]
    assert bridge.starts() == ["cd-lost-0"]
    refused = letters(bridge, "--reason", "replay-refused")[0]["place"]
    done = run(bridge, "dead-letters", "replay", refused, "--because", "x", "--yes", check=1)
    assert done.result["skipped"] == {"replay-refused": 1}


def test_a_replay_says_so_when_the_broker_does_not_take_it(bridge):
    bridge.prepare()
    failing(bridge, 1)
    bridge.start_replica("r1")
    bridge.wait_outcomes()
    place = letters(bridge)[0]["place"]
    # Smaller than any replay of it.
    bridge.settings["kafka"] = {"bootstrapServers": bridge.servers.split(","),
                                "producerProperties": {"message.max.bytes": "1000"}}
    bridge.produce([{"partition": 0, "key": b"k", "value": b"x" * 3000}])
    bridge.wait_outcomes(2)
    large = letters(bridge, "--reason", "invalid-json")[0]["place"]
    done = run(bridge, "dead-letters", "replay", large, place, "--because", "x", "--yes", check=4)
    assert {one["place"]: one["state"] for one in done.result["replays"]} == {large: "failed", place: "delivered"}


def test_a_cluster_that_is_away_is_said_in_bounded_time(bridge):
    bridge.servers = "127.0.0.1:9"
    bridge.settings["kafka"] = {"bootstrapServers": ["127.0.0.1:9"], "operationTimeout": "2s"}
    for arguments in [("dead-letters", "list"), ("dead-letters", "show", "0:0"), ("inspect", "x"), ("holds",),
                      ("hold", "all", "--because", "x")]:
        assert run(bridge, *arguments, check=3).notes != ""


def test_an_open_transaction_is_not_listed_and_blocks_nothing(bridge):
    from confluent_kafka import Producer
    bridge.prepare()
    failing(bridge, 1)
    bridge.start_replica("r1")
    bridge.wait_outcomes()
    other = Producer({"bootstrap.servers": bridge.servers, "transactional.id": f"{bridge.name}-open", "log_level": 0})
    other.init_transactions(30)
    other.begin_transaction()
    for partition in range(4):
        other.produce(bridge.topic("dead"), b"open", partition=partition,
                      headers=[("campaign-bridge-reason", b"rejected"), ("campaign-bridge-class", b"rejected")])
    assert other.flush(30) == 0
    assert len(letters(bridge)) == 1
    other.abort_transaction(30)
    assert len(letters(bridge)) == 1


@pytest.mark.parametrize("reader", ["head"])
def test_a_reader_that_leaves_ends_the_list_quietly(bridge, reader):
    bridge.prepare()
    bridge.produce([{"key": str(n), "value": b"x", "partition": n % 4} for n in range(2000)])
    bridge.start_replica("r1")
    bridge.wait_outcomes(2000)
    line = f'"{bridge.binary}" dead-letters list -c "{bridge.config("operator")}" | {reader} -n 1'
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {line}"], capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.stdout.startswith("place") and done.returncode == 0, done.stderr


def test_a_conflicting_event_can_be_called_as_its_own(bridge):
    bridge.prepare()
    first, second = cloud_event("same", "cd-first"), cloud_event("same", "cd-second")
    for item in (first, second):
        bridge.produce([{"partition": 1, "value": json.dumps(item).encode(), "headers": STRUCTURED}])
    bridge.start_replica("r1")
    bridge.wait_outcomes(2)
    (letter,) = letters(bridge, "--reason", "identity-conflict")
    assert (letter["campaignId"], letter["streamId"]) == ("cd-second", STREAM)
    run(bridge, "dead-letters", "replay", letter["place"], "--because", "both are meant", "--yes")
    bridge.wait_outcomes(3)
    until(lambda: sorted(bridge.starts()) == ["cd-first", "cd-second"], lambda: bridge.starts())


@pytest.mark.parametrize("form", ["structured", "binary"])
def test_a_request_that_is_not_whole_can_only_be_recorded_as_started(bridge, form):
    bridge.settings = {"kafka": {"bootstrapServers": bridge.servers.split(","),
                                 "producerProperties": {"message.max.bytes": "20000"}}}
    bridge.prepare()
    bridge.set_faults({"campaign": "cd-big", "fault": {"kind": "reset", "act": True}})
    event = cloud_event("big", "cd-big", metadata={"list": SECRET * 1000})
    if form == "structured":
        record = {"value": json.dumps(event).encode(), "headers": STRUCTURED}
    else:
        record = {"value": json.dumps(event["data"]).encode(),
                  "headers": [(f"ce_{name}", event[name].encode()) for name in ("specversion", "id", "source", "type")]}
    bridge.produce([{"key": b"k", "partition": 0, **record}])
    bridge.start_replica("r1")
    bridge.wait_outcomes(1)
    (letter,) = letters(bridge)
    assert (letter["eventId"], letter["omitted"]) == ("big", "value")
    because = ("--because", "x", "--yes")
    done = run(bridge, "dead-letters", "replay", letter["place"], *because, check=1)
    assert done.result["skipped"] == {"not-whole": 1}
    run(bridge, "dead-letters", "resolve", letter["place"], "--finding", "not-started", *because, check=1)
    run(bridge, "dead-letters", "resolve", letter["place"], "--finding", "started", *because)
    bridge.wait_outcomes(2)
    (started,) = bridge.tail("started").whole()
    assert json.loads(started.value())["data"]["evidence"] == "operator"
    assert bridge.starts() == ["cd-big"]


@pytest.mark.parametrize("rekey", [False, True])
def test_a_resolution_that_is_given_again_and_again_counts_once(bridge, rekey):
    bridge.settings = {"source": {"rekey": rekey}, "deadLetters": {"maximumBytes": "4KiB"}}
    bridge.prepare()
    bridge.set_faults({"campaign": "cd-big", "fault": {"kind": "reset", "act": True}})
    event = cloud_event("big", "cd-big", metadata={"list": SECRET * 400})
    bridge.produce([{"key": b"k", "partition": 0, "value": json.dumps(event).encode(), "headers": STRUCTURED}])
    bridge.start_replica("r1")
    bridge.wait_outcomes(1)
    (letter,) = letters(bridge)
    for _ in range(3):
        run(bridge, "dead-letters", "resolve", letter["place"], "--finding", "started", "--because", "x", "--yes")
    lags = [("source", bridge.name + "-intake"), ("intake", bridge.name)] if rekey else [("source", bridge.name)]
    for role, group in lags:
        until(lambda role=role, group=group: not bridge.lag(role, group), f"lag of {role}", 60, every=0.3)
    assert len(bridge.tail("started").whole()) == 1


def test_on_a_terminal_a_replay_shows_what_it_would_do_and_asks(bridge):
    bridge.prepare()
    failing(bridge, 2)
    bridge.start_replica("r1")
    bridge.wait_outcomes()
    bridge.set_faults()
    replay = ("dead-letters", "replay", "--all", "--because", "fixed")
    code, text = on_a_terminal(bridge, *replay, answer="y")
    assert code == 1 and "2 dead letters to be replayed" in text and "nothing was sent" in text
    assert len(bridge.tail("source").whole()) == 2
    code, text = on_a_terminal(bridge, *replay, answer="yes")
    assert code == 0 and "people will be called" in text and "2 sent" in text
    bridge.wait_outcomes(4)
    assert len(bridge.starts()) == 2
    place = letters(bridge)[0]["place"]
    code, text = on_a_terminal(bridge, "dead-letters", "resolve", place, "--finding", "started", "--because", "x",
                               answer="no")
    assert code == 1 and "no call is made" in text
