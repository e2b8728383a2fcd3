"""One event's story as the command tells it."""

from commands import letters, run, shown, story
from harness import STRUCTURED, until


def kinds(one: dict) -> list:
    return [fact["kind"] for fact in one["facts"]]


def test_the_story_of_a_started_event(bridge):
    bridge.prepare()
    bridge.send(3)
    bridge.start_replica("r1")
    bridge.wait_outcomes()
    one = story(bridge, "e1")
    assert kinds(one)[:2] == ["request", "attempting"]
    assert sorted(kinds(one)[2:]) == ["ledger-started", "started"]
    assert (one["state"], one["source"], one["campaignId"]) == ("started", "/crm", "cd-e-1")
    assert [fact["time"] for fact in one["facts"]] == sorted(fact["time"] for fact in one["facts"])
    (record,) = [message for message in bridge.tail("source").whole() if message.value() == bridge.events[1].value]
    request = one["facts"][0]
    assert (request["partition"], request["offset"]) == (record.partition(), record.offset())
    assert story(bridge, one["requestId"]) == one and story(bridge, "/crm", "e1") == one
    run(bridge, "inspect", "/other", "e1", check=1)
    run(bridge, "inspect", "e", check=1)
    text = shown(bridge, "inspect", "e1")
    assert "now:  The campaign was started" in text and "\x1b" not in text


def test_the_story_of_an_unknown_outcome_its_finding_and_its_end(bridge):
    bridge.prepare()
    bridge.set_faults({"campaign": "cd-lost-*", "fault": {"kind": "reset", "act": True}})
    bridge.send(1, "lost")
    bridge.start_replica("r1")
    bridge.wait_outcomes()
    one = story(bridge, "lost0")
    assert one["state"] == "dead-lettered" and "resolve" in one["next"]
    place = letters(bridge)[0]["place"]
    run(bridge, "dead-letters", "resolve", place, "--finding", "started", "--because", "it runs", "--operator", "ann",
        "--yes")
    bridge.wait_outcomes(2)
    one = story(bridge, "lost0")
    assert one["state"] == "started"
    (replay,) = [fact for fact in one["facts"] if fact["kind"] == "replay"]
    assert "by ann, because: it runs; found: started" in replay["text"]
    assert "evidence operator" in [fact for fact in one["facts"] if fact["kind"] == "started"][0]["text"]


def test_what_waits_is_told_while_no_replica_runs(bridge):
    bridge.prepare()
    bridge.send(1)
    one = story(bridge, "e0")
    assert (kinds(one), one["state"]) == (["request"], "waiting")
    bridge.start_replica("r1")
    bridge.wait_outcomes()
    # A repeat is told, and is no second story.
    bridge.produce([{"key": "cd-e-0", "value": bridge.events[0].value, "headers": STRUCTURED}])
    until(lambda: not bridge.lag(), lambda: f"lag: {bridge.lag()}", 30, every=0.3)
    one = story(bridge, "e0")
    assert kinds(one).count("request") == 2 and one["state"] == "started"


def test_an_attempt_whose_replica_died_is_told_with_its_lease(bridge):
    bridge.prepare()
    bridge.set_faults({"campaign": "cd-slow-*", "fault": {"kind": "stall", "act": True}})
    bridge.send(1, "slow")
    replica = bridge.start_replica("r1")
    until(lambda: bridge.starts(), "no call was made")
    bridge.kill(replica)
    one = story(bridge, "slow0")
    assert (kinds(one), one["state"]) == (["request", "attempting"], "attempting")
    assert "r1/" in one["facts"][1]["text"]


def test_the_story_with_records_that_are_moved_by_identity(bridge):
    bridge.settings = {"source": {"rekey": True}}
    bridge.prepare()
    bridge.set_faults({"campaign": "cd-e-1", "fault": {"kind": "status", "status": 404}})
    bridge.send(3)
    replica = bridge.start_replica("r1")
    bridge.wait_outcomes()
    bridge.set_faults()
    one = story(bridge, "e1")
    assert (kinds(one)[0], one["state"]) == ("request", "dead-lettered")
    (record,) = [message for message in bridge.tail("source").whole() if message.value() == bridge.events[1].value]
    request = one["facts"][0]
    # The original place, and where it was moved to.
    assert (request["topic"], request["partition"], request["offset"]) == (
        bridge.topic("source"), record.partition(), record.offset())
    assert f"moved to {bridge.topic('intake')}" in request["text"]
    replica.process.terminate()
    assert replica.exit() == 0
    (place,) = [letter["place"] for letter in letters(bridge)]
    run(bridge, "dead-letters", "replay", place, "--because", "fixed", "--yes")
    # Not moved yet: it stands in the source only.
    one = story(bridge, "e1")
    assert (kinds(one)[-1], one["state"]) == ("replay", "replayed") and "moved" not in one["facts"][-1]["text"]
    bridge.start_replica("r1")
    bridge.wait_outcomes(4)
    one = story(bridge, "e1")
    assert one["state"] == "started" and kinds(one).count("replay") == 1 and kinds(one).count("request") == 1
